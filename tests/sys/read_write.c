/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading and writing a regular file: counts, positions, O_APPEND, errors.
 *
 * Covers: read write
 */
#include "check.h"
#include <sys/mman.h>

static void test_errors(void)
{
    char c = 'x';
    int reader = open("file", O_RDONLY);
    int writer = open("file", O_WRONLY);
    int dir = open(".", O_RDONLY);

    CHECK_ERR(read(-1, &c, 1), EBADF);
    CHECK_ERR(write(-1, &c, 1), EBADF);
    CHECK_ERR(read(writer, &c, 1), EBADF);
    CHECK_ERR(write(reader, &c, 1), EBADF);
    CHECK_ERR(read(dir, &c, 1), EISDIR);
    CHECK_ERR(read(reader, check_bad_pointer(), 1), EFAULT);
    CHECK_ERR(write(writer, check_bad_pointer(), 1), EFAULT);
    CHECK_EQ(read(reader, &c, 0), 0);
    CHECK_EQ(write(writer, &c, 0), 0);
    close(reader);
    close(writer);
    close(dir);
}

/* Raw, as the C library may have opinions of its own. */
static void test_huge_sizes(void)
{
    char c[4] = "xyz";
    int fd = open("file", O_RDWR), null = open("/dev/null", O_RDWR), ends[2];

    CHECK_EQ(pipe(ends), 0);
    CHECK_ERR(syscall(SYS_read, fd, c, -1l), EFAULT);
    CHECK_ERR(syscall(SYS_read, fd, c, 0x7fffffffffffffffl), EFAULT);
    CHECK_ERR(syscall(SYS_read, fd, c, 1l << 47), EFAULT);
    CHECK_ERR(syscall(SYS_read, fd, NULL, -1l), EFAULT);
    CHECK_ERR(syscall(SYS_pread64, fd, c, -1l, 0l), EFAULT);
    CHECK_ERR(syscall(SYS_write, fd, c, -1l), EFAULT);
    CHECK_ERR(syscall(SYS_pwrite64, fd, c, -1l, 0l), EFAULT);
    CHECK_ERR(syscall(SYS_write, ends[1], c, -1l), EFAULT);
    CHECK_ERR(syscall(SYS_write, null, c, -1l), EFAULT);
    CHECK_ERR(syscall(SYS_read, null, c, -1l), EFAULT);
    /* The descriptor is looked at first. */
    CHECK_ERR(syscall(SYS_read, -1, c, -1l), EBADF);
    CHECK_ERR(syscall(SYS_write, ends[0], c, -1l), EBADF);
    CHECK_ERR(syscall(SYS_pread64, fd, c, -1l, -1l), EINVAL);
    CHECK_ERR(syscall(SYS_pread64, ends[0], c, -1l, 0l), ESPIPE);
    /* What is long and has an address is cut. */
    CHECK_EQ(syscall(SYS_write, null, NULL, 0x7ffffffffl), 0x7ffff000);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    close(ends[0]);
    close(ends[1]);
    close(null);
    close(fd);
}

static void test_short_reads(void)
{
    char buffer[100];
    int fd = open("file", O_RDONLY);

    CHECK_EQ(read(fd, buffer, 4), 4);
    CHECK(!memcmp(buffer, "0123", 4));
    CHECK_EQ(read(fd, buffer, sizeof(buffer)), 6); /* what is left */
    CHECK(!memcmp(buffer, "456789", 6));
    CHECK_EQ(read(fd, buffer, sizeof(buffer)), 0);
    CHECK_EQ(read(fd, buffer, sizeof(buffer)), 0);
    close(fd);
}

static void test_append(void)
{
    int fd = open("append", O_RDWR | O_CREAT | O_APPEND, 0600);
    int other = open("append", O_WRONLY);

    CHECK_EQ(write(fd, "aa", 2), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(write(fd, "bb", 2), 2); /* at the end all the same */
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
    CHECK_EQ(write(other, "X", 1), 1);
    CHECK(!strcmp(check_content("append"), "Xabb"));
    CHECK_EQ(lseek(other, 0, SEEK_END), 4);
    CHECK_EQ(write(other, "cc", 2), 2);
    CHECK_EQ(write(fd, "dd", 2), 2);
    CHECK(!strcmp(check_content("append"), "Xabbccdd"));
    close(fd);
    close(other);
}

/* Two descriptors of one open() share a position, two open()s do not. */
static void test_positions(void)
{
    char c;
    int a = open("file", O_RDONLY), b = dup(a), other = open("file", O_RDONLY);

    CHECK_EQ(read(a, &c, 1), 1);
    CHECK_EQ(read(b, &c, 1), 1);
    CHECK_EQ(c, '1');
    CHECK_EQ(read(other, &c, 1), 1);
    CHECK_EQ(c, '0');
    close(a);
    close(b);
    close(other);
}

static void test_large(void)
{
    enum { SIZE = 3 << 20 };
    unsigned char *data = malloc(SIZE), *back = malloc(SIZE);
    int fd = open("large", O_RDWR | O_CREAT, 0600);

    CHECK(data && back);
    for (unsigned i = 0; i < SIZE; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 13);
    CHECK_EQ(write(fd, data, 4097), 4097);
    CHECK_EQ(write(fd, data + 4097, SIZE - 4097), SIZE - 4097);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(read(fd, back, SIZE), SIZE);
    CHECK(!memcmp(data, back, SIZE));
    /* A write over a page boundary in the middle. */
    CHECK_EQ(lseek(fd, 8190, SEEK_SET), 8190);
    CHECK_EQ(write(fd, "abcd", 4), 4);
    memcpy(data + 8190, "abcd", 4);
    CHECK_EQ(lseek(fd, 8000, SEEK_SET), 8000);
    CHECK_EQ(read(fd, back, 1000), 1000);
    CHECK(!memcmp(data + 8000, back, 1000));
    close(fd);
    CHECK_EQ(unlink("large"), 0);
    free(data);
    free(back);
}

/* What is unlinked stays readable until the last descriptor is closed. */
static void test_unlinked(void)
{
    char buffer[10];
    struct stat st;

    check_file("gone", "still here");
    int fd = open("gone", O_RDWR);
    CHECK_EQ(unlink("gone"), 0);
    CHECK_ERR(open("gone", O_RDONLY), ENOENT);
    CHECK_EQ(read(fd, buffer, 10), 10);
    CHECK(!memcmp(buffer, "still here", 10));
    CHECK_EQ(write(fd, "!", 1), 1);
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK_EQ(st.st_nlink, 0);
    CHECK_EQ(st.st_size, 11);
    close(fd);
}

/* What a write that failed has left behind the end is never seen. */
static void test_write_fault(void)
{
    char back[4096], *half = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = open("fault", O_RDWR | O_CREAT, 0600);

    CHECK(half != MAP_FAILED);
    CHECK_EQ(munmap(half + 4096, 4096), 0);
    memset(half, 'x', 4096);
    CHECK_EQ(pwrite(fd, half, 100, 0), 100);
    ssize_t done = pwrite(fd, half + 4096 - 150, 300, 50);
    CHECK(done == 150 || (done == -1 && errno == EFAULT));
    CHECK_EQ(ftruncate(fd, 4096), 0);
    CHECK_EQ(pread(fd, back, 4096, 0), 4096);
    for (int i = done < 0 ? 100 : 200; i < 4096; i++)
        CHECK_EQ(back[i], 0);
    close(fd);
    CHECK_EQ(munmap(half, 4096), 0);
}

int main(void)
{
    check_scratch();
    check_file("file", "0123456789");
    test_errors();
    test_huge_sizes();
    test_short_reads();
    test_append();
    test_positions();
    test_large();
    test_unlinked();
    test_write_fault();
    return 0;
}
