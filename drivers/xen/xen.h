/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A Xen guest's dealings with Xen: hypercalls, event channels, grants,
 * XenStore, and the drivers that stand on them. Shared by base/xenpv and by
 * base/hw where it runs in a PVH or HVM guest; which of the two it is shows
 * here only in xen_frame_of() and in how hypercalls are made.
 *
 * Structures and numbers are Xen's own public headers (libxen-dev), included
 * as <xen/...>; the comments there are the specification.
 *
 * Context: the monitor is held (core.h), or it is boot; upcalls from Xen may
 * come at any time. Event handlers run with them held back and do no more than
 * note that something happened (hw_ready(), a flag).
 *
 * A backend is another domain and may be broken or hostile: what it writes
 * into shared memory is read once, checked, and answered, if it makes no
 * sense, by giving the device up with one line (hw_log).
 */
#ifndef HALVM_XEN_H
#define HALVM_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/xen.h>

#include "base.h"
#include "base/hw/hw.h"

/* -- where we are (base/hw/xen.c) -- */

extern bool xen_present; /* hypercalls work */
extern bool xen_pv;      /* paravirtual: frames are the machine's */
extern bool xen_dom0;    /* the initial domain: no XenStore, no devices */

/* The number that Xen and other domains know a page of ours by: a machine
 * frame in a PV guest, a guest frame elsewhere. */
uint64_t xen_frame_of(const void *page);

/* The page of ours that has this number; NULL if there is none. */
void *xen_page_of(uint64_t frame);

/* -- hypercalls: return what Xen does, that is >= 0 or -errno -- */

long xen_hypercall(unsigned number, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t d, uint64_t e);

static inline long xen_event_op(unsigned op, void *argument)
{
    return xen_hypercall(__HYPERVISOR_event_channel_op, op, (uint64_t)argument,
                         0, 0, 0);
}
static inline long xen_sched_op(unsigned op, void *argument)
{
    return xen_hypercall(__HYPERVISOR_sched_op, op, (uint64_t)argument, 0, 0,
                         0);
}
static inline long xen_memory_op(unsigned op, void *argument)
{
    return xen_hypercall(__HYPERVISOR_memory_op, op, (uint64_t)argument, 0, 0,
                         0);
}
static inline long xen_grant_op(unsigned op, void *arguments, unsigned count)
{
    return xen_hypercall(__HYPERVISOR_grant_table_op, op, (uint64_t)arguments,
                         count, 0, 0);
}

/* -- event channels (event.c) -- */

/* A port that the remote domain may bind to; -errno. */
long xen_event_alloc(domid_t remote);
/* Binds our end of the port that a remote domain allocated for us. */
long xen_event_bind_remote(domid_t remote, evtchn_port_t remote_port);
long xen_event_bind_virq(unsigned virq);
/* Calls handler(argument) for the port's events from now on, once soon even if
 * there was none: what came before is not lost. -ENOSPC: too many. */
long xen_event_handle(evtchn_port_t port, void (*handler)(void *),
                      void *argument);
/* Forgets the handler and closes the port. */
void xen_event_close(evtchn_port_t port);
void xen_event_notify(evtchn_port_t port);
/* Sleeps until an event has come for the port since the last xen_event_wait()
 * on it returned, whether an upcall has handled it meanwhile or not, or until
 * clock_monotonic() >= deadline_ns. So a caller that looks, finds nothing and
 * then waits cannot miss what came in between. For waiting on a daemon at
 * times when nothing else can go on. The port's handler, if any, has run when
 * it returns. */
void xen_event_wait(evtchn_port_t port, uint64_t deadline_ns);

/* -- grants (grant.c) --
 * Version 1 or 2, whichever Xen allows. */

/* What grant.c asks of base/hw/xen_memory.c. Xen owns the frames of a PV
 * guest's table (GNTTABOP_setup_table) and maps a HVM guest's where it is told
 * to (XENMEM_add_to_physmap).
 *
 * The address of a region for the table, in the version that is then in
 * force, frame i at +i * 4096, for frames_max of them; none is valid yet. NULL:
 * no room. After xen_grant_resume() it is asked for again and may answer the
 * same. */
void *xen_grant_table_map(unsigned frames_max);
/* Makes the first `frames` of them valid; 0 or -errno. Those which were valid
 * stay where they are. */
long xen_grant_table_grow(unsigned frames);
/* Version 2: the address of the first `frames` frames of the status words
 * (GNTTABOP_get_status_frames), which stays the same from call to call; NULL
 * if that cannot be. */
volatile uint16_t *xen_grant_status_map(unsigned frames);

#define XEN_GRANT_NONE 0u /* never handed out */

/* Lets domain use a page of ours (anything in it); XEN_GRANT_NONE if there is
 * no room. The table grows up to what Xen allows. */
grant_ref_t xen_grant(domid_t domain, const void *page, bool read_only);
/* Takes it back. False: the other side has it mapped still, and nothing was
 * changed; the page must not be used for anything else. */
bool xen_grant_end(grant_ref_t reference);
/* How many are handed out: for tests and accounts. */
unsigned xen_grants_used(void);
/* After a suspend: there is a new, empty table, and no reference of before is
 * to be ended. */
void xen_grant_resume(void);

/* -- XenStore (store.c) --
 * Requests wait for their answer, at most XEN_STORE_WAIT_NS. Paths without a
 * leading '/' are relative to the domain's home. -errno as XenStore says;
 * -ENODEV: there is none (dom0); -ETIMEDOUT; -EIO: it talks nonsense, and is
 * talked to no more. A daemon that was restarted and forgot our transactions
 * is a reason for -EAGAIN from any call that names one. */

#define XEN_STORE_WAIT_NS 5000000000ull

/* At boot: the ring, NULL if there is none. Nothing is sent until a call below
 * needs it. */
void xen_store_init(void *ring_page, evtchn_port_t port);
/* After a suspend: as xen_store_init, and the watches are registered anew,
 * which calls their functions once. */
void xen_store_resume(void *ring_page, evtchn_port_t port);

/* A transaction, or 0 for none. */
typedef uint32_t xen_store_transaction;

/* Reads the value into out, with a 0 behind it; returns its length. -E2BIG:
 * it is longer than size - 1. */
long xen_store_read(xen_store_transaction t, const char *path, char *out,
                    size_t size);
long xen_store_write(xen_store_transaction t, const char *path,
                     const char *value);
long xen_store_mkdir(xen_store_transaction t, const char *path);
long xen_store_remove(xen_store_transaction t, const char *path);
/* Names below path, one after the other, each with a 0 behind it; returns
 * their length together. */
long xen_store_list(xen_store_transaction t, const char *path, char *out,
                    size_t size);
/* As XenStore's SET_PERMS: strings such as "n0" or "r5", each ended by 0. */
long xen_store_permissions_set(xen_store_transaction t, const char *path,
                               const char *permissions, size_t size);
long xen_store_permissions_get(xen_store_transaction t, const char *path,
                               char *out, size_t size);
/* Begins one (> 0); ends it: -EAGAIN means that all has to be done again. */
long xen_store_begin(void);
long xen_store_end(xen_store_transaction t, bool commit);

/* Decimal or 0x values; -EINVAL if it is none, -ENOENT if it is not there. */
long xen_store_read_number(const char *path, uint64_t *out);
long xen_store_write_number(xen_store_transaction t, const char *path,
                            uint64_t value);

/* Calls changed(argument, path) from xen_store_work() after changes at or
 * below path, and once at first. Changes that come close together are told
 * once, and path is the watched one, so that there is nothing to queue however
 * many there are. It stays the caller's and in place until xen_store_unwatch.
 * -ENOSPC: there are LIMIT_XEN_WATCHES. */
long xen_store_watch(const char *path,
                     void (*changed)(void *argument, const char *path),
                     void *argument);
long xen_store_unwatch(const char *path,
                       void (*changed)(void *argument, const char *path),
                       void *argument);
/* Calls a watch's function once more when that time has passed, though nothing
 * has changed: for what could not be done now. Nothing if there is no such
 * watch. */
void xen_store_again(const char *path,
                     void (*changed)(void *argument, const char *path),
                     void *argument, uint64_t delay_ns);
/* Sleeps until a watch event has come since the last xen_store_wait(), or the
 * deadline, or the store is no use; calls nothing. For a driver that waits for
 * its backend: look, then wait, then look again. */
void xen_store_wait(uint64_t deadline_ns);
/* Looks for watch events and calls their functions. The bases call it with
 * the monitor held when an upcall or wait() found something ready: the store's
 * own handler sees to it that one does. Cheap when there is nothing. */
void xen_store_work(void);

/* -- the devices of base.h, and the console (net.c, blk.c, console.c) -- */

enum base_status xen_net_get(unsigned index, struct base_device *out);
unsigned xen_net_send(unsigned index, const struct base_net_frame *frames,
                      unsigned count);
unsigned xen_net_recv(unsigned index, struct base_net_frame *frames,
                      unsigned count);
enum base_status xen_blk_get(unsigned index, struct base_device *out);
enum base_status xen_blk_submit(unsigned index,
                                const struct base_block_request *request);
unsigned xen_blk_reap(unsigned index, struct base_block_done *done,
                      unsigned count);

/* The console ring, where the toolstack made one; with NULL it is Xen's own
 * console, by hypercall (dom0). Written in any context, even a crash; what the
 * daemon does not take in time is dropped after a second. Called again after a
 * suspend, and then xen_console_input_init() too. */
void xen_console_init(void *ring_page, evtchn_port_t port);
void xen_console_write(const void *data, size_t size);
/* Bytes that came in, at most size. BASE_READY_CONSOLE says when. */
size_t xen_console_read(void *data, size_t size);
/* Events for input, once memory and events work. */
void xen_console_input_init(void);

/* -- what the toolstack asks of the domain (control.c, balloon.c) -- */

/* Watches control/shutdown (poweroff, halt, reboot: BASE_READY_POWER; suspend;
 * crash) and memory/target. Called from what bases leave for later; nothing in
 * a domain without XenStore. */
void xen_control_init(void);
/* After a suspend: the new domain's XenStore is told again what can be asked.
 */
void xen_control_resume(void);
/* Ends the domain: as the operator asked, if he did, else 0 is poweroff and any
 * other status crash. In dom0 reboot, whatever the status: nothing else ends
 * the machine. */
void xen_exit(int status) __attribute__((noreturn));

/* control.c watches through this. */
void xen_balloon_init(void);
/* Of the bases: gives pages back to Xen, or takes that many more, and says how
 * many it were really: pages_total of base.h changes by as many. */
uint64_t xen_balloon_release(uint64_t pages);
uint64_t xen_balloon_take(uint64_t pages);

/* -- suspend (suspend.c) -- */

/* Saves the domain, and brings back what stands on Xen. Called by control.c
 * from xen_store_work(). */
void xen_suspend(void);
/* Connects the front ends anew; NULL in an image without any. */
extern void (*xen_resume_devices)(void);

#endif
