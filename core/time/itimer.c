/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The three interval timers of a process (getitimer(2)), and alarm.
 *
 * ITIMER_VIRTUAL and ITIMER_PROF run in processor time. Core does not tell
 * the time of a program from that spent for it, so the two are the same.
 */
#include <sys/time.h>

#include "core/calls.h"
#include "core/signal/signal.h"
#include "core/time/clock.h"

static struct clock_timer itimers[3];
static const uint8_t itimer_signals[3] = {SIGALRM, SIGVTALRM, SIGPROF};

static void expired(struct clock_timer *timer, uint64_t count)
{
    (void)signal_send(itimer_signals[timer - itimers], NULL);
}

/* The timer, made when first asked for; NULL if there is no memory. */
static struct clock_timer *itimer(long which)
{
    struct clock_timer *timer = &itimers[which];
    if (timer->expired == NULL) {
        if (time_timer_reserve(1) < 0)
            return NULL;
        clock_timer_init(timer,
                         which == ITIMER_REAL ? CLOCK_MONOTONIC
                                              : CLOCK_PROCESS_CPUTIME_ID,
                         expired);
    }
    return timer;
}

static int from_timeval(const struct timeval *tv, uint64_t *ns)
{
    if (tv->tv_usec < 0 || tv->tv_usec >= 1000000)
        return -EINVAL;
    struct timespec ts = {.tv_sec = tv->tv_sec, .tv_nsec = tv->tv_usec * 1000};
    return time_from_timespec(&ts, ns);
}

static void to_timeval(uint64_t ns, struct timeval *tv)
{
    struct timespec ts;
    /* What is left is never shown as nothing while the timer is armed. */
    time_to_timespec(ns != 0 && ns < 1000 ? 1000 : ns, &ts);
    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;
}

static void read_out(const struct clock_timer *timer, struct itimerval *out)
{
    to_timeval(clock_timer_left(timer), &out->it_value);
    to_timeval(timer->interval_ns, &out->it_interval);
}

static void start(struct clock_timer *timer, uint64_t value, uint64_t interval)
{
    uint64_t now = 0;
    if (value != 0) {
        (void)clock_read(timer->clock, &now);
        value = value > TIME_NEVER - now ? TIME_NEVER : now + value;
    }
    clock_timer_set(timer, value, interval);
}

long core_getitimer(long a, long b)
{
    struct itimerval out;
    if (a < ITIMER_REAL || a > ITIMER_PROF)
        return -EINVAL;
    read_out(&itimers[a], &out);
    return core_copy_out((void *)b, &out, sizeof(out));
}

long core_setitimer(long a, long b, long c)
{
    struct itimerval new, old;
    uint64_t value, interval;
    memset(&new, 0, sizeof(new)); /* as Linux: NULL disarms */
    if ((const void *)b != NULL &&
        core_copy_in(&new, (const void *)b, sizeof(new)) < 0)
        return -EFAULT;
    if (a < ITIMER_REAL || a > ITIMER_PROF ||
        from_timeval(&new.it_value, &value) < 0 ||
        from_timeval(&new.it_interval, &interval) < 0)
        return -EINVAL;
    struct clock_timer *timer = itimer(a);
    if (timer == NULL)
        return -ENOMEM;
    read_out(timer, &old);
    start(timer, value, interval);
    if ((void *)c != NULL)
        return core_copy_out((void *)c, &old, sizeof(old));
    return 0;
}

long core_alarm(long a)
{
    struct clock_timer *timer = itimer(ITIMER_REAL);
    if (timer == NULL)
        return 0; /* alarm has no errors; the signal then never comes */
    uint64_t left = clock_timer_left(timer);
    start(timer, (uint64_t)(uint32_t)a * TIME_SECOND, 0);
    /* To the nearest second, but never 0 while one was set. */
    uint64_t seconds = (left + TIME_SECOND / 2) / TIME_SECOND;
    return left != 0 && seconds == 0 ? 1 : (long)seconds;
}
