/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Text cannot be written.
 *
 * status: 139
 * says: halvm: crash: page fault
 */
#include "check.h"

void test_main(void)
{
    volatile uint8_t *text = (void *)(uintptr_t)test_main;

    *text = 0x90;
}
