/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of core/time share: clocks by number, and timers that run in
 * a clock of the program's choice. Monitor held, except in clock_read.
 */
#ifndef HALVM_TIME_CLOCK_H
#define HALVM_TIME_CLOCK_H

#include "core/time/time.h"

/* Linux's numbers that musl's time.h lacks or guards. */
#ifndef CLOCK_TAI
#define CLOCK_TAI 11
#endif

/* The clock's time; -EINVAL if there is no such clock or its thread ended. */
int clock_read(clockid_t clock, uint64_t *ns);
/* Processor time, of a thread or the program. */
bool clock_is_cpu(clockid_t clock);
/* One that clock_settime changes. */
bool clock_is_wall(clockid_t clock);

/*
 * A timer in a clock. When it has expired, once or count times since, it
 * calls expired(); with an interval it goes on.
 */
struct clock_timer {
    struct time_timer timer;
    clockid_t clock;
    uint64_t target_ns;   /* in the clock; 0: not armed */
    uint64_t interval_ns; /* 0: fires once */
    void (*expired)(struct clock_timer *timer, uint64_t count);
    struct list wall; /* in the list of those that clock_settime moves */
};
void clock_timer_init(struct clock_timer *timer, clockid_t clock,
                      void (*expired)(struct clock_timer *, uint64_t));
/* Arms it, or disarms it (target 0). A target in the past fires at once. */
void clock_timer_set(struct clock_timer *timer, uint64_t target_ns,
                     uint64_t interval_ns);
/* Time left until it fires; 0 if not armed, and never 0 if it is. */
uint64_t clock_timer_left(const struct clock_timer *timer);
/* CLOCK_REALTIME was set: those armed in it look again. */
void clock_timer_wall_changed(void);
/* Set while such a timer exists, so that clock_settime alone does not link
 * them. */
extern void (*clock_wall_hook)(void);

#endif
