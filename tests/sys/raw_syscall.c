/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls by a syscall instruction of the program's own: getpid, write,
 * and one that is not there. Registers are kept as on Linux, but for rcx, r11
 * and rax, and so are the red zone and SSE.
 * cc: -Wl,-u,__halvm_raw_syscall
 */
#include <unistd.h>

#include "check.h"

static long raw(long number, long a, long b, long c)
{
    register double kept __asm__("xmm7") = 1.5;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result), "+x"(kept)
                     : "0"(number), "D"(a), "S"(b), "d"(c)
                     : "rcx", "r11", "memory");
    CHECK(kept == 1.5);
    return result;
}

int main(void)
{
    int fds[2];
    char byte = 0;

    CHECK_EQ(raw(SYS_getpid, 0, 0, 0), getpid());
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(raw(SYS_write, fds[1], (long)"x", 1), 1);
    CHECK_EQ(raw(SYS_read, fds[0], (long)&byte, 1), 1);
    CHECK_EQ(byte, 'x');
    CHECK_EQ(raw(SYS_close, 999, 0, 0), -EBADF);
    CHECK_EQ(raw(100000, 0, 0, 0), -ENOSYS);
    return 0;
}
