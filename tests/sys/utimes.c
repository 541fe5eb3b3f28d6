/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Times of files: set by hand, and by what happens to them.
 *
 * Covers: utime utimes futimesat utimensat
 */
#include "check.h"
#include <sys/time.h>
#include <utime.h>

static struct stat look(const char *path)
{
    struct stat st;

    CHECK_EQ(lstat(path, &st), 0);
    return st;
}

static void test_old_calls(void)
{
    struct utimbuf buf = {.actime = 1000, .modtime = 2000};
    struct timeval tv[2] = {{3000, 250000}, {4000, 500000}};
    struct stat st;

    CHECK_EQ(syscall(SYS_utime, "file", &buf), 0);
    st = look("file");
    CHECK(st.st_atime == 1000 && st.st_mtime == 2000);
    CHECK_EQ(syscall(SYS_utimes, "file", tv), 0);
    st = look("file");
    CHECK(st.st_atime == 3000 && st.st_mtime == 4000);
    CHECK_EQ(st.st_mtim.tv_nsec, 500000000);
    tv[1].tv_sec = 5000;
    CHECK_EQ(syscall(SYS_futimesat, AT_FDCWD, "file", tv), 0);
    CHECK_EQ(look("file").st_mtime, 5000);
    tv[0].tv_usec = 1000000;
    CHECK_ERR(syscall(SYS_utimes, "file", tv), EINVAL);
    CHECK_ERR(syscall(SYS_utime, "missing", &buf), ENOENT);
    CHECK_ERR(syscall(SYS_utimes, "file", check_bad_pointer()), EFAULT);
    CHECK_EQ(utime("file", NULL), 0); /* now */
    time_t now = time(NULL);
    CHECK(look("file").st_mtime >= now - 5 && look("file").st_mtime <= now + 1);
}

static void test_utimensat(void)
{
    struct timespec ts[2] = {{1, 2}, {3, 4}};
    int fd = open("file", O_RDONLY);

    CHECK_EQ(utimensat(AT_FDCWD, "file", ts, 0), 0);
    struct stat st = look("file");
    CHECK(st.st_atim.tv_sec == 1 && st.st_atim.tv_nsec == 2);
    CHECK(st.st_mtim.tv_sec == 3 && st.st_mtim.tv_nsec == 4);
    ts[0].tv_nsec = UTIME_OMIT;
    ts[1].tv_sec = 9;
    CHECK_EQ(futimens(fd, ts), 0);
    st = look("file");
    CHECK(st.st_atim.tv_sec == 1 && st.st_mtim.tv_sec == 9);
    ts[0].tv_nsec = UTIME_NOW;
    ts[1].tv_nsec = UTIME_OMIT;
    CHECK_EQ(utimensat(AT_FDCWD, "file", ts, 0), 0);
    st = look("file");
    CHECK(st.st_atim.tv_sec > 1000000 && st.st_mtim.tv_sec == 9);
    /* Of a link itself. */
    CHECK_EQ(symlink("file", "link"), 0);
    struct timespec both[2] = {{77, 0}, {88, 0}};
    CHECK_EQ(utimensat(AT_FDCWD, "link", both, AT_SYMLINK_NOFOLLOW), 0);
    CHECK_EQ(look("link").st_mtime, 88);
    CHECK_EQ(look("file").st_mtime, 9);
    ts[1].tv_nsec = 1000000000;
    CHECK_ERR(utimensat(AT_FDCWD, "file", ts, 0), EINVAL);
    CHECK_ERR(utimensat(AT_FDCWD, "missing", both, 0), ENOENT);
    CHECK_ERR(utimensat(-1, "file", both, 0), EBADF);
    CHECK_ERR(utimensat(AT_FDCWD, "file", both, 0x40000000), EINVAL);
    CHECK_ERR(syscall(SYS_utimensat, AT_FDCWD, "file", check_bad_pointer(), 0),
              EFAULT);
    close(fd);
}

static void test_by_use(void)
{
    struct timespec past[2] = {{100, 0}, {100, 0}};

    CHECK_EQ(utimensat(AT_FDCWD, "file", past, 0), 0);
    time_t changed = look("file").st_ctime;
    CHECK(changed > 1000000); /* the change time cannot be set */
    int fd = open("file", O_WRONLY | O_APPEND);
    CHECK_EQ(write(fd, "x", 1), 1);
    close(fd);
    CHECK(look("file").st_mtime > 1000000);
    /* A folder's time moves when an entry comes or goes. */
    CHECK_EQ(mkdir("dir", 0700), 0);
    CHECK_EQ(utimensat(AT_FDCWD, "dir", past, 0), 0);
    check_file("dir/x", "");
    CHECK(look("dir").st_mtime > 1000000);
    CHECK_EQ(utimensat(AT_FDCWD, "dir", past, 0), 0);
    CHECK_EQ(unlink("dir/x"), 0);
    CHECK(look("dir").st_mtime > 1000000);
    CHECK_EQ(truncate("file", 3), 0);
    CHECK(look("file").st_mtime > 1000000);
}

int main(void)
{
    check_scratch();
    check_file("file", "content");
    test_old_calls();
    test_utimensat();
    test_by_use();
    return 0;
}
