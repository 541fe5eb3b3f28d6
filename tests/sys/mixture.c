/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything at once for a second: threads that use pipes, sockets, files,
 * memory, timers and floating point, while signals rain on all of them. Each
 * checks that nobody else's doing shows in its own.
 *
 * Covers: read write poll mmap munmap madvise rename futex timer_create
 * cc: -pthread -lrt
 * timeout: 20
 */
#include "net.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>

enum { RUN_MS = 1000, KINDS = 7 };

static volatile bool stop;
static volatile long signals;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long shared_count, rounds[KINDS];

static unsigned next(unsigned *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void on_signal(int number)
{
    volatile double x = 1.5;

    for (int i = 0; i < 10; i++) /* disturbs registers on purpose */
        x = x * 1.25 + 1;
    signals++;
}

/* Bytes through a pipe, to itself, in odd amounts. */
static void pipes(unsigned *seed)
{
    unsigned char out[3000], in[3000];
    size_t size = 1 + next(seed) % sizeof(out);
    int p[2];

    for (size_t i = 0; i < size; i++)
        out[i] = (unsigned char)next(seed);
    CHECK_EQ(pipe(p), 0);
    CHECK_EQ(write(p[1], out, size), size);
    net_read_all(p[0], in, size);
    CHECK(!memcmp(in, out, size));
    close(p[0]);
    close(p[1]);
}

static void sockets(unsigned *seed)
{
    unsigned char out[2000], in[2000];
    size_t size = 1 + next(seed) % sizeof(out);
    int pair[2];

    memset(out, (int)next(seed), size);
    if (next(seed) % 4 == 0)
        net_tcp_pair(next(seed) % 2 ? AF_INET : AF_INET6, pair);
    else
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_EQ(send(pair[0], out, size, 0), size);
    net_read_all(pair[1], in, size);
    CHECK(!memcmp(in, out, size));
    struct linger now = {1, 0}; /* leaves no port behind */
    setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(pair[0]);
    close(pair[1]);
}

static void memory(unsigned *seed)
{
    size_t pages = 1 + next(seed) % 40;
    unsigned char mark = (unsigned char)next(seed);
    unsigned char *p = mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    for (size_t i = 0; i < pages; i++) {
        CHECK(p[i * 4096] == 0);
        p[i * 4096 + 17] = mark;
    }
    size_t hole = next(seed) % pages;
    CHECK_EQ(madvise(p + hole * 4096, 4096, MADV_DONTNEED), 0);
    for (size_t i = 0; i < pages; i++)
        CHECK(p[i * 4096 + 17] == (i == hole ? 0 : mark));
    CHECK_EQ(munmap(p, pages * 4096), 0);
    void *q = malloc(next(seed) % 30000);
    free(q);
}

static void files(unsigned *seed)
{
    char name[64], other[80], buffer[64];
    int id = (int)next(seed);

    snprintf(name, sizeof(name), "file-%d-%p", id, (void *)seed);
    snprintf(other, sizeof(other), "%s-moved", name);
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, name, strlen(name)), strlen(name));
    CHECK_EQ(rename(name, other), 0);
    CHECK_EQ(pread(fd, buffer, sizeof(buffer), 0), strlen(name));
    CHECK(!memcmp(buffer, name, strlen(name)));
    CHECK_EQ(unlink(other), 0);
    close(fd);
}

/* Numbers that a lost or foreign register would spoil. */
static void numbers(unsigned *seed)
{
    double sum = 0, factor = 1 + next(seed) % 1000 / 1000.0, check = 0;

    for (int i = 1; i <= 20000; i++)
        sum += factor / i;
    for (int i = 1; i <= 20000; i++)
        check += factor / i;
    CHECK(sum == check);
}

static void waits(unsigned *seed)
{
    struct pollfd p = {.fd = -1};
    struct timespec t;

    CHECK(poll(&p, 1, (int)(next(seed) % 3)) <= 0);
    pthread_mutex_lock(&lock);
    shared_count++;
    pthread_cond_broadcast(&changed);
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += 2000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    pthread_cond_timedwait(&changed, &lock, &t);
    pthread_mutex_unlock(&lock);
}

static void *nothing(void *argument)
{
    return argument;
}

static void threads(unsigned *seed)
{
    pthread_t thread;
    void *result;

    CHECK_EQ(pthread_create(&thread, NULL, nothing, seed), 0);
    CHECK_EQ(pthread_join(thread, &result), 0);
    CHECK(result == seed);
}

static void (*const kinds[KINDS])(unsigned *) = {
    pipes, sockets, memory, files, numbers, waits, threads};

static void *work(void *argument)
{
    int kind = (int)(long)argument % KINDS;
    unsigned seed = (unsigned)(long)argument * 7919;
    long count = 0;

    while (!stop) {
        kinds[kind](&seed);
        count++;
    }
    __atomic_fetch_add(&rounds[kind], count, __ATOMIC_RELAXED);
    return NULL;
}

int main(void)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGUSR1};
    struct itimerspec often = {{0, 1000000}, {0, 1000000}}, never = {0};
    pthread_t list[2 * KINDS];
    timer_t timer;

    check_scratch();
    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    int before = check_open_descriptors();
    for (long i = 0; i < 2 * KINDS; i++)
        CHECK_EQ(pthread_create(&list[i], NULL, work, (void *)i), 0);
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    CHECK_EQ(timer_settime(timer, 0, &often, NULL), 0);
    long long end = check_now_ns() + RUN_MS * 1000000ll;
    for (int i = 0; check_now_ns() < end; i++) {
        pthread_kill(list[i % (2 * KINDS)], SIGUSR1);
        check_sleep_ms(1);
    }
    stop = true;
    for (int i = 0; i < 2 * KINDS; i++)
        CHECK_EQ(pthread_join(list[i], NULL), 0);
    CHECK_EQ(timer_settime(timer, 0, &never, NULL), 0);
    CHECK_EQ(timer_delete(timer), 0);
    CHECK(signals > 100);
    for (int i = 0; i < KINDS; i++)
        CHECK(rounds[i] > 0);
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
