/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shadows musl's src/internal/syscall.h: the same, but cancellation points
 * fold too. musl passes their number at run time; here the stub's address
 * goes with it to __halvm_cp (libc/cancel.c).
 */
#include_next "syscall.h"

#ifndef HALVM_SYSCALL_H
#define HALVM_SYSCALL_H

typedef long __halvm_stub(long, long, long, long, long, long);

/* Defined nowhere: musl has no such call, and a link error would say so. */
extern __halvm_stub __halvm_cancellation_point_with_variable_number;

hidden long __halvm_cp(long, long, long, long, long, long, __halvm_stub *,
                       long);

static __inline __attribute__((__always_inline__)) __halvm_stub *
__halvm_stub_of(long n)
{
    if (__builtin_constant_p(n))
        switch (n) {
#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    case number:                                                               \
        return __halvm6_##name;
#include "syscalls.def"
#undef SYSCALL
        }
    return __halvm_cancellation_point_with_variable_number;
}

#undef __syscall_cp0
#undef __syscall_cp1
#undef __syscall_cp2
#undef __syscall_cp3
#undef __syscall_cp4
#undef __syscall_cp5
#undef __syscall_cp6
#define __syscall_cp0(n)                __syscall_cp6(n, 0, 0, 0, 0, 0, 0)
#define __syscall_cp1(n, a)             __syscall_cp6(n, a, 0, 0, 0, 0, 0)
#define __syscall_cp2(n, a, b)          __syscall_cp6(n, a, b, 0, 0, 0, 0)
#define __syscall_cp3(n, a, b, c)       __syscall_cp6(n, a, b, c, 0, 0, 0)
#define __syscall_cp4(n, a, b, c, d)    __syscall_cp6(n, a, b, c, d, 0, 0)
#define __syscall_cp5(n, a, b, c, d, e) __syscall_cp6(n, a, b, c, d, e, 0)
#define __syscall_cp6(n, a, b, c, d, e, f)                                     \
    __halvm_cp(__scc(a), __scc(b), __scc(c), __scc(d), __scc(e), __scc(f),     \
               __halvm_stub_of(n), n)

/* musl's are inline functions that were compiled above, before the cancellation
 * points were ours. There is no socketcall on x86-64. */
#undef __socketcall_cp
#define __socketcall_cp(name, a, b, c, d, e, f)                                \
    __syscall_cp6(SYS_##name, a, b, c, d, e, f)

#endif
