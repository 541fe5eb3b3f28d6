/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * epoll's waits with a signal mask and with nanoseconds; many descriptors
 * served in turn.
 *
 * Covers: epoll_pwait epoll_pwait2
 */
#include "check.h"
#include <signal.h>
#include <sys/epoll.h>

static volatile sig_atomic_t handled;

static void on_signal(int number)
{
    handled++;
}

static void test_mask(int ep)
{
    struct sigaction act = {.sa_handler = on_signal};
    struct epoll_event event;
    sigset_t block, none, old;

    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &block, &old), 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(epoll_wait(ep, &event, 1, 10), 0);
    CHECK_EQ(epoll_pwait(ep, &event, 1, 10, &block), 0);
    CHECK_EQ(handled, 0);
    CHECK_ERR(epoll_pwait(ep, &event, 1, 1000, &none), EINTR);
    CHECK_EQ(handled, 1);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &old, NULL), 0);
    CHECK_ERR(syscall(SYS_epoll_pwait, ep, &event, 1, 0, &none, 3ul), EINVAL);
}

static void test_nanoseconds(int ep)
{
    struct epoll_event event;
    struct timespec wait = {0, 12000000}, wrong = {0, -1};
    long long start = check_now_ns();

    long result = syscall(SYS_epoll_pwait2, ep, &event, 1, &wait, NULL, 8ul);
    if (result == -1 && errno == ENOSYS)
        return; /* Linux before 5.11 */
    CHECK_EQ(result, 0);
    CHECK(check_now_ns() - start >= 12000000);
    CHECK_ERR(syscall(SYS_epoll_pwait2, ep, &event, 1, &wrong, NULL, 8ul),
              EINVAL);
}

/* With room for fewer events than there are, nobody starves. */
static void test_fair(int ep)
{
    enum { PIPES = 10 };
    int pipes[PIPES][2], seen[PIPES] = {0};

    for (int i = 0; i < PIPES; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (unsigned)i};
        CHECK_EQ(pipe(pipes[i]), 0);
        CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, pipes[i][0], &event), 0);
        CHECK_EQ(write(pipes[i][1], "x", 1), 1);
    }
    for (int round = 0; round < 5; round++) {
        struct epoll_event events[3];
        CHECK_EQ(epoll_wait(ep, events, 3, 0), 3);
        for (int i = 0; i < 3; i++)
            seen[events[i].data.u32]++;
    }
    for (int i = 0; i < PIPES; i++) {
        CHECK(seen[i] >= 1);
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
}

int main(void)
{
    int ep = epoll_create1(0);

    CHECK(ep >= 0);
    test_mask(ep);
    test_nanoseconds(ep);
    test_fair(ep);
    close(ep);
    return 0;
}
