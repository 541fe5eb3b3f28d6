/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes the place of musl's src/process/x86_64/vfork.s. Parent and child
 * share the stack, so on a host kernel the return address is kept in a
 * register over the call; core refuses.
 */
#include "gate/gate.h"

    .text
    .globl vfork
    .type vfork, @function
vfork:
    testb $GATE_HOST, __halvm_gate_state+58(%rip)
    jz 1f
    pop %rdx
    mov $58, %eax
    syscall
    push %rdx
    mov %rax, %rdi
    .hidden __syscall_ret
    jmp __syscall_ret
1:  sub $8, %rsp
    call __halvm_sys_vfork
    add $8, %rsp
    mov %rax, %rdi
    jmp __syscall_ret
    .size vfork, . - vfork

    .section .note.GNU-stack, "", @progbits
