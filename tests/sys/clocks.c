/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What time it is.
 *
 * Covers: clock_gettime clock_getres clock_settime gettimeofday time
 * Covers: settimeofday
 */
#include "check.h"
#include <sys/time.h>

static void test_monotonic(clockid_t id)
{
    struct timespec a, b;

    CHECK_EQ(clock_gettime(id, &a), 0);
    CHECK(a.tv_sec >= 0 && a.tv_nsec >= 0 && a.tv_nsec < 1000000000);
    for (int i = 0; i < 10000; i++) {
        CHECK_EQ(clock_gettime(id, &b), 0);
        CHECK(b.tv_sec > a.tv_sec ||
              (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
        a = b;
    }
}

static void test_same_time(void)
{
    struct timespec real;
    struct timeval tv;
    time_t t, stored;

    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &real), 0);
    CHECK_EQ(gettimeofday(&tv, NULL), 0);
    CHECK(tv.tv_sec - real.tv_sec >= 0 && tv.tv_sec - real.tv_sec <= 1);
    t = time(&stored);
    CHECK_EQ(t, stored);
    CHECK(t - tv.tv_sec >= 0 && t - tv.tv_sec <= 1);
    CHECK(t > 1600000000); /* September 2020 */
    CHECK_EQ(syscall(SYS_gettimeofday, &tv, NULL), 0);
    CHECK(tv.tv_sec - t >= 0 && tv.tv_sec - t <= 1 && tv.tv_usec < 1000000);
    CHECK(syscall(SYS_time, NULL) - t <= 1);
    CHECK_EQ(syscall(SYS_clock_gettime, CLOCK_REALTIME, &real), 0);
    CHECK(real.tv_sec - t <= 1);
}

static void test_resolution(void)
{
    static const clockid_t ids[] = {
        CLOCK_REALTIME,          CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
        CLOCK_THREAD_CPUTIME_ID, CLOCK_BOOTTIME,  CLOCK_MONOTONIC_RAW};
    struct timespec res;

    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        CHECK_EQ(clock_getres(ids[i], &res), 0);
        CHECK(res.tv_sec == 0 && res.tv_nsec >= 1 && res.tv_nsec <= 10000000);
        CHECK_EQ(clock_getres(ids[i], NULL), 0);
        test_monotonic(ids[i]);
    }
    CHECK_EQ(clock_gettime(CLOCK_REALTIME_COARSE, &res), 0);
    CHECK_EQ(clock_gettime(CLOCK_MONOTONIC_COARSE, &res), 0);
}

static void test_errors(void)
{
    struct timespec ts = {0, 0}, wrong = {1700000000, 1000000000};
    struct timeval bad = {0, 2000000};

    CHECK_ERR(clock_gettime(12345, &ts), EINVAL);
    CHECK_ERR(clock_getres(12345, &ts), EINVAL);
    CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_REALTIME, check_bad_pointer()),
              EFAULT);
    CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &ts), EINVAL);
    if (check_root()) {
        CHECK_ERR(clock_settime(CLOCK_REALTIME, &wrong), EINVAL);
        CHECK_ERR(syscall(SYS_settimeofday, &bad, NULL), EINVAL);
    } else {
        CHECK_EQ(clock_gettime(CLOCK_REALTIME, &ts), 0);
        CHECK_ERR(clock_settime(CLOCK_REALTIME, &ts), EPERM);
    }
}

/* Setting the wall clock leaves the monotonic one alone. Only where there is
 * nobody else who needs it. */
static void test_set(void)
{
    struct timespec set = {1000000000, 500000000}, now;

    if (!check_unikernel())
        return;
    long long before = check_now_ns();
    CHECK_EQ(clock_settime(CLOCK_REALTIME, &set), 0);
    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &now), 0);
    CHECK(now.tv_sec - 1000000000 >= 0 && now.tv_sec - 1000000000 <= 2);
    CHECK(check_now_ns() - before < 2000000000);
    struct timeval tv = {1700000000, 0};
    CHECK_EQ(syscall(SYS_settimeofday, &tv, NULL), 0);
    CHECK(time(NULL) >= 1700000000 && time(NULL) <= 1700000002);
}

int main(void)
{
    test_same_time();
    test_resolution();
    test_errors();
    test_set();
    return 0;
}
