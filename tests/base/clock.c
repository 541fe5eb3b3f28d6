/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The monotonic clock never goes back; wait() ends at its deadline and not
 * before; a timer's bit comes once; the wall clock is plausible and runs along.
 */
#include "check.h"

#define MILLISECOND  1000000ull
#define YEAR_2020_NS 1577836800000000000ull

static void never_back(void)
{
    uint64_t last = base->clock_monotonic(), now;
    unsigned i;

    for (i = 0; i < 200000; i++, last = now) {
        now = base->clock_monotonic();
        CHECK(now >= last);
    }
}

static void waits(void)
{
    unsigned i;

    for (i = 0; i < 20; i++) {
        uint64_t deadline = base->clock_monotonic() + i * MILLISECOND / 2;
        uint32_t ready = base->wait(deadline);

        CHECK(ready == 0);
        CHECK(base->clock_monotonic() >= deadline);
    }
    CHECK(base->wait(0) == 0);
}

/* The nearer of the two deadlines ends the wait, and the other stays. */
static void timers(void)
{
    uint64_t now = base->clock_monotonic();
    uint32_t ready;

    base->timer_set(now + 50 * MILLISECOND);
    ready = base->wait(now + MILLISECOND);
    /* The host may have been away for longer than both. */
    CHECK(ready == 0 || base->clock_monotonic() >= now + 50 * MILLISECOND);
    if (ready == 0)
        CHECK(base->wait(UINT64_MAX) == BASE_READY_TIMER);
    CHECK(base->clock_monotonic() >= now + 50 * MILLISECOND);
    base->timer_set(now); /* long past */
    CHECK(base->wait(UINT64_MAX) == BASE_READY_TIMER);
    now = base->clock_monotonic();
    base->timer_set(now + 1000 * MILLISECOND);
    base->timer_set(UINT64_MAX);
    CHECK(base->wait(now + 4 * MILLISECOND) == 0);
}

static void wall(void)
{
    uint64_t wall_start = base->clock_wall(), start = base->clock_monotonic();
    uint64_t wall_spent, spent;

    base->wait(start + 20 * MILLISECOND);
    spent = base->clock_monotonic() - start;
    wall_spent = base->clock_wall() - wall_start;
    CHECK(wall_spent >= 20 * MILLISECOND);
    CHECK(wall_spent <= spent + MILLISECOND * 1000);
    /* 1970 where there is no clock at all. */
    CHECK(wall_start > YEAR_2020_NS || wall_start < 60000 * MILLISECOND);
}

void test_main(void)
{
    never_back();
    waits();
    timers();
    wall();
    pass();
}
