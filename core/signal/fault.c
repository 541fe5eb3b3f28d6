/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Faults of application code: SIGSEGV and its like with what siginfo says of
 * them, or, if the program does not handle that, a report and the end.
 * Called from the upcall, on the core stack, monitor held.
 */
#include "core/mem/mem.h"
#include "core/signal/pending.h"

/* Vectors and page fault error bits of x86: Intel SDM volume 3, 6.15. */
#define VECTOR_DIVIDE     0
#define VECTOR_DEBUG      1
#define VECTOR_BREAKPOINT 3
#define VECTOR_INVALID    6
#define VECTOR_PROTECTION 13
#define VECTOR_PAGE       14
#define VECTOR_X87        16
#define VECTOR_SSE        19
#define ERROR_PRESENT     1u
#define ERROR_WRITE       2u
#define ERROR_USER        4u
#define ERROR_FETCH       16u

static int memory_code(const struct base_fault *fault)
{
    uint64_t page = fault->address & ~(uint64_t)(LIMIT_PAGE_SIZE - 1);

    if ((fault->access & BASE_FAULT_PRESENT) ||
        mem_is_mapped(page, LIMIT_PAGE_SIZE, BASE_PROT_NONE))
        return SEGV_ACCERR;
    return SEGV_MAPERR;
}

static int float_code_of(unsigned exceptions)
{
    if (exceptions & 0x01)
        return FPE_FLTINV;
    if (exceptions & 0x04)
        return FPE_FLTDIV;
    if (exceptions & 0x08)
        return FPE_FLTOVF;
    if (exceptions & 0x12)
        return FPE_FLTUND;
    return FPE_FLTRES;
}

/* Which unmasked exception the saved FPU state shows; the x87 first. */
static int float_code(const uint8_t *fpu)
{
    uint16_t control, status;
    uint32_t mxcsr;
    unsigned raised;

    memcpy(&control, fpu, sizeof control);
    memcpy(&status, fpu + 2, sizeof status);
    memcpy(&mxcsr, fpu + 24, sizeof mxcsr);
    raised = status & ~(unsigned)control & 0x3f;
    signal_trap.vector = raised ? VECTOR_X87 : VECTOR_SSE;
    if (raised == 0)
        raised = mxcsr & ~(mxcsr >> 7) & 0x3f;
    return float_code_of(raised);
}

static void describe(const struct base_fault *fault, siginfo_t *info)
{
    const struct arch_context *context = &thread_current->context;

    info->si_addr = (void *)fault->address;
    switch (fault->kind) {
    case BASE_FAULT_MEMORY:
        info->si_signo = SIGSEGV;
        info->si_code = memory_code(fault);
        signal_trap.vector = VECTOR_PAGE;
        signal_trap.address = fault->address;
        signal_trap.error =
            ERROR_USER | (fault->access & BASE_FAULT_WRITE ? ERROR_WRITE : 0) |
            (fault->access & BASE_FAULT_EXECUTE ? ERROR_FETCH : 0) |
            (fault->access & BASE_FAULT_PRESENT ? ERROR_PRESENT : 0);
        return;
    case BASE_FAULT_INSTRUCTION:
        info->si_signo = SIGILL;
        info->si_code = ILL_ILLOPN;
        signal_trap.vector = VECTOR_INVALID;
        break;
    case BASE_FAULT_DIVIDE:
        info->si_signo = SIGFPE;
        info->si_code = FPE_INTDIV;
        signal_trap.vector = VECTOR_DIVIDE;
        break;
    case BASE_FAULT_FLOAT:
        info->si_signo = SIGFPE;
        info->si_code = float_code(context->fpu);
        break;
    case BASE_FAULT_BREAKPOINT:
        info->si_signo = SIGTRAP;
        info->si_code = SI_KERNEL;
        signal_trap.vector = VECTOR_BREAKPOINT;
        return;
    case BASE_FAULT_STEP:
        info->si_signo = SIGTRAP;
        info->si_code = TRAP_TRACE;
        signal_trap.vector = VECTOR_DEBUG;
        break;
    default: /* a bad address that has no page: Linux says no more, either */
        info->si_signo = SIGSEGV;
        info->si_code = SI_KERNEL;
        info->si_addr = NULL;
        signal_trap.vector = VECTOR_PROTECTION;
        return;
    }
    info->si_addr = (void *)context->frame.rip;
}

static const char *cause(const struct base_fault *fault)
{
    switch (fault->kind) {
    case BASE_FAULT_MEMORY:
        if (fault->access & BASE_FAULT_EXECUTE)
            return "execution of";
        return fault->access & BASE_FAULT_WRITE ? "write to" : "read of";
    case BASE_FAULT_INSTRUCTION:
        return "undefined instruction at";
    case BASE_FAULT_DIVIDE:
        return "integer division at";
    case BASE_FAULT_FLOAT:
        return "floating point exception at";
    case BASE_FAULT_BREAKPOINT:
    case BASE_FAULT_STEP:
        return "breakpoint at";
    default:
        return "address out of range, by the instruction at";
    }
}

#define BACKTRACE_LINES 16
#define BACKTRACE_WORDS 1024

extern const char __ehdr_start[], etext[]; /* by the linker */

/* Whether the word is an address after a call instruction: code is compiled
 * without frame pointers, so return addresses are told by that. */
static bool is_return_address(uint64_t word)
{
    uint8_t before[7];

    if (word < (uint64_t)(uintptr_t)__ehdr_start + sizeof before ||
        word >= (uint64_t)(uintptr_t)etext ||
        core_copy_in(before, (const void *)(word - 7), sizeof before) != 0)
        return false;
    return before[2] == 0xe8 ||                                 /* call rel32 */
           (before[5] == 0xff && (before[6] & 0x38) == 0x10) || /* call r/m */
           (before[4] == 0xff && (before[5] & 0x38) == 0x10) ||
           (before[1] == 0xff && (before[2] & 0x38) == 0x10);
}

/* Lines in the form that the host tool puts names to: as base/hw/crash.c. */
static void backtrace(const struct arch_frame *frame)
{
    uint64_t word;
    unsigned lines = 1;

    core_log("  #0 0x%lx\n", frame->rip);
    for (uint64_t i = 0; i < BACKTRACE_WORDS && lines < BACKTRACE_LINES; i++) {
        if (core_copy_in(&word, (const void *)(frame->rsp + 8 * i),
                         sizeof word) != 0)
            break;
        if (is_return_address(word)) {
            core_log("  #%u 0x%lx\n", lines, word);
            lines++;
        }
    }
}

static void report(const struct base_fault *fault)
{
    const struct thread *thread = thread_current;
    const struct arch_frame *f = &thread->context.frame;

    core_log("halvm: thread %d: %s 0x%lx\n", thread->tid, cause(fault),
             fault->kind == BASE_FAULT_MEMORY ? fault->address : f->rip);
    core_log("  rip %016lx rsp %016lx rflags %lx\n", f->rip, f->rsp, f->rflags);
    core_log("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax, f->rbx,
             f->rcx, f->rdx);
    core_log("  rsi %016lx rdi %016lx rbp %016lx r8  %016lx\n", f->rsi, f->rdi,
             f->rbp, f->r8);
    core_log("  r9  %016lx r10 %016lx r11 %016lx r12 %016lx\n", f->r9, f->r10,
             f->r11, f->r12);
    core_log("  r13 %016lx r14 %016lx r15 %016lx\n", f->r13, f->r14, f->r15);
    backtrace(f);
}

void signal_fault(const struct base_fault *fault)
{
    struct thread *thread = thread_current;
    siginfo_t info = {0};

    ASSERT(fault != NULL && fault->kind != BASE_FAULT_NONE);
    memset(&signal_trap, 0, sizeof signal_trap);
    describe(fault, &info);
    if (signal_actions[info.si_signo - 1].handler <= SIGNAL_IGNORE ||
        (thread->signal.mask & signal_bit(info.si_signo)))
        report(fault);
    signal_force(info.si_signo, &info);
    memset(&signal_trap, 0, sizeof signal_trap);
}
