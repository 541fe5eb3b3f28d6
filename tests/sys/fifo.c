/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files made by mknod, and named pipes.
 *
 * Covers: mknod mknodat
 * cc: -pthread
 */
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>

static void test_mknod(void)
{
    struct stat st;
    int dir = open(".", O_RDONLY | O_DIRECTORY);

    CHECK_EQ(mknod("regular", S_IFREG | 0640, 0), 0);
    CHECK_EQ(stat("regular", &st), 0);
    CHECK(S_ISREG(st.st_mode) && st.st_size == 0);
    CHECK_EQ(mknod("plain", 0640, 0), 0); /* no kind means regular */
    CHECK_EQ(stat("plain", &st), 0);
    CHECK(S_ISREG(st.st_mode));
    CHECK_EQ(mknodat(dir, "pipe", S_IFIFO | 0600, 0), 0);
    CHECK_EQ(stat("pipe", &st), 0);
    CHECK(S_ISFIFO(st.st_mode));
    CHECK_EQ(mknod("socket", S_IFSOCK | 0600, 0), 0);
    CHECK_EQ(stat("socket", &st), 0);
    CHECK(S_ISSOCK(st.st_mode));
    CHECK_ERR(open("socket", O_RDONLY), ENXIO);
    CHECK_ERR(mknod("pipe", S_IFIFO | 0600, 0), EEXIST);
    CHECK_ERR(mknod("dir", S_IFDIR | 0600, 0), EPERM);
    CHECK_ERR(mknod("odd", S_IFLNK | 0600, 0), EINVAL);
    CHECK_ERR(mknod("missing/x", S_IFREG | 0600, 0), ENOENT);
    CHECK_ERR(mknod(check_bad_pointer(), S_IFREG | 0600, 0), EFAULT);
    CHECK_ERR(mknodat(-1, "x", S_IFREG | 0600, 0), EBADF);
    close(dir);
}

static void test_nonblocking(void)
{
    char c;

    CHECK_ERR(open("pipe", O_WRONLY | O_NONBLOCK), ENXIO); /* no reader */
    int reader = open("pipe", O_RDONLY | O_NONBLOCK);
    CHECK(reader >= 0);
    CHECK_EQ(read(reader, &c, 1), 0); /* no writer: the end */
    int writer = open("pipe", O_WRONLY | O_NONBLOCK);
    CHECK(writer >= 0);
    CHECK_ERR(read(reader, &c, 1), EAGAIN);
    CHECK_EQ(write(writer, "x", 1), 1);
    CHECK_EQ(read(reader, &c, 1), 1);
    CHECK_EQ(c, 'x');
    struct pollfd p = {.fd = reader, .events = POLLIN};
    CHECK_EQ(poll(&p, 1, 0), 0);
    close(writer);
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK(p.revents & POLLHUP);
    CHECK_EQ(read(reader, &c, 1), 0);
    close(reader);
}

static void *write_later(void *argument)
{
    check_sleep_ms(20);
    int fd = open("pipe", O_WRONLY); /* lets the reader's open go on */
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "hello", 5), 5);
    close(fd);
    return argument;
}

static void test_blocking_open(void)
{
    pthread_t thread;
    char buffer[10];

    CHECK_EQ(pthread_create(&thread, NULL, write_later, NULL), 0);
    int fd = open("pipe", O_RDONLY);
    CHECK(fd >= 0);
    CHECK_EQ(read(fd, buffer, sizeof(buffer)), 5);
    CHECK_EQ(read(fd, buffer, sizeof(buffer)), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close(fd);
}

static void test_both_ways(void)
{
    char c;
    int fd = open("pipe", O_RDWR); /* Linux: never blocks */

    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "y", 1), 1);
    CHECK_EQ(read(fd, &c, 1), 1);
    CHECK_EQ(c, 'y');
    close(fd);
    CHECK_EQ(unlink("pipe"), 0);
}

int main(void)
{
    check_scratch();
    umask(022);
    test_mknod();
    test_nonblocking();
    test_blocking_open();
    test_both_ways();
    return 0;
}
