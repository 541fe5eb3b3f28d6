/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A timer at 1 kHz whose signals land in threads that compute with all that an
 * interrupt could spoil (registers.h), until the handler has run as often as
 * the argument says: a timer that is late merges its events. Ends at the first
 * value that is lost.
 *
 * args: 2000
 * timeout: 60
 */
#include <math.h>
#include <pthread.h>
#include <signal.h>

#include "check.h"
#include "registers.h"

#define THREADS 3
#define LOOPS   5000 /* of each of the loops of a check: below a millisecond */

static int wanted;
static volatile int events;
static volatile double sink;

static struct {
    pthread_t thread;
    int events, checks;
} threads[THREADS];
static _Thread_local volatile int here;

/* Leaves something else in every kind of register. */
static void tick(int number)
{
    uint64_t flags, before;
    long double big = (long double)number;

    __asm__ volatile("pushf\n pop %0" : "=r"(flags));
    CHECK_EQ(flags & 0x400, 0); /* the ABI wants the direction flag clear */
    CHECK_EQ(registers_check(1, flags + (uint64_t)number), 0);
    for (int i = 1; i < 8; i++) {
        big = big * 1.5L + i;
        sink += sqrt((double)i) + (double)big;
    }
    before = (uint64_t)here;
    here++;
    CHECK_EQ(here, before + 1);
    __atomic_fetch_add(&events, 1, __ATOMIC_SEQ_CST);
}

static void *compute(void *argument)
{
    int index = (int)(intptr_t)argument, checks = 0;

    while (events < wanted) {
        uint64_t seed = (uint64_t)(index + 1) << 24 | (uint64_t)checks;
        int lost = registers_check(LOOPS, seed);

        if (lost != 0) {
            fprintf(stderr, "%s:%d: %d values lost after %d events\n", __FILE__,
                    __LINE__, lost, events);
            _exit(1);
        }
        checks++;
    }
    threads[index].checks = checks;
    threads[index].events = here;
    return argument;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGALRM};
    struct itimerspec spec = {{0, 1000000}, {0, 1000000}};
    int sum = 0;
    timer_t timer;
    sigset_t set;

    wanted = argc > 1 ? atoi(argv[1]) : 2000;
    CHECK(wanted > 0);
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i].thread, NULL, compute,
                                (void *)(intptr_t)i),
                 0);
    /* Not in here: those that compute are meant. */
    sigemptyset(&set);
    sigaddset(&set, SIGALRM);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    CHECK_EQ(timer_settime(timer, 0, &spec, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(pthread_join(threads[i].thread, NULL), 0);
        CHECK(threads[i].checks > 0);
        sum += threads[i].events;
        printf("thread %d: %d events, %d checks\n", i, threads[i].events,
               threads[i].checks);
    }
    CHECK_EQ(timer_delete(timer), 0);
    CHECK(sum >= wanted && sum <= events);
    printf("%d events, 0 values lost%s\n", events,
           registers_have_avx() ? "" : " (no AVX)");
    return 0;
}
