/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls that send signals and wait for them. kill(2), tkill(2),
 * sigqueue(3), sigsuspend(2), sigwaitinfo(2), pause(2). Monitor held.
 *
 * There is one process: other numbers name nobody (ESRCH).
 */
#include "core/calls.h"
#include "core/signal/pending.h"

#define MASK_SIZE sizeof(uint64_t)

static bool signal_valid(long signal)
{
    return signal >= 0 && signal <= SIGNAL_COUNT;
}

static void info_fill(siginfo_t *info, int signal, int code)
{
    memset(info, 0, sizeof *info);
    info->si_signo = signal;
    info->si_code = code;
    info->si_pid = THREAD_PID;
}

/* A result of 1 says that one was pending already; that is no news here. */
static long sent(int result)
{
    return result < 0 ? result : 0;
}

/* Names this process, its group, or everybody. */
static bool is_self(int pid)
{
    return pid == THREAD_PID || pid == 0 || pid == -THREAD_PID;
}

long core_kill(long a, long b)
{
    siginfo_t info;

    if (!signal_valid((int)b))
        return -EINVAL;
    /* -1 means everybody but oneself and the first process. */
    if (!is_self((int)a))
        return -ESRCH;
    if ((int)b == 0)
        return 0;
    info_fill(&info, (int)b, SI_USER);
    return sent(signal_send((int)b, &info));
}

static long thread_kill(int tid, int signal)
{
    struct thread *thread;
    siginfo_t info;

    if (tid <= 0 || !signal_valid(signal))
        return -EINVAL;
    thread = thread_find(tid);
    if (thread == NULL)
        return -ESRCH;
    if (signal == 0)
        return 0;
    info_fill(&info, signal, SI_TKILL);
    return sent(signal_send_thread(thread, signal, &info));
}

long core_tkill(long a, long b)
{
    return thread_kill((int)a, (int)b);
}

long core_tgkill(long a, long b, long c)
{
    if ((int)a <= 0)
        return -EINVAL;
    if ((int)a != THREAD_PID)
        return -ESRCH;
    return thread_kill((int)b, (int)c);
}

/* Anything may be said to oneself. */
static long info_get(siginfo_t *info, long user, int signal)
{
    if (core_copy_in(info, (const void *)user, sizeof *info) != 0)
        return -EFAULT;
    info->si_signo = signal;
    return 0;
}

long core_rt_sigqueueinfo(long a, long b, long c)
{
    siginfo_t info;
    long error = info_get(&info, c, (int)b);

    if (error != 0)
        return error;
    if (!signal_valid((int)b))
        return -EINVAL;
    if ((int)a != THREAD_PID)
        return -ESRCH;
    return (int)b == 0 ? 0 : sent(signal_send((int)b, &info));
}

long core_rt_tgsigqueueinfo(long a, long b, long c, long d)
{
    siginfo_t info;
    struct thread *thread;
    long error = info_get(&info, d, (int)c);

    if (error != 0)
        return error;
    if ((int)a <= 0 || (int)b <= 0 || !signal_valid((int)c))
        return -EINVAL;
    thread = (int)a == THREAD_PID ? thread_find((int)b) : NULL;
    if (thread == NULL)
        return -ESRCH;
    return (int)c == 0 ? 0 : sent(signal_send_thread(thread, (int)c, &info));
}

/* -- waiting -- */

/* Ends with a handler having run, and never otherwise. */
static long wait_for_handler(void)
{
    while (thread_block(TIME_NEVER, true) != -EINTR)
        ;
    return -EINTR;
}

long core_pause(void)
{
    return wait_for_handler();
}

long core_rt_sigsuspend(long a, long b)
{
    int error;

    if (b != MASK_SIZE)
        return -EINVAL;
    if (a == 0)
        return -EFAULT;
    error = signal_mask_temporarily((const void *)a, (size_t)b);
    return error != 0 ? error : wait_for_handler();
}

/* Takes a signal of set, or waits for one until the deadline. */
static long wait_for_signal(uint64_t set, uint64_t deadline_ns, siginfo_t *info)
{
    struct thread *thread = thread_current;
    int signal, error;

    for (;;) {
        signal = signal_take(set, info);
        if (signal != 0)
            return signal;
        if (deadline_ns <= time_now_ns())
            return -EAGAIN;
        /* Those that the thread lets through anyway are taken here, too. */
        thread->signal.waited = set;
        error = thread_block(deadline_ns, true);
        thread->signal.waited = 0;
        if (error == -EINTR) {
            signal = signal_take(set, info);
            return signal != 0 ? signal : -EINTR;
        }
    }
}

long core_rt_sigtimedwait(long a, long b, long c, long d)
{
    uint64_t set, deadline_ns = TIME_NEVER, ns;
    struct timespec ts;
    siginfo_t info;
    long signal;
    int error;

    if (d != MASK_SIZE)
        return -EINVAL;
    if (core_copy_in(&set, (const void *)a, sizeof set) != 0)
        return -EFAULT;
    if (c != 0) {
        if (core_copy_in(&ts, (const void *)c, sizeof ts) != 0)
            return -EFAULT;
        error = time_from_timespec(&ts, &ns);
        if (error != 0)
            return error;
        deadline_ns = ns == 0 ? 0 : time_deadline(ns);
    }
    signal = wait_for_signal(set & ~SIGNAL_UNMASKABLE, deadline_ns, &info);
    if (signal > 0 && b != 0 &&
        core_copy_out((void *)b, &info, sizeof info) != 0)
        return -EFAULT;
    return signal;
}
