/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Paths through /proc/self/fd/N: files made in the directory behind it, and
 * what O_CREAT and a slash at the end say of other things behind it.
 *
 * Covers: open creat openat mkdir
 */
#include <sys/socket.h>

#include "check.h"

static const char *through(int fd, const char *rest)
{
    static char paths[4][64];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "/proc/self/fd/%d%s", fd, rest);
    return path;
}

static void opens(const char *path, int flags)
{
    int fd = open(path, flags, 0600);

    CHECK(fd >= 0);
    close(fd);
}

#define CREATE (O_RDWR | O_CREAT)

static void test_directory(void)
{
    int directory = open("directory", O_RDONLY);
    int path = open("directory", O_PATH);
    int gone;

    opens(through(directory, "/new"), CREATE);
    CHECK_EQ(access("directory/new", F_OK), 0);
    CHECK_ERR(open(through(directory, "/new"), CREATE | O_EXCL, 0600), EEXIST);
    opens(through(directory, "/../beside"), CREATE);
    CHECK_EQ(access("beside", F_OK), 0);
    opens(through(path, "/too"), CREATE | O_EXCL);
    CHECK_EQ(access("directory/too", F_OK), 0);
    CHECK_EQ(mkdir(through(directory, "/made/"), 0700), 0);
    CHECK_EQ(access("directory/made", F_OK), 0);
    CHECK_ERR(open(through(directory, ""), CREATE, 0600), EISDIR);
    CHECK_ERR(open(through(directory, "/"), O_RDONLY | O_CREAT, 0600), EISDIR);
    CHECK_ERR(open(through(directory, "/none/"), CREATE, 0600), EISDIR);
    CHECK_ERR(creat(through(directory, "/none/in"), 0600), ENOENT);
    CHECK_EQ(mkdir("gone", 0700), 0);
    gone = open("gone", O_RDONLY);
    CHECK_EQ(rmdir("gone"), 0);
    CHECK_ERR(open(through(gone, "/new"), CREATE, 0600), ENOENT);
    close(gone);
    close(path);
    close(directory);
}

static void test_file(void)
{
    int file = open("file", O_RDONLY),
        unlinked = open("unlinked", CREATE, 0600);

    CHECK_EQ(unlink("unlinked"), 0);
    opens(through(file, ""), CREATE);
    opens(through(unlinked, ""), CREATE);
    CHECK_ERR(access("unlinked", F_OK), ENOENT);
    CHECK_ERR(open(through(file, ""), CREATE | O_EXCL, 0600), EEXIST);
    CHECK_ERR(open(through(file, ""), CREATE | O_NOFOLLOW, 0600), ELOOP);
    CHECK_ERR(open(through(file, "/"), O_RDWR), ENOTDIR);
    CHECK_ERR(open(through(file, "/"), CREATE, 0600), EISDIR);
    CHECK_ERR(open(through(file, "/in"), CREATE, 0600), ENOTDIR);
    /* The same without a descriptor. */
    CHECK_ERR(open("file/", CREATE, 0600), EISDIR);
    CHECK_ERR(open("file/", CREATE | O_EXCL, 0600), EISDIR);
    CHECK_ERR(open("directory/", CREATE | O_EXCL, 0600), EISDIR);
    CHECK_ERR(open("file/none/", CREATE, 0600), ENOTDIR);
    CHECK_ERR(open("file/", O_RDWR), ENOTDIR);
    close(unlinked);
    close(file);
}

static void test_nameless(void)
{
    int pipes[2], ends[2];

    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    opens(through(pipes[0], ""), O_RDONLY | O_CREAT);
    CHECK_ERR(open(through(pipes[0], "/"), O_RDWR), ENOTDIR);
    CHECK_ERR(open(through(pipes[0], "/"), CREATE, 0600), EISDIR);
    CHECK_ERR(open(through(pipes[0], "/in"), CREATE, 0600), ENOTDIR);
    CHECK_ERR(open(through(ends[0], ""), O_RDWR), ENXIO);
    CHECK_ERR(open(through(ends[0], ""), CREATE, 0600), ENXIO);
    CHECK_ERR(open(through(ends[0], "/"), CREATE, 0600), EISDIR);
    for (int i = 0; i < 2; i++) {
        close(pipes[i]);
        close(ends[i]);
    }
    CHECK_ERR(open(through(900, ""), CREATE, 0600), ENOENT);
    CHECK_ERR(open(through(900, "/in"), CREATE, 0600), ENOENT);
    CHECK_ERR(open("/proc/self/fd/name", CREATE, 0600), ENOENT);
}

static void test_links(void)
{
    int directory = open("directory", O_RDONLY), file = open("file", O_RDONLY);

    CHECK_EQ(symlink(through(directory, "/linked"), "link"), 0);
    opens("link", CREATE);
    CHECK_EQ(access("directory/linked", F_OK), 0);
    CHECK_EQ(symlink(through(file, ""), "other"), 0);
    opens("other", CREATE);
    CHECK_ERR(open("other/", CREATE, 0600), EISDIR);
    CHECK_ERR(open("other/in", CREATE, 0600), ENOTDIR);
    close(directory);
    close(file);
}

int main(void)
{
    int before = check_open_descriptors();

    check_scratch();
    CHECK_EQ(mkdir("directory", 0700), 0);
    check_file("file", "x");
    test_directory();
    test_file();
    test_nameless();
    test_links();
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
