/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls whose number is known only at run time: syscall(2), musl's
 * pthread_cancel and setxid, and gate/raw.c.
 *
 * This refers to every stub, so it is an archive member of its own, linked
 * only into programs that need it.
 */
#include <errno.h>
#include <stddef.h>

#include "gate.h"

long __halvm_host_syscall(long number, long a, long b, long c, long d, long e,
                          long f);
long __halvm_syscall_dynamic(long number, long a, long b, long c, long d,
                             long e, long f);

#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    long dispatch_##name(long, long, long, long, long,                         \
                         long) __asm__("__halvm_sys_" #name);
#include "syscalls.def"
#undef SYSCALL

static long (*const dispatch_table[GATE_CALLS])(long, long, long, long, long,
                                                long) = {
#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    [number] = dispatch_##name,
#include "syscalls.def"
#undef SYSCALL
};

/* The host kernel may know numbers that we do not. */
long __halvm_syscall_dynamic(long number, long a, long b, long c, long d,
                             long e, long f)
{
    if (number < 0 || number >= GATE_CALLS || dispatch_table[number] == NULL) {
        if (gate_state[0] & GATE_HOST)
            return __halvm_host_syscall(number, a, b, c, d, e, f);
        return -ENOSYS;
    }
    return dispatch_table[number](a, b, c, d, e, f);
}
