/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * POSIX timers.
 *
 * Covers: timer_create timer_settime timer_gettime timer_getoverrun
 * Covers: timer_delete
 */
#include "check.h"
#include <signal.h>

#define MS 1000000l

static volatile sig_atomic_t calls;
static volatile int seen_value, seen_code;

static void on_timer(int number, siginfo_t *info, void *context)
{
    calls++;
    seen_value = info->si_value.sival_int;
    seen_code = info->si_code;
}

static void test_signal(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGRTMIN,
                             .sigev_value = {.sival_int = 4711}};
    struct itimerspec set = {{0, 4 * MS}, {0, 8 * MS}}, now, stop = {0};
    timer_t timer;

    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    CHECK_EQ(timer_gettime(timer, &now), 0);
    CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
    long long start = check_now_ns();
    CHECK_EQ(timer_settime(timer, 0, &set, NULL), 0);
    CHECK_EQ(timer_gettime(timer, &now), 0);
    CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 8 * MS);
    CHECK_EQ(now.it_interval.tv_nsec, 4 * MS);
    while (calls < 3)
        pause();
    CHECK(check_now_ns() - start >= 16 * MS);
    CHECK_EQ(seen_value, 4711);
    CHECK_EQ(seen_code, SI_TIMER);
    CHECK_EQ(timer_settime(timer, 0, &stop, &now), 0);
    CHECK_EQ(now.it_interval.tv_nsec, 4 * MS);
    int count = calls;
    check_sleep_ms(15);
    CHECK_EQ(calls, count);
    CHECK_EQ(timer_delete(timer), 0);
}

/* While the signal is blocked the timer goes on: one signal, the rest is
 * counted. */
static void test_overrun(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGRTMIN};
    struct itimerspec set = {{0, 2 * MS}, {0, 2 * MS}}, stop = {0};
    struct timespec zero = {0, 0};
    siginfo_t info;
    sigset_t block, old;
    timer_t timer;

    sigemptyset(&block);
    sigaddset(&block, SIGRTMIN);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &block, &old), 0);
    CHECK_EQ(timer_create(CLOCK_REALTIME, &event, &timer), 0);
    CHECK_EQ(timer_settime(timer, 0, &set, NULL), 0);
    check_sleep_ms(30);
    CHECK_EQ(sigtimedwait(&block, &info, &zero), SIGRTMIN);
    int overrun = timer_getoverrun(timer);
    CHECK(overrun >= 10);
    CHECK_EQ(info.si_overrun, overrun);
    CHECK_EQ(timer_settime(timer, 0, &stop, NULL), 0);
    CHECK_EQ(timer_delete(timer), 0);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

static void test_quiet(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    struct itimerspec set = {.it_value = {100, 0}}, now;
    struct timespec start;
    timer_t timer;

    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    CHECK_EQ(timer_settime(timer, 0, &set, NULL), 0);
    CHECK_EQ(timer_gettime(timer, &now), 0);
    CHECK(now.it_value.tv_sec >= 98 && now.it_value.tv_sec <= 100);
    /* An absolute time that is past: expires at once. */
    CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &start), 0);
    set.it_value = start;
    CHECK_EQ(timer_settime(timer, TIMER_ABSTIME, &set, NULL), 0);
    check_sleep_ms(2);
    CHECK_EQ(timer_gettime(timer, &now), 0);
    CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec <= 1);
    CHECK_EQ(timer_delete(timer), 0);
}

static void test_cpu_clock(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGRTMIN};
    struct itimerspec set = {.it_value = {0, 20 * MS}};
    timer_t timer;

    calls = 0;
    CHECK_EQ(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &timer), 0);
    CHECK_EQ(timer_settime(timer, 0, &set, NULL), 0);
    check_sleep_ms(40);
    CHECK_EQ(calls, 0);
    long long start = check_now_ns();
    while (calls == 0 && check_now_ns() - start < 10000 * MS)
        ;
    CHECK_EQ(calls, 1);
    CHECK_EQ(timer_delete(timer), 0);
}

/* The calls themselves: libc checks some arguments on its own. */
static void test_errors(void)
{
    struct itimerspec set = {.it_value = {0, 1000 * MS}}, fine = {0};
    struct sigevent event = {.sigev_notify = 77};
    int id;

    CHECK_ERR(syscall(SYS_timer_create, 12345, NULL, &id), EINVAL);
    CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
    event = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 99};
    CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
    CHECK_ERR(
        syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, check_bad_pointer()),
        EFAULT);
    CHECK_EQ(syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id), 0);
    CHECK_ERR(syscall(SYS_timer_settime, id, 0, &set, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_timer_settime, id, 0, check_bad_pointer(), NULL),
              EFAULT);
    CHECK_EQ(syscall(SYS_timer_settime, id, 0, &fine, NULL), 0);
    CHECK_EQ(syscall(SYS_timer_getoverrun, id), 0);
    CHECK_EQ(syscall(SYS_timer_delete, id), 0);
    CHECK_ERR(syscall(SYS_timer_settime, id, 0, &fine, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_timer_gettime, id, &fine), EINVAL);
    CHECK_ERR(syscall(SYS_timer_getoverrun, id), EINVAL);
    CHECK_ERR(syscall(SYS_timer_delete, id), EINVAL);
    CHECK_ERR(syscall(SYS_timer_delete, 99999), EINVAL);
}

int main(void)
{
    struct sigaction act = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};

    CHECK_EQ(sigaction(SIGRTMIN, &act, NULL), 0);
    test_signal();
    test_overrun();
    test_quiet();
    test_cpu_clock();
    test_errors();
    return 0;
}
