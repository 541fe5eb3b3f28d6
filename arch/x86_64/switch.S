/* SPDX-License-Identifier: BSD-3-Clause */
/* Leaving one thread for another, and one stack for another. See arch.h. */
#include "kept.inc"
#include "offsets.h"

    .section .text.arch_switch, "ax", @progbits
    .globl arch_switch
    .type arch_switch, @function
arch_switch:
    push_kept
    mov %rsp, (%rdi)
    mov %rsi, %rsp
    pop_kept_and_return
    .size arch_switch, . - arch_switch

    /* The x87 stack of an interrupted thread may hold values; fninit empties
     * it, as the ABI promises at every call and return. */
    .section .text.arch_switch_to, "ax", @progbits
    .globl arch_switch_to
    .type arch_switch_to, @function
arch_switch_to:
    mov %rdi, %rsp
    fninit
    pop_kept_and_return
    .size arch_switch_to, . - arch_switch_to

    .section .text.arch_call_on, "ax", @progbits
    .globl arch_call_on
    .type arch_call_on, @function
arch_call_on:
    mov %rdi, %rsp
    and $-16, %rsp
    xor %ebp, %ebp
    call *%rsi
    ud2
    .size arch_call_on, . - arch_call_on

    .section .text.arch_capture, "ax", @progbits
    .globl arch_capture
    .type arch_capture, @function
arch_capture:
    mov %r15, ARCH_FRAME_R15(%rdi)
    mov %r14, ARCH_FRAME_R14(%rdi)
    mov %r13, ARCH_FRAME_R13(%rdi)
    mov %r12, ARCH_FRAME_R12(%rdi)
    mov %rbp, ARCH_FRAME_RBP(%rdi)
    mov %rbx, ARCH_FRAME_RBX(%rdi)
    movq $1, ARCH_FRAME_RAX(%rdi)
    mov (%rsp), %rax
    mov %rax, ARCH_FRAME_RIP(%rdi)
    lea 8(%rsp), %rax
    mov %rax, ARCH_FRAME_RSP(%rdi)
    pushfq
    popq ARCH_FRAME_RFLAGS(%rdi)
    xor %eax, %eax
    ret
    .size arch_capture, . - arch_capture

    /* At entry rsp is the signal frame, above which nothing may be touched
     * and below which all is free. */
    .section .text.arch_sigreturn_trampoline, "ax", @progbits
    .globl arch_sigreturn_trampoline
    .type arch_sigreturn_trampoline, @function
arch_sigreturn_trampoline:
    mov %rsp, %rdi
    and $-16, %rsp
    call core_sigreturn
    ud2
    .size arch_sigreturn_trampoline, . - arch_sigreturn_trampoline

    .section .note.GNU-stack, "", @progbits
