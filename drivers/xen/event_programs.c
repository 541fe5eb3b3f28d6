/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Event channels of programs, as base_xen.h: ports without handlers. An upcall
 * puts the port into a queue, where it is at most once, so that the queue has
 * room for all ports there can be.
 *
 * on_event() and unmask_all() run with upcalls held back; all else with the
 * monitor held.
 */
#include <errno.h>
#include <string.h>

#include "drivers/xen/guest.h"

#define PORTS (LIMIT_XEN_EVENT_PAGES * 1024u)

#define OPEN   1u
#define QUEUED 2u

struct ports {
    uint16_t queue[PORTS];
    uint8_t state[PORTS];
};
#define PORTS_PAGES ((sizeof(struct ports) + 4095) / 4096)

static struct ports *ports;
static uint32_t queue_from, queue_to; /* they only grow */

static void on_event(evtchn_port_t port)
{
    if (port >= PORTS || (ports->state[port] & (OPEN | QUEUED)) != OPEN)
        return;
    ports->state[port] |= QUEUED;
    ports->queue[queue_to++ % PORTS] = (uint16_t)port;
    hw_ready(BASE_READY_XEN);
}

static void unmask_all(void)
{
    for (unsigned port = 0; port < PORTS; port++)
        if (ports->state[port] & OPEN)
            xen_event_program_begin(port);
}

bool xen_programs_event_init(void)
{
    if (ports == NULL)
        ports = hw_pages_get(PORTS_PAGES);
    if (ports == NULL)
        return false;
    xen_event_program = on_event;
    xen_event_program_unmask = unmask_all;
    return true;
}

void xen_programs_event_resume(void)
{
    memset(ports, 0, sizeof(*ports));
    queue_from = queue_to = 0;
}

static enum base_status status_of(long result)
{
    switch (result) {
    case -ESRCH:
        return BASE_NODEV;
    case -ENOSPC:
    case -ENOMEM:
        return BASE_NOMEM;
    default:
        return BASE_IO;
    }
}

/* Events for a port that Xen has just given, from now on. */
static enum base_status begin(long port, uint32_t *out)
{
    if (port < 0)
        return status_of(port);
    if (port >= PORTS) {
        xen_event_close((evtchn_port_t)port);
        return BASE_NOMEM;
    }
    ports->state[port] |= OPEN;
    if (xen_event_program_begin((evtchn_port_t)port) != 0) {
        xen_programs_event_close((uint32_t)port);
        return BASE_NOMEM;
    }
    *out = (uint32_t)port;
    return BASE_OK;
}

enum base_status xen_programs_event_alloc(uint32_t domain, uint32_t *port)
{
    if (domain > UINT16_MAX)
        return BASE_NODEV;
    return begin(xen_event_alloc((domid_t)domain), port);
}

enum base_status xen_programs_event_bind(uint32_t domain, uint32_t remote_port,
                                         uint32_t *port)
{
    if (domain > UINT16_MAX)
        return BASE_NODEV;
    return begin(xen_event_bind_remote((domid_t)domain, remote_port), port);
}

void xen_programs_event_close(uint32_t port)
{
    if (port >= PORTS || !(ports->state[port] & OPEN))
        hw_base.abort("xen: a port that is not open");
    hw_interrupts_off();
    ports->state[port] &= (uint8_t)~OPEN; /* it may be in the queue still */
    hw_interrupts_on();
    xen_event_close(port);
}

void xen_programs_event_notify(uint32_t port)
{
    xen_event_notify(port);
}

bool xen_programs_event_take(uint32_t *port)
{
    bool found = false;

    hw_interrupts_off();
    while (!found && queue_from != queue_to) {
        *port = ports->queue[queue_from++ % PORTS];
        ports->state[*port] &= (uint8_t)~QUEUED;
        found = ports->state[*port] & OPEN;
    }
    hw_interrupts_on();
    return found;
}
