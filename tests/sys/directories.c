/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making, entering and removing folders.
 *
 * Covers: mkdir mkdirat rmdir unlinkat getcwd chdir fchdir
 */
#include "check.h"
#include <limits.h>

static void test_mkdir(void)
{
    struct stat st;
    int dir = open(".", O_RDONLY | O_DIRECTORY);

    CHECK_EQ(mkdir("a", 0750), 0);
    CHECK_EQ(stat("a", &st), 0);
    CHECK(S_ISDIR(st.st_mode));
    CHECK_EQ(st.st_mode & 0777, 0750);
    CHECK_EQ(st.st_nlink, 2);
    CHECK_EQ(mkdir("a/b/", 0700), 0); /* a final slash is fine */
    CHECK_EQ(stat("a", &st), 0);
    CHECK_EQ(st.st_nlink, 3);
    CHECK_EQ(mkdirat(dir, "a/c", 0700), 0);
    CHECK_ERR(mkdir("a", 0700), EEXIST);
    CHECK_ERR(mkdir("file", 0700), EEXIST);
    CHECK_ERR(mkdir("/", 0700), EEXIST);
    CHECK_ERR(mkdir("missing/x", 0700), ENOENT);
    CHECK_ERR(mkdir("file/x", 0700), ENOTDIR);
    CHECK_ERR(mkdir("", 0700), ENOENT);
    CHECK_ERR(mkdir(check_bad_pointer(), 0700), EFAULT);
    CHECK_ERR(mkdirat(-1, "x", 0700), EBADF);
    close(dir);
}

static void test_rmdir(void)
{
    int dir = open(".", O_RDONLY | O_DIRECTORY);

    CHECK_ERR(rmdir("a"), ENOTEMPTY);
    CHECK_ERR(rmdir("file"), ENOTDIR);
    CHECK_ERR(rmdir("missing"), ENOENT);
    CHECK_ERR(rmdir("a/b/."), EINVAL);
    CHECK_ERR(rmdir("a/b/.."), ENOTEMPTY);
    CHECK_EQ(rmdir("a/b"), 0);
    CHECK_ERR(unlink("a"), EISDIR);
    CHECK_ERR(unlinkat(dir, "a/c", 0), EISDIR);
    CHECK_EQ(unlinkat(dir, "a/c", AT_REMOVEDIR), 0);
    CHECK_ERR(unlinkat(dir, "file", AT_REMOVEDIR), ENOTDIR);
    CHECK_ERR(unlinkat(dir, "file", 0x40000000), EINVAL);
    CHECK_ERR(unlinkat(-1, "file", 0), EBADF);
    CHECK_EQ(rmdir("a"), 0);
    close(dir);
}

static void test_current(const char *root)
{
    char path[PATH_MAX], small[2];
    int top = open(".", O_RDONLY | O_DIRECTORY), file = open("file", O_RDONLY);

    CHECK(getcwd(path, sizeof(path)) && !strcmp(path, root));
    CHECK_EQ(syscall(SYS_getcwd, path, sizeof(path)), strlen(root) + 1);
    CHECK_ERR(syscall(SYS_getcwd, small, sizeof(small)), ERANGE);
    CHECK_ERR(syscall(SYS_getcwd, check_bad_pointer(), 4096), EFAULT);
    CHECK_EQ(mkdir("down", 0700), 0);
    CHECK_EQ(mkdir("down/deeper", 0700), 0);
    CHECK_EQ(chdir("down/deeper"), 0);
    CHECK(getcwd(path, sizeof(path)) != NULL);
    CHECK(!strcmp(path + strlen(root), "/down/deeper"));
    check_file("here", "x");
    CHECK_EQ(access("../../down/deeper/here", F_OK), 0);
    CHECK_EQ(chdir(".."), 0);
    CHECK_EQ(access("deeper/here", F_OK), 0);
    CHECK_EQ(fchdir(top), 0);
    CHECK(getcwd(path, sizeof(path)) && !strcmp(path, root));
    CHECK_EQ(chdir("/"), 0);
    CHECK(getcwd(path, sizeof(path)) && !strcmp(path, "/"));
    CHECK_EQ(chdir("../../.."), 0); /* above the root is the root */
    CHECK(getcwd(path, sizeof(path)) && !strcmp(path, "/"));
    CHECK_EQ(fchdir(top), 0);
    CHECK_ERR(chdir("missing"), ENOENT);
    CHECK_ERR(chdir("file"), ENOTDIR);
    CHECK_ERR(chdir(check_bad_pointer()), EFAULT);
    CHECK_ERR(fchdir(-1), EBADF);
    CHECK_ERR(fchdir(file), ENOTDIR);
    close(top);
    close(file);
}

/* The current folder may be removed; nothing can be made in it then. */
static void test_removed(void)
{
    char path[100];
    int top = open(".", O_RDONLY | O_DIRECTORY);

    CHECK_EQ(mkdir("gone", 0700), 0);
    CHECK_EQ(chdir("gone"), 0);
    CHECK_EQ(rmdir("../gone"), 0);
    CHECK_ERR(open("x", O_RDWR | O_CREAT, 0600), ENOENT);
    CHECK_ERR(mkdir("x", 0600), ENOENT);
    CHECK_ERR(syscall(SYS_getcwd, path, sizeof(path)), ENOENT);
    CHECK_EQ(fchdir(top), 0);
    close(top);
}

/* Deeper than any path is long. */
static void test_deep(void)
{
    int top = open(".", O_RDONLY | O_DIRECTORY);
    const char *name = "a_rather_long_name_for_a_folder_that_repeats";
    enum { DEPTH = 120 };

    for (int i = 0; i < DEPTH; i++) {
        CHECK_EQ(mkdir(name, 0700), 0);
        CHECK_EQ(chdir(name), 0);
    }
    check_file("bottom", "reached");
    CHECK(!strcmp(check_content("bottom"), "reached"));
    CHECK_EQ(unlink("bottom"), 0);
    for (int i = 0; i < DEPTH; i++) {
        CHECK_EQ(chdir(".."), 0);
        CHECK_EQ(rmdir(name), 0);
    }
    struct stat a, b;
    CHECK_EQ(stat(".", &a), 0);
    CHECK_EQ(fstat(top, &b), 0);
    CHECK_EQ(a.st_ino, b.st_ino);
    close(top);
}

int main(void)
{
    const char *root = check_scratch();

    check_file("file", "content");
    test_mkdir();
    test_rmdir();
    test_current(root);
    test_removed();
    test_deep();
    return 0;
}
