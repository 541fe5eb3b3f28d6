/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Delivering signals to the current thread: choosing what is done, at the two
 * places where a thread goes back to application code, and the default
 * actions. Handlers' stack frames are frame.c's matter. Monitor held.
 */
#include "core/signal/pending.h"

void (*signal_frame_push)(int signal, const siginfo_t *info);
struct signal_trap signal_trap;

static const char signal_names[][8] = {
    "0",       "SIGHUP",  "SIGINT",  "SIGQUIT", "SIGILL",  "SIGTRAP",
    "SIGABRT", "SIGBUS",  "SIGFPE",  "SIGKILL", "SIGUSR1", "SIGSEGV",
    "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM",
};

void signal_die(int signal, const siginfo_t *info)
{
    if (signal_default_of(signal) == SIGNAL_CRASHES) {
        if (signal < (int)(sizeof signal_names / sizeof signal_names[0]))
            core_log("halvm: killed by %s\n", signal_names[signal]);
        else
            core_log("halvm: killed by signal %d\n", signal);
    }
    core_halt(128 + signal);
}

static void stop(int signal)
{
    static bool said;

    if (!said)
        core_log("halvm: signal %d would stop the program, and nobody could "
                 "continue it: ignored\n",
                 signal);
    said = true;
}

/* Does what the action says; whether a handler was put on the stack. */
static bool act(int signal, const siginfo_t *info)
{
    uint64_t handler = signal_actions[signal - 1].handler;

    if (signal_ignored(signal))
        return false;
    if (handler != SIGNAL_DEFAULT) {
        signal_frame_push(signal, info);
        return true;
    }
    if (signal_default_of(signal) == SIGNAL_STOPS)
        stop(signal);
    else
        signal_die(signal, info);
    return false;
}

/* Every frame goes on top of the one before, so that the signal taken last
 * runs its handler first, as on Linux. */
void signal_deliver_interrupted(void)
{
    struct thread *thread = thread_current;
    siginfo_t info;
    int signal;

    ASSERT(thread->interrupted);
    while ((signal = signal_take_from(thread, ~thread->signal.mask, &info)))
        act(signal, &info);
}

/*
 * The thread is in core, at the end of a call, on its own stack. It becomes
 * one that was interrupted right here: then delivery is the same, and
 * returning from the handler is, too. What arch_capture returns the second
 * time is in the context's rax: bit 1 says that a handler without SA_RESTART
 * was first. frame.c sets it while the thread is still at that instruction.
 */
bool signal_deliver_in_core(void)
{
    struct thread *thread = thread_current;
    int how = arch_capture(&thread->context.frame);

    if (how == 0) {
        arch_fpu_save(thread->context.fpu);
        thread->signal.in_core = thread->context.frame.rip;
        thread_continue();
    }
    core_enter();
    thread->signal.in_core = 0;
    return (how & 2) == 0;
}

/* Linux's force_sig: a masked or ignored one ends the program. */
void signal_force(int signal, const siginfo_t *info)
{
    const struct signal_action *action = &signal_actions[signal - 1];

    if (action->handler <= SIGNAL_IGNORE ||
        (thread_current->signal.mask & signal_bit(signal)))
        signal_die(signal, info);
    signal_frame_push(signal, info);
}
