/* SPDX-License-Identifier: BSD-3-Clause */
/* futex(2) as a raw call: every operation, its errors and its counts. */
#include <limits.h>
#include <pthread.h>
#include <signal.h>

#include "check.h"

/* linux/futex.h, which musl does not bring. */
#define FUTEX_WAIT           0
#define FUTEX_WAKE           1
#define FUTEX_REQUEUE        3
#define FUTEX_CMP_REQUEUE    4
#define FUTEX_WAKE_OP        5
#define FUTEX_WAIT_BITSET    9
#define FUTEX_WAKE_BITSET    10
#define FUTEX_PRIVATE        128
#define FUTEX_CLOCK_REALTIME 256
#define FUTEX_OP_ADD         1
#define FUTEX_OP_OR          2
#define FUTEX_OP_CMP_EQ      0
#define FUTEX_OP_CMP_GT      4
#define FUTEX_OP(op, arg, cmp, cmp_arg)                                        \
    ((long)(op) << 28 | (long)(cmp) << 24 | (long)(arg) << 12 | (cmp_arg))

static uint32_t word, other, meanwhile;
static int woken;

static long futex(uint32_t *address, int operation, long value,
                  const void *time, uint32_t *second, long third)
{
    return syscall(SYS_futex, address, operation, value, time, second, third);
}

static void test_errors(void)
{
    struct timespec bad = {0, 1000000000}, brief = {0, 3000000};

    CHECK_ERR(
        futex((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0),
        EINVAL);
    CHECK_ERR(futex(check_bad_pointer(), FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    CHECK_ERR(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
    CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERR(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
    CHECK_ERR(futex(&word, FUTEX_WAIT, 0, &brief, NULL, 0), ETIMEDOUT);
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 0, &brief, NULL, -1), ETIMEDOUT);
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &brief,
                    NULL, -1),
              ETIMEDOUT);
    CHECK_ERR(futex(&word, 100, 0, NULL, NULL, 0), ENOSYS);
}

static void *waiter(void *bits)
{
    if (futex(&word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE, 0, NULL, NULL,
              (long)(intptr_t)bits) != 0)
        CHECK_EQ(errno, EAGAIN);
    __atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void start(pthread_t *threads, int count, long bits)
{
    woken = 0;
    for (int i = 0; i < count; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, waiter, (void *)bits), 0);
    /* Until they wait: which are on the list can be moved, and back. */
    for (int moved = 0; moved < count; sched_yield()) {
        long now = futex(&word, FUTEX_REQUEUE | FUTEX_PRIVATE, 0,
                         (void *)INT_MAX, &meanwhile, 0);
        CHECK(now >= 0);
        moved += (int)now;
    }
    CHECK_EQ(futex(&meanwhile, FUTEX_REQUEUE | FUTEX_PRIVATE, 0,
                   (void *)INT_MAX, &word, 0),
             count);
    CHECK_EQ(woken, 0);
}

static void join(pthread_t *threads, int count)
{
    for (int i = 0; i < count; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

static void test_wake(void)
{
    pthread_t threads[4];

    CHECK_EQ(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
    start(threads, 4, -1);
    CHECK_EQ(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, 3, NULL, NULL, 0), 3);
    CHECK_EQ(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, INT_MAX, NULL, NULL, 0),
             1);
    join(threads, 4);
    start(threads, 2, 4);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE, 9, NULL, NULL, 3),
             0);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE, 9, NULL, NULL, 12),
             2);
    join(threads, 2);
}

static void test_requeue(void)
{
    pthread_t threads[4];

    start(threads, 4, -1);
    CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE, 1, (void *)9,
                    &other, 5),
              EAGAIN);
    CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE, 1, (void *)1,
                   &other, 0),
             2);
    CHECK_EQ(futex(&other, FUTEX_WAKE | FUTEX_PRIVATE, 9, NULL, NULL, 0), 1);
    CHECK_EQ(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, 9, NULL, NULL, 0), 2);
    join(threads, 4);
}

/* A count of wakes that is zero or negative wakes one; of a requeue it is
 * taken as it is, and must not be negative. */
static void test_counts(void)
{
    static const long none[] = {0, -1, INT_MIN};
    pthread_t threads[3];

    start(threads, 3, -1);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(
            futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, none[i], NULL, NULL, 0),
            1);
    join(threads, 3);
    start(threads, 3, -1);
    other = 1;
    CHECK_EQ(futex(&word, FUTEX_WAKE_OP | FUTEX_PRIVATE, -7, (void *)-1, &other,
                   FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 1)),
             1);
    CHECK_EQ(futex(&other, FUTEX_WAKE_OP | FUTEX_PRIVATE, 0, (void *)0, &word,
                   FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0)),
             1);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET | FUTEX_PRIVATE, -2, NULL, NULL, 1),
             1);
    join(threads, 3);
}

static void test_requeue_counts(void)
{
    pthread_t threads[3];

    start(threads, 3, -1);
    CHECK_ERR(
        futex(&word, FUTEX_REQUEUE | FUTEX_PRIVATE, -1, (void *)1, &other, 0),
        EINVAL);
    CHECK_ERR(
        futex(&word, FUTEX_REQUEUE | FUTEX_PRIVATE, 1, (void *)-1, &other, 0),
        EINVAL);
    CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE, 1,
                    (void *)0x80000000l, &other, 0),
              EINVAL);
    /* The word is not looked at, neither one's. */
    CHECK_EQ(
        futex(&word, FUTEX_REQUEUE | FUTEX_PRIVATE, 0, (void *)0, &other, 0),
        0);
    CHECK_EQ(futex(check_bad_pointer(), FUTEX_REQUEUE | FUTEX_PRIVATE, 1,
                   (void *)1, &other, 0),
             0);
    /* To the word itself: counted, and they stay. */
    CHECK_EQ(
        futex(&word, FUTEX_REQUEUE | FUTEX_PRIVATE, 0, (void *)2, &word, 0), 2);
    CHECK_EQ(futex(&word, FUTEX_REQUEUE | FUTEX_PRIVATE, 0, (void *)INT_MAX,
                   &other, 0),
             3);
    CHECK_EQ(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, 9, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&other, FUTEX_REQUEUE | FUTEX_PRIVATE, 2, (void *)INT_MAX,
                   &word, 0),
             3);
    CHECK_EQ(futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, 9, NULL, NULL, 0), 1);
    join(threads, 3);
    CHECK_ERR(futex(&word, FUTEX_REQUEUE | FUTEX_PRIVATE, 1, (void *)1,
                    (uint32_t *)((char *)&other + 1), 0),
              EINVAL);
    CHECK_ERR(futex(&word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0),
              ENOSYS);
    CHECK_ERR(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0),
              ENOSYS);
}

static void test_wake_op(void)
{
    pthread_t threads[2];

    start(threads, 2, -1);
    other = 3;
    /* other += 4; wake one of word; and one of other if it was > 2. */
    CHECK_EQ(futex(&word, FUTEX_WAKE_OP | FUTEX_PRIVATE, 1, (void *)1, &other,
                   FUTEX_OP(FUTEX_OP_ADD, 4, FUTEX_OP_CMP_GT, 2)),
             1);
    CHECK_EQ(other, 7);
    /* word keeps its value (or with zero); was it zero? then wake there. */
    CHECK_EQ(futex(&other, FUTEX_WAKE_OP | FUTEX_PRIVATE, 1, (void *)1, &word,
                   FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0)),
             1);
    join(threads, 2);
}

static void nothing(int number)
{
    (void)number;
}

static pthread_t main_thread;
static void *interrupt(void *arg)
{
    check_sleep_ms(10);
    pthread_kill(main_thread, SIGUSR1);
    check_sleep_ms(20);
    word = 1;
    futex(&word, FUTEX_WAKE | FUTEX_PRIVATE, 1, NULL, NULL, 0);
    return NULL;
}

static void test_interrupted(int flags, bool restarts)
{
    struct sigaction action = {.sa_handler = nothing, .sa_flags = flags};
    pthread_t thread;

    word = 0;
    main_thread = pthread_self();
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    CHECK_EQ(pthread_create(&thread, NULL, interrupt, NULL), 0);
    if (restarts)
        CHECK_EQ(futex(&word, FUTEX_WAIT | FUTEX_PRIVATE, 0, NULL, NULL, 0), 0);
    else
        CHECK_ERR(futex(&word, FUTEX_WAIT | FUTEX_PRIVATE, 0, NULL, NULL, 0),
                  EINTR);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    word = 0;
}

int main(void)
{
    test_errors();
    test_wake();
    test_requeue();
    test_counts();
    test_requeue_counts();
    test_wake_op();
    test_interrupted(0, false);
    test_interrupted(SA_RESTART, true);
    return 0;
}
