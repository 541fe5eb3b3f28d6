/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes the place of musl's src/thread/x86_64/__unmapself.s: a detached thread
 * unmaps the stack it runs on and ends. A host kernel needs no stack between
 * the two calls; core does it from a stack of its own.
 */
#include "gate/gate.h"

    .text
    .globl __unmapself
    .type __unmapself, @function
__unmapself:
    testb $GATE_HOST, __halvm_gate_state+11(%rip)
    jz __halvm_unmapself
    mov $11, %eax /* munmap(rdi, rsi) */
    syscall
    xor %edi, %edi
    mov $60, %eax /* exit(0) */
    syscall
    hlt
    .size __unmapself, . - __unmapself

    .section .note.GNU-stack, "", @progbits
