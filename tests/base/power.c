/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The power button: waits for the operator (system_powerdown of QEMU's
 * monitor) and ends with 0, switched off; with 1 if nobody asks in 30 s.
 *
 * skip: xen tests/xen/t-base runs it, as a guest that xl shuts down
 * monitor: system_powerdown
 */
#include <string.h>

#include "check.h"
#include "wait.h"

void test_main(void)
{
    uint64_t deadline_ns = base->clock_monotonic() + 30 * SECOND_NS;

    base->wait(base->clock_monotonic() + SECOND_NS / 100);
    say("ready\n");
    while (base->clock_monotonic() < deadline_ns)
        if (base->wait(deadline_ns) & BASE_READY_POWER) {
            pass();
        }
    CHECK(!"nobody asked for a shutdown");
}
