/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who takes a signal to the program: a thread that waits for it and has not
 * been given one yet, so that none sleeps on while a signal waits.
 *
 * cc: -pthread
 */
#include <pthread.h>
#include <signal.h>

#include "check.h"

#define WAITERS 3

static int values[WAITERS];

static void *wait_one(void *slot)
{
    siginfo_t info;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
    *(int *)slot = info.si_value.sival_int;
    return NULL;
}

/* A signal for each waiter, sent before any of them has run again. */
static void test_each_waiter_gets_one(void)
{
    pthread_t threads[WAITERS];
    int sum = 0;

    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, wait_one, &values[i]), 0);
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(
            sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1 << i}),
            0);
    for (int i = 0; i < WAITERS; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        sum += values[i];
    }
    CHECK_EQ(sum, (1 << WAITERS) - 1);
}

int main(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    alarm(5);
    test_each_waiter_gets_one();
    return 0;
}
