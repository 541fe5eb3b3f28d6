/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading and writing with vectors and at positions.
 *
 * Covers: readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2
 * cc: -pthread
 */
#include "check.h"
#include <limits.h>
#include <pthread.h>
#include <sys/uio.h>

static int fd;

static void test_readv_writev(void)
{
    char a[4] = "ab", b[8] = "cdef", c[8];
    struct iovec out[3] = {{a, 2}, {NULL, 0}, {b, 4}};
    struct iovec in[2] = {{a, 3}, {c, 8}};

    CHECK_EQ(writev(fd, out, 3), 6);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(readv(fd, in, 2), 6);
    CHECK(!memcmp(a, "abc", 3) && !memcmp(c, "def", 3));
    CHECK_EQ(readv(fd, in, 2), 0);
    CHECK_EQ(readv(fd, in, 0), 0);
    CHECK_EQ(writev(fd, out, 0), 0);
}

static void test_errors(void)
{
    static struct iovec many[IOV_MAX + 1];
    char c = 0;
    struct iovec one = {&c, 1}, huge = {&c, (size_t)-1};
    struct iovec bad = {check_bad_pointer(), 1};
    int pipes[2];

    CHECK_ERR(readv(fd, &one, -1), EINVAL);
    CHECK_ERR(writev(fd, many, IOV_MAX + 1), EINVAL);
    CHECK_EQ(writev(fd, many, IOV_MAX), 0);
    CHECK_ERR(writev(fd, &huge, 1), EINVAL);
    CHECK_ERR(writev(fd, &bad, 1), EFAULT);
    CHECK_ERR(writev(fd, check_bad_pointer(), 1), EFAULT);
    CHECK_ERR(readv(-1, &one, 1), EBADF);
    CHECK_ERR(pread(fd, &c, 1, -1), EINVAL);
    CHECK_ERR(pwrite(fd, &c, 1, -1), EINVAL);
    CHECK_ERR(pread(-1, &c, 1, 0), EBADF);
    CHECK_EQ(pipe(pipes), 0);
    CHECK_ERR(pread(pipes[0], &c, 1, 0), ESPIPE);
    CHECK_ERR(pwrite(pipes[1], &c, 1, 0), ESPIPE);
    CHECK_ERR(preadv(pipes[0], &one, 1, 0), ESPIPE);
    close(pipes[0]);
    close(pipes[1]);
}

static void test_positions(void)
{
    char buffer[16];

    CHECK_EQ(ftruncate(fd, 0), 0);
    CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
    CHECK_EQ(pwrite(fd, "0123456789", 10, 0), 10);
    CHECK_EQ(pread(fd, buffer, 4, 6), 4);
    CHECK(!memcmp(buffer, "6789", 4));
    CHECK_EQ(pread(fd, buffer, 4, 8), 2);
    CHECK_EQ(pread(fd, buffer, 4, 10), 0);
    CHECK_EQ(pread(fd, buffer, 4, 1000000), 0);
    CHECK_EQ(pwrite(fd, "end", 3, 20), 3); /* leaves a hole of zeros */
    CHECK_EQ(pread(fd, buffer, 16, 8), 15);
    CHECK(!memcmp(buffer, "89\0\0\0\0\0\0\0\0\0\0end", 15));
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3); /* never moved */
}

static void test_vector_positions(void)
{
    char a[3], b[3];
    struct iovec in[2] = {{a, 3}, {b, 3}};
    char x[] = "xyz", y[] = "uvw";
    struct iovec out[2] = {{x, 3}, {y, 3}};

    CHECK_EQ(pwritev(fd, out, 2, 2), 6);
    CHECK_EQ(preadv(fd, in, 2, 1), 6);
    CHECK(!memcmp(a, "1xy", 3) && !memcmp(b, "zuv", 3));
    CHECK_ERR(preadv(fd, in, 2, -1), EINVAL);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
}

static void test_flags(void)
{
    char a[3], x[] = "PQR";
    struct iovec in = {a, 3}, out = {x, 3};

    /* A position of -1 means the file's own; the fifth argument is its high
     * half and unused on 64 bits. */
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(syscall(SYS_pwritev2, fd, &out, 1, -1l, 0l, 0), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
    CHECK_EQ(syscall(SYS_preadv2, fd, &in, 1, 0l, 0l, 0), 3);
    CHECK(!memcmp(a, "PQR", 3));
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
    CHECK_EQ(syscall(SYS_preadv2, fd, &in, 1, -1l, 0l, 0), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
    CHECK_ERR(syscall(SYS_preadv2, fd, &in, 1, 0l, 0l, 0x4000000), EOPNOTSUPP);
    /* RWF_APPEND is 0x10. */
    off_t end = lseek(fd, 0, SEEK_END);
    CHECK_EQ(syscall(SYS_pwritev2, fd, &out, 1, 0l, 0l, 0x10), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_END), end + 3);
}

/* RWF_APPEND and RWF_NOAPPEND (0x20). */
static void test_append(void)
{
    char x[] = "PQR", a[3];
    struct iovec out = {x, 3}, in = {a, 3};
    int append = open("append", O_RDWR | O_CREAT | O_APPEND, 0600);

    CHECK_EQ(write(append, "0123456789", 10), 10);
    CHECK_EQ(syscall(SYS_pwritev2, append, &out, 1, 2l, 0l, 0x20), 3);
    CHECK_EQ(lseek(append, 0, SEEK_END), 10);
    CHECK_EQ(pread(append, a, 3, 2), 3);
    CHECK(!memcmp(a, "PQR", 3));
    CHECK_ERR(syscall(SYS_pwritev2, append, &out, 1, 2l, 0l, 0x30), EINVAL);
    CHECK_EQ(syscall(SYS_preadv2, append, &in, 1, 0l, 0l, 0x10), 3);
    CHECK(!memcmp(a, "01P", 3));
    CHECK_EQ(fcntl(append, F_GETFL) & O_APPEND, O_APPEND);
    /* An open file is looked for before the flags are looked at. */
    CHECK_ERR(syscall(SYS_pwritev2, -1, &out, 1, 0l, 0l, 0x4000000), EBADF);
    close(append);
}

static int pipes[2];

static void *drain(void *full)
{
    char buffer[4096];

    check_sleep_ms(20);
    *(int *)full = fcntl(pipes[1], F_GETFL);
    for (ssize_t left = 65536 + 3; left > 0;) {
        ssize_t got = read(pipes[0], buffer, sizeof(buffer));
        CHECK(got > 0);
        left -= got;
    }
    return NULL;
}

/* A pipe has no end to go to: the flag says nothing there, and is not the
 * open file's while the call waits. */
static void test_append_pipe(void)
{
    static char data[65536];
    char x[] = "PQR", a[3];
    struct iovec out = {x, 3}, in = {a, 3};
    pthread_t thread;
    int flags_meanwhile;

    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(syscall(SYS_pwritev2, pipes[1], &out, 1, -1l, 0l, 0x10), 3);
    CHECK_ERR(syscall(SYS_pwritev2, pipes[1], &out, 1, 0l, 0l, 0x10), ESPIPE);
    CHECK_ERR(syscall(SYS_pwritev2, pipes[0], &out, 1, -1l, 0l, 0x10), EBADF);
    CHECK_EQ(syscall(SYS_preadv2, pipes[0], &in, 1, -1l, 0l, 0x10), 3);
    CHECK(!memcmp(a, "PQR", 3));
    CHECK_EQ(fcntl(pipes[1], F_GETFL) & O_APPEND, 0);
    CHECK_EQ(write(pipes[1], data, sizeof(data)), sizeof(data));
    CHECK_EQ(pthread_create(&thread, NULL, drain, &flags_meanwhile), 0);
    CHECK_EQ(syscall(SYS_pwritev2, pipes[1], &out, 1, -1l, 0l, 0x10), 3);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(flags_meanwhile & O_APPEND, 0);
    CHECK_EQ(fcntl(pipes[1], F_GETFL) & O_APPEND, 0);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    check_scratch();
    fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    test_readv_writev();
    test_errors();
    test_positions();
    test_vector_positions();
    test_flags();
    test_append();
    test_append_pipe();
    return 0;
}
