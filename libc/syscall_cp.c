/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes the place of musl's src/thread/__syscall_cp.c, on a host kernel: the
 * same, but without pthread_cancel the number goes straight to the host. Left
 * to musl's __syscall it would go to the dispatcher for numbers known only at
 * run time, which brings every system call into every program.
 */
#include "pthread_impl.h"
#include "syscall.h"

hidden long __syscall_cp_c(long, long, long, long, long, long, long);
long __halvm_host_syscall(long, long, long, long, long, long, long);

static long host(long number, long a, long b, long c, long d, long e, long f)
{
    return __halvm_host_syscall(number, a, b, c, d, e, f);
}

/* pthread_cancel.c has the strong one. */
weak_alias(host, __syscall_cp_c);

long(__syscall_cp)(syscall_arg_t number, syscall_arg_t a, syscall_arg_t b,
                   syscall_arg_t c, syscall_arg_t d, syscall_arg_t e,
                   syscall_arg_t f)
{
    return __syscall_cp_c(number, a, b, c, d, e, f);
}
