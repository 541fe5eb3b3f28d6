/* SPDX-License-Identifier: BSD-3-Clause */
/* Clocks by number, sleeping, POSIX timers, interval timers, alarm. */
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>

#include "time_mock.h"

#define MS 1000000ull

static long gettime(clockid_t clock, uint64_t *ns)
{
    struct timespec ts = {0, 0};
    long result = core_clock_gettime(clock, (long)&ts);
    *ns = (uint64_t)ts.tv_sec * TIME_SECOND + (uint64_t)ts.tv_nsec;
    return result;
}

static void test_clocks(void)
{
    uint64_t ns;
    struct timespec ts;
    CHECK(gettime(CLOCK_MONOTONIC, &ns) == 0 && ns == mock_now);
    CHECK(gettime(CLOCK_BOOTTIME, &ns) == 0 && ns == mock_now);
    CHECK(gettime(CLOCK_REALTIME, &ns) == 0 && ns == mock_wall + mock_now);
    mock_cpu = 777;
    CHECK(gettime(CLOCK_PROCESS_CPUTIME_ID, &ns) == 0 && ns == 777);
    CHECK(gettime(CLOCK_THREAD_CPUTIME_ID, &ns) == 0 && ns == 777);
    /* As clock_getcpuclockid and pthread_getcpuclockid make them. */
    CHECK(gettime((-1 - 1) * 8 + 2, &ns) == 0 && ns == 777);
    CHECK(gettime((-0 - 1) * 8 + 2, &ns) == 0 && ns == 777);
    CHECK(gettime((-7 - 1) * 8 + 6, &ns) == 0 && ns == 42);
    CHECK(gettime((-9 - 1) * 8 + 6, &ns) == -EINVAL);
    CHECK(gettime((-2 - 1) * 8 + 2, &ns) == -EINVAL);
    CHECK(gettime(-5, &ns) == -EINVAL); /* a descriptor's */
    CHECK(gettime(10, &ns) == -EINVAL && gettime(99, &ns) == -EINVAL);
    CHECK(core_clock_getres(CLOCK_MONOTONIC, (long)&ts) == 0);
    CHECK(ts.tv_sec == 0 && ts.tv_nsec == 1);
    CHECK(core_clock_getres(CLOCK_REALTIME, 0) == 0);
    CHECK(core_clock_getres(55, 0) == -EINVAL);

    ts = (struct timespec){.tv_sec = 1000000000, .tv_nsec = 5};
    CHECK(core_clock_settime(CLOCK_REALTIME, (long)&ts) == 0);
    CHECK(gettime(CLOCK_REALTIME, &ns) == 0 && ns == 1000000000000000005);
    CHECK(core_time(0) == 1000000000);
    CHECK(core_clock_settime(CLOCK_MONOTONIC, (long)&ts) == -EINVAL);
    CHECK(core_clock_settime(CLOCK_PROCESS_CPUTIME_ID, (long)&ts) == -EPERM);
    CHECK(core_clock_settime(CLOCK_REALTIME, 0) == -EFAULT);
    ts.tv_nsec = 1000000000;
    CHECK(core_clock_settime(CLOCK_REALTIME, (long)&ts) == -EINVAL);
    struct timeval tv = {.tv_sec = 2000, .tv_usec = 7}, now;
    CHECK(core_settimeofday((long)&tv, 0) == 0);
    CHECK(core_gettimeofday((long)&now, 0) == 0);
    CHECK(now.tv_sec == 2000 && now.tv_usec == 7);
    CHECK(time_deadline(UINT64_MAX) == TIME_NEVER);
}

static void test_sleep(void)
{
    struct timespec ts = {.tv_sec = 2, .tv_nsec = 10}, left;
    uint64_t start = mock_now;
    CHECK(core_nanosleep((long)&ts, (long)&left) == 0);
    CHECK(mock_now == start + 2 * TIME_SECOND + 10);
    mock_interrupts = true;
    CHECK(core_nanosleep((long)&ts, (long)&left) == -EINTR);
    CHECK(left.tv_sec == 1 && left.tv_nsec == 999999010);
    ts.tv_nsec = -1;
    CHECK(core_nanosleep((long)&ts, 0) == -EINVAL);
    CHECK(core_nanosleep(0, 0) == -EFAULT);
    time_to_timespec(mock_now + 5 * MS, &ts);
    start = mock_now;
    CHECK(core_clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, (long)&ts, 0) ==
          0);
    CHECK(mock_now == start + 5 * MS);
    CHECK(core_clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, (long)&ts, 0) ==
          0);
    CHECK(mock_now == start + 5 * MS); /* past already */
    time_to_timespec(time_wall_ns() + 3 * MS, &ts);
    CHECK(core_clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, (long)&ts, 0) ==
          0);
    CHECK(mock_now == start + 8 * MS);
    ts = (struct timespec){.tv_nsec = 10 * MS};
    start = mock_cpu;
    CHECK(core_clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, (long)&ts, 0) == 0);
    CHECK(mock_cpu >= start + 10 * MS && mock_cpu < start + 12 * MS);
    CHECK(core_clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, (long)&ts, 0) ==
          -EINVAL);
    CHECK(core_clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, (long)&ts, 0) ==
          -EOPNOTSUPP);
}

static struct itimerspec spec(uint64_t value, uint64_t interval)
{
    struct itimerspec out;
    time_to_timespec(value, &out.it_value);
    time_to_timespec(interval, &out.it_interval);
    return out;
}

/* Somebody takes the signal that was sent last. */
static void take(void)
{
    CHECK(signal_timer_taken != NULL);
    signal_timer_taken(&mock_info);
}

static void test_posix(void)
{
    int id, other;
    struct itimerspec new = spec(10 * MS, 10 * MS), old;
    CHECK(core_timer_create(CLOCK_MONOTONIC, 0, (long)&id) == 0);
    CHECK(core_timer_create(99, 0, (long)&other) == -EINVAL);
    CHECK(core_timer_settime(id, 0, (long)&new, (long)&old) == 0);
    CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);
    mock_pass(4 * MS);
    CHECK(core_timer_gettime(id, (long)&old) == 0);
    CHECK(old.it_value.tv_nsec == 6 * MS && old.it_interval.tv_nsec == 10 * MS);
    mock_pass(6 * MS);
    CHECK(mock_signals[SIGALRM] == 1 && mock_info.si_code == SI_TIMER);
    CHECK(mock_info.si_timerid == id && mock_info.si_value.sival_int == id);
    mock_pending = true;
    mock_pass(10 * MS);
    mock_pass(35 * MS); /* at 55: expired at 20, 30, 40, 50 */
    mock_pending = false;
    CHECK(mock_signals[SIGALRM] == 1 && core_timer_getoverrun(id) == 0);
    take();
    CHECK(core_timer_getoverrun(id) == 4);
    /* The next that is on its way changes nothing until it is taken. */
    mock_pass(5 * MS);
    CHECK(mock_signals[SIGALRM] == 2 && core_timer_getoverrun(id) == 4);
    take();
    CHECK(core_timer_getoverrun(id) == 0);
    new = spec(0, 0);
    CHECK(core_timer_settime(id, 0, (long)&new, 0) == 0);
    CHECK(time_next_deadline() == TIME_NEVER);
    new = spec(1, 0);
    new.it_value.tv_nsec = -1;
    CHECK(core_timer_settime(id, 0, (long)&new, 0) == -EINVAL);
    CHECK(core_timer_delete(id) == 0);
    CHECK(core_timer_delete(id) == -EINVAL);
    CHECK(core_timer_gettime(id, (long)&old) == -EINVAL);

    /* To one thread, with a value, as musl's SIGEV_THREAD. */
    struct {
        uint64_t value;
        int signal, notify, tid, unused;
    } event = {0x1234567890, 32, 4, 7, 0};
    CHECK(core_timer_create(CLOCK_REALTIME, (long)&event, (long)&id) == 0);
    new = spec(time_wall_ns() + 50 * MS, 0);
    CHECK(core_timer_settime(id, TIMER_ABSTIME, (long)&new, 0) == 0);
    mock_pass(20 * MS);
    CHECK(mock_signals[32] == 0);
    struct timespec ts; /* the clock is set forward: it fires at once */
    time_to_timespec(time_wall_ns() + TIME_SECOND, &ts);
    CHECK(core_clock_settime(CLOCK_REALTIME, (long)&ts) == 0);
    mock_pass(0);
    CHECK(mock_signals[32] == 1);
    CHECK((uint64_t)mock_info.si_value.sival_ptr == 0x1234567890);
    CHECK(core_timer_delete(id) == 0);
    event.tid = 8;
    CHECK(core_timer_create(CLOCK_REALTIME, (long)&event, (long)&id) ==
          -EINVAL);
    event.notify = 9;
    CHECK(core_timer_create(CLOCK_REALTIME, (long)&event, (long)&id) ==
          -EINVAL);

    /* Processor time: half of what passes here. */
    CHECK(core_timer_create(CLOCK_PROCESS_CPUTIME_ID, 0, (long)&id) == 0);
    new = spec(10 * MS, 0);
    CHECK(core_timer_settime(id, 0, (long)&new, 0) == 0);
    for (unsigned i = 0; i < 19; i++)
        mock_pass(MS);
    CHECK(mock_signals[SIGALRM] == 2);
    for (unsigned i = 0; i < 3; i++)
        mock_pass(MS);
    CHECK(mock_signals[SIGALRM] == 3);
    CHECK(core_timer_delete(id) == 0);
    CHECK(time_next_deadline() == TIME_NEVER);
}

static void test_itimer(void)
{
    struct itimerval new = {.it_value.tv_usec = 5000,
                            .it_interval.tv_usec = 5000},
                     old;
    unsigned before = mock_signals[SIGALRM];
    CHECK(core_getitimer(ITIMER_VIRTUAL, (long)&old) == 0);
    CHECK(old.it_value.tv_usec == 0);
    CHECK(core_setitimer(ITIMER_REAL, (long)&new, (long)&old) == 0);
    for (unsigned i = 0; i < 20; i++)
        mock_pass(MS);
    CHECK(mock_signals[SIGALRM] == before + 4);
    CHECK(core_getitimer(ITIMER_REAL, (long)&old) == 0);
    CHECK(old.it_value.tv_usec == 5000 && old.it_interval.tv_usec == 5000);
    CHECK(core_alarm(3) == 1); /* 5 ms left; takes its place */
    mock_pass(TIME_SECOND);
    CHECK(core_alarm(0) == 2);
    CHECK(core_alarm(0) == 0);
    new.it_interval.tv_usec = 0;
    CHECK(core_setitimer(ITIMER_PROF, (long)&new, 0) == 0);
    mock_pass(5 * MS);
    CHECK(mock_signals[SIGPROF] == 0);
    mock_pass(6 * MS);
    CHECK(mock_signals[SIGPROF] == 1);
    CHECK(core_setitimer(3, (long)&new, 0) == -EINVAL);
    new.it_value.tv_usec = 1000000;
    CHECK(core_setitimer(0, (long)&new, 0) == -EINVAL);
    CHECK(time_next_deadline() == TIME_NEVER);
}

static void test_usage(void)
{
    struct tms tms;
    mock_cpu = 3 * TIME_SECOND + 20 * MS;
    CHECK(core_times((long)&tms) == (long)(mock_now / (10 * MS)));
    CHECK(tms.tms_utime == 302 && tms.tms_stime == 0);
    struct rusage usage;
    CHECK(core_getrusage(RUSAGE_SELF, (long)&usage) == 0);
    CHECK(usage.ru_utime.tv_sec == 3 && usage.ru_utime.tv_usec == 20000);
    CHECK(usage.ru_maxrss == 1024);
    CHECK(core_getrusage(RUSAGE_CHILDREN, (long)&usage) == 0);
    CHECK(usage.ru_utime.tv_sec == 0);
    CHECK(core_getrusage(5, (long)&usage) == -EINVAL);
}

int main(void)
{
    test_clocks();
    test_sleep();
    test_posix();
    test_itimer();
    test_usage();
    CHECK(mock_pages == 0);
    return 0;
}
