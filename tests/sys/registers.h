/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loops that hold values in every place an interrupt could spoil, and tell
 * whether any was: general registers, the flags' direction bit, the red zone
 * below the stack pointer, SSE, AVX, x87, and the control words. x86-64.
 */
#ifndef TESTS_SYS_REGISTERS_H
#define TESTS_SYS_REGISTERS_H

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Each loops that often and returns the number of values that changed. */
int registers_general(uint64_t loops, uint64_t seed);
int registers_sse(uint64_t loops, const void *values);
int registers_avx(uint64_t loops, const void *values);
void registers_x87(uint64_t loops, const int64_t in[8], int64_t out[8]);

__asm__(".text\n"
        "registers_general:\n"
        "    push %rbx\n push %rbp\n push %r12\n"
        "    push %r13\n push %r14\n push %r15\n"
        "    lea 1(%rsi), %rbx\n lea 2(%rsi), %rbp\n lea 3(%rsi), %rdx\n"
        "    lea 4(%rsi), %rcx\n lea 5(%rsi), %r8\n lea 6(%rsi), %r9\n"
        "    lea 7(%rsi), %r10\n lea 8(%rsi), %r11\n lea 9(%rsi), %r12\n"
        "    lea 10(%rsi), %r13\n lea 11(%rsi), %r14\n lea 12(%rsi), %r15\n"
        "    lea 13(%rsi), %rax\n"
        "    mov %rsi, -8(%rsp)\n mov %rbx, -16(%rsp)\n"
        "    mov %rbp, -24(%rsp)\n mov %rdx, -32(%rsp)\n"
        "    mov %rcx, -40(%rsp)\n mov %r8, -48(%rsp)\n"
        "    mov %r9, -56(%rsp)\n mov %r10, -64(%rsp)\n"
        "    mov %r11, -72(%rsp)\n mov %r12, -80(%rsp)\n"
        "    mov %r13, -88(%rsp)\n mov %r14, -96(%rsp)\n"
        "    mov %r15, -104(%rsp)\n mov %rsi, -112(%rsp)\n"
        "    mov %rbx, -120(%rsp)\n mov %rbp, -128(%rsp)\n"
        "    std\n"
        "1:  dec %rdi\n jnz 1b\n"
        "    sub $13, %rax\n sub %rsi, %rax\n setnz %al\n movzbl %al, %eax\n"
        "    .macro same value, where\n"
        "    cmp \\value, \\where\n je 2f\n inc %eax\n2:\n"
        "    .endm\n"
        "    same %rsi, -8(%rsp)\n same %rbx, -16(%rsp)\n"
        "    same %rbp, -24(%rsp)\n same %rdx, -32(%rsp)\n"
        "    same %rcx, -40(%rsp)\n same %r8, -48(%rsp)\n"
        "    same %r9, -56(%rsp)\n same %r10, -64(%rsp)\n"
        "    same %r11, -72(%rsp)\n same %r12, -80(%rsp)\n"
        "    same %r13, -88(%rsp)\n same %r14, -96(%rsp)\n"
        "    same %r15, -104(%rsp)\n same %rsi, -112(%rsp)\n"
        "    same %rbx, -120(%rsp)\n same %rbp, -128(%rsp)\n"
        "    sub $12, %r15\n same %rsi, %r15\n"
        "    sub $1, %rbx\n same %rsi, %rbx\n"
        "    sub $6, %r9\n same %rsi, %r9\n"
        "    pushf\n pop %rdx\n bt $10, %edx\n jc 3f\n inc %eax\n"
        "3:  cld\n"
        "    pop %r15\n pop %r14\n pop %r13\n"
        "    pop %r12\n pop %rbp\n pop %rbx\n"
        "    ret\n"
        "registers_sse:\n"
        "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    movdqa 16*\\n(%rsi), %xmm\\n\n"
        "    .endr\n"
        "1:  dec %rdi\n jnz 1b\n"
        "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    pcmpeqb 16*\\n(%rsi), %xmm\\n\n"
        "    pand %xmm\\n, %xmm0\n"
        "    .endr\n"
        "    pmovmskb %xmm0, %eax\n"
        "    xor $0xffff, %eax\n"
        "    ret\n"
        "registers_avx:\n"
        "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    vmovaps 32*\\n(%rsi), %ymm\\n\n"
        "    .endr\n"
        "1:  dec %rdi\n jnz 1b\n"
        "    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    vxorps 32*\\n(%rsi), %ymm\\n, %ymm\\n\n"
        "    vorps %ymm\\n, %ymm0, %ymm0\n"
        "    .endr\n"
        "    xor %eax, %eax\n"
        "    vptest %ymm0, %ymm0\n"
        "    setnz %al\n"
        "    vzeroupper\n"
        "    ret\n"
        "registers_x87:\n"
        "    .irp n, 0,1,2,3,4,5,6,7\n"
        "    fildll 8*\\n(%rsi)\n"
        "    .endr\n"
        "1:  dec %rdi\n jnz 1b\n"
        "    .irp n, 7,6,5,4,3,2,1,0\n"
        "    fistpll 8*\\n(%rdx)\n"
        "    .endr\n"
        "    ret\n");

static inline bool registers_have_avx(void)
{
    unsigned a, b, c, d, low, high;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 27) || !(c & 1u << 28))
        return false;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & 6) == 6;
}

/* All of them, once round; the number of values that changed. */
static inline int registers_check(uint64_t loops, uint64_t seed)
{
    _Alignas(32) uint64_t values[64];
    int64_t in[8], out[8];
    uint16_t x87 = 0x0f7f, x87_after, x87_before; /* rounds to zero */
    uint32_t sse = 0x7f80, sse_after, sse_before; /* likewise */
    int changed = 0;

    for (int i = 0; i < 64; i++)
        values[i] = seed * 0x9e3779b97f4a7c15ull + (uint64_t)i;
    for (int i = 0; i < 8; i++)
        in[i] = (int64_t)(seed << 32) + i;
    changed += registers_general(loops, seed);
    changed += registers_sse(loops, values) != 0;
    if (registers_have_avx())
        changed += registers_avx(loops, values);
    registers_x87(loops, in, out);
    changed += memcmp(in, out, sizeof in) != 0;

    __asm__ volatile("fnstcw %0" : "=m"(x87_before));
    __asm__ volatile("stmxcsr %0" : "=m"(sse_before));
    __asm__ volatile("fldcw %0" ::"m"(x87));
    __asm__ volatile("ldmxcsr %0" ::"m"(sse));
    changed += registers_general(loops, seed + 99);
    __asm__ volatile("fnstcw %0" : "=m"(x87_after));
    __asm__ volatile("stmxcsr %0" : "=m"(sse_after));
    changed += x87_after != x87 || sse_after != sse;
    __asm__ volatile("fldcw %0" ::"m"(x87_before));
    __asm__ volatile("ldmxcsr %0" ::"m"(sse_before));
    return changed;
}

#endif
