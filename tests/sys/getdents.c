/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading folders, also while they change.
 *
 * Covers: getdents getdents64 lseek
 */
#include "check.h"

struct entry64 {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

struct entry_old { /* getdents: the type is the last byte of the record */
    unsigned long inode, offset;
    uint16_t size;
    char name[];
};

enum { FILES = 300 };

static void test_all_seen(void)
{
    static char seen[FILES];
    char name[32], buffer[600];
    int others = 0;
    long size;

    CHECK_EQ(mkdir("many", 0700), 0);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof(name), "many/entry-%d", i);
        check_file(name, "");
    }
    int fd = open("many", O_RDONLY | O_DIRECTORY);
    while ((size = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0) {
        for (long at = 0; at < size;) {
            struct entry64 *e = (struct entry64 *)(void *)(buffer + at);
            int i;
            CHECK(e->size >= 19 + strlen(e->name) + 1 && e->size % 8 == 0);
            if (sscanf(e->name, "entry-%d", &i) == 1) {
                CHECK(i >= 0 && i < FILES && !seen[i]);
                seen[i] = 1;
                CHECK_EQ(e->type, DT_REG);
            } else {
                CHECK(!strcmp(e->name, ".") || !strcmp(e->name, ".."));
                CHECK_EQ(e->type, DT_DIR);
                others++;
            }
            at += e->size;
        }
    }
    CHECK_EQ(size, 0);
    CHECK_EQ(others, 2);
    for (int i = 0; i < FILES; i++)
        CHECK(seen[i]);
    /* From the start again. */
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)) > 0);
    close(fd);
}

static void test_old(void)
{
    char buffer[4096];
    bool found = false;
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    long size = syscall(SYS_getdents, fd, buffer, sizeof(buffer));

    CHECK(size > 0);
    for (long at = 0; at < size;) {
        struct entry_old *e = (struct entry_old *)(void *)(buffer + at);
        if (!strcmp(e->name, "many")) {
            CHECK_EQ(buffer[at + e->size - 1], DT_DIR);
            found = true;
        }
        at += e->size;
    }
    CHECK(found);
    close(fd);
}

static void test_errors(void)
{
    char buffer[600];
    int dir = open(".", O_RDONLY), file = open("many/entry-0", O_RDONLY);

    CHECK_ERR(syscall(SYS_getdents64, -1, buffer, 600), EBADF);
    CHECK_ERR(syscall(SYS_getdents64, file, buffer, 600), ENOTDIR);
    CHECK_ERR(syscall(SYS_getdents64, dir, buffer, 4), EINVAL);
    CHECK_ERR(syscall(SYS_getdents64, dir, check_bad_pointer(), 600), EFAULT);
    close(dir);
    close(file);
}

/* Removing each entry as it is seen removes all of them. */
static void test_remove_while_reading(void)
{
    DIR *dir = opendir("many");
    struct dirent *entry;
    int removed = 0;

    CHECK(dir != NULL);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.') {
            CHECK_EQ(unlinkat(dirfd(dir), entry->d_name, 0), 0);
            removed++;
        }
    CHECK_EQ(removed, FILES);
    closedir(dir);
    CHECK_EQ(rmdir("many"), 0);
}

static void test_seekdir(void)
{
    check_file("one", "");
    check_file("two", "");
    check_file("three", "");
    DIR *dir = opendir(".");
    CHECK(readdir(dir) != NULL);
    long at = telldir(dir);
    char name[300];
    strcpy(name, readdir(dir)->d_name);
    while (readdir(dir))
        ;
    seekdir(dir, at);
    CHECK(!strcmp(readdir(dir)->d_name, name));
    rewinddir(dir);
    int count = 0;
    while (readdir(dir))
        count++;
    CHECK_EQ(count, 5);
    closedir(dir);
}

int main(void)
{
    check_scratch();
    test_all_seen();
    test_old();
    test_errors();
    test_remove_while_reading();
    test_seekdir();
    return 0;
}
