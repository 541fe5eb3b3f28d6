/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls made by a syscall instruction of the program's own, where there
 * is no host kernel to take it: the base's entry (base/hw/entry.S) calls this
 * if it is linked, and otherwise answers ENOSYS. Nobody else refers to it, and
 * it brings every system call with it, so a program that has such an
 * instruction asks for it: halvm-cc -Wl,-u,__halvm_raw_syscall.
 */
long __halvm_syscall_dynamic(long number, long a, long b, long c, long d,
                             long e, long f);
long __halvm_raw_syscall(long number, long a, long b, long c, long d, long e,
                         long f);

long __halvm_raw_syscall(long number, long a, long b, long c, long d, long e,
                         long f)
{
    return __halvm_syscall_dynamic(number, a, b, c, d, e, f);
}
