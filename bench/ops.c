/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one operation costs, by the time stamp counter: under QEMU's
 * `-icount shift=0` a tick is one guest instruction, natively it is a tick of
 * the host's counter.
 *
 *     ops [OPERATIONS A ROUND]        10 unless told
 *
 * First line: the counter at the start of main. Then a line an operation: its
 * name and ticks each, the least of 20 rounds (40 of those that switch
 * threads), an empty loop's taken off. bench/run builds it with halvm-cc and
 * with glibc and starts it as a process, as a unikernel and as Linux's /init.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* musl has no header for these: see futex(2). */
enum { FUTEX_WAIT_PRIVATE = 0 | 128, FUTEX_WAKE_PRIVATE = 1 | 128 };

static int count = 10; /* operations a round */

static inline uint64_t ticks(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
    return (uint64_t)high << 32 | low;
}

static uint64_t empty; /* ticks of a round that does nothing */

/* The least of rounds, in tenths of a tick an operation. */
#define LEAST(rounds, n, ...)                                                  \
    ({                                                                         \
        uint64_t least_ = UINT64_MAX;                                          \
        for (int r_ = 0; r_ < (rounds); r_++) {                                \
            uint64_t t_ = ticks();                                             \
            for (int i_ = 0; i_ < (n); i_++) {                                 \
                __VA_ARGS__;                                                   \
                __asm__ volatile("" ::: "memory");                             \
            }                                                                  \
            t_ = ticks() - t_;                                                 \
            least_ = t_ < least_ ? t_ : least_;                                \
        }                                                                      \
        least_;                                                                \
    })

static void say(const char *name, uint64_t round, int n)
{
    uint64_t loop = n == count ? empty : 0;
    uint64_t tenths = round > loop ? (round - loop) * 10 / (uint64_t)n : 0;

    printf("%-16s %lu.%lu\n", name, tenths / 10, tenths % 10);
}

#define OPERATION(name, ...) say(name, LEAST(20, count, __VA_ARGS__), count)

static void *thread_nothing(void *argument)
{
    return argument;
}

static volatile int going;

static void *thread_yields(void *argument)
{
    while (going)
        sched_yield();
    return argument;
}

/* -- ping-pong by futex: turn is 0 (ours) or 1 (the other's), 2 ends it -- */

static int turn;

static void turn_wait(int wanted)
{
    int now;

    while ((now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != wanted &&
           now != 2)
        syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, now, NULL, NULL, 0);
}

static void turn_give(int to)
{
    __atomic_store_n(&turn, to, __ATOMIC_RELEASE);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *thread_pongs(void *argument)
{
    for (;;) {
        turn_wait(1);
        if (turn == 2)
            return argument;
        turn_give(0);
    }
}

static int there[2], back[2];

static void *thread_echoes(void *argument)
{
    char byte;

    while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
        ;
    return argument;
}

static void memory_and_calls(void)
{
    static char from[8192] __attribute__((aligned(64)));
    static char to[8192] __attribute__((aligned(64)));
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    void *(*volatile copy)(void *, const void *, size_t) = memcpy;
    void *(*volatile get)(size_t) = malloc;
    struct timespec now;

    OPERATION("getppid", getppid());
    OPERATION("clock_gettime", clock_gettime(CLOCK_MONOTONIC, &now));
    OPERATION("malloc_64", free(get(64)));
    OPERATION("malloc_65536", free(get(65536)));
    OPERATION("mutex_pair", pthread_mutex_lock(&mutex);
              pthread_mutex_unlock(&mutex));
    OPERATION("memcpy_64", copy(to, from, 64));
    OPERATION("memcpy_4096", copy(to, from, 4096));
    if (pipe(there) || pipe(back))
        exit(1);
    char byte = 0;
    OPERATION("pipe_alone", if (write(there[1], &byte, 1) != 1 ||
                                read(there[0], &byte, 1) != 1) exit(1));
}

static void threads(void)
{
    pthread_t thread;
    char byte = 0;

    OPERATION("thread", pthread_create(&thread, NULL, thread_nothing, NULL);
              pthread_join(thread, NULL));

    going = 1;
    pthread_create(&thread, NULL, thread_yields, NULL);
    OPERATION("yield_pair", sched_yield());
    going = 0;
    pthread_join(thread, NULL);

    pthread_create(&thread, NULL, thread_pongs, NULL);
    OPERATION("futex_pair", turn_give(1); turn_wait(0));
    turn_give(2);
    pthread_join(thread, NULL);

    pthread_create(&thread, NULL, thread_echoes, NULL);
    OPERATION("pipe_pair", if (write(there[1], &byte, 1) != 1 ||
                               read(back[0], &byte, 1) != 1) exit(1));
    close(there[1]);
    pthread_join(thread, NULL);
}

/* glibc has no atomic operations in these two until there was a thread. */
static void after_threads(void)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    void *(*volatile get)(size_t) = malloc;

    OPERATION("mutex_later", pthread_mutex_lock(&mutex);
              pthread_mutex_unlock(&mutex));
    OPERATION("malloc_later", free(get(64)));
}

int main(int argc, char **argv)
{
    uint64_t start = ticks();
    cpu_set_t one;

    if (argc > 1 && atoi(argv[1]) > 0)
        count = atoi(argv[1]);
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof(one), &one);
    printf("%-16s %lu\n", "main", start);
    empty = LEAST(20, count, (void)0);
    memory_and_calls();
    threads();
    after_threads();
    printf("end\n");
    fflush(stdout);
    return 0;
}
