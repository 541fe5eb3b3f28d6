/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gate_lock_NAME for every LOCK call of syscalls.def: enters the monitor,
 * runs core_NAME, leaves, and starts again where core says so (core/core.h).
 */
#include "core/calls.h"
#include "core/core.h"

#define LOCK_ARGS_0
#define LOCK_ARGS_1 a
#define LOCK_ARGS_2 LOCK_ARGS_1, b
#define LOCK_ARGS_3 LOCK_ARGS_2, c
#define LOCK_ARGS_4 LOCK_ARGS_3, d
#define LOCK_ARGS_5 LOCK_ARGS_4, e
#define LOCK_ARGS_6 LOCK_ARGS_5, f

#define CALL_LOCK(name, nargs)                                                 \
    long gate_lock_##name(CALLS_ARGS_##nargs);                                 \
    long gate_lock_##name(CALLS_ARGS_##nargs)                                  \
    {                                                                          \
        long result;                                                           \
        do {                                                                   \
            core_enter();                                                      \
            result = core_leave(core_##name(LOCK_ARGS_##nargs));               \
        } while (__builtin_expect(result == -CORE_RESTART, 0));                \
        return result;                                                         \
    }
#define CALL_OPEN(name, nargs)
#define CALL_RAW(name, nargs)
#define CALL_NONE(name, nargs)

#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    CALL_##entry(name, nargs)
#include "syscalls.def"
