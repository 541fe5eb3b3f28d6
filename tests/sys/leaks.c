/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whatever is made and given back leaves nothing: the free memory after many
 * rounds is that after a few. Only a unikernel can tell, where nobody else
 * takes or gives; on Linux the rounds run all the same, and the descriptors
 * are counted.
 *
 * Covers: open pipe2 epoll_create1 timerfd_create eventfd2 mmap clone
 * Covers: timer_create socketpair memfd_create mq_open semget
 * cc: -pthread -lrt
 * timeout: 20
 */
#include "net.h"

#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

enum { WARM_UP = 3, ROUNDS = 40 };

static long free_kb(void)
{
    static char text[4096]; /* no stdio: it would allocate */
    int fd = open("/proc/meminfo", O_RDONLY);
    ssize_t size = read(fd, text, sizeof(text) - 1);

    CHECK(size > 0);
    text[size] = 0;
    close(fd);
    const char *at = strstr(text, "MemFree:");
    CHECK(at != NULL);
    return strtol(at + 8, NULL, 10);
}

static void files(void)
{
    static char data[50000];
    struct stat st;

    CHECK_EQ(mkdir("dir", 0700), 0);
    for (int i = 0; i < 10; i++) {
        char name[32];
        snprintf(name, sizeof(name), "dir/file-%d", i);
        int fd = open(name, O_RDWR | O_CREAT, 0600);
        CHECK_EQ(write(fd, data, sizeof(data)), sizeof(data));
        void *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(p != MAP_FAILED);
        memset(p, 1, 8192);
        CHECK_EQ(munmap(p, 8192), 0);
        CHECK_EQ(ftruncate(fd, 100), 0);
        CHECK_EQ(ftruncate(fd, 20000), 0);
        close(fd);
        CHECK_EQ(symlink(name, "link"), 0);
        CHECK_EQ(unlink("link"), 0);
        CHECK_EQ(link(name, "link"), 0);
        CHECK_EQ(rename("link", name), 0);
        CHECK_EQ(rename(name, "moved"), 0);
        CHECK_EQ(stat("moved", &st), 0);
        CHECK_EQ(unlink("moved"), 0);
        if (access("link", F_OK) == 0)
            CHECK_EQ(unlink("link"), 0);
        if (access(name, F_OK) == 0)
            CHECK_EQ(unlink(name), 0);
    }
    CHECK_EQ(mkfifo("fifo", 0600), 0);
    int fifo = open("fifo", O_RDWR);
    CHECK_EQ(write(fifo, data, 5000), 5000);
    CHECK_EQ(unlink("fifo"), 0);
    close(fifo);
    int fd = open("held", O_RDWR | O_CREAT, 0600);
    CHECK_EQ(write(fd, data, sizeof(data)), sizeof(data));
    CHECK_EQ(unlink("held"), 0);
    CHECK_ERR(open("dir/missing", O_RDONLY), ENOENT);
    CHECK_ERR(mkdir("dir", 0700), EEXIST);
    close(fd);
    CHECK_EQ(rmdir("dir"), 0);
}

static void descriptors(void)
{
    struct itimerspec soon = {{0, 1000000}, {0, 1000000}};
    struct epoll_event event = {.events = EPOLLIN};
    int p[2], pair[2], ep = epoll_create1(0);
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK_EQ(pipe(p), 0);
    CHECK_EQ(write(p[1], "left in it", 10), 10);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_EQ(write(pair[0], "unread", 6), 6);
    int fds[] = {eventfd(1, 0),
                 timerfd_create(CLOCK_MONOTONIC, 0),
                 signalfd(-1, &set, 0),
                 (int)syscall(SYS_memfd_create, "m", 0u),
                 dup(p[0]),
                 open("/dev/null", O_RDWR),
                 open("/proc/self/maps", O_RDONLY)};
    CHECK_EQ(timerfd_settime(fds[1], 0, &soon, NULL), 0);
    CHECK_EQ(ftruncate(fds[3], 100000), 0);
    CHECK_EQ(write(fds[3], "x", 1), 1);
    CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &event), 0);
    CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fds[0], &event), 0);
    CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, pair[1], &event), 0);
    CHECK(epoll_wait(ep, &event, 1, 0) == 1);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        CHECK(fds[i] >= 0);
        close(fds[i]);
    }
    close(p[0]);
    close(p[1]);
    close(pair[0]);
    close(ep); /* with a watch left in it */
    close(pair[1]);
}

static void memory(void)
{
    char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    memset(p, 1, 1 << 20);
    CHECK_EQ(mprotect(p + 8192, 4096, PROT_READ), 0);
    CHECK_EQ(munmap(p + 65536, 4096), 0);
    CHECK_EQ(madvise(p, 32768, MADV_DONTNEED), 0);
    char *q = mremap(p + 131072, 65536, 1 << 18, MREMAP_MAYMOVE);
    CHECK(q != MAP_FAILED);
    CHECK_EQ(munmap(q, 1 << 18), 0);
    CHECK_EQ(munmap(p, 1 << 20), 0);
    p = mmap(NULL, (size_t)1 << 38, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(p != MAP_FAILED);
    for (int i = 0; i < 8; i++) { /* far apart: page tables */
        q = mmap(p + ((size_t)i << 35), 4096, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        CHECK(q != MAP_FAILED);
        *q = 1;
    }
    CHECK_EQ(munmap(p, (size_t)1 << 38), 0);
    CHECK(mmap(NULL, (size_t)1 << 50, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
}

static void *body(void *argument)
{
    volatile char deep[20000];

    deep[0] = 1;
    CHECK_EQ(deep[0], 1);
    raise(SIGUSR1);
    check_sleep_ms(1);
    return argument;
}

static void threads(void)
{
    pthread_t list[8];

    for (int i = 0; i < 8; i++)
        CHECK_EQ(pthread_create(&list[i], NULL, body, NULL), 0);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(pthread_join(list[i], NULL), 0);
}

static void timers_and_queues(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
                             .sigev_signo = SIGUSR1};
    struct itimerspec soon = {{0, 1000000}, {0, 1000000}};
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 1000};
    timer_t timer;

    CHECK_EQ(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    CHECK_EQ(timer_settime(timer, 0, &soon, NULL), 0);
    CHECK_EQ(timer_delete(timer), 0);
    mqd_t q = mq_open("/halvm-leaks", O_RDWR | O_CREAT, 0600, &attr);
    if (q >= 0) {
        CHECK_EQ(mq_send(q, "left in it", 10, 3), 0);
        CHECK_EQ(mq_close(q), 0);
        CHECK_EQ(mq_unlink("/halvm-leaks"), 0);
    }
    int id = semget(IPC_PRIVATE, 10, IPC_CREAT | 0600);
    if (id >= 0)
        CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
    /* Queued signals that are taken. */
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}),
                 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
}

static void on_signal(int number)
{
}

static void repeat(const char *what, void (*round)(void))
{
    for (int i = 0; i < WARM_UP; i++)
        round();
    long before = free_kb();
    for (int i = 0; i < ROUNDS; i++)
        round();
    long after = free_kb();
    if (check_unikernel() && after != before) {
        fprintf(stderr, "%s:%d: %s: %ld KiB free before, %ld after %d rounds\n",
                __FILE__, __LINE__, what, before, after, ROUNDS);
        exit(1);
    }
}

int main(void)
{
    struct sigaction act = {.sa_handler = on_signal};

    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    check_scratch();
    int open_before = check_open_descriptors();
    repeat("files", files);
    repeat("descriptors", descriptors);
    repeat("memory", memory);
    repeat("threads", threads);
    repeat("timers and queues", timers_and_queues);
    CHECK_EQ(check_open_descriptors(), open_before);
    return 0;
}
