/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A call that the program has taken over. From gate_slow (stubs.S), by way of
 * gate_reroute_entry, so that only programs with handlers link this.
 *
 * gate_level is the thread's: the stamp of the handler that it is in, or
 * GATE_STAMP_NONE. Of a call's links, newest first, the one is taken whose
 * stamp is less. Stamps grow, so nested handlers are ever older ones, and
 * there is an end to it.
 *
 * A link is counted as in use before it is looked at: who gives it back first
 * makes its stamp GATE_STAMP_NONE, which is less than no level, and then waits
 * for the count.
 */
#include "gate.h"

#define LINK_STAMP   0
#define LINK_HANDLER 8
#define LINK_CONTEXT 16
#define LINK_NEXT    24
#define LINK_ACTIVE  32

/* eax: number; r11: struct gate_call; arguments as in a C call. */
    .section .text.gate_reroute, "ax", @progbits
    .globl gate_reroute
    .type gate_reroute, @function
gate_reroute:
    push %r11 /* these eight are struct halvm_call */
    push %r9
    push %r8
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rax
    mov gate_chain(,%rax,8), %r10
    mov %fs:gate_level@tpoff, %rdx
1:  test %r10, %r10
    je 3f
    lock incl LINK_ACTIVE(%r10)
    mov LINK_STAMP(%r10), %rcx
    cmp %rdx, %rcx
    jae 2f
    push %r10
    push %rdx
    mov %rcx, %fs:gate_level@tpoff
    mov LINK_CONTEXT(%r10), %rdi
    lea 16(%rsp), %rsi
    push %rax
    call *LINK_HANDLER(%r10)
    mov 8(%rsp), %rcx
    mov %rcx, %fs:gate_level@tpoff
    mov 16(%rsp), %r10
    lock decl LINK_ACTIVE(%r10)
    add $88, %rsp
    ret
2:  lock decl LINK_ACTIVE(%r10)
    mov LINK_NEXT(%r10), %r10
    jmp 1b
3:  pop %rax /* no handler for this thread: the system */
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %r8
    pop %r9
    pop %r11
    testb $GATE_HOST, __halvm_gate_state(%rax)
    je gate_slow_core
    mov %rcx, %r10
    syscall
    ret
    .size gate_reroute, . - gate_reroute

/* long halvm_call_previous(const struct halvm_call *): the level is that of
 * the handler that calls this, so the links that are left are the older. */
    .section .text.halvm_call_previous, "ax", @progbits
    .globl halvm_call_previous
    .type halvm_call_previous, @function
halvm_call_previous:
    mov %rdi, %r10
    mov 56(%r10), %r11
    mov 48(%r10), %r9
    mov 40(%r10), %r8
    mov 32(%r10), %rcx
    mov 24(%r10), %rdx
    mov 16(%r10), %rsi
    mov 8(%r10), %rdi
    movzwl 8(%r11), %eax
    jmp gate_reroute
    .size halvm_call_previous, . - halvm_call_previous

    .section .tdata.gate_level, "awT", @progbits
    .globl gate_level
    .type gate_level, @object
    .balign 8
gate_level:
    .quad -1
    .size gate_level, 8

    .section .note.GNU-stack, "", @progbits
