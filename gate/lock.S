/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gate_lock_NAME for every LOCK call of syscalls.def: enters the monitor,
 * runs core_NAME, leaves, and starts again where core says so (core_enter and
 * core_leave in core/core.h are the same in C).
 *
 * Called by the stubs and, with the number known only at run time, by
 * dispatch.c, as C functions with the call's own arguments. Those are kept on
 * the stack for starting again; a compiler would keep them in registers that
 * it has to save first, at twice the instructions.
 */
#include "gate.h"

/* PUSH_n also leaves the stack as a call wants it; KEPT_n is what it took. */
#define PUSH_0 push %rax;
#define PUSH_1 push %rdi;
#define PUSH_2 push %rsi; push %rdi; push %rax;
#define PUSH_3 push %rdx; push %rsi; push %rdi;
#define PUSH_4 push %rcx; push %rdx; push %rsi; push %rdi; push %rax;
#define PUSH_5 push %r8; push %rcx; push %rdx; push %rsi; push %rdi;
#define PUSH_6                                                                 \
    push %r9; push %r8; push %rcx; push %rdx; push %rsi; push %rdi; push %rax;
#define KEPT_0 8
#define KEPT_1 8
#define KEPT_2 24
#define KEPT_3 24
#define KEPT_4 40
#define KEPT_5 40
#define KEPT_6 56

/* The arguments again, of which the first is at offset(%rsp). */
#define LOAD_0(offset)
#define LOAD_1(offset) mov offset(%rsp), %rdi;
#define LOAD_2(offset) LOAD_1(offset) mov offset+8(%rsp), %rsi;
#define LOAD_3(offset) LOAD_2(offset) mov offset+16(%rsp), %rdx;
#define LOAD_4(offset) LOAD_3(offset) mov offset+24(%rsp), %rcx;
#define LOAD_5(offset) LOAD_4(offset) mov offset+32(%rsp), %r8;
#define LOAD_6(offset) LOAD_5(offset) mov offset+40(%rsp), %r9;
#define AGAIN_0
#define AGAIN_1 LOAD_1(0)
#define AGAIN_2 LOAD_2(8)
#define AGAIN_3 LOAD_3(0)
#define AGAIN_4 LOAD_4(8)
#define AGAIN_5 LOAD_5(0)
#define AGAIN_6 LOAD_6(8)

#define LOCK(name, nargs)                                                      \
    .section .text.gate_lock.name, "ax", @progbits;                            \
    .globl gate_lock_##name;                                                   \
    .type gate_lock_##name, @function;                                         \
    gate_lock_##name:                                                          \
    PUSH_##nargs                                                               \
    1: movb $1, core_locked(%rip);                                             \
    call core_##name;                                                          \
    cmp $-GATE_RESTART, %rax;                                                  \
    je 2f;                                                                     \
    movb $0, core_locked(%rip);                                                \
    cmpb $0, core_attention(%rip);                                             \
    jne 2f;                                                                    \
    add $KEPT_##nargs, %rsp;                                                   \
    ret;                                                                       \
    2: mov %rax, %rdi;                                                         \
    call core_leave_slow;                                                      \
    cmp $-GATE_RESTART, %rax;                                                  \
    je 3f;                                                                     \
    add $KEPT_##nargs, %rsp;                                                   \
    ret;                                                                       \
    3: AGAIN_##nargs                                                           \
    jmp 1b;                                                                    \
    .size gate_lock_##name, . - gate_lock_##name

#define CALL_LOCK(name, nargs) LOCK(name, nargs)
#define CALL_OPEN(name, nargs)
#define CALL_RAW(name, nargs)
#define CALL_NONE(name, nargs)

#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    CALL_##entry(name, nargs);
#include "syscalls.def"

    .section .note.GNU-stack, "", @progbits
