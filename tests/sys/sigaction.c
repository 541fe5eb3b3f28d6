/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signal handlers: what they are told, what is blocked in them, flags.
 *
 * Covers: rt_sigaction rt_sigreturn kill tkill tgkill
 */
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

static volatile int calls, depth, depth_max, seen_code, seen_number;
static volatile pid_t seen_pid;
static volatile bool blocked_inside, other_blocked_inside;

static void on_plain(int number)
{
    calls++;
    seen_number = number;
}

static void on_info(int number, siginfo_t *info, void *context)
{
    sigset_t now;

    calls++;
    seen_number = number;
    seen_code = info->si_code;
    seen_pid = info->si_pid;
    CHECK(context != NULL);
    CHECK_EQ(sigprocmask(SIG_SETMASK, NULL, &now), 0);
    blocked_inside = sigismember(&now, number);
    other_blocked_inside = sigismember(&now, SIGUSR2);
}

static void on_nested(int number)
{
    depth++;
    calls++;
    if (depth > depth_max)
        depth_max = depth;
    if (calls < 3)
        raise(number);
    depth--;
}

static void set(int number, void (*handler)(int), int flags)
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = flags};

    sigemptyset(&act.sa_mask);
    CHECK_EQ(sigaction(number, &act, NULL), 0);
    calls = depth = depth_max = 0;
}

static void test_info(void)
{
    struct sigaction act = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO};
    struct sigaction old;

    sigemptyset(&act.sa_mask);
    sigaddset(&act.sa_mask, SIGUSR2);
    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
    CHECK(old.sa_sigaction == on_info);
    CHECK(old.sa_flags & SA_SIGINFO);
    CHECK(sigismember(&old.sa_mask, SIGUSR2));
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    CHECK_EQ(calls, 1);
    CHECK_EQ(seen_code, SI_USER);
    CHECK_EQ(seen_pid, getpid());
    CHECK(blocked_inside && other_blocked_inside);
    sigset_t now;
    CHECK_EQ(sigprocmask(SIG_SETMASK, NULL, &now), 0);
    CHECK(!sigismember(&now, SIGUSR1) && !sigismember(&now, SIGUSR2));
    CHECK_EQ(syscall(SYS_tkill, (pid_t)syscall(SYS_gettid), SIGUSR1), 0);
    CHECK_EQ(seen_code, SI_TKILL);
    CHECK_EQ(syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), SIGUSR1),
             0);
    CHECK_EQ(calls, 3);
}

static void test_flags(void)
{
    struct sigaction old;

    set(SIGUSR1, on_nested, 0);
    raise(SIGUSR1);
    CHECK_EQ(calls, 3);
    CHECK_EQ(depth_max, 1); /* blocked while it runs, then once more */
    set(SIGUSR1, on_nested, SA_NODEFER);
    raise(SIGUSR1);
    CHECK_EQ(calls, 3);
    CHECK_EQ(depth_max, 3);
    set(SIGUSR1, on_plain, (int)SA_RESETHAND);
    raise(SIGUSR1);
    CHECK_EQ(calls, 1);
    CHECK_EQ(sigaction(SIGUSR1, NULL, &old), 0);
    CHECK(old.sa_handler == SIG_DFL);
    set(SIGUSR1, SIG_IGN, 0);
    raise(SIGUSR1);
    set(SIGUSR1, SIG_DFL, 0);
    raise(SIGCHLD); /* ignored unless asked for, as are these */
    raise(SIGURG);
    raise(SIGWINCH);
    raise(SIGCONT);
}

static void test_errors(void)
{
    struct sigaction act = {.sa_handler = on_plain};
    unsigned long raw[4] = {0};

    CHECK_ERR(sigaction(SIGKILL, &act, NULL), EINVAL);
    CHECK_ERR(sigaction(SIGSTOP, &act, NULL), EINVAL);
    CHECK_EQ(sigaction(SIGKILL, NULL, &act), 0);
    CHECK_ERR(syscall(SYS_rt_sigaction, 0, raw, NULL, 8ul), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigaction, 65, raw, NULL, 8ul), EINVAL);
    CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, raw, NULL, 7ul), EINVAL);
    CHECK_ERR(
        syscall(SYS_rt_sigaction, SIGUSR1, check_bad_pointer(), NULL, 8ul),
        EFAULT);
    CHECK_EQ(kill(getpid(), 0), 0);
    CHECK_ERR(kill(getpid(), 65), EINVAL);
    CHECK_ERR(kill(getpid(), -1), EINVAL);
    CHECK_ERR(kill(0x3fffffff, SIGUSR1), ESRCH);
    CHECK_ERR(syscall(SYS_tkill, 0x3fffffff, SIGUSR1), ESRCH);
    CHECK_ERR(syscall(SYS_tkill, 0, SIGUSR1), EINVAL);
    CHECK_ERR(syscall(SYS_tgkill, getpid(), 0x3fffffff, SIGUSR1), ESRCH);
    CHECK_ERR(syscall(SYS_tgkill, -1, (pid_t)syscall(SYS_gettid), SIGUSR1),
              EINVAL);
    CHECK_EQ(syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), 0), 0);
}

/* A handler may change the context it returns to. */
static void on_skip(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    uc->uc_mcontext.gregs[REG_RIP] += 2; /* over the ud2 */
    uc->uc_mcontext.gregs[REG_RAX] = 4711;
    sigaddset(&uc->uc_sigmask, SIGUSR2);
    calls++;
}

static void test_context(void)
{
    struct sigaction act = {.sa_sigaction = on_skip, .sa_flags = SA_SIGINFO};
    long result = 0;
    sigset_t now;

    calls = 0;
    CHECK_EQ(sigaction(SIGILL, &act, NULL), 0);
    __asm__ volatile("ud2" : "+a"(result));
    CHECK_EQ(calls, 1);
    CHECK_EQ(result, 4711);
    CHECK_EQ(sigprocmask(SIG_SETMASK, NULL, &now), 0);
    CHECK(sigismember(&now, SIGUSR2));
    sigemptyset(&now);
    CHECK_EQ(sigprocmask(SIG_SETMASK, &now, NULL), 0);
}

int main(void)
{
    test_info();
    test_flags();
    test_errors();
    test_context();
    return 0;
}
