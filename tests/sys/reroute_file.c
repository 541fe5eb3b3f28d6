/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of the program's own under a path (halvm/file.h): a tree of contents,
 * one that others write, files that a service thread answers, and a provider in
 * C; through open, stat, read, readdir, rename, poll and stdio.
 * cc: -pthread
 */
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <halvm/file.h>
#include <halvm/reroute.h>

#include "check.h"

static struct halvm_service *service;
static volatile bool stop, stall;
static volatile int changes[5];
static char written[64];

/* What is asked for: "now" its path, "slow" in two parts, "fail" an error. */
static void answer(const struct halvm_event *event)
{
    char path[64];

    memcpy(path, event->data, event->size);
    path[event->size] = '\0';
    if ((event->number[0] & O_ACCMODE) == O_WRONLY)
        return;
    if (strcmp(path, "served/slow") == 0) {
        CHECK_EQ(halvm_file_answer(service, event->id, "first ", 6, 0), 0);
        check_sleep_ms(50);
        CHECK_EQ(halvm_file_answer(service, event->id, "second", 6, 1), 0);
        CHECK_EQ(halvm_file_answer(service, event->id, "x", 1, 1), -ESRCH);
    } else if (strcmp(path, "served/fail") == 0) {
        CHECK_EQ(halvm_file_fail(service, event->id, ENODATA), 0);
    } else if (strcmp(path, "served/never") != 0) {
        CHECK_EQ(halvm_file_answer(service, event->id, path, event->size, 1),
                 0);
    }
}

static void *serve(void *unused)
{
    struct halvm_event *event;

    while (!stop) {
        poll(&(struct pollfd){halvm_service_fd(service), POLLIN, 0}, 1, 20);
        while (stall && !stop)
            check_sleep_ms(5);
        while ((event = halvm_service_take(service)) != NULL) {
            if (event->kind == HALVM_FILE_OPEN)
                answer(event);
            if (event->kind == HALVM_FILE_WRITE) {
                CHECK(event->number[0] + event->size < sizeof written);
                memcpy(written + event->number[0], event->data, event->size);
            }
            if (event->kind == HALVM_FILE_CHANGE)
                changes[event->number[0]]++;
            halvm_event_free(event);
        }
    }
    return NULL;
}

static void contents(struct halvm_tree *tree)
{
    char buffer[64];
    struct stat found, other;
    struct iovec iov[2] = {{buffer, 2}, {buffer + 2, 60}};
    struct dirent *entry;
    int fd, names = 0;

    CHECK_EQ(halvm_tree_put(tree, "motd", "hello there\n", 12, 0644), 0);
    CHECK_EQ(halvm_tree_put(tree, "a/b/c", "", 0, 0444), 0);
    CHECK_EQ(halvm_tree_put(tree, "motd/x", "", 0, 0444), -ENOTDIR);
    CHECK_EQ(stat("/proc/app/motd", &found), 0);
    CHECK_EQ(found.st_size, 12);
    CHECK_EQ(found.st_mode, S_IFREG | 0444); /* the tree is read-only */
    CHECK_EQ(stat("/proc/app/a/./../a/b/c", &other), 0);
    CHECK(found.st_ino != other.st_ino);
    CHECK_ERR(stat("/proc/app/none", &found), ENOENT);
    CHECK_ERR(stat("/proc/app/motd/none", &found), ENOENT);
    CHECK_EQ(access("/proc/app/motd", R_OK), 0);
    CHECK_ERR(access("/proc/app/motd", W_OK), EACCES);
    CHECK_ERR(open("/proc/app/motd", O_RDWR), EACCES);
    CHECK_ERR(open("/proc/app/new", O_WRONLY | O_CREAT, 0644), EROFS);
    CHECK_ERR(mkdir("/proc/app/new", 0755), EROFS);
    CHECK_ERR(unlink("/proc/app/motd"), EROFS);
    CHECK(strcmp(check_content("/proc/app/motd"), "hello there\n") == 0);
    fd = open("/proc/app/motd", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    CHECK_EQ(lseek(fd, -6, SEEK_END), 6);
    CHECK_EQ(readv(fd, iov, 2), 6);
    CHECK(memcmp(buffer, "there\n", 6) == 0);
    CHECK_EQ(read(fd, buffer, 1), 0);
    CHECK_EQ(pread(fd, buffer, 5, 0), 5);
    CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERR(write(fd, "x", 1), EBADF);
    CHECK_ERR(pread(fd, check_bad_pointer(), 1, 0), EFAULT);
    CHECK_EQ(fstat(fd, &other), 0);
    CHECK_EQ(other.st_size, 12);
    CHECK(mmap(NULL, 12, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED);
    CHECK_EQ(errno, ENODEV);
    CHECK_EQ(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 0), 1);
    int other_fd = dup(fd); /* one position for both */
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(read(other_fd, buffer, 5), 5);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(read(other_fd, buffer, 1), 1);
    CHECK_EQ(close(other_fd), 0);
    DIR *dir = opendir("/proc/app");
    CHECK(dir != NULL);
    while ((entry = readdir(dir)))
        names += strcmp(entry->d_name, "motd") == 0 ||
                 (strcmp(entry->d_name, "a") == 0 && entry->d_type == DT_DIR);
    CHECK_EQ(names, 2);
    fd = openat(dirfd(dir), "a/b/c", O_RDONLY);
    CHECK(fd >= 0);
    CHECK_EQ(close(fd), 0);
    /* Out of it again. */
    fd = openat(dirfd(dir), "../../dev/null", O_RDONLY);
    CHECK(fd >= 0);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(closedir(dir), 0);
    CHECK_ERR(open("/proc/app/a", O_WRONLY), EISDIR);
    CHECK_ERR(chdir("/proc/app"), EOPNOTSUPP);
}

/* A tree that is one file, in the place of the world's. */
static void single(void)
{
    struct halvm_tree *tree = halvm_tree_new(NULL, 0);
    struct stat found;
    char buffer[16];
    long id = halvm_tree_mount(tree, "/etc/hosts");
    int fd;

    CHECK_EQ(halvm_tree_put(tree, "", "one\n", 4, 0444), 0);
    CHECK_EQ(halvm_tree_put(tree, "", "other\n", 6, 0444), 0);
    CHECK_EQ(halvm_tree_put(tree, "below", "", 0, 0444), -ENOTDIR);
    CHECK_EQ(stat("/etc/hosts", &found), 0);
    CHECK(S_ISREG(found.st_mode));
    CHECK_EQ(found.st_size, 6);
    fd = open("/etc/hosts", O_RDONLY);
    CHECK_EQ(read(fd, buffer, sizeof buffer), 6);
    CHECK_EQ(close(fd), 0);
    CHECK(open("/etc/hosts/x", O_RDONLY) < 0);
    CHECK_ERR(unlink("/etc/hosts"), EBUSY);
    CHECK_EQ(access("/etc", R_OK), 0);
    CHECK_EQ(halvm_file_unmount(id), 0);
    tree = halvm_tree_new(NULL, 0);
    CHECK_EQ(halvm_tree_put(tree, "a", "", 0, 0444), 0);
    CHECK_EQ(halvm_tree_put(tree, "", "", 0, 0444), -EISDIR);
}

static void written_by_others(struct halvm_tree *tree)
{
    char buffer[16] = "";
    struct stat found;
    FILE *file = fopen("/tree/deep/log", "w");

    CHECK(file == NULL);
    CHECK_EQ(errno, ENOENT);
    CHECK_EQ(mkdir("/tree/deep", 0755), 0);
    CHECK_ERR(mkdir("/tree/deep", 0755), EEXIST);
    file = fopen("/tree/deep/log", "w");
    CHECK(file != NULL);
    CHECK_EQ(fprintf(file, "line %d\n", 1), 7);
    CHECK_EQ(fclose(file), 0);
    file = fopen("/tree/deep/log", "a");
    CHECK_EQ(fprintf(file, "line %d\n", 2), 7);
    CHECK_EQ(fclose(file), 0);
    CHECK(strcmp(check_content("/tree/deep/log"), "line 1\nline 2\n") == 0);
    CHECK_EQ(halvm_tree_get(tree, "deep/log", buffer, 6, 7), 6);
    CHECK(memcmp(buffer, "line 2", 6) == 0);
    CHECK_EQ(truncate("/tree/deep/log", 4), 0);
    CHECK_EQ(rename("/tree/deep/log", "/tree/short"), 0);
    CHECK(strcmp(check_content("/tree/short"), "line") == 0);
    CHECK_ERR(stat("/tree/deep/log", &found), ENOENT);
    CHECK_ERR(rename("/tree/short", "/tmp/short"), EXDEV);
    CHECK_ERR(link("/tree/short", "/tree/long"), EXDEV);
    CHECK_ERR(symlink("x", "/tree/link"), EOPNOTSUPP);
    CHECK_ERR(rmdir("/tree/short"), ENOTDIR);
    CHECK_ERR(unlink("/tree/deep"), EISDIR);
    CHECK_EQ(mkdir("/tree/deep/er", 0700), 0);
    CHECK_ERR(rmdir("/tree/deep"), ENOTEMPTY);
    CHECK_EQ(rmdir("/tree/deep/er"), 0);
    CHECK_EQ(rmdir("/tree/deep"), 0);
    /* A file that is removed stays for who has it open. */
    int fd = open("/tree/short", O_RDWR);
    CHECK_EQ(unlink("/tree/short"), 0);
    CHECK_EQ(pread(fd, buffer, 4, 0), 4);
    CHECK_EQ(pwrite(fd, "!", 1, 20), 1);
    CHECK_EQ(close(fd), 0);
}

static void served(struct halvm_tree *tree)
{
    char buffer[64] = "";
    int fd;

    CHECK_EQ(halvm_tree_serve(tree, "served/now", 0444), 0);
    CHECK_EQ(halvm_tree_serve(tree, "served/slow", 0444), 0);
    CHECK_EQ(halvm_tree_serve(tree, "served/fail", 0444), 0);
    CHECK_EQ(halvm_tree_serve(tree, "served/sink", 0222), 0);
    CHECK_EQ(halvm_tree_serve(tree, "served/never", 0444), 0);
    CHECK(strcmp(check_content("/tree/served/now"), "served/now") == 0);
    CHECK(strcmp(check_content("/tree/served/slow"), "first second") == 0);
    /* Without waiting: told by poll. */
    stall = true;
    check_sleep_ms(30);
    fd = open("/tree/served/now", O_RDONLY | O_NONBLOCK);
    CHECK(fd >= 0);
    CHECK_ERR(read(fd, buffer, 8), EAGAIN);
    CHECK_EQ(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 20), 0);
    stall = false;
    CHECK_EQ(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 2000), 1);
    CHECK_EQ(read(fd, buffer, 64), 10);
    CHECK_EQ(read(fd, buffer, 64), 0);
    CHECK_EQ(close(fd), 0);
    fd = open("/tree/served/fail", O_RDONLY);
    CHECK_ERR(read(fd, buffer, 8), ENODATA);
    CHECK_EQ(close(fd), 0);
    fd = open("/tree/served/sink", O_WRONLY);
    CHECK_ERR(read(fd, buffer, 8), EBADF);
    CHECK_EQ(write(fd, "abc", 3), 3);
    CHECK_EQ(write(fd, "def", 3), 3);
    CHECK_EQ(close(fd), 0);
    for (int i = 0; i < 400 && strcmp(written, "abcdef") != 0; i++)
        check_sleep_ms(5);
    CHECK(strcmp(written, "abcdef") == 0);
    /* The thread that serves would wait for itself. */
    halvm_service_owner(service, gettid());
    fd = open("/tree/served/never", O_RDONLY);
    CHECK_ERR(read(fd, buffer, 8), EAGAIN);
    halvm_service_owner(service, 0);
    CHECK_EQ(close(fd), 0);
}

/* -- a provider in C: /numbers/N holds N's decimals -- */

static int numbers_stat(void *context, const char *path, struct stat *out)
{
    if (path[0] == '\0') {
        out->st_mode = S_IFDIR | 0555;
        out->st_ino = 1;
        return 0;
    }
    if (strspn(path, "0123456789") != strlen(path))
        return -ENOENT;
    out->st_mode = S_IFREG | 0444;
    out->st_ino = (ino_t)atol(path) + 2;
    out->st_size = (off_t)strlen(path);
    return 0;
}

static int numbers_open(void *context, const char *path, mode_t mode,
                        struct halvm_file *file)
{
    ++*(int *)context;
    file->data = strdup(path);
    return file->data ? 0 : -ENOMEM;
}

static long numbers_read(void *context, struct halvm_file *file, void *buffer,
                         size_t size, off_t offset)
{
    size_t have = strlen(file->data);

    if ((size_t)offset >= have)
        return 0;
    have -= (size_t)offset;
    memcpy(buffer, (char *)file->data + offset, size < have ? size : have);
    return (long)(size < have ? size : have);
}

static void numbers_close(void *context, struct halvm_file *file)
{
    --*(int *)context;
    free(file->data);
}

static const struct halvm_file_provider numbers = {
    .name = "numbers",
    .stat = numbers_stat,
    .open = numbers_open,
    .read = numbers_read,
    .close = numbers_close,
};

static void in_c(void)
{
    int open_files = 0;
    long id;

    CHECK_EQ(halvm_file_mount("numbers", &numbers, NULL), -EINVAL);
    CHECK_EQ(halvm_file_mount("/", &numbers, NULL), -EINVAL);
    id = halvm_file_mount("/tree/numbers/", &numbers, &open_files);
    CHECK(id > 0);
    CHECK(strcmp(check_content("/tree/numbers/4711"), "4711") == 0);
    CHECK_EQ(open_files, 0);
    CHECK_ERR(open("/tree/numbers/x", O_RDONLY), ENOENT);
    CHECK_ERR(open("/tree/numbers/1", O_RDWR), EROFS);
    CHECK_ERR(open("/tree/numbers/x", O_RDWR | O_CREAT, 0600), EROFS);
    CHECK_EQ(halvm_file_unmount(id), 0);
    CHECK_EQ(halvm_file_unmount(id), -ESRCH);
    CHECK_ERR(open("/tree/numbers/1", O_RDONLY), ENOENT);
}

/* One that does not answer any more. */
static void stalled(void)
{
    char byte;
    int fd = open("/tree/served/never", O_RDONLY);

    halvm_service_patience(service, 200);
    stall = true;
    CHECK_ERR(read(fd, &byte, 1), EIO);
    CHECK_EQ(close(fd), 0);
    CHECK_ERR(open("/tree/served/now", O_RDONLY), EIO);
    stall = false;
}

int main(void)
{
    int before = check_open_descriptors();
    struct halvm_tree *tree, *other;
    long first, second;
    pthread_t thread;

    service = halvm_service_new("files");
    tree = halvm_tree_new(NULL, 0);
    other = halvm_tree_new(service, HALVM_TREE_WRITABLE);
    CHECK(service && tree && other);
    CHECK_EQ(pthread_create(&thread, NULL, serve, NULL), 0);
    first = halvm_tree_mount(tree, "/proc/app");
    second = halvm_tree_mount(other, "/tree");
    CHECK(first > 0 && second > first);
    contents(tree);
    written_by_others(other);
    served(other);
    in_c();
    single();
    CHECK_EQ(halvm_tree_remove(tree, "motd"), 0);
    CHECK_ERR(open("/proc/app/motd", O_RDONLY), ENOENT);
    for (int i = 0; i < 400 && changes[HALVM_FILE_REMOVED] < 3; i++)
        check_sleep_ms(5);
    CHECK_EQ(changes[HALVM_FILE_WRITTEN], 3);
    CHECK_EQ(changes[HALVM_FILE_MADE], 2);
    CHECK_EQ(changes[HALVM_FILE_REMOVED], 3);
    CHECK_EQ(changes[HALVM_FILE_MOVED], 1);
    stalled();
    stop = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(halvm_file_unmount(first), 0);
    CHECK_EQ(halvm_file_unmount(second), 0);
    halvm_service_end(service);
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
