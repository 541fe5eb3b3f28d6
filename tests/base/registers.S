/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uint64_t registers_hold(volatile unsigned *upcalls, unsigned until, bool avx)
 *
 * A leaf function that keeps values in its red zone, in every general
 * register, in SSE or AVX registers and on the x87 stack until *upcalls
 * reaches until, then returns 0 if all are as they were, else which was not.
 */
    .text
    .globl registers_hold
    .type registers_hold, @function
registers_hold:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %edx, -112(%rsp)
    movabs $0x1111222233334444, %rax
    mov %rax, -128(%rsp)
    not %rax
    mov %rax, -8(%rsp)
    movq %rax, %xmm0
    punpcklqdq %xmm0, %xmm0
    movdqa %xmm0, %xmm15
    test %edx, %edx
    jz 1f
    vinserti128 $1, %xmm15, %ymm15, %ymm15
1:  fld1
    fldpi
    mov $3, %ebx
    mov $5, %ebp
    mov $8, %r8d
    mov $9, %r9d
    mov $10, %r10d
    mov $11, %r11d
    mov $12, %r12d
    mov $13, %r13d
    mov $14, %r14d
    mov $15, %r15d
    mov $16, %ecx
    std
2:  cmp (%rdi), %esi
    ja 2b
    cld

    mov $1, %eax
    cmp $3, %ebx
    jne 9f
    cmp $5, %ebp
    jne 9f
    cmp $8, %r8d
    jne 9f
    cmp $9, %r9d
    jne 9f
    cmp $10, %r10d
    jne 9f
    cmp $11, %r11d
    jne 9f
    cmp $12, %r12d
    jne 9f
    cmp $13, %r13d
    jne 9f
    cmp $14, %r14d
    jne 9f
    cmp $15, %r15d
    jne 9f
    cmp $16, %ecx
    jne 9f
    mov $2, %eax /* the red zone */
    movabs $0x1111222233334444, %rcx
    cmp %rcx, -128(%rsp)
    jne 9f
    not %rcx
    cmp %rcx, -8(%rsp)
    jne 9f
    mov $3, %eax /* SSE */
    movq %xmm0, %rdx
    cmp %rcx, %rdx
    jne 9f
    punpckhqdq %xmm15, %xmm15
    movq %xmm15, %rdx
    cmp %rcx, %rdx
    jne 9f
    cmpl $0, -112(%rsp)
    je 3f
    mov $4, %eax /* the upper half of AVX */
    vextracti128 $1, %ymm15, %xmm1
    movq %xmm1, %rdx
    cmp %rcx, %rdx
    jne 9f
3:  mov $5, %eax /* x87 */
    fldpi
    fcompp
    fnstsw %ax
    and $0x4500, %eax
    cmp $0x4000, %eax
    mov $5, %eax
    jne 8f
    fld1
    fcompp
    fnstsw %ax
    and $0x4500, %eax
    cmp $0x4000, %eax
    mov $5, %eax
    jne 8f
    xor %eax, %eax
8:  fninit
9:  pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret
    .size registers_hold, . - registers_hold

    .section .note.GNU-stack, "", @progbits
