/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Owners of files. Only root may give a file away.
 *
 * Covers: chown fchown lchown fchownat
 */
#include "check.h"

static void owner(const char *path, uid_t uid, gid_t gid)
{
    struct stat st;

    CHECK_EQ(lstat(path, &st), 0);
    CHECK_EQ(st.st_uid, uid);
    CHECK_EQ(st.st_gid, gid);
}

static void test_give_away(int fd, int dir)
{
    CHECK_EQ(chown("file", 10, 20), 0);
    owner("file", 10, 20);
    CHECK_EQ(chown("file", (uid_t)-1, 21), 0); /* -1 leaves as it is */
    owner("file", 10, 21);
    CHECK_EQ(fchown(fd, 11, (gid_t)-1), 0);
    owner("file", 11, 21);
    CHECK_EQ(lchown("link", 12, 22), 0); /* the link itself */
    owner("link", 12, 22);
    owner("file", 11, 21);
    CHECK_EQ(fchownat(dir, "file", 13, 23, 0), 0);
    owner("file", 13, 23);
    CHECK_EQ(fchownat(dir, "link", 14, 24, AT_SYMLINK_NOFOLLOW), 0);
    owner("link", 14, 24);
    CHECK_EQ(fchownat(fd, "", 15, 25, AT_EMPTY_PATH), 0);
    owner("file", 15, 25);
    CHECK_EQ(chown("link", 16, 26), 0); /* what it points to */
    owner("file", 16, 26);
    /* Changing the owner takes set-user-ID away from a program. */
    CHECK_EQ(chmod("file", 04755), 0);
    CHECK_EQ(chown("file", 0, 0), 0);
    struct stat st;
    CHECK_EQ(stat("file", &st), 0);
    CHECK_EQ(st.st_mode & 07777, 0755);
}

int main(void)
{
    check_scratch();
    check_file("file", "content");
    CHECK_EQ(symlink("file", "link"), 0);
    int fd = open("file", O_RDWR), dir = open(".", O_RDONLY | O_DIRECTORY);

    CHECK_EQ(chown("file", geteuid(), getegid()), 0);
    owner("file", geteuid(), getegid());
    if (check_root())
        test_give_away(fd, dir);
    else
        CHECK_ERR(chown("file", 0, 0), EPERM);
    CHECK_ERR(chown("missing", 0, 0), ENOENT);
    CHECK_ERR(lchown("missing", 0, 0), ENOENT);
    CHECK_ERR(chown(check_bad_pointer(), 0, 0), EFAULT);
    CHECK_ERR(fchown(-1, 0, 0), EBADF);
    CHECK_ERR(fchownat(-1, "file", 0, 0, 0), EBADF);
    CHECK_ERR(fchownat(dir, "file", 0, 0, 0x40000000), EINVAL);
    return 0;
}
