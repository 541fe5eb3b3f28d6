/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interval timers and the alarm.
 *
 * Covers: getitimer setitimer alarm
 */
#include "check.h"
#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t alarms, virtuals, profs;

static void on_signal(int number)
{
    alarms += number == SIGALRM;
    virtuals += number == SIGVTALRM;
    profs += number == SIGPROF;
}

static void test_real(void)
{
    struct itimerval set = {{0, 5000}, {0, 10000}}, now, old, stop = {0};
    long long start = check_now_ns();

    CHECK_EQ(setitimer(ITIMER_REAL, &set, NULL), 0);
    CHECK_EQ(getitimer(ITIMER_REAL, &now), 0);
    CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_usec > 0 &&
          now.it_value.tv_usec <= 10000 && now.it_interval.tv_usec == 5000);
    while (alarms < 4)
        pause();
    CHECK(check_now_ns() - start >= 25000000);
    CHECK_EQ(setitimer(ITIMER_REAL, &stop, &old), 0);
    CHECK_EQ(old.it_interval.tv_usec, 5000);
    int count = alarms;
    check_sleep_ms(15);
    CHECK_EQ(alarms, count);
}

/* These count CPU time only: sleeping costs nothing. */
static void test_cpu(void)
{
    struct itimerval set = {{0, 0}, {0, 20000}};
    long long start = check_now_ns();

    CHECK_EQ(setitimer(ITIMER_VIRTUAL, &set, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_PROF, &set, NULL), 0);
    check_sleep_ms(40);
    CHECK(virtuals == 0 && profs == 0);
    while ((virtuals == 0 || profs == 0) && check_now_ns() - start < 1500000000)
        ;
    CHECK(virtuals == 1 && profs == 1);
}

static void test_alarm(void)
{
    CHECK_EQ(alarm(100), 0);
    unsigned left = alarm(0);
    CHECK(left == 100 || left == 99);
    CHECK_EQ(syscall(SYS_alarm, 50), 0);
    CHECK(syscall(SYS_alarm, 0) >= 49);
}

int main(void)
{
    struct sigaction act = {.sa_handler = on_signal};
    struct itimerval set = {{0, 0}, {0, 1000000}};

    CHECK_EQ(sigaction(SIGALRM, &act, NULL), 0);
    CHECK_EQ(sigaction(SIGVTALRM, &act, NULL), 0);
    CHECK_EQ(sigaction(SIGPROF, &act, NULL), 0);
    test_real();
    test_cpu();
    test_alarm();
    CHECK_ERR(setitimer(ITIMER_REAL, &set, NULL), EINVAL);
    CHECK_ERR(setitimer(77, &set, NULL), EINVAL);
    CHECK_ERR(getitimer(77, &set), EINVAL);
    CHECK_ERR(syscall(SYS_setitimer, ITIMER_REAL, check_bad_pointer(), NULL),
              EFAULT);
    CHECK_ERR(syscall(SYS_getitimer, ITIMER_REAL, check_bad_pointer()), EFAULT);
    return 0;
}
