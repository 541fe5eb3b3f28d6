/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stack frame in which a signal handler runs, and the way back from it.
 *
 * The layout is Linux's for x86-64, since handlers read and change it: GHC,
 * profilers and coroutine libraries look at the registers in ucontext. From
 * low addresses: return address, ucontext (Linux's, whose signal set is 8
 * bytes; libc's struct is longer), siginfo, then the FPU state, 64-byte
 * aligned, in the form that arch/x86/include/uapi/asm/sigcontext.h describes.
 *
 * Linked only into programs that set a handler. Monitor held, but
 * core_sigreturn, which enters it.
 */
#include <ucontext.h>

#include "core/calls.h"
#include "core/signal/pending.h"

struct frame_ucontext {
    uint64_t flags;
    uint64_t link;
    stack_t stack;
    struct sigcontext registers;
    uint64_t mask;
};

struct signal_frame {
    uint64_t return_address;
    struct frame_ucontext context;
    siginfo_t info;
};
_Static_assert(sizeof(struct sigcontext) == 256, "Linux ABI");
_Static_assert(offsetof(struct frame_ucontext, mask) == 296, "Linux ABI");
_Static_assert(sizeof(struct signal_frame) == 440, "Linux ABI: rt_sigframe");
_Static_assert(offsetof(struct frame_ucontext, registers) ==
                   offsetof(ucontext_t, uc_mcontext),
               "libc's struct, too");
_Static_assert(offsetof(struct frame_ucontext, mask) ==
                   offsetof(ucontext_t, uc_sigmask),
               "libc's struct, too");

/* Below the stack pointer of interrupted code: System V ABI 3.2.2. */
#define RED_ZONE 128
/* asm/ucontext.h: FPU state is XSAVE's; ss is saved. */
#define UC_FP_XSTATE         1
#define UC_SIGCONTEXT_SS     2
#define UC_STRICT_RESTORE_SS 4
/* asm/sigcontext.h: struct _fpx_sw_bytes at byte 464 of the FXSAVE image. */
#define FPU_MAGIC1 0x46505853u
#define FPU_MAGIC2 0x46505845u
struct fpu_software {
    uint32_t magic1;
    uint32_t extended_size;
    uint64_t features;
    uint32_t size;
    uint32_t padding[7];
};
_Static_assert(sizeof(struct fpu_software) == 48, "Linux ABI");
#define FPU_MXCSR    24
#define FPU_SOFTWARE 464
#define FPU_HEADER   512 /* of XSAVE; 64 bytes, XSTATE_BV first */

/* The selectors that a Linux process sees. */
#define LINUX_CS 0x33
#define LINUX_SS 0x2b

/* Flags that application code may set: arithmetic, direction, trap, AC, ID. */
#define RFLAGS_APPLICATION 0x240dd5u
#define RFLAGS_ALWAYS      0x202u /* interrupts on */
#define RFLAGS_DIRECTION   0x400u
#define RFLAGS_TRAP        0x100u
#define RFLAGS_RESUME      0x10000u

#define SS_AUTODISARM_FLAG (1u << 31)

/* In the words of sigcontext that Linux reserves. */
#define KEPT_CANCEL_POINT 0

bool signal_on_alternate(const struct signal_thread *signal, uint64_t sp)
{
    if (signal->alt_flags & SS_AUTODISARM_FLAG)
        return false;
    return sp - signal->alt_base - 1 < signal->alt_size;
}

static uint64_t xcr0(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/* Bytes of FPU state in a frame. */
static size_t fpu_size(void)
{
    return arch_fpu_size + (arch_fpu_xsave ? sizeof(uint32_t) : 0);
}

static int fpu_push(uint8_t *fpu, uint64_t address)
{
    const uint32_t magic2 = FPU_MAGIC2;
    struct fpu_software software = {0};

    if (arch_fpu_xsave) {
        software.magic1 = FPU_MAGIC1;
        software.extended_size = (uint32_t)fpu_size();
        software.features = xcr0();
        software.size = arch_fpu_size;
        if (core_copy_out((void *)(address + arch_fpu_size), &magic2,
                          sizeof magic2) != 0)
            return -EFAULT;
    }
    memcpy(fpu + FPU_SOFTWARE, &software, sizeof software);
    return core_copy_out((void *)address, fpu, arch_fpu_size);
}

/* Brings an application's FPU image into a form that the processor loads
 * without a fault. */
static void fpu_check(uint8_t *fpu)
{
    uint32_t mxcsr;
    uint64_t present;

    memcpy(&mxcsr, fpu + FPU_MXCSR, sizeof mxcsr);
    mxcsr &= 0xffff;
    memcpy(fpu + FPU_MXCSR, &mxcsr, sizeof mxcsr);
    if (!arch_fpu_xsave)
        return;
    memcpy(&present, fpu + FPU_HEADER, sizeof present);
    present &= xcr0();
    memset(fpu + FPU_HEADER, 0, 64);
    memcpy(fpu + FPU_HEADER, &present, sizeof present);
}

static void fpu_clean(uint8_t *fpu)
{
    const uint16_t x87_control = 0x37f;
    const uint32_t mxcsr = 0x1f80;

    /* Where XSTATE_BV says that nothing is in use, the rest is not read. */
    if (arch_fpu_xsave)
        memset(fpu + FPU_HEADER, 0, 64);
    else
        memset(fpu, 0, FPU_HEADER);
    memcpy(fpu, &x87_control, sizeof x87_control);
    memcpy(fpu + FPU_MXCSR, &mxcsr, sizeof mxcsr);
}

static int fpu_pop(uint8_t *fpu, uint64_t address)
{
    struct fpu_software software;
    size_t size = 512;

    if (address == 0) {
        fpu_clean(fpu);
        return 0;
    }
    if (core_copy_in(&software, (const void *)(address + FPU_SOFTWARE),
                     sizeof software) != 0)
        return -EFAULT;
    /* An image without XSAVE's part, as a program may make it by hand, says
     * so: then the rest is as after reset. */
    memset(fpu + FPU_HEADER, 0, 64);
    if (arch_fpu_xsave && software.magic1 == FPU_MAGIC1 &&
        software.size == arch_fpu_size)
        size = arch_fpu_size;
    if (core_copy_in(fpu, (const void *)address, size) != 0)
        return -EFAULT;
    if (size == 512)
        fpu[FPU_HEADER] = 3; /* x87 and SSE */
    fpu_check(fpu);
    return 0;
}

/* Those that have the same name in both structures. */
#define COPY_REGISTERS(to, from)                                               \
    do {                                                                       \
        COPY(to, from, r8);                                                    \
        COPY(to, from, r9);                                                    \
        COPY(to, from, r10);                                                   \
        COPY(to, from, r11);                                                   \
        COPY(to, from, r12);                                                   \
        COPY(to, from, r13);                                                   \
        COPY(to, from, r14);                                                   \
        COPY(to, from, r15);                                                   \
        COPY(to, from, rdi);                                                   \
        COPY(to, from, rsi);                                                   \
        COPY(to, from, rbp);                                                   \
        COPY(to, from, rbx);                                                   \
        COPY(to, from, rdx);                                                   \
        COPY(to, from, rax);                                                   \
        COPY(to, from, rcx);                                                   \
        COPY(to, from, rsp);                                                   \
        COPY(to, from, rip);                                                   \
    } while (0)
#define COPY(to, from, name) ((to)->name = (from)->name)

static void registers_save(struct sigcontext *to, const struct arch_frame *from)
{
    COPY_REGISTERS(to, from);
    to->eflags = from->rflags & ~(uint64_t)RFLAGS_RESUME;
    to->cs = LINUX_CS;
    to->__pad0 = LINUX_SS;
}

static void registers_restore(struct arch_frame *to,
                              const struct sigcontext *from)
{
    COPY_REGISTERS(to, from);
    to->rflags = (from->eflags & RFLAGS_APPLICATION) | RFLAGS_ALWAYS;
}

/* Where the frame goes, or 0 if the alternate stack is full. */
static uint64_t frame_place(const struct signal_thread *signal, uint64_t sp,
                            bool alternate, uint64_t *fpu_address)
{
    bool inside = signal_on_alternate(signal, sp);
    uint64_t at = sp - RED_ZONE;

    if (alternate && !inside && signal->alt_size != 0) {
        at = signal->alt_base + signal->alt_size;
        inside = true;
    }
    *fpu_address = (at - fpu_size()) & ~63ull;
    /* As a call leaves it: 8 below a multiple of 16. */
    at = ((*fpu_address - sizeof(struct signal_frame)) & ~15ull) - 8;
    if (inside && at < signal->alt_base)
        return 0;
    return at;
}

static void frame_fill(struct signal_frame *frame, struct thread *thread,
                       int number, const siginfo_t *info, uint64_t fpu_address)
{
    struct signal_thread *signal = &thread->signal;
    struct frame_ucontext *context = &frame->context;

    memset(frame, 0, sizeof *frame);
    frame->return_address = (uint64_t)(uintptr_t)arch_sigreturn_trampoline;
    context->flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS |
                     (arch_fpu_xsave ? UC_FP_XSTATE : 0);
    context->stack.ss_sp = (void *)signal->alt_base;
    context->stack.ss_size = signal->alt_size;
    context->stack.ss_flags =
        (int)(signal->alt_size == 0 ? SS_DISABLE
              : signal_on_alternate(signal, thread->context.frame.rsp)
                  ? SS_ONSTACK | signal->alt_flags
                  : signal->alt_flags);
    registers_save(&context->registers, &thread->context.frame);
    context->registers.fpstate = (void *)fpu_address;
    context->registers.trapno = signal_trap.vector;
    context->registers.err = signal_trap.error;
    context->registers.cr2 = signal_trap.address;
    context->registers.__reserved1[KEPT_CANCEL_POINT] = thread->cancel_point;
    context->mask = signal->restore_mask ? signal->mask_saved : signal->mask;
    frame->info = *info;
    frame->info.si_signo = number;
}

/* The handler's registers: handler(signal, &info, &ucontext). */
static void frame_enter(struct thread *thread, uint64_t at, uint64_t handler,
                        int signal)
{
    struct arch_frame *frame = &thread->context.frame;

    frame->rip = handler;
    frame->rsp = at;
    frame->rdi = (uint64_t)signal;
    frame->rsi = at + offsetof(struct signal_frame, info);
    frame->rdx = at + offsetof(struct signal_frame, context);
    frame->rax = 0;
    frame->rflags &=
        ~(uint64_t)(RFLAGS_DIRECTION | RFLAGS_TRAP | RFLAGS_RESUME);
    fpu_clean(thread->context.fpu);
}

static void frame_failed(int signal)
{
    siginfo_t info = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};

    /* Another stack may do for SIGSEGV; nothing does if it failed itself. */
    if (signal == SIGSEGV)
        signal_die(SIGSEGV, &info);
    signal_force(SIGSEGV, &info);
}

void signal_frame_make(int signal, const siginfo_t *info)
{
    struct thread *thread = thread_current;
    struct signal_action *action = &signal_actions[signal - 1];
    const struct signal_action act = *action;
    struct signal_frame frame;
    uint64_t at, fpu_address;

    if (thread->signal.in_core != 0 &&
        thread->context.frame.rip == thread->signal.in_core) {
        /* Linux decides by the first signal: see signal_deliver_in_core. */
        thread->context.frame.rax = act.flags & SA_RESTART ? 1 : 3;
        thread->signal.in_core = 0;
    }
    if (thread->context.stepped) {
        /* Out of core: the handler is not stepped through, what comes after
         * it is. */
        thread->context.stepped = false;
        thread->context.frame.rflags |= RFLAGS_TRAP;
    }
    at = frame_place(&thread->signal, thread->context.frame.rsp,
                     act.flags & SA_ONSTACK, &fpu_address);
    frame_fill(&frame, thread, signal, info, fpu_address);
    if (at == 0 || fpu_push(thread->context.fpu, fpu_address) != 0 ||
        core_copy_out((void *)at, &frame, sizeof frame) != 0) {
        frame_failed(signal);
        return;
    }
    if (act.flags & SA_RESETHAND)
        action->handler = SIGNAL_DEFAULT;
    if (thread->signal.alt_flags & SS_AUTODISARM_FLAG) {
        thread->signal.alt_size = 0;
        thread->signal.alt_flags = SS_DISABLE;
    }
    thread->cancel_point = false;
    thread->signal.restore_mask = false;
    thread->signal.mask |= act.mask;
    if (!(act.flags & SA_NODEFER))
        thread->signal.mask |= signal_bit(signal);
    thread->signal.mask &= ~SIGNAL_UNMASKABLE;
    frame_enter(thread, at, act.handler, signal);
}

static bool canonical(uint64_t address)
{
    return (int64_t)(address << 16) >> 16 == (int64_t)address;
}

/* As Linux's restore_altstack: the alternate stack is again what it was when
 * the signal came, unless the thread goes on there. */
static void alternate_restore(struct signal_thread *signal,
                              const stack_t *stack, uint64_t sp)
{
    unsigned flags = (unsigned)stack->ss_flags;

    if (signal_on_alternate(signal, sp))
        return;
    if (flags & SS_DISABLE) {
        signal->alt_base = signal->alt_size = 0;
        signal->alt_flags = SS_DISABLE;
        return;
    }
    signal->alt_base = (uint64_t)(uintptr_t)stack->ss_sp;
    signal->alt_size = stack->ss_size;
    signal->alt_flags = flags & SS_AUTODISARM_FLAG;
}

/* Called by arch_sigreturn_trampoline, without the monitor. */
void core_sigreturn(const void *user_context) __attribute__((noreturn));
void core_sigreturn(const void *user_context)
{
    struct thread *thread = thread_current;
    struct signal_thread *signal = &thread->signal;
    struct frame_ucontext context;

    core_enter();
    if (core_copy_in(&context, user_context, sizeof context) != 0 ||
        !canonical(context.registers.rip) ||
        !canonical(context.registers.rsp) ||
        fpu_pop(thread->context.fpu,
                (uint64_t)(uintptr_t)context.registers.fpstate) != 0)
        signal_die(SIGSEGV, NULL);
    registers_restore(&thread->context.frame, &context.registers);
    thread->cancel_point = context.registers.__reserved1[KEPT_CANCEL_POINT];
    signal_mask_set(context.mask);
    alternate_restore(signal, &context.stack, context.registers.rsp);
    thread_continue();
}

/* rt_sigreturn(2) as a call: there is no frame, since handlers do not return
 * through it. */
long core_rt_sigreturn(void)
{
    core_enter();
    signal_die(SIGSEGV, NULL);
}
