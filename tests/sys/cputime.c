/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Processor time: working counts, sleeping does not.
 *
 * Covers: getrusage times clock_gettime
 * cc: -pthread
 */
#include "check.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sys/times.h>

static long long clock_ns(clockid_t id)
{
    struct timespec t;

    CHECK_EQ(clock_gettime(id, &t), 0);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static long long usage_us(int who)
{
    struct rusage r;

    CHECK_EQ(getrusage(who, &r), 0);
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000000ll +
           r.ru_utime.tv_usec + r.ru_stime.tv_usec;
}

static void work_ms(int ms) /* of this thread's own time */
{
    long long start = clock_ns(CLOCK_THREAD_CPUTIME_ID);

    while (clock_ns(CLOCK_THREAD_CPUTIME_ID) - start < ms * 1000000ll)
        ;
}

static void *worker(void *argument)
{
    work_ms(200); /* a busy host's pauses are shorter */
    return argument;
}

int main(void)
{
    struct tms t;
    pthread_t thread;
    clockid_t id;

    /* Sleeping is free. */
    long long process = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    long long usage = usage_us(RUSAGE_SELF);
    check_sleep_ms(150);
    CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - process < 50000000);
    CHECK(usage_us(RUSAGE_SELF) - usage < 50000);

    /* Working is not, and both ways of asking say so. */
    process = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    usage = usage_us(RUSAGE_SELF);
    work_ms(60);
    CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - process >= 59000000);
    CHECK(usage_us(RUSAGE_SELF) - usage >= 30000);
    CHECK(clock() > 0);

    /* Another thread's work is the process's, not mine. */
    long long mine = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    process = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    CHECK_EQ(pthread_create(&thread, NULL, worker, NULL), 0);
    CHECK_EQ(pthread_getcpuclockid(thread, &id), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - process >= 199000000);
    CHECK(clock_ns(CLOCK_THREAD_CPUTIME_ID) - mine < 199000000);
    CHECK(usage_us(RUSAGE_THREAD) > 0);

    /* times() in ticks of 1/100 s. */
    clock_t ticks = times(&t);
    CHECK(ticks != (clock_t)-1);
    CHECK(t.tms_utime + t.tms_stime >= 6);
    CHECK_EQ(t.tms_cutime, 0);
    CHECK_EQ(sysconf(_SC_CLK_TCK), 100);
    check_sleep_ms(50);
    CHECK(times(&t) - ticks >= 4);
    CHECK_EQ(usage_us(RUSAGE_CHILDREN), 0);

    struct rusage r;
    CHECK_ERR(getrusage(77, &r), EINVAL);
    CHECK_ERR(syscall(SYS_getrusage, RUSAGE_SELF, check_bad_pointer()), EFAULT);
    CHECK_ERR(syscall(SYS_times, check_bad_pointer()), EFAULT);
    CHECK_EQ(getrusage(RUSAGE_SELF, &r), 0);
    CHECK(r.ru_maxrss > 0);
    return 0;
}
