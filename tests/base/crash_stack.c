/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stack that grows into the unmapped page below it is reported, although
 * nothing can be pushed there.
 *
 * status: 139
 * says: halvm: crash: page fault
 */
#include "check.h"

#define PAGE 4096ull

static uint64_t deeper(uint64_t n)
{
    volatile uint64_t words[16] = {n};

    return words[n % 16] + (n == 0 ? 0 : deeper(n - 1)) + words[0];
}

static void overflow(void)
{
    say_number(deeper(1u << 20));
}

void test_main(void)
{
    uint64_t stack = fresh(4 * PAGE);

    CHECK(base->mem_map(stack + PAGE, 2 * PAGE,
                        BASE_PROT_READ | BASE_PROT_WRITE) == BASE_OK);
    arch_call_on((void *)(stack + 3 * PAGE), overflow);
}
