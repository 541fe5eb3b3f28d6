/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptor flags, status flags and locks.
 *
 * Covers: fcntl flock
 */
#include "check.h"
#include <sys/file.h>

#ifndef F_OFD_SETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif

static void test_flags(int fd)
{
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    CHECK_EQ(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_SETFD, 0), 0);
    CHECK_EQ(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK), 0);
    int flags = fcntl(fd, F_GETFL);
    CHECK_EQ(flags & (O_ACCMODE | O_APPEND | O_NONBLOCK),
             O_RDWR | O_APPEND | O_NONBLOCK);
    /* Access mode and creation flags do not change. */
    CHECK_EQ(fcntl(fd, F_SETFL, O_WRONLY | O_TRUNC | O_EXCL), 0);
    CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 7);
    CHECK_ERR(fcntl(-1, F_GETFD), EBADF);
    CHECK_ERR(fcntl(-1, F_GETFL), EBADF);
    CHECK_ERR(fcntl(fd, 12345, 0), EINVAL);
}

static void test_append_later(int fd)
{
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(fcntl(fd, F_SETFL, O_APPEND), 0);
    CHECK_EQ(write(fd, "!", 1), 1);
    CHECK(!strcmp(check_content("file"), "content!"));
    CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
}

/* A process never conflicts with its own record locks. */
static void test_record_locks(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 4};
    int other = open("file", O_RDWR);

    CHECK_EQ(fcntl(fd, F_SETLK, &lock), 0);
    CHECK_EQ(fcntl(fd, F_SETLKW, &lock), 0);
    CHECK_EQ(fcntl(other, F_SETLK, &lock), 0);
    lock.l_type = F_WRLCK;
    CHECK_EQ(fcntl(fd, F_GETLK, &lock), 0);
    CHECK_EQ(lock.l_type, F_UNLCK);
    lock.l_type = F_UNLCK;
    CHECK_EQ(fcntl(fd, F_SETLK, &lock), 0);
    lock.l_type = 77;
    CHECK_ERR(fcntl(fd, F_SETLK, &lock), EINVAL);
    CHECK_ERR(fcntl(fd, F_SETLK, check_bad_pointer()), EFAULT);
    CHECK_ERR(fcntl(-1, F_SETLK, &lock), EBADF);
    close(other);
}

static void test_flock(int fd)
{
    CHECK_EQ(flock(fd, LOCK_EX), 0);
    CHECK_EQ(flock(fd, LOCK_SH | LOCK_NB), 0);
    CHECK_EQ(flock(fd, LOCK_UN), 0);
    CHECK_ERR(flock(-1, LOCK_EX), EBADF);
    CHECK_ERR(flock(fd, LOCK_SH | LOCK_EX), EINVAL);
}

int main(void)
{
    check_scratch();
    check_file("file", "content");
    int fd = open("file", O_RDWR);
    CHECK(fd >= 0);
    test_flags(fd);
    test_append_later(fd);
    test_record_locks(fd);
    test_flock(fd);
    return 0;
}
