/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts of application code become upcalls and leave no trace in it, a
 * thousand times a second: not in registers, nor in the red zone, nor in SSE,
 * AVX and x87. Interrupts of core leave a note, which resume() honours.
 */
#include "check.h"

#define TICK_NS 1000000u
#define TICKS   300u

uint64_t registers_hold(volatile unsigned *count, unsigned until, bool avx);

static void tick(uint32_t ready, const struct base_fault *fault)
{
    CHECK(ready & BASE_READY_TIMER);
    CHECK(fault == NULL);
    /* Core is free to use the FPU. */
    arch_fpu_reset();
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; pcmpeqd %%xmm15, %%xmm15;"
                     "fldz; fldz; fldz" ::
                         : "memory");
    base->timer_set(base->clock_monotonic() + TICK_NS);
}

static bool has_avx2(void)
{
    uint32_t regs[4];

    arch_cpuid(1, 0, regs);
    if (!(regs[2] >> 27 & 1) || !(regs[2] >> 28 & 1))
        return false;
    arch_cpuid(7, 0, regs);
    return regs[1] >> 5 & 1;
}

/* While core is at work the upcall waits, and resume() returns. */
static void attention_waits(void)
{
    unsigned before = upcalls;
    uint64_t start = base->clock_monotonic();

    enter();
    attention = 0;
    base->timer_set(start + TICK_NS);
    while (!attention)
        CHECK(base->clock_monotonic() - start < 5000000000u);
    CHECK(upcalls == before);
    base->resume(interrupted);
    CHECK(locked && attention);
    CHECK(base->wait(0) & BASE_READY_TIMER);
    CHECK(base->wait(0) == 0);
    attention = 0;
}

void test_main(void)
{
    upcalls_start();
    attention_waits();
    on_upcall = tick;
    base->timer_set(base->clock_monotonic() + TICK_NS);
    leave();
    CHECK(registers_hold(&upcalls, upcalls + TICKS, has_avx2()) == 0);
    CHECK(registers_hold(&upcalls, upcalls + TICKS, false) == 0);
    enter();
    on_upcall = NULL;
    base->timer_set(UINT64_MAX);
    attention_waits();
    pass();
}
