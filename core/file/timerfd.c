/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * timerfd: a timer behind a descriptor (timerfd_create(2)).
 *
 * The deadline is kept in the timer's own clock. An absolute one of
 * CLOCK_REALTIME is converted when armed, and anew whenever that clock is set;
 * with TFD_TIMER_CANCEL_ON_SET, setting it also ends a read with ECANCELED.
 * Monitor held.
 */
#include <sys/timerfd.h>

#include "core/calls.h"
#include "core/file/table.h"
#include "core/mem/mem.h"
#include "core/time/time.h"

#ifndef TFD_TIMER_CANCEL_ON_SET
#define TFD_TIMER_CANCEL_ON_SET 2
#endif

struct timerfd {
    struct time_timer timer;
    clockid_t clock;
    bool armed;
    bool wall; /* deadline_ns is of CLOCK_REALTIME */
    uint64_t deadline_ns;
    uint64_t interval_ns; /* 0: fires once */
    uint64_t expirations; /* since the last read */
    struct wait_queue wait;
    struct wait_entry wall_watch; /* in time_wall_changed if wall */
    bool cancel_on_set;
    bool cancelled; /* the clock was set since the last read */
};

static struct mem_pool pool =
    MEM_POOL(struct timerfd, MEM_CORE, LIMIT_DESCRIPTORS);

static uint64_t clock_now(const struct timerfd *timerfd)
{
    return timerfd->wall ? time_wall_ns() : time_now_ns();
}

static void arm(struct timerfd *timerfd)
{
    uint64_t deadline = timerfd->deadline_ns;

    if (timerfd->wall) {
        uint64_t wall = time_wall_ns();
        deadline = time_deadline(deadline > wall ? deadline - wall : 0);
    }
    time_timer_set(&timerfd->timer, deadline);
}

static void fire(struct time_timer *timer)
{
    struct timerfd *timerfd = container_of(timer, struct timerfd, timer);
    uint64_t now = clock_now(timerfd);

    if (now < timerfd->deadline_ns) {
        arm(timerfd);
        return;
    }
    if (timerfd->interval_ns == 0) {
        timerfd->armed = false;
        timerfd->expirations++;
    } else {
        uint64_t times =
            1 + (now - timerfd->deadline_ns) / timerfd->interval_ns;
        timerfd->expirations += times;
        timerfd->deadline_ns += times * timerfd->interval_ns;
        arm(timerfd);
    }
    file_wake(&timerfd->wait, POLLIN | POLLRDNORM);
}

/* CLOCK_REALTIME was set. */
static void wall_changed(struct wait_entry *entry, uint32_t events)
{
    struct timerfd *timerfd = container_of(entry, struct timerfd, wall_watch);

    if (timerfd->armed)
        arm(timerfd);
    if (timerfd->cancel_on_set) {
        timerfd->cancelled = true;
        file_wake(&timerfd->wait, POLLIN | POLLRDNORM);
    }
}

static long timerfd_readv(struct file *file, const struct iovec *iov, int count,
                          off_t *offset)
{
    struct timerfd *timerfd = file->private;

    if (file_iov_total(iov, count) < sizeof(uint64_t))
        return -EINVAL;
    while (timerfd->expirations == 0 && !timerfd->cancelled) {
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_on(&timerfd->wait, UINT64_MAX, true) == -EINTR)
            return -CORE_RESTART;
    }
    if (timerfd->cancelled) {
        timerfd->cancelled = false;
        timerfd->expirations = 0;
        return -ECANCELED;
    }
    uint64_t value = timerfd->expirations;
    if (file_copy_out(iov, count, 0, &value, sizeof(value)) < 0)
        return -EFAULT;
    timerfd->expirations = 0;
    return sizeof(value);
}

static uint32_t timerfd_poll(struct file *file, struct file_poller *poller)
{
    struct timerfd *timerfd = file->private;
    file_poll_wait(poller, &timerfd->wait);
    return timerfd->expirations || timerfd->cancelled ? POLLIN | POLLRDNORM : 0;
}

static void timerfd_release(struct file *file)
{
    struct timerfd *timerfd = file->private;
    wait_remove(&timerfd->wall_watch);
    time_timer_cancel(&timerfd->timer);
    time_timer_reserve(-1);
    mem_pool_put(&pool, timerfd);
}

static const struct file_ops timerfd_ops = {
    .name = "[timerfd]",
    .readv = timerfd_readv,
    .poll = timerfd_poll,
    .release = timerfd_release,
};

long core_timerfd_create(long a, long b)
{
    int flags = (int)b;

    if (flags & ~(TFD_CLOEXEC | TFD_NONBLOCK))
        return -EINVAL;
    switch ((clockid_t)a) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
        break;
    default:
        return -EINVAL;
    }
    if (time_timer_reserve(1) < 0)
        return -ENOMEM;
    struct timerfd *timerfd = mem_pool_get(&pool);
    if (!timerfd) {
        time_timer_reserve(-1);
        return -ENOMEM;
    }
    timerfd->clock = (clockid_t)a;
    timerfd->timer.fire = fire;
    timerfd->wall_watch.wake = wall_changed;
    list_init(&timerfd->wall_watch.node);
    wait_queue_init(&timerfd->wait);
    struct file *file =
        file_new(&timerfd_ops, O_RDWR | (flags & TFD_NONBLOCK), timerfd);
    if (!file) {
        mem_pool_put(&pool, timerfd);
        time_timer_reserve(-1);
        return file_new_error();
    }
    return file_install(file, 0, flags & TFD_CLOEXEC);
}

/* The timer behind a descriptor, with a reference to its file; NULL and
 * *error. */
static struct timerfd *timerfd_get(long fd, struct file **file, int *error)
{
    *error = -EBADF;
    *file = file_get((int)fd);
    if (!*file)
        return NULL;
    if ((*file)->ops == &timerfd_ops)
        return (*file)->private;
    file_put(*file);
    *error = -EINVAL;
    return NULL;
}

static void current(const struct timerfd *timerfd, struct itimerspec *out)
{
    uint64_t left = 0;

    if (timerfd->armed) {
        uint64_t now = clock_now(timerfd);
        /* Due and not yet fired: Linux then says one nanosecond. */
        left = timerfd->deadline_ns > now ? timerfd->deadline_ns - now : 1;
    }
    time_to_timespec(left, &out->it_value);
    time_to_timespec(timerfd->interval_ns, &out->it_interval);
}

static void set(struct timerfd *timerfd, int flags, uint64_t value,
                uint64_t interval)
{
    bool absolute = flags & TFD_TIMER_ABSTIME;

    time_timer_cancel(&timerfd->timer);
    timerfd->expirations = 0;
    timerfd->interval_ns = interval;
    timerfd->armed = value != 0;
    timerfd->wall = absolute && (timerfd->clock == CLOCK_REALTIME ||
                                 timerfd->clock == CLOCK_REALTIME_ALARM);
    timerfd->cancel_on_set = timerfd->wall && (flags & TFD_TIMER_CANCEL_ON_SET);
    timerfd->cancelled = false;
    wait_remove(&timerfd->wall_watch);
    if (timerfd->wall)
        wait_add(&time_wall_changed, &timerfd->wall_watch);
    if (!timerfd->armed)
        return;
    timerfd->deadline_ns = absolute ? value : time_deadline(value);
    arm(timerfd);
}

long core_timerfd_settime(long a, long b, long c, long d)
{
    struct itimerspec new, old;
    struct file *file;
    int flags = (int)b, error;
    uint64_t value, interval;

    if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
        return -EINVAL;
    if (core_copy_in(&new, (const void *)c, sizeof(new)) < 0)
        return -EFAULT;
    if (time_from_timespec(&new.it_value, &value) < 0 ||
        time_from_timespec(&new.it_interval, &interval) < 0)
        return -EINVAL;
    struct timerfd *timerfd = timerfd_get(a, &file, &error);
    if (!timerfd)
        return error;
    current(timerfd, &old);
    set(timerfd, flags, value, interval);
    file_put(file);
    if (d && core_copy_out((void *)d, &old, sizeof(old)) < 0)
        return -EFAULT;
    return 0;
}

long core_timerfd_gettime(long a, long b)
{
    struct itimerspec now;
    struct file *file;
    int error;

    struct timerfd *timerfd = timerfd_get(a, &file, &error);
    if (!timerfd)
        return error;
    current(timerfd, &now);
    file_put(file);
    return core_copy_out((void *)b, &now, sizeof(now));
}
