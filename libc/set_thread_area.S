/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes the place of musl's src/thread/x86_64/__set_thread_area.s:
 * arch_prctl(ARCH_SET_FS, pointer), through the gate.
 */
    .text
    .globl __set_thread_area
    .hidden __set_thread_area
    .type __set_thread_area, @function
__set_thread_area:
    mov %rdi, %rsi
    mov $0x1002, %edi /* ARCH_SET_FS */
    jmp __halvm_sys_arch_prctl
    .size __set_thread_area, . - __set_thread_area

    .section .note.GNU-stack, "", @progbits
