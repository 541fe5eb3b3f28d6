/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Waiting for descriptors with select and pselect.
 *
 * Covers: select pselect6
 */
#include "check.h"
#include <signal.h>
#include <sys/select.h>

static int p[2];
static volatile sig_atomic_t handled;

static void on_signal(int number)
{
    handled++;
}

static void test_sets(void)
{
    fd_set in, out, bad;
    struct timeval zero = {0, 0};
    char c;

    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(p[0], &in);
    FD_SET(p[1], &out);
    CHECK_EQ(select(p[1] + 1, &in, &out, NULL, &zero), 1);
    CHECK(!FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out));
    CHECK_EQ(write(p[1], "x", 1), 1);
    FD_SET(p[0], &in);
    CHECK_EQ(select(p[1] + 1, &in, &out, NULL, NULL), 2);
    CHECK(FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out));
    /* Only the descriptors below the first argument are looked at. */
    CHECK_EQ(select(p[0], &in, NULL, NULL, &zero), 0);
    CHECK_EQ(read(p[0], &c, 1), 1);
    /* Linux looks at no descriptor beyond its table, which has grown past 200
     * once that was open. */
    CHECK_EQ(dup2(p[0], 200), 200);
    CHECK_EQ(close(200), 0);
    FD_ZERO(&bad);
    FD_SET(200, &bad);
    CHECK_ERR(select(201, &bad, NULL, NULL, &zero), EBADF);
    CHECK_ERR(select(-1, NULL, NULL, NULL, &zero), EINVAL);
    struct timeval wrong = {-1, 0};
    CHECK_ERR(select(0, NULL, NULL, NULL, &wrong), EINVAL);
    CHECK_ERR(syscall(SYS_select, 1, check_bad_pointer(), NULL, NULL, &zero),
              EFAULT);
}

static void test_timeout(void)
{
    fd_set in;
    struct timeval wait = {0, 30000};
    long long start = check_now_ns();

    FD_ZERO(&in);
    FD_SET(p[0], &in);
    CHECK_EQ(syscall(SYS_select, p[0] + 1, &in, NULL, NULL, &wait), 0);
    CHECK(check_now_ns() - start >= 30000000);
    CHECK(!FD_ISSET(p[0], &in));
    CHECK(wait.tv_sec == 0 && wait.tv_usec == 0); /* Linux: what is left */
    struct timespec nano = {0, 10000000};
    start = check_now_ns();
    CHECK_EQ(pselect(0, NULL, NULL, NULL, &nano, NULL), 0);
    CHECK(check_now_ns() - start >= 10000000);
}

static void test_mask(void)
{
    struct sigaction act = {.sa_handler = on_signal};
    struct timespec second = {1, 0}, zero = {0, 0};
    sigset_t block, none, old;

    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &block, &old), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(pselect(0, NULL, NULL, NULL, &zero, &block), 0);
    CHECK_EQ(handled, 0);
    CHECK_ERR(pselect(0, NULL, NULL, NULL, &second, &none), EINTR);
    CHECK_EQ(handled, 1);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

static void test_end(void)
{
    fd_set in;

    close(p[1]);
    FD_ZERO(&in);
    FD_SET(p[0], &in);
    CHECK_EQ(select(p[0] + 1, &in, NULL, NULL, NULL), 1); /* end: readable */
    CHECK(FD_ISSET(p[0], &in));
    close(p[0]);
}

int main(void)
{
    CHECK_EQ(pipe(p), 0);
    test_sets();
    test_timeout();
    test_mask();
    test_end();
    return 0;
}
