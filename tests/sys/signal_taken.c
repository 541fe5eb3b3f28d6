/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A signal to the program that another thread takes: a call that sleeps says
 * EINTR only if the handler ran in its own thread, and else sleeps on, to its
 * time and no longer than that.
 *
 * Covers: nanosleep clock_nanosleep futex poll select pause epoll_wait semop
 * cc: -pthread
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/select.h>
#include <sys/sem.h>

#include "check.h"

#define SLEEP_MS 40

static _Thread_local volatile sig_atomic_t handled;
static volatile sig_atomic_t handled_all, stop;
static pthread_t sleeper;

static void on_signal(int number)
{
    handled++;
    handled_all++;
}

/* Sends to the program, and lets the signal through itself. */
static void *sender(void *unused)
{
    while (!stop) {
        kill(getpid(), SIGUSR1);
        check_sleep_ms(3);
    }
    return NULL;
}

static struct timespec ms(int value)
{
    return (struct timespec){value / 1000, value % 1000 * 1000000l};
}

static int sleep_nanosleep(void)
{
    struct timespec time = ms(SLEEP_MS);
    return nanosleep(&time, NULL);
}

static int sleep_until(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_nsec += SLEEP_MS * 1000000l;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
    return errno ? -1 : 0;
}

static int sleep_futex(void)
{
    static uint32_t word;
    struct timespec time = ms(SLEEP_MS);
    int result = (int)syscall(SYS_futex, &word, 0, 0, &time, NULL, 0);
    return result == -1 && errno == ETIMEDOUT ? 0 : result;
}

static int sleep_poll(void)
{
    return poll(NULL, 0, SLEEP_MS);
}

static int sleep_select(void)
{
    struct timeval time = {0, SLEEP_MS * 1000};
    return select(0, NULL, NULL, NULL, &time);
}

static int sleep_epoll(void)
{
    static int epoll;
    struct epoll_event event;
    if (!epoll)
        epoll = epoll_create1(0);
    return epoll_wait(epoll, &event, 1, SLEEP_MS);
}

static int set;

static int sleep_semop(void)
{
    struct sembuf take = {0, -1, 0};
    struct timespec time = ms(SLEEP_MS);
    int result = semtimedop(set, &take, 1, &time);
    return result == -1 && errno == EAGAIN ? 0 : result;
}

/* A call that ended early was ended by a handler of this thread; one that was
 * not slept its time. */
static void sleeps(int (*call)(void))
{
    for (int i = 0; i < 3; i++) {
        long long begin = check_now_ns();
        int before = handled;
        int result = call();
        if (result == -1) {
            CHECK_EQ(errno, EINTR);
            CHECK(handled != before);
        } else {
            CHECK_EQ(result, 0);
            CHECK(check_now_ns() - begin >= SLEEP_MS * 1000000ll - 2000000);
        }
    }
}

/* pause ends with a handler having run, and never otherwise. */
static void test_pause(void)
{
    for (int i = 0; i < 3; i++) {
        int before = handled;
        CHECK_ERR(pause(), EINTR);
        CHECK(handled != before);
    }
}

/* Ends pause, whoever takes the signals to the program. */
static void *aim(void *unused)
{
    while (!stop) {
        check_sleep_ms(20);
        pthread_kill(sleeper, SIGUSR1);
    }
    return NULL;
}

int main(void)
{
    struct sigaction act = {.sa_handler = on_signal};
    pthread_t threads[2];

    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    CHECK_EQ(pthread_create(&threads[0], NULL, sender, NULL), 0);
    sleeps(sleep_nanosleep);
    sleeps(sleep_until);
    sleeps(sleep_futex);
    sleeps(sleep_poll);
    sleeps(sleep_select);
    sleeps(sleep_epoll);
    set = semget(IPC_PRIVATE, 1, 0600);
    CHECK(set >= 0);
    sleeps(sleep_semop);
    sleeper = pthread_self();
    CHECK_EQ(pthread_create(&threads[1], NULL, aim, NULL), 0);
    test_pause();
    stop = 1;
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(semctl(set, 0, IPC_RMID), 0);
    CHECK(handled_all > 0);
    return 0;
}
