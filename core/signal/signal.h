/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signals: real ones, delivered to running code.
 *
 * A signal is pending on a thread or on the program. It is delivered to a
 * thread that does not mask it: at once if interrupted in application code,
 * at the end of its system call if in core. Delivery builds Linux's
 * rt_sigframe (ucontext, siginfo, FPU state) on the thread's stack, below the
 * red zone, or on its alternate stack, and runs the handler; the handler
 * returns through arch_sigreturn_trampoline to core_sigreturn.
 *
 * Monitor held in every function here.
 */
#ifndef HALVM_SIGNAL_H
#define HALVM_SIGNAL_H

#include <signal.h>

#include "core/core.h"

#define SIGNAL_COUNT 64
/* musl's pthread_cancel: interrupts a cancellation point even if masked. */
#define SIGNAL_CANCEL 33

struct thread;

static inline uint64_t signal_bit(int signal)
{
    return 1ull << (signal - 1);
}

/* The part of struct thread that is about signals. */
struct signal_thread {
    uint64_t mask;       /* blocked */
    uint64_t mask_saved; /* to restore after sigsuspend, ppoll, ... */
    bool restore_mask;   /* mask_saved is meant */
    uint64_t pending;
    uint64_t waited;             /* sigtimedwait takes these even if masked */
    struct list queue;           /* siginfo records of pending */
    uint64_t alt_base, alt_size; /* sigaltstack; size 0: none */
    uint32_t alt_flags;
    uint64_t in_core; /* where signal_deliver_in_core goes on, or 0 */
};

void signal_thread_init(struct signal_thread *signal);
void signal_thread_end(struct thread *thread);

/* Sends to a thread, or to the program (any thread that does not mask it).
 * info may be NULL: then SI_KERNEL. 0, -EAGAIN (queue full). A signal with no
 * handler does its default action. */
int signal_send_thread(struct thread *thread, int signal,
                       const siginfo_t *info);
int signal_send(int signal, const siginfo_t *info);

/* Told of every signal of a timer that somebody takes; NULL in a program that
 * makes none. */
extern void (*signal_timer_taken)(const siginfo_t *info);

/* Whether thread_block(interruptible) of this thread must stop. */
bool signal_interrupts(const struct thread *thread);
/* Whether a pending SIGNAL_CANCEL must end the call of this thread. */
bool signal_cancels(const struct thread *thread);
/* Whether something can be delivered to the current thread now. */
bool signal_deliverable(void);

/* For the current thread, in core, at the end of a call: runs the handler
 * (leaving the monitor meanwhile) and returns with the monitor held. Returns
 * whether all handlers run had SA_RESTART. */
bool signal_deliver_in_core(void);
/* For the current thread, interrupted: rewrites its context so that it goes
 * on in the handler. */
void signal_deliver_interrupted(void);

/* Temporarily replaces the mask, as ppoll, pselect6, epoll_pwait and
 * sigsuspend do; the old one comes back at the end of the call, after the
 * handler has run. 0, -EFAULT or -EINVAL. user_mask NULL: nothing. */
int signal_mask_temporarily(const void *user_mask, size_t size);

/* The end of that. What it lets through now must be looked at. */
static inline void signal_mask_restore(struct signal_thread *signal)
{
    signal->restore_mask = false;
    signal->mask = signal->mask_saved;
}

/* A fault of the current thread's application code: SIGSEGV and its like, or
 * the end of the program with a report. */
void signal_fault(const struct base_fault *fault);

/* Signals that a signalfd over these may read: taken from the current
 * thread's and the program's. Fills info, or returns 0 if there is none. */
int signal_take(uint64_t set, siginfo_t *info);
uint64_t signal_pending_for(const struct thread *thread);
/* Told (POLLIN) whenever a signal becomes pending: for signalfd. */
extern struct wait_queue signal_arrival;

#endif
