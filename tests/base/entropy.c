/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random bytes come from the processor or the device, and never repeat.
 *
 * device: virtio-rng
 */
#include <string.h>

#include "check.h"

void test_main(void)
{
    static uint8_t a[1000], b[1000], zero[1000];

    CHECK(base->entropy(a, sizeof(a)) > 0);
    CHECK(base->entropy(b, 33) > 0);
    CHECK(memcmp(a, b, 8) != 0);
    CHECK(memcmp(a, zero, 8) != 0 && memcmp(b, zero, 8) != 0);
    CHECK(memcmp(b + 33, zero, 100) == 0);
    pass();
}
