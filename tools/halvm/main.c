/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * halvm: finds the verb and gives it the rest of the line.
 */
#include "halvm.h"

const char *tool_name = "halvm";

const struct verb verbs[] = {
    {"run", "[OPTION]... ELF [ARGUMENT]...",
     "run a program as a unikernel (QEMU, Xen) or a Linux process", run_options,
     run_verb,
     "Words after ELF belong to the program. Exit status: the program's own, "
     "or\n124 timeout, 125 halvm failed, 126 no unikernel, 127 not found, 134 "
     "crashed,\n137 killed (docs/exit-status.md).\n"},
    {"inspect", "[OPTION]... ELF",
     "what is in a program: where it starts, sizes, least memory",
     inspect_options, inspect_verb, NULL},
    {"config", "--for PLATFORM [RUN OPTION]... ELF [ARGUMENT]...",
     "print the command or file that a platform wants", config_options,
     config_verb, "The options of halvm run are taken, too.\n"},
    {"doctor", "[OPTION]...", "what works on this machine, and what to install",
     doctor_options, doctor_verb, NULL},
    {"completion", "SHELL", "print a completion script (bash)",
     completion_options, completion_verb, NULL},
    {0},
};

static const struct verb *find_verb(const char *name)
{
    for (const struct verb *verb = verbs; verb->name; verb++)
        if (strcmp(verb->name, name) == 0)
            return verb;
    return NULL;
}

void verb_help(const struct verb *verb, FILE *to)
{
    fprintf(to, "usage: halvm %s %s\n\n%s\n\n", verb->name, verb->usage,
            verb->summary);
    options_help(verb->options, to);
    if (verb->more)
        fprintf(to, "\n%s", verb->more);
}

static void help(FILE *to)
{
    fprintf(to, "usage: halvm VERB ...\n\n"
                "One file, a Linux process and a unikernel.\n\n");
    for (const struct verb *verb = verbs; verb->name; verb++)
        fprintf(to, "  %-11s %s\n", verb->name, verb->summary);
    fprintf(to, "\n  halvm VERB --help, halvm --version; compilers: halvm-cc, "
                "halvm-ghc\n");
}

int main(int argc, char **argv)
{
    const struct verb *verb;

    if (argc < 2) {
        help(stderr);
        return STATUS_HALVM;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        puts("halvm " HALVM_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (strcmp(argv[1], "help") == 0 && argc == 2)) {
        help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "help") == 0) {
        verb = find_verb(argv[2]);
        if (verb)
            verb_help(verb, stdout);
        return verb ? 0 : STATUS_HALVM;
    }
    verb = find_verb(argv[1]);
    if (!verb) {
        tool_error(words_format("no verb %s", argv[1]),
                   "the first word says what to do: run, inspect, config, "
                   "doctor, completion",
                   "halvm --help");
        return STATUS_HALVM;
    }
    for (int i = 2; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--") == 0)
            break;
        if (i == 2 && strcmp(argv[i], "--help") == 0) {
            verb_help(verb, stdout);
            return 0;
        }
    }
    return verb->run(argc - 1, argv + 1);
}
