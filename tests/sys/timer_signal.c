/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers that send signals into running code: POSIX timers at 1 kHz over
 * loops that hold values in all registers, overruns, SIGEV_THREAD, setitimer,
 * alarm, and signals awaited with a time-out.
 */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#include "check.h"
#include "registers.h"

static volatile sig_atomic_t ticks, wrong;
static volatile double sum;

/* Uses every kind of register itself. */
static void tick(int number, siginfo_t *info, void *context)
{
    uint64_t flags;
    long double big = 1.0L;

    __asm__ volatile("pushf\n pop %0" : "=r"(flags));
    if (flags & 0x400)
        wrong++; /* the direction flag must be clear */
    for (int i = 1; i < 8; i++) {
        big = big * 1.5L + i;
        sum += sqrt((double)i) + (double)big;
    }
    if (info->si_signo != number || context == NULL)
        wrong++;
    ticks++;
}

static timer_t start(int number, long interval_ns)
{
    struct sigaction action = {.sa_sigaction = tick, .sa_flags = SA_SIGINFO};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = number};
    struct itimerspec spec = {{0, interval_ns}, {0, interval_ns}};
    timer_t timer;

    action.sa_flags |= SA_RESTART;
    CHECK_EQ(sigaction(number, &action, NULL), 0);
    event.sigev_value.sival_int = 42;
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    CHECK_EQ(timer_settime(timer, 0, &spec, NULL), 0);
    return timer;
}

static void test_running_code(void)
{
    timer_t timer = start(SIGVTALRM, 1000000);
    long long end = check_now_ns() + 500000000;
    int changed = 0;

    for (uint64_t seed = 1; check_now_ns() < end; seed++)
        changed += registers_check(20000, seed);
    CHECK_EQ(timer_delete(timer), 0);
    CHECK_EQ(changed, 0);
    CHECK_EQ(wrong, 0);
    CHECK(ticks > 20);
}

/* A blocked call is interrupted, or goes on where SA_RESTART says so. */
static void test_blocked(void)
{
    struct timespec pause = {60, 0}, rest;
    timer_t timer = start(SIGUSR1, 10000000);

    CHECK_ERR(nanosleep(&pause, &rest), EINTR);
    CHECK(rest.tv_sec >= 30 && rest.tv_sec < 60);
    CHECK_EQ(timer_delete(timer), 0);
}

static void test_overrun(void)
{
    sigset_t set;
    siginfo_t info;
    timer_t timer;
    struct timespec none = {0, 0};

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    timer = start(SIGUSR2, 1000000);
    check_sleep_ms(30);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR2);
    CHECK_EQ(info.si_code, SI_TIMER);
    CHECK_EQ(info.si_value.sival_int, 42);
    CHECK(info.si_overrun >= 5);
    /* That of the signal that was taken, though the next is on its way. */
    check_sleep_ms(5);
    CHECK_EQ(timer_getoverrun(timer), info.si_overrun);
    CHECK_EQ(timer_delete(timer), 0);
    sigtimedwait(&set, NULL, &none); /* one may be left */
    CHECK_ERR(sigtimedwait(&set, NULL, &none), EAGAIN);
}

static volatile int notified;
static void notify(union sigval value)
{
    notified += value.sival_int;
}

static void test_thread_event(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD,
                             .sigev_notify_function = notify};
    struct itimerspec spec = {{0, 0}, {0, 5000000}};
    timer_t timer;

    event.sigev_value.sival_int = 3;
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    CHECK_EQ(timer_settime(timer, 0, &spec, NULL), 0);
    for (int i = 0; i < 200 && notified == 0; i++)
        check_sleep_ms(2);
    CHECK_EQ(notified, 3);
    CHECK_EQ(timer_delete(timer), 0);
}

static void test_itimer(void)
{
    struct sigaction action = {.sa_sigaction = tick, .sa_flags = SA_SIGINFO};
    struct itimerval value = {{0, 0}, {0, 20000}}, left;

    ticks = 0;
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &value, NULL), 0);
    CHECK_EQ(getitimer(ITIMER_REAL, &left), 0);
    CHECK(left.it_value.tv_usec > 0 && left.it_value.tv_usec <= 20000);
    CHECK_ERR(pause(), EINTR);
    CHECK_EQ(ticks, 1);
    CHECK_EQ(alarm(100), 0);
    CHECK(alarm(0) >= 99);
}

/* Ticks wake a thread that computes and one that waits, 100 times over. */
static void *computer(void *arg)
{
    long long end = check_now_ns() + 200000000;
    intptr_t changed = 0;

    for (uint64_t seed = 1000; check_now_ns() < end; seed++)
        changed += registers_check(20000, seed);
    return (void *)changed;
}

static void test_two_threads(void)
{
    timer_t timer = start(SIGVTALRM, 1000000);
    pthread_t thread;
    void *there;
    intptr_t here;

    CHECK_EQ(pthread_create(&thread, NULL, computer, NULL), 0);
    here = (intptr_t)computer(NULL);
    CHECK_EQ(pthread_join(thread, &there), 0);
    CHECK_EQ(timer_delete(timer), 0);
    CHECK_EQ(here + (intptr_t)there, 0);
    CHECK_EQ(wrong, 0);
}

int main(void)
{
    test_running_code();
    test_blocked();
    test_overrun();
    test_thread_event();
    test_itimer();
    test_two_threads();
    return 0;
}
