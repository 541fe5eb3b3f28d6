/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Response files: GHC hands every command line to its compiler in one
 * ("@/tmp/.../ghc_3.rsp"), so a rewriting compiler must read them as gcc does.
 *
 * The rules are libiberty's (expandargv): blanks separate, ' and " group,
 * a backslash takes the next character as it is, also inside quotes; a file
 * that cannot be read leaves the word as it stands.
 */
#include <ctype.h>

#include "halvm-cc.h"

#define RESPONSE_DEPTH_MAX 64

static void expand(struct words *to, int count, char *const *arguments,
                   int depth);

/* Whole file as text, or NULL. */
static char *read_text(const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t length = 0, room = 0, got;
    char *text = NULL;

    if (!file)
        return NULL;
    do {
        room = room ? 2 * room : 16384;
        text = words_memory(text, room + 1);
        got = fread(text + length, 1, room - length, file);
        length += got;
    } while (length == room);
    if (ferror(file)) {
        fclose(file);
        free(text);
        return NULL;
    }
    fclose(file);
    text[length] = 0;
    return text;
}

/* Takes one word from *text to word (which has room); false at the end. */
static bool next_word(const char **text, char *word)
{
    const char *from = *text;
    char quote = 0;

    while (isspace((unsigned char)*from))
        from++;
    if (!*from)
        return false;
    for (; *from && (quote || !isspace((unsigned char)*from)); from++) {
        if (*from == '\\' && from[1])
            *word++ = *++from;
        else if (quote && *from == quote)
            quote = 0;
        else if (!quote && (*from == '\'' || *from == '"'))
            quote = *from;
        else
            *word++ = *from;
    }
    *word = 0;
    *text = from;
    return true;
}

static void expand_text(struct words *to, const char *text, int depth)
{
    char *word = words_memory(NULL, strlen(text) + 1);

    while (next_word(&text, word))
        expand(to, 1, &word, depth);
    free(word);
}

static void expand(struct words *to, int count, char *const *arguments,
                   int depth)
{
    for (int i = 0; i < count; i++) {
        char *text = NULL;

        if (arguments[i][0] == '@' && depth < RESPONSE_DEPTH_MAX)
            text = read_text(arguments[i] + 1);
        if (text)
            expand_text(to, text, depth + 1);
        else
            words_add(to, arguments[i]);
        free(text);
    }
}

void cc_expand(struct words *to, int count, char *const *arguments)
{
    expand(to, count, arguments, 0);
}
