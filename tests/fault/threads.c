/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The nth failure while threads come, work and go: see fault.h. A thread's
 * stack, its object in core and its place among the timers are all taken in
 * pthread_create, which says EAGAIN; from there on it cannot fail.
 *
 * skip: linux fails no memory on demand
 * option: fault=off
 * memory: 16M
 * cc: -pthread
 */
#include "fault.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

enum { THREADS = 40 }; /* more than there are static places for timers */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static sem_t started;
static bool go;

static void *body(void *argument)
{
    struct timespec until;
    volatile char deep[4000];

    memset((char *)deep, 1, sizeof(deep));
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 100;
    CHECK_EQ(sem_post(&started), 0);
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    while (!go)
        CHECK_EQ(pthread_cond_timedwait(&changed, &mutex, &until), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    return (void *)&started;
}

static int threads(void)
{
    pthread_t list[THREADS];
    pthread_attr_t attr;
    int count = 0, error = 0;

    CHECK_EQ(sem_init(&started, 0, 0), 0);
    go = false;
    CHECK_EQ(pthread_attr_init(&attr), 0);
    CHECK_EQ(pthread_attr_setstacksize(&attr, 16384), 0);
    for (; count < THREADS && error == 0; count += error == 0)
        error = pthread_create(&list[count], &attr, body, NULL);
    for (int i = 0; i < count; i++)
        CHECK_EQ(sem_wait(&started), 0);
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    go = true;
    CHECK_EQ(pthread_cond_broadcast(&changed), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    for (int i = 0; i < count; i++) {
        void *result;
        CHECK_EQ(pthread_join(list[i], &result), 0);
        CHECK(result == (void *)&started);
    }
    /* Only pthread_create has failed, and as it must. */
    CHECK(error == 0 || error == EAGAIN);
    return error;
}

int main(void)
{
    static const struct fault_scenario list[] = {{"threads", threads, 0}};

    setvbuf(stdout, NULL, _IOLBF, 256);
    fault_run(list, 1);
    return 0;
}
