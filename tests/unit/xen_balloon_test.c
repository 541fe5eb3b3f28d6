/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/xen/balloon.c: from memory/target to the pages that are given back
 * or taken, with bases that have less than they are asked for, and targets
 * that are none.
 */
#include "check.h"

#include "drivers/xen/balloon.c"

#include "xen_front_mock.h"

#define NO_LIMIT UINT64_MAX

static struct {
    uint64_t total, free;
    uint64_t release_max, take_max; /* what the base can do */
    unsigned calls;
} m;

uint64_t xen_balloon_release(uint64_t pages)
{
    m.calls++;
    CHECK(pages > 0 && pages <= m.free);
    if (pages > m.release_max)
        pages = m.release_max;
    m.total -= pages;
    m.free -= pages;
    return pages;
}

uint64_t xen_balloon_take(uint64_t pages)
{
    m.calls++;
    CHECK(pages > 0);
    if (pages > m.take_max)
        pages = m.take_max;
    m.total += pages;
    m.free += pages;
    return pages;
}

static void stats(struct base_memory *out)
{
    *out = (struct base_memory){.pages_total = m.total, .pages_free = m.free};
}

static uint64_t again_delay; /* 0: not asked for since */

void xen_store_again(const char *path,
                     void (*changed)(void *argument, const char *path),
                     void *argument, uint64_t delay_ns)
{
    CHECK(strcmp(path, "memory/target") == 0 && changed == on_target);
    again_delay = delay_ns;
}

/* The time that was asked for has passed. */
static uint64_t again(void)
{
    uint64_t delay = again_delay;

    again_delay = 0;
    on_target(NULL, "memory/target");
    return delay;
}

static void start(bool pv, uint64_t total, uint64_t free)
{
    mock_front_end();
    hw_base.mem_stats = stats;
    xen_pv = pv;
    known = false;
    short_target = again_delay = 0;
    memset(&m, 0, sizeof(m));
    m.total = total;
    m.free = free;
    m.release_max = m.take_max = NO_LIMIT;
    xen_balloon_init();
}

static void target_text(const char *text)
{
    m.calls = 0;
    mock_set("memory/target", text);
    xen_store_work();
}

static void target(uint64_t pages)
{
    char text[32];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)pages * 4);
    target_text(text);
}

/* What the base counts is not what the toolstack does: 9000 stands for 10000
 * here. */
static void test_follow(void)
{
    start(true, 9000, 8000);
    target(10000);
    CHECK(m.calls == 0 && m.total == 9000);
    target(8000);
    CHECK(m.total == 7000 && m.calls == 1);
    target(8000);
    CHECK(m.total == 7000 && m.calls == 0);
    target(12000);
    CHECK(m.total == 11000);
    target(10000);
    CHECK(m.total == 9000 && m.free == 8000);
    CHECK(mock_log_lines == 0);
}

/* An HVM guest that is started below its maximum gives back at once. */
static void test_static_max(void)
{
    start(false, 9900, 9800);
    mock_set("memory/static-max", "40000");
    target(6000);
    CHECK(m.total == 5900);
    target(10000);
    CHECK(m.total == 9900);
    /* None, or none that is one: as a PV guest. */
    start(false, 9900, 9800);
    target(6000);
    CHECK(m.total == 9900);
    start(false, 9900, 9800);
    mock_set("memory/static-max", "0");
    target(6000);
    CHECK(m.total == 9900);
    target(5000);
    CHECK(m.total == 8900);
    /* A PV guest's is its maximum to come. */
    start(true, 5900, 5800);
    mock_set("memory/static-max", "40000");
    target(6000);
    CHECK(m.total == 5900);
    CHECK(mock_log_lines == 0);
}

/* Something stays free: a share of all, and a fixed number. */
static void test_keep(void)
{
    start(true, 16000, 3000);
    target(16000);
    target(10000);
    CHECK(m.free == 16000 / 16 + 256 && m.total == 16000 - 3000 + m.free);
    CHECK(mock_log_lines == 1);
    start(true, 16000, 900); /* below it already */
    target(16000);
    target(15999);
    CHECK(m.calls == 0 && m.free == 900 && mock_log_lines == 1);
    target(16001); /* more is always welcome */
    CHECK(m.free == 901 && mock_log_lines == 1);
}

/* The base has less than it should: said once each time, and tried again. */
static void test_short(void)
{
    start(true, 9000, 8000);
    target(9000);
    m.release_max = 10;
    target(8000);
    CHECK(m.total == 8990 && mock_log_lines == 1);
    m.release_max = NO_LIMIT;
    target(8000);
    CHECK(m.total == 8000 && mock_log_lines == 1);
    CHECK(short_target == 0);
    m.take_max = 0;
    target(9000);
    CHECK(m.total == 8000 && mock_log_lines == 2);
    /* By itself, less and less often, without another word. */
    CHECK(again() == AGAIN_FIRST_NS && again() == 2 * AGAIN_FIRST_NS);
    for (unsigned i = 0; i < 8; i++)
        again();
    CHECK(again() == AGAIN_LAST_NS && mock_log_lines == 2);
    m.take_max = 999;
    again();
    CHECK(m.total == 8999 && mock_log_lines == 2 && again_delay != 0);
    again();
    CHECK(m.total == 9000 && mock_log_lines == 2 && again_delay == 0);
}

static void test_garbage(void)
{
    static const char *const texts[] = {"",
                                        "abc",
                                        "12x",
                                        "0",
                                        "3",
                                        "-",
                                        "17592186044416", /* 2^44 KiB */
                                        "4398046511104",  /* 2^40 pages */
                                        "18446744073709551615"};

    start(true, 9000, 8000);
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        target_text(texts[i]); /* not the first figure, either */
        CHECK(m.calls == 0 && !known);
    }
    mock_unset("memory/target");
    xen_store_work();
    CHECK(m.calls == 0 && !known);
    target(10000);
    CHECK(known && m.calls == 0);
    for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        target_text(texts[i]);
        CHECK(m.calls == 0 && m.total == 9000);
    }
    CHECK(mock_log_lines == 0);
    /* Below nothing: all that may go. */
    target(1);
    CHECK(m.total == 9000 - (8000 - 9000 / 16 - 256) && mock_log_lines == 1);
    /* The largest that is one: as much as the base has. */
    m.take_max = 100;
    target((1ull << 40) - 1);
    CHECK(m.calls == 1 && mock_log_lines == 2);
}

int main(void)
{
    test_follow();
    test_static_max();
    test_keep();
    test_short();
    test_garbage();
    mock_front_end();
    return 0;
}
