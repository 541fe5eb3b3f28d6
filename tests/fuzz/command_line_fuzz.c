/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest's command line, both ways: any text goes through core's splitter;
 * and any words, written by tools/halvm, come back from it as they were. The
 * first byte says which.
 *
 * Links tools/halvm/command_line.c, tools/halvm/parse.c, core/options.c.
 */
#include "tools/halvm/halvm.h"

#define LINE_SIZE 4096 /* LIMIT_COMMAND_LINE_SIZE */
#define WORDS_MAX 64

const char *tool_name = "command_line_fuzz";

int options_init(const char *command_line);
const char *options_argument(const char *previous);
const char *options_variable(const char *previous);
const char *core_option(const char *name);
void *mem_pages_get(int account, size_t count);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void *mem_pages_get(int account, size_t count)
{
    static char page[LINE_SIZE];

    return page;
}

static void any_text(const uint8_t *data, size_t size)
{
    char *text = words_copy((const char *)data, size);
    const char *word;
    size_t total = 0;

    if (options_init(text) == 0) {
        for (word = options_argument(NULL); word; word = options_argument(word))
            total += strlen(word) + 1;
        for (word = options_variable(NULL); word; word = options_variable(word))
            total += strlen(word) + 1;
        core_option("name");
        core_option("");
        if (total > LINE_SIZE)
            abort();
    }
    free(text);
}

static void there_and_back(const uint8_t *data, size_t size)
{
    char *arguments[WORDS_MAX + 1] = {NULL};
    struct run run = {.arguments = arguments};
    const char *word = NULL;
    size_t count = 0, from = 0;
    char *line;

    for (size_t i = 0; i < size && count < WORDS_MAX; i++)
        if (data[i] == 0) {
            arguments[count++] =
                words_copy((const char *)data + from, i - from);
            from = i + 1;
        }
    run.image.path = "p";
    if (size < LINE_SIZE / 4) {
        line = command_line_make(&run);
        if (!line || options_init(line) != 0)
            abort();
        for (size_t i = 0; i < count; i++) {
            word = options_argument(word);
            if (!word || strcmp(word, arguments[i]) != 0)
                abort();
        }
        if (options_argument(word))
            abort();
        free(line);
    }
    for (size_t i = 0; i < count; i++)
        free(arguments[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] & 1)
        there_and_back(data + 1, size - 1);
    else
        any_text(data + 1, size - 1);
    return 0;
}
