/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Renaming: over files, over folders, and what must not be.
 *
 * Covers: rename renameat renameat2
 */
#include "check.h"

enum { NOREPLACE = 1, EXCHANGE = 2 };

static void test_files(void)
{
    struct stat before, after;

    check_file("a", "content of a");
    check_file("b", "content of b");
    CHECK_EQ(stat("a", &before), 0);
    CHECK_EQ(rename("a", "b"), 0);
    CHECK_ERR(stat("a", &after), ENOENT);
    CHECK_EQ(stat("b", &after), 0);
    CHECK_EQ(after.st_ino, before.st_ino);
    CHECK(!strcmp(check_content("b"), "content of a"));
    CHECK_EQ(rename("b", "b"), 0);
    CHECK_EQ(link("b", "c"), 0);
    CHECK_EQ(rename("b", "c"), 0); /* one file: nothing happens */
    CHECK_EQ(access("b", F_OK), 0);
    CHECK_EQ(access("c", F_OK), 0);
    CHECK_EQ(unlink("c"), 0);
}

static void test_open_target(void)
{
    char buffer[8];

    check_file("old", "old");
    check_file("new", "new");
    int fd = open("old", O_RDONLY);
    CHECK_EQ(rename("new", "old"), 0);
    CHECK_EQ(read(fd, buffer, 8), 3); /* the one that was opened */
    CHECK(!memcmp(buffer, "old", 3));
    close(fd);
    CHECK(!strcmp(check_content("old"), "new"));
}

static void test_folders(void)
{
    CHECK_EQ(mkdir("d", 0700), 0);
    CHECK_EQ(mkdir("d/sub", 0700), 0);
    CHECK_EQ(mkdir("e", 0700), 0);
    check_file("d/sub/file", "deep");
    CHECK_ERR(rename("d", "d/sub/x"), EINVAL); /* into itself */
    CHECK_ERR(rename("e", "d"), ENOTEMPTY);
    CHECK_ERR(rename("d", "b"), ENOTDIR);
    CHECK_ERR(rename("b", "d"), EISDIR);
    CHECK_EQ(rename("d", "e"), 0); /* an empty folder is replaced */
    CHECK(!strcmp(check_content("e/sub/file"), "deep"));
    CHECK_EQ(mkdir("f", 0700), 0);
    CHECK_EQ(rename("e/sub", "f/moved"), 0);
    /* Its ".." is the new parent. */
    struct stat up, f;
    CHECK_EQ(stat("f/moved/..", &up), 0);
    CHECK_EQ(stat("f", &f), 0);
    CHECK_EQ(up.st_ino, f.st_ino);
    CHECK_EQ(f.st_nlink, 3);
    CHECK_EQ(stat("e", &up), 0);
    CHECK_EQ(up.st_nlink, 2);
}

static void test_errors(void)
{
    CHECK_ERR(rename("missing", "x"), ENOENT);
    CHECK_ERR(rename("b", "missing/x"), ENOENT);
    CHECK_ERR(rename("b", "old/x"), ENOTDIR);
    CHECK_ERR(rename("b/", "x"), ENOTDIR);
    CHECK_ERR(rename("", "x"), ENOENT);
    CHECK_ERR(rename(check_bad_pointer(), "x"), EFAULT);
    CHECK_ERR(rename("b", check_bad_pointer()), EFAULT);
    CHECK_ERR(rename(".", "x"), EBUSY);
    CHECK_ERR(renameat(-1, "b", -1, "x"), EBADF);
}

static void test_symlink(void)
{
    CHECK_EQ(symlink("b", "link"), 0);
    CHECK_EQ(rename("link", "link2"), 0); /* the link, not what it names */
    CHECK_EQ(access("b", F_OK), 0);
    char target[10];
    CHECK_EQ(readlink("link2", target, sizeof(target)), 1);
}

static void test_at(void)
{
    int e = open("e", O_RDONLY | O_DIRECTORY);
    int f = open("f", O_RDONLY | O_DIRECTORY);

    check_file("e/x", "x");
    CHECK_EQ(renameat(e, "x", f, "y"), 0);
    CHECK(!strcmp(check_content("f/y"), "x"));
    check_file("e/z", "z");
    CHECK_ERR(syscall(SYS_renameat2, e, "z", f, "y", NOREPLACE), EEXIST);
    CHECK_EQ(syscall(SYS_renameat2, e, "z", f, "w", NOREPLACE), 0);
    CHECK_EQ(syscall(SYS_renameat2, f, "w", e, "z", 0), 0);
    CHECK_ERR(syscall(SYS_renameat2, e, "z", f, "y", 0x80), EINVAL);
    CHECK_ERR(syscall(SYS_renameat2, e, "z", f, "y", NOREPLACE | EXCHANGE),
              EINVAL);
    close(e);
    close(f);
}

int main(void)
{
    check_scratch();
    test_files();
    test_open_target();
    test_folders();
    test_errors();
    test_symlink();
    test_at();
    return 0;
}
