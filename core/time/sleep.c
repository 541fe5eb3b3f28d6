/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nanosleep and clock_nanosleep.
 *
 * A sleep that a signal handler ends is never restarted: it returns EINTR and,
 * if its time was relative, what is left of it.
 */
#include "core/calls.h"
#include "core/thread/thread.h"
#include "core/time/clock.h"

/* How often a target in processor time is looked at, at most. */
#define CPU_LOOK_NS_MIN 1000000u

/* Sleeps until target in the clock: 0, -EINTR, -EINVAL. */
static int sleep_until(clockid_t clock, uint64_t target_ns)
{
    uint64_t now;
    int error = clock_read(clock, &now);
    while (error == 0 && now < target_ns) {
        uint64_t left = target_ns - now;
        if (clock_is_cpu(clock) && left < CPU_LOOK_NS_MIN)
            left = CPU_LOOK_NS_MIN;
        /* Setting the clock wakes those that sleep by it. */
        uint64_t deadline = time_deadline(left);
        if (clock_is_wall(clock))
            error = wait_on(&time_wall_changed, deadline, true);
        else
            error = thread_block(deadline, true);
        if (error == -EINTR)
            return error;
        error = clock_read(clock, &now);
    }
    return error;
}

static long sleep_for(uint64_t duration_ns, struct timespec *user_left)
{
    uint64_t deadline = time_deadline(duration_ns);
    int error = sleep_until(CLOCK_MONOTONIC, deadline);
    if (error == -EINTR && user_left != NULL) {
        struct timespec left;
        uint64_t now = time_now_ns();
        time_to_timespec(deadline > now ? deadline - now : 0, &left);
        if (core_copy_out(user_left, &left, sizeof(left)) < 0)
            return -EFAULT;
    }
    return error;
}

long core_nanosleep(long a, long b)
{
    struct timespec ts;
    uint64_t duration;
    if (core_copy_in(&ts, (const void *)a, sizeof(ts)) < 0)
        return -EFAULT;
    int error = time_from_timespec(&ts, &duration);
    if (error < 0)
        return error;
    return sleep_for(duration, (struct timespec *)b);
}

long core_clock_nanosleep(long a, long b, long c, long d)
{
    clockid_t clock = (clockid_t)a;
    struct timespec ts;
    uint64_t ns, now;
    if (clock == CLOCK_THREAD_CPUTIME_ID || clock_read(clock, &now) < 0)
        return -EINVAL;
    if (clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE ||
        clock == CLOCK_REALTIME_COARSE)
        return -EOPNOTSUPP;
    if (core_copy_in(&ts, (const void *)c, sizeof(ts)) < 0)
        return -EFAULT;
    int error = time_from_timespec(&ts, &ns);
    if (error < 0)
        return error;
    if (b & TIMER_ABSTIME)
        return sleep_until(clock, ns);
    if (!clock_is_cpu(clock)) /* setting the clock does not matter then */
        return sleep_for(ns, (struct timespec *)d);
    return sleep_until(clock, ns > TIME_NEVER - now ? TIME_NEVER : now + ns);
}
