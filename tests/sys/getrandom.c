/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random numbers.
 *
 * Covers: getrandom
 */
#include "check.h"
#include <sys/random.h>

int main(void)
{
    static unsigned char a[4096], b[4096];
    int ones = 0;

    CHECK_EQ(getrandom(a, sizeof(a), 0), sizeof(a));
    CHECK_EQ(getrandom(b, sizeof(b), GRND_NONBLOCK), sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    for (size_t i = 0; i < sizeof(a); i++)
        ones += __builtin_popcount(a[i]);
    /* 32768 fair coins: twelve standard deviations each way. */
    CHECK(ones > 16384 - 1086 && ones < 16384 + 1086);
    CHECK_EQ(getrandom(a, 0, 0), 0);
    CHECK_EQ(getrandom(a, 16, GRND_RANDOM), 16);
    CHECK_ERR(getrandom(a, 16, 0x77), EINVAL);
    CHECK_ERR(syscall(SYS_getrandom, check_bad_pointer(), 16ul, 0), EFAULT);
    CHECK_EQ(getentropy(a, 256), 0);
    CHECK_ERR(getentropy(a, 257), EIO);
    return 0;
}
