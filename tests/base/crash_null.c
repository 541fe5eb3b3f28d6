/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fault while core is at work ends the machine, with a report.
 *
 * status: 139
 * says: halvm: crash: page fault, address 0x0000000000000010
 */
#include "check.h"

void test_main(void)
{
    volatile uint32_t *null = (void *)16;

    __asm__("" : "+r"(null));
    say_number(*null);
}
