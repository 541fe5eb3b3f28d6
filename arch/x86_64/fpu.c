/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The state of x87, SSE and AVX: its size, saving and restoring it.
 *
 * The base has switched on what it wants (CR4, XCR0) before it calls
 * arch_fpu_init; this file reads it back with unprivileged instructions, so
 * it serves every base. With XSAVE the area's header beyond XSTATE_BV must be
 * zero before the first save: areas start zeroed.
 */
#include "arch.h"

#define CPUID_1_ECX_OSXSAVE (1u << 27)

uint32_t arch_fpu_size;
bool arch_fpu_xsave;

/* Nothing in use (XSTATE_BV 0), with the control words that FXRSTOR and
 * XRSTOR read all the same. Intel SDM volume 1, 10.5.1 and 13.4. */
static struct {
    uint16_t x87_control;
    uint16_t x87_rest[11];
    uint32_t mxcsr;
    uint32_t mxcsr_mask;
    uint8_t registers[480];
    uint8_t header[64];
} __attribute__((aligned(64))) fpu_clean;
_Static_assert(sizeof(fpu_clean) == 576, "legacy area and header");

void arch_fpu_init(void)
{
    uint32_t regs[4];

    arch_cpuid(1, 0, regs);
    arch_fpu_xsave = (regs[2] & CPUID_1_ECX_OSXSAVE) != 0;
    arch_fpu_size = 512;
    if (arch_fpu_xsave) {
        arch_cpuid(0xd, 0, regs);
        arch_fpu_size = regs[1]; /* EBX: for what XCR0 has on */
    }
    if (arch_fpu_size > ARCH_FPU_SIZE_MAX)
        __builtin_trap(); /* the base switched on more than there is room for */
    fpu_clean.x87_control = 0x37f;
    fpu_clean.mxcsr = 0x1f80;
    arch_fpu_reset();
}

void arch_fpu_save(void *area)
{
    if (arch_fpu_xsave)
        __asm__ volatile("xsave64 (%0)" ::"r"(area), "a"(-1), "d"(-1)
                         : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" ::"r"(area) : "memory");
}

void arch_fpu_restore(const void *area)
{
    if (arch_fpu_xsave)
        __asm__ volatile("xrstor64 (%0)" ::"r"(area), "a"(-1), "d"(-1)
                         : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" ::"r"(area) : "memory");
}

void arch_fpu_reset(void)
{
    arch_fpu_restore(&fpu_clean);
}
