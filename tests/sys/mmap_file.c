/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files in memory.
 *
 * Covers: mmap msync munmap
 */
#include "check.h"
#include <sys/mman.h>

#define RW (PROT_READ | PROT_WRITE)

static char data[10000];
static int fd;

static void test_private(void)
{
    char *p = mmap(NULL, sizeof(data), RW, MAP_PRIVATE, fd, 0);
    char c;

    CHECK(p != MAP_FAILED);
    CHECK(!memcmp(p, data, sizeof(data)));
    CHECK(p[sizeof(data)] == 0); /* the rest of the last page is zero */
    p[5] = '!';
    CHECK_EQ(pread(fd, &c, 1, 5), 1);
    CHECK_EQ(c, data[5]); /* the file does not see it */
    CHECK_EQ(msync(p, sizeof(data), MS_SYNC), 0);
    CHECK_EQ(pread(fd, &c, 1, 5), 1);
    CHECK_EQ(c, data[5]);
    CHECK_EQ(munmap(p, sizeof(data)), 0);
}

static void test_read_only(void)
{
    char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);

    CHECK(p != MAP_FAILED);
    CHECK(!memcmp(p, data + 4096, 4096));
    int other = open("file", O_RDONLY);
    char *q = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, other, 4096);
    close(other); /* the mapping holds the file */
    CHECK(q != MAP_FAILED && !memcmp(q, data + 4096, 4096));
    CHECK_EQ(munmap(p, 4096), 0);
    CHECK_EQ(munmap(q, 4096), 0);
}

/* Written back at msync and munmap at the latest; never past the end. */
static void test_shared(void)
{
    struct stat st;
    char buffer[8];
    char *p = mmap(NULL, 12288, RW, MAP_SHARED, fd, 0);

    CHECK(p != MAP_FAILED);
    memcpy(p + 5000, "shared", 6);
    CHECK_EQ(msync(p, 12288, MS_SYNC), 0);
    CHECK_EQ(pread(fd, buffer, 6, 5000), 6);
    CHECK(!memcmp(buffer, "shared", 6));
    memcpy(p + 6000, "unmap", 5);
    p[11000] = 'x';
    CHECK_EQ(munmap(p, 12288), 0);
    CHECK_EQ(pread(fd, buffer, 5, 6000), 5);
    CHECK(!memcmp(buffer, "unmap", 5));
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_size, sizeof(data));
    memcpy(data + 5000, "shared", 6);
    memcpy(data + 6000, "unmap", 5);
}

static void refused(void *p, int number)
{
    CHECK(p == MAP_FAILED);
    CHECK_EQ(errno, number);
}

static void test_errors(void)
{
    int reader = open("file", O_RDONLY), writer = open("file", O_WRONLY);
    int p[2];

    refused(mmap(NULL, 4096, RW, MAP_SHARED, reader, 0), EACCES);
    refused(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, writer, 0), EACCES);
    refused(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, reader, 100), EINVAL);
    void *copy = mmap(NULL, 4096, RW, MAP_PRIVATE, reader, 0);
    CHECK(copy != MAP_FAILED); /* a private copy needs no right to write */
    CHECK_EQ(munmap(copy, 4096), 0);
    CHECK_EQ(pipe(p), 0);
    refused(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, p[0], 0), ENODEV);
    CHECK_ERR(msync(data + 1, 4096, MS_SYNC), EINVAL);
    CHECK_ERR(msync((void *)0x10000000000, 4096, MS_SYNC), ENOMEM);
    char *q = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, reader, 0);
    CHECK_ERR(msync(q, 4096, MS_SYNC | MS_ASYNC), EINVAL);
    CHECK_ERR(msync(q, 4096, 0x40), EINVAL);
    CHECK_EQ(munmap(q, 4096), 0);
    close(reader);
    close(writer);
    close(p[0]);
    close(p[1]);
}

static void test_anonymous_shared(void)
{
    char *p = mmap(NULL, 8192, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    p[8191] = 1;
    CHECK_EQ(msync(p, 8192, MS_ASYNC), 0);
    CHECK_EQ(munmap(p, 8192), 0);
}

int main(void)
{
    check_scratch();
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)('a' + i % 26);
    fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK_EQ(write(fd, data, sizeof(data)), sizeof(data));
    test_private();
    test_read_only();
    test_shared();
    test_errors();
    test_anonymous_shared();
    CHECK(!memcmp(check_content("file"), data, sizeof(data)));
    return 0;
}
