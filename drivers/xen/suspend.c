/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Suspend, save and migration. Runs in xen_store_work(), monitor held.
 *
 * Nothing is drained before: what was on its way to a backend is sent again
 * (disks) or lost (frames), since the backends of the new domain are others.
 */
#include <stdint.h>
#include <xen/sched.h>

#include "drivers/xen/guest.h"

void (*xen_resume_devices)(void);
void (*xen_resume_programs)(void);
bool (*xen_programs_can_suspend)(void);

/* 0 in the new domain, 1 if it was called off, or -errno. A toolstack may let
 * the same domain go on without a word (libxl_domain_resume() for guests that
 * would not understand one): then nothing of ours was lost, either. */
static long machine_suspend(void)
{
    struct sched_shutdown how = {.reason = SHUTDOWN_suspend};
    uint64_t now = hw_base.clock_monotonic();
    long status;

    hw_interrupts_off();
    xen_grant_frames_hide();
    status = xen_pv ? xenpv_suspend() : xen_sched_op(SCHEDOP_shutdown, &how);
    if (status == 0 && (xen_pv ? xen_event_init() : xen_hvm_init()))
        status = 1;
    if (status != 0) {
        xen_grant_frames_show();
    } else {
        if (!xen_pv)
            xen_hvm_events_init();
        xen_clock_resume(now);
    }
    hw_interrupts_on();
    return status;
}

void xen_suspend(void)
{
    long status;

    if (xen_programs_can_suspend != NULL && !xen_programs_can_suspend()) {
        hw_log("xen: not suspended: the program has pages of another domain "
               "mapped",
               NULL);
        return;
    }
    status = machine_suspend();
    if (status < 0)
        hw_log("xen: the domain could not be suspended", NULL);
    if (status != 0)
        return;
    xen_store_resume(xen_page_of(xen_rings.store_frame), xen_rings.store_port);
    xen_console_init(xen_page_of(xen_rings.console_frame),
                     xen_rings.console_port);
    xen_console_input_init();
    xen_grant_resume();
    if (xen_resume_programs != NULL)
        xen_resume_programs();
    xen_control_resume();
    if (xen_resume_devices != NULL)
        xen_resume_devices();
}
