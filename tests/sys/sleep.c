/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sleeping: never too short, absolute or relative.
 *
 * Covers: nanosleep clock_nanosleep sched_yield
 * cc: -pthread
 */
#include "check.h"
#include <pthread.h>
#include <sched.h>

static void test_relative(void)
{
    struct timespec t = {0, 15000000}, wrong = {0, 1000000000};
    long long start = check_now_ns();

    CHECK_EQ(nanosleep(&t, NULL), 0);
    CHECK(check_now_ns() - start >= 15000000);
    start = check_now_ns();
    CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, 0, &t, NULL), 0);
    CHECK(check_now_ns() - start >= 15000000);
    t.tv_nsec = 0;
    CHECK_EQ(nanosleep(&t, NULL), 0);
    CHECK_ERR(nanosleep(&wrong, NULL), EINVAL);
    wrong.tv_nsec = -1;
    CHECK_ERR(nanosleep(&wrong, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_nanosleep, check_bad_pointer(), NULL), EFAULT);
}

static void test_absolute(void)
{
    struct timespec t, past = {1, 0};
    long long until;

    CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &t), 0);
    until = t.tv_sec * 1000000000ll + t.tv_nsec + 20000000;
    t.tv_sec = until / 1000000000;
    t.tv_nsec = until % 1000000000;
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
    CHECK(check_now_ns() >= until);
    CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &past, NULL), 0);
    CHECK_EQ(clock_nanosleep(12345, 0, &past, NULL), EINVAL);
}

/* Many sleepers wake in the order of their deadlines, FIRST_NS after the start
 * and STEP_NS apart. */
enum { SLEEPERS = 12, FIRST_NS = 40000000, STEP_NS = 10000000, TRIES = 20 };
static int woken[SLEEPERS], count;
static _Atomic bool late; /* somebody began to sleep after the first deadline */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long long base;

static void *sleeper(void *argument)
{
    int i = (int)(long)argument;
    long long until = base + FIRST_NS + (SLEEPERS - i) * (long long)STEP_NS;
    struct timespec t = {until / 1000000000, until % 1000000000};

    if (check_now_ns() >= base + FIRST_NS)
        late = true;
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL), 0);
    pthread_mutex_lock(&lock);
    woken[count++] = i;
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* Whether all of them slept before the first deadline. */
static bool sleep_in_order(void)
{
    pthread_t threads[SLEEPERS];

    count = 0;
    late = false;
    base = check_now_ns();
    for (long i = 0; i < SLEEPERS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, sleeper, (void *)i), 0);
    for (int i = 0; i < SLEEPERS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(count, SLEEPERS);
    return !late;
}

static void test_order(void)
{
    int tries = 1;

    while (!sleep_in_order()) /* a machine that stood still meanwhile */
        CHECK(++tries <= TRIES);
    /* A busy machine may swap neighbours, 10 ms apart, but not more. */
    for (int i = 0; i < SLEEPERS; i++)
        CHECK(abs(woken[i] - (SLEEPERS - 1 - i)) <= 2);
}

int main(void)
{
    test_relative();
    test_absolute();
    test_order();
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(sched_yield(), 0);
    return 0;
}
