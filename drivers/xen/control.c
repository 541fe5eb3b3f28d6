/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of a Xen domain: the status becomes the reason of its shutdown.
 */
#include <stdint.h>
#include <xen/sched.h>
#include "drivers/xen/xen.h"
void xen_exit(int status)
{
    struct sched_shutdown op = {.reason = xen_dom0      ? SHUTDOWN_reboot
                                          : status == 0 ? SHUTDOWN_poweroff
                                                        : SHUTDOWN_crash};
    for (;;)
        xen_sched_op(SCHEDOP_shutdown, &op);
}
