/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening and closing: flags, errors, the lowest free descriptor.
 *
 * Covers: open openat creat close
 */
#include "check.h"
#include <sys/resource.h>

static void test_errors(void)
{
    char long_name[300];

    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = 0;
    CHECK_ERR(open("missing", O_RDONLY), ENOENT);
    CHECK_ERR(open("", O_RDONLY), ENOENT);
    CHECK_ERR(open(check_bad_pointer(), O_RDONLY), EFAULT);
    CHECK_ERR(open(long_name, O_RDONLY), ENAMETOOLONG);
    CHECK_ERR(open("file/x", O_RDONLY), ENOTDIR);
    CHECK_ERR(open("missing/x", O_RDWR | O_CREAT, 0600), ENOENT);
    CHECK_ERR(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERR(open("dir", O_WRONLY), EISDIR);
    CHECK_ERR(open("dir", O_RDWR | O_CREAT, 0600), EISDIR);
    CHECK_ERR(open("file", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    CHECK_ERR(openat(-7, "file", O_RDONLY), EBADF);
    CHECK_ERR(close(-1), EBADF);
    CHECK_ERR(close(999), EBADF);
}

static void test_path_max(void)
{
    char *path = malloc(5000);

    CHECK(path != NULL);
    memset(path, '/', 4999);
    path[4999] = 0;
    CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
    /* As long as may be: 4095 characters. */
    for (int i = 0; i < 4094; i += 2)
        memcpy(path + i, "./", 2);
    strcpy(path + 4088, "././dir");
    int fd = open(path, O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0);
    close(fd);
    free(path);
}

static void test_create(void)
{
    struct stat st;
    int fd = open("new", O_RDWR | O_CREAT | O_EXCL, 0640);

    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "0123456789", 10), 10);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK(S_ISREG(st.st_mode));
    CHECK_EQ(st.st_mode & 07777, 0640);
    CHECK_EQ(st.st_size, 10);
    close(fd);
    fd = open("new", O_WRONLY | O_TRUNC);
    CHECK(fd >= 0);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_size, 0);
    close(fd);
    check_file("new", "abc");
    fd = creat("new", 0600);
    CHECK(fd >= 0);
    CHECK_ERR(read(fd, &st, 1), EBADF); /* creat opens for writing only */
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_size, 0);
    close(fd);
}

static void test_relative(void)
{
    int dir = open("dir", O_RDONLY | O_DIRECTORY);
    int file = open("file", O_RDONLY);

    CHECK(dir >= 0 && file >= 0);
    int fd = openat(dir, "inner", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    close(fd);
    CHECK_EQ(access("dir/inner", F_OK), 0);
    fd = openat(dir, "../file", O_RDONLY);
    CHECK(fd >= 0);
    close(fd);
    fd = openat(AT_FDCWD, "dir//./inner", O_RDONLY);
    CHECK(fd >= 0);
    close(fd);
    CHECK_ERR(openat(file, "x", O_RDONLY), ENOTDIR);
    fd = openat(-1, "/", O_RDONLY); /* an absolute path needs no folder */
    CHECK(fd >= 0);
    close(fd);
    close(dir);
    close(file);
}

static void test_lowest(void)
{
    int a = open("file", O_RDONLY), b = open("file", O_RDONLY);
    int c = open("file", O_RDONLY);

    CHECK(a < b && b < c);
    CHECK_EQ(close(b), 0);
    CHECK_ERR(close(b), EBADF);
    CHECK_EQ(open("file", O_RDONLY), b);
    close(a);
    close(b);
    close(c);
    struct rlimit old, few;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    few = old;
    few.rlim_cur = 10;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    int last = -1, fd;
    while ((fd = open("file", O_RDONLY)) >= 0)
        last = fd;
    CHECK_EQ(errno, EMFILE);
    CHECK_EQ(last, 9);
    for (fd = a; fd <= last; fd++)
        close(fd);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void test_flags(void)
{
    int fd = open("file", O_RDONLY | O_CLOEXEC);

    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    close(fd);
    CHECK_EQ(symlink("file", "link"), 0);
    CHECK_ERR(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK_ERR(open("link", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    fd = open("file", O_WRONLY | O_APPEND | O_NONBLOCK);
    CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK),
             O_WRONLY | O_APPEND | O_NONBLOCK);
    close(fd);
    fd = open("file", O_PATH);
    char c;
    CHECK(fd >= 0);
    CHECK_ERR(read(fd, &c, 1), EBADF);
    struct stat st;
    CHECK_EQ(fstat(fd, &st), 0);
    close(fd);
}

int main(void)
{
    check_close_inherited();
    int before = check_open_descriptors();

    check_scratch();
    check_file("file", "content");
    CHECK_EQ(mkdir("dir", 0755), 0);
    test_errors();
    test_path_max();
    test_create();
    test_relative();
    test_lowest();
    test_flags();
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
