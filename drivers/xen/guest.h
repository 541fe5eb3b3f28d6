/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What drivers/xen and the two bases that use it call of each other, beyond
 * xen.h.
 */
#ifndef HALVM_XEN_GUEST_H
#define HALVM_XEN_GUEST_H

#include "base_xen.h"
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

/* -- for programs (base_xen.h) -- */

struct xsd_sockmsg;

/* What tells a program's messages from the base's own (store.c). */
#define XEN_STORE_PROGRAM_REQUEST 0x80000000u /* in req_id */
#define XEN_STORE_PROGRAM_TOKEN   'p'         /* a token's first character */

/* Called by store.c with what is a program's, checked as far as lengths go and
 * with a 0 behind it; and when the daemon has forgotten all, or is no use. */
struct xen_store_programs {
    void (*answer)(const struct xsd_sockmsg *head, const char *payload);
    void (*event)(const char *payload, uint32_t size);
    void (*anew)(void);
};
void xen_store_programs_set(const struct xen_store_programs *programs);
/* Sends bytes, a whole message, as the ring has room; they stay in place until
 * there is an answer, or anew(). 0; -EIO and -ENODEV as other calls. Size 0:
 * only sees to it that the store can be used, which may call anew(). */
long xen_store_post(const void *data, size_t size);

/* Ports that have no handler of xen_event_handle(): called in the upcall. NULL
 * in an image that does not use them. */
extern void (*xen_event_program)(evtchn_port_t port);
/* For xen_event_unmask_all(): calls xen_event_program_begin() for all. */
extern void (*xen_event_program_unmask)(void);
/* Sees to it that there are events for such a port: 0, or -ENOSPC. */
long xen_event_program_begin(evtchn_port_t port);

/* store_programs.c, event_programs.c: as base_xen.h. The first two make ready;
 * false: no memory. */
bool xen_programs_store_init(void);
bool xen_programs_event_init(void);
enum base_status
xen_programs_store_send(const struct base_xen_message *request);
enum base_xen_store xen_programs_store_receive(struct base_xen_message *out);
enum base_status xen_programs_event_alloc(uint32_t domain, uint32_t *port);
enum base_status xen_programs_event_bind(uint32_t domain, uint32_t remote_port,
                                         uint32_t *port);
void xen_programs_event_close(uint32_t port);
void xen_programs_event_notify(uint32_t port);
bool xen_programs_event_take(uint32_t *port);
void xen_programs_event_resume(void);

/* Not in a PV guest: where a page of another domain goes, by its slot of
 * LIMIT_XEN_MAPPED_PAGES; there is no RAM (base/hw/xen_memory.c). */
uint64_t xen_foreign_physical(unsigned slot);

/* After a suspend: base/hw/xen_programs.c. Whether one is possible: a program
 * may have pages of others mapped. NULL in an image that does not use them. */
extern void (*xen_resume_programs)(void);
extern bool (*xen_programs_can_suspend)(void);

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
