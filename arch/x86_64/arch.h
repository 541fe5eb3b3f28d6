/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * x86-64: the registers of a thread, and how one is left for another.
 *
 * Used by core (threads, signals) and by every base (entry paths). The
 * offsets are known to assembler: arch/x86_64/offsets.h repeats them and
 * arch.c asserts that they agree.
 */
#ifndef HALVM_ARCH_H
#define HALVM_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* General registers of interrupted code, in the order of Linux's
 * struct pt_regs without what only Linux needs. */
struct arch_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint64_t rip, rflags, rsp;
};

/* Room for XSAVE with everything up to AVX-512 (CPUID 0xD: 2,696 bytes),
 * without AMX, which is never enabled. */
#define ARCH_FPU_SIZE_MAX 2816

/* A thread interrupted anywhere: all that is needed to go on. The FPU part is
 * in XSAVE format (FXSAVE format where the processor has no XSAVE). */
struct arch_context {
    uint8_t fpu[ARCH_FPU_SIZE_MAX] __attribute__((aligned(64)));
    struct arch_frame frame;
    /* By the base: the code stepped itself into core, which goes on with that
     * when it leaves (struct base_upcall). */
    bool stepped;
};

/* Bytes of arch_context.fpu in use on this processor. Set by arch_fpu_init(),
 * which the base calls once on each processor before any application code. */
extern uint32_t arch_fpu_size;
extern bool arch_fpu_xsave;
void arch_fpu_init(void);
void arch_fpu_save(void *area);
void arch_fpu_restore(const void *area);
/* A fresh FPU state, as a new program sees it. */
void arch_fpu_reset(void);

/*
 * Leaves the calling thread and continues the one whose stack pointer is
 * next_sp; returns when somebody switches back. Saves what the System V ABI
 * lets a function rely on: rbx, rbp, r12 to r15, rsp, MXCSR and the x87
 * control word.
 */
void arch_switch(uint64_t *save_sp, uint64_t next_sp);
/* Continues next_sp without saving anything; the FPU may hold another
 * thread's state, so its registers are made clean first. */
void arch_switch_to(uint64_t next_sp) __attribute__((noreturn));
/* As arch_switch, but what runs next is fn, on the stack that ends at
 * stack_top. Returns when somebody switches back; fn does not. */
void arch_switch_call(uint64_t *save_sp, void *stack_top, void (*fn)(void));
/* Runs fn on the stack that ends at stack_top; never returns. */
void arch_call_on(void *stack_top, void (*fn)(void)) __attribute__((noreturn));

/* Steps on: a debug trap follows after the next instruction. */
static inline void arch_step(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\t" /* the red zone */
                     "pushfq\n\t"
                     "orb $1, 1(%%rsp)\n\t" /* TF, bit 8 */
                     "popfq\n\t"
                     "lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}

/*
 * Captures the caller's registers as a frame that, resumed, returns from this
 * call a second time with the value 1 (the first returns 0). Only what the
 * ABI keeps over a call is meaningful in it.
 */
int arch_capture(struct arch_frame *frame) __attribute__((returns_twice));

/*
 * Copies size bytes where either side may be the application's. Returns 0, or
 * -1 if the memory was not there (some bytes may have been copied): see
 * struct base_upcall.
 */
int arch_copy(void *to, const void *from, size_t size);
extern const char arch_copy_begin[], arch_copy_end[], arch_copy_fault[];

/* Where a signal handler returns to (its stack pointer is then the ucontext
 * in the signal frame that core/signal made): aligns the stack and calls
 * core_sigreturn(that stack pointer), which does not return. */
extern const char arch_sigreturn_trampoline[];

static inline uint64_t arch_tsc(void)
{
    uint64_t low, high; /* it clears their upper halves */
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return high << 32 | low;
}

static inline void arch_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "0"(leaf), "2"(subleaf));
}

#endif
