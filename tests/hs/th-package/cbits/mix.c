/* SPDX-License-Identifier: BSD-3-Clause */
/* A function for the foreign function interface to find. */
#include <stdint.h>

uint32_t th_package_mix(uint32_t x);

uint32_t th_package_mix(uint32_t x)
{
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    return x;
}
