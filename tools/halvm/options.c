/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Option lists: from one table come getopt's, --help and the completion.
 */
#include <ctype.h>
#include <getopt.h>

#include "halvm.h"

#define OPTION_BASE 1000 /* getopt_long's value of row 0 */

static size_t table_length(const struct option_row *table)
{
    size_t count = 0;

    while (table[count].name)
        count++;
    return count;
}

static const struct option_row *find_row(const struct option_row *table,
                                         int value)
{
    if (value >= OPTION_BASE)
        return &table[value - OPTION_BASE];
    for (; table->name; table++)
        if (table->letter && table->letter == value)
            return table;
    return NULL;
}

/* HALVM_MEMORY for --memory */
static const char *twin_value(const struct option_row *row)
{
    char *name = words_format("HALVM_%s", row->name);
    const char *value;

    for (char *at = name; *at; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
    value = getenv(name);
    free(name);
    return value && value[0] ? value : NULL;
}

static bool take_twins(const struct option_row *table, option_take *take,
                       void *context)
{
    for (; table->name; table++) {
        const char *value = table->twin ? twin_value(table) : NULL;

        if (value && !take(context, table, value))
            return false;
    }
    return true;
}

int options_parse(const struct option_row *table, int argc, char **argv,
                  option_take *take, void *context)
{
    size_t count = table_length(table);
    struct option *list = words_memory(NULL, (count + 1) * sizeof(*list));
    char *letters = words_memory(NULL, 3 * count + 3), *at = letters;
    int value;

    *at++ = '+';
    *at++ = ':';
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct option){table[i].name, (int)table[i].value, NULL,
                                  OPTION_BASE + (int)i};
        if (!table[i].letter)
            continue;
        *at++ = table[i].letter;
        for (int n = 0; n < (int)table[i].value; n++)
            *at++ = ':';
    }
    *at = 0;
    list[count] = (struct option){0};
    if (!take_twins(table, take, context))
        return -1;
    optind = 0;
    opterr = 0;
    while ((value = getopt_long(argc, argv, letters, list, NULL)) != -1) {
        const struct option_row *row;

        if (value == '?' || value == ':') {
            const char *word = argv[optind - 1];

            tool_error(words_format("%s %s", argv[0], word),
                       value == ':' ? "this option needs a value"
                                    : "there is no such option, or its name is "
                                      "not complete",
                       words_format("halvm %s --help", argv[0]));
            return -1;
        }
        row = find_row(table, value);
        if (!row || !take(context, row, optarg))
            return -1;
    }
    return optind;
}

void options_help(const struct option_row *table, FILE *to)
{
    for (; table->name; table++) {
        char letter[8] = "    ";
        char *left;

        if (table->letter)
            snprintf(letter, sizeof(letter), "-%c, ", table->letter);
        left = words_format("  %s--%s%s%s%s", letter, table->name,
                            table->value == VALUE_OPTIONAL ? "[="
                            : table->metavar               ? " "
                                                           : "",
                            table->metavar ? table->metavar : "",
                            table->value == VALUE_OPTIONAL ? "]" : "");
        if (strlen(left) > 30)
            fprintf(to, "%s\n%32s%s\n", left, "", table->help);
        else
            fprintf(to, "%-32s%s\n", left, table->help);
        free(left);
    }
}
