/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program that steps itself (the trap flag, as profilers and emulators do)
 * through system calls: a SIGTRAP an instruction before and after each call,
 * in no other thread, and in no handler.
 *
 * Covers: write read getpid nanosleep sched_yield clock_gettime
 * cc: -pthread
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <ucontext.h>

#include "check.h"

#define FLAG_TRAP 0x100

static volatile int steps, ticks;
static _Thread_local int stepped_thread;

static void on_step(int number, siginfo_t *info, void *context)
{
    ucontext_t *at = context;

    /* No CHECK between steps: it would use what is being stepped through. */
    if (info->si_code != TRAP_TRACE)
        _exit(3);
    if (info->si_addr != (void *)at->uc_mcontext.gregs[REG_RIP])
        _exit(4);
    if (!stepped_thread)
        _exit(5);
    if (at->uc_mcontext.gregs[REG_EFL] & FLAG_TRAP)
        steps++;
}

static void on_tick(int number)
{
    int before = steps;
    unsigned long flags;

    __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; pop %0; "
                     "lea 128(%%rsp), %%rsp"
                     : "=r"(flags));
    if ((flags & FLAG_TRAP) || steps != before)
        _exit(6);
    ticks++;
}

static inline void step_on(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; orq $0x100, (%%rsp); "
                     "popfq; lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}

static inline void step_off(void)
{
    __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; andq $~0x100, (%%rsp); "
                     "popfq; lea 128(%%rsp), %%rsp" ::
                         : "memory", "cc");
}

/* Four instructions, and so at least three steps. */
static inline int steps_of_nops(void)
{
    int before = steps;

    __asm__ volatile("nop; nop; nop; nop" ::: "memory");
    return steps - before;
}

static int pipes[2];

static long call_getpid(void)
{
    return syscall(SYS_getpid) == getpid();
}

static long call_pipe(void)
{
    char c = 0;

    return write(pipes[1], "x", 1) == 1 && read(pipes[0], &c, 1) == 1 &&
           c == 'x';
}

static long call_error(void)
{
    return read(-1, NULL, 1) == -1 && errno == EBADF;
}

static long call_fault(void)
{
    return write(pipes[1], check_bad_pointer(), 1) == -1 && errno == EFAULT;
}

static long call_clock(void)
{
    struct timespec now;

    return clock_gettime(CLOCK_MONOTONIC, &now) == 0;
}

static long call_sleep(void)
{
    return nanosleep(&(struct timespec){0, 5000000}, NULL) == 0;
}

static long call_yield(void)
{
    return sched_yield() == 0;
}

/* Something waits for the processor meanwhile. */
static long call_blocked(void)
{
    char c;

    return read(pipes[0], &c, 1) == 1;
}

static void through(long (*call)(void))
{
    volatile long good;
    volatile int before, after;

    steps = 0;
    step_on();
    before = steps_of_nops();
    good = call();
    after = steps_of_nops();
    step_off();
    CHECK(good);
    CHECK(before >= 3);
    CHECK(after >= 3);
    before = steps;
    (void)steps_of_nops();
    CHECK_EQ(steps, before); /* no more of it */
}

static void *other(void *unused)
{
    check_sleep_ms(10);
    for (volatile int i = 0; i < 100000; i++)
        ;
    CHECK_EQ(write(pipes[1], "y", 1), 1);
    return NULL;
}

static void *ticker(void *main_thread)
{
    check_sleep_ms(10);
    pthread_kill(*(pthread_t *)main_thread, SIGUSR1);
    check_sleep_ms(10);
    CHECK_EQ(write(pipes[1], "z", 1), 1);
    return NULL;
}

static void with_thread(void *(*run)(void *), long (*call)(void))
{
    pthread_t thread, self = pthread_self();

    CHECK_EQ(pthread_create(&thread, NULL, run, &self), 0);
    through(call);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

int main(void)
{
    struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    struct sigaction tick = {.sa_handler = on_tick, .sa_flags = SA_RESTART};

    stepped_thread = 1;
    CHECK_EQ(sigaction(SIGTRAP, &step, NULL), 0);
    CHECK_EQ(sigaction(SIGUSR1, &tick, NULL), 0);
    CHECK_EQ(pipe(pipes), 0);
    through(call_getpid);
    through(call_pipe);
    through(call_error);
    through(call_fault);
    through(call_clock);
    through(call_sleep);
    through(call_yield);
    with_thread(other, call_blocked);
    with_thread(ticker, call_blocked);
    CHECK_EQ(ticks, 1);
    return 0;
}
