/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading a tar archive that lies in memory: POSIX ustar with pax headers,
 * and GNU tar's long names. Pure: it follows no pointer but into the archive
 * and makes no call, so that it can be tested and fuzzed by itself.
 *
 * Format: POSIX.1-2008, pax, "ustar Interchange Format"; GNU tar manual,
 * "Basic Tar Format".
 */
#ifndef HALVM_FILE_USTAR_H
#define HALVM_FILE_USTAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of the archive, not terminated. */
struct ustar_text {
    const char *at;
    size_t size;
};

struct ustar_member {
    char type; /* '0' file, '1' hard link, '2' symbolic link, '3' character
                  and '4' block device, '5' directory, '6' FIFO */
    struct ustar_text prefix; /* the path is prefix "/" name if not empty */
    struct ustar_text name;
    struct ustar_text link; /* of '1' and '2' */
    uint32_t mode, uid, gid, major, minor;
    uint64_t mtime; /* seconds since 1970 */
    const char *data;
    uint64_t size;
};

struct ustar {
    const char *archive;
    size_t size;
    size_t offset;     /* of the next header */
    const char *error; /* why ustar_next gave up */
};

/* The next member that makes something: 1, 0 at the end, -1 with error set if
 * the archive is broken at offset. */
int ustar_next(struct ustar *reader, struct ustar_member *out);

#endif
