/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signals read from a descriptor.
 *
 * Covers: signalfd signalfd4
 */
#include "check.h"
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

int main(void)
{
    struct signalfd_siginfo info[3];
    sigset_t set;
    union sigval value = {.sival_int = 4711};

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 1);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    CHECK_EQ(poll(&p, 1, 0), 0);
    CHECK_ERR(read(fd, info, sizeof(info)), EAGAIN);

    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    CHECK_EQ(poll(&p, 1, -1), 1);
    CHECK_EQ(p.revents, POLLIN);
    CHECK_EQ(read(fd, info, sizeof(info)), sizeof(info[0]));
    CHECK_EQ(info[0].ssi_signo, SIGUSR1);
    CHECK_EQ(info[0].ssi_code, SI_USER);
    CHECK_EQ(info[0].ssi_pid, getpid());
    CHECK_EQ(poll(&p, 1, 0), 0); /* taken: no longer pending */

    /* Real-time signals queue, in order, with their value. */
    CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 1, value), 0);
    value.sival_int = 4712;
    CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 1, value), 0);
    CHECK_EQ(read(fd, info, sizeof(info)), 2 * sizeof(info[0]));
    CHECK_EQ(info[0].ssi_int, 4711);
    CHECK_EQ(info[1].ssi_int, 4712);
    CHECK_EQ(info[1].ssi_code, SI_QUEUE);

    /* The set of an open one can be changed. */
    sigset_t other;
    sigemptyset(&other);
    sigaddset(&other, SIGUSR2);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &other, NULL), 0);
    CHECK_EQ(signalfd(fd, &other, 0), fd);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_ERR(read(fd, info, sizeof(info)), EAGAIN);
    CHECK_EQ(raise(SIGUSR2), 0);
    CHECK_EQ(read(fd, info, sizeof(info)), sizeof(info[0]));
    CHECK_EQ(info[0].ssi_signo, SIGUSR2);

    CHECK_ERR(read(fd, info, 10), EINVAL);
    CHECK_ERR(signalfd(-1, &set, 0x40), EINVAL);
    CHECK_ERR(signalfd(77, &set, 0), EBADF);
    CHECK_ERR(signalfd(0, &set, 0), EINVAL);
    CHECK_ERR(syscall(SYS_signalfd4, -1, check_bad_pointer(), 8ul, 0), EFAULT);
    CHECK_ERR(syscall(SYS_signalfd4, -1, &set, 3ul, 0), EINVAL);
    int second = (int)syscall(SYS_signalfd, -1, &set, 8ul);
    CHECK(second >= 0);
    CHECK_EQ(read(second, info, sizeof(info)), sizeof(info[0]));
    CHECK_EQ(info[0].ssi_signo, SIGUSR1);
    close(second);
    close(fd);
    return 0;
}
