/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signals: masks, queues, flags, frames that handlers read and change, faults
 * that are mended, jumps out of handlers, and stacks that overflow.
 */
#include "check.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <ucontext.h>

static volatile sig_atomic_t count, last, last_code, last_value;
static sigset_t mask_inside;

static void handler(int number, siginfo_t *info, void *context)
{
    CHECK(info->si_signo == number && context != NULL);
    count++;
    last = number;
    last_code = info->si_code;
    last_value = info->si_value.sival_int;
    CHECK_EQ(sigprocmask(SIG_BLOCK, NULL, &mask_inside), 0);
}

static void handle_with(int number, void (*function)(int, siginfo_t *, void *),
                        int flags)
{
    struct sigaction action = {.sa_sigaction = function,
                               .sa_flags = flags | SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    CHECK_EQ(sigaction(number, &action, NULL), 0);
}

static void handle(int number, int flags)
{
    handle_with(number, handler, flags);
    count = last = 0;
}

static void mask(int how, int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    CHECK_EQ(pthread_sigmask(how, &set, NULL), 0);
}

/* -- sending and masking -- */

static void test_raise(void)
{
    handle(SIGUSR1, 0);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(count, 1);
    CHECK_EQ(last_code, SI_TKILL);
    CHECK_EQ(sigismember(&mask_inside, SIGUSR1), 1);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    CHECK_EQ(count, 2);
    CHECK_EQ(last_code, SI_USER);
    CHECK_EQ(kill(getpid(), 0), 0);
    CHECK_ERR(kill(getpid(), 99), EINVAL);
    handle(SIGUSR1, SA_NODEFER);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(sigismember(&mask_inside, SIGUSR1), 0);
}

static void test_pending(void)
{
    union sigval value;
    sigset_t set;

    handle(SIGUSR1, 0);
    handle(SIGRTMIN + 1, 0);
    mask(SIG_BLOCK, SIGUSR1);
    mask(SIG_BLOCK, SIGRTMIN + 1);
    count = 0;
    raise(SIGUSR1);
    raise(SIGUSR1);
    for (value.sival_int = 1; value.sival_int <= 5; value.sival_int++)
        CHECK_EQ(sigqueue(getpid(), SIGRTMIN + 1, value), 0);
    CHECK_EQ(count, 0);
    CHECK_EQ(sigpending(&set), 0);
    CHECK_EQ(sigismember(&set, SIGUSR1), 1);
    mask(SIG_UNBLOCK, SIGUSR1);
    CHECK_EQ(count, 1);
    mask(SIG_UNBLOCK, SIGRTMIN + 1);
    CHECK_EQ(count, 6);
    CHECK_EQ(last_value, 5);
    CHECK_EQ(last_code, SI_QUEUE);
}

static void test_ignore(void)
{
    sigset_t set;

    CHECK(signal(SIGUSR2, SIG_IGN) != SIG_ERR);
    raise(SIGUSR2);
    raise(SIGCHLD); /* ignored by default */
    mask(SIG_BLOCK, SIGUSR2);
    handle(SIGUSR2, 0);
    raise(SIGUSR2);
    CHECK(signal(SIGUSR2, SIG_IGN) != SIG_ERR); /* drops it */
    CHECK_EQ(sigpending(&set), 0);
    CHECK_EQ(sigismember(&set, SIGUSR2), 0);
    mask(SIG_UNBLOCK, SIGUSR2);
    CHECK_EQ(count, 0);
    handle(SIGUSR2, SA_RESETHAND);
    raise(SIGUSR2);
    struct sigaction now;
    CHECK_EQ(sigaction(SIGUSR2, NULL, &now), 0);
    CHECK(now.sa_handler == SIG_DFL);
}

/* -- blocked calls -- */

static pthread_t main_thread;
static int delay_ms, send_what;

static void *sender(void *arg)
{
    check_sleep_ms(delay_ms);
    pthread_kill(main_thread, send_what);
    check_sleep_ms(delay_ms);
    if (arg != NULL)
        CHECK_EQ(write(*(int *)arg, "x", 1), 1);
    return NULL;
}

static void test_restart(void)
{
    int fds[2];
    pthread_t thread;
    char byte;

    main_thread = pthread_self();
    delay_ms = 10;
    send_what = SIGUSR1;
    CHECK_EQ(pipe(fds), 0);
    handle(SIGUSR1, SA_RESTART);
    CHECK_EQ(pthread_create(&thread, NULL, sender, &fds[1]), 0);
    CHECK_EQ(read(fds[0], &byte, 1), 1);
    CHECK_EQ(count, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    handle(SIGUSR1, 0);
    CHECK_EQ(pthread_create(&thread, NULL, sender, &fds[1]), 0);
    CHECK_ERR(read(fds[0], &byte, 1), EINTR);
    CHECK_EQ(count, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close(fds[0]);
    close(fds[1]);
}

static void test_suspend(void)
{
    pthread_t thread;
    sigset_t none;

    sigemptyset(&none);
    handle(SIGUSR1, SA_RESTART);
    mask(SIG_BLOCK, SIGUSR1);
    CHECK_EQ(pthread_create(&thread, NULL, sender, NULL), 0);
    check_sleep_ms(2 * delay_ms);
    CHECK_EQ(count, 0);
    CHECK_ERR(sigsuspend(&none), EINTR);
    CHECK_EQ(count, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    raise(SIGUSR1);
    CHECK_EQ(count, 1); /* masked again */
    mask(SIG_UNBLOCK, SIGUSR1);
    CHECK_EQ(count, 2);
}

static void test_wait(void)
{
    struct timespec brief = {0, 5000000};
    pthread_t thread;
    siginfo_t info;
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    mask(SIG_BLOCK, SIGUSR1);
    handle(SIGUSR1, 0);
    CHECK_ERR(sigtimedwait(&set, &info, &brief), EAGAIN);
    CHECK_EQ(pthread_create(&thread, NULL, sender, NULL), 0);
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK(info.si_code == SI_TKILL || info.si_code == SI_USER); /* glibc */
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(count, 0);

    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    struct signalfd_siginfo read_info;
    CHECK(fd >= 0);
    CHECK_ERR(read(fd, &read_info, sizeof read_info), EAGAIN);
    raise(SIGUSR1);
    CHECK_EQ(read(fd, &read_info, sizeof read_info), sizeof read_info);
    CHECK_EQ(read_info.ssi_signo, SIGUSR1);
    close(fd);
    mask(SIG_UNBLOCK, SIGUSR1);
    CHECK_EQ(count, 0);
}

/* A signal to the program goes to a thread that lets it through. */
static pthread_t taker;
static void note_taker(int number, siginfo_t *info, void *context)
{
    taker = pthread_self();
    count++;
}

static void *take_it(void *arg)
{
    mask(SIG_UNBLOCK, SIGUSR1);
    while (count == 0)
        check_sleep_ms(1);
    return NULL;
}

static void test_any_thread(void)
{
    pthread_t thread;

    count = 0;
    handle_with(SIGUSR1, note_taker, 0);
    mask(SIG_BLOCK, SIGUSR1);
    CHECK_EQ(pthread_create(&thread, NULL, take_it, NULL), 0);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(pthread_equal(taker, thread));
    mask(SIG_UNBLOCK, SIGUSR1);
}

/* -- frames -- */

static char *page;

static void mend(int number, siginfo_t *info, void *context)
{
    CHECK(info->si_addr == page + 5);
    last_code = info->si_code;
    count++;
    CHECK_EQ(mprotect(page, 4096, PROT_READ | PROT_WRITE), 0);
}

static void skip(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;

    count++;
    last_code = info->si_code;
    uc->uc_mcontext.gregs[REG_RIP] += 2; /* ud2, and div %ecx */
    uc->uc_mcontext.gregs[REG_RAX] = 77;
}

static void test_faults(void)
{
    volatile int result;
    int value;

    page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(page != MAP_FAILED);
    handle_with(SIGSEGV, mend, 0);
    count = 0;
    *(volatile char *)(page + 5) = 9;
    CHECK_EQ(page[5], 9);
    CHECK_EQ(count, 1);
    CHECK_EQ(last_code, SEGV_ACCERR);
    CHECK_EQ(munmap(page, 4096), 0);

    handle_with(SIGILL, skip, 0);
    __asm__ volatile("ud2" : "=a"(value) : "0"(1));
    CHECK_EQ(value, 77);
    handle_with(SIGFPE, skip, 0);
    __asm__ volatile("div %%ecx" : "=a"(value) : "0"(1), "d"(0), "c"(0) : "cc");
    CHECK_EQ(value, 77);
    CHECK_EQ(last_code, FPE_INTDIV);
    handle(SIGTRAP, 0);
    __asm__ volatile("int3");
    CHECK_EQ(count, 1);
    result = 0;
    CHECK_EQ(result, 0);
}

static sigjmp_buf out;
static void jump(int number, siginfo_t *info, void *context)
{
    count++;
    siglongjmp(out, number);
}

static void test_jump(void)
{
    char *volatile nowhere = check_bad_pointer();

    count = 0;
    handle_with(SIGSEGV, jump, 0);
    for (volatile int i = 0; i < 100; i++) {
        int number = sigsetjmp(out, 1);
        if (number == 0) {
            *nowhere = 1;
            CHECK(!"wrote to nowhere");
        }
        CHECK_EQ(number, SIGSEGV);
    }
    CHECK_EQ(count, 100);
    /* Out of a call, too. */
    handle_with(SIGUSR1, jump, 0);
    for (volatile int i = 0; i < 100; i++)
        if (sigsetjmp(out, 1) == 0)
            raise(SIGUSR1);
    CHECK_EQ(count, 200);
}

static char alternate[65536];
static int deep;

static void on_alternate(int number, siginfo_t *info, void *context)
{
    char here;
    stack_t now;

    CHECK(&here > alternate && &here < alternate + sizeof alternate);
    CHECK_EQ(sigaltstack(NULL, &now), 0);
    CHECK(now.ss_flags & SS_ONSTACK);
    count++;
    siglongjmp(out, 1);
}

static __attribute__((noinline)) int overflow(int depth)
{
    volatile char room[1024];

    room[0] = (char)depth;
    deep = depth;
    return depth > 1000000 ? 0 : overflow(depth + 1) + room[0];
}

static void *overflower(void *arg)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};

    CHECK_EQ(sigaltstack(&stack, NULL), 0);
    handle_with(SIGSEGV, on_alternate, SA_ONSTACK);
    count = 0;
    if (sigsetjmp(out, 1) == 0)
        overflow(0);
    CHECK_EQ(count, 1);
    CHECK(deep > 10);
    stack.ss_flags = SS_DISABLE;
    CHECK_EQ(sigaltstack(&stack, NULL), 0);
    return NULL;
}

static void test_overflow(void)
{
    pthread_t thread;

    CHECK_EQ(pthread_create(&thread, NULL, overflower, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* A handler within a handler, each with its own FPU state. */
static volatile double inner, outer;
static void nested(int number, siginfo_t *info, void *context)
{
    double value = number;

    for (int i = 0; i < 100; i++)
        value = value * 1.01 + 1;
    if (number == SIGUSR1)
        raise(SIGUSR2);
    for (int i = 0; i < 100; i++)
        value = value * 1.01 + 1;
    *(number == SIGUSR1 ? &outer : &inner) = value;
    count++;
}

static void test_nested(void)
{
    double want1 = SIGUSR1, want2 = SIGUSR2;

    count = 0;
    handle_with(SIGUSR1, nested, 0);
    handle_with(SIGUSR2, nested, 0);
    raise(SIGUSR1);
    for (int i = 0; i < 200; i++) {
        want1 = want1 * 1.01 + 1;
        want2 = want2 * 1.01 + 1;
    }
    CHECK_EQ(count, 2);
    CHECK(outer == want1 && inner == want2);
}

int main(void)
{
    test_raise();
    test_pending();
    test_ignore();
    test_restart();
    test_suspend();
    test_wait();
    test_any_thread();
    test_faults();
    test_jump();
    test_overflow();
    test_nested();
    return 0;
}
