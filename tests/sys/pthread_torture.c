/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads under load: everything that pthreads offers, and no register or
 * stack byte spoilt while the system switches between threads that compute.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "check.h"
#include "registers.h"

/* -- ping-pong by mutex and condition -- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;
#define ROUNDS 1000

static void *ponger(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != 1)
            pthread_cond_wait(&cond, &mutex);
        turn = 0;
        pthread_cond_signal(&cond);
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

static void test_ping_pong(void)
{
    pthread_t thread;
    void *result;

    CHECK_EQ(pthread_create(&thread, NULL, ponger, &turn), 0);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        turn = 1;
        pthread_cond_signal(&cond);
        while (turn != 0)
            pthread_cond_wait(&cond, &mutex);
        pthread_mutex_unlock(&mutex);
    }
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == &turn);
}

/* -- computing threads, preempted -- */

static volatile int stop;
static _Thread_local int local = 7;
static int spoilt, rounds_done;
static int locked_count;

static void *spinner(void *arg)
{
    uint64_t seed = (uint64_t)(uintptr_t)arg;
    int rounds = 0;

    local = (int)seed;
    while (!stop) {
        int changed = registers_check(200000, seed << 8 | (rounds & 255));

        __atomic_fetch_add(&spoilt, changed, __ATOMIC_SEQ_CST);
        CHECK_EQ(local, (int)seed);
        rounds++;
    }
    __atomic_fetch_add(&rounds_done, rounds, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Comes and goes between the computing ones, in every way to wait. */
static void *waiter(void *arg)
{
    while (!stop) {
        pthread_mutex_lock(&mutex);
        locked_count++;
        pthread_mutex_unlock(&mutex);
        sched_yield();
        check_sleep_ms(1);
    }
    return arg;
}

static void test_preemption(void)
{
    pthread_t threads[6];

    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, spinner,
                                (void *)(uintptr_t)(i + 1)),
                 0);
    for (int i = 4; i < 6; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, waiter, NULL), 0);
    check_sleep_ms(500);
    stop = 1;
    for (int i = 0; i < 6; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(spoilt, 0);
    CHECK(rounds_done >= 4);
    CHECK(locked_count >= 4);
    CHECK_EQ(local, 7);
}

/* -- many that are not waited for -- */

static sem_t done;

static void *brief(void *arg)
{
    local++;
    CHECK_EQ(local, 8);
    sem_post(&done);
    return NULL;
}

static void test_detached(void)
{
    pthread_attr_t attr;
    pthread_t thread;

    CHECK_EQ(sem_init(&done, 0, 0), 0);
    CHECK_EQ(pthread_attr_init(&attr), 0);
    CHECK_EQ(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED), 0);
    for (int i = 0; i < 200; i++)
        CHECK_EQ(pthread_create(&thread, &attr, brief, NULL), 0);
    for (int i = 0; i < 200; i++)
        CHECK_EQ(sem_wait(&done), 0);
    CHECK_EQ(sem_trywait(&done), -1);
}

/* -- the rest of the family -- */

static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int once_count, destroyed, shared_sum;

static void run_once(void)
{
    once_count++;
    check_sleep_ms(1);
}

static void destroy(void *value)
{
    destroyed += *(int *)value;
}

static void *mixed(void *arg)
{
    static int value = 1;
    int serial = 0;

    pthread_once(&once, run_once);
    CHECK_EQ(once_count, 1);
    CHECK_EQ(pthread_setspecific(key, &value), 0);
    for (int i = 0; i < 50; i++) {
        pthread_rwlock_wrlock(&rwlock);
        int before = shared_sum;
        sched_yield();
        shared_sum = before + 1;
        pthread_rwlock_unlock(&rwlock);
        pthread_rwlock_rdlock(&rwlock);
        CHECK(shared_sum > before);
        pthread_rwlock_unlock(&rwlock);
        int result = pthread_barrier_wait(&barrier);
        serial += result == PTHREAD_BARRIER_SERIAL_THREAD;
    }
    return (void *)(intptr_t)serial;
}

static void test_mixed(void)
{
    pthread_t threads[4];
    intptr_t serials = 0;

    CHECK_EQ(pthread_barrier_init(&barrier, NULL, 4), 0);
    CHECK_EQ(pthread_key_create(&key, destroy), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, mixed, NULL), 0);
    for (int i = 0; i < 4; i++) {
        void *serial;
        CHECK_EQ(pthread_join(threads[i], &serial), 0);
        serials += (intptr_t)serial;
    }
    CHECK_EQ(serials, 50);
    CHECK_EQ(shared_sum, 200);
    CHECK_EQ(destroyed, 4);
}

static void test_timeouts(void)
{
    struct timespec until;
    long long start = check_now_ns();

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&mutex);
    CHECK_EQ(pthread_cond_timedwait(&cond, &mutex, &until), ETIMEDOUT);
    CHECK_EQ(pthread_mutex_timedlock(&mutex, &until), ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    CHECK(check_now_ns() - start >= 19000000);
    CHECK_EQ(sem_timedwait(&done, &until), -1);
    CHECK_EQ(errno, ETIMEDOUT);
}

/* Every byte of a big block is zero at first touch. */
static void test_memory(void)
{
    size_t size = 32 << 20;
    char *block = malloc(size);

    if (block == NULL)
        return; /* a small machine */
    for (size_t i = 0; i < size; i += 4096)
        block[i] = (char)(i >> 12);
    for (size_t i = 0; i < size; i += 4096)
        CHECK_EQ(block[i], (char)(i >> 12));
    free(block);
}

int main(void)
{
    test_ping_pong();
    test_preemption();
    test_detached();
    test_mixed();
    test_timeouts();
    test_memory();
    return 0;
}
