/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest's command line, as docs/command-line.md defines it and
 * core/options.c reads it: NAME=VALUE ... halvm.option=value ... -- argument
 */
#include "halvm.h"

#define COMMAND_LINE_SIZE_MAX 4094 /* bytes: LIMIT_COMMAND_LINE_SIZE - 2 */

struct line {
    char *text;
    size_t length;
};

/* Adds one word: in double quotes if it has blanks or is empty, with a
 * backslash before quotes and backslashes. */
static void add(struct line *line, const char *word)
{
    bool quotes = !*word || strpbrk(word, " \t\n");
    char *to;

    line->text = words_memory(line->text, line->length + 2 * strlen(word) + 4);
    to = line->text + line->length;
    if (line->length)
        *to++ = ' ';
    if (quotes)
        *to++ = '"';
    for (; *word; word++) {
        if (*word == '"' || *word == '\\')
            *to++ = '\\';
        *to++ = *word;
    }
    if (quotes)
        *to++ = '"';
    *to = 0;
    line->length = (size_t)(to - line->text);
}

static void add_option(struct line *line, const char *name, const char *value)
{
    char *word;

    if (!value)
        return;
    word = words_format("halvm.%s=%s", name, value);
    add(line, word);
    free(word);
}

char *command_line_make(const struct run *run)
{
    const char *slash = strrchr(run->image.path, '/');
    struct line line = {0};

    for (size_t i = 0; i < run->environment.count; i++)
        add(&line, run->environment.items[i]);
    add_option(&line, "name", slash ? slash + 1 : run->image.path);
    add_option(&line, "tty", run->tty);
    add_option(&line, "ip", run->ip);
    add_option(&line, "gw", run->gateway);
    add_option(&line, "dns", run->dns);
    if (run->trace)
        add(&line, "halvm.trace");
    for (size_t i = 0; i < run->options.count; i++)
        add(&line, run->options.items[i]);
    add(&line, "--");
    for (char **argument = run->arguments; *argument; argument++)
        add(&line, *argument);
    if (line.length <= COMMAND_LINE_SIZE_MAX)
        return line.text;
    tool_error(words_format("the command line is %zu bytes long", line.length),
               words_format("variables and arguments reach a unikernel in one "
                            "line of at most %d bytes",
                            COMMAND_LINE_SIZE_MAX),
               "put them into a file: -v FILE:/path:ro");
    return NULL;
}
