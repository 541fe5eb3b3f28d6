/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The console: a ring that a daemon serves (<xen/io/console.h>), or Xen's own
 * by hypercall where there is no ring (dom0). Written in any context, in a
 * crash too, so nothing here sleeps, allocates or takes a lock; waiting for
 * room is yielding, and has an end.
 */
#include "drivers/xen/ring.h"
#include <xen/io/console.h>
#include <xen/sched.h>

#include "drivers/xen/xen.h"

#define WAIT_NS    1000000000u
#define WAIT_TRIES 10000000u /* should the clock stand still */
#define XEN_PIECE  512u      /* bytes of a hypercall */
#define AHEAD_SIZE 16u

static enum { CONSOLE_NONE = 0, CONSOLE_RING, CONSOLE_XEN } kind;
static struct xencons_interface *ring;
static evtchn_port_t port;
static bool deaf; /* nobody took anything for WAIT_NS: do not wait again */
/* Xen's own console does not say whether there is input, but by giving it:
 * what an event found. Touched with upcalls held back. */
static char ahead[AHEAD_SIZE];
static size_t ahead_count;

void xen_console_init(void *ring_page, evtchn_port_t ring_port)
{
    ring = ring_page;
    port = ring_port;
    deaf = false;
    kind = ring != NULL ? CONSOLE_RING : CONSOLE_XEN;
}

static size_t xen_read(char *to, size_t size)
{
    long count = xen_hypercall(__HYPERVISOR_console_io, CONSOLEIO_read, size,
                               (uint64_t)to, 0, 0);

    return count > 0 ? (size_t)count : 0;
}

static bool input_there(void)
{
    if (kind == CONSOLE_RING)
        return XEN_READ_ONCE(ring->in_prod) != XEN_READ_ONCE(ring->in_cons);
    if (ahead_count == 0)
        ahead_count = xen_read(ahead, sizeof(ahead));
    return ahead_count > 0;
}

/* Also comes when the daemon has made room, and at first. */
static void on_event(void *argument)
{
    if (input_there())
        hw_ready(BASE_READY_CONSOLE);
}

void xen_console_input_init(void)
{
    if (kind == CONSOLE_XEN) {
        long bound = xen_event_bind_virq(VIRQ_CONSOLE);

        if (bound < 0)
            return;
        port = (evtchn_port_t)bound;
    }
    if (kind != CONSOLE_NONE)
        xen_event_handle(port, on_event, NULL);
}

/* Bytes of room in the ring; an index that makes no sense leaves none. */
static uint32_t room(void)
{
    uint32_t used =
        XEN_READ_ONCE(ring->out_prod) - XEN_READ_ONCE(ring->out_cons);

    return used <= sizeof(ring->out) ? (uint32_t)sizeof(ring->out) - used : 0;
}

/* Waits for room; false: there is none in time. */
static bool room_wait(void)
{
    uint64_t start = hw_base.clock_monotonic();

    xen_event_notify(port);
    for (unsigned i = 0; room() == 0; i++) {
        if (deaf || i == WAIT_TRIES ||
            hw_base.clock_monotonic() - start > WAIT_NS) {
            deaf = true;
            return false;
        }
        xen_sched_op(SCHEDOP_yield, NULL);
    }
    return true;
}

static void ring_write(const char *from, size_t size)
{
    while (size > 0) {
        uint32_t prod = XEN_READ_ONCE(ring->out_prod);
        uint32_t at = MASK_XENCONS_IDX(prod, ring->out);
        uint32_t piece = room();

        if (piece == 0) {
            if (!room_wait())
                break;
            continue;
        }
        deaf = false; /* the ring was full then: somebody took something */
        if (piece > sizeof(ring->out) - at)
            piece = (uint32_t)sizeof(ring->out) - at;
        if (piece > size)
            piece = (uint32_t)size;
        xen_mb(); /* the room is there before it is filled */
        memcpy(ring->out + at, from, piece);
        xen_wmb();
        XEN_WRITE_ONCE(ring->out_prod, prod + piece);
        from += piece;
        size -= piece;
    }
    xen_event_notify(port);
}

void xen_console_write(const void *data, size_t size)
{
    const char *from = data;

    if (kind == CONSOLE_RING)
        ring_write(from, size);
    while (kind == CONSOLE_XEN && size > 0) {
        size_t piece = size < XEN_PIECE ? size : XEN_PIECE;

        xen_hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, piece,
                      (uint64_t)from, 0, 0);
        from += piece;
        size -= piece;
    }
}

static size_t ring_read(char *to, size_t size)
{
    size_t count = 0;

    for (;;) {
        uint32_t cons = XEN_READ_ONCE(ring->in_cons);
        uint32_t available = XEN_READ_ONCE(ring->in_prod) - cons;
        uint32_t at = MASK_XENCONS_IDX(cons, ring->in), piece = available;

        if (available == 0)
            break;
        if (available > sizeof(ring->in)) {
            /* It makes no sense: begin anew where the daemon is. */
            XEN_WRITE_ONCE(ring->in_cons, cons + available);
            break;
        }
        if (count == size) {
            hw_ready(BASE_READY_CONSOLE); /* more than the caller asked for */
            break;
        }
        if (piece > sizeof(ring->in) - at)
            piece = (uint32_t)sizeof(ring->in) - at;
        if (piece > size - count)
            piece = (uint32_t)(size - count);
        xen_rmb(); /* the index first, then what it is about */
        memcpy(to + count, ring->in + at, piece);
        xen_mb(); /* all is read before the room is given back */
        XEN_WRITE_ONCE(ring->in_cons, cons + piece);
        count += piece;
    }
    if (count > 0)
        xen_event_notify(port);
    return count;
}

static size_t ahead_read(char *to, size_t size)
{
    size_t count;

    hw_interrupts_off();
    count = ahead_count < size ? ahead_count : size;
    memcpy(to, ahead, count);
    ahead_count -= count;
    memmove(ahead, ahead + count, ahead_count);
    hw_interrupts_on();
    return count;
}

size_t xen_console_read(void *data, size_t size)
{
    size_t count;

    if (kind == CONSOLE_RING)
        return ring_read(data, size);
    if (kind == CONSOLE_NONE || size == 0)
        return 0;
    count = ahead_read(data, size);
    if (count < size)
        count += xen_read((char *)data + count, size - count);
    if (count == size)
        hw_ready(BASE_READY_CONSOLE); /* there may be more */
    return count;
}
