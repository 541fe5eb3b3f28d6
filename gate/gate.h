/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The gate: every system call of libc passes here once.
 *
 * libc's folded calls (libc/include/syscall_arch.h) jump to a stub in
 * stubs.S, which tests one byte: zero calls core, anything else takes the slow
 * path. A Linux kernel enters the image at _start and finds the bytes as they
 * are in the file, GATE_HOST; every other entry zeroes them first.
 *
 * Names of the form __halvm_... are what libc and the boot object link
 * against; all else in libhalvm is local to it, so that a program may use any
 * name it likes.
 */
#ifndef HALVM_GATE_H
#define HALVM_GATE_H

#define GATE_CALLS 512 /* numbers 0 to 511 */

#define GATE_HOST    1 /* there is a host kernel: it gets what none takes */
#define GATE_TRACE   2 /* say what is called and what it returned */
#define GATE_AUDIT   4 /* count all memory after the call (halvm.fault) */
#define GATE_HANDLER 8 /* the program has taken the call over: reroute.c */

#define GATE_RESTART 512 /* CORE_RESTART, for lock.S */

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

#include "halvm/reroute.h"

extern volatile uint8_t gate_state[GATE_CALLS] __asm__("__halvm_gate_state");

/* What a stub says of itself; made in stubs.S, laid out there. */
struct gate_call {
    long (*target)(long, long, long, long, long, long);
    uint16_t number;
    char text[]; /* name, a zero, one letter an argument, a zero */
};
_Static_assert(sizeof(struct gate_call) == 16, "known to stubs.S");

/* One call taken over by one registration (gate/reroute.c). A link stays one
 * of its number for ever, so that a thread that still looks at it while it is
 * given back, and taken again, only finds another handler of the same call. */
struct gate_link {
    volatile uint64_t stamp; /* the registration; GATE_STAMP_NONE: free */
    long (*handler)(void *context, const struct halvm_call *call);
    void *context;
    struct gate_link *volatile next; /* older */
    volatile uint32_t active;        /* threads in handler, or looking */
    uint32_t number_plus_one;        /* 0: never used */
};
#define GATE_STAMP_NONE UINT64_MAX

/* Whether a handler can have the call; names.c. */
bool gate_is_reroutable(long number);
/* Where stubs.S goes for GATE_HANDLER: gate_reroute, once there is one. */
extern void (*gate_reroute_entry)(void);
/* Whether the calling thread is in a handler; NULL as long as there is none.
 * libc/cancel.c asks. */
extern int (*gate_in_handler)(void) __asm__("__halvm_in_handler");

/* gate/slow.c: gate_state is neither 0 nor GATE_HOST. */
long gate_slow_call(const struct gate_call *call, const long args[6]);
/* gate/slow.c: there is no core_NAME. */
long gate_none_call(const struct gate_call *call, const void *caller);
/* gate/trace.c */
void gate_trace_enter(const struct gate_call *call, const long args[6]);
void gate_trace_leave(const struct gate_call *call, long result);
/* Turns GATE_TRACE or GATE_AUDIT on for every call. */
void gate_set(int what);

#endif
#endif
