/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is known about a file.
 *
 * Covers: stat lstat fstat newfstatat statx
 */
#include "check.h"
#include <sys/sysmacros.h>

/* musl of 2022 has no statx(): the kernel's own layout. */
struct statx_answer {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, pad;
    uint64_t inode, size, blocks, attributes_mask;
    struct {
        int64_t seconds;
        uint32_t nanoseconds, pad;
    } atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t spare[14];
};

enum { BASIC = 0x7ff };

static void test_same(void)
{
    struct stat a, b, c, d;
    int fd = open("file", O_RDONLY);

    CHECK_EQ(stat("file", &a), 0);
    CHECK_EQ(lstat("file", &b), 0);
    CHECK_EQ(fstat(fd, &c), 0);
    CHECK_EQ(fstatat(AT_FDCWD, "file", &d, 0), 0);
    CHECK(S_ISREG(a.st_mode));
    CHECK_EQ(a.st_size, 7);
    CHECK_EQ(a.st_nlink, 1);
    CHECK_EQ(a.st_uid, geteuid());
    CHECK_EQ(a.st_gid, getegid());
    CHECK(a.st_blksize >= 512);
    CHECK(a.st_ino != 0);
    CHECK(a.st_ino == b.st_ino && a.st_ino == c.st_ino && a.st_ino == d.st_ino);
    CHECK(a.st_dev == b.st_dev && a.st_dev == c.st_dev && a.st_dev == d.st_dev);
    CHECK_EQ(a.st_mtim.tv_nsec, c.st_mtim.tv_nsec);
    time_t now = time(NULL);
    CHECK(a.st_mtime >= now - 5 && a.st_mtime <= now + 1);
    close(fd);
}

static void test_kinds(void)
{
    struct stat st;
    int pipes[2];

    CHECK_EQ(symlink("file", "link"), 0);
    CHECK_EQ(stat("link", &st), 0);
    CHECK(S_ISREG(st.st_mode));
    CHECK_EQ(lstat("link", &st), 0);
    CHECK(S_ISLNK(st.st_mode));
    CHECK_EQ(st.st_size, 4);
    CHECK_EQ(fstatat(AT_FDCWD, "link", &st, AT_SYMLINK_NOFOLLOW), 0);
    CHECK(S_ISLNK(st.st_mode));
    CHECK_EQ(stat(".", &st), 0);
    CHECK(S_ISDIR(st.st_mode));
    CHECK_EQ(stat("/dev/null", &st), 0);
    CHECK(S_ISCHR(st.st_mode));
    CHECK_EQ(st.st_rdev, makedev(1, 3));
    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(fstat(pipes[0], &st), 0);
    CHECK(S_ISFIFO(st.st_mode));
    CHECK_EQ(fstatat(pipes[0], "", &st, AT_EMPTY_PATH), 0);
    CHECK(S_ISFIFO(st.st_mode));
    close(pipes[0]);
    close(pipes[1]);
}

static void test_errors(void)
{
    struct stat st;

    CHECK_ERR(stat("missing", &st), ENOENT);
    CHECK_ERR(stat("", &st), ENOENT);
    CHECK_ERR(stat("file/x", &st), ENOTDIR);
    CHECK_ERR(stat("file/", &st), ENOTDIR);
    CHECK_ERR(lstat("missing", &st), ENOENT);
    CHECK_ERR(fstat(-1, &st), EBADF);
    CHECK_ERR(fstatat(-1, "file", &st, 0), EBADF);
    CHECK_ERR(syscall(SYS_stat, check_bad_pointer(), &st), EFAULT);
    CHECK_ERR(syscall(SYS_stat, "file", check_bad_pointer()), EFAULT);
    CHECK_ERR(syscall(SYS_lstat, "file", check_bad_pointer()), EFAULT);
    CHECK_ERR(syscall(SYS_fstat, 0, check_bad_pointer()), EFAULT);
    CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, "file", &st, 0x40000000),
              EINVAL);
}

/* The calls themselves: libc may go another way for stat(). */
static void test_numbers(void)
{
    struct stat a, b;

    CHECK_EQ(syscall(SYS_stat, "file", &a), 0);
    CHECK_EQ(syscall(SYS_lstat, "file", &b), 0);
    CHECK(a.st_ino == b.st_ino && a.st_size == 7 && b.st_size == 7);
    CHECK_EQ(syscall(SYS_newfstatat, AT_FDCWD, "file", &b, 0), 0);
    CHECK(a.st_ino == b.st_ino);
}

static void test_statx(void)
{
    struct statx_answer x;
    struct stat st;

    memset(&x, 0xff, sizeof(x));
    CHECK_EQ(stat("file", &st), 0);
    CHECK_EQ(syscall(SYS_statx, AT_FDCWD, "file", 0, BASIC, &x), 0);
    CHECK_EQ(x.mask & BASIC, BASIC);
    CHECK_EQ(x.size, 7);
    CHECK_EQ(x.inode, st.st_ino);
    CHECK_EQ(x.mode, st.st_mode);
    CHECK_EQ(x.links, 1);
    CHECK_EQ(x.mtime.seconds, st.st_mtime);
    CHECK_EQ(x.mtime.nanoseconds, st.st_mtim.tv_nsec);
    CHECK_EQ(makedev(x.dev_major, x.dev_minor), st.st_dev);
    CHECK_EQ(
        syscall(SYS_statx, AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, BASIC, &x),
        0);
    CHECK(S_ISLNK(x.mode));
    int fd = open("file", O_RDONLY);
    CHECK_EQ(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, BASIC, &x), 0);
    CHECK_EQ(x.inode, st.st_ino);
    CHECK_ERR(syscall(SYS_statx, fd, "", 0, BASIC, &x), ENOENT);
    close(fd);
    CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "missing", 0, BASIC, &x), ENOENT);
    CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "file", 0x40000000, BASIC, &x),
              EINVAL);
    CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "file", 0, 0x80000000u, &x), EINVAL);
    CHECK_ERR(
        syscall(SYS_statx, AT_FDCWD, "file", 0, BASIC, check_bad_pointer()),
        EFAULT);
}

int main(void)
{
    check_scratch();
    check_file("file", "content");
    test_same();
    test_kinds();
    test_errors();
    test_numbers();
    test_statx();
    return 0;
}
