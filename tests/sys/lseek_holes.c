/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Positions, holes and lengths.
 *
 * Covers: lseek truncate ftruncate fallocate
 */
#include "check.h"
#include <sys/resource.h>

#ifndef FALLOC_FL_KEEP_SIZE
#define FALLOC_FL_KEEP_SIZE  1
#define FALLOC_FL_PUNCH_HOLE 2
#endif

static int fd;

static off_t size(void)
{
    struct stat st;

    CHECK_EQ(fstat(fd, &st), 0);
    return st.st_size;
}

static void test_lseek(void)
{
    int pipes[2];
    char c;

    CHECK_EQ(write(fd, "0123456789", 10), 10);
    CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
    CHECK_EQ(lseek(fd, 2, SEEK_CUR), 6);
    CHECK_EQ(lseek(fd, -1, SEEK_END), 9);
    CHECK_EQ(read(fd, &c, 1), 1);
    CHECK_EQ(c, '9');
    CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERR(lseek(fd, -11, SEEK_END), EINVAL);
    CHECK_ERR(lseek(fd, 0, 77), EINVAL);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 10); /* an error moves nothing */
    CHECK_ERR(lseek(-1, 0, SEEK_SET), EBADF);
    CHECK_EQ(pipe(pipes), 0);
    CHECK_ERR(lseek(pipes[0], 0, SEEK_SET), ESPIPE);
    close(pipes[0]);
    close(pipes[1]);
}

static void test_hole(void)
{
    char buffer[8192];

    CHECK_EQ(lseek(fd, 1 << 20, SEEK_SET), 1 << 20); /* past the end */
    CHECK_EQ(size(), 10);
    CHECK_EQ(read(fd, buffer, 1), 0);
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_EQ(size(), (1 << 20) + 1);
    CHECK_EQ(pread(fd, buffer, sizeof(buffer), 500000), sizeof(buffer));
    for (size_t i = 0; i < sizeof(buffer); i++)
        CHECK(buffer[i] == 0);
    /* The simplest answer about holes is allowed too: that there are none
     * but the one at the end. */
    CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
    off_t hole = lseek(fd, 0, SEEK_HOLE);
    CHECK(hole > 0 && hole <= size());
    CHECK_ERR(lseek(fd, size(), SEEK_DATA), ENXIO);
}

static void test_truncate(void)
{
    char buffer[20];
    int reader = open("file", O_RDONLY);

    CHECK_EQ(ftruncate(fd, 5), 0);
    CHECK_EQ(size(), 5);
    CHECK_EQ(ftruncate(fd, 15), 0); /* what comes back is zero */
    CHECK_EQ(pread(fd, buffer, 20, 0), 15);
    CHECK(!memcmp(buffer, "01234\0\0\0\0\0\0\0\0\0\0", 15));
    CHECK_EQ(truncate("file", 3), 0);
    CHECK_EQ(size(), 3);
    CHECK_ERR(ftruncate(fd, -1), EINVAL);
    CHECK_ERR(truncate("file", -1), EINVAL);
    CHECK_ERR(truncate("missing", 0), ENOENT);
    CHECK_ERR(truncate(".", 0), EISDIR);
    CHECK_ERR(truncate(check_bad_pointer(), 0), EFAULT);
    CHECK_ERR(ftruncate(reader, 0), EINVAL);
    CHECK_ERR(ftruncate(-1, 0), EBADF);
    close(reader);
}

static void test_fallocate(void)
{
    char buffer[16];

    if (fallocate(fd, 0, 0, 100) == -1 && errno == EOPNOTSUPP)
        return; /* this file system cannot */
    CHECK_EQ(size(), 100);
    CHECK_EQ(fallocate(fd, 0, 0, 50), 0); /* never shrinks */
    CHECK_EQ(size(), 100);
    CHECK_EQ(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 9000), 0);
    CHECK_EQ(size(), 100);
    CHECK_EQ(pwrite(fd, "0123456789", 10, 0), 10);
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 4) == 0) {
        CHECK_EQ(pread(fd, buffer, 10, 0), 10);
        CHECK(!memcmp(buffer,
                      "01\0\0\0\0"
                      "6789",
                      10));
        CHECK_EQ(size(), 100);
    } else {
        CHECK_EQ(errno, EOPNOTSUPP);
    }
    CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 2, 4), EOPNOTSUPP);
    CHECK_ERR(fallocate(fd, 0, -1, 4), EINVAL);
    CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
    CHECK_ERR(fallocate(-1, 0, 0, 1), EBADF);
    CHECK_EQ(posix_fallocate(fd, 0, 200), 0);
    CHECK_EQ(size(), 200);
}

int main(void)
{
    check_scratch();
    fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    test_lseek();
    test_hole();
    test_truncate();
    test_fallocate();
    return 0;
}
