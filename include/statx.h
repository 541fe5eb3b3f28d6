/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What statx(2) gives: struct statx of linux/stat.h, which musl hides.
 */
#ifndef HALVM_STATX_H
#define HALVM_STATX_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct statx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t unused;
};
struct statx_answer {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, unused;
    uint64_t ino, size, blocks, attributes_mask;
    struct statx_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t more[14];
};
_Static_assert(sizeof(struct statx_answer) == 256, "linux/stat.h");

/* All that stat() gives (there: STATX_BASIC_STATS). */
#define STATX_BASIC 0x7ffu

static inline struct statx_time statx_time(const struct timespec *time)
{
    return (struct statx_time){time->tv_sec, (uint32_t)time->tv_nsec, 0};
}

static inline struct statx_answer statx_of(const struct stat *from)
{
    return (struct statx_answer){
        .mask = STATX_BASIC,
        .block_size = (uint32_t)from->st_blksize,
        .links = (uint32_t)from->st_nlink,
        .uid = from->st_uid,
        .gid = from->st_gid,
        .mode = (uint16_t)from->st_mode,
        .ino = from->st_ino,
        .size = (uint64_t)from->st_size,
        .blocks = (uint64_t)from->st_blocks,
        .atime = statx_time(&from->st_atim),
        .ctime = statx_time(&from->st_ctim),
        .mtime = statx_time(&from->st_mtim),
        .rdev_major = major(from->st_rdev),
        .rdev_minor = minor(from->st_rdev),
        .dev_major = major(from->st_dev),
        .dev_minor = minor(from->st_dev),
    };
}

#endif
