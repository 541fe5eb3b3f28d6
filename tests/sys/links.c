/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hard links, symbolic links, loops.
 *
 * Covers: link linkat unlink unlinkat symlink symlinkat readlink readlinkat
 */
#include "check.h"

static void test_link(void)
{
    struct stat a, b;
    int dir = open(".", O_RDONLY | O_DIRECTORY);

    CHECK_EQ(link("file", "second"), 0);
    CHECK_EQ(stat("file", &a), 0);
    CHECK_EQ(stat("second", &b), 0);
    CHECK(a.st_ino == b.st_ino && a.st_nlink == 2);
    check_file("second", "changed"); /* truncates and writes the same file */
    CHECK(!strcmp(check_content("file"), "changed"));
    CHECK_EQ(unlink("file"), 0);
    CHECK_EQ(stat("second", &b), 0);
    CHECK_EQ(b.st_nlink, 1);
    CHECK_EQ(linkat(dir, "second", dir, "file", 0), 0);
    CHECK_ERR(link("file", "second"), EEXIST);
    CHECK_ERR(link("missing", "x"), ENOENT);
    CHECK_ERR(link("file", "missing/x"), ENOENT);
    CHECK_ERR(link("file/x", "x"), ENOTDIR);
    CHECK_ERR(link(".", "x"), EPERM); /* no hard links to folders */
    CHECK_ERR(link(check_bad_pointer(), "x"), EFAULT);
    CHECK_ERR(linkat(-1, "file", dir, "x", 0), EBADF);
    CHECK_ERR(linkat(dir, "file", dir, "x", 0x40000000), EINVAL);
    /* Of a symbolic link: itself, or with AT_SYMLINK_FOLLOW what it names. */
    CHECK_EQ(symlink("file", "soft"), 0);
    CHECK_EQ(linkat(dir, "soft", dir, "soft2", 0), 0);
    CHECK_EQ(lstat("soft2", &a), 0);
    CHECK(S_ISLNK(a.st_mode));
    CHECK_EQ(linkat(dir, "soft", dir, "hard", AT_SYMLINK_FOLLOW), 0);
    CHECK_EQ(lstat("hard", &a), 0);
    CHECK(S_ISREG(a.st_mode));
    close(dir);
}

static void test_unlink(void)
{
    CHECK_EQ(unlink("soft2"), 0);
    CHECK_EQ(access("file", F_OK), 0);
    CHECK_EQ(unlink("hard"), 0);
    CHECK_ERR(unlink("hard"), ENOENT);
    CHECK_ERR(unlink("file/"), ENOTDIR);
    CHECK_ERR(unlink(""), ENOENT);
    CHECK_ERR(unlink(check_bad_pointer()), EFAULT);
    CHECK_ERR(unlinkat(AT_FDCWD, "missing", 0), ENOENT);
}

static void test_readlink(void)
{
    char buffer[32] = "################";
    int dir = open(".", O_RDONLY | O_DIRECTORY);

    CHECK_EQ(symlinkat("some/where", dir, "dangling"), 0);
    CHECK_EQ(readlink("dangling", buffer, sizeof(buffer)), 10);
    CHECK(!memcmp(buffer, "some/where#", 11));    /* no terminator */
    CHECK_EQ(readlink("dangling", buffer, 4), 4); /* cut without a word */
    CHECK_EQ(readlinkat(dir, "dangling", buffer, sizeof(buffer)), 10);
    CHECK_ERR(readlink("file", buffer, sizeof(buffer)), EINVAL);
    CHECK_ERR(readlink("missing", buffer, sizeof(buffer)), ENOENT);
    CHECK_ERR(syscall(SYS_readlink, "dangling", buffer, 0), EINVAL);
    CHECK_ERR(readlink("dangling", check_bad_pointer(), 10), EFAULT);
    CHECK_ERR(readlinkat(-1, "dangling", buffer, 10), EBADF);
    CHECK_ERR(symlink("x", "dangling"), EEXIST);
    CHECK_ERR(symlink("", "empty"), ENOENT);
    CHECK_ERR(symlink("x", "missing/y"), ENOENT);
    CHECK_ERR(symlink(check_bad_pointer(), "y"), EFAULT);
    CHECK_ERR(symlinkat("x", -1, "y"), EBADF);
    CHECK_ERR(open("dangling", O_RDONLY), ENOENT);
    close(dir);
}

static void test_following(void)
{
    CHECK_EQ(mkdir("dir", 0700), 0);
    check_file("dir/inner", "inner");
    CHECK_EQ(symlink("dir", "to_dir"), 0);
    CHECK(!strcmp(check_content("to_dir/inner"), "inner"));
    CHECK_EQ(symlink("../file", "dir/up"), 0); /* relative to its folder */
    CHECK(!strcmp(check_content("to_dir/up"), "changed"));
    /* Through a dangling link a file is created where it points. */
    CHECK_EQ(symlink("dir/made", "maker"), 0);
    check_file("maker", "made");
    CHECK(!strcmp(check_content("dir/made"), "made"));
    CHECK_ERR(rmdir("to_dir"), ENOTDIR);
    char absolute[100];
    snprintf(absolute, sizeof(absolute), "%s/file", check_scratch_path);
    CHECK_EQ(symlink(absolute, "absolute"), 0);
    CHECK(!strcmp(check_content("absolute"), "changed"));
}

static void test_loops(void)
{
    char name[16], target[16];
    struct stat st;

    CHECK_EQ(symlink("loop_b", "loop_a"), 0);
    CHECK_EQ(symlink("loop_a", "loop_b"), 0);
    CHECK_ERR(open("loop_a", O_RDONLY), ELOOP);
    CHECK_ERR(stat("loop_a", &st), ELOOP);
    CHECK_ERR(stat("loop_a/x", &st), ELOOP);
    CHECK_EQ(lstat("loop_a", &st), 0);
    CHECK_EQ(symlink("self", "self"), 0);
    CHECK_ERR(chdir("self"), ELOOP);
    /* A chain of 40 is followed, one more is not. */
    check_file("chain0", "end");
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof(name), "chain%d", i);
        snprintf(target, sizeof(target), "chain%d", i - 1);
        CHECK_EQ(symlink(target, name), 0);
    }
    CHECK(!strcmp(check_content("chain40"), "end"));
    CHECK_ERR(open("chain41", O_RDONLY), ELOOP);
}

int main(void)
{
    check_scratch();
    check_file("file", "content");
    test_link();
    test_unlink();
    test_readlink();
    test_following();
    test_loops();
    return 0;
}
