/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest's command line, both ways: any text goes through core's splitter;
 * and any words, written by tools/halvm, come back from it as they were; and
 * what halvm.fault may say. The first byte says which.
 *
 * Links tools/halvm/command_line.c, tools/halvm/parse.c, core/options.c,
 * core/mem/fault.c.
 */
#include <stdarg.h>

#include "base.h"
#include "core/mem/fault.h"
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

static const struct base base;
const struct base *core_base = &base;
struct vma *vma_find(uint64_t address);
int core_format(char *out, size_t size, const char *format, ...);

struct vma *vma_find(uint64_t address)
{
    return NULL;
}

int core_format(char *out, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vsnprintf(out, size, format, args);
    va_end(args);
    return length;
}

/* What is taken is told again in a form that is taken. */
static void fault(const uint8_t *data, size_t size)
{
    char *text = words_copy((const char *)data, size), told[32];
    bool on;

    core_base = &base;
    if (options_init("halvm.fault=off") != 0 || mem_fault_init(&on) != 0 || !on)
        abort();
    if (mem_fault_set(text) == 0) {
        int length = mem_fault_text(told, sizeof(told));
        if (length <= 0 || length >= (int)sizeof(told) ||
            told[length - 1] != '\n')
            abort();
        told[length - 1] = 0;
        if (mem_fault_set(told) != 0)
            abort();
    }
    free(text);
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
    if (data[0] % 4 == 2)
        fault(data + 1, size - 1);
    else if (data[0] & 1)
        there_and_back(data + 1, size - 1);
    else
        any_text(data + 1, size - 1);
    return 0;
}
