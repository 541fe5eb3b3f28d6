/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shadows musl's arch/x86_64/syscall_arch.h: __syscallN with a constant number
 * is a direct call of the gate's stub __halvm_sys_NAME; with any other, of the
 * dispatcher. Found before musl's own by the order of -I.
 *
 * One prototype per call and arity, because musl passes fewer arguments than
 * a call has where the rest is not looked at, and a call through a cast
 * prototype is undefined.
 */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    long __halvm0_##name(void) __asm__("__halvm_sys_" #name);                  \
    long __halvm1_##name(long) __asm__("__halvm_sys_" #name);                  \
    long __halvm2_##name(long, long) __asm__("__halvm_sys_" #name);            \
    long __halvm3_##name(long, long, long) __asm__("__halvm_sys_" #name);      \
    long __halvm4_##name(long, long, long,                                     \
                         long) __asm__("__halvm_sys_" #name);                  \
    long __halvm5_##name(long, long, long, long,                               \
                         long) __asm__("__halvm_sys_" #name);                  \
    long __halvm6_##name(long, long, long, long, long,                         \
                         long) __asm__("__halvm_sys_" #name);
#include "syscalls.def"
#undef SYSCALL

long __halvm_syscall_dynamic(long, long, long, long, long, long, long);

#define __HALVM_FOLD static __inline __attribute__((__always_inline__)) long

__HALVM_FOLD __syscall0(long n)
{
    if (__builtin_constant_p(n))
        switch (n) {
#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    case number:                                                               \
        return __halvm0_##name();
#include "syscalls.def"
#undef SYSCALL
        }
    return __halvm_syscall_dynamic(n, 0, 0, 0, 0, 0, 0);
}

__HALVM_FOLD __syscall1(long n, long a1)
{
    if (__builtin_constant_p(n))
        switch (n) {
#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    case number:                                                               \
        return __halvm1_##name(a1);
#include "syscalls.def"
#undef SYSCALL
        }
    return __halvm_syscall_dynamic(n, a1, 0, 0, 0, 0, 0);
}

__HALVM_FOLD __syscall2(long n, long a1, long a2)
{
    if (__builtin_constant_p(n))
        switch (n) {
#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    case number:                                                               \
        return __halvm2_##name(a1, a2);
#include "syscalls.def"
#undef SYSCALL
        }
    return __halvm_syscall_dynamic(n, a1, a2, 0, 0, 0, 0);
}

__HALVM_FOLD __syscall3(long n, long a1, long a2, long a3)
{
    if (__builtin_constant_p(n))
        switch (n) {
#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    case number:                                                               \
        return __halvm3_##name(a1, a2, a3);
#include "syscalls.def"
#undef SYSCALL
        }
    return __halvm_syscall_dynamic(n, a1, a2, a3, 0, 0, 0);
}

__HALVM_FOLD __syscall4(long n, long a1, long a2, long a3, long a4)
{
    if (__builtin_constant_p(n))
        switch (n) {
#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    case number:                                                               \
        return __halvm4_##name(a1, a2, a3, a4);
#include "syscalls.def"
#undef SYSCALL
        }
    return __halvm_syscall_dynamic(n, a1, a2, a3, a4, 0, 0);
}

__HALVM_FOLD __syscall5(long n, long a1, long a2, long a3, long a4, long a5)
{
    if (__builtin_constant_p(n))
        switch (n) {
#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    case number:                                                               \
        return __halvm5_##name(a1, a2, a3, a4, a5);
#include "syscalls.def"
#undef SYSCALL
        }
    return __halvm_syscall_dynamic(n, a1, a2, a3, a4, a5, 0);
}

__HALVM_FOLD __syscall6(long n, long a1, long a2, long a3, long a4, long a5,
                        long a6)
{
    if (__builtin_constant_p(n))
        switch (n) {
#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    case number:                                                               \
        return __halvm6_##name(a1, a2, a3, a4, a5, a6);
#include "syscalls.def"
#undef SYSCALL
        }
    return __halvm_syscall_dynamic(n, a1, a2, a3, a4, a5, a6);
}

/* As musl's own: a Linux kernel's vDSO is used where there is one. */
#define VDSO_USEFUL
#define VDSO_CGT_SYM    "__vdso_clock_gettime"
#define VDSO_CGT_VER    "LINUX_2.6"
#define VDSO_GETCPU_SYM "__vdso_getcpu"
#define VDSO_GETCPU_VER "LINUX_2.6"

#define IPC_64 0
