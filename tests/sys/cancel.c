/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pthread_cancel: in each kind of cancellation point, before it, while
 * cancellation is held back, and asynchronously.
 */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>

#include "check.h"

static int pipe_fds[2], pair_fds[2];
static sem_t sem, at_point;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int cleaned;

static void clean(void *arg)
{
    cleaned += (int)(intptr_t)arg;
}

static void in_read(void)
{
    char byte;
    read(pipe_fds[0], &byte, 1);
}

static void in_sleep(void)
{
    sleep(100);
}

static void in_sem(void)
{
    sem_wait(&sem);
}

static void in_poll(void)
{
    struct pollfd fd = {pipe_fds[0], POLLIN, 0};
    poll(&fd, 1, -1);
}

static void in_recv(void)
{
    char byte;
    recv(pair_fds[0], &byte, 1, 0);
}

static void in_cond(void)
{
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push((void (*)(void *))(void *)pthread_mutex_unlock,
                         &mutex);
    for (;;)
        pthread_cond_wait(&cond, &mutex);
    pthread_cleanup_pop(1);
}

static void in_testcancel(void)
{
    for (;;)
        pthread_testcancel();
}

static void in_pause(void)
{
    pause();
}

static void (*const points[])(void) = {
    in_read, in_sleep, in_sem,        in_poll,
    in_recv, in_cond,  in_testcancel, in_pause,
};
#define POINTS (int)(sizeof points / sizeof points[0])

static void *go(void *arg)
{
    pthread_cleanup_push(clean, (void *)1);
    sem_post(&at_point);
    points[(intptr_t)arg]();
    CHECK(!"went on after a cancellation point");
    pthread_cleanup_pop(0);
    return NULL;
}

static void test_points(int delay_ms)
{
    for (int i = 0; i < POINTS; i++) {
        pthread_t thread;
        void *result;

        cleaned = 0;
        CHECK_EQ(pthread_create(&thread, NULL, go, (void *)(intptr_t)i), 0);
        CHECK_EQ(sem_wait(&at_point), 0);
        if (delay_ms != 0)
            check_sleep_ms(delay_ms);
        CHECK_EQ(pthread_cancel(thread), 0);
        CHECK_EQ(pthread_join(thread, &result), 0);
        CHECK(result == PTHREAD_CANCELED);
        CHECK_EQ(cleaned, 1);
    }
    CHECK_EQ(pthread_mutex_trylock(&mutex), 0); /* the clean-up unlocked it */
    pthread_mutex_unlock(&mutex);
}

/* Held back: the calls go on; then the first point cancels. */
static int disabled_done;
static void *disabled(void *arg)
{
    int old;

    CHECK_EQ(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old), 0);
    CHECK_EQ(old, PTHREAD_CANCEL_ENABLE);
    sem_post(&at_point);
    check_sleep_ms(20);
    CHECK_EQ(write(pipe_fds[1], "x", 1), 1);
    disabled_done = 1;
    CHECK_EQ(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old), 0);
    in_sleep();
    CHECK(!"went on");
    return NULL;
}

static void test_disabled(void)
{
    pthread_t thread;
    void *result;
    char byte;

    CHECK_EQ(pthread_create(&thread, NULL, disabled, NULL), 0);
    CHECK_EQ(sem_wait(&at_point), 0);
    check_sleep_ms(5);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK_EQ(disabled_done, 1);
    CHECK_EQ(read(pipe_fds[0], &byte, 1), 1);
}

static volatile int spins;
static void *asynchronous(void *arg)
{
    int old;

    CHECK_EQ(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &old), 0);
    sem_post(&at_point);
    for (;;)
        spins++;
    return NULL;
}

static void test_asynchronous(void)
{
    pthread_t thread;
    void *result;

    CHECK_EQ(pthread_create(&thread, NULL, asynchronous, NULL), 0);
    CHECK_EQ(sem_wait(&at_point), 0);
    check_sleep_ms(5);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
}

/* A thread that computes without a point ends by itself. */
static void *deaf(void *arg)
{
    sem_post(&at_point);
    for (volatile int i = 0; i < 20000000; i++)
        ;
    return arg;
}

static void test_deaf(void)
{
    pthread_t thread;
    void *result;

    CHECK_EQ(pthread_create(&thread, NULL, deaf, &cleaned), 0);
    CHECK_EQ(sem_wait(&at_point), 0);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == &cleaned);
}

int main(void)
{
    CHECK_EQ(pipe(pipe_fds), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair_fds), 0);
    CHECK_EQ(sem_init(&sem, 0, 0), 0);
    CHECK_EQ(sem_init(&at_point, 0, 0), 0);
    test_points(0);
    test_points(5);
    test_disabled();
    test_asynchronous();
    test_deaf();
    return 0;
}
