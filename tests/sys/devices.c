/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The files of /dev that programs expect.
 *
 * Covers: open read write ioctl
 */
#include "check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

static void test_null_zero_full(void)
{
    char buffer[5000];
    int fd = open("/dev/null", O_RDWR);

    CHECK(fd >= 0);
    CHECK_EQ(read(fd, buffer, 10), 0);
    CHECK_EQ(write(fd, buffer, 5000), 5000);
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
    CHECK_EQ(poll(&p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLIN | POLLOUT);
    CHECK(lseek(fd, 100, SEEK_SET) >= 0);
    close(fd);
    fd = open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    CHECK(fd >= 0);
    close(fd);

    fd = open("/dev/zero", O_RDWR);
    memset(buffer, 'x', sizeof(buffer));
    CHECK_EQ(read(fd, buffer, sizeof(buffer)), sizeof(buffer));
    for (size_t i = 0; i < sizeof(buffer); i++)
        CHECK(buffer[i] == 0);
    CHECK_EQ(write(fd, buffer, 100), 100);
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(map != MAP_FAILED && map[4095] == 0);
    map[0] = 1;
    CHECK_EQ(munmap(map, 4096), 0);
    close(fd);

    fd = open("/dev/full", O_RDWR);
    CHECK_ERR(write(fd, buffer, 1), ENOSPC);
    CHECK_EQ(read(fd, buffer, 8), 8);
    close(fd);
}

static void test_random(const char *path)
{
    unsigned char a[64], b[64];
    int fd = open(path, O_RDONLY);

    CHECK(fd >= 0);
    CHECK_EQ(read(fd, a, sizeof(a)), sizeof(a));
    CHECK_EQ(read(fd, b, sizeof(b)), sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
    close(fd);
}

/* /dev/fd/N is what descriptor N is. */
static void test_fd(void)
{
    char path[32], c;
    int p[2];

    CHECK_EQ(pipe(p), 0);
    snprintf(path, sizeof(path), "/dev/fd/%d", p[1]);
    int copy = open(path, O_WRONLY);
    CHECK(copy >= 0);
    CHECK_EQ(write(copy, "q", 1), 1);
    CHECK_EQ(read(p[0], &c, 1), 1);
    CHECK_EQ(c, 'q');
    close(copy);
    close(p[0]);
    close(p[1]);
    CHECK_ERR(open(path, O_WRONLY), ENOENT);
    CHECK_EQ(access("/dev/stdin", F_OK), 0);
    CHECK_EQ(access("/dev/stdout", F_OK), 0);
    CHECK_EQ(access("/dev/stderr", F_OK), 0);
}

static void test_listing(void)
{
    DIR *dir = opendir("/dev");
    struct dirent *entry;
    int found = 0;

    CHECK(dir != NULL);
    while ((entry = readdir(dir)))
        found += !strcmp(entry->d_name, "null") ||
                 !strcmp(entry->d_name, "zero") ||
                 !strcmp(entry->d_name, "urandom");
    closedir(dir);
    CHECK_EQ(found, 3);
}

int main(void)
{
    test_null_zero_full();
    test_random("/dev/urandom");
    test_random("/dev/random");
    test_fd();
    test_listing();
    CHECK_ERR(open("/dev/missing", O_RDONLY), ENOENT);
    return 0;
}
