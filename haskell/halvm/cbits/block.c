/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Disks for System.HaLVM.Block: a block device or a file, whole sectors.
 * Results as the kernel's: >= 0 or -errno.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512
/* linux/fs.h */
#define GET_BYTES     0x80081272ul
#define GET_READ_ONLY 0x125e

/* A descriptor; the sectors, and whether it cannot be written. */
int hs_block_open(const char *path, uint64_t *sectors, int *read_only)
{
    struct stat found;
    uint64_t bytes = 0;
    int fd = open(path, O_RDWR | O_CLOEXEC), result = 0;

    *read_only = 0;
    if (fd < 0 && (errno == EACCES || errno == EROFS || errno == EPERM)) {
        fd = open(path, O_RDONLY | O_CLOEXEC);
        *read_only = 1;
    }
    if (fd < 0)
        return -errno;
    if (fstat(fd, &found) < 0)
        result = -errno;
    else if (S_ISREG(found.st_mode))
        bytes = (uint64_t)found.st_size;
    else if (!S_ISBLK(found.st_mode))
        result = -ENOTBLK;
    else if (ioctl(fd, GET_BYTES, &bytes) < 0)
        result = -errno;
    if (result == 0 && S_ISBLK(found.st_mode)) {
        int flag = 0;
        if (ioctl(fd, GET_READ_ONLY, &flag) == 0 && flag)
            *read_only = 1;
    }
    if (result < 0) {
        close(fd);
        return result;
    }
    *sectors = bytes / SECTOR;
    return fd;
}

/* All of it: 0; -EIO if the disk ends before. */
int hs_block_read(int fd, uint8_t *data, uint64_t sector, uint64_t count)
{
    size_t left = (size_t)count * SECTOR;
    off_t at = (off_t)(sector * SECTOR);

    while (left > 0) {
        ssize_t got = pread(fd, data, left, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        data += got;
        at += got;
        left -= (size_t)got;
    }
    return 0;
}

int hs_block_write(int fd, const uint8_t *data, uint64_t sector, uint64_t count)
{
    size_t left = (size_t)count * SECTOR;
    off_t at = (off_t)(sector * SECTOR);

    while (left > 0) {
        ssize_t put = pwrite(fd, data, left, at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put < 0 ? -errno : -EIO;
        data += put;
        at += put;
        left -= (size_t)put;
    }
    return 0;
}

int hs_block_flush(int fd)
{
    return fsync(fd) < 0 ? -errno : 0;
}
