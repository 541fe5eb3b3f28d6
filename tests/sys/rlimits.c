/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Limits.
 *
 * Covers: getrlimit setrlimit prlimit64
 */
#include "check.h"
#include <sys/resource.h>

int main(void)
{
    static const int limits[] = {RLIMIT_NOFILE, RLIMIT_AS,    RLIMIT_DATA,
                                 RLIMIT_STACK,  RLIMIT_CORE,  RLIMIT_CPU,
                                 RLIMIT_FSIZE,  RLIMIT_NPROC, RLIMIT_MEMLOCK};
    struct rlimit a, b;

    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        CHECK_EQ(getrlimit(limits[i], &a), 0);
        CHECK(a.rlim_cur <= a.rlim_max);
        CHECK_EQ(syscall(SYS_getrlimit, limits[i], &b), 0);
        CHECK_EQ(a.rlim_cur, b.rlim_cur);
        CHECK_EQ(syscall(SYS_prlimit64, 0, limits[i], NULL, &b), 0);
        CHECK(a.rlim_cur == b.rlim_cur && a.rlim_max == b.rlim_max);
    }
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &a), 0);
    b = a;
    b.rlim_cur = 64;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &b), 0);
    CHECK_EQ(sysconf(_SC_OPEN_MAX), 64);
    CHECK_EQ(syscall(SYS_setrlimit, RLIMIT_NOFILE, &a), 0);
    struct rlimit old;
    CHECK_EQ(syscall(SYS_prlimit64, getpid(), RLIMIT_NOFILE, &b, &old), 0);
    CHECK_EQ(old.rlim_cur, a.rlim_cur);
    CHECK_EQ(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &a, NULL), 0);

    b.rlim_cur = 10;
    b.rlim_max = 5;
    CHECK_ERR(syscall(SYS_setrlimit, RLIMIT_NOFILE, &b), EINVAL);
    CHECK_ERR(syscall(SYS_getrlimit, 99, &b), EINVAL);
    CHECK_ERR(syscall(SYS_prlimit64, 0x3fffffff, RLIMIT_NOFILE, NULL, &b),
              ESRCH);
    CHECK_ERR(syscall(SYS_getrlimit, RLIMIT_AS, check_bad_pointer()), EFAULT);
    CHECK_ERR(syscall(SYS_setrlimit, RLIMIT_AS, check_bad_pointer()), EFAULT);
    CHECK_ERR(syscall(SYS_prlimit64, 0, RLIMIT_AS, NULL, check_bad_pointer()),
              EFAULT);
    return 0;
}
