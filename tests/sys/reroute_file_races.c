/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of the program's own (halvm/file.h) that several threads make, append
 * to and list at once; and calls on their descriptors that fail: dup2, openat,
 * an open whose truncation fails.
 * cc: -pthread
 */
#include <dirent.h>
#include <pthread.h>

#include <halvm/file.h>

#include "check.h"

#define THREADS 4
#define ROUNDS  500

static pthread_barrier_t barrier;
static volatile int made;

static void *make_files(void *unused)
{
    char name[32];

    for (int i = 0; i < ROUNDS; i++) {
        snprintf(name, sizeof name, "/tree/made%d", i);
        pthread_barrier_wait(&barrier);
        int fd = open(name, O_CREAT | O_EXCL | O_WRONLY, 0666);
        if (fd >= 0) {
            __atomic_fetch_add(&made, 1, __ATOMIC_RELAXED);
            CHECK_EQ(close(fd), 0);
        } else {
            CHECK_EQ(errno, EEXIST);
        }
    }
    return NULL;
}

static void *append(void *unused)
{
    int fd = open("/tree/log", O_WRONLY | O_APPEND);

    CHECK(fd >= 0);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < ROUNDS; i++)
        CHECK_EQ(write(fd, "line\n", 5), 5);
    CHECK_EQ(close(fd), 0);
    return NULL;
}

static void at_once(void *(*function)(void *))
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, function, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
}

/* One of them has made each; nothing that was appended is lost; the mask is
 * what it was. */
static void many(void)
{
    struct stat found;
    mode_t mask = umask(027);

    at_once(make_files);
    CHECK_EQ(made, ROUNDS);
    CHECK_EQ(stat("/tree/made0", &found), 0);
    CHECK_EQ(found.st_mode, S_IFREG | 0640);
    CHECK_EQ(umask(mask), 027);
    int fd = open("/tree/log", O_CREAT | O_RDWR | O_APPEND, 0600);
    CHECK(fd >= 0);
    at_once(append);
    CHECK_EQ(fstat(fd, &found), 0);
    CHECK_EQ(found.st_size, THREADS * ROUNDS * 5);
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), THREADS * ROUNDS * 5 + 1);
    CHECK_EQ(close(fd), 0);
}

/* Every name is met once, though each goes when it is met. */
static void unlink_all(void)
{
    DIR *dir = opendir("/tree");
    struct dirent *entry;
    char name[300];
    int count = 0;

    CHECK(dir != NULL);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "/tree/%s", entry->d_name);
        CHECK_EQ(unlink(name), 0);
        count++;
    }
    CHECK_EQ(count, ROUNDS + 1);
    rewinddir(dir);
    for (count = 0; readdir(dir) != NULL; count++)
        ;
    CHECK_EQ(count, 2); /* itself and the one above */
    CHECK_EQ(closedir(dir), 0);
}

static void descriptors(struct halvm_tree *tree)
{
    char text[8];
    int fd;

    CHECK_EQ(halvm_tree_put(tree, "file", "text", 4, 0444), 0);
    fd = open("/tree/file", O_RDONLY);
    CHECK(fd >= 0);
    /* What was not replaced is as it was. */
    CHECK_ERR(dup2(1000, fd), EBADF);
    CHECK_EQ(read(fd, text, 8), 4);
    /* A file is no directory, ours or the system's. */
    CHECK_ERR(openat(fd, "x", O_RDONLY), ENOTDIR);
    CHECK_ERR(openat(fd, "..", O_RDONLY), ENOTDIR);
    CHECK_EQ(close(fd), 0);
}

/* -- a provider whose files cannot be cut -- */

static int opens, closes;

static int odd_stat(void *context, const char *path, struct stat *out)
{
    out->st_mode = path[0] ? S_IFREG | 0666 : S_IFDIR | 0777;
    out->st_ino = 1;
    return 0;
}

static int odd_open(void *context, const char *path, mode_t mode,
                    struct halvm_file *file)
{
    opens++;
    return 0;
}

static long odd_write(void *context, struct halvm_file *file,
                      const void *buffer, size_t size, off_t offset)
{
    return (long)size;
}

static void odd_close(void *context, struct halvm_file *file)
{
    closes++;
}

static int odd_truncate(void *context, const char *path, off_t size)
{
    return -EIO;
}

static void not_cut(void)
{
    static const struct halvm_file_provider odd = {
        .name = "odd",
        .stat = odd_stat,
        .open = odd_open,
        .write = odd_write,
        .close = odd_close,
        .truncate = odd_truncate,
    };
    long id = halvm_file_mount("/odd", &odd, NULL);

    CHECK(id > 0);
    CHECK_ERR(open("/odd/a", O_WRONLY | O_TRUNC), EIO);
    CHECK_EQ(opens, 1);
    CHECK_EQ(closes, 1);
    CHECK_EQ(halvm_file_unmount(id), 0);
}

int main(void)
{
    struct halvm_tree *tree = halvm_tree_new(NULL, HALVM_TREE_WRITABLE);
    int before = check_open_descriptors();
    long id;

    CHECK(tree != NULL);
    id = halvm_tree_mount(tree, "/tree");
    CHECK(id > 0);
    CHECK_EQ(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    many();
    unlink_all();
    descriptors(tree);
    not_cut();
    CHECK_EQ(halvm_file_unmount(id), 0);
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
