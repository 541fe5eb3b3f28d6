/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Growing lists of words (argument vectors, environments) and the three-line
 * errors, for the host tools under tools/. A tool is a short-lived process:
 * what these functions allocate is freed by its end.
 */
#ifndef HALVM_WORDS_H
#define HALVM_WORDS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* items[count] is always NULL once a word was added: items is an argv. */
struct words {
    char **items;
    size_t count, room;
};

/* The name in front of every message; main() sets it. */
extern const char *tool_name;

static inline void *words_memory(void *old, size_t size)
{
    void *memory = realloc(old, size);

    if (!memory) {
        fprintf(stderr, "%s: error: out of memory\n", tool_name);
        exit(125);
    }
    return memory;
}

static inline char *words_copy(const char *text, size_t length)
{
    char *copy = words_memory(NULL, length + 1);

    memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

/* A new string, formatted. */
static inline char *words_vformat(const char *format, va_list arguments)
{
    va_list again;
    char *text;
    int length;

    va_copy(again, arguments);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    text = words_memory(NULL, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    return text;
}

__attribute__((format(printf, 1, 2))) static inline char *
words_format(const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    text = words_vformat(format, arguments);
    va_end(arguments);
    return text;
}

static inline void words_add(struct words *words, const char *word)
{
    if (words->count + 2 > words->room) {
        words->room = words->room ? 2 * words->room : 32;
        words->items =
            words_memory(words->items, words->room * sizeof(*words->items));
    }
    words->items[words->count++] = words_copy(word, strlen(word));
    words->items[words->count] = NULL;
}

__attribute__((format(printf, 2, 3))) static inline void
words_addf(struct words *words, const char *format, ...)
{
    va_list arguments;
    char *text;

    va_start(arguments, format);
    text = words_vformat(format, arguments);
    va_end(arguments);
    words_add(words, text);
    free(text);
}

static inline bool words_have(const struct words *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->items[i], word) == 0)
            return true;
    return false;
}

static inline bool words_begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static inline bool words_ends(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);

    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

/* Says what went wrong, why, and a fix that can be pasted, in three lines.
 * The texts are plain (format with words_format first). */
static inline void tool_error(const char *what, const char *why,
                              const char *fix)
{
    fprintf(stderr, "%s: error: %s\n  why: %s\n  fix: %s\n", tool_name, what,
            why, fix);
}

#endif
