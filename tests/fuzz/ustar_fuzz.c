/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * core/file/ustar.c over hostile archives. Random bytes have no good
 * checksum, so that of each header where the input has one is made good
 * first; every member's pieces must lie in the archive.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/file/ustar.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(const char *archive, size_t size, const char *at,
                   size_t length)
{
    uintptr_t start = (uintptr_t)archive, from = (uintptr_t)at;
    if (length == 0)
        return;
    if (from < start || length > size || from - start > size - length)
        abort();
}

/* Every block that is marked as a header (its checksum field begins with
 * '#') gets the sum it should have. */
static void make_good(char *archive, size_t size)
{
    for (size_t at = 0; at + BLOCK <= size; at += BLOCK) {
        char *header = archive + at;
        unsigned sum = 8 * ' ';
        if (header[offsetof(struct header, checksum)] != '#')
            continue;
        for (size_t i = 0; i < BLOCK; i++) {
            if (i < 148 || i >= 156)
                sum += (uint8_t)header[i];
        }
        for (int i = 6; i-- > 0; sum >>= 3)
            header[148 + i] = (char)('0' + (sum & 7));
        header[154] = '\0';
        header[155] = ' ';
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *archive = malloc(size ? size : 1);
    struct ustar_member member;

    memcpy(archive, data, size);
    make_good(archive, size);
    struct ustar reader = {.archive = archive, .size = size};
    int result;
    while ((result = ustar_next(&reader, &member)) > 0) {
        inside(archive, size, member.prefix.at, member.prefix.size);
        inside(archive, size, member.name.at, member.name.size);
        inside(archive, size, member.link.at, member.link.size);
        inside(archive, size, member.data, member.size);
        if (member.type < '0' || member.type > '6')
            abort();
    }
    if (result < 0 && !reader.error)
        abort();
    free(archive);
    return 0;
}
