/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What drivers/xen stands on, for tests on the host: pages, a clock that only
 * waiting moves, event channels. Included once in a program. The tests say
 * what the other side does by mock_on_notify and mock_on_wait.
 */
#ifndef HALVM_UNIT_XEN_MOCK_H
#define HALVM_UNIT_XEN_MOCK_H

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/hw/hw.h"
#include "drivers/xen/xen.h"

#define MOCK_BLOCKS_MAX 2048
#define MOCK_PORTS      64

static void *mock_blocks[MOCK_BLOCKS_MAX];
static size_t mock_block_pages[MOCK_BLOCKS_MAX];
static size_t mock_pages;        /* handed out */
static size_t mock_pages_max;    /* 0: no limit */
static uint64_t mock_pages_free; /* what mem_stats says */
static unsigned mock_log_lines;
static uint32_t mock_ready;
static uint64_t mock_now;
static uint64_t mock_frame_high;    /* of every frame's number */
static const void *mock_frame_last; /* page that a number was asked for */

static struct {
    bool open, arrived;
    void (*handler)(void *);
    void *argument;
} mock_ports[MOCK_PORTS];
static unsigned mock_notified[MOCK_PORTS];

bool xen_present = true, xen_pv = true, xen_dom0;

void hw_log(const char *first, ...)
{
    mock_log_lines++;
    if (getenv("MOCK_LOG") != NULL) {
        va_list pieces;

        va_start(pieces, first);
        for (const char *p = first; p != NULL; p = va_arg(pieces, char *))
            fputs(p, stderr);
        va_end(pieces);
        fputs("\n", stderr);
    }
}

void hw_ready(uint32_t ready)
{
    mock_ready |= ready;
}

static uint64_t mock_work_ns; /* when the base is to get to work */

void hw_work_at(uint64_t deadline_ns)
{
    mock_work_ns = deadline_ns;
}

bool hw_device_room(void)
{
    return true;
}

void *hw_pages_get(size_t count)
{
    size_t slot = 0;

    if (mock_pages_max != 0 && mock_pages + count > mock_pages_max)
        return NULL;
    while (mock_blocks[slot] != NULL)
        if (++slot == MOCK_BLOCKS_MAX)
            abort();
    mock_blocks[slot] = aligned_alloc(4096, count * 4096);
    mock_block_pages[slot] = count;
    memset(mock_blocks[slot], 0, count * 4096);
    mock_pages += count;
    return mock_blocks[slot];
}

void hw_pages_put(void *pages, size_t count)
{
    for (size_t slot = 0; slot < MOCK_BLOCKS_MAX; slot++)
        if (mock_blocks[slot] == pages && mock_block_pages[slot] == count) {
            free(pages);
            mock_blocks[slot] = NULL;
            mock_pages -= count;
            return;
        }
    abort();
}

static void mock_abort(const char *why) __attribute__((noreturn));
static void mock_abort(const char *why)
{
    fprintf(stderr, "abort: %s\n", why);
    abort();
}

static uint64_t mock_clock(void)
{
    return mock_now;
}

static void mock_stats(struct base_memory *out)
{
    *out = (struct base_memory){.pages_total = mock_pages_free,
                                .pages_free = mock_pages_free};
}

struct base hw_base = {.abort = mock_abort,
                       .clock_monotonic = mock_clock,
                       .mem_stats = mock_stats};

uint64_t xen_frame_of(const void *page)
{
    mock_frame_last = page;
    return mock_frame_high | (uint32_t)((uint64_t)page >> 12);
}

/* -- event channels, but where MOCK_EVENTS_REAL says that event.c is there --
 */

#ifndef MOCK_EVENTS_REAL
static void (*mock_on_notify)(evtchn_port_t port);
static void (*mock_on_wait)(evtchn_port_t port);

static inline void mock_event(evtchn_port_t port)
{
    mock_ports[port].arrived = true;
    if (mock_ports[port].handler != NULL)
        mock_ports[port].handler(mock_ports[port].argument);
}

long xen_event_alloc(domid_t remote)
{
    for (unsigned port = 1; port < MOCK_PORTS; port++)
        if (!mock_ports[port].open) {
            mock_ports[port].open = true;
            return port;
        }
    return -28;
}

long xen_event_handle(evtchn_port_t port, void (*handler)(void *),
                      void *argument)
{
    mock_ports[port].open = true;
    mock_ports[port].handler = handler;
    mock_ports[port].argument = argument;
    return 0;
}

void xen_event_close(evtchn_port_t port)
{
    memset(&mock_ports[port], 0, sizeof(mock_ports[port]));
}

void xen_event_notify(evtchn_port_t port)
{
    if (!mock_ports[port].open)
        abort();
    mock_notified[port]++;
    if (mock_on_notify != NULL)
        mock_on_notify(port);
}

void xen_event_wait(evtchn_port_t port, uint64_t deadline_ns)
{
    if (!mock_ports[port].arrived && mock_on_wait != NULL)
        mock_on_wait(port);
    if (!mock_ports[port].arrived && mock_now < deadline_ns)
        mock_now = deadline_ns;
    mock_ports[port].arrived = false;
}
#endif

static inline void mock_end(void)
{
    for (size_t slot = 0; slot < MOCK_BLOCKS_MAX; slot++) {
        free(mock_blocks[slot]);
        mock_blocks[slot] = NULL;
    }
    memset(mock_ports, 0, sizeof(mock_ports));
    memset(mock_notified, 0, sizeof(mock_notified));
    mock_pages = mock_pages_max = 0;
    mock_pages_free = 1u << 20;
    mock_log_lines = 0;
    mock_ready = 0;
    mock_frame_high = 0;
    mock_now = 1;
}

#endif
