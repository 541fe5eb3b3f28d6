/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that a signal interrupts: which go on, which say EINTR.
 *
 * Covers: read write nanosleep futex rt_sigaction accept recvfrom
 * cc: -pthread
 */
#include "check.h"
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

static pthread_t main_thread;
static volatile sig_atomic_t calls;
static int p[2];

static void on_signal(int number)
{
    calls++;
}

static void handler(int flags)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = flags};

    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    calls = 0;
}

static volatile sig_atomic_t ended;

/* Sends the signal and later a byte; without a descriptor for that, the signal
 * again and again, since the first may come before the call that waits. */
static void *disturb(void *argument)
{
    do {
        check_sleep_ms(10);
        pthread_kill(main_thread, SIGUSR1);
    } while (!argument && !ended);
    check_sleep_ms(15);
    if (argument)
        CHECK_EQ(write(*(int *)argument, "x", 1), 1);
    return NULL;
}

static pthread_t start(int *fd)
{
    pthread_t thread;

    ended = 0;
    CHECK_EQ(pthread_create(&thread, NULL, disturb, fd), 0);
    return thread;
}

static void finish(pthread_t thread)
{
    ended = 1;
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void test_read(void)
{
    pthread_t thread;
    char c;

    handler(0);
    thread = start(NULL);
    CHECK_ERR(read(p[0], &c, 1), EINTR);
    CHECK(calls >= 1);
    finish(thread);
    handler(SA_RESTART);
    thread = start(&p[1]);
    CHECK_EQ(read(p[0], &c, 1), 1); /* started again after the handler */
    CHECK(calls >= 1);
    finish(thread);
}

/* A write that has done a part says how much, and that is no error. */
static void test_partial_write(void)
{
    static char data[200000];
    pthread_t thread;

    handler(0);
    thread = start(NULL);
    ssize_t done = write(p[1], data, sizeof(data));
    CHECK_EQ(done, 65536);
    finish(thread);
    while (done > 0)
        done -= read(p[0], data, sizeof(data));
}

static void test_sleep(void)
{
    struct timespec minute = {60, 0}, left = {0, 0};
    pthread_t thread;

    handler(SA_RESTART); /* makes no difference for sleeps */
    thread = start(NULL);
    CHECK_ERR(nanosleep(&minute, &left), EINTR);
    CHECK(left.tv_sec >= 30 && left.tv_sec < 60);
    left.tv_sec = 0;
    finish(thread);
    thread = start(NULL);
    CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &minute, &left), EINTR);
    CHECK(left.tv_sec >= 30 && left.tv_sec < 60);
    finish(thread);
}

static void test_sockets(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int pair[2], listener = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t thread;
    char c;

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    handler(0);
    thread = start(NULL);
    CHECK_ERR(recv(pair[0], &c, 1, 0), EINTR);
    finish(thread);
    handler(SA_RESTART);
    thread = start(&pair[1]);
    CHECK_EQ(recv(pair[0], &c, 1, 0), 1);
    finish(thread);
    CHECK_EQ(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    CHECK_EQ(listen(listener, 1), 0);
    handler(0);
    thread = start(NULL);
    CHECK_ERR(accept(listener, NULL, NULL), EINTR);
    finish(thread);
    close(pair[0]);
    close(pair[1]);
    close(listener);
}

/* A mutex or a join is never interrupted. */
static void *hold(void *argument)
{
    pthread_mutex_t *mutex = argument;

    CHECK_EQ(pthread_mutex_lock(mutex), 0);
    CHECK_EQ(write(p[1], "l", 1), 1);
    while (calls == 0)
        check_sleep_ms(5);
    check_sleep_ms(5);
    CHECK_EQ(pthread_mutex_unlock(mutex), 0);
    return NULL;
}

static void test_mutex(void)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_t holder, thread;
    char c;

    handler(0);
    CHECK_EQ(pthread_create(&holder, NULL, hold, &mutex), 0);
    CHECK_EQ(read(p[0], &c, 1), 1);
    thread = start(NULL);
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    CHECK(calls >= 1);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    CHECK_EQ(pthread_join(holder, NULL), 0);
    finish(thread);
}

int main(void)
{
    main_thread = pthread_self();
    CHECK_EQ(pipe(p), 0);
    test_read();
    test_partial_write();
    test_sleep();
    test_sockets();
    test_mutex();
    return 0;
}
