/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is known about a file system.
 *
 * Covers: statfs fstatfs
 */
#include "check.h"
#include <sys/statvfs.h>
#include <sys/vfs.h>

int main(void)
{
    struct statfs a, b;
    struct statvfs v;

    check_scratch();
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    CHECK_EQ(statfs(".", &a), 0);
    CHECK_EQ(fstatfs(fd, &b), 0);
    CHECK_EQ(a.f_type, b.f_type);
    CHECK(a.f_bsize >= 512 && a.f_blocks > 0);
    CHECK(a.f_bfree <= a.f_blocks && a.f_bavail <= a.f_bfree);
    CHECK_EQ(a.f_namelen, 255);
    CHECK_EQ(statvfs(".", &v), 0);
    CHECK_EQ(v.f_namemax, 255);
    CHECK_ERR(statfs("missing", &a), ENOENT);
    CHECK_ERR(statfs(check_bad_pointer(), &a), EFAULT);
    CHECK_ERR(syscall(SYS_statfs, ".", check_bad_pointer()), EFAULT);
    CHECK_ERR(fstatfs(-1, &a), EBADF);

    /* A file takes room and gives it back (where nobody else writes). */
    if (check_unikernel()) {
        static char data[1 << 20];
        int file = open("big", O_RDWR | O_CREAT, 0600);
        CHECK_EQ(statfs(".", &a), 0);
        CHECK_EQ(write(file, data, sizeof(data)), sizeof(data));
        CHECK_EQ(statfs(".", &b), 0);
        CHECK(b.f_bfree * b.f_bsize + sizeof(data) <= a.f_bfree * a.f_bsize);
        close(file);
        CHECK_EQ(unlink("big"), 0);
        CHECK_EQ(statfs(".", &b), 0);
        /* What the core keeps for itself may have grown by a few pages. */
        CHECK(b.f_bfree * b.f_bsize + 65536 >= a.f_bfree * a.f_bsize);
    }
    return 0;
}
