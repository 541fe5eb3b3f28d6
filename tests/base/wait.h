/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting for a device, with an end, for the images of tests/base. */
#ifndef HALVM_TESTS_BASE_WAIT_H
#define HALVM_TESTS_BASE_WAIT_H

#include "check.h"

#define SECOND_NS 1000000000ull

/* Waits until one of the bits is ready, for at most ten seconds: by then a
 * notification was lost. */
static inline void wait_for(uint32_t ready)
{
    uint64_t deadline_ns = base->clock_monotonic() + 10 * SECOND_NS;

    while ((base->wait(deadline_ns) & ready) == 0)
        CHECK(base->clock_monotonic() < deadline_ns);
}

#endif
