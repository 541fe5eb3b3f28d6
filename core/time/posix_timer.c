/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * POSIX timers: timer_create and its companions (timer_create(2)).
 *
 * musl makes SIGEV_THREAD from SIGEV_THREAD_ID and a thread of its own; GHC's
 * single-threaded runtime ticks by SIGEV_SIGNAL. A timer has at most one
 * signal on its way; expirations meanwhile are its overrun, which the signal
 * itself counts (core/signal/pending.c).
 */
#include <signal.h>

#include "core/calls.h"
#include "core/mem/mem.h"
#include "core/thread/thread.h"
#include "core/time/clock.h"

struct posix_timer {
    struct clock_timer timer;
    clockid_t clock; /* as asked for; a relative wall time is monotonic */
    struct list node;
    int id;
    int notify; /* SIGEV_* */
    int signal;
    int tid; /* SIGEV_THREAD_ID */
    uint64_t value;
    int overrun; /* of the last signal that was taken (timer_getoverrun(2)) */
};

/* As the kernel has struct sigevent, as far as it is read. */
struct event {
    uint64_t value;
    int32_t signal, notify, tid, unused;
};

#define OVERRUN_MAX 0x7fffffff /* DELAYTIMER_MAX */

static struct mem_pool pool =
    MEM_POOL(struct posix_timer, MEM_CORE, LIMIT_POSIX_TIMERS);
static struct list timers = LIST_INIT(timers);
static int next_id;

static struct posix_timer *find(long id)
{
    list_for_each (node, &timers) {
        struct posix_timer *timer =
            container_of(node, struct posix_timer, node);
        if (timer->id == (int)id)
            return timer;
    }
    return NULL;
}

static void expired(struct clock_timer *clock_timer, uint64_t count)
{
    struct posix_timer *timer =
        container_of(clock_timer, struct posix_timer, timer);
    siginfo_t info;
    if (timer->notify == SIGEV_NONE)
        return;
    memset(&info, 0, sizeof(info));
    info.si_signo = timer->signal;
    info.si_code = SI_TIMER;
    info.si_timerid = timer->id;
    info.si_overrun = (int)(count - 1 < OVERRUN_MAX ? count - 1 : OVERRUN_MAX);
    info.si_value.sival_ptr = (void *)(uintptr_t)timer->value;
    if (timer->notify == SIGEV_THREAD_ID) {
        struct thread *thread = thread_find(timer->tid);
        if (thread != NULL)
            signal_send_thread(thread, timer->signal, &info);
    } else {
        signal_send(timer->signal, &info);
    }
}

static void taken(const siginfo_t *info)
{
    struct posix_timer *timer = find(info->si_timerid);

    if (timer != NULL)
        timer->overrun = info->si_overrun;
}

static int check_event(const struct event *event)
{
    if (event->notify == SIGEV_NONE)
        return 0;
    if (event->signal < 1 || event->signal > SIGNAL_COUNT)
        return -EINVAL;
    switch (event->notify) {
    case SIGEV_SIGNAL:
    case SIGEV_THREAD:
        return 0;
    case SIGEV_THREAD_ID:
        return thread_find(event->tid) != NULL ? 0 : -EINVAL;
    default:
        return -EINVAL;
    }
}

static int check_clock(clockid_t clock)
{
    uint64_t now;
    int error = clock_read(clock, &now);
    if (error < 0)
        return error;
    if (clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE ||
        clock == CLOCK_REALTIME_COARSE)
        return -EOPNOTSUPP;
    return 0;
}

/* The clock of the calling thread becomes that thread's by number, since the
 * timer fires wherever core happens to be. */
static clockid_t clock_by_number(clockid_t clock)
{
    if (clock != CLOCK_THREAD_CPUTIME_ID)
        return clock;
    return (clockid_t)((~(unsigned)thread_current->tid << 3) | 6);
}

long core_timer_create(long a, long b, long c)
{
    struct event event = {.signal = SIGALRM, .notify = SIGEV_SIGNAL};
    clockid_t clock = (clockid_t)a;
    int error = check_clock(clock);
    if (error < 0)
        return error;
    if ((const void *)b != NULL) {
        if (core_copy_in(&event, (const void *)b, sizeof(event)) < 0)
            return -EFAULT;
        error = check_event(&event);
        if (error < 0)
            return error;
    }
    while (find(next_id) != NULL)
        next_id = (next_id + 1) & 0x7fffffff;
    int id = next_id;
    if (core_copy_out((void *)c, &id, sizeof(id)) < 0)
        return -EFAULT;
    struct posix_timer *timer = mem_pool_get(&pool);
    if (timer == NULL)
        return -EAGAIN;
    if (time_timer_reserve(1) < 0) {
        mem_pool_put(&pool, timer);
        return -EAGAIN;
    }
    next_id = (next_id + 1) & 0x7fffffff;
    timer->clock = clock_by_number(clock);
    clock_timer_init(&timer->timer, timer->clock, expired);
    signal_timer_taken = taken;
    timer->id = id;
    timer->notify = event.notify;
    timer->signal = event.signal;
    timer->tid = event.tid;
    timer->value = (const void *)b != NULL ? event.value : (uint64_t)id;
    list_append(&timers, &timer->node);
    return 0;
}

static void read_out(const struct posix_timer *timer, struct itimerspec *out)
{
    time_to_timespec(clock_timer_left(&timer->timer), &out->it_value);
    time_to_timespec(timer->timer.interval_ns, &out->it_interval);
}

long core_timer_settime(long a, long b, long c, long d)
{
    struct posix_timer *timer = find(a);
    struct itimerspec new, old;
    uint64_t value, interval, now;
    if ((const void *)c == NULL)
        return -EINVAL;
    if (core_copy_in(&new, (const void *)c, sizeof(new)) < 0)
        return -EFAULT;
    if (time_from_timespec(&new.it_value, &value) < 0 ||
        time_from_timespec(&new.it_interval, &interval) < 0)
        return -EINVAL;
    if (timer == NULL)
        return -EINVAL;
    read_out(timer, &old);
    clock_timer_set(&timer->timer, 0, 0);
    timer->overrun = 0;
    if (value != 0) {
        bool absolute = b & TIMER_ABSTIME;
        timer->timer.clock = !absolute && clock_is_wall(timer->clock)
                                 ? CLOCK_MONOTONIC
                                 : timer->clock;
        if (!absolute && clock_read(timer->timer.clock, &now) == 0)
            value = value > TIME_NEVER - now ? TIME_NEVER : now + value;
        clock_timer_set(&timer->timer, value, interval);
    }
    if ((void *)d != NULL && core_copy_out((void *)d, &old, sizeof(old)) < 0)
        return -EFAULT;
    return 0;
}

long core_timer_gettime(long a, long b)
{
    const struct posix_timer *timer = find(a);
    struct itimerspec out;
    if (timer == NULL)
        return -EINVAL;
    read_out(timer, &out);
    return core_copy_out((void *)b, &out, sizeof(out));
}

long core_timer_getoverrun(long a)
{
    const struct posix_timer *timer = find(a);
    if (timer == NULL)
        return -EINVAL;
    return timer->overrun;
}

long core_timer_delete(long a)
{
    struct posix_timer *timer = find(a);
    if (timer == NULL)
        return -EINVAL;
    clock_timer_set(&timer->timer, 0, 0);
    list_remove(&timer->node);
    time_timer_reserve(-1);
    mem_pool_put(&pool, timer);
    return 0;
}
