/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data cannot be executed.
 *
 * status: 139
 * says: halvm: crash: page fault
 */
#include "check.h"

static uint8_t code[] = {0xc3};

void test_main(void)
{
    void (*function)(void) = (void (*)(void))(uintptr_t)code;

    __asm__("" : "+r"(function));
    function();
}
