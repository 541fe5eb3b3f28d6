/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scheduling policy, priority and affinity: one processor, one class, one
 * priority. Asking gets the truth; setting what is already so succeeds.
 */
#include <sched.h>
#include <sys/resource.h>

#include "core/calls.h"
#include "core/core.h"
#include "core/thread/thread.h"

#define SYSTEM_PID 1
#define NICE_ZERO  20 /* getpriority's raw result is 20 - nice */

static bool known(long pid)
{
    return (int)pid == 0 || (int)pid == SYSTEM_PID ||
           ((int)pid > 0 && thread_find((int)pid) != NULL);
}

long core_sched_getaffinity(long pid, long size, long mask)
{
    uint64_t cpus = 1;

    if ((uint64_t)size < sizeof cpus || size % sizeof cpus != 0)
        return -EINVAL;
    if (!known(pid))
        return -ESRCH;
    if (core_copy_out((void *)mask, &cpus, sizeof cpus) != 0)
        return -EFAULT;
    return sizeof cpus; /* the kernel's own result: bytes written */
}

long core_sched_setaffinity(long pid, long size, long mask)
{
    uint8_t first = 0;

    if (size > 0 && core_copy_in(&first, (const void *)mask, 1) != 0)
        return -EFAULT;
    if (!known(pid))
        return -ESRCH;
    return first & 1 ? 0 : -EINVAL;
}

long core_sched_getparam(long pid, long out)
{
    static const int priority; /* the kernel's struct has this one field */

    if ((int)pid < 0 || out == 0)
        return -EINVAL;
    if (!known(pid))
        return -ESRCH;
    return core_copy_out((void *)out, &priority, sizeof priority);
}

static long set_policy(long pid, int policy, long param)
{
    int priority;

    if ((int)pid < 0 || param == 0)
        return -EINVAL;
    if (core_copy_in(&priority, (const void *)param, sizeof priority) != 0)
        return -EFAULT;
    if (!known(pid))
        return -ESRCH;
    switch (policy) {
    case SCHED_OTHER:
    case SCHED_BATCH:
    case SCHED_IDLE:
        return priority == 0 ? 0 : -EINVAL;
    case SCHED_FIFO:
    case SCHED_RR:
        return priority >= 1 && priority <= 99 ? -EPERM : -EINVAL;
    }
    return -EINVAL;
}

long core_sched_setparam(long pid, long param)
{
    return set_policy(pid, SCHED_OTHER, param);
}

long core_sched_setscheduler(long pid, long policy, long param)
{
    return set_policy(pid, (int)policy & ~SCHED_RESET_ON_FORK, param);
}

long core_sched_getscheduler(long pid)
{
    if ((int)pid < 0)
        return -EINVAL;
    return known(pid) ? SCHED_OTHER : -ESRCH;
}

static bool real_time(long policy)
{
    return (int)policy == SCHED_FIFO || (int)policy == SCHED_RR;
}

static bool ordinary(long policy)
{
    return (int)policy == SCHED_OTHER || (int)policy == SCHED_BATCH ||
           (int)policy == SCHED_IDLE;
}

long core_sched_get_priority_max(long policy)
{
    return real_time(policy) ? 99 : ordinary(policy) ? 0 : -EINVAL;
}

long core_sched_get_priority_min(long policy)
{
    return real_time(policy) ? 1 : ordinary(policy) ? 0 : -EINVAL;
}

long core_sched_rr_get_interval(long pid, long out)
{
    struct timespec slice = {.tv_nsec = LIMIT_SLICE_NS};

    if ((int)pid < 0)
        return -EINVAL;
    if (!known(pid))
        return -ESRCH;
    return core_copy_out((void *)out, &slice, sizeof slice);
}

long core_getpriority(long which, long who)
{
    if ((int)which < PRIO_PROCESS || (int)which > PRIO_USER)
        return -EINVAL;
    if ((int)which == PRIO_USER ? (int)who != 0 : !known(who))
        return -ESRCH;
    return NICE_ZERO;
}

long core_setpriority(long which, long who, long priority)
{
    long known_one = core_getpriority(which, who);

    return known_one < 0 ? known_one : 0;
}
