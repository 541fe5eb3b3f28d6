/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Advice about files and getting them to the disk.
 *
 * Covers: fadvise64 readahead sync syncfs fsync fdatasync sync_file_range
 */
#include "check.h"

int main(void)
{
    int pipes[2];

    check_scratch();
    check_file("file", "content");
    int fd = open("file", O_RDWR);
    CHECK(fd >= 0);
    CHECK_EQ(pipe(pipes), 0);

    CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
    CHECK_EQ(posix_fadvise(fd, 0, 4096, POSIX_FADV_DONTNEED), 0);
    CHECK_EQ(posix_fadvise(fd, 0, 0, 99), EINVAL);
    CHECK_EQ(posix_fadvise(-1, 0, 0, POSIX_FADV_NORMAL), EBADF);
    CHECK_EQ(posix_fadvise(pipes[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);

    CHECK_EQ(readahead(fd, 0, 4096), 0);
    CHECK_ERR(readahead(-1, 0, 4096), EBADF);
    CHECK_ERR(readahead(pipes[0], 0, 4096), EINVAL);

    CHECK_EQ(fsync(fd), 0);
    CHECK_EQ(fdatasync(fd), 0);
    CHECK_EQ(syncfs(fd), 0);
    sync();
    CHECK_ERR(fsync(-1), EBADF);
    CHECK_ERR(fdatasync(-1), EBADF);
    CHECK_ERR(syncfs(-1), EBADF);
    CHECK_ERR(fsync(pipes[0]), EINVAL);
    CHECK_ERR(fdatasync(pipes[0]), EINVAL);

    CHECK_EQ(sync_file_range(fd, 0, 0, 0), 0);
    CHECK_ERR(sync_file_range(fd, 0, 0, 0x1000), EINVAL);
    CHECK_ERR(sync_file_range(fd, -1, 0, 0), EINVAL);
    CHECK_ERR(sync_file_range(-1, 0, 0, 0), EBADF);
    CHECK_ERR(sync_file_range(pipes[0], 0, 0, 0), ESPIPE);
    CHECK(!strcmp(check_content("file"), "content"));
    return 0;
}
