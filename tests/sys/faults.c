/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signals that an instruction causes, with what they tell.
 *
 * Covers: rt_sigaction rt_sigreturn
 */
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

static sigjmp_buf back;
static volatile int last_signal, last_code;
static void *volatile last_address;

static void on_fault(int number, siginfo_t *info, void *context)
{
    last_signal = number;
    last_code = info->si_code;
    last_address = info->si_addr;
    siglongjmp(back, 1);
}

static void divide(void)
{
    volatile int zero = 0, one = 1;

    one = one / zero;
}

static void undefined(void)
{
    __asm__ volatile("ud2");
}

static void non_canonical(void)
{
    *(volatile char *)0x8000000000000000ul = 1;
}

static void breakpoint(void)
{
    __asm__ volatile("int3");
}

static void privileged(void)
{
    __asm__ volatile("lidt (%0)" : : "r"(0x10ul) : "memory");
}

static void attempt(void (*what)(void))
{
    last_signal = 0;
    if (sigsetjmp(back, 1) == 0)
        what();
}

/* A call of NULL: rip is 0, and the other registers are as they were. */
static volatile long rax_seen;
static void on_null(int number, siginfo_t *info, void *context)
{
    rax_seen = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX];
    siglongjmp(back, 1);
}

static void call_null(void)
{
    __asm__ volatile("xor %%edx, %%edx; mov $0x5a5a, %%eax; call *%%rdx"
                     :
                     :
                     : "rax", "rdx", "memory");
}

static void test_call_null(void)
{
    struct sigaction act = {.sa_sigaction = on_null, .sa_flags = SA_SIGINFO};

    sigaction(SIGSEGV, &act, NULL);
    attempt(call_null);
    CHECK_EQ(rax_seen, 0x5a5a);
}

/* In order of what happens: floating point goes on after a handler. */
static volatile double sum;
static void on_usr1(int number)
{
    sum += 0.5;
}

static void test_floating_point(void)
{
    struct sigaction act = {.sa_handler = on_usr1};
    double product = 1.0;

    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    for (int i = 0; i < 100; i++) {
        product *= 1.01;
        raise(SIGUSR1);
    }
    CHECK(product > 2.70 && product < 2.71);
    CHECK(sum == 50.0);
}

int main(void)
{
    static const int signals[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGTRAP};
    struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        CHECK_EQ(sigaction(signals[i], &act, NULL), 0);
    attempt(divide);
    CHECK_EQ(last_signal, SIGFPE);
    CHECK_EQ(last_code, FPE_INTDIV);
    attempt(undefined);
    CHECK_EQ(last_signal, SIGILL);
    CHECK_EQ(last_code, ILL_ILLOPN);
    attempt(non_canonical);
    CHECK_EQ(last_signal, SIGSEGV);
    attempt(breakpoint);
    CHECK_EQ(last_signal, SIGTRAP);
    if (!check_unikernel()) { /* there, nothing is privileged */
        attempt(privileged);
        CHECK_EQ(last_signal, SIGSEGV);
    }
    test_floating_point();
    test_call_null();
    return 0;
}
