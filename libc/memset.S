/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memset, in place of musl's src/string/x86_64/memset.s; see memcpy.S. The
 * ends are stored first and the loop between them may overlap them.
 */
    .text
    .globl memset
    .type memset, @function
    .balign 64
memset:
    mov %rdi, %rax
    movzbl %sil, %esi
    mov $0x0101010101010101, %rcx
    imul %rcx, %rsi
    cmp $16, %rdx
    jb .Lbelow_16
    movq %rsi, %xmm0
    punpcklqdq %xmm0, %xmm0
    movups %xmm0, (%rdi)
    movups %xmm0, -16(%rdi,%rdx)
    cmp $32, %rdx
    jbe 1f
    movups %xmm0, 16(%rdi)
    movups %xmm0, -32(%rdi,%rdx)
    cmp $64, %rdx
    jbe 1f
    movups %xmm0, 32(%rdi)
    movups %xmm0, 48(%rdi)
    movups %xmm0, -64(%rdi,%rdx)
    movups %xmm0, -48(%rdi,%rdx)
    cmp $128, %rdx
    ja .Labove_128
1:  ret

.Labove_128:
    lea -64(%rdi,%rdx), %rsi /* where the tail begins */
    lea 64(%rdi), %rcx
    and $-32, %rcx
    cmp $512, %rdx
    jae .Llarge
.Lsse:
2:  movaps %xmm0, (%rcx)
    movaps %xmm0, 16(%rcx)
    movaps %xmm0, 32(%rcx)
    movaps %xmm0, 48(%rcx)
    add $64, %rcx
    cmp %rsi, %rcx
    jb 2b
    ret

.Llarge:
    cmpb $2, __halvm_vector_kind(%rip)
    jb .Lask
    ja .Lsse
    vinsertf128 $1, %xmm0, %ymm0, %ymm0
    lea -64(%rsi), %rdx
3:  vmovaps %ymm0, (%rcx)
    vmovaps %ymm0, 32(%rcx)
    vmovaps %ymm0, 64(%rcx)
    vmovaps %ymm0, 96(%rcx)
    sub $-128, %rcx
    cmp %rdx, %rcx
    jb 3b
    vmovups %ymm0, -64(%rsi)
    vmovups %ymm0, -32(%rsi)
    vzeroupper
    ret

.Lask:
    call halvm_vector_ask
    jmp .Llarge

.Lbelow_16:
    cmp $8, %edx
    jb 4f
    mov %rsi, (%rdi)
    mov %rsi, -8(%rdi,%rdx)
    ret
4:  cmp $4, %edx
    jb 5f
    mov %esi, (%rdi)
    mov %esi, -4(%rdi,%rdx)
    ret
5:  cmp $1, %edx
    jb 6f
    mov %sil, (%rdi)
    je 6f
    mov %si, -2(%rdi,%rdx)
6:  ret
    .size memset, . - memset

    .section .note.GNU-stack, "", @progbits
