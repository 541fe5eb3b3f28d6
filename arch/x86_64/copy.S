/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * int arch_copy(void *to, const void *from, size_t size)
 *
 * Between arch_copy_begin and arch_copy_end a fault continues at
 * arch_copy_fault. No stack is used there, so that is all the unwinding.
 * Short copies avoid the start-up cost of the string instructions.
 */
    .section .text.arch_copy, "ax", @progbits
    .globl arch_copy, arch_copy_begin, arch_copy_end, arch_copy_fault
    .type arch_copy, @function
arch_copy:
arch_copy_begin:
    cmp $64, %rdx
    jae 3f
    sub $8, %rdx
    jb 2f
1:  mov (%rsi), %rax
    mov %rax, (%rdi)
    add $8, %rsi
    add $8, %rdi
    sub $8, %rdx
    jae 1b
2:  mov %edx, %ecx
    and $7, %ecx
    rep movsb
    xor %eax, %eax
    ret
3:  mov %rdx, %rcx
    shr $3, %rcx
    rep movsq
    mov %edx, %ecx
    and $7, %ecx
    rep movsb
    xor %eax, %eax
    ret
arch_copy_end:
arch_copy_fault:
    mov $-1, %eax
    ret
    .size arch_copy, . - arch_copy

    .section .note.GNU-stack, "", @progbits
