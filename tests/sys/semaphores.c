/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System V semaphores.
 *
 * Covers: semget semop semctl semtimedop
 * cc: -pthread
 */
#include "check.h"
#include <pthread.h>
#include <sys/ipc.h>
#include <sys/sem.h>

union semun {
    int val;
    struct semid_ds *buf;
    unsigned short *array;
};

static int id;

static int op(int number, int change, int flags)
{
    struct sembuf b = {.sem_num = (unsigned short)number,
                       .sem_op = (short)change,
                       .sem_flg = (short)flags};

    return semop(id, &b, 1);
}

static int value(int number)
{
    return semctl(id, number, GETVAL);
}

static void test_values(void)
{
    union semun u = {.val = 2};
    unsigned short values[3];
    struct semid_ds ds;

    CHECK_EQ(semctl(id, 0, SETVAL, u), 0);
    CHECK_EQ(value(0), 2);
    CHECK_EQ(op(0, -1, IPC_NOWAIT), 0);
    CHECK_EQ(op(0, -1, IPC_NOWAIT), 0);
    CHECK_ERR(op(0, -1, IPC_NOWAIT), EAGAIN);
    CHECK_EQ(op(0, 0, 0), 0); /* waits for zero: it is */
    CHECK_EQ(op(0, 5, 0), 0);
    CHECK_ERR(op(0, 0, IPC_NOWAIT), EAGAIN);
    u.array = values;
    CHECK_EQ(semctl(id, 0, GETALL, u), 0);
    CHECK(values[0] == 5 && values[1] == 0 && values[2] == 0);
    values[0] = 1;
    values[1] = 2;
    CHECK_EQ(semctl(id, 0, SETALL, u), 0);
    CHECK_EQ(value(1), 2);
    u.buf = &ds;
    CHECK_EQ(semctl(id, 0, IPC_STAT, u), 0);
    CHECK_EQ(ds.sem_nsems, 3);
    CHECK_EQ(semctl(id, 0, GETPID), getpid());
    CHECK_EQ(semctl(id, 0, GETNCNT), 0);
}

/* All or nothing. */
static void test_atomic(void)
{
    struct sembuf both[2] = {{0, -1, IPC_NOWAIT}, {2, -1, IPC_NOWAIT}};

    CHECK_ERR(semop(id, both, 2), EAGAIN);
    CHECK_EQ(value(0), 1);
    CHECK_EQ(op(2, 1, 0), 0);
    CHECK_EQ(semop(id, both, 2), 0);
    CHECK(value(0) == 0 && value(2) == 0);
}

static void *post_later(void *argument)
{
    check_sleep_ms(20);
    CHECK_EQ(op(2, 1, 0), 0);
    return argument;
}

static void test_blocking(void)
{
    struct sembuf b = {2, -1, 0};
    struct timespec little = {0, 15000000};
    long long start = check_now_ns();
    pthread_t thread;

    CHECK_ERR(syscall(SYS_semtimedop, id, &b, 1ul, &little), EAGAIN);
    CHECK(check_now_ns() - start >= 15000000);
    CHECK_EQ(pthread_create(&thread, NULL, post_later, NULL), 0);
    CHECK_EQ(op(2, -1, 0), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

static void *wait_removed(void *argument)
{
    CHECK_ERR(op(2, -1, 0), EIDRM);
    return argument;
}

static void test_remove(void)
{
    pthread_t thread;

    CHECK_EQ(pthread_create(&thread, NULL, wait_removed, NULL), 0);
    check_sleep_ms(20);
    CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_ERR(op(0, 1, 0), EINVAL);
}

int main(void)
{
    int key = 0x48614c56;

    id = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
    if (id == -1 && errno == ENOSYS)
        check_skip("this kernel has no System V semaphores");
    CHECK(id >= 0);
    test_values();
    test_atomic();
    test_blocking();
    CHECK_ERR(op(3, 1, 0), EFBIG);
    CHECK_ERR(semop(id, check_bad_pointer(), 1), EFAULT);
    CHECK_ERR(semop(id, NULL, 0), EINVAL);
    struct sembuf one = {0, 1, 0};
    CHECK_ERR(semop(-1, &one, 1), EINVAL);
    union semun u = {.val = -1};
    CHECK_ERR(semctl(id, 0, SETVAL, u), ERANGE);
    CHECK_ERR(semctl(id, 9, GETVAL), EINVAL);
    CHECK_ERR(semctl(id, 0, 7777), EINVAL);
    test_remove();
    /* By key. */
    id = semget(key, 1, IPC_CREAT | 0600);
    CHECK(id >= 0);
    CHECK_EQ(semget(key, 1, 0), id);
    CHECK_EQ(semget(key, 0, 0), id);
    CHECK_ERR(semget(key, 2, 0), EINVAL);
    CHECK_ERR(semget(key, 1, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
    CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
    CHECK_ERR(semget(key, 1, 0), ENOENT);
    CHECK_ERR(semget(IPC_PRIVATE, -1, IPC_CREAT), EINVAL);
    return 0;
}
