/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memcpy and memmove, in place of musl's src/string/x86_64/memcpy.s and
 * memmove.s, which move eight bytes at a time or by rep movsq and are several
 * times slower than glibc's up to 256 bytes.
 *
 * Up to 128 bytes everything is loaded before anything is stored, so overlap
 * does not matter; above, the direction is chosen. Blocks of 512 and more use
 * 32-byte registers where the processor and the system have them. Core does
 * not use these: it must not touch vector registers (see the Makefile).
 */
    .text
    .globl memmove
    .type memmove, @function
    .globl memcpy
    .type memcpy, @function
    .balign 64
memmove:
memcpy:
    mov %rdi, %rax
    cmp $16, %rdx
    jb .Lbelow_16
    cmp $32, %rdx
    ja .Labove_32
    movups (%rsi), %xmm0
    movups -16(%rsi,%rdx), %xmm1
    movups %xmm0, (%rdi)
    movups %xmm1, -16(%rdi,%rdx)
    ret

.Labove_32:
    cmp $64, %rdx
    ja .Labove_64
    movups (%rsi), %xmm0
    movups 16(%rsi), %xmm1
    movups -32(%rsi,%rdx), %xmm2
    movups -16(%rsi,%rdx), %xmm3
    movups %xmm0, (%rdi)
    movups %xmm1, 16(%rdi)
    movups %xmm2, -32(%rdi,%rdx)
    movups %xmm3, -16(%rdi,%rdx)
    ret

.Labove_64:
    /* The ends are loaded first and stored last: the loop between them may
     * overwrite their source. */
    movups (%rsi), %xmm8
    movups 16(%rsi), %xmm9
    movups 32(%rsi), %xmm10
    movups 48(%rsi), %xmm11
    movups -64(%rsi,%rdx), %xmm4
    movups -48(%rsi,%rdx), %xmm5
    movups -32(%rsi,%rdx), %xmm6
    movups -16(%rsi,%rdx), %xmm7
    cmp $128, %rdx
    ja .Labove_128
.Lstore_ends:
    movups %xmm8, (%rdi)
    movups %xmm9, 16(%rdi)
    movups %xmm10, 32(%rdi)
    movups %xmm11, 48(%rdi)
    movups %xmm4, -64(%rdi,%rdx)
    movups %xmm5, -48(%rdi,%rdx)
    movups %xmm6, -32(%rdi,%rdx)
    movups %xmm7, -16(%rdi,%rdx)
    ret

.Labove_128:
    mov %rdi, %rcx
    sub %rsi, %rcx
    cmp %rdx, %rcx
    jb .Lbackward /* the destination begins inside the source */
    cmp $512, %rdx
    jae .Lforward_large
.Lforward_sse:
    /* From 64 up to the last 64 bytes, which the ends cover. */
    lea -64(%rdx), %rcx
    lea (%rdi,%rcx), %r8
    lea (%rsi,%rcx), %r9
    neg %rcx
    add $64, %rcx
1:  movups (%r9,%rcx), %xmm0
    movups 16(%r9,%rcx), %xmm1
    movups 32(%r9,%rcx), %xmm2
    movups 48(%r9,%rcx), %xmm3
    movups %xmm0, (%r8,%rcx)
    movups %xmm1, 16(%r8,%rcx)
    movups %xmm2, 32(%r8,%rcx)
    movups %xmm3, 48(%r8,%rcx)
    add $64, %rcx
    js 1b
    jmp .Lstore_ends

.Lforward_large:
    cmpb $2, __halvm_vector_kind(%rip)
    jb .Lask
    ja .Lforward_sse
    /* What the loop's last step may miss is loaded first, as the ends are. */
    vmovups -128(%rsi,%rdx), %ymm12
    vmovups -96(%rsi,%rdx), %ymm13
    mov $64, %ecx
    lea -192(%rdx), %r8 /* the last offset with 128 bytes before the tail */
2:  vmovups (%rsi,%rcx), %ymm0
    vmovups 32(%rsi,%rcx), %ymm1
    vmovups 64(%rsi,%rcx), %ymm2
    vmovups 96(%rsi,%rcx), %ymm3
    vmovups %ymm0, (%rdi,%rcx)
    vmovups %ymm1, 32(%rdi,%rcx)
    vmovups %ymm2, 64(%rdi,%rcx)
    vmovups %ymm3, 96(%rdi,%rcx)
    add $128, %rcx
    cmp %r8, %rcx
    jbe 2b
    add $64, %r8
    cmp %r8, %rcx
    ja 3f
    vmovups (%rsi,%rcx), %ymm0
    vmovups 32(%rsi,%rcx), %ymm1
    vmovups %ymm0, (%rdi,%rcx)
    vmovups %ymm1, 32(%rdi,%rcx)
3:  vmovups %ymm12, -128(%rdi,%rdx)
    vmovups %ymm13, -96(%rdi,%rdx)
    vzeroupper
    jmp .Lstore_ends

.Lask:
    call halvm_vector_ask
    jmp .Lforward_large

.Lbackward:
    /* Down from the last 64 bytes; the head, saved, goes over the rest. */
    lea -128(%rdx), %rcx
4:  movups (%rsi,%rcx), %xmm0
    movups 16(%rsi,%rcx), %xmm1
    movups 32(%rsi,%rcx), %xmm2
    movups 48(%rsi,%rcx), %xmm3
    movups %xmm0, (%rdi,%rcx)
    movups %xmm1, 16(%rdi,%rcx)
    movups %xmm2, 32(%rdi,%rcx)
    movups %xmm3, 48(%rdi,%rcx)
    sub $64, %rcx
    ja 4b
    jmp .Lstore_ends

.Lbelow_16:
    cmp $8, %edx
    jb 5f
    mov (%rsi), %rcx
    mov -8(%rsi,%rdx), %rsi
    mov %rcx, (%rdi)
    mov %rsi, -8(%rdi,%rdx)
    ret
5:  cmp $4, %edx
    jb 6f
    mov (%rsi), %ecx
    mov -4(%rsi,%rdx), %esi
    mov %ecx, (%rdi)
    mov %esi, -4(%rdi,%rdx)
    ret
6:  cmp $1, %edx
    jb 7f
    movzbl (%rsi), %ecx
    je 8f
    movzwl -2(%rsi,%rdx), %esi
    mov %si, -2(%rdi,%rdx)
8:  mov %cl, (%rdi)
7:  ret
    .size memcpy, . - memcpy
    .size memmove, . - memmove

/*
 * Sets __halvm_vector_kind to 2 where 32-byte registers may be used (CPUID 1
 * ECX: OSXSAVE and AVX; XCR0: SSE and AVX state), else to 3. Keeps all
 * registers. Not done at start: cpuid is slow under a hypervisor, and most
 * small programs never need to know.
 */
    .globl halvm_vector_ask
    .hidden halvm_vector_ask
    .type halvm_vector_ask, @function
halvm_vector_ask:
    push %rax
    push %rbx
    push %rcx
    push %rdx
    mov $1, %eax
    xor %ecx, %ecx
    cpuid
    and $0x18000000, %ecx
    cmp $0x18000000, %ecx
    jne 9f
    xor %ecx, %ecx
    xgetbv
    and $6, %eax
    cmp $6, %eax
9:  setne %al
    add $2, %al
    mov %al, __halvm_vector_kind(%rip)
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
    ret
    .size halvm_vector_ask, . - halvm_vector_ask

    .bss
    .globl __halvm_vector_kind
    .hidden __halvm_vector_kind
    .type __halvm_vector_kind, @object
__halvm_vector_kind: /* 0: not asked yet */
    .byte 0
    .size __halvm_vector_kind, 1

    .section .note.GNU-stack, "", @progbits
