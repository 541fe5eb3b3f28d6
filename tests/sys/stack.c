/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The main stack grows, a thread's stack has a guard.
 *
 * Covers: mmap sigaltstack rt_sigaction
 * cc: -pthread
 * memory: 128M
 */
#include "check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>

static sigjmp_buf back;
static volatile bool faulted;
static char alternate[65536];

static void on_fault(int number)
{
    faulted = true;
    siglongjmp(back, 1);
}

/* What follows the call keeps the compiler from making it a loop. */
static __attribute__((noinline)) int deep(int levels)
{
    volatile char frame[1024];

    frame[0] = (char)levels;
    if (levels == 0)
        return 0;
    int below = deep(levels - 1);
    return below + (frame[0] == (char)levels);
}

static void *overflow(void *argument)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};

    CHECK_EQ(sigaltstack(&stack, NULL), 0);
    if (sigsetjmp(back, 1) == 0)
        deep(1 << 20);
    CHECK(faulted);
    return argument;
}

int main(void)
{
    struct sigaction act = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK};
    pthread_t thread;

    CHECK_EQ(deep(4000), 4000); /* four MiB and more */
    CHECK_EQ(sigaction(SIGSEGV, &act, NULL), 0);
    CHECK_EQ(sigaction(SIGBUS, &act, NULL), 0);
    CHECK_EQ(pthread_create(&thread, NULL, overflow, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(deep(1000), 1000);
    return 0;
}
