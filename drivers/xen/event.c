/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Event channels, as <xen/event_channel.h>: ports, their handlers, and the
 * dispatch that an upcall from Xen begins. How Xen says which ports are pending
 * is behind struct xen_event_abi: queues where it offers them, else bits.
 *
 * xen_event_dispatch() runs with upcalls held back; all else with the monitor
 * held, or at boot.
 */
#include <errno.h>
#include <stdint.h>
#include <xen/sched.h>

#include "base/hw/hw.h"
#include "drivers/xen/event.h"

struct slot {
    evtchn_port_t port;
    bool used;
    bool fired; /* since xen_event_wait() last looked */
    void (*handler)(void *);
    void *argument;
};

static struct slot slots[LIMIT_XEN_EVENTS];
static unsigned slot_count; /* that were ever used */
static const struct xen_event_abi *abi;

void (*xen_event_program)(evtchn_port_t port);
void (*xen_event_program_unmask)(void);

static struct slot *slot_of(evtchn_port_t port)
{
    unsigned i;

    for (i = 0; i < slot_count; i++)
        if (slots[i].used && slots[i].port == port)
            return &slots[i];
    return NULL;
}

long xen_event_alloc(domid_t remote)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = remote};
    long status = xen_event_op(EVTCHNOP_alloc_unbound, &op);

    return status < 0 ? status : (long)op.port;
}

long xen_event_bind_remote(domid_t remote, evtchn_port_t remote_port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = remote,
                                         .remote_port = remote_port};
    long status = xen_event_op(EVTCHNOP_bind_interdomain, &op);

    return status < 0 ? status : (long)op.local_port;
}

long xen_event_bind_virq(unsigned virq)
{
    struct evtchn_bind_virq op = {.virq = virq, .vcpu = 0};
    long status = xen_event_op(EVTCHNOP_bind_virq, &op);

    return status < 0 ? status : (long)op.port;
}

static void unmask(evtchn_port_t port)
{
    struct evtchn_unmask op = {.port = port};

    /* Only Xen can both clear the bit and see that the port is pending. */
    xen_event_op(EVTCHNOP_unmask, &op);
}

long xen_event_handle(evtchn_port_t port, void (*handler)(void *),
                      void *argument)
{
    long status = abi->prepare(port);
    struct slot *slot = NULL;
    unsigned i;

    if (status != 0)
        return status;
    for (i = 0; i < LIMIT_XEN_EVENTS && slot == NULL; i++)
        if (!slots[i].used)
            slot = &slots[i];
    if (slot == NULL)
        return -ENOSPC;
    slot->port = port;
    slot->handler = handler;
    slot->argument = argument;
    slot->fired = true;
    __asm__ volatile("" ::: "memory");
    slot->used = true;
    if (i > slot_count)
        slot_count = i;
    hw_interrupts_off();
    handler(argument);
    hw_interrupts_on();
    unmask(port);
    return 0;
}

long xen_event_program_begin(evtchn_port_t port)
{
    long status = abi->prepare(port);

    if (status == 0)
        unmask(port);
    return status;
}

void xen_event_close(evtchn_port_t port)
{
    struct evtchn_close op = {.port = port};
    struct slot *slot = slot_of(port);

    if (slot != NULL)
        slot->used = false;
    /* Whoever has the number next begins as if it were new. */
    abi->mask(port);
    xen_event_op(EVTCHNOP_close, &op);
}

void xen_event_notify(evtchn_port_t port)
{
    struct evtchn_send op = {.port = port};

    xen_event_op(EVTCHNOP_send, &op);
}

/* A slot's flag, not the port's pending bit, says whether there was an event:
 * one that came before the call has been handled already. */
void xen_event_wait(evtchn_port_t port, uint64_t deadline_ns)
{
    struct slot *slot = slot_of(port);
    struct sched_poll op = {.nr_ports = 1,
                            .timeout = xen_clock_of(deadline_ns)};

    set_xen_guest_handle(op.ports, &port);
    hw_interrupts_off();
    if (slot == NULL || !slot->fired)
        xen_sched_op(SCHEDOP_poll, &op);
    hw_interrupts_on();
    if (slot != NULL)
        slot->fired = false;
}

void xen_event_port(evtchn_port_t port)
{
    struct slot *slot = slot_of(port);

    if (slot == NULL) {
        if (xen_event_program != NULL)
            xen_event_program(port);
        return;
    }
    slot->fired = true;
    slot->handler(slot->argument);
}

void xen_event_unmask_all(void)
{
    for (unsigned i = 0; i < slot_count; i++)
        if (slots[i].used)
            unmask(slots[i].port);
    if (xen_event_program_unmask != NULL)
        xen_event_program_unmask();
}

void xen_event_dispatch(void)
{
    xen_shared->vcpu_info[0].evtchn_upcall_pending = 0;
    abi->dispatch();
}

bool xen_event_init(void)
{
    long status = xen_event_fifo.begin();

    if (status == XEN_EVENT_SAME)
        return true;
    for (unsigned i = 0; i < slot_count; i++)
        slots[i].used = false;
    abi = status == 0 ? &xen_event_fifo : &xen_event_two_level;
    if (status != 0)
        abi->begin();
    return false;
}
