/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls that say what shall happen: actions, masks, the alternate
 * stack. sigaction(2), sigprocmask(2), sigaltstack(2). Monitor held.
 */
#include "core/calls.h"
#include "core/signal/pending.h"

/* As the kernel has it, and musl's ksigaction.h. */
struct kernel_action {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

#define MASK_SIZE sizeof(uint64_t)

/* Linux keeps only these. The restorer's flag is not in every signal.h. */
#define ACTION_RESTORER 0x04000000
#define ACTION_FLAGS                                                           \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART |      \
     SA_NODEFER | (uint64_t)(unsigned)SA_RESETHAND | ACTION_RESTORER)

static void action_set(int signal, const struct kernel_action *new)
{
    struct signal_action *action = &signal_actions[signal - 1];

    action->handler = new->handler;
    action->flags = new->flags &ACTION_FLAGS;
    action->mask = new->mask & ~SIGNAL_UNMASKABLE;
    if (action->handler > SIGNAL_IGNORE)
        signal_frame_push = signal_frame_make;
    else if (signal_ignored(signal))
        signal_discard(signal_bit(signal));
}

long core_rt_sigaction(long a, long b, long c, long d)
{
    int signal = (int)a;
    struct kernel_action new, old = {0};
    const struct signal_action *action;

    if (d != MASK_SIZE || signal < 1 || signal > SIGNAL_COUNT)
        return -EINVAL;
    if (b != 0 && (signal == SIGKILL || signal == SIGSTOP))
        return -EINVAL;
    if (b != 0 && core_copy_in(&new, (const void *)b, sizeof new) != 0)
        return -EFAULT;
    action = &signal_actions[signal - 1];
    old.handler = action->handler;
    old.flags = action->flags;
    old.mask = action->mask;
    if (c != 0 && core_copy_out((void *)c, &old, sizeof old) != 0)
        return -EFAULT;
    if (b != 0)
        action_set(signal, &new);
    return 0;
}

long core_rt_sigprocmask(long a, long b, long c, long d)
{
    uint64_t old = thread_current->signal.mask, set = 0;

    if (d != MASK_SIZE)
        return -EINVAL;
    if (b != 0) {
        if (core_copy_in(&set, (const void *)b, sizeof set) != 0)
            return -EFAULT;
        if (a == SIG_BLOCK)
            set = old | set;
        else if (a == SIG_UNBLOCK)
            set = old & ~set;
        else if (a != SIG_SETMASK)
            return -EINVAL;
    }
    if (c != 0 && core_copy_out((void *)c, &old, sizeof old) != 0)
        return -EFAULT;
    if (b != 0)
        signal_mask_set(set);
    return 0;
}

int signal_mask_temporarily(const void *user_mask, size_t size)
{
    struct signal_thread *signal = &thread_current->signal;
    uint64_t mask;

    if (user_mask == NULL)
        return 0;
    if (size != MASK_SIZE)
        return -EINVAL;
    if (core_copy_in(&mask, user_mask, sizeof mask) != 0)
        return -EFAULT;
    if (!signal->restore_mask)
        signal->mask_saved = signal->mask;
    signal->restore_mask = true;
    signal_mask_set(mask);
    core_attention = 1; /* the mask comes back on the slow way out */
    return 0;
}

long core_rt_sigpending(long a, long b)
{
    uint64_t set =
        signal_pending_for(thread_current) & thread_current->signal.mask;

    /* Linux takes a shorter set, too. */
    if ((size_t)b > MASK_SIZE)
        return -EINVAL;
    return core_copy_out((void *)a, &set, (size_t)b);
}

/* -- sigaltstack -- */

#define SS_AUTODISARM_FLAG (1u << 31)
#define STACK_SIZE_MIN     2048u /* the kernel's MINSIGSTKSZ */

/* The calling thread's stack pointer is somewhere here. */
static bool on_alternate_now(void)
{
    return signal_on_alternate(&thread_current->signal,
                               (uint64_t)(uintptr_t)__builtin_frame_address(0));
}

static int alternate_set(const stack_t *new)
{
    struct signal_thread *signal = &thread_current->signal;
    unsigned flags = (unsigned)new->ss_flags;
    unsigned mode = flags & ~SS_AUTODISARM_FLAG;

    if (on_alternate_now())
        return -EPERM;
    if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
        return -EINVAL;
    if (mode == SS_DISABLE) {
        signal->alt_base = signal->alt_size = 0;
        signal->alt_flags = flags;
        return 0;
    }
    if (new->ss_size < STACK_SIZE_MIN)
        return -ENOMEM;
    signal->alt_base = (uint64_t)(uintptr_t) new->ss_sp;
    signal->alt_size = new->ss_size;
    signal->alt_flags = flags & SS_AUTODISARM_FLAG;
    return 0;
}

long core_sigaltstack(long a, long b)
{
    const struct signal_thread *signal = &thread_current->signal;
    stack_t new, old = {0};
    int error;

    if (a != 0 && core_copy_in(&new, (const void *)a, sizeof new) != 0)
        return -EFAULT;
    old.ss_sp = (void *)signal->alt_base;
    old.ss_size = signal->alt_size;
    old.ss_flags = (int)signal->alt_flags;
    if (signal->alt_size == 0)
        old.ss_flags = SS_DISABLE;
    else if (on_alternate_now())
        old.ss_flags |= SS_ONSTACK;
    if (a != 0) {
        error = alternate_set(&new);
        if (error != 0)
            return error;
    }
    if (b != 0 && core_copy_out((void *)b, &old, sizeof old) != 0)
        return -EFAULT;
    return 0;
}
