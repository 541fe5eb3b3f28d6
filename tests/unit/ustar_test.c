/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The archive reader: archives as tar makes them, written here byte by byte,
 * and archives as an enemy makes them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "check.h"
#include "core/file/ustar.h"

static char archive[64 * 512];
static size_t size;

static void octal(char *field, size_t width, uint64_t value)
{
    field[width - 1] = '\0';
    for (size_t i = width - 1; i-- > 0; value >>= 3)
        field[i] = (char)('0' + (value & 7));
}

static void checksum(char *header)
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += (uint8_t)header[i];
    octal(header + 148, 7, sum);
}

static char *add(char type, const char *name, const char *link,
                 const void *data, size_t data_size)
{
    char *header = archive + size;
    memset(header, 0, 512);
    strncpy(header, name, 100);
    octal(header + 100, 8, 0640);
    octal(header + 108, 8, 1);
    octal(header + 116, 8, 2);
    octal(header + 124, 12, data_size);
    octal(header + 136, 12, 1234567);
    header[156] = type;
    strncpy(header + 157, link, 100);
    memcpy(header + 257, "ustar\00000", 8);
    checksum(header);
    memset(header + 512, 0, (data_size + 511) / 512 * 512);
    memcpy(header + 512, data, data_size);
    size += 512 + (data_size + 511) / 512 * 512;
    return header;
}

static bool is(struct ustar_text text, const char *expected)
{
    return text.size == strlen(expected) &&
           memcmp(text.at, expected, text.size) == 0;
}

/* Reads what was added from memory of just that size, so that a byte read
 * past its end is seen. */
static struct ustar reader;
static struct ustar_member member;

static void start(void)
{
    free((void *)(uintptr_t)reader.archive);
    char *copy = malloc(size ? size : 1);
    memcpy(copy, archive, size);
    reader = (struct ustar){.archive = copy, .size = size};
    size = 0;
}

static void test_plain(void)
{
    add('5', "dir/", "", "", 0);
    add('0', "dir/file", "", "content", 7);
    add('2', "dir/link", "file", "", 0);
    add('1', "hard", "dir/file", "", 0);
    add('\0', "old", "", "x", 1);
    char *split = add('0', "name", "", "", 0);
    strcpy(split + 345, "a/long/prefix");
    checksum(split);
    memset(archive + size, 0, 1024);
    size += 1024;
    add('0', "behind the end", "", "", 0);
    start();
    CHECK(ustar_next(&reader, &member) == 1 && member.type == '5');
    CHECK(is(member.name, "dir/") && member.mode == 0640);
    CHECK(ustar_next(&reader, &member) == 1 && member.type == '0');
    CHECK(member.size == 7 && memcmp(member.data, "content", 7) == 0);
    CHECK(member.mtime == 1234567 && member.uid == 1 && member.gid == 2);
    CHECK(ustar_next(&reader, &member) == 1 && is(member.link, "file"));
    CHECK(ustar_next(&reader, &member) == 1 && member.type == '1');
    CHECK(ustar_next(&reader, &member) == 1 && member.type == '0');
    CHECK(is(member.name, "old"));
    CHECK(ustar_next(&reader, &member) == 1);
    CHECK(is(member.prefix, "a/long/prefix") && is(member.name, "name"));
    CHECK(ustar_next(&reader, &member) == 0);
}

static void test_long_names(void)
{
    static const char path[] = "this/name/could/be/as/long/as/it/likes";
    add('L', "././@LongLink", "", path, sizeof(path));
    add('K', "././@LongLink", "", "target", 7);
    add('2', "this/name/cou", "tar", "", 0);
    static const char records[] = "19 path=from/a/pax\n"
                                  "20 mtime=99.5000000\n"
                                  "9 size=3\n";
    add('x', "PaxHeaders/x", "", records, sizeof(records) - 1);
    add('0', "short", "", "abc", 3);
    add('g', "global", "", "12 path=bad\n", 12);
    add('0', "plain", "", "", 0);
    start();
    CHECK(ustar_next(&reader, &member) == 1 && is(member.name, path));
    CHECK(is(member.link, "target"));
    CHECK(ustar_next(&reader, &member) == 1 && is(member.name, "from/a/pax"));
    CHECK(member.mtime == 99 && member.size == 3);
    CHECK(ustar_next(&reader, &member) == 1 && is(member.name, "plain"));
    CHECK(ustar_next(&reader, &member) == 0); /* no end mark, but no more */
}

static void bad(const char *why)
{
    start();
    int result;
    while ((result = ustar_next(&reader, &member)) > 0)
        ;
    CHECK(result == -1 && strcmp(reader.error, why) == 0);
    /* Broken once, broken for ever. */
    CHECK(ustar_next(&reader, &member) == -1);
}

static void test_hostile(void)
{
    add('0', "file", "", "x", 1)[0] = 'F';
    bad("a header's checksum is wrong");
    char *header = add('0', "file", "", "x", 1);
    octal(header + 124, 12, 1 << 20);
    checksum(header);
    bad("it ends inside a file");
    header = add('0', "file", "", "", 0);
    memset(header + 124, 0xff, 12); /* base 256, negative */
    checksum(header);
    bad("a size that is no number");
    header = add('0', "file", "", "", 0);
    memset(header + 124, 0x7f, 12);
    header[124] = (char)0x80; /* base 256, far too large */
    checksum(header);
    bad("a size that is no number");
    header = add('0', "file", "", "", 0);
    memcpy(header + 100, "rwxrwxr", 7);
    checksum(header);
    bad("a field that is no number");
    add('0', "file", "", "", 0);
    size -= 1;
    bad("it ends inside a header");
    static const char *const records[] = {
        "5 a=b\n",
        "999999999999999999999 a=b\n",
        "7 a=b\n",
        "6 ab\n",
        "x",
        "0 a=b\n",
        "6 a=b ",
        "3 \n",
        "12 size=1x\n",
    };
    for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        add('x', "h", "", records[i], strlen(records[i]));
        bad("a pax header that cannot be read");
    }
    header = add('x', "h", "", "9 size=3\n", 9);
    add('0', "no data", "", "", 0);
    bad("it ends inside a file");
    size = 0;
    start();
    CHECK(ustar_next(&reader, &member) == 0);
}

int main(void)
{
    test_plain();
    test_long_names();
    test_hostile();
    free((void *)(uintptr_t)reader.archive);
    return 0;
}
