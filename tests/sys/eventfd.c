/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counters behind a descriptor.
 *
 * Covers: eventfd eventfd2
 * cc: -pthread
 */
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

static short ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};

    poll(&p, 1, 0);
    return p.revents;
}

static void test_counter(void)
{
    uint64_t value = 3;
    int fd = eventfd(5, EFD_NONBLOCK | EFD_CLOEXEC);

    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(ready(fd), POLLIN | POLLOUT);
    CHECK_EQ(write(fd, &value, 8), 8);
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, 8);
    CHECK_ERR(read(fd, &value, 8), EAGAIN);
    CHECK_EQ(ready(fd), POLLOUT);
    value = UINT64_MAX - 1; /* the most there can be */
    CHECK_EQ(write(fd, &value, 8), 8);
    CHECK_EQ(ready(fd), POLLIN);
    value = 1;
    CHECK_ERR(write(fd, &value, 8), EAGAIN);
    value = UINT64_MAX;
    CHECK_ERR(write(fd, &value, 8), EINVAL);
    CHECK_ERR(write(fd, &value, 7), EINVAL);
    CHECK_ERR(read(fd, &value, 7), EINVAL);
    CHECK_ERR(read(fd, check_bad_pointer(), 8), EFAULT);
    close(fd);
}

static void test_semaphore(void)
{
    uint64_t value;
    int fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);

    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, 1);
    CHECK_EQ(read(fd, &value, 8), 8);
    CHECK_EQ(value, 1);
    CHECK_ERR(read(fd, &value, 8), EAGAIN);
    close(fd);
}

static int shared;

static void *add_later(void *argument)
{
    uint64_t one = 1;

    check_sleep_ms(20);
    CHECK_EQ(write(shared, &one, 8), 8);
    return argument;
}

static void test_blocking(void)
{
    pthread_t thread;
    uint64_t value = 0;

    shared = (int)syscall(SYS_eventfd, 0u);
    CHECK(shared >= 0);
    CHECK_EQ(fcntl(shared, F_GETFL) & O_NONBLOCK, 0);
    CHECK_EQ(pthread_create(&thread, NULL, add_later, NULL), 0);
    CHECK_EQ(read(shared, &value, 8), 8);
    CHECK_EQ(value, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close(shared);
}

int main(void)
{
    test_counter();
    test_semaphore();
    test_blocking();
    CHECK_ERR(syscall(SYS_eventfd2, 0u, 0x40), EINVAL);
    return 0;
}
