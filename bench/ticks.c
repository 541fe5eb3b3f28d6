/* SPDX-License-Identifier: BSD-3-Clause */
/* The time stamp counter for bench/Mix.hs. */
#include <stdint.h>

uint64_t bench_ticks(void);

uint64_t bench_ticks(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}
