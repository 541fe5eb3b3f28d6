/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes the place of musl's src/thread/x86_64/clone.s.
 *
 * int __clone(fn, stack, flags, arg, ptid, tls, ctid): rdi rsi rdx rcx r8 r9
 * 8(%rsp). Puts arg and fn on the new stack, from where the child takes them:
 * on a host kernel below, in core at arch_clone_child (gate/stubs.S).
 */
#include "gate/gate.h"

    .text
    .globl __clone
    .hidden __clone
    .type __clone, @function
__clone:
    and $-16, %rsi
    sub $16, %rsi
    mov %rcx, (%rsi)
    mov %rdi, 8(%rsi)
    mov %rdx, %rdi
    mov %r8, %rdx
    mov 8(%rsp), %rcx
    mov %r9, %r8
    testb $GATE_HOST, __halvm_gate_state+56(%rip)
    jnz 1f
    jmp __halvm_sys_clone
1:  mov %rcx, %r10
    mov $56, %eax
    syscall
    test %eax, %eax
    jnz 2f
    xor %ebp, %ebp
    pop %rdi
    pop %rax
    call *%rax
    mov %eax, %edi
    mov $60, %eax
    syscall
    hlt
2:  ret
    .size __clone, . - __clone

    .section .note.GNU-stack, "", @progbits
