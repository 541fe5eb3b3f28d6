/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Time: the clocks, and timers inside core.
 *
 * Deadlines are clock_monotonic nanoseconds; UINT64_MAX is never. Monitor
 * held, except in time_now_ns and time_wall_ns.
 */
#ifndef HALVM_TIME_H
#define HALVM_TIME_H

#include <time.h>

#include "core/core.h"

struct wait_queue;

#define TIME_NEVER  UINT64_MAX
#define TIME_SECOND 1000000000ull

uint64_t time_now_ns(void);  /* CLOCK_MONOTONIC */
uint64_t time_wall_ns(void); /* CLOCK_REALTIME, settable */

/* now + duration, TIME_NEVER on overflow. */
uint64_t time_deadline(uint64_t duration_ns);
/* Checks and converts; -EINVAL if negative or tv_nsec out of range. */
int time_from_timespec(const struct timespec *ts, uint64_t *out_ns);
void time_to_timespec(uint64_t ns, struct timespec *out);

/* Told when CLOCK_REALTIME is set: whoever waits for an absolute time of that
 * clock converts it anew. */
extern struct wait_queue time_wall_changed;

/*
 * A timer calls fire(timer) once, in the monitor, when its deadline has
 * passed; fire may add it again. Not allocated by us.
 */
struct time_timer {
    uint64_t deadline_ns;
    uint32_t heap_index; /* 0: not armed */
    void (*fire)(struct time_timer *timer);
};
/* Arms, or moves an armed one. Never fails: the heap grows when a timer is
 * made, see time_timer_reserve. */
void time_timer_set(struct time_timer *timer, uint64_t deadline_ns);
/* The same for a caller that tells the base of the next deadline itself, as
 * thread_block does: the ordinary one calls thread_timer_changed. */
void time_timer_set_quiet(struct time_timer *timer, uint64_t deadline_ns);
void time_timer_cancel(struct time_timer *timer); /* harmless if not armed */
/* Room for count more (or fewer, if negative) timers; 0 or -ENOMEM. */
int time_timer_reserve(int count);

/* Calls all that are due; returns the next deadline, or TIME_NEVER. */
uint64_t time_expire(void);
uint64_t time_next_deadline(void);

#endif
