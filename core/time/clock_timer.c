/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers that run in a clock: for timer_create and setitimer.
 *
 * The heap of timer.c knows monotonic time only. A target in CLOCK_REALTIME
 * is converted when armed and again when that clock is set. Processor time
 * passes no faster than real time, so a target in it is looked at when it
 * could be reached at the earliest, and then again.
 */
#include "core/thread/thread.h"
#include "core/time/clock.h"

/* A timer that repeats faster than it can be served fires this often, and
 * counts what it missed. */
#define REPEAT_NS_MIN 20000u
/* How often a target in processor time is looked at, at most. */
#define CPU_LOOK_NS_MIN 1000000u

static struct list wall_timers = LIST_INIT(wall_timers);

static void disarm(struct clock_timer *timer)
{
    timer->target_ns = 0;
    list_remove(&timer->wall);
    time_timer_cancel(&timer->timer);
}

static void arm(struct clock_timer *timer, uint64_t delay_min_ns)
{
    uint64_t now;
    if (clock_read(timer->clock, &now) < 0) { /* its thread has ended */
        disarm(timer);
        return;
    }
    uint64_t delay = timer->target_ns > now ? timer->target_ns - now : 0;
    if (delay < delay_min_ns)
        delay = delay_min_ns;
    time_timer_set(&timer->timer, time_deadline(delay));
}

static void fire(struct time_timer *base_timer)
{
    struct clock_timer *timer =
        container_of(base_timer, struct clock_timer, timer);
    uint64_t now, count = 1;
    if (clock_read(timer->clock, &now) < 0) {
        disarm(timer);
        return;
    }
    if (now < timer->target_ns) {
        arm(timer, clock_is_cpu(timer->clock) ? CPU_LOOK_NS_MIN : 0);
        return;
    }
    if (timer->interval_ns != 0) {
        count += (now - timer->target_ns) / timer->interval_ns;
        timer->target_ns += count * timer->interval_ns;
        arm(timer, REPEAT_NS_MIN);
    } else {
        disarm(timer);
    }
    timer->expired(timer, count);
}

void clock_timer_init(struct clock_timer *timer, clockid_t clock,
                      void (*expired)(struct clock_timer *, uint64_t))
{
    timer->timer.fire = fire;
    timer->clock = clock;
    timer->expired = expired;
    list_init(&timer->wall);
    clock_wall_hook = clock_timer_wall_changed;
}

void clock_timer_set(struct clock_timer *timer, uint64_t target_ns,
                     uint64_t interval_ns)
{
    disarm(timer);
    timer->interval_ns = interval_ns;
    if (target_ns == 0)
        return;
    timer->target_ns = target_ns;
    if (clock_is_wall(timer->clock))
        list_append(&wall_timers, &timer->wall);
    arm(timer, 0);
}

uint64_t clock_timer_left(const struct clock_timer *timer)
{
    uint64_t now;
    if (timer->target_ns == 0 || clock_read(timer->clock, &now) < 0)
        return 0;
    return timer->target_ns > now ? timer->target_ns - now : 1;
}

void clock_timer_wall_changed(void)
{
    list_for_each (node, &wall_timers) {
        arm(container_of(node, struct clock_timer, wall), 0);
    }
}
