/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Robust mutexes: a thread that dies with one tells the next owner; and what
 * a thread leaves behind when it ends by the raw call.
 */
#include <pthread.h>

#include "check.h"

static pthread_mutex_t mutex;

static void *die_with_it(void *arg)
{
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    return NULL;
}

/* Ends below libc, so that only the system can know. */
static volatile int raw_tid;
static void *die_raw(void *arg)
{
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    raw_tid = (int)syscall(SYS_gettid);
    check_sleep_ms(20); /* the other one waits by then */
    syscall(SYS_exit, 0);
    return NULL;
}

static void run(void *(*function)(void *))
{
    pthread_t thread;

    CHECK_EQ(pthread_create(&thread, NULL, function, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void test_owner_dies(void)
{
    run(die_with_it);
    CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    CHECK_EQ(pthread_mutex_lock(&mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}

static void test_raw_exit(void)
{
    pthread_attr_t attr;
    pthread_t thread;

    CHECK_EQ(pthread_attr_init(&attr), 0);
    CHECK_EQ(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
    CHECK_EQ(pthread_create(&thread, &attr, die_raw, NULL), 0);
    while (raw_tid == 0)
        check_sleep_ms(1);
    CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD); /* woken by the death */
    while (syscall(SYS_tkill, raw_tid, 0) == 0)
        check_sleep_ms(1);
    CHECK_EQ(errno, ESRCH);
    CHECK_EQ(pthread_mutex_consistent(&mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
}

static void test_not_recovered(void)
{
    run(die_with_it);
    CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    CHECK_EQ(pthread_mutex_lock(&mutex), ENOTRECOVERABLE);
}

static void test_list_calls(void)
{
    struct {
        void *first;
        long offset;
        void *pending;
    } head = {&head, 0, NULL};
    void *old, *now;
    size_t size;

    CHECK_EQ(syscall(SYS_get_robust_list, 0, &old, &size), 0);
    CHECK_EQ(size, sizeof head);
    CHECK_ERR(syscall(SYS_set_robust_list, &head, 4), EINVAL);
    CHECK_EQ(syscall(SYS_set_robust_list, &head, sizeof head), 0);
    CHECK_EQ(syscall(SYS_get_robust_list, 0, &now, &size), 0);
    CHECK(now == &head);
    CHECK_EQ(syscall(SYS_set_robust_list, old, sizeof head), 0);
}

int main(void)
{
    pthread_mutexattr_t attr;

    CHECK_EQ(pthread_mutexattr_init(&attr), 0);
    CHECK_EQ(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    /* Linux wakes only those that wait with a shared futex. */
    CHECK_EQ(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
    CHECK_EQ(pthread_mutex_init(&mutex, &attr), 0);
    test_list_calls();
    test_owner_dies();
    test_raw_exit();
    test_not_recovered();
    return 0;
}
