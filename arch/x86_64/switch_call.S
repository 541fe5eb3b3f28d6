/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * void arch_switch_call(uint64_t *save_sp, void *stack_top, void (*fn)(void))
 *
 * Leaves the calling thread as arch_switch does, with the same words on its
 * stack, and runs fn on another stack.
 */
#include "kept.inc"

    .section .text.arch_switch_call, "ax", @progbits
    .globl arch_switch_call
    .type arch_switch_call, @function
arch_switch_call:
    push_kept
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    and $-16, %rsp
    xor %ebp, %ebp
    call *%rdx
    ud2
    .size arch_switch_call, . - arch_switch_call

    .section .note.GNU-stack, "", @progbits
