/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What drivers/xen and the two bases that use it call of each other, beyond
 * xen.h.
 */
#ifndef HALVM_XEN_GUEST_H
#define HALVM_XEN_GUEST_H

#include "drivers/xen/xen.h"
#include "halvm_limits.h"

/* The page that Xen and we share (base/hw/xen.c); known once the base mapped
 * it. */
extern volatile struct shared_info *const xen_shared;
/* Which page that is to be: of the image, and nothing is in it yet. */
extern uint8_t xen_shared_page[];
extern bool xen_vmmcall; /* hypercalls of an HVM guest: AMD's instruction */

/* Rings that the toolstack made; frame 0 where there is none. */
struct xen_rings {
    uint64_t store_frame, console_frame;
    evtchn_port_t store_port, console_port;
};
extern struct xen_rings xen_rings;

/* In a PVH or HVM guest, after CPUID said that Xen is there: makes hypercalls
 * and the shared page work (xen_present). Then, with an APIC: events, rings.
 * Both again after a suspend, if the first says false: else the domain is the
 * same as before. */
bool xen_hvm_init(void);
void xen_hvm_events_init(void);
/* RAM as Xen tells it, where the loader told nothing: hw_machine_ram(). */
void xen_hvm_memory_read(void);

/* The first console, as early as its page can be reached; then both rings, in
 * the direct map, once memory works. */
void xen_rings_init(void);

/* All ports masked, no handlers. Once xen_shared is there, and after a
 * suspend; true: the domain is the same as before and nothing was changed, as
 * far as Xen's ways with events can tell (event.h). */
bool xen_event_init(void);

/* A PV guest's (base/xenpv/machine.c): 0 in the new domain, 1 if it was called
 * off, or -errno. Events masked, frames of Xen's own not mapped. */
long xenpv_suspend(void);

/* Before and after a suspend that was called off: frames of the grant table
 * that a PV guest may not have mapped meanwhile (base/hw/xen_memory.c). */
void xen_grant_frames_hide(void);
void xen_grant_frames_show(void);
/* Calls the handlers of all ports that are pending. Upcalls held back. */
void xen_event_dispatch(void);

/* After a suspend: clock_monotonic() goes on from here, and alarms are set
 * anew (base/hw/clock.c). */
void xen_clock_resume(uint64_t monotonic_ns);

/* Xen's system time at clock_monotonic() == deadline_ns; 0 (never, to Xen) for
 * UINT64_MAX (base/hw/clock.c). */
uint64_t xen_clock_of(uint64_t deadline_ns);

#endif
