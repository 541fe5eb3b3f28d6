/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copying inside the system.
 *
 * Covers: sendfile copy_file_range splice
 */
#include "check.h"
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#ifndef SPLICE_F_NONBLOCK
#define SPLICE_F_NONBLOCK 2
#endif

enum { SIZE = 100000 };
static char data[SIZE], back[SIZE];
static int in;

static void test_sendfile(void)
{
    off_t offset = 10;
    int out = open("out", O_RDWR | O_CREAT | O_TRUNC, 0600), pair[2];

    CHECK_EQ(sendfile(out, in, &offset, 1000), 1000);
    CHECK_EQ(offset, 1010);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 0); /* only the offset moved */
    CHECK_EQ(sendfile(out, in, NULL, 500), 500);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 500);
    CHECK_EQ(pread(out, back, SIZE, 0), 1500);
    CHECK(!memcmp(back, data + 10, 1000) && !memcmp(back + 1000, data, 500));
    offset = SIZE - 5;
    CHECK_EQ(sendfile(out, in, &offset, 1000), 5);
    CHECK_EQ(sendfile(out, in, &offset, 1000), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    offset = 0;
    CHECK_EQ(sendfile(pair[0], in, &offset, 3000), 3000);
    CHECK_EQ(recv(pair[1], back, 3000, MSG_WAITALL), 3000);
    CHECK(!memcmp(back, data, 3000));
    offset = -1;
    CHECK_ERR(sendfile(out, in, &offset, 10), EINVAL);
    CHECK_ERR(sendfile(-1, in, NULL, 10), EBADF);
    CHECK_ERR(sendfile(out, -1, NULL, 10), EBADF);
    CHECK_ERR(sendfile(in, in, NULL, 10), EBADF); /* not open for writing */
    CHECK_ERR(sendfile(out, in, check_bad_pointer(), 10), EFAULT);
    close(pair[0]);
    close(pair[1]);
    close(out);
}

static void test_copy_file_range(void)
{
    off_t from = 100, to = 50;
    int out = open("copy", O_RDWR | O_CREAT, 0600), pipes[2];

    CHECK_EQ(syscall(SYS_copy_file_range, in, &from, out, &to, 5000ul, 0u),
             5000);
    CHECK(from == 5100 && to == 5050);
    CHECK_EQ(pread(out, back, 5000, 50), 5000);
    CHECK(!memcmp(back, data + 100, 5000));
    CHECK_EQ(lseek(in, 0, SEEK_SET), 0);
    CHECK_EQ(syscall(SYS_copy_file_range, in, NULL, out, NULL, 10ul, 0u), 10);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 10);
    CHECK_EQ(lseek(out, 0, SEEK_CUR), 10);
    from = SIZE;
    CHECK_EQ(syscall(SYS_copy_file_range, in, &from, out, &to, 10ul, 0u), 0);
    CHECK_ERR(syscall(SYS_copy_file_range, in, NULL, out, NULL, 10ul, 1u),
              EINVAL);
    CHECK_ERR(syscall(SYS_copy_file_range, -1, NULL, out, NULL, 10ul, 0u),
              EBADF);
    CHECK_ERR(syscall(SYS_copy_file_range, in, NULL, in, NULL, 10ul, 0u),
              EBADF);
    CHECK_EQ(pipe(pipes), 0);
    CHECK_ERR(syscall(SYS_copy_file_range, in, NULL, pipes[1], NULL, 9ul, 0u),
              EINVAL);
    close(pipes[0]);
    close(pipes[1]);
    close(out);
}

static void test_splice(void)
{
    int pipes[2], more[2], out = open("spliced", O_RDWR | O_CREAT, 0600);
    off_t offset = 7;

    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(pipe(more), 0);
    /* file -> pipe -> pipe -> file */
    CHECK_EQ(splice(in, &offset, pipes[1], NULL, 2000, 0), 2000);
    CHECK_EQ(offset, 2007);
    CHECK_EQ(splice(pipes[0], NULL, more[1], NULL, 2000, 0), 2000);
    offset = 3;
    CHECK_EQ(splice(more[0], NULL, out, &offset, 5000, 0), 2000);
    CHECK_EQ(pread(out, back, 2000, 3), 2000);
    CHECK(!memcmp(back, data + 7, 2000));
    CHECK_ERR(splice(pipes[0], NULL, out, NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_ERR(splice(in, NULL, out, NULL, 10, 0), EINVAL); /* no pipe */
    CHECK_ERR(splice(pipes[0], &offset, out, NULL, 10, 0), ESPIPE);
    CHECK_ERR(splice(-1, NULL, pipes[1], NULL, 10, 0), EBADF);
    CHECK_ERR(splice(in, NULL, pipes[1], NULL, 10, 0x80), EINVAL);
    close(pipes[1]);
    CHECK_EQ(splice(pipes[0], NULL, out, NULL, 10, 0), 0); /* the end */
    close(pipes[0]);
    close(more[0]);
    close(more[1]);
    close(out);
}

int main(void)
{
    check_scratch();
    for (int i = 0; i < SIZE; i++)
        data[i] = (char)(i * 7 + i / 251);
    in = open("in", O_RDWR | O_CREAT, 0600);
    CHECK_EQ(write(in, data, SIZE), SIZE);
    close(in);
    in = open("in", O_RDONLY);
    test_sendfile();
    test_copy_file_range();
    test_splice();
    return 0;
}
