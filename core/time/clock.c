/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The clocks: what time it is, by any of Linux's numbers.
 *
 * The fast ones (clock_gettime of MONOTONIC and REALTIME, gettimeofday, time)
 * run without the monitor and write where they are told. An address that can
 * be nobody's is EFAULT; with any other wrong one it is as with Linux's vDSO:
 * the fault is the caller's, and SIGSEGV its signal.
 */
#include <sys/time.h>

#include "core/calls.h"
#include "core/thread/thread.h"
#include "core/time/clock.h"

struct wait_queue time_wall_changed = WAIT_QUEUE_INIT(time_wall_changed);
void (*clock_wall_hook)(void);

/* What clock_settime added to the base's wall clock. */
static volatile int64_t wall_offset_ns;

/* Clocks of other threads, by number (Linux: include/linux/posix-timers.h):
 * the complement of the thread, and three bits that say which clock. */
#define CPUCLOCK_THREAD 4u
#define CPUCLOCK_WHICH  3u
#define CPUCLOCK_FD     3u /* a descriptor's clock: there are none */

/* Page 0 is never mapped, nor is anything in the upper half (negative). */
static inline bool nobodys(const void *pointer)
{
    return (intptr_t)pointer < (intptr_t)LIMIT_PAGE_SIZE;
}

uint64_t time_now_ns(void)
{
    return core_base->clock_monotonic();
}

uint64_t time_wall_ns(void)
{
    return core_base->clock_wall() + (uint64_t)wall_offset_ns;
}

uint64_t time_deadline(uint64_t duration_ns)
{
    uint64_t now = time_now_ns();
    return duration_ns > TIME_NEVER - now ? TIME_NEVER : now + duration_ns;
}

int time_from_timespec(const struct timespec *ts, uint64_t *out_ns)
{
    if (ts->tv_sec < 0 || (uint64_t)ts->tv_nsec >= TIME_SECOND)
        return -EINVAL;
    if ((uint64_t)ts->tv_sec >= TIME_NEVER / TIME_SECOND)
        *out_ns = TIME_NEVER; /* in 584 years */
    else
        *out_ns = (uint64_t)ts->tv_sec * TIME_SECOND + (uint64_t)ts->tv_nsec;
    return 0;
}

void time_to_timespec(uint64_t ns, struct timespec *out)
{
    uint64_t seconds = ns / TIME_SECOND;
    out->tv_sec = (time_t)seconds;
    out->tv_nsec = (long)(ns - seconds * TIME_SECOND);
}

bool clock_is_cpu(clockid_t clock)
{
    return clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID ||
           clock == CLOCK_THREAD_CPUTIME_ID;
}

bool clock_is_wall(clockid_t clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM ||
           clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

/* The clock of a thread or process by number. May be called without the
 * monitor, which looking for a thread needs. */
static int read_dynamic(clockid_t clock, uint64_t *ns)
{
    int id = ~(clock >> 3);
    if (((unsigned)clock & CPUCLOCK_WHICH) == CPUCLOCK_FD)
        return -EINVAL;
    if (!((unsigned)clock & CPUCLOCK_THREAD)) {
        if (id != 0 && id != THREAD_PID)
            return -EINVAL;
        *ns = thread_cpu_total_ns();
        return 0;
    }
    bool locked = core_locked;
    core_enter();
    const struct thread *thread = id == 0 ? thread_current : thread_find(id);
    int result = thread != NULL ? 0 : -EINVAL;
    if (thread != NULL)
        *ns = thread_cpu_ns(thread);
    return locked ? result : (int)core_leave(result);
}

int clock_read(clockid_t clock, uint64_t *ns)
{
    switch (clock) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *ns = time_now_ns();
        return 0;
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI: /* as Linux without NTP: offset 0 */
        *ns = time_wall_ns();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        *ns = thread_cpu_total_ns();
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = thread_cpu_ns(thread_current);
        return 0;
    default:
        return clock < 0 ? read_dynamic(clock, ns) : -EINVAL;
    }
}

static __attribute__((noinline)) long gettime_other(long clock,
                                                    struct timespec *out)
{
    uint64_t ns;
    if ((clockid_t)clock == CLOCK_REALTIME)
        ns = time_wall_ns();
    else if (clock_read((clockid_t)clock, &ns) < 0)
        return -EINVAL;
    if (nobodys(out))
        return -EFAULT;
    time_to_timespec(ns, out);
    return 0;
}

long core_clock_gettime(long a, long b)
{
    struct timespec *out = (struct timespec *)b;
    if ((clockid_t)a != CLOCK_MONOTONIC || nobodys(out))
        return gettime_other(a, out);
    time_to_timespec(core_base->clock_monotonic(), out);
    return 0;
}

long core_clock_getres(long a, long b)
{
    uint64_t ns;
    struct timespec *out = (struct timespec *)b;
    int error = clock_read((clockid_t)a, &ns);
    if (error < 0)
        return error;
    if (out == NULL)
        return 0;
    if (nobodys(out))
        return -EFAULT;
    out->tv_sec = 0;
    out->tv_nsec = 1;
    return 0;
}

long core_gettimeofday(long a, long b)
{
    struct timeval *out = (struct timeval *)a;
    struct timezone *zone = (struct timezone *)b;
    if ((out != NULL && nobodys(out)) || (zone != NULL && nobodys(zone)))
        return -EFAULT;
    if (out != NULL) {
        struct timespec ts;
        time_to_timespec(time_wall_ns(), &ts);
        out->tv_sec = ts.tv_sec;
        out->tv_usec = ts.tv_nsec / 1000;
    }
    if (zone != NULL)
        memset(zone, 0, sizeof(*zone));
    return 0;
}

long core_time(long a)
{
    time_t seconds = (time_t)(time_wall_ns() / TIME_SECOND);
    time_t *out = (time_t *)a;
    if (out != NULL && nobodys(out))
        return -EFAULT;
    if (out != NULL)
        *out = seconds;
    return seconds;
}

/* -- setting -- */

static void wall_set(uint64_t ns)
{
    wall_offset_ns = (int64_t)(ns - core_base->clock_wall());
    if (clock_wall_hook != NULL)
        clock_wall_hook();
    wait_wake(&time_wall_changed, 0, ~0u);
}

long core_clock_settime(long a, long b)
{
    struct timespec ts;
    uint64_t ns, now;
    clockid_t clock = (clockid_t)a;
    int error = clock_read(clock, &now);
    if (error < 0)
        return error;
    if (core_copy_in(&ts, (const void *)b, sizeof(ts)) < 0)
        return -EFAULT;
    if (clock_is_cpu(clock))
        return -EPERM;
    if (clock != CLOCK_REALTIME)
        return -EINVAL;
    error = time_from_timespec(&ts, &ns);
    if (error < 0 || ns == TIME_NEVER)
        return -EINVAL;
    wall_set(ns);
    return 0;
}

long core_settimeofday(long a, long b)
{
    struct timeval tv;
    if ((const void *)a == NULL) /* the time zone alone: nobody asks for it */
        return 0;
    if (core_copy_in(&tv, (const void *)a, sizeof(tv)) < 0)
        return -EFAULT;
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
        return -EINVAL;
    struct timespec ts = {.tv_sec = tv.tv_sec, .tv_nsec = tv.tv_usec * 1000};
    uint64_t ns;
    int error = time_from_timespec(&ts, &ns);
    if (error < 0 || ns == TIME_NEVER)
        return -EINVAL;
    wall_set(ns);
    return 0;
}
