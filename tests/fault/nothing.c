/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * No page is free at all: what gives memory back works, and what needs none.
 * Before every step the last page is taken again.
 *
 * skip: linux lets nobody take its last page
 * option: fault=off
 * memory: 16M
 * cc: -pthread -lrt
 */
#include "fault.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

enum { HOGS = 400, EVENTS = 3000, PIECES = 300 };

static struct {
    void *start;
    size_t size;
} hogs[HOGS];
static int hog_count, events[EVENTS], event_count;
static volatile sig_atomic_t handled;
static sem_t go;

static void take_rest(void)
{
    for (size_t size = 1 << 20; size >= 4096;) {
        void *p = mmap(NULL, size, RW, ANON, -1, 0);
        if (p == MAP_FAILED) {
            CHECK_EQ(errno, ENOMEM);
            size /= 2;
            continue;
        }
        CHECK(hog_count < HOGS);
        hogs[hog_count].start = p;
        hogs[hog_count++].size = size;
    }
    CHECK_EQ(fault_kb("free"), 0);
}

static void keep(int fd)
{
    CHECK(event_count < EVENTS);
    events[event_count++] = fd;
}

/* Neither a page nor an object of any kind that is asked for here. */
static void take_all(void)
{
    take_rest();
    for (;;) {
        int fd = eventfd(0, 0);
        if (fd < 0)
            break;
        keep(fd);
    }
    CHECK(errno == ENOMEM);
}

static void give_all(void)
{
    while (event_count > 0)
        CHECK_EQ(close(events[--event_count]), 0);
    while (hog_count > 0) {
        hog_count--;
        CHECK_EQ(munmap(hogs[hog_count].start, hogs[hog_count].size), 0);
    }
}

static void on_signal(int number)
{
    handled++;
}

static void *waiter(void *argument)
{
    CHECK_EQ(sem_wait(&go), 0);
    return argument;
}

struct held {
    char *map;
    int pipe[2], pair[2], tcp[2], ep, file, memfd, listener;
    timer_t timer;
    pthread_t threads[4];
};

static char data[60000];

static void make(struct held *h)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    int port;

    h->map = mmap(NULL, 2 * PIECES * 4096, RW, ANON, -1, 0);
    CHECK(h->map != MAP_FAILED);
    CHECK_EQ(pipe(h->pipe), 0);
    CHECK_EQ(write(h->pipe[1], data, 30000), 30000);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, h->pair), 0);
    CHECK_EQ(write(h->pair[0], data, 30000), 30000);
    h->listener = net_listener(AF_INET, &port);
    h->tcp[0] = net_connect(AF_INET, port);
    h->tcp[1] = accept(h->listener, NULL, NULL);
    CHECK(h->tcp[1] >= 0);
    CHECK_EQ(write(h->tcp[0], data, 10000), 10000);
    h->ep = epoll_create1(0);
    CHECK_EQ(epoll_ctl(h->ep, EPOLL_CTL_ADD, h->pipe[0], &event), 0);
    CHECK_EQ(epoll_ctl(h->ep, EPOLL_CTL_ADD, h->pair[1], &event), 0);
    h->file = open("file", O_RDWR | O_CREAT, 0600);
    CHECK_EQ(write(h->file, data, sizeof(data)), sizeof(data));
    h->memfd = (int)syscall(SYS_memfd_create, "m", 0u);
    CHECK_EQ(write(h->memfd, data, sizeof(data)), sizeof(data));
    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &none, &h->timer), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&h->threads[i], NULL, waiter, NULL), 0);
}

static const char *folder(int number)
{
    static char name[40];

    snprintf(name, sizeof(name), "a-folder-of-this-test-%d", number);
    return name;
}

/* Calls that say there is nothing, each with Linux's word for it. */
static void refused(const struct held *h)
{
    struct sigevent none = {.sigev_notify = SIGEV_NONE};
    pthread_t thread;
    timer_t timers[400];
    int p[2], count;

    take_all();
    /* A page of each pool has room for some more. */
    for (count = 0; count < 100 && pipe(p) == 0; count++) {
        keep(p[0]);
        keep(p[1]);
    }
    CHECK(count < 100 && errno == ENOMEM);
    int folders = 0;
    while (folders < 500 && mkdir(folder(folders), 0700) == 0)
        folders++;
    CHECK(folders < 500 && errno == ENOSPC);
    CHECK_ERR(open("new", O_RDWR | O_CREAT, 0600), ENOSPC);
    CHECK_ERR(symlink("file", "new"), ENOSPC);
    CHECK_ERR(pwrite(h->file, data, 100, 1 << 20), ENOSPC);
    CHECK_ERR(pwrite(h->memfd, data, 100, 1 << 20), ENOSPC);
    int fd;
    for (count = 0; count < 100; count++) {
        if ((fd = socket(AF_INET, SOCK_STREAM, 0)) < 0)
            break;
        keep(fd);
    }
    CHECK(errno == ENOBUFS || errno == ENOMEM);
    CHECK_EQ(pthread_create(&thread, NULL, waiter, NULL), EAGAIN);
    for (count = 0; count < 400 &&
                    timer_create(CLOCK_MONOTONIC, &none, &timers[count]) == 0;)
        count++;
    CHECK(count < 400 && errno == EAGAIN);
    while (count > 0)
        CHECK_EQ(timer_delete(timers[--count]), 0);
    CHECK(malloc(1 << 20) == NULL && errno == ENOMEM);
    CHECK(mremap(h->map, 2 * PIECES * 4096, 4 * PIECES * 4096,
                 MREMAP_MAYMOVE) == MAP_FAILED);
    CHECK_EQ(errno, ENOMEM);
    while (folders > 0)
        CHECK_EQ(rmdir(folder(--folders)), 0);
    give_all();
}

/* What needs no memory: the clock, signals on stacks that are promised. */
static void needs_none(const struct held *h)
{
    struct epoll_event event;
    struct pollfd p = {.fd = h->pipe[0], .events = POLLIN};
    char word[10];

    take_all();
    CHECK_EQ(write(1, "nothing is free\n", 16), 16);
    CHECK_EQ(raise(SIGUSR1), 0);
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
    CHECK(handled >= 2);
    check_sleep_ms(1);
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(epoll_wait(h->ep, &event, 1, 0), 1);
    CHECK_EQ(read(h->pair[1], word, 10), 10);
    CHECK_EQ(read(h->tcp[1], word, 10), 10);
    CHECK_EQ(pread(h->file, word, 10, 50), 10);
    CHECK_EQ(pwrite(h->file, word, 10, 50), 10);
    CHECK_EQ(lseek(h->file, 0, SEEK_END), sizeof(data));
    struct stat st;
    CHECK_EQ(stat("file", &st), 0);
    give_all();
}

static void gives(const struct held *h)
{
    int fds[] = {h->tcp[0],  h->pipe[0], h->ep,    h->pair[0], h->tcp[1],
                 h->pipe[1], h->pair[1], h->memfd, h->file,    h->listener};

    for (int i = 0; i < PIECES; i++) { /* each cuts a mapping in two */
        if (i % 30 == 0)
            take_all();
        CHECK_EQ(munmap(h->map + (2 * i + 1) * 4096, 4096), 0);
    }
    take_all();
    CHECK_EQ(munmap(h->map, 2 * PIECES * 4096), 0);
    take_all();
    CHECK_EQ(unlink("file"), 0);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        take_all();
        CHECK_EQ(close(fds[i]), 0);
    }
    take_all();
    CHECK_EQ(timer_delete(h->timer), 0);
    for (int i = 0; i < 4; i++) {
        take_all();
        CHECK_EQ(sem_post(&go), 0);
    }
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(h->threads[i], NULL), 0);
    take_all();
    give_all();
}

int main(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct held held;
    long before = 0;

    fault_open();
    check_scratch();
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    CHECK_EQ(sem_init(&go, 0, 0), 0);
    for (int round = 0; round < 4; round++) {
        make(&held);
        refused(&held);
        needs_none(&held);
        gives(&held);
        check_sleep_ms(50); /* the connection's last words */
        long left = fault_kb("free");
        printf("round %d: %ld kB free\n", round, left);
        if (round == 1)
            before = left;
        CHECK(round <= 1 || labs(left - before) <= 64);
    }
    return 0;
}
