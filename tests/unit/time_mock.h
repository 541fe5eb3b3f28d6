/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is below core/time, for its tests: a clock that moves when told,
 * threads that only exist, signals that are counted.
 */
#ifndef HALVM_UNIT_TIME_MOCK_H
#define HALVM_UNIT_TIME_MOCK_H

#include "check.h"
#include "core/calls.h"
#include "core/mem/mem.h"
#include "core/thread/thread.h"
#include "core/time/time.h"

static uint64_t mock_now = 1000;        /* monotonic */
static uint64_t mock_wall = 5000000000; /* wall = this + monotonic */
static uint64_t mock_cpu;               /* of the program */
static unsigned mock_signals[65];       /* sent, by number */
static siginfo_t mock_info;             /* the last one's */
static bool mock_pending;               /* so that further ones merge */
static bool mock_interrupts;            /* the next block ends with EINTR */
static unsigned mock_changed;           /* calls of thread_timer_changed */
static unsigned mock_pages;             /* held */

static uint64_t mock_clock(void)
{
    return mock_now;
}
static uint64_t mock_clock_wall(void)
{
    return mock_wall + mock_now;
}

static struct base mock_base = {.clock_monotonic = mock_clock,
                                .clock_wall = mock_clock_wall};
const struct base *core_base = &mock_base;
volatile uint8_t core_locked = 1;
volatile uint8_t core_attention;

static struct thread mock_thread = {.tid = 1};
static struct thread mock_other = {.tid = 7};
struct thread *thread_current = &mock_thread;

void core_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: ASSERT(%s)\n", file, line, condition);
    abort();
}
int core_copy_out(void *user_to, const void *from, size_t size)
{
    if (user_to == NULL)
        return -EFAULT;
    memcpy(user_to, from, size);
    return 0;
}
int core_copy_in(void *to, const void *user_from, size_t size)
{
    if (user_from == NULL)
        return -EFAULT;
    memcpy(to, user_from, size);
    return 0;
}
long core_leave_slow(long result)
{
    return result;
}
void *mem_pages_get(enum mem_account account, size_t count)
{
    mock_pages += (unsigned)count;
    return aligned_alloc(4096, count * 4096);
}
void mem_pages_put(enum mem_account account, void *pages, size_t count)
{
    mock_pages -= (unsigned)count;
    free(pages);
}
void *mem_pool_get(struct mem_pool *pool)
{
    return pool->count < pool->count_max
               ? (pool->count++, calloc(1, pool->object_size))
               : NULL;
}
void mem_pool_put(struct mem_pool *pool, void *object)
{
    pool->count--;
    free(object);
}
uint64_t mem_resident_max_bytes(void)
{
    return 1 << 20;
}
struct thread *thread_find(int tid)
{
    return tid == 1 ? &mock_thread : tid == 7 ? &mock_other : NULL;
}
uint64_t thread_cpu_ns(const struct thread *thread)
{
    return thread == &mock_thread ? mock_cpu : 42;
}
uint64_t thread_cpu_total_ns(void)
{
    return mock_cpu;
}
void thread_timer_changed(void)
{
    mock_changed++;
}
void (*signal_timer_taken)(const siginfo_t *info);
int signal_send(int signal, const siginfo_t *info)
{
    if (mock_pending) {
        if (info != NULL)
            mock_info.si_overrun += info->si_overrun + 1;
        return 1;
    }
    mock_signals[signal]++;
    if (info != NULL)
        mock_info = *info;
    return 0;
}
int signal_send_thread(struct thread *thread, int signal, const siginfo_t *info)
{
    CHECK(thread == &mock_other);
    return signal_send(signal, info);
}

/* Time passes; half of it is the program's. */
static void mock_pass(uint64_t ns)
{
    mock_now += ns;
    mock_cpu += ns / 2;
    time_expire();
}

int thread_block(uint64_t deadline_ns, bool interruptible)
{
    CHECK(interruptible);
    if (mock_interrupts) {
        mock_interrupts = false;
        mock_pass(1000);
        return -EINTR;
    }
    CHECK(deadline_ns != TIME_NEVER);
    if (deadline_ns > mock_now)
        mock_pass(deadline_ns - mock_now);
    return -ETIMEDOUT;
}
int wait_on(struct wait_queue *queue, uint64_t deadline_ns, bool interruptible)
{
    return thread_block(deadline_ns, interruptible);
}
void wait_wake(struct wait_queue *queue, uint32_t events, unsigned count)
{
    CHECK(queue == &time_wall_changed);
}

#endif
