/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every program under tests/sys includes: checks that name their file
 * and line, a scratch folder, and small helpers that many tests share.
 *
 * Such a program is an ordinary Linux program. It passes on Linux first, then
 * on every base; exit status 0 is a pass, 77 a skip, anything else a failure
 * with the reason on stderr. It finishes within two seconds and talks to
 * nobody but itself.
 */
#ifndef TESTS_SYS_CHECK_H
#define TESTS_SYS_CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define CHECK_SKIPPED 77

/* The condition holds, or the test ends here. */
#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition))                                                      \
            check_failed(__FILE__, __LINE__, #condition);                      \
    } while (0)

/* Two integers are equal; on failure both are shown. */
#define CHECK_EQ(value, expected)                                              \
    do {                                                                       \
        long long check_v = (long long)(value);                                \
        long long check_e = (long long)(expected);                             \
        if (check_v != check_e)                                                \
            check_differs(__FILE__, __LINE__, #value, check_v, check_e);       \
    } while (0)

/* The call returns -1 and sets errno to the number given. */
#define CHECK_ERR(call, number)                                                \
    do {                                                                       \
        errno = 0;                                                             \
        long long check_v = (long long)(call);                                 \
        int check_n = errno;                                                   \
        if (check_v != -1 || check_n != (number))                              \
            check_no_error(__FILE__, __LINE__, #call, check_v, check_n,        \
                           (number));                                          \
    } while (0)

static inline void check_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: failed: %s (errno %d: %s)\n", file, line, what,
            errno, strerror(errno));
    _exit(1);
}

static inline void check_differs(const char *file, int line, const char *what,
                                 long long value, long long expected)
{
    fprintf(stderr, "%s:%d: %s is %lld (%#llx), expected %lld (errno %d: %s)\n",
            file, line, what, value, (unsigned long long)value, expected, errno,
            strerror(errno));
    _exit(1);
}

static inline void check_no_error(const char *file, int line, const char *what,
                                  long long value, int number, int expected)
{
    fprintf(stderr, "%s:%d: %s returned %lld, errno %d (%s)", file, line, what,
            value, number, strerror(number));
    fprintf(stderr, "; expected -1, errno %d (%s)\n", expected,
            strerror(expected));
    _exit(1);
}

/* Ends the test as one that cannot say anything here. */
static inline void check_skip(const char *reason)
{
    fprintf(stderr, "skip: %s\n", reason);
    _exit(CHECK_SKIPPED);
}

/* The unikernel has this file, Linux has not. */
static inline bool check_unikernel(void)
{
    return access("/proc/halvm", F_OK) == 0;
}

static inline bool check_root(void)
{
    return geteuid() == 0;
}

/* A pointer that no call may follow. The compiler cannot see its value, so
 * it does not warn about it. */
static inline void *check_bad_pointer(void)
{
    static void *volatile pointer = (void *)0x10;
    return pointer;
}

static inline long long check_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static inline void check_sleep_ms(int ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000l};
    while (nanosleep(&pause, &pause) == -1 && errno == EINTR)
        ;
}

/* -- a scratch folder: made on demand, entered, removed at exit -- */

static char check_scratch_path[64];

/* Removes a file, or a folder with all in it. */
static inline void check_remove_tree(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;

    if (!dir) {
        unlinkat(at, name, 0);
        return;
    }
    while ((entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            check_remove_tree(fd, entry->d_name);
    closedir(dir);
    unlinkat(at, name, AT_REMOVEDIR);
}

static inline void check_scratch_remove(void)
{
    if (check_scratch_path[0] && chdir("/") == 0)
        check_remove_tree(AT_FDCWD, check_scratch_path);
}

/* Makes a new folder under /tmp and makes it the current one. */
static inline const char *check_scratch(void)
{
    strcpy(check_scratch_path, "/tmp/halvm-test-XXXXXX");
    CHECK(mkdtemp(check_scratch_path) != NULL);
    CHECK(chdir(check_scratch_path) == 0);
    atexit(check_scratch_remove);
    return check_scratch_path;
}

/* Makes a file with this content. */
static inline void check_file(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, content, strlen(content)), strlen(content));
    CHECK_EQ(close(fd), 0);
}

/* The whole of a small file, as a string in a static buffer. */
static inline const char *check_content(const char *path)
{
    static char buffer[65536];
    int fd = open(path, O_RDONLY);
    size_t size = 0;
    CHECK(fd >= 0);
    for (;;) {
        ssize_t got = read(fd, buffer + size, sizeof(buffer) - 1 - size);
        CHECK(got >= 0);
        if (got == 0)
            break;
        size += (size_t)got;
    }
    close(fd);
    buffer[size] = 0;
    return buffer;
}

/* Whoever started the test may have left descriptors open that are in the way,
 * or the standard ones closed. For tests that choose numbers. */
static inline void check_close_inherited(void)
{
    int fd;

    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= 2)
        ;
    for (fd = 3; fd < 1024; fd++)
        close(fd);
}

/* How many descriptors are open: a test ends with as many as it began. */
static inline int check_open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

#endif
