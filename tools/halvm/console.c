/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The console's bytes on their way out: the exit record is taken off the end,
 * and the addresses of a backtrace are remembered to be named afterwards.
 *
 * The record is 0x1e "halvm:exit=" decimal "\n" (docs/exit-status.md). It
 * counts only as the very last bytes: one that is followed by anything was the
 * program's own output and is given out late but whole.
 */
#include <ctype.h>
#include <errno.h>
#include <unistd.h>

#include "halvm.h"

static const char record_head[] = "\x1ehalvm:exit=";
#define RECORD_HEAD_LENGTH (sizeof(record_head) - 1)
#define RECORD_DIGITS_MAX  10

void console_start(struct console *console, int out, int log)
{
    *console = (struct console){.out = out, .log = log, .status = -1};
}

static void write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, data, size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return; /* the reader went away: the program goes on */
        data += done;
        size -= (size_t)done;
    }
}

/* A line "  #3 0x10a2c4" of a backtrace. */
static void look_at_line(struct console *console)
{
    const char *at = console->line;
    char *end;

    console->line[console->line_length] = 0;
    while (*at == ' ')
        at++;
    if (at == console->line || *at != '#' || !isdigit((unsigned char)at[1]))
        return;
    strtoul(at + 1, &end, 10);
    if (!words_begins(end, " 0x") ||
        console->address_count == CONSOLE_ADDRESSES_MAX)
        return;
    console->addresses[console->address_count++] = strtoull(end + 1, NULL, 16);
}

/* What is surely the program's. */
static void give(struct console *console, const char *data, size_t size)
{
    if (size == 0)
        return;
    if (console->out >= 0)
        write_all(console->out, data, size);
    if (console->log >= 0)
        write_all(console->log, data, size);
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n') {
            look_at_line(console);
            console->line_length = 0;
        } else if (console->line_length < sizeof(console->line) - 1) {
            console->line[console->line_length++] = data[i];
        }
    }
}

/* Whether what is held with byte behind it may still be a record. */
static bool fits(const struct console *console, char byte)
{
    size_t at = console->held_length;

    if (console->status >= 0)
        return false;
    if (at < RECORD_HEAD_LENGTH)
        return byte == record_head[at];
    if (isdigit((unsigned char)byte))
        return at < RECORD_HEAD_LENGTH + RECORD_DIGITS_MAX;
    return at > RECORD_HEAD_LENGTH && byte == '\n';
}

static void give_held(struct console *console)
{
    give(console, console->held, console->held_length);
    console->held_length = 0;
    console->status = -1;
}

void console_take(struct console *console, const char *data, size_t size)
{
    size_t from = 0; /* what is in data[from, i) is to be given */

    for (size_t i = 0; i < size; i++) {
        if (console->held_length == 0 && data[i] != record_head[0])
            continue;
        if (console->held_length == 0) {
            give(console, data + from, i - from);
        } else if (!fits(console, data[i])) {
            give_held(console);
            from = i;
            if (data[i] != record_head[0])
                continue;
        }
        console->held[console->held_length++] = data[i];
        from = i + 1;
        if (data[i] == '\n')
            console->status = atoi(console->held + RECORD_HEAD_LENGTH) & 0xff;
    }
    give(console, data + from, size - from);
}

int console_end(struct console *console)
{
    int status = console->status;

    if (status < 0)
        give_held(console);
    return status;
}
