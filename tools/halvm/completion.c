/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * halvm completion bash: a completion script from the same tables that parse
 * the options.
 */
#include "halvm.h"

const struct option_row completion_options[] = {
    {"help", 'h', VALUE_NONE, NULL, "this text", NULL, false},
    {0},
};

static void print_words(const struct option_row *table)
{
    for (; table->name; table++) {
        printf(" --%s", table->name);
        if (table->letter)
            printf(" -%c", table->letter);
    }
}

/* The case lines for options whose values are known. */
static void print_values(const struct option_row *table)
{
    for (; table->name; table++) {
        if (!table->choices)
            continue;
        printf("    %s:--%s", "*", table->name);
        if (table->letter)
            printf(" | *:-%c", table->letter);
        if (strcmp(table->choices, "FILE") == 0)
            puts(") COMPREPLY=($(compgen -f -- \"$word\")); return ;;");
        else
            printf(") COMPREPLY=($(compgen -W '%s' -- \"$word\")); return ;;\n",
                   table->choices);
    }
}

int completion_verb(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        for (const struct verb *verb = verbs; verb->name; verb++)
            if (verb->run == completion_verb)
                verb_help(verb, stdout);
        return 0;
    }
    if (argc != 2 || strcmp(argv[1], "bash") != 0) {
        tool_error("no such shell", "completion scripts exist for bash",
                   "halvm completion bash");
        return STATUS_HALVM;
    }
    puts("# bash completion for halvm; made by: halvm completion bash\n"
         "_halvm() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]}\n"
         "    local before=${COMP_WORDS[COMP_CWORD - 1]}\n"
         "    local verb=${COMP_WORDS[1]}\n"
         "    if [ \"$COMP_CWORD\" -eq 1 ]; then");
    printf("        COMPREPLY=($(compgen -W '--help --version");
    for (const struct verb *verb = verbs; verb->name; verb++)
        printf(" %s", verb->name);
    puts("' -- \"$word\"))\n        return\n    fi\n"
         "    case $verb:$before in");
    print_values(run_options);
    print_values(config_options);
    puts("    esac\n    case $verb:$word in");
    for (const struct verb *verb = verbs; verb->name; verb++) {
        printf("    %s:-*) COMPREPLY=($(compgen -W '", verb->name);
        print_words(verb->options);
        if (strcmp(verb->name, "config") == 0)
            print_words(run_options);
        puts("' -- \"$word\")) ;;");
    }
    puts("    completion:*) COMPREPLY=($(compgen -W bash -- \"$word\")) ;;\n"
         "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
         "    esac\n}\ncomplete -o filenames -F _halvm halvm");
    return 0;
}
