/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pipes: blocking, room, ends, signals.
 *
 * Covers: pipe pipe2 read write fcntl ioctl
 * cc: -pthread
 */
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>

#ifndef F_GETPIPE_SZ
#define F_SETPIPE_SZ 1031
#define F_GETPIPE_SZ 1032
#endif

static void test_basics(void)
{
    int p[2], n;
    char buffer[16];

    CHECK_EQ(syscall(SYS_pipe, p), 0);
    CHECK_EQ(write(p[1], "abcdef", 6), 6);
    CHECK_EQ(ioctl(p[0], FIONREAD, &n), 0);
    CHECK_EQ(n, 6);
    CHECK_EQ(read(p[0], buffer, 4), 4);
    CHECK_EQ(read(p[0], buffer, 16), 2);
    CHECK_ERR(read(p[1], buffer, 1), EBADF);
    CHECK_ERR(write(p[0], buffer, 1), EBADF);
    CHECK_EQ(write(p[1], "last", 4), 4);
    close(p[1]);
    CHECK_EQ(read(p[0], buffer, 16), 4); /* first what is left */
    CHECK_EQ(read(p[0], buffer, 16), 0);
    close(p[0]);
    CHECK_ERR(syscall(SYS_pipe, check_bad_pointer()), EFAULT);
}

static void test_flags(void)
{
    int p[2];
    char c;

    CHECK_EQ(pipe2(p, O_NONBLOCK | O_CLOEXEC), 0);
    CHECK_EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(p[0], F_GETFL) & (O_ACCMODE | O_NONBLOCK),
             O_RDONLY | O_NONBLOCK);
    CHECK_EQ(fcntl(p[1], F_GETFL) & O_ACCMODE, O_WRONLY);
    CHECK_ERR(read(p[0], &c, 1), EAGAIN);
    close(p[0]);
    close(p[1]);
    CHECK_ERR(syscall(SYS_pipe2, p, O_APPEND), EINVAL);
}

static volatile sig_atomic_t broken;

static void on_pipe(int number)
{
    broken++;
}

static void test_broken(void)
{
    int p[2];
    struct sigaction act = {.sa_handler = on_pipe}, old;

    CHECK_EQ(sigaction(SIGPIPE, &act, &old), 0);
    CHECK_EQ(pipe(p), 0);
    close(p[0]);
    CHECK_ERR(write(p[1], "x", 1), EPIPE);
    CHECK_EQ(broken, 1);
    struct pollfd poller = {.fd = p[1], .events = POLLOUT};
    CHECK_EQ(poll(&poller, 1, 0), 1);
    CHECK(poller.revents & POLLERR);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERR(write(p[1], "x", 1), EPIPE);
    CHECK_EQ(broken, 1);
    close(p[1]);
    CHECK_EQ(sigaction(SIGPIPE, &old, NULL), 0);
}

static void test_room(void)
{
    static char page[4096], all[65536 + 10];
    int p[2], capacity;
    size_t written = 0;
    struct pollfd poller;

    CHECK_EQ(pipe2(p, O_NONBLOCK), 0);
    capacity = fcntl(p[1], F_GETPIPE_SZ);
    CHECK_EQ(capacity, 65536);
    while (write(p[1], page, sizeof(page)) == sizeof(page))
        written += sizeof(page);
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(written, capacity);
    poller = (struct pollfd){.fd = p[1], .events = POLLOUT};
    CHECK_EQ(poll(&poller, 1, 0), 0);
    /* Up to PIPE_BUF all or nothing; more goes in part. */
    CHECK_EQ(read(p[0], all, 4096), 4096);
    CHECK_EQ(poll(&poller, 1, 0), 1);
    CHECK_EQ(write(p[1], all, 10000), 4096);
    CHECK_ERR(write(p[1], all, 100), EAGAIN);
    CHECK_EQ(read(p[0], all, sizeof(all)), 65536);
    close(p[0]);
    close(p[1]);
}

/* A writer of far more than fits, a slow reader: nothing lost, in order. */
enum { LOTS = 1 << 20 };

static void *write_lots(void *argument)
{
    int fd = *(int *)argument;
    unsigned char *data = malloc(LOTS);

    CHECK(data != NULL);
    for (int i = 0; i < LOTS; i++)
        data[i] = (unsigned char)(i >> 4);
    CHECK_EQ(write(fd, data, LOTS), LOTS); /* blocks until all is taken */
    close(fd);
    free(data);
    return NULL;
}

static void test_blocking(void)
{
    unsigned char buffer[5000];
    pthread_t thread;
    int p[2], at = 0;
    ssize_t got;

    CHECK_EQ(pipe(p), 0);
    CHECK_EQ(pthread_create(&thread, NULL, write_lots, &p[1]), 0);
    while ((got = read(p[0], buffer, sizeof(buffer))) > 0)
        for (ssize_t i = 0; i < got; i++, at++)
            CHECK(buffer[i] == (unsigned char)(at >> 4));
    CHECK_EQ(got, 0);
    CHECK_EQ(at, LOTS);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close(p[0]);
}

/* Small writes of several threads are never mixed. */
static int shared[2];

static void *write_records(void *argument)
{
    char record[100];

    memset(record, (int)(long)argument, sizeof(record));
    for (int i = 0; i < 300; i++)
        CHECK_EQ(write(shared[1], record, sizeof(record)), sizeof(record));
    return NULL;
}

static void test_atomic(void)
{
    pthread_t threads[3];
    char record[100];

    CHECK_EQ(pipe(shared), 0);
    for (long i = 0; i < 3; i++)
        CHECK_EQ(
            pthread_create(&threads[i], NULL, write_records, (void *)('a' + i)),
            0);
    for (int i = 0; i < 900; i++) {
        size_t have = 0;
        while (have < sizeof(record)) {
            ssize_t got = read(shared[0], record + have, sizeof(record) - have);
            CHECK(got > 0);
            have += (size_t)got;
        }
        for (size_t j = 1; j < sizeof(record); j++)
            CHECK(record[j] == record[0]);
    }
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    close(shared[0]);
    close(shared[1]);
}

int main(void)
{
    int before = check_open_descriptors();

    test_basics();
    test_flags();
    test_broken();
    test_room();
    test_blocking();
    test_atomic();
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
