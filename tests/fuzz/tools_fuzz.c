/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The grammars of the halvm command on any text, and the console's filter on
 * any bytes in any pieces: nothing may be lost or added.
 *
 * Links tools/halvm/parse.c, tools/halvm/console.c.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "tools/halvm/halvm.h"

const char *tool_name = "tools_fuzz";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What xl's configuration reads a string as (its lexer in libxlu_cfg): any byte
 * stands for itself but backslash; the quote ends it, and no line may end in
 * it. */
static void xl_string(const char *text)
{
    char *quoted = parse_xl_quote(text), *at = quoted;

    if (*at++ != '"')
        abort();
    for (; *text; text++) {
        char byte = *at++;

        if (byte == '"' || byte == '\n' || byte == 0)
            abort();
        if (byte == '\\') {
            byte = *at++;
            byte = byte == 'n' ? '\n' : byte == 'r' ? '\r' : byte;
        }
        if (byte != *text)
            abort();
    }
    if (strcmp(at, "\"") != 0)
        abort();
    free(quoted);
}

/* Nothing that would be markup. */
static void xml_string(const char *text)
{
    char *quoted = parse_xml_quote(text);

    if (quoted && strpbrk(quoted, "<>'\"\n"))
        abort();
    free(quoted);
}

static void grammars(const char *text)
{
    struct volume volume;
    struct port port;
    struct disk disk;
    uint64_t number;

    if (parse_size(text, &number))
        free(parse_size_text(number));
    if (parse_port(text, &port) && (port.guest == 0 || port.guest > 65535))
        abort();
    if (parse_volume(text, &volume)) {
        if (volume.to[0] != '/')
            abort();
        free(volume.from);
        free(volume.to);
    }
    if (parse_disk(text, &disk))
        free(disk.path);
    parse_duration(text, &number);
    parse_is_variable(text);
    free(parse_shell_quote(text));
    free(parse_json_quote(text));
    xl_string(text);
    xml_string(text);
    if (parse_is_name(text) && (strchr(text, '/') || text[0] == '-'))
        abort();
    if (parse_is_interface(text) && strchr(text, ','))
        abort();
}

/* Pieces of one to sixteen bytes, as the bytes themselves say. */
static void console(const char *data, size_t size)
{
    static char back[65536];
    struct console filter;
    size_t from = 0, piece;
    int fd = memfd_create("console", MFD_CLOEXEC), status;
    ssize_t got;

    console_start(&filter, fd, -1);
    while (from < size) {
        piece = 1 + (unsigned char)data[from] % 16;
        if (piece > size - from)
            piece = size - from;
        console_take(&filter, data + from, piece);
        from += piece;
    }
    status = console_end(&filter);
    got = pread(fd, back, sizeof(back), 0);
    close(fd);
    if (got < 0 || (size_t)got > size || memcmp(back, data, (size_t)got))
        abort();
    if (status < 0 && (size_t)got != size)
        abort();
    if (status >= 0 && (data[got] != 0x1e || data[size - 1] != '\n'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size > 60000)
        return 0;
    text = words_copy((const char *)data, size);
    grammars(text);
    console(text, size);
    free(text);
    return 0;
}
