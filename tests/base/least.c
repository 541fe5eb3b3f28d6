/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The least machine: 1.625 MiB, and some of it is left.
 *
 * memory: 1664K
 * machines: microvm q35 pc
 */
#include "check.h"

void test_main(void)
{
    CHECK(stats().pages_free > 64);
    pass();
}
