/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Giving the space of a disk back: BLKDISCARD, BLKZEROOUT and fallocate on a
 * block device, what they leave alone, and each error. The disk is a sparse
 * file, so what was discarded reads as zeros, which not every disk would do.
 *
 * Covers: ioctl fallocate
 * skip: xen the first domain has no disks; tests/xen/t-disk has
 * disk: 8M
 */
#include "check.h"
#include <limits.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define SIZE     (8 << 20)
#define BLOCK    (64 << 10)
#define DISCARD  _IO(0x12, 119)
#define ZEROOUT  _IO(0x12, 127)
#define PROMISES _IO(0x12, 124) /* BLKDISCARDZEROES */
#define SECURE   _IO(0x12, 125)

#define KEEP_SIZE  1
#define PUNCH_HOLE 2
#define COLLAPSE   8
#define ZERO_RANGE 16

static const char *path;
static int disk;
static unsigned char expected[8 * BLOCK], got[8 * BLOCK];

/* Fills the first blocks anew. */
static void fill(unsigned seed)
{
    for (unsigned i = 0; i < sizeof(expected); i++)
        expected[i] = (unsigned char)((i * 2654435761u + seed) >> 24 | 1);
    CHECK_EQ(pwrite(disk, expected, sizeof(expected), 0), sizeof(expected));
    CHECK_EQ(fsync(disk), 0);
}

static void compare(void)
{
    /* As the device has it: Linux would have pages of its own. */
    int fd = open(path, O_RDONLY);

    CHECK(fd >= 0);
    CHECK_EQ(pread(fd, got, sizeof(got), 0), sizeof(got));
    for (unsigned i = 0; i < sizeof(got); i++)
        if (got[i] != expected[i])
            check_differs(__FILE__, __LINE__, "a byte of the disk", got[i],
                          expected[i]);
    close(fd);
}

static int range(int fd, unsigned long request, uint64_t start, uint64_t size)
{
    uint64_t numbers[2] = {start, size};

    return ioctl(fd, request, numbers);
}

static void test_discard(void)
{
    unsigned none = 7;

    fill(1);
    CHECK_EQ(range(disk, DISCARD, BLOCK, 2 * BLOCK), 0);
    memset(expected + BLOCK, 0, 2 * BLOCK);
    compare();
    CHECK_EQ(ioctl(disk, PROMISES, &none), 0);
    CHECK_EQ(none, 0);
}

static void test_zeros(void)
{
    fill(2);
    CHECK_EQ(range(disk, ZEROOUT, 512, 3 * BLOCK), 0);
    memset(expected + 512, 0, 3 * BLOCK);
    compare();
    CHECK_EQ(fallocate(disk, PUNCH_HOLE | KEEP_SIZE, 5 * BLOCK - 512, 1024), 0);
    memset(expected + 5 * BLOCK - 512, 0, 1024);
    compare();
    CHECK_EQ(fallocate(disk, ZERO_RANGE, 6 * BLOCK, 512), 0);
    memset(expected + 6 * BLOCK, 0, 512);
    CHECK_EQ(fallocate(disk, ZERO_RANGE | KEEP_SIZE, 7 * BLOCK, BLOCK), 0);
    memset(expected + 7 * BLOCK, 0, BLOCK);
    compare();
    /* To the end, and past it: all of the disk. */
    fill(3);
    CHECK_EQ(fallocate(disk, PUNCH_HOLE | KEEP_SIZE, 0, 1L << 40), 0);
    memset(expected, 0, sizeof(expected));
    compare();
    fill(4);
    CHECK_EQ(range(disk, DISCARD, 0, SIZE), 0);
    memset(expected, 0, sizeof(expected));
    compare();
}

static void test_errors(void)
{
    int reader = open(path, O_RDONLY);

    fill(5);
    CHECK(reader >= 0);
    CHECK_ERR(range(reader, DISCARD, 0, 512), EBADF);
    CHECK_ERR(range(reader, ZEROOUT, 0, 512), EBADF);
    CHECK_ERR(fallocate(reader, PUNCH_HOLE | KEEP_SIZE, 0, 512), EBADF);
    close(reader);
    for (unsigned i = 0; i < 2; i++) {
        unsigned long request = i ? ZEROOUT : DISCARD;

        CHECK_ERR(ioctl(disk, request, check_bad_pointer()), EFAULT);
        CHECK_ERR(range(disk, request, 1, 512), EINVAL);
        CHECK_ERR(range(disk, request, 0, 511), EINVAL);
        CHECK_ERR(range(disk, request, 512, 0), EINVAL);
        CHECK_ERR(range(disk, request, SIZE, 512), EINVAL);
        CHECK_ERR(range(disk, request, SIZE - 512, 1024), EINVAL);
        CHECK_ERR(range(disk, request, UINT64_MAX - 511, 1024), EINVAL);
    }
    CHECK_ERR(range(disk, SECURE, 0, 512), EOPNOTSUPP);
    CHECK_ERR(fallocate(disk, 0, 0, 512), EOPNOTSUPP);
    CHECK_ERR(fallocate(disk, KEEP_SIZE, 0, 512), EOPNOTSUPP);
    CHECK_ERR(fallocate(disk, PUNCH_HOLE, 0, 512), EOPNOTSUPP);
    CHECK_ERR(fallocate(disk, COLLAPSE, 0, 512), EOPNOTSUPP);
    CHECK_ERR(fallocate(disk, PUNCH_HOLE | KEEP_SIZE, 1, 512), EINVAL);
    CHECK_ERR(fallocate(disk, PUNCH_HOLE | KEEP_SIZE, 0, 513), EINVAL);
    CHECK_ERR(fallocate(disk, PUNCH_HOLE | KEEP_SIZE, SIZE, 512), EINVAL);
    CHECK_ERR(fallocate(disk, ZERO_RANGE, SIZE - 512, 1024), EINVAL);
    compare();
}

int main(void)
{
    path = getenv("DISK") ? getenv("DISK") : "/dev/vda";
    disk = open(path, O_RDWR);
    CHECK(disk >= 0);
    test_discard();
    test_zeros();
    test_errors();
    close(disk);
    return 0;
}
