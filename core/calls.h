/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prototypes of every core_NAME, made from include/syscalls.def, so that a
 * function that defines a system call is checked against the list.
 */
#ifndef HALVM_CALLS_H
#define HALVM_CALLS_H

#define CALLS_ARGS_0 void
#define CALLS_ARGS_1 long a
#define CALLS_ARGS_2 CALLS_ARGS_1, long b
#define CALLS_ARGS_3 CALLS_ARGS_2, long c
#define CALLS_ARGS_4 CALLS_ARGS_3, long d
#define CALLS_ARGS_5 CALLS_ARGS_4, long e
#define CALLS_ARGS_6 CALLS_ARGS_5, long f

#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    long core_##name(CALLS_ARGS_##nargs);
#include "syscalls.def"
#undef SYSCALL

#endif
