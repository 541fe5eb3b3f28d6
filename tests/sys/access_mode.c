/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Permissions: asking for them, setting them, the mask for new files.
 *
 * Covers: access faccessat faccessat2 chmod fchmod fchmodat umask
 */
#include "check.h"

static mode_t mode_of(const char *path)
{
    struct stat st;

    CHECK_EQ(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_access(void)
{
    CHECK_EQ(access("file", F_OK), 0);
    CHECK_EQ(access("file", R_OK | W_OK), 0);
    CHECK_ERR(access("file", X_OK), EACCES); /* not even for root */
    CHECK_EQ(access(".", X_OK), 0);
    CHECK_ERR(access("missing", F_OK), ENOENT);
    CHECK_ERR(access("file/x", F_OK), ENOTDIR);
    CHECK_ERR(access("file", 0x77), EINVAL);
    CHECK_ERR(access(check_bad_pointer(), F_OK), EFAULT);
    CHECK_EQ(symlink("missing", "dangling"), 0);
    CHECK_ERR(access("dangling", F_OK), ENOENT);
    CHECK_EQ(syscall(SYS_access, "file", F_OK), 0);
}

static void test_at(void)
{
    int dir = open(".", O_RDONLY | O_DIRECTORY);

    CHECK_EQ(syscall(SYS_faccessat, dir, "file", R_OK), 0);
    CHECK_ERR(syscall(SYS_faccessat, dir, "missing", R_OK), ENOENT);
    CHECK_ERR(syscall(SYS_faccessat, -1, "file", R_OK), EBADF);
    if (syscall(SYS_faccessat2, dir, "file", R_OK, 0) == -1) {
        CHECK_EQ(errno, ENOSYS); /* Linux before 5.8 */
    } else {
        CHECK_EQ(
            syscall(SYS_faccessat2, dir, "dangling", F_OK, AT_SYMLINK_NOFOLLOW),
            0);
        CHECK_EQ(syscall(SYS_faccessat2, dir, "file", R_OK, AT_EACCESS), 0);
        CHECK_ERR(syscall(SYS_faccessat2, dir, "file", R_OK, 0x40000000),
                  EINVAL);
    }
    CHECK_EQ(faccessat(dir, "file", W_OK, AT_EACCESS), 0);
    close(dir);
}

static void test_chmod(void)
{
    int fd = open("file", O_RDWR), dir = open(".", O_RDONLY | O_DIRECTORY);

    CHECK_EQ(chmod("file", 0751), 0);
    CHECK_EQ(mode_of("file"), 0751);
    CHECK_EQ(access("file", X_OK), 0);
    CHECK_EQ(fchmod(fd, 0604), 0);
    CHECK_EQ(mode_of("file"), 0604);
    CHECK_EQ(fchmodat(dir, "file", 01644, 0), 0);
    CHECK_EQ(mode_of("file"), 01644);
    CHECK_EQ(syscall(SYS_fchmodat, dir, "file", 0600), 0);
    CHECK_EQ(mode_of("file"), 0600);
    CHECK_EQ(mkdir("dir", 0777), 0);
    CHECK_EQ(chmod("dir", 0500), 0);
    CHECK_EQ(mode_of("dir"), 0500);
    CHECK_EQ(chmod("dir", 0700), 0);
    CHECK_ERR(chmod("missing", 0600), ENOENT);
    CHECK_ERR(chmod(check_bad_pointer(), 0600), EFAULT);
    CHECK_ERR(fchmod(-1, 0600), EBADF);
    CHECK_ERR(fchmodat(-1, "file", 0600, 0), EBADF);
    close(fd);
    close(dir);
}

static void test_umask(void)
{
    mode_t old = umask(027);

    CHECK_EQ(umask(027), 027);
    int fd = open("masked", O_RDWR | O_CREAT, 0777);
    CHECK_EQ(mode_of("masked"), 0750);
    close(fd);
    CHECK_EQ(mkdir("masked_dir", 0777), 0);
    CHECK_EQ(mode_of("masked_dir"), 0750);
    CHECK_EQ(umask(01777), 027); /* only the permission bits are kept */
    CHECK_EQ(umask(old), 0777);
}

int main(void)
{
    check_scratch();
    check_file("file", "content");
    test_access();
    test_at();
    test_chmod();
    test_umask();
    return 0;
}
