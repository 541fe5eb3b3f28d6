/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls taken over by number (halvm/reroute.h): seen, changed, failed, passed
 * on, given back; nested handlers; a handler's own calls; threads; what is
 * refused; what one costs, counted by stepping.
 * cc: -pthread
 */
#include <pthread.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include <halvm/reroute.h>

#include "check.h"

static int pipe_fds[2];

struct counter {
    long calls;
    long bytes;
};

static HALVM_HANDLER(count)
{
    struct counter *counter = context;

    CHECK_EQ(call->number, SYS_write);
    __atomic_fetch_add(&counter->calls, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&counter->bytes, call->args[2], __ATOMIC_SEQ_CST);
    return halvm_call_previous(call);
}

static HALVM_HANDLER(fail)
{
    return -*(int *)context;
}

static void seen_and_given_back(void)
{
    struct counter counter = {0};
    char text[8] = "";
    int error = ENOSPC;
    long id = halvm_reroute(SYS_write, count, &counter), inner;

    CHECK(id > 0);
    CHECK_EQ(write(pipe_fds[1], "abc", 3), 3);
    CHECK_EQ(syscall(SYS_write, pipe_fds[1], "de", 2), 2);
    CHECK_EQ(counter.calls, 2);
    CHECK_EQ(counter.bytes, 5);
    CHECK_EQ(read(pipe_fds[0], text, sizeof text), 5);
    CHECK(strcmp(text, "abcde") == 0);
    CHECK_ERR(write(-1, "x", 1), EBADF);
    CHECK_EQ(counter.calls, 3);
    /* The newer one is asked first, and does not ask the older. */
    inner = halvm_reroute(SYS_write, fail, &error);
    CHECK(inner > id);
    CHECK_ERR(write(pipe_fds[1], "x", 1), ENOSPC);
    CHECK_EQ(counter.calls, 3);
    CHECK_EQ(halvm_reroute_end(inner), 0);
    CHECK_EQ(write(pipe_fds[1], "x", 1), 1);
    CHECK_EQ(counter.calls, 4);
    CHECK_EQ(read(pipe_fds[0], text, 1), 1);
    CHECK_EQ(halvm_reroute_end(id), 0);
    CHECK_EQ(halvm_reroute_end(id), -ESRCH);
    CHECK_EQ(write(pipe_fds[1], "x", 1), 1);
    CHECK_EQ(counter.calls, 4);
    CHECK_EQ(read(pipe_fds[0], text, 1), 1);
}

/* A handler that changes the call, and one that uses libc for what it takes
 * over: both would loop if their own calls came back to them. */
static HALVM_HANDLER(twice)
{
    struct halvm_call first = *call;
    long result;

    first.args[2] = 1;
    result = halvm_call_previous(&first);
    if (result < 0)
        return result;
    write((int)call->args[0], "+", 1);
    return call->args[2];
}

static HALVM_HANDLER(through_write)
{
    const struct iovec *iov = (const struct iovec *)call->args[1];
    long total = 0;

    for (long i = 0; i < call->args[2]; i++) {
        ssize_t done =
            write((int)call->args[0], iov[i].iov_base, iov[i].iov_len);
        if (done < 0)
            return -errno;
        total += done;
    }
    return total;
}

static void handlers_call(void)
{
    struct counter counter = {0};
    struct iovec iov[2] = {{(char *)"ab", 2}, {(char *)"cd", 2}};
    char text[8] = "";
    long counting = halvm_reroute(SYS_write, count, &counter);
    long twicing = halvm_reroute(SYS_write, twice, NULL);
    long writing = halvm_reroute(SYS_writev, through_write, NULL);

    CHECK_EQ(write(pipe_fds[1], "xyz", 3), 3);
    CHECK_EQ(counter.calls, 2); /* the older saw both */
    CHECK_EQ(read(pipe_fds[0], text, sizeof text), 2);
    CHECK(memcmp(text, "x+", 2) == 0);
    /* writev's handler is the newest: its writes meet both others. */
    CHECK_EQ(writev(pipe_fds[1], iov, 2), 4);
    CHECK_EQ(counter.calls, 6);
    CHECK_EQ(read(pipe_fds[0], text, sizeof text), 4);
    CHECK(memcmp(text, "a+c+", 4) == 0);
    CHECK_EQ(halvm_reroute_end(counting), 0); /* not the newest */
    CHECK_EQ(write(pipe_fds[1], "xyz", 3), 3);
    CHECK_EQ(counter.calls, 6);
    CHECK_EQ(read(pipe_fds[0], text, sizeof text), 2);
    CHECK_EQ(halvm_reroute_end(twicing), 0);
    CHECK_EQ(halvm_reroute_end(writing), 0);
}

/* The older handler's calls do not come to a newer one, of another number. */
static HALVM_HANDLER(older)
{
    CHECK_EQ(write(pipe_fds[1], "o", 1), 1);
    return 7;
}

static HALVM_HANDLER(newer)
{
    struct utsname name;

    (void)context;
    CHECK_EQ(uname(&name), 0); /* comes to older, which writes */
    return halvm_call_previous(call);
}

static HALVM_HANDLER(uname_older)
{
    older(context, call);
    return 0;
}

static HALVM_HANDLER(end_in_handler)
{
    return halvm_reroute_end(*(long *)context);
}

static void refused(void)
{
    long id = 0;

    CHECK_EQ(halvm_reroute(-1, fail, NULL), -EINVAL);
    CHECK_EQ(halvm_reroute(511, fail, NULL), -EINVAL);
    CHECK_EQ(halvm_reroute(65536 + SYS_getppid, fail, NULL), -EINVAL);
    CHECK_EQ(halvm_reroute(SYS_rt_sigreturn, fail, NULL), -EINVAL);
    CHECK_EQ(halvm_reroute(SYS_clone, fail, NULL), -EINVAL);
    CHECK_EQ(halvm_reroute(SYS_getppid, NULL, NULL), -EINVAL);
    CHECK_EQ(halvm_reroute_end(0), -ESRCH);
    CHECK_EQ(halvm_reroute_end(-1), -ESRCH);
    id = halvm_reroute(SYS_getppid, end_in_handler, &id);
    CHECK(id > 0);
    CHECK_EQ(syscall(SYS_getppid), -1);
    CHECK_EQ(errno, EDEADLK);
    CHECK_EQ(halvm_reroute_end(id), 0);
}

static void mutual(void)
{
    char text[4];
    long first = halvm_reroute(SYS_uname, uname_older, NULL);
    long second = halvm_reroute(SYS_write, newer, NULL);

    CHECK_EQ(write(pipe_fds[1], "n", 1), 1);
    CHECK_EQ(read(pipe_fds[0], text, 4), 2);
    CHECK(memcmp(text, "on", 2) == 0);
    CHECK_EQ(halvm_reroute_end(first), 0);
    CHECK_EQ(halvm_reroute_end(second), 0);
}

static HALVM_HANDLER(answer)
{
    return (long)context;
}

/* Registrations come and go, more than there is room for at once. */
static void many(void)
{
    for (int round = 0; round < 10000; round++) {
        long id = halvm_reroute(SYS_getppid, answer, (void *)42l);
        CHECK(id > 0);
        CHECK_EQ(getppid(), 42);
        CHECK_EQ(halvm_reroute_end(id), 0);
    }
    long first = 0, id = 0, last = 0;
    int count = 0;
    while ((id = halvm_reroute(SYS_getppid, answer, NULL)) > 0) {
        if (first == 0)
            first = id;
        last = id;
        count++;
    }
    CHECK_EQ(id, -ENOSPC);
    CHECK_EQ(count, 32);
    for (id = first; id <= last; id++)
        CHECK_EQ(halvm_reroute_end(id), 0);
    CHECK(getppid() != 42);
}

static volatile bool stop;

static void *caller(void *unused)
{
    long calls = 0;

    while (!stop) {
        long got = getppid();
        CHECK(got >= 1 || got == 0);
        calls++;
    }
    return (void *)calls;
}

static HALVM_HANDLER(check_context)
{
    volatile long *value = context;

    CHECK_EQ(*value, 1234); /* not given back while we are here */
    sched_yield();
    CHECK_EQ(*value, 1234);
    return halvm_call_previous(call);
}

/* Threads call while handlers come and go: nobody is in one that is gone. */
static void threads(void)
{
    pthread_t thread[3];

    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_create(&thread[i], NULL, caller, NULL), 0);
    for (int round = 0; round < 300; round++) {
        long *value = malloc(sizeof *value);
        *value = 1234;
        long id = halvm_reroute(SYS_getppid, check_context, value);
        CHECK(id > 0);
        sched_yield();
        CHECK_EQ(halvm_reroute_end(id), 0);
        *value = 0;
        free(value);
    }
    stop = true;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(thread[i], NULL), 0);
}

static HALVM_HANDLER(fixed_clock)
{
    struct timespec *now = (struct timespec *)call->args[1];

    now->tv_sec = 86400;
    now->tv_nsec = 5;
    return 0;
}

/* The vDSO does not pass it by. */
static void clock_too(void)
{
    struct timespec now;
    long id;

    CHECK_EQ(clock_gettime(CLOCK_REALTIME, &now), 0);
    CHECK(now.tv_sec != 86400);
    id = halvm_reroute(SYS_clock_gettime, fixed_clock, NULL);
    CHECK(id > 0);
    CHECK_EQ(time(NULL), 86400);
    CHECK_EQ(halvm_reroute_end(id), 0);
    CHECK(time(NULL) != 86400);
}

/* A thread that is cancelled in a handler ends when that has returned. */
static HALVM_HANDLER(slow_pause)
{
    struct timespec pause = {0, 20000000};

    *(volatile int *)context = 1;
    nanosleep(&pause, NULL);
    nanosleep(&pause, NULL);
    *(volatile int *)context = 2;
    return -EINTR;
}

static void *pauses(void *unused)
{
    pause();
    pause();
    return NULL;
}

static void cancelled(void)
{
    volatile int state = 0;
    pthread_t thread;
    void *result;
    long id = halvm_reroute(SYS_pause, slow_pause, (void *)&state);

    CHECK_EQ(pthread_create(&thread, NULL, pauses, NULL), 0);
    while (state == 0)
        check_sleep_ms(1);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == PTHREAD_CANCELED);
    CHECK_EQ(state, 2);
    CHECK_EQ(halvm_reroute_end(id), 0); /* nobody is left in it */
}

static void tables(void)
{
    short numbers[600];
    size_t count = halvm_calls(HALVM_CALLS_SOCKET, numbers, 600);

    CHECK(count >= 18 && count < 30);
    CHECK_EQ(numbers[0], SYS_socket);
    CHECK_EQ(halvm_calls(HALVM_CALLS_SOCKET, NULL, 0), count);
    CHECK(halvm_calls(HALVM_CALLS_PATH, numbers, 600) > 50);
    CHECK(halvm_calls(HALVM_CALLS_DESCRIPTOR, numbers, 600) > 80);
    count = halvm_calls(HALVM_CALLS_ALL, numbers, 600);
    CHECK(count > 300 && count < 512);
    CHECK(strcmp(halvm_call_name(SYS_openat), "openat") == 0);
    CHECK(strcmp(halvm_call_arguments(SYS_openat), "fsxo") == 0);
    CHECK(halvm_call_name(400) == NULL);
    CHECK(halvm_call_arguments(400) == NULL);
    CHECK(strcmp(halvm_call_runtime(SYS_mmap), "memory") == 0);
    CHECK(halvm_call_runtime(SYS_openat) == NULL);
}

/* -- what it costs: instructions, by the trap flag -- */

static volatile long steps;

static void on_step(int signal)
{
    steps++;
}

static long set_flag(void)
{
    steps = 0;
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" ::: "memory", "cc");
    return 0;
}

static void clear_flag(void)
{
    __asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" ::: "memory", "cc");
}

long __halvm_sys_getppid(void); /* the gate's stub, as libc calls it */

static long steps_of(long (*function)(void))
{
    set_flag();
    function();
    clear_flag();
    return steps;
}

static long handler_like(void)
{
    return 0;
}

static HALVM_HANDLER(nothing)
{
    return 0;
}

static void cost(void)
{
    struct sigaction action = {.sa_handler = on_step};
    long bare, handled;
    long id = halvm_reroute(SYS_getppid, nothing, NULL);

    CHECK_EQ(sigaction(SIGTRAP, &action, NULL), 0);
    bare = steps_of(handler_like);
    handled = steps_of(__halvm_sys_getppid);
    printf("a call with a handler: %ld instructions more than the handler\n",
           handled - bare);
    CHECK(bare > 0);
    CHECK(handled > bare);
    CHECK(handled - bare <= 40);
    CHECK_EQ(halvm_reroute_end(id), 0);
}

int main(void)
{
    CHECK_EQ(pipe(pipe_fds), 0);
    seen_and_given_back();
    handlers_call();
    mutual();
    refused();
    many();
    threads();
    clock_too();
    cancelled();
    tables();
    cost();
    return 0;
}
