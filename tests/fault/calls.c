/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The nth failure in calls about memory, files, descriptors, timers, signals
 * and queues: see fault.h.
 *
 * skip: linux fails no memory on demand
 * option: fault=off
 * memory: 16M
 * cc: -lrt
 */
#include "fault.h"

#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static char data[20000];

/* -- memory -- */

static int maps(void)
{
    struct fault_held h = {0};
    size_t mib = 1 << 20;
    char *p = mmap(NULL, 3 * mib, RW, ANON, -1, 0);

    if (!fault_map(&h, p, 3 * mib))
        goto out;
    memset(p, 1, mib);
    for (unsigned i = 1; i < 60; i += 2) /* nodes */
        if (!fault_ok(&h, mprotect(p + i * 4096, 4096, PROT_READ)))
            goto out;
    if (!fault_ok(&h, mprotect(p + 4096, 8192, PROT_NONE)))
        goto out;
    CHECK_EQ(munmap(p + mib, 4096), 0);
    CHECK_EQ(madvise(p + 300 * 4096, 32768, MADV_DONTNEED), 0);
    CHECK_EQ(p[300 * 4096], 0);
    /* Over what is there; when that fails, it still is. */
    void *over = mmap(p + 2 * mib, 65536, RW, ANON | MAP_FIXED, -1, 0);
    if (over == MAP_FAILED) {
        h.error = errno;
        p[2 * mib] = 7;
        goto out;
    }
    char *q = mmap(NULL, 65536, RW, ANON, -1, 0);
    if (q == MAP_FAILED) {
        h.error = errno;
        goto out;
    }
    memset(q, 5, 65536);
    char *larger = mremap(q, 65536, 4 * mib, MREMAP_MAYMOVE);
    if (larger == MAP_FAILED) {
        h.error = errno;
        CHECK(q[0] == 5 && q[65535] == 5);
        CHECK_EQ(munmap(q, 65536), 0);
        goto out;
    }
    CHECK(larger[65535] == 5 && larger[65536] == 0);
    CHECK_EQ(munmap(larger, 4 * mib), 0);
out:
    return fault_release(&h);
}

static int reservations(void)
{
    struct fault_held h = {0};
    size_t size = (size_t)1 << 36;
    char *p = mmap(NULL, size, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);

    if (!fault_map(&h, p, size))
        goto out;
    for (size_t at = 0; at < size; at += size / 4) { /* far apart: tables */
        char *q = mmap(p + at, 65536, RW, ANON | MAP_FIXED, -1, 0);
        if (q == MAP_FAILED) {
            h.error = errno;
            goto out;
        }
        *q = 1;
    }
    CHECK_EQ(madvise(p, 65536, MADV_FREE), 0);
    if (mmap(p, 65536, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED)
        h.error = errno;
    else if (fault_ok(&h, mprotect(p + 8 * ((size_t)1 << 20), 65536, RW)))
        p[8 * ((size_t)1 << 20)] = 1;
out:
    return fault_release(&h);
}

static int allocations(void)
{
    static const size_t sizes[] = {1, 100, 5000, 50000, 131000, 300000};
    void *blocks[60];
    unsigned count = 0;
    int error = 0;

    for (; count < 60; count++) {
        size_t size = sizes[count % 6];
        blocks[count] = malloc(size);
        if (blocks[count] == NULL) {
            error = errno;
            break;
        }
        memset(blocks[count], 1, size);
    }
    void *more = count > 3 ? realloc(blocks[3], 400000) : NULL;
    if (more != NULL)
        blocks[3] = more;
    else if (error == 0)
        error = errno;
    while (count > 0)
        free(blocks[--count]);
    return error;
}

static int brk_up(void)
{
    /* musl has no sbrk; the kernel's brk says the old break if it fails. */
    long old = syscall(SYS_brk, 0), new = old + 300000;

    if (syscall(SYS_brk, new) != new)
        return ENOMEM;
    ((char *)old)[299999] = 1;
    CHECK_EQ(syscall(SYS_brk, old), old);
    return 0;
}

/* -- files -- */

static void remove_tree(void)
{
    char name[32];

    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof(name), "d/file-%d", i);
        unlink(name);
    }
    unlink("d/link");
    unlink("d/moved");
    unlink("d/fifo");
    unlink("d/with-a-name-that-is-too-long-to-be-kept-in-its-entry-itself");
    CHECK(rmdir("d") == 0 || errno == ENOENT);
}

static int files(void)
{
    struct fault_held h = {0};
    char name[32], target[200];

    memset(target, 'x', sizeof(target) - 1);
    target[sizeof(target) - 1] = 0;
    if (!fault_ok(&h, mkdir("d", 0700)))
        goto out;
    for (int i = 0; i < 12; i++) {
        snprintf(name, sizeof(name), "d/file-%d", i);
        int fd = open(name, O_RDWR | O_CREAT, 0600);
        if (!fault_fd(&h, fd))
            goto out;
        if (i < 3 && (!fault_ok(&h, write(fd, data, sizeof(data))) ||
                      !fault_ok(&h, ftruncate(fd, 70000)) ||
                      !fault_ok(&h, pwrite(fd, "x", 1, 5000000))))
            goto out;
    }
    if (!fault_ok(&h, symlink(target, "d/link")) ||
        !fault_ok(&h, mkfifo("d/fifo", 0600)) ||
        !fault_ok(&h, rename("d/file-1", "d/moved")) ||
        !fault_ok(&h, link("d/moved", "d/with-a-name-that-is-too-long-to-be-"
                                      "kept-in-its-entry-itself")))
        goto out;
    void *p = mmap(NULL, 8192, RW, MAP_SHARED, h.fds[0], 4096);
    if (!fault_map(&h, p, 8192))
        goto out;
    memset(p, 3, 8192);
    CHECK_EQ(msync(p, 8192, MS_SYNC), 0);
    int fd = open("d/fifo", O_RDWR);
    if (fault_fd(&h, fd) && fault_ok(&h, write(fd, data, sizeof(data))) &&
        fault_fd(&h, fd = open("d", O_RDONLY | O_DIRECTORY)) &&
        fault_ok(&h, syscall(SYS_getdents64, fd, data, sizeof(data))) &&
        fault_fd(&h, fd = open("/proc/self/maps", O_RDONLY)))
        fault_ok(&h, read(fd, data, 100));
out:
    fault_release(&h);
    remove_tree();
    return h.error;
}

/* -- descriptors -- */

static bool waiting(struct fault_held *h, const int p[2])
{
    struct epoll_event event = {.events = EPOLLIN};
    struct itimerspec soon = {{1, 0}, {1, 0}};
    struct pollfd many[700];
    sigset_t set;
    int ep, fd;

    sigemptyset(&set);
    if (!fault_fd(h, ep = epoll_create1(0)) ||
        !fault_ok(h, epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &event)) ||
        !fault_fd(h, fd = eventfd(0, 0)) ||
        !fault_ok(h, epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event)) ||
        !fault_ok(h, epoll_wait(ep, &event, 1, 0)) ||
        !fault_fd(h, fd = timerfd_create(CLOCK_MONOTONIC, 0)) ||
        !fault_ok(h, timerfd_settime(fd, 0, &soon, NULL)) ||
        !fault_fd(h, signalfd(-1, &set, 0)))
        return false;
    for (int i = 0; i < 700; i++)
        many[i] = (struct pollfd){.fd = p[0], .events = POLLIN};
    return fault_ok(h, poll(many, 700, 1));
}

static int descriptors(void)
{
    struct fault_held h = {0};
    struct iovec iov[100];
    int p[2], fd;

    if (!fault_ok(&h, pipe(p)))
        goto out;
    fault_fd(&h, p[0]);
    fault_fd(&h, p[1]);
    if (!fault_ok(&h, fcntl(p[1], F_SETFL, O_NONBLOCK)) || !waiting(&h, p) ||
        !fault_fd(&h, dup2(p[0], 700)) || /* the table grows */
        !fault_ok(&h, write(p[1], data, sizeof(data))) ||
        !fault_ok(&h, fcntl(p[1], F_SETPIPE_SZ, 1 << 18)))
        goto out;
    for (int i = 0; i < 100; i++)
        iov[i] = (struct iovec){data + i * 100, 100};
    if (fault_ok(&h, readv(p[0], iov, 100)) &&
        fault_fd(&h, fd = (int)syscall(SYS_memfd_create, "m", 0u)) &&
        fault_ok(&h, writev(fd, iov, 100)) && fault_fd(&h, dup(fd)))
        fault_fd(&h, open("/dev/null", O_RDWR));
out:
    return fault_release(&h);
}

/* Bytes from one descriptor to another, and waiting for a high one. */
static int transfers(void)
{
    struct fault_held h = {0};
    int from, to, p[2];
    struct timeval none = {0, 0}; /* it may be empty: written in part */
    off_t at = 0;
    fd_set set;

    if (!fault_fd(&h, from = (int)syscall(SYS_memfd_create, "from", 0u)) ||
        !fault_ok(&h, write(from, data, sizeof(data))) ||
        !fault_fd(&h, to = (int)syscall(SYS_memfd_create, "to", 0u)) ||
        !fault_ok(&h, sendfile(to, from, &at, sizeof(data))))
        goto out;
    at = 0;
    if (!fault_ok(&h, copy_file_range(from, &at, to, NULL, 10000, 0)) ||
        !fault_ok(&h, pipe2(p, O_NONBLOCK)))
        goto out;
    fault_fd(&h, p[0]);
    fault_fd(&h, p[1]);
    at = 0;
    if (!fault_ok(&h, sendfile(p[1], from, &at, 30000)) ||
        !fault_ok(&h, splice(p[0], NULL, to, NULL, 5000, 0)) ||
        !fault_fd(&h, dup2(p[0], 900)))
        goto out;
    FD_ZERO(&set);
    FD_SET(900, &set);
    if (!fault_ok(&h, select(901, &set, NULL, NULL, &none)) ||
        !fault_ok(&h, fallocate(to, 0, 0, 200000)))
        goto out;
    fault_ok(&h, ftruncate(to, 3));
out:
    return fault_release(&h);
}

/* Texts that are written when they are opened. */
static int texts(void)
{
    static const char *const names[] = {
        "/proc/self/status", "/proc/cpuinfo", "/proc/self/fd",
        "/dev/null",         "/etc/hosts",    "/proc/self/task/1/comm"};
    struct fault_held h = {0};
    struct stat st;
    char target[64];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int fd = open(names[i], O_RDONLY);
        if (!fault_fd(&h, fd) || !fault_ok(&h, stat(names[i], &st)) ||
            !fault_ok(&h, fstat(fd, &st)))
            break;
    }
    if (h.error == 0)
        fault_ok(&h, readlink("/proc/self/exe", target, sizeof(target)));
    return fault_release(&h);
}

/* A text grows while it is open: what did not fit is not read from beside. */
static int text_grows(void)
{
    enum { AREAS = 200, SIZE = 4096 };
    static char content[32768];
    struct fault_held h = {0};
    char *area = mmap(NULL, AREAS * SIZE, RW, ANON, -1, 0);
    int fd;

    if (!fault_map(&h, area, AREAS * SIZE) ||
        !fault_fd(&h, fd = open("/proc/self/maps", O_RDONLY)) ||
        !fault_ok(&h, pread(fd, content, sizeof(content), 0)))
        goto out;
    for (int i = 0; i < AREAS; i += 2)
        if (!fault_ok(&h, mprotect(area + i * SIZE, SIZE, PROT_READ)))
            goto out;
    if (!fault_ok(&h, pread(fd, content, sizeof(content), 0)))
        CHECK_EQ(pread(fd, content, 1, 5000), 0);
out:
    return fault_release(&h);
}

/* -- timers, signals, queues -- */

static int timers(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    struct itimerspec soon = {{1, 0}, {1, 0}};
    timer_t list[80];
    int count = 0, error = 0;

    for (; count < 80; count++) {
        if (timer_create(CLOCK_MONOTONIC, &event, &list[count]) < 0) {
            error = errno;
            break;
        }
        CHECK_EQ(timer_settime(list[count], 0, &soon, NULL), 0);
    }
    while (count > 0)
        CHECK_EQ(timer_delete(list[--count]), 0);
    return error;
}

static int signals(void)
{
    siginfo_t info;
    sigset_t set;
    int error = 0, count = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    for (; count < 100; count++)
        if (sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = count})) {
            error = errno;
            break;
        }
    for (int i = 0; i < count; i++) {
        CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN);
        CHECK_EQ(info.si_value.sival_int, i);
    }
    return error;
}

static int queues(void)
{
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 8000};
    struct sembuf up[10];
    int error = 0;
    mqd_t q = mq_open("/fault", O_RDWR | O_CREAT, 0600, &attr);

    if (q < 0)
        return errno;
    if (mq_send(q, "small", 5, 3) < 0 || mq_send(q, data, 8000, 1) < 0)
        error = errno;
    CHECK_EQ(mq_close(q), 0);
    CHECK_EQ(mq_unlink("/fault"), 0);
    int id = semget(IPC_PRIVATE, 200, IPC_CREAT | 0600);
    if (id < 0)
        return error ? error : errno;
    for (int i = 0; i < 10; i++)
        up[i] = (struct sembuf){.sem_num = (unsigned short)i, .sem_op = 1};
    if (semop(id, up, 10) < 0 && error == 0)
        error = errno;
    CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
    return error;
}

int main(void)
{
    static const struct fault_scenario list[] = {
        {"maps", maps, 0},
        {"reservations", reservations, 0},
        {"brk", brk_up, 0},
        {"allocations", allocations, 2048},
        {"files", files, 0},
        {"descriptors", descriptors, 0},
        {"transfers", transfers, 0},
        {"texts", texts, 0},
        {"text_grows", text_grows, 0},
        {"timers", timers, 0},
        {"signals", signals, 0},
        {"queues", queues, 0},
    };
    setvbuf(stdout, NULL, _IOLBF, 256);
    check_scratch();
    fault_run(list, sizeof(list) / sizeof(list[0]));
    return 0;
}
