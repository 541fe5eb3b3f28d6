/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers behind a descriptor.
 *
 * Covers: timerfd_create timerfd_settime timerfd_gettime
 */
#include "check.h"
#include <poll.h>
#include <sys/timerfd.h>

#define MS 1000000l

static void test_once(void)
{
    struct itimerspec set = {.it_value = {0, 20 * MS}}, now;
    struct itimerspec far = {.it_value = {60, 0}};
    uint64_t count;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(timerfd_gettime(fd, &now), 0);
    CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
    CHECK_EQ(timerfd_settime(fd, 0, &far, NULL), 0);
    CHECK_EQ(timerfd_gettime(fd, &now), 0);
    CHECK(now.it_value.tv_sec >= 1 && now.it_value.tv_sec <= 60);
    long long start = check_now_ns();
    CHECK_EQ(timerfd_settime(fd, 0, &set, NULL), 0);
    CHECK_EQ(read(fd, &count, 8), 8); /* waits */
    CHECK_EQ(count, 1);
    CHECK(check_now_ns() - start >= 20 * MS);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    CHECK_EQ(poll(&p, 1, 0), 0);
    close(fd);
}

static void test_periodic(void)
{
    struct itimerspec set = {{0, 5 * MS}, {0, 5 * MS}}, old;
    uint64_t count, total = 0;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);

    CHECK_ERR(read(fd, &count, 8), EAGAIN); /* not set yet */
    CHECK_EQ(timerfd_settime(fd, 0, &set, NULL), 0);
    check_sleep_ms(27);
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK(count >= 5); /* all that were missed */
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(poll(&p, 1, -1), 1);
        CHECK_EQ(p.revents, POLLIN);
        CHECK_EQ(read(fd, &count, 8), 8);
        total += count;
    }
    CHECK(total >= 3);
    struct itimerspec stop = {0};
    CHECK_EQ(timerfd_settime(fd, 0, &stop, &old), 0);
    CHECK(old.it_interval.tv_nsec == 5 * MS);
    check_sleep_ms(12);
    CHECK_ERR(read(fd, &count, 8), EAGAIN);
    close(fd);
}

static void test_absolute(void)
{
    struct itimerspec set = {0};
    uint64_t count;
    int fd = timerfd_create(CLOCK_REALTIME, 0);

    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &set.it_value), 0);
    set.it_value.tv_sec -= 10; /* already past: at once */
    CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &set, NULL), 0);
    CHECK_EQ(read(fd, &count, 8), 8);
    CHECK_EQ(count, 1);
    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &set.it_value), 0);
    set.it_value.tv_nsec += 10 * MS;
    if (set.it_value.tv_nsec >= 1000 * MS) {
        set.it_value.tv_nsec -= 1000 * MS;
        set.it_value.tv_sec++;
    }
    CHECK_EQ(timerfd_settime(fd, TFD_TIMER_ABSTIME, &set, NULL), 0);
    CHECK_EQ(read(fd, &count, 8), 8);
    struct timespec now;
    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &now), 0);
    CHECK(now.tv_sec > set.it_value.tv_sec ||
          now.tv_nsec >= set.it_value.tv_nsec);
    close(fd);
}

static void test_errors(void)
{
    struct itimerspec set = {.it_value = {0, 1000 * MS}};
    char small[4];
    int p[2], fd = timerfd_create(CLOCK_BOOTTIME, 0);

    CHECK(fd >= 0);
    CHECK_EQ(pipe(p), 0);
    CHECK_ERR(timerfd_settime(fd, 0, &set, NULL), EINVAL);
    set.it_value.tv_nsec = 1;
    CHECK_ERR(timerfd_settime(fd, 0x40, &set, NULL), EINVAL);
    CHECK_ERR(timerfd_settime(p[0], 0, &set, NULL), EINVAL);
    CHECK_ERR(timerfd_settime(-1, 0, &set, NULL), EBADF);
    CHECK_ERR(timerfd_settime(fd, 0, check_bad_pointer(), NULL), EFAULT);
    CHECK_ERR(timerfd_gettime(-1, &set), EBADF);
    CHECK_ERR(timerfd_gettime(p[0], &set), EINVAL);
    CHECK_ERR(timerfd_gettime(fd, check_bad_pointer()), EFAULT);
    CHECK_ERR(timerfd_create(12345, 0), EINVAL);
    CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 0x40), EINVAL);
    CHECK_ERR(read(fd, small, sizeof(small)), EINVAL);
    close(p[0]);
    close(p[1]);
    close(fd);
}

int main(void)
{
    test_once();
    test_periodic();
    test_absolute();
    test_errors();
    return 0;
}
