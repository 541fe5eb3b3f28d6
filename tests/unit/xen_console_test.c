/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/xen/console.c against a daemon in software: one that is slow, deaf,
 * or lies about its indices; and against Xen's own console.
 */
#include "check.h"

#include "xen_mock.h"

#include <xen/io/console.h>
#include <xen/sched.h>

#define PORT      4
#define VIRQ_PORT 9
#define RING_OUT  sizeof(ring.out)
#define RING_IN   sizeof(ring.in)

static struct xencons_interface ring;

static struct {
    uint32_t pace; /* bytes taken at a yield; 0: deaf */
    uint64_t step; /* ns that a yield takes */
    unsigned yields;
    char out[1 << 16];
    size_t out_size;
    /* Xen's own */
    char in[64];
    size_t in_size, piece_max;
    bool refuses;
} d;

static unsigned off_depth;

void xenpv_interrupts_off(void)
{
    CHECK(off_depth++ == 0);
}

void xenpv_interrupts_on(void)
{
    CHECK(--off_depth == 0);
}

static void take(uint32_t count)
{
    while (count-- > 0 && ring.out_cons != ring.out_prod) {
        CHECK(d.out_size < sizeof(d.out));
        d.out[d.out_size++] =
            ring.out[MASK_XENCONS_IDX(ring.out_cons++, ring.out)];
    }
}

static long xen_own(uint64_t op, uint64_t size, char *data)
{
    size_t count = size < d.in_size ? size : d.in_size;

    if (d.refuses)
        return -1;
    if (op == CONSOLEIO_write) {
        CHECK(d.out_size + size <= sizeof(d.out));
        if (size > d.piece_max)
            d.piece_max = size;
        memcpy(d.out + d.out_size, data, size);
        d.out_size += size;
        return 0;
    }
    CHECK(op == CONSOLEIO_read);
    memcpy(data, d.in, count);
    d.in_size -= count;
    memmove(d.in, d.in + count, d.in_size);
    return (long)count;
}

long xen_hypercall(unsigned number, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t e, uint64_t f)
{
    if (number == __HYPERVISOR_console_io)
        return xen_own(a, b, (char *)c);
    CHECK(number == __HYPERVISOR_sched_op && a == SCHEDOP_yield);
    d.yields++;
    mock_now += d.step;
    take(d.pace);
    return 0;
}

long xen_event_bind_virq(unsigned virq)
{
    CHECK(virq == VIRQ_CONSOLE);
    return d.refuses ? -1 : VIRQ_PORT;
}

static void start(bool own, uint32_t at)
{
    mock_end();
    memset(&d, 0, sizeof(d));
    memset(&ring, 0, sizeof(ring));
    ring.in_cons = ring.in_prod = ring.out_cons = ring.out_prod = at;
    d.step = 1000000;
    mock_ports[PORT].open = true;
    xen_console_init(own ? NULL : &ring, own ? 0 : PORT);
    xen_console_input_init();
}

static uint32_t ready(void)
{
    uint32_t bits = mock_ready;

    mock_ready = 0;
    return bits;
}

static void pattern(char *to, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (char)(i * 7 + i / 256);
}

static void type(const char *from, size_t size)
{
    while (size-- > 0)
        ring.in[MASK_XENCONS_IDX(ring.in_prod++, ring.in)] = *from++;
}

/* -- writing -- */

static void test_write(uint32_t at, uint32_t pace)
{
    static char text[10000];

    pattern(text, sizeof(text));
    start(false, at);
    d.pace = pace;
    xen_console_write(text, 0);
    xen_console_write(text, sizeof(text));
    CHECK(mock_notified[PORT] > 0);
    take(UINT32_MAX);
    CHECK(d.out_size == sizeof(text));
    CHECK(memcmp(d.out, text, sizeof(text)) == 0);
    xen_console_write(text, RING_OUT); /* just fits */
    CHECK(ring.out_prod - ring.out_cons == RING_OUT);
}

/* Nobody takes anything: that costs a second once, and then no time at all,
 * until somebody does. */
static void test_deaf(void)
{
    static char text[RING_OUT + 100];
    uint64_t before;

    pattern(text, sizeof(text));
    start(false, 0);
    before = mock_now;
    xen_console_write(text, sizeof(text));
    CHECK(mock_now - before >= 1000000000u);
    CHECK(mock_now - before < 1100000000u);
    CHECK(ring.out_prod == RING_OUT);
    d.yields = 0;
    xen_console_write("more", 4);
    CHECK(d.yields == 0 && ring.out_prod == RING_OUT);
    /* It took something: it is waited for again. */
    take(10);
    xen_console_write(text, 20);
    CHECK(d.yields > 0 && ring.out_prod == RING_OUT + 10);
    d.yields = 0;
    xen_console_write("more", 4);
    CHECK(d.yields == 0);
    take(1);
    d.pace = 1;
    xen_console_write(text, sizeof(text));
    take(UINT32_MAX);
    CHECK(d.out_size == RING_OUT + 10 + sizeof(text));
    CHECK(memcmp(d.out, text, RING_OUT) == 0);
    CHECK(memcmp(d.out + RING_OUT, text, 10) == 0);
    CHECK(memcmp(d.out + RING_OUT + 10, text, sizeof(text)) == 0);
    /* A clock that stands still is no clock. */
    start(false, 0);
    d.step = 0;
    xen_console_write(text, sizeof(text));
    CHECK(d.yields > 1000 && ring.out_prod == RING_OUT);
}

/* What is said to be taken was not sent, or more is unread than fits. */
static void test_write_lies(void)
{
    static const uint32_t lies[] = {
        1, 100, RING_OUT, INT32_MAX, UINT32_MAX, (uint32_t)-RING_OUT - 1};

    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        start(false, 0);
        ring.out_cons = lies[i];
        xen_console_write("lost", 4);
        if (-lies[i] > RING_OUT)
            CHECK(ring.out_prod == 0 && d.yields > 0);
        else /* it may be so */
            CHECK(ring.out_prod == (-lies[i] < RING_OUT ? 4 : 0));
        ring.out_cons = ring.out_prod; /* it comes to its senses */
        xen_console_write("kept", 4);
        take(UINT32_MAX);
        CHECK(d.out_size == 4 && memcmp(d.out, "kept", 4) == 0);
    }
}

/* -- reading -- */

static void test_read(uint32_t at)
{
    char text[RING_IN], got[RING_IN + 10];
    size_t size = 0, count;

    pattern(text, sizeof(text));
    start(false, at);
    mock_event(PORT); /* the first is for nothing */
    CHECK(ready() == 0);
    CHECK(xen_console_read(got, sizeof(got)) == 0 && ready() == 0);
    type(text, sizeof(text)); /* all that the ring holds */
    mock_event(PORT);
    CHECK(ready() == BASE_READY_CONSOLE);
    while ((count = xen_console_read(got + size, 7)) > 0) {
        size += count;
        /* There is more, and it is said once for all. */
        CHECK((ready() != 0) == (size < sizeof(text)));
    }
    CHECK(size == sizeof(text) && memcmp(got, text, size) == 0);
    CHECK(mock_notified[PORT] > 0); /* there is room */
    type("abc", 3);
    CHECK(xen_console_read(got, 0) == 0 && ready() == BASE_READY_CONSOLE);
    CHECK(xen_console_read(got, sizeof(got)) == 3);
    CHECK(memcmp(got, "abc", 3) == 0 && ready() == 0);
}

static void test_read_lies(void)
{
    static const uint32_t lies[] = {RING_IN + 1, INT32_MAX, UINT32_MAX};
    char got[2 * RING_IN];

    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        start(false, 5);
        ring.in_prod = 5 + lies[i];
        mock_event(PORT);
        CHECK(xen_console_read(got, sizeof(got)) == 0);
        type("xy", 2); /* from where the daemon is */
        CHECK(xen_console_read(got, sizeof(got)) == 2);
        CHECK(memcmp(got, "xy", 2) == 0);
    }
}

/* -- Xen's own console -- */

static void own_type(const char *text)
{
    strcpy(d.in, text);
    d.in_size = strlen(text);
}

static void test_own(void)
{
    static char text[2000];
    char got[64];

    pattern(text, sizeof(text));
    start(true, 0);
    xen_console_write(text, sizeof(text));
    CHECK(d.out_size == sizeof(text) && d.piece_max <= 512);
    CHECK(memcmp(d.out, text, sizeof(text)) == 0);
    mock_event(VIRQ_PORT);
    CHECK(ready() == 0);
    CHECK(xen_console_read(got, sizeof(got)) == 0 && ready() == 0);
    own_type("a line that is longer than what is read ahead");
    mock_event(VIRQ_PORT);
    mock_event(VIRQ_PORT);
    CHECK(ready() == BASE_READY_CONSOLE);
    CHECK(xen_console_read(got, 0) == 0 && ready() == 0);
    CHECK(xen_console_read(got, 3) == 3 && memcmp(got, "a l", 3) == 0);
    CHECK(ready() == BASE_READY_CONSOLE);
    CHECK(xen_console_read(got, sizeof(got)) == 42 && ready() == 0);
    CHECK(memcmp(got, "ine that is longer than what is read ahead", 42) == 0);
    CHECK(xen_console_read(got, sizeof(got)) == 0 && ready() == 0);
    d.refuses = true;
    mock_event(VIRQ_PORT);
    CHECK(ready() == 0 && xen_console_read(got, sizeof(got)) == 0);
    /* No events: written to all the same. */
    mock_ports[VIRQ_PORT].handler = NULL;
    xen_console_input_init();
    CHECK(mock_ports[VIRQ_PORT].handler == NULL);
}

int main(void)
{
    static const uint32_t starts[] = {0, 1, RING_OUT - 3, (uint32_t)-50};
    char byte;

    CHECK(xen_console_read(&byte, 1) == 0); /* before there is any */
    xen_console_write("x", 1);
    xen_console_input_init();
    for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
        test_write(starts[i], 1);
        test_write(starts[i], 100);
        test_write(starts[i], UINT32_MAX);
        test_read(starts[i]);
    }
    test_deaf();
    test_write_lies();
    test_read_lies();
    test_own();
    mock_end();
    return 0;
}
