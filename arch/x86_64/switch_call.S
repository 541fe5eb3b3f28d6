/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * void arch_switch_call(uint64_t *save_sp, void *stack_top, void (*fn)(void))
 *
 * Leaves the calling thread as arch_switch does, with the same words on its
 * stack (switch.S), and runs fn on another stack.
 */
    .section .text.arch_switch_call, "ax", @progbits
    .globl arch_switch_call
    .type arch_switch_call, @function
arch_switch_call:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    sub $8, %rsp
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    and $-16, %rsp
    xor %ebp, %ebp
    call *%rdx
    ud2
    .size arch_switch_call, . - arch_switch_call

    .section .note.GNU-stack, "", @progbits
