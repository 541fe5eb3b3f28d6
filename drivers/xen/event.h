/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Xen has two ways to tell a guest which ports are pending: bits in the shared
 * page (two_level.c), and queues of ports (fifo.c). What event.c asks of either
 * is here, and what they call of event.c.
 */
#ifndef HALVM_XEN_EVENT_H
#define HALVM_XEN_EVENT_H

#include "drivers/xen/guest.h"

#define XEN_EVENT_SAME 1

struct xen_event_abi {
    /* Takes it into use, all ports masked: 0. At boot, before there is memory,
     * and after a suspend. XEN_EVENT_SAME: it was in use, and still is, with
     * all its ports, since the domain is the same as before. -errno: this Xen
     * does not have it. */
    long (*begin)(void);
    /* Sees to it that the port can be unmasked: 0, or -errno. */
    long (*prepare)(evtchn_port_t port);
    /* No upcalls for it from now on; any port. */
    void (*mask)(evtchn_port_t port);
    /* Calls xen_event_port() for what is pending and not masked. Upcalls are
     * held back, and what comes meanwhile causes another. */
    void (*dispatch)(void);
};

extern const struct xen_event_abi xen_event_two_level, xen_event_fifo;

/* Runs the port's handler, if there is one. */
void xen_event_port(evtchn_port_t port);
/* Unmasks all ports that have a handler; for those that are pending there will
 * be an upcall. */
void xen_event_unmask_all(void);

#endif
