/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The initrd can be read where it is, and not written.
 *
 * initrd: tests/base/initrd.c
 * memory: 64M
 */
#include <string.h>

#include "check.h"

static void write_it(void)
{
    *(volatile uint8_t *)(uintptr_t)info->initrd = 1;
}

void test_main(void)
{
    static const char start[] = "/* SPDX-License-Identifier: BSD-3";

    CHECK(info->initrd != NULL);
    CHECK((uintptr_t)info->initrd % 4096 == 0);
    CHECK(info->initrd_size > 600 && info->initrd_size < 2000);
    CHECK(memcmp(info->initrd, start, sizeof(start) - 1) == 0);
    CHECK(memcmp((const char *)info->initrd + info->initrd_size - 2, "}\n",
                 2) == 0);
    upcalls_start();
    CHECK(fault_of(write_it) != NULL);
    CHECK(memcmp(info->initrd, start, sizeof(start) - 1) == 0);
    pass();
}
