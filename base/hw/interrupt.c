/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a vector to whoever wants to know: device handlers, core's upcall,
 * arch_copy, or a crash report.
 *
 * The hw_ functions that entry.S calls run on interrupt stacks with interrupts
 * off. While core is at work (*locked) they only leave a note; else the
 * interrupted registers go to core's context and core takes over.
 */
#include "drivers/xen/xen.h"
#include "parts.h"

enum exception {
    EXCEPTION_DIVIDE = 0,
    EXCEPTION_DEBUG = 1,
    EXCEPTION_BREAKPOINT = 3,
    EXCEPTION_OVERFLOW = 4,
    EXCEPTION_INVALID = 6,
    EXCEPTION_STACK = 12,
    EXCEPTION_PROTECTION = 13,
    EXCEPTION_PAGE = 14,
    EXCEPTION_X87 = 16,
    EXCEPTION_ALIGNMENT = 17,
    EXCEPTION_SIMD = 19,
};

static const char *const exception_names[] = {
    "division error",      "debug trap",       "non-maskable interrupt",
    "breakpoint",          "overflow",         "bound range",
    "invalid instruction", "no FPU",           "double fault",
    "exception 9",         "invalid TSS",      "missing segment",
    "stack fault",         "protection fault", "page fault",
    "exception 15",        "x87 exception",    "alignment fault",
    "machine check",       "SIMD exception"};
#define EXCEPTION_NAMES (sizeof(exception_names) / sizeof(exception_names[0]))

/* Bits of a page fault's error code. */
#define PAGE_FAULT_PRESENT 1u
#define PAGE_FAULT_WRITE   2u
#define PAGE_FAULT_FETCH   16u

#define RFLAGS_TRAP 0x100u

#define STATUS_ABORT 134
#define STATUS_FAULT 139 /* 128 + SIGSEGV */

#define LINES_MAX 64 /* handlers */
#define GSI_NONE  UINT32_MAX

struct line {
    void (*handler)(void *);
    void *argument;
    uint32_t gsi;
    uint8_t next; /* another handler of this vector, as an index + 1 */
};

struct base_upcall hw_upcall;
bool hw_upcall_known;

static struct line lines[LINES_MAX];
static unsigned line_count;
static uint8_t vector_lines[HW_VECTORS_DEVICE]; /* index + 1 of the first */
static unsigned vectors_used = 1;               /* the first is the timer */
static uint32_t ready_bits;
static struct base_fault fault_told;

/* -- handlers -- */

void hw_ready(uint32_t ready)
{
    ready_bits |= ready;
}

uint32_t hw_ready_take(void)
{
    uint32_t ready = ready_bits;

    ready_bits = 0;
    return ready;
}

static void vector_join(unsigned index, void (*handler)(void *), void *argument,
                        uint32_t gsi)
{
    struct line *line = &lines[line_count];

    line->handler = handler;
    line->argument = argument;
    line->gsi = gsi;
    line->next = vector_lines[index];
    vector_lines[index] = ++line_count;
}

/* The spurious vector is the last and not for devices. */
static bool vector_left(void)
{
    return line_count < LINES_MAX && vectors_used < HW_VECTORS_DEVICE - 1;
}

enum base_status hw_irq_line(unsigned gsi, bool level, bool active_low,
                             void (*handler)(void *), void *argument)
{
    unsigned index;

    if (!vector_left())
        return BASE_NODEV;
    for (index = 1; index < vectors_used; index++)
        if (lines[vector_lines[index] - 1].gsi == gsi)
            break;
    hw_interrupts_off();
    vector_join(index, handler, argument, gsi);
    hw_interrupts_on();
    if (index < vectors_used)
        return BASE_OK; /* shared, and routed already */
    vectors_used++;
    return hw_ioapic_route(gsi, HW_VECTORS_EXCEPTION + index, level, active_low)
               ? BASE_OK
               : BASE_NODEV;
}

enum base_status hw_irq_message(void (*handler)(void *), void *argument,
                                uint64_t *address, uint32_t *data)
{
    if (!vector_left())
        return BASE_NODEV;
    vector_join(vectors_used, handler, argument, GSI_NONE);
    *address = 0xfee00000 | hw_apic_id() << 12;
    *data = HW_VECTORS_EXCEPTION + vectors_used++;
    return BASE_OK;
}

/* -- upcalls -- */

/* Calls core in the place of what was interrupted. */
static void deliver(const struct hw_trap *trap, const struct base_fault *fault)
    __attribute__((noreturn));
static void deliver(const struct hw_trap *trap, const struct base_fault *fault)
{
    struct arch_context *context = *hw_upcall.interrupted;
    struct arch_frame *frame = &context->frame;
    const uint64_t *from = &trap->r15;
    uint64_t *to = &frame->r15;
    uint32_t ready = hw_ready_take();

    /* A page fault in here would overwrite the page fault's own stack. */
    hw_arena_touch((uint64_t)context, BASE_FAULT_WRITE);
    hw_arena_touch((uint64_t)(context + 1) - 1, BASE_FAULT_WRITE);

    while (from <= &trap->rdi)
        *to++ = *from++;
    frame->rip = trap->rip;
    frame->rflags = trap->rflags;
    frame->rsp = trap->rsp;
    arch_fpu_save(context->fpu);
    *hw_upcall.locked = 1;
    if (fault)
        ready |= BASE_READY_FAULT;
    if (xen_pv)
        xenpv_upcall_enter(hw_upcall.stack_top, ready, fault);
    hw_upcall_enter(hw_upcall.stack_top, ready, fault);
}

void hw_upcall_main(uint32_t ready, const struct base_fault *fault)
{
    hw_late_init();
    if (xen_present)
        xen_store_work();
    hw_upcall.upcall(ready, fault);
    hw_crash("the upcall returned", NULL, 0, STATUS_ABORT);
}

void hw_upcall_set(const struct base_upcall *upcall)
{
    hw_interrupts_off();
    hw_upcall = *upcall;
    hw_upcall_known = true;
    if (ready_bits != 0)
        *hw_upcall.attention = 1;
    hw_late_arm();
    hw_interrupts_on();
}

void hw_resume(struct arch_context *context)
{
    HW_ASSERT(*hw_upcall.locked);
    if (xen_pv) {
        xenpv_resume(context);
        return;
    }
    hw_interrupts_off();
    if (*hw_upcall.attention) {
        hw_interrupts_on();
        return;
    }
    arch_fpu_restore(context->fpu);
    *hw_upcall.locked = 0;
    hw_frame_resume(&context->frame);
}

/* -- vectors -- */

void hw_interrupt(struct hw_trap *trap)
{
    unsigned index = trap->vector - HW_VECTORS_EXCEPTION, line;

    if (trap->rip == (uint64_t)hw_idle_halt)
        trap->rip = (uint64_t)hw_idle_end;
    if (trap->vector == HW_VECTOR_SPURIOUS)
        return; /* takes no end-of-interrupt */
    if (trap->vector == HW_VECTOR_TIMER)
        hw_timer_interrupt();
    for (line = vector_lines[index]; line != 0; line = lines[line - 1].next)
        lines[line - 1].handler(lines[line - 1].argument);
    hw_apic_eoi();
    hw_interrupt_end(trap);
}

void hw_interrupt_end(struct hw_trap *trap)
{
    if (ready_bits == 0 || !hw_upcall_known)
        return;
    if (*hw_upcall.locked)
        *hw_upcall.attention = 1;
    else
        deliver(trap, NULL);
}

/* An exception that is not a promise to keep: the application's fault, core's
 * arch_copy, or the end. */
static void fault(struct hw_trap *trap, const struct base_fault *fault)
{
    uint64_t rip = trap->rip;

    if (fault->kind != BASE_FAULT_NONE && hw_upcall_known) {
        /* Also of calls that do without the monitor: they say EFAULT. */
        if (fault->kind != BASE_FAULT_STEP &&
            rip >= (uint64_t)arch_copy_begin && rip < (uint64_t)arch_copy_end) {
            trap->rip = (uint64_t)arch_copy_fault;
            return;
        }
        if (!*hw_upcall.locked) {
            fault_told = *fault;
            deliver(trap, &fault_told);
        }
    }
    hw_crash(trap->vector < EXCEPTION_NAMES ? exception_names[trap->vector]
                                            : "exception",
             trap, fault->address,
             fault->kind == BASE_FAULT_MEMORY || fault->kind == BASE_FAULT_BUS
                 ? STATUS_FAULT
                 : STATUS_ABORT);
}

void hw_page_fault(struct hw_trap *trap, uint64_t address)
{
    struct base_fault told = {.kind = BASE_FAULT_MEMORY, .address = address};

    if (trap->error & PAGE_FAULT_WRITE)
        told.access |= BASE_FAULT_WRITE;
    if (trap->error & PAGE_FAULT_FETCH)
        told.access |= BASE_FAULT_EXECUTE;
    if (hw_arena_touch(address, told.access))
        return;
    if (trap->error & PAGE_FAULT_PRESENT)
        told.access |= BASE_FAULT_PRESENT;
    fault(trap, &told);
}

static enum base_fault_kind kind_of(unsigned vector)
{
    switch (vector) {
    case EXCEPTION_DIVIDE:
        return BASE_FAULT_DIVIDE;
    case EXCEPTION_DEBUG:
        return BASE_FAULT_STEP;
    case EXCEPTION_BREAKPOINT:
        return BASE_FAULT_BREAKPOINT;
    case EXCEPTION_OVERFLOW:
    case EXCEPTION_STACK:
    case EXCEPTION_PROTECTION:
    case EXCEPTION_ALIGNMENT:
        return BASE_FAULT_BUS;
    case EXCEPTION_INVALID:
        return BASE_FAULT_INSTRUCTION;
    case EXCEPTION_X87:
    case EXCEPTION_SIMD:
        return BASE_FAULT_FLOAT;
    default:
        return BASE_FAULT_NONE;
    }
}

void hw_exception(struct hw_trap *trap)
{
    struct base_fault told = {.kind = kind_of(trap->vector),
                              .address = trap->rip};

    if (trap->vector == EXCEPTION_DEBUG && hw_upcall_known &&
        *hw_upcall.locked) {
        trap->rflags &= ~(uint64_t)RFLAGS_TRAP;
        (*hw_upcall.interrupted)->stepped = true;
        *hw_upcall.attention = 1;
        return;
    }
    fault(trap, &told);
}
