/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faults of application code come as upcalls that say what happened; those of
 * arch_copy come back from it as -1; protection holds.
 */
#include "check.h"

#define PAGE 4096ull

static volatile uint8_t *target;
static const uint32_t constant = 5;
static volatile uint8_t data_code[16] = {0xc3};

static void read_target(void)
{
    (void)*target;
}

static void write_target(void)
{
    *target = 1;
}

static void call_target(void)
{
    ((void (*)(void))(uintptr_t)target)();
}

static void undefined(void)
{
    __asm__ volatile("ud2");
}

static void breakpoint(void)
{
    __asm__ volatile("int3");
}

static void divide(void)
{
    __asm__ volatile("div %%ecx" ::"a"(1), "d"(0), "c"(0));
}

static void not_canonical(void)
{
    __asm__ volatile("mov (%0), %%al" ::"r"(0x800000000000ull) : "rax");
}

/* The SSE kind is the same to the base, but QEMU's TCG never raises it. */
static void x87_divide(void)
{
    const uint16_t control = 0x37b; /* division by zero unmasked */
    const uint32_t zero = 0;

    __asm__ volatile("fldcw %0; fld1; fdivs %1; fwait" ::"m"(control),
                     "m"(zero));
}

static const struct base_fault *expect(void (*fn)(void),
                                       enum base_fault_kind kind)
{
    const struct base_fault *fault = fault_of(fn);

    if (fault == NULL || fault->kind != kind) {
        say("expected kind ");
        say_number(kind);
        say(", saw ");
        say_number(fault ? fault->kind : BASE_FAULT_NONE);
        say("\n");
    }
    CHECK(fault != NULL);
    CHECK(fault->kind == kind);
    return fault;
}

static void memory_fault(void (*fn)(void), uint64_t address, uint32_t access)
{
    const struct base_fault *fault;

    target = (void *)address;
    fault = expect(fn, BASE_FAULT_MEMORY);
    CHECK(fault->address == address);
    CHECK(fault->access == access);
}

static void memory_faults(void)
{
    uint64_t p = fresh(PAGE);
    const uint32_t rw = BASE_PROT_READ | BASE_PROT_WRITE;

    memory_fault(read_target, 0, 0);
    memory_fault(write_target, 8, BASE_FAULT_WRITE);
    memory_fault(read_target, p, 0);
    CHECK(base->mem_map(p, PAGE, BASE_PROT_NONE) == BASE_OK);
    memory_fault(read_target, p, 0);
    CHECK(base->mem_map(p, PAGE, BASE_PROT_READ) == BASE_OK);
    CHECK(fault_of(read_target) == NULL);
    memory_fault(write_target, p, BASE_FAULT_WRITE | BASE_FAULT_PRESENT);
    CHECK(base->mem_map(p, PAGE, rw) == BASE_OK);
    CHECK(fault_of(write_target) == NULL);
    *target = 0xc3; /* ret */
    memory_fault(call_target, p, BASE_FAULT_EXECUTE | BASE_FAULT_PRESENT);
    CHECK(base->mem_map(p, PAGE, BASE_PROT_READ | BASE_PROT_EXEC) == BASE_OK);
    CHECK(fault_of(call_target) == NULL);
    memory_fault(write_target, p, BASE_FAULT_WRITE | BASE_FAULT_PRESENT);
    base->mem_unmap(p, PAGE);
    memory_fault(read_target, p, 0);

    memory_fault(write_target, (uint64_t)test_main,
                 BASE_FAULT_WRITE | BASE_FAULT_PRESENT);
    memory_fault(write_target, (uint64_t)&constant,
                 BASE_FAULT_WRITE | BASE_FAULT_PRESENT);
    memory_fault(call_target, (uint64_t)data_code,
                 BASE_FAULT_EXECUTE | BASE_FAULT_PRESENT);
}

static void copies(void)
{
    uint64_t p = fresh(2 * PAGE), i;
    static uint8_t buffer[2 * PAGE];

    CHECK(base->mem_map(p, PAGE, BASE_PROT_READ | BASE_PROT_WRITE) == BASE_OK);
    for (i = 0; i < sizeof(buffer); i++)
        buffer[i] = (uint8_t)(i * 7);
    for (i = 0; i < 200; i++) {
        CHECK(arch_copy((void *)(p + i), buffer + 3, i) == 0);
        CHECK(i == 0 || ((uint8_t *)p)[i + i - 1] == buffer[3 + i - 1]);
    }
    CHECK(arch_copy((void *)p, buffer, PAGE) == 0);
    CHECK(arch_copy((void *)p, buffer, PAGE + 1) == -1);
    CHECK(arch_copy((void *)(p + PAGE - 8), buffer, 16) == -1);
    CHECK(arch_copy(buffer, NULL, 1) == -1);
    CHECK(arch_copy(buffer, (void *)0x800000000000ull, 8) == -1);
    CHECK(arch_copy(buffer, (void *)(UINT64_MAX - 3), 8) == -1);
    CHECK(arch_copy((void *)(uint64_t)test_main, buffer, 8) == -1);
    CHECK(arch_copy(NULL, NULL, 0) == 0);
}

static void step_on(void)
{
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop" ::
                         : "memory", "cc");
}

static uint64_t flags(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq; pop %0" : "=r"(flags));
    return flags;
}

/* Application code that steps itself into core: the base takes the flag away
 * there and leaves a note. */
static void steps(void)
{
    expect(step_on, BASE_FAULT_STEP);
    CHECK(!(flags() & 0x100));
    attention = 0;
    CHECK(!interrupted->stepped);
    step_on();
    CHECK(!(flags() & 0x100));
    CHECK(interrupted->stepped);
    CHECK(attention == 1);
    attention = 0;
}

void test_main(void)
{
    upcalls_start();
    memory_faults();
    expect(undefined, BASE_FAULT_INSTRUCTION);
    expect(breakpoint, BASE_FAULT_BREAKPOINT);
    steps();
    expect(divide, BASE_FAULT_DIVIDE);
    expect(not_canonical, BASE_FAULT_BUS);
    expect(x87_divide, BASE_FAULT_FLOAT);
    arch_fpu_reset();
    copies();
    pass();
}
