/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting for descriptors with poll and ppoll.
 *
 * Covers: poll ppoll
 * cc: -pthread
 */
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

static int p[2];

static void test_now(void)
{
    struct pollfd f[3] = {{.fd = p[0], .events = POLLIN},
                          {.fd = p[1], .events = POLLOUT},
                          {.fd = -5, .events = POLLIN}};

    CHECK_EQ(poll(f, 3, 0), 1);
    CHECK_EQ(f[0].revents, 0);
    CHECK_EQ(f[1].revents, POLLOUT);
    CHECK_EQ(f[2].revents, 0); /* negative: skipped */
    CHECK_EQ(write(p[1], "x", 1), 1);
    CHECK_EQ(poll(f, 3, 0), 2);
    CHECK_EQ(f[0].revents, POLLIN);
    f[2].fd = 500;
    CHECK_EQ(poll(f, 3, 0), 3);
    CHECK_EQ(f[2].revents, POLLNVAL);
    f[0].events = 0;
    CHECK_EQ(poll(f, 1, 0), 0);
    char c;
    CHECK_EQ(read(p[0], &c, 1), 1);
    CHECK_EQ(poll(NULL, 0, 0), 0);
    CHECK_ERR(syscall(SYS_poll, check_bad_pointer(), 1, 0), EFAULT);
    struct rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_ERR(poll(f, (nfds_t)limit.rlim_cur + 1, 0), EINVAL);
}

static void test_timeout(void)
{
    struct pollfd f = {.fd = p[0], .events = POLLIN};
    long long start = check_now_ns();

    CHECK_EQ(poll(&f, 1, 30), 0);
    CHECK(check_now_ns() - start >= 30000000);
    start = check_now_ns();
    CHECK_EQ(poll(NULL, 0, 20), 0);
    CHECK(check_now_ns() - start >= 20000000);
    struct timespec wait = {0, 15000000};
    start = check_now_ns();
    CHECK_EQ(ppoll(&f, 1, &wait, NULL), 0);
    CHECK(check_now_ns() - start >= 15000000);
    wait.tv_nsec = 1000000000;
    CHECK_ERR(ppoll(&f, 1, &wait, NULL), EINVAL);
}

static void *write_later(void *argument)
{
    check_sleep_ms(20);
    CHECK_EQ(write(p[1], "y", 1), 1);
    return argument;
}

static void test_wake(void)
{
    struct pollfd f = {.fd = p[0], .events = POLLIN};
    pthread_t thread;
    char c;

    CHECK_EQ(pthread_create(&thread, NULL, write_later, NULL), 0);
    CHECK_EQ(poll(&f, 1, -1), 1);
    CHECK_EQ(f.revents, POLLIN);
    CHECK_EQ(read(p[0], &c, 1), 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

static volatile sig_atomic_t handled, interrupted;

static void on_signal(int number)
{
    handled++;
}

/* Again and again, since the first may come before the call that waits. */
static void *kill_later(void *argument)
{
    while (!interrupted) {
        check_sleep_ms(20);
        pthread_kill(*(pthread_t *)argument, SIGUSR1);
    }
    return NULL;
}

static void test_signals(void)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct pollfd f = {.fd = p[0], .events = POLLIN};
    pthread_t self = pthread_self(), thread;
    struct timespec second = {1, 0};
    sigset_t block, old, none;

    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    CHECK_EQ(pthread_create(&thread, NULL, kill_later, &self), 0);
    CHECK_ERR(poll(&f, 1, 2000), EINTR); /* SA_RESTART or not */
    interrupted = 1;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(handled >= 1);
    handled = 1;

    /* A blocked signal is let in by ppoll's mask, and only there. */
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &block, &old), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(handled, 1);
    CHECK_EQ(poll(&f, 1, 0), 0);
    CHECK_EQ(handled, 1);
    CHECK_ERR(ppoll(&f, 1, &second, &none), EINTR);
    CHECK_EQ(handled, 2);
    sigset_t now;
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
    CHECK(sigismember(&now, SIGUSR1)); /* put back */
    /* A signal that the mask keeps out does not disturb. */
    CHECK_EQ(raise(SIGUSR1), 0);
    struct timespec little = {0, 10000000};
    CHECK_EQ(ppoll(&f, 1, &little, &block), 0);
    CHECK_EQ(handled, 2);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
    CHECK_EQ(handled, 3);
    CHECK_ERR(syscall(SYS_ppoll, &f, 1, &little, &block, 5), EINVAL);
}

static void test_many(void)
{
    enum { MANY = 60 };
    struct pollfd f[MANY];
    int q[MANY][2];

    for (int i = 0; i < MANY; i++) {
        CHECK_EQ(pipe(q[i]), 0);
        f[i] = (struct pollfd){.fd = q[i][0], .events = POLLIN};
    }
    CHECK_EQ(poll(f, MANY, 0), 0);
    CHECK_EQ(write(q[MANY - 1][1], "z", 1), 1);
    CHECK_EQ(write(q[3][1], "z", 1), 1);
    CHECK_EQ(poll(f, MANY, -1), 2);
    CHECK(f[3].revents == POLLIN && f[MANY - 1].revents == POLLIN);
    for (int i = 0; i < MANY; i++) {
        close(q[i][0]);
        close(q[i][1]);
    }
}

int main(void)
{
    check_scratch();
    CHECK_EQ(pipe(p), 0);
    test_now();
    test_timeout();
    test_wake();
    test_signals();
    test_many();
    struct pollfd f = {.fd = p[0], .events = POLLIN};
    close(p[1]);
    CHECK_EQ(poll(&f, 1, -1), 1);
    CHECK_EQ(f.revents, POLLHUP);
    check_file("file", "x"); /* a file is always ready */
    f = (struct pollfd){.fd = open("file", O_RDONLY),
                        .events = POLLIN | POLLOUT};
    CHECK_EQ(poll(&f, 1, -1), 1);
    CHECK_EQ(f.revents, POLLIN | POLLOUT);
    return 0;
}
