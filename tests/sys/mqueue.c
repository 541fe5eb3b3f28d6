/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * POSIX message queues.
 *
 * Covers: mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify
 * Covers: mq_getsetattr
 * cc: -pthread -lrt
 */
#include "check.h"
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#define NAME "/halvm-test-queue"

static mqd_t q;

static void test_open(void)
{
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 32}, got;

    mq_unlink(NAME);
    CHECK_ERR(mq_open(NAME, O_RDWR), ENOENT);
    q = mq_open(NAME, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr);
    if (q == -1 && errno == ENOSYS)
        check_skip("this kernel has no message queues");
    CHECK(q >= 0);
    CHECK_ERR(mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600, &attr), EEXIST);
    CHECK_EQ(mq_getattr(q, &got), 0);
    CHECK(got.mq_maxmsg == 4 && got.mq_msgsize == 32 && got.mq_curmsgs == 0);
    CHECK(got.mq_flags & O_NONBLOCK);
    attr.mq_maxmsg = 0;
    CHECK_ERR(mq_open("/halvm-other", O_RDWR | O_CREAT, 0600, &attr), EINVAL);
    CHECK_ERR(syscall(SYS_mq_open, "a/b", O_RDWR, 0, NULL), EACCES);
    CHECK_ERR(mq_unlink("/halvm-missing"), ENOENT);
}

static void test_order(void)
{
    char buffer[32];
    unsigned priority;
    struct mq_attr attr;

    CHECK_EQ(mq_send(q, "low", 3, 1), 0);
    CHECK_EQ(mq_send(q, "high", 4, 9), 0);
    CHECK_EQ(mq_send(q, "low too", 7, 1), 0);
    CHECK_EQ(mq_send(q, "", 0, 0), 0);
    CHECK_ERR(mq_send(q, "x", 1, 0), EAGAIN); /* full */
    CHECK_EQ(mq_getattr(q, &attr), 0);
    CHECK_EQ(attr.mq_curmsgs, 4);
    CHECK_ERR(mq_receive(q, buffer, 31, NULL), EMSGSIZE);
    CHECK_EQ(mq_receive(q, buffer, 32, &priority), 4);
    CHECK(!memcmp(buffer, "high", 4) && priority == 9);
    CHECK_EQ(mq_receive(q, buffer, 32, &priority), 3);
    CHECK_EQ(mq_receive(q, buffer, 32, &priority), 7);
    CHECK(!memcmp(buffer, "low too", 7));
    CHECK_EQ(mq_receive(q, buffer, 32, &priority), 0);
    CHECK_ERR(mq_receive(q, buffer, 32, &priority), EAGAIN);
    CHECK_ERR(mq_send(q, buffer, 33, 0), EMSGSIZE);
    CHECK_ERR(mq_send(q, "x", 1, 32768), EINVAL);
    CHECK_ERR(mq_send(-1, "x", 1, 0), EBADF);
}

static void *send_later(void *argument)
{
    check_sleep_ms(20);
    CHECK_EQ(mq_send(q, "later", 5, 0), 0);
    return argument;
}

static void test_blocking(void)
{
    struct mq_attr attr = {.mq_flags = 0}, old;
    struct timespec t;
    char buffer[32];
    pthread_t thread;

    CHECK_EQ(mq_setattr(q, &attr, &old), 0);
    CHECK(old.mq_flags & O_NONBLOCK);
    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &t), 0);
    CHECK_ERR(mq_timedreceive(q, buffer, 32, NULL, &t), ETIMEDOUT);
    t.tv_nsec = -1;
    CHECK_ERR(mq_timedreceive(q, buffer, 32, NULL, &t), EINVAL);
    CHECK_EQ(pthread_create(&thread, NULL, send_later, NULL), 0);
    CHECK_EQ(mq_receive(q, buffer, 32, NULL), 5);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(mq_send(q, "x", 1, 0), 0);
    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &t), 0);
    CHECK_ERR(mq_timedsend(q, "x", 1, 0, &t), ETIMEDOUT);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(mq_receive(q, buffer, 32, NULL), 1);
}

static void test_notify(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGRTMIN,
                             .sigev_value = {.sival_int = 77}};
    struct timespec second = {1, 0};
    sigset_t set;
    siginfo_t info;
    char buffer[32];

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_EQ(mq_notify(q, &event), 0);
    CHECK_ERR(mq_notify(q, &event), EBUSY);
    CHECK_EQ(mq_send(q, "n", 1, 0), 0);
    CHECK_EQ(sigtimedwait(&set, &info, &second), SIGRTMIN);
    CHECK_EQ(info.si_code, SI_MESGQ);
    CHECK_EQ(info.si_value.sival_int, 77);
    CHECK_EQ(mq_receive(q, buffer, 32, NULL), 1);
    CHECK_EQ(mq_notify(q, &event), 0); /* once only: free again */
    CHECK_EQ(mq_notify(q, NULL), 0);
}

int main(void)
{
    char buffer[32];

    test_open();
    test_order();
    test_blocking();
    test_notify();
    struct pollfd p = {.fd = q, .events = POLLIN | POLLOUT};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLOUT);
    /* Unlinked, it lives until it is closed. */
    CHECK_EQ(mq_unlink(NAME), 0);
    CHECK_ERR(mq_open(NAME, O_RDWR), ENOENT);
    CHECK_EQ(mq_send(q, "still", 5, 0), 0);
    CHECK_EQ(mq_receive(q, buffer, 32, NULL), 5);
    CHECK_EQ(mq_close(q), 0);
    CHECK_ERR(mq_send(q, "x", 1, 0), EBADF);
    return 0;
}
