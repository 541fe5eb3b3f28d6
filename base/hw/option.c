/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options of the base on the command line: "halvm.NAME=VALUE" before "--".
 *
 * For base/hw and its drivers, at boot or when a device is first used.
 */
#include "parts.h"

#define VALUE_SIZE 64

static const char prefix[] = "halvm.";

/* Where text goes on after start, or NULL if it does not begin so. */
static const char *after(const char *text, const char *start)
{
    while (*start != 0)
        if (*text++ != *start++)
            return NULL;
    return text;
}

const char *hw_option(const char *name)
{
    static char value[VALUE_SIZE];
    const char *word = hw_info.command_line;
    size_t size = 0;

    while (*word != 0) {
        const char *found = after(word, prefix);

        if (word[0] == '-' && word[1] == '-' &&
            (word[2] == ' ' || word[2] == 0))
            return NULL;
        found = found ? after(found, name) : NULL;
        if (found && *found == '=') {
            while (*++found != ' ' && *found != 0 && size < VALUE_SIZE - 1)
                value[size++] = *found;
            value[size] = 0;
            return value;
        }
        while (*word != ' ' && *word != 0)
            word++;
        while (*word == ' ')
            word++;
    }
    return NULL;
}
