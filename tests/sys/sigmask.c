/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blocking signals, asking what is pending, waiting for one.
 *
 * Covers: rt_sigprocmask rt_sigpending rt_sigsuspend pause rt_sigtimedwait
 * Covers: rt_sigqueueinfo rt_tgsigqueueinfo
 * cc: -pthread
 */
#include "check.h"
#include <pthread.h>
#include <signal.h>

static volatile sig_atomic_t calls;
static volatile int order[8];

static void on_signal(int number)
{
    if (calls < 8)
        order[calls] = number;
    calls++;
}

static sigset_t set_of(int a, int b)
{
    sigset_t set;

    sigemptyset(&set);
    if (a)
        sigaddset(&set, a);
    if (b)
        sigaddset(&set, b);
    return set;
}

static void test_mask(void)
{
    sigset_t set = set_of(SIGUSR1, SIGUSR2), old, pending, none = set_of(0, 0);

    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, &old), 0);
    CHECK(!sigismember(&old, SIGUSR1));
    calls = 0;
    raise(SIGUSR1);
    raise(SIGUSR1); /* pending once, however often */
    kill(getpid(), SIGUSR2);
    CHECK_EQ(calls, 0);
    CHECK_EQ(sigpending(&pending), 0);
    CHECK(sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGUSR2));
    CHECK(!sigismember(&pending, SIGTERM));
    set = set_of(SIGUSR2, 0);
    CHECK_EQ(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
    CHECK_EQ(calls, 1);
    CHECK_EQ(order[0], SIGUSR2);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &none, &old), 0);
    CHECK_EQ(calls, 2);
    CHECK(sigismember(&old, SIGUSR1) && !sigismember(&old, SIGUSR2));
    /* KILL and STOP cannot be blocked, and that is no error. */
    set = set_of(SIGKILL, SIGSTOP);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &old), 0);
    CHECK(!sigismember(&old, SIGKILL) && !sigismember(&old, SIGSTOP));
    CHECK_ERR(syscall(SYS_rt_sigprocmask, 77, &set, NULL, 8ul), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 4ul), EINVAL);
    CHECK_ERR(
        syscall(SYS_rt_sigprocmask, SIG_BLOCK, check_bad_pointer(), NULL, 8ul),
        EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigpending, check_bad_pointer(), 8ul), EFAULT);
    CHECK_ERR(syscall(SYS_rt_sigpending, &set, 9ul), EINVAL);
}

static void test_queue(void)
{
    sigset_t set = set_of(SIGRTMIN, SIGRTMIN + 1), old;
    struct timespec zero = {0, 0}, little = {0, 10000000}, wrong = {0, -1};
    siginfo_t info;

    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, &old), 0);
    for (int i = 0; i < 3; i++) {
        union sigval value = {.sival_int = 10 + i};
        CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 1, value), 0);
    }
    union sigval value = {.sival_int = 99};
    CHECK_EQ(sigqueue(getpid(), SIGRTMIN, value), 0);
    /* The lowest number first, then the order of sending. */
    CHECK_EQ(sigtimedwait(&set, &info, &zero), SIGRTMIN);
    CHECK_EQ(info.si_value.sival_int, 99);
    CHECK_EQ(info.si_code, SI_QUEUE);
    CHECK_EQ(info.si_pid, getpid());
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(sigtimedwait(&set, &info, NULL), SIGRTMIN + 1);
        CHECK_EQ(info.si_value.sival_int, 10 + i);
    }
    CHECK_ERR(sigtimedwait(&set, &info, &zero), EAGAIN);
    long long start = check_now_ns();
    CHECK_ERR(sigtimedwait(&set, &info, &little), EAGAIN);
    CHECK(check_now_ns() - start >= 10000000);
    CHECK_ERR(sigtimedwait(&set, &info, &wrong), EINVAL);
    /* Only a code below zero may be sent to another: here it is oneself. */
    memset(&info, 0, sizeof(info));
    info.si_code = SI_QUEUE;
    info.si_value.sival_int = 5;
    CHECK_EQ(syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid),
                     SIGRTMIN, &info),
             0);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
    CHECK_EQ(info.si_value.sival_int, 5);
    info.si_code = SI_QUEUE;
    CHECK_EQ(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, &info), 0);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
    CHECK_ERR(syscall(SYS_rt_sigqueueinfo, 0x3fffffff, SIGRTMIN, &info), ESRCH);
    CHECK_ERR(syscall(SYS_rt_sigqueueinfo, getpid(), 65, &info), EINVAL);
    CHECK_ERR(
        syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, check_bad_pointer()),
        EFAULT);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &old, NULL), 0);
}

static pthread_t main_thread;

static void *kill_later(void *argument)
{
    check_sleep_ms(20);
    CHECK_EQ(pthread_kill(main_thread, (int)(long)argument), 0);
    return NULL;
}

/* Again and again, since the first may come before pause waits. */
static volatile sig_atomic_t paused;

static void *kill_often(void *argument)
{
    while (!paused) {
        check_sleep_ms(10);
        CHECK_EQ(pthread_kill(main_thread, (int)(long)argument), 0);
    }
    return NULL;
}

static void test_suspend(void)
{
    sigset_t set = set_of(SIGUSR1, 0), none = set_of(0, 0), old, now;
    pthread_t thread;

    calls = 0;
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, &old), 0);
    raise(SIGUSR1);
    CHECK_ERR(sigsuspend(&none), EINTR); /* pending: at once */
    CHECK_EQ(calls, 1);
    CHECK_EQ(sigprocmask(SIG_SETMASK, NULL, &now), 0);
    CHECK(sigismember(&now, SIGUSR1));
    CHECK_EQ(pthread_create(&thread, NULL, kill_later, (void *)SIGUSR1), 0);
    CHECK_ERR(sigsuspend(&none), EINTR);
    CHECK_EQ(calls, 2);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &old, NULL), 0);
    CHECK_EQ(pthread_create(&thread, NULL, kill_often, (void *)SIGUSR1), 0);
    CHECK_ERR(pause(), EINTR);
    CHECK(calls >= 3);
    paused = 1;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_ERR(syscall(SYS_rt_sigsuspend, &none, 4ul), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigsuspend, check_bad_pointer(), 8ul), EFAULT);
}

/* A signal for the process goes to a thread that does not block it. */
static volatile sig_atomic_t stop;

static void *receive(void *argument)
{
    sigset_t set = set_of(SIGUSR2, 0);

    CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    while (calls == 0 && !stop)
        check_sleep_ms(1);
    return argument;
}

static void test_threads(void)
{
    sigset_t set = set_of(SIGUSR2, 0), old;
    pthread_t thread;

    calls = 0;
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, &old), 0);
    CHECK_EQ(pthread_create(&thread, NULL, receive, NULL), 0);
    CHECK_EQ(kill(getpid(), SIGUSR2), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(calls, 1);
    CHECK_EQ(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
}

int main(void)
{
    struct sigaction act = {.sa_handler = on_signal};

    main_thread = pthread_self();
    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    CHECK_EQ(sigaction(SIGUSR2, &act, NULL), 0);
    test_mask();
    test_queue();
    test_suspend();
    test_threads();
    return 0;
}
