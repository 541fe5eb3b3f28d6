/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Suspend, save and migration: the half that all guests share. The other is
 * xen_suspend_machine() of the bases. Runs in xen_store_work(), monitor held.
 *
 * Nothing is drained before: what was on its way to a backend is sent again
 * (disks) or lost (frames), since the backends of the new domain are others.
 */
#include "drivers/xen/xen.h"

void (*xen_resume_devices)(void);

void xen_suspend(void)
{
    bool cancelled = false;

    if (xen_suspend_machine(&cancelled) != 0) {
        hw_log("xen: the domain could not be suspended", NULL);
        return;
    }
    if (cancelled)
        return;
    xen_console_input_init();
    xen_grant_resume();
    if (xen_resume_devices != NULL)
        xen_resume_devices();
}
