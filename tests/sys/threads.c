/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads as the system sees them.
 *
 * Covers: clone gettid set_tid_address set_robust_list get_robust_list
 * Covers: membarrier
 * cc: -pthread
 */
#include "check.h"
#include <pthread.h>
#include <semaphore.h>

enum { MANY = 64 };
static _Thread_local int mine = 5;
static pid_t tids[MANY];
static sem_t gate;

static void *body(void *argument)
{
    int i = (int)(long)argument;

    CHECK_EQ(mine, 5);
    mine = i;
    tids[i] = (pid_t)syscall(SYS_gettid);
    CHECK_EQ(getpid(), syscall(SYS_getpid));
    CHECK_EQ(sem_wait(&gate), 0);
    CHECK_EQ(mine, i);
    return argument;
}

static void test_many(void)
{
    pthread_t threads[MANY];
    void *result;

    CHECK_EQ(sem_init(&gate, 0, 0), 0);
    for (long i = 0; i < MANY; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, body, (void *)i), 0);
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(sem_post(&gate), 0);
    for (long i = 0; i < MANY; i++) {
        CHECK_EQ(pthread_join(threads[i], &result), 0);
        CHECK(result == (void *)i);
    }
    for (int i = 0; i < MANY; i++)
        for (int j = 0; j < i; j++)
            CHECK(tids[i] != tids[j] && tids[i] != getpid());
    CHECK_EQ(mine, 5);
}

/* Thousands one after another: nothing is left of each. */
static void *nothing(void *argument)
{
    return argument;
}

static void test_in_turn(void)
{
    pthread_t thread;

    for (int i = 0; i < 2000; i++) {
        CHECK_EQ(pthread_create(&thread, NULL, nothing, NULL), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
    }
}

static void test_lists(void)
{
    static struct {
        void *next;
        long offset;
        void *pending;
    } head = {.next = &head};
    void *seen = NULL, *original = NULL;
    size_t size = 0;

    CHECK_EQ(syscall(SYS_get_robust_list, 0, &original, &size), 0);
    CHECK_EQ(syscall(SYS_set_robust_list, &head, sizeof(head)), 0);
    CHECK_EQ(syscall(SYS_get_robust_list, 0, &seen, &size), 0);
    CHECK(seen == &head && size == sizeof(head));
    CHECK_EQ(syscall(SYS_set_robust_list, original, sizeof(head)), 0);
    CHECK_ERR(syscall(SYS_set_robust_list, &head, 3ul), EINVAL);
    CHECK_ERR(syscall(SYS_get_robust_list, 0x3fffffff, &seen, &size), ESRCH);
    CHECK_ERR(syscall(SYS_get_robust_list, 0, check_bad_pointer(), &size),
              EFAULT);
    int *clear = malloc(sizeof(int));
    CHECK_EQ(syscall(SYS_set_tid_address, clear), syscall(SYS_gettid));
}

static void test_membarrier(void)
{
    long commands = syscall(SYS_membarrier, 0, 0, 0); /* QUERY */

    if (commands == -1) {
        CHECK_EQ(errno, ENOSYS);
        CHECK(!check_unikernel());
        return;
    }
    CHECK(commands & 1); /* GLOBAL */
    CHECK_EQ(syscall(SYS_membarrier, 1, 0, 0), 0);
    CHECK_EQ(syscall(SYS_membarrier, 16, 0, 0), 0); /* REGISTER_PRIVATE */
    CHECK_EQ(syscall(SYS_membarrier, 8, 0, 0), 0);  /* PRIVATE_EXPEDITED */
    CHECK_ERR(syscall(SYS_membarrier, 0x40000000, 0, 0), EINVAL);
    CHECK_ERR(syscall(SYS_membarrier, 1, 77, 0), EINVAL);
}

int main(void)
{
    test_many();
    test_in_turn();
    test_lists();
    test_membarrier();
    return 0;
}
