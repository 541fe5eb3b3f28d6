/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A syscall instruction in application code reaches the gate and keeps every
 * register but rax, rcx and r11, the vector registers and the red zone too.
 */
#include "check.h"

long __halvm_raw_syscall(long number, long a, long b, long c, long d, long e,
                         long f);

static unsigned calls;

long __halvm_raw_syscall(long number, long a, long b, long c, long d, long e,
                         long f)
{
    CHECK(number == 39 && a == 1 && b == 2 && c == 3 && d == 4 && e == 5 &&
          f == 6);
    CHECK((uint64_t)__builtin_frame_address(0) % 16 == 0);
    __asm__ volatile("pcmpeqd %%xmm7, %%xmm7; fld1" ::: "memory");
    calls++;
    return -77;
}

/* Returns whether all that must be kept was. */
static bool call(void)
{
    const uint64_t word = 0x123456789abcdef;
    register long r10 __asm__("r10") = 4;
    register long r8 __asm__("r8") = 5;
    register long r9 __asm__("r9") = 6;
    long result = 39, a = 1, b = 2, c = 3;
    uint64_t vector, zone;

    __asm__ volatile("movq %[word], %%xmm7; mov %[word], -96(%%rsp); fldz;"
                     "stc; syscall; jnc 1f;"
                     "fstp %%st(0); movq %%xmm7, %[vector];"
                     "mov -96(%%rsp), %[zone]; 1:"
                     : "+a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10),
                       "+r"(r8),
                       "+r"(r9), [vector] "=&r"(vector), [zone] "=&r"(zone)
                     : [word] "r"(word)
                     : "rcx", "r11", "memory", "cc");
    return result == -77 && a == 1 && b == 2 && c == 3 && r10 == 4 && r8 == 5 &&
           r9 == 6 && vector == word && zone == word;
}

void test_main(void)
{
    upcalls_start();
    leave();
    if (!call())
        fail(__FILE__, __LINE__, "a register was not kept");
    enter();
    CHECK(calls == 1);
    pass();
}
