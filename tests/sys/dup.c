/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies of descriptors, and closing many.
 *
 * Covers: dup dup2 dup3 close_range fcntl
 */
#include "check.h"

static void test_dup(void)
{
    int fd = open("file", O_RDWR | O_CLOEXEC);
    int copy = dup(fd);

    CHECK(copy > fd);
    CHECK_EQ(fcntl(copy, F_GETFD), 0); /* not copied */
    CHECK_EQ(lseek(copy, 3, SEEK_SET), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(lseek(copy, 0, SEEK_CUR), 3);
    close(copy);
    CHECK_ERR(dup(-1), EBADF);
    CHECK_ERR(dup(copy), EBADF);
}

static void test_dup2(void)
{
    int a = open("file", O_RDONLY), b = open("other", O_RDONLY);
    char c;

    CHECK_EQ(dup2(b, a), a); /* closes the old a */
    CHECK_EQ(read(a, &c, 1), 1);
    CHECK_EQ(c, 'o');
    CHECK_EQ(dup2(a, a), a);
    CHECK_EQ(dup2(b, 100), 100);
    CHECK_EQ(read(100, &c, 1), 1);
    CHECK_EQ(c, 't');
    close(100);
    close(b);
    CHECK_ERR(dup2(b, 101), EBADF);
    CHECK_ERR(dup2(b, b), EBADF);
    CHECK_ERR(dup2(a, -1), EBADF);
    CHECK_ERR(dup2(a, 1 << 30), EBADF);
    close(a);
}

static void test_dup3(void)
{
    int fd = open("file", O_RDONLY);

    CHECK_EQ(dup3(fd, 50, O_CLOEXEC), 50);
    CHECK_EQ(fcntl(50, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(dup3(fd, 50, 0), 50);
    CHECK_EQ(fcntl(50, F_GETFD), 0);
    CHECK_ERR(dup3(fd, fd, 0), EINVAL);
    CHECK_ERR(syscall(SYS_dup3, fd, 51, O_APPEND), EINVAL);
    CHECK_ERR(dup3(-1, 51, 0), EBADF);
    close(50);
    close(fd);
}

static void test_fcntl(void)
{
    int fd = open("file", O_RDONLY);

    CHECK_EQ(fcntl(fd, F_DUPFD, 60), 60);
    CHECK_EQ(fcntl(fd, F_DUPFD, 60), 61);
    CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 60), 62);
    CHECK_EQ(fcntl(62, F_GETFD), FD_CLOEXEC);
    CHECK_ERR(fcntl(fd, F_DUPFD, -1), EINVAL);
    CHECK_ERR(fcntl(fd, F_DUPFD, 1 << 30), EINVAL);
    CHECK_ERR(fcntl(-1, F_DUPFD, 0), EBADF);
    close(60);
    close(61);
    close(62);
    close(fd);
}

static void test_close_range(void)
{
    int fd = open("file", O_RDONLY);

    for (int i = 70; i < 76; i++)
        CHECK_EQ(dup2(fd, i), i);
    if (syscall(SYS_close_range, 71u, 73u, 0u) == -1) {
        CHECK_EQ(errno, ENOSYS); /* Linux before 5.9 */
    } else {
        CHECK(fcntl(70, F_GETFD) == 0);
        CHECK_ERR(fcntl(71, F_GETFD), EBADF);
        CHECK_ERR(fcntl(73, F_GETFD), EBADF);
        CHECK_EQ(syscall(SYS_close_range, 74u, ~0u, 4u), 0); /* CLOEXEC */
        CHECK_EQ(fcntl(75, F_GETFD), FD_CLOEXEC);
        CHECK_EQ(fcntl(70, F_GETFD), 0);
        CHECK_ERR(syscall(SYS_close_range, 5u, 4u, 0u), EINVAL);
        CHECK_ERR(syscall(SYS_close_range, 4u, 5u, 0x80u), EINVAL);
    }
    for (int i = 70; i < 76; i++)
        close(i);
    close(fd);
}

int main(void)
{
    check_close_inherited();
    check_scratch();
    check_file("file", "file");
    check_file("other", "other");
    int before = check_open_descriptors();
    test_dup();
    test_dup2();
    test_dup3();
    test_fcntl();
    test_close_range();
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
