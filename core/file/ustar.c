/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a tar archive in memory (core/file/ustar.h). For archive.c. */
#include "core/file/ustar.h"

#include <string.h>

#define BLOCK 512u

struct header {
    char name[100];
    char mode[8];
    char uid[8];
    char gid[8];
    char size[12];
    char mtime[12];
    char checksum[8];
    char type;
    char link[100];
    char magic[6];
    char version[2];
    char user[32];
    char group[32];
    char major[8];
    char minor[8];
    char prefix[155];
    char rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

/* What extension headers said of the member that follows them. */
struct extended {
    struct ustar_text path, link;
    uint64_t size, mtime;
    bool has_size, has_mtime;
};

static int fail(struct ustar *reader, const char *why)
{
    reader->error = why;
    return -1;
}

/* An octal field, ended by a space or NUL or its size; or GNU's base 256 if
 * the first byte's highest bit is set. False if it is neither. */
static bool number(const char *field, size_t size, uint64_t *out)
{
    uint64_t value = 0;
    size_t i = 0;

    *out = 0;
    if (field[0] & 0x80) {
        value = field[0] & 0x3f;
        for (i = 1; i < size; i++) {
            if (value >> 55)
                return false;
            value = value << 8 | (uint8_t)field[i];
        }
        *out = value;
        return !(field[0] & 0x40); /* negative */
    }
    while (i < size && field[i] == ' ')
        i++;
    for (; i < size && field[i] != ' ' && field[i] != '\0'; i++) {
        if (field[i] < '0' || field[i] > '7')
            return false;
        value = value << 3 | (uint64_t)(field[i] - '0');
    }
    *out = value; /* 12 octal digits are 36 bits */
    return true;
}

/* The sum of a header's bytes with its checksum taken as spaces; old tars
 * summed signed bytes. */
static bool checksum_good(const struct header *header)
{
    const char *bytes = (const char *)header;
    const size_t from = offsetof(struct header, checksum);
    uint64_t stored;
    int64_t plain = 0, with_sign = 0;

    for (size_t i = 0; i < BLOCK; i++) {
        bool blank = i >= from && i < from + sizeof(header->checksum);
        plain += blank ? ' ' : (uint8_t)bytes[i];
        with_sign += blank ? ' ' : (signed char)bytes[i];
    }
    return number(header->checksum, sizeof(header->checksum), &stored) &&
           ((int64_t)stored == plain || (int64_t)stored == with_sign);
}

static bool is_zero(const struct header *header)
{
    const char *bytes = (const char *)header;
    for (size_t i = 0; i < BLOCK; i++) {
        if (bytes[i])
            return false;
    }
    return true;
}

static struct ustar_text text(const char *field, size_t size)
{
    struct ustar_text out = {field, strnlen(field, size)};
    return out;
}

static bool decimal(const char *at, size_t size, uint64_t *out)
{
    uint64_t value = 0;

    if (size == 0 || size > 18)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(at[i] - '0');
    }
    *out = value;
    return true;
}

static bool key_is(const char *key, size_t size, const char *name)
{
    return size == strlen(name) && memcmp(key, name, size) == 0;
}

/* One pax record's key and value. */
static bool pax_record(const char *key, size_t key_size, const char *value,
                       size_t size, struct extended *out)
{
    struct ustar_text whole = {value, size};

    if (key_is(key, key_size, "path")) {
        out->path = whole;
    } else if (key_is(key, key_size, "linkpath")) {
        out->link = whole;
    } else if (key_is(key, key_size, "size")) {
        out->has_size = true;
        return decimal(value, size, &out->size);
    } else if (key_is(key, key_size, "mtime")) {
        /* Seconds, perhaps with a fraction, perhaps before 1970. */
        const char *dot = memchr(value, '.', size);
        size_t whole_size = dot ? (size_t)(dot - value) : size;
        out->has_mtime = decimal(value, whole_size, &out->mtime);
    }
    return true;
}

/* Records of the form "LENGTH KEY=VALUE\n", LENGTH counting all of it. */
static bool pax(const char *data, size_t size, struct extended *out)
{
    while (size > 0) {
        uint64_t length;
        const char *space = memchr(data, ' ', size);
        if (!space || !decimal(data, (size_t)(space - data), &length))
            return false;
        size_t head = (size_t)(space - data) + 1;
        if (length > size || length < head + 2 || data[length - 1] != '\n')
            return false;
        const char *key = data + head;
        size_t rest = (size_t)length - head - 1;
        const char *equals = memchr(key, '=', rest);
        if (!equals)
            return false;
        size_t key_size = (size_t)(equals - key);
        if (!pax_record(key, key_size, equals + 1, rest - key_size - 1, out))
            return false;
        data += length;
        size -= (size_t)length;
    }
    return true;
}

/* An extension header: takes what it says. 1 if it was one, 0, or -1. */
static int extension(struct ustar *reader, char type, const char *data,
                     size_t size, struct extended *extended)
{
    switch (type) {
    case 'L':
        extended->path = text(data, size);
        return 1;
    case 'K':
        extended->link = text(data, size);
        return 1;
    case 'x':
        if (!pax(data, size, extended))
            return fail(reader, "a pax header that cannot be read");
        return 1;
    case 'g': /* for all that follow: nothing that matters here */
        return 1;
    default:
        return 0;
    }
}

static bool fields(const struct header *header, struct ustar_member *out)
{
    const struct {
        const char *field;
        size_t size;
        uint32_t *out;
    } numbers[] = {
        {header->mode, sizeof(header->mode), &out->mode},
        {header->uid, sizeof(header->uid), &out->uid},
        {header->gid, sizeof(header->gid), &out->gid},
        {header->major, sizeof(header->major), &out->major},
        {header->minor, sizeof(header->minor), &out->minor},
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        uint64_t value;
        /* Only ustar has device numbers; elsewhere there may be anything. */
        bool device =
            numbers[i].out == &out->major || numbers[i].out == &out->minor;
        if (!number(numbers[i].field, numbers[i].size, &value)) {
            if (!device)
                return false;
            value = 0;
        }
        *numbers[i].out = (uint32_t)value;
    }
    return number(header->mtime, sizeof(header->mtime), &out->mtime);
}

/* A member from its header and what extensions said before. */
static bool member(const struct header *header, const struct extended *extended,
                   struct ustar_member *out)
{
    memset(out, 0, sizeof(*out));
    if (!fields(header, out))
        return false;
    out->type =
        header->type == '\0' || header->type == '7' ? '0' : header->type;
    out->name = text(header->name, sizeof(header->name));
    out->link = text(header->link, sizeof(header->link));
    /* GNU's own format, "ustar  ", has other things in prefix's place. */
    if (memcmp(header->magic, "ustar", 6) == 0)
        out->prefix = text(header->prefix, sizeof(header->prefix));
    if (extended->path.size) {
        out->name = extended->path;
        out->prefix.size = 0;
    }
    if (extended->link.size)
        out->link = extended->link;
    if (extended->has_mtime)
        out->mtime = extended->mtime;
    /* Tars before POSIX marked directories by a slash alone. */
    if (out->type == '0' && out->name.size &&
        out->name.at[out->name.size - 1] == '/')
        out->type = '5';
    return true;
}

int ustar_next(struct ustar *reader, struct ustar_member *out)
{
    struct extended extended = {.size = 0};

    if (reader->error)
        return -1;
    for (;;) {
        size_t left = reader->size - reader->offset;
        if (left == 0)
            return 0;
        if (left < BLOCK)
            return fail(reader, "it ends inside a header");
        const struct header *header =
            (const void *)(reader->archive + reader->offset);
        if (is_zero(header))
            return 0;
        if (!checksum_good(header))
            return fail(reader, "a header's checksum is wrong");
        uint64_t size;
        if (!number(header->size, sizeof(header->size), &size))
            return fail(reader, "a size that is no number");
        bool extends = strchr("LKxg", header->type) && header->type;
        if (!extends && extended.has_size)
            size = extended.size;
        /* Links and directories have no data, whatever their size says. */
        if (header->type >= '1' && header->type <= '6')
            size = 0;
        const char *data = (const char *)header + BLOCK;
        left -= BLOCK;
        if (size > left)
            return fail(reader, "it ends inside a file");
        uint64_t padded = (size + BLOCK - 1) / BLOCK * BLOCK;
        size_t next =
            reader->offset + BLOCK + (size_t)(padded < left ? padded : left);
        int result =
            extension(reader, header->type, data, (size_t)size, &extended);
        if (result < 0)
            return result;
        if (result == 0) {
            if (!member(header, &extended, out))
                return fail(reader, "a field that is no number");
            out->data = data;
            out->size = out->type == '0' ? size : 0;
            reader->offset = next;
            if (out->type >= '0' && out->type <= '6')
                return 1;
            /* Of a kind that makes nothing here: on to the next. */
            memset(&extended, 0, sizeof(extended));
        }
        reader->offset = next;
    }
}
