/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * core/thread/futex.c, with the scheduler, on a machine in software.
 */
#include "core_mock.h"

#include "core/calls.h"

void (*core_net_ready)(void);
void (*core_block_ready)(void);
void (*core_xen_ready)(void);

enum {
    WAIT,
    WAKE,
    REQUEUE = 3,
    CMP_REQUEUE,
    WAKE_OP,
    LOCK_PI,
    WAIT_BITSET = 9,
    WAKE_BITSET,
    PRIVATE = 128,
    REALTIME = 256
};

static uint32_t word, other, tids[16];
static unsigned woken, gone;

static long futex(uint32_t *address, int op, long value, const void *time,
                  uint32_t *second, long third)
{
    return CALL(
        core_futex((long)address, op, value, (long)time, (long)second, third));
}

static void waiter(void *bits)
{
    CHECK(futex(&word, WAIT_BITSET | PRIVATE, 0, NULL, NULL,
                (long)(uintptr_t)bits) == 0);
    woken++;
    gone++;
    core_exit(0);
}

static void waiters(unsigned count, long bits)
{
    woken = gone = 0;
    for (unsigned i = 0; i < count; i++)
        CHECK(mock_thread(waiter, (void *)bits, &tids[i]) > 1);
    for (int i = 0; i < 3; i++)
        CALL(core_sched_yield());
}

static void settle(void)
{
    for (int i = 0; i < 4; i++)
        CALL(core_sched_yield());
}

static void test_arguments(void)
{
    struct timespec bad = {0, 1000000000};

    CHECK(futex((uint32_t *)2, WAKE, 1, NULL, NULL, 0) == -EINVAL);
    CHECK(futex((uint32_t *)8, WAIT, 0, NULL, NULL, 0) == -EFAULT);
    CHECK(futex(&word, WAIT, 1, NULL, NULL, 0) == -EAGAIN);
    CHECK(futex(&word, WAIT, 0, &bad, NULL, 0) == -EINVAL);
    CHECK(futex(&word, WAIT, 0, (void *)16, NULL, 0) == -EFAULT);
    CHECK(futex(&word, WAIT_BITSET, 0, NULL, NULL, 0) == -EINVAL);
    CHECK(futex(&word, WAKE_BITSET, 1, NULL, NULL, 0) == -EINVAL);
    CHECK(futex(&word, LOCK_PI, 0, NULL, NULL, 0) == -ENOSYS);
    CHECK(futex(&word, WAKE, 1, NULL, NULL, 0) == 0);
}

static void test_timeout(void)
{
    struct timespec ts = {0, 5000};
    uint64_t start = mock_now;

    CHECK(futex(&word, WAIT, 0, &ts, NULL, 0) == -ETIMEDOUT);
    CHECK(mock_now - start >= 5000 && mock_now - start < 6000);
    /* Absolute, monotonic: long past. */
    CHECK(futex(&word, WAIT_BITSET, 0, &ts, NULL, -1) == -ETIMEDOUT);
    start = mock_now;
    ts = (struct timespec){5, (long)(start + 9000)}; /* mock_wall */
    CHECK(futex(&word, WAIT_BITSET | REALTIME, 0, &ts, NULL, -1) == -ETIMEDOUT);
    CHECK(mock_now - start >= 8900 && mock_now - start < 10000);
}

static void test_wake(void)
{
    waiters(4, -1);
    CHECK(futex(&word, WAKE, 2, NULL, NULL, 0) == 2);
    settle();
    CHECK(woken == 2);
    CHECK(futex(&word, WAKE, INT32_MAX, NULL, NULL, 0) == 2);
    settle();
    CHECK(woken == 4 && thread_count == 1);

    waiters(1, 4);
    CHECK(futex(&word, WAKE_BITSET, 1, NULL, NULL, 3) == 0);
    CHECK(futex(&word, WAKE_BITSET, 1, NULL, NULL, 6) == 1);
    settle();
    CHECK(thread_count == 1);
}

static void test_requeue(void)
{
    waiters(4, -1);
    word = 9;
    CHECK(futex(&word, CMP_REQUEUE, 1, (void *)10, &other, 8) == -EAGAIN);
    CHECK(futex(&word, CMP_REQUEUE, 1, (void *)2, &other, 9) == 3);
    word = 0;
    settle();
    CHECK(woken == 1);
    CHECK(futex(&other, WAKE, 10, NULL, NULL, 0) == 2);
    CHECK(futex(&word, REQUEUE, 0, (void *)1, &other, 0) == 1);
    CHECK(futex(&word, WAKE, 10, NULL, NULL, 0) == 0);
    CHECK(futex(&other, WAKE, 10, NULL, NULL, 0) == 1);
    settle();
    CHECK(thread_count == 1);
}

#define OP(op, arg, cmp, cmparg)                                               \
    ((long)((uint32_t)(op) << 28 | (uint32_t)(cmp) << 24 |                     \
            ((uint32_t)(arg)&0xfff) << 12 | ((uint32_t)(cmparg)&0xfff)))

static void test_wake_op(void)
{
    static const struct {
        long code;
        uint32_t before, after;
        unsigned woken;
    } cases[] = {
        {OP(0, 5, 0, 7), 7, 5, 1},  /* set, equal */
        {OP(1, -2, 1, 7), 7, 5, 0}, /* add a negative, not equal */
        {OP(2, 8, 2, 8), 7, 15, 1}, /* or, less */
        {OP(3, 1, 3, 7), 7, 6, 1},  /* and not, less or equal */
        {OP(4, 1, 4, -1), 7, 6, 1}, /* xor, greater than a negative */
        {OP(8, 4, 5, 8), 7, 16, 0}, /* set 1 << 4, greater or equal */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        waiters(1, -1);
        other = cases[i].before;
        CHECK(futex(&other, WAKE_OP, 1, (void *)1, &other, cases[i].code) == 0);
        CHECK(other == cases[i].after);
        other = cases[i].before;
        /* The waiter is behind the second word. */
        CHECK(futex(&tids[15], WAKE_OP, 1, (void *)1, &other, cases[i].code) ==
              0);
        futex(&word, WAKE, 1, NULL, NULL, 0);
        settle();
    }
    CHECK(futex(&word, WAKE_OP, 1, (void *)1, &other, OP(5, 0, 0, 0)) ==
          -ENOSYS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t keep = cases[i].before;

        waiters(1, -1);
        word = keep;
        CHECK(futex(&other, WAKE_OP, 1, (void *)1, &word, cases[i].code) ==
              cases[i].woken);
        word = 0;
        futex(&word, WAKE, 1, NULL, NULL, 0);
        settle();
        CHECK(thread_count == 1);
    }
}

/* A thread that dies with a robust mutex tells the next. */
static struct {
    uint64_t first;
    int64_t offset;
    uint64_t pending;
} robust;
static struct {
    uint64_t next;
    uint32_t lock, unused;
} mutex[2];

static void owner(void *arg)
{
    uint32_t tid = (uint32_t)core_gettid();

    mutex[0].lock = tid;
    mutex[1].lock = tid | 0x80000000u;
    mutex[0].next = (uint64_t)(uintptr_t)&mutex[1];
    mutex[1].next = (uint64_t)(uintptr_t)&robust;
    robust.first = (uint64_t)(uintptr_t)&mutex[0];
    robust.offset = 8;
    CHECK(CALL(core_set_robust_list((long)&robust, 12)) == -EINVAL);
    CHECK(CALL(core_set_robust_list((long)&robust, sizeof robust)) == 0);
    core_exit(0);
}

static void test_robust(void)
{
    mock_thread(owner, NULL, &tids[0]);
    settle();
    CHECK(thread_count == 1);
    CHECK(mutex[0].lock == 0x40000000u && mutex[1].lock == 0xc0000000u);
}

static void all(void)
{
    test_arguments();
    test_timeout();
    test_wake();
    test_requeue();
    test_wake_op();
    test_robust();
}

int main(void)
{
    mock_run(all);
}
