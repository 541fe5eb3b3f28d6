/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of core/signal share. Monitor held. */
#ifndef HALVM_SIGNAL_PENDING_H
#define HALVM_SIGNAL_PENDING_H

#include "core/signal/signal.h"
#include "core/thread/thread.h"

/* Handlers are compared with these, which are pointers in signal.h. */
#define SIGNAL_DEFAULT 0ull
#define SIGNAL_IGNORE  1ull

/* What rt_sigaction sets, without the restorer: handlers return through
 * arch_sigreturn_trampoline. */
struct signal_action {
    uint64_t handler;
    uint64_t flags;
    uint64_t mask;
};
extern struct signal_action signal_actions[SIGNAL_COUNT]; /* by number - 1 */

enum signal_default {
    SIGNAL_ENDS,
    SIGNAL_CRASHES,
    SIGNAL_STOPS,
    SIGNAL_NOTHING
};
enum signal_default signal_default_of(int signal);
/* Whether the signal's action is to do nothing. */
bool signal_ignored(int signal);

/* Signals that cannot be masked. */
#define SIGNAL_UNMASKABLE (1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1))

/* Forgets what is pending of a set, everywhere: for SIG_IGN, SIGCONT. */
void signal_discard(uint64_t set);

/* Takes one of set that is pending on the thread or the program. */
int signal_take_from(struct thread *thread, uint64_t set, siginfo_t *info);

/* The mask of the current thread was changed: what it lets through now must
 * be looked at before the thread leaves core. */
void signal_mask_set(uint64_t mask);

/* Makes the current thread's context go on in the handler. Set by the first
 * rt_sigaction that names a handler, so that a program without handlers does
 * not link frame.c. Ends the program if the stack has no room. */
extern void (*signal_frame_push)(int signal, const siginfo_t *info);
void signal_frame_make(int signal, const siginfo_t *info);

/* A signal that the current thread cannot refuse: its own fault. Its context
 * is made to go on in the handler, or the program ends. */
void signal_force(int signal, const siginfo_t *info);

/* Ends the program as the default action of signal does. */
void signal_die(int signal, const siginfo_t *info) __attribute__((noreturn));

/* What frame.c tells the handler of a processor fault, beside siginfo:
 * the vector, the error code and the address touched. Zero otherwise. */
struct signal_trap {
    uint64_t vector, error, address;
};
extern struct signal_trap signal_trap;

/* The frame of the current thread's alternate stack, if in use at sp. */
bool signal_on_alternate(const struct signal_thread *signal, uint64_t sp);

#endif
