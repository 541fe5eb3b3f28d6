/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line: `KEY=VALUE ... halvm.option=value ... -- argument ...`
 * (docs/command-line.md), split into words in a page of core's own.
 *
 * Words are separated by blanks. Double quotes keep blanks together and a
 * backslash takes the next character as it is, in quotes or not. Words before
 * a word that is exactly -- are environment variables if they hold a =, and
 * options of ours if they begin with halvm.; boot loaders add words of their
 * own (virtio_mmio.device=...), and those that hold a . before the = are left
 * to the base. Everything after -- is argv.
 */
#include "core/options.h"

#include "core/mem/mem.h"

static struct {
    char *words; /* each ends with a zero */
    char *end;
    char *arguments; /* the first word after --, or end */
} options;

/* Splits from into to, which has room for as much; returns the end of to. */
static char *split(char *to, const char *from)
{
    bool quoted = false, in_word = false;

    for (; *from != '\0'; from++) {
        bool blank = *from == ' ' || *from == '\t' || *from == '\n';

        if (blank && !quoted) {
            if (in_word)
                *to++ = '\0';
            in_word = false;
            continue;
        }
        in_word = true;
        if (*from == '"')
            quoted = !quoted;
        else if (*from == '\\' && from[1] != '\0')
            *to++ = *++from;
        else
            *to++ = *from;
    }
    if (in_word)
        *to++ = '\0';
    return to;
}

int options_init(const char *command_line)
{
    size_t size = strlen(command_line) + 2;

    if (size > LIMIT_COMMAND_LINE_SIZE)
        return -E2BIG;
    options.words = mem_pages_get(MEM_CORE, 1);
    if (options.words == NULL)
        return -ENOMEM;
    options.end = split(options.words, command_line);
    options.arguments = options.end;
    for (char *word = options.words; word < options.end;
         word += strlen(word) + 1)
        if (strcmp(word, "--") == 0) {
            options.arguments = word + 3;
            *word = '\0';
            break;
        }
    return 0;
}

const char *options_argument(const char *previous)
{
    const char *word =
        previous == NULL ? options.arguments : previous + strlen(previous) + 1;

    return word < options.end ? word : NULL;
}

/* NAME=VALUE with a name that a shell could have set. */
static bool is_variable(const char *word)
{
    const char *equals = strchr(word, '=');

    if (equals == NULL || equals == word)
        return false;
    for (const char *at = word; at < equals; at++)
        if (*at == '.')
            return false;
    return true;
}

const char *options_variable(const char *previous)
{
    const char *word =
        previous == NULL ? options.words : previous + strlen(previous) + 1;

    for (; word < options.arguments; word += strlen(word) + 1)
        if (is_variable(word))
            return word;
    return NULL;
}

const char *core_option(const char *name)
{
    size_t length = strlen(name);

    for (const char *word = options.words; word < options.arguments;
         word += strlen(word) + 1) {
        if (strncmp(word, "halvm.", 6) != 0 ||
            strncmp(word + 6, name, length) != 0)
            continue;
        if (word[6 + length] == '=')
            return word + 6 + length + 1;
        if (word[6 + length] == '\0')
            return word + 6 + length;
    }
    return NULL;
}
