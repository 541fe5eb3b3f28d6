/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes docs/syscalls.md from include/syscalls.def: every system call of
 * x86-64 Linux, and what becomes of it in the unikernel. Run by the Makefile,
 * which also checks that the file in the tree is what this prints.
 */
#include <stdio.h>
#include <string.h>

struct row {
    int number;
    const char *name, *state, *note;
};

static const struct row rows[] = {
#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
    {number, #name, #state, note},
#include "syscalls.def"
#undef SYSCALL
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

static void section(const char *state, const char *title, const char *words)
{
    int count = 0;

    for (size_t i = 0; i < ROW_COUNT; i++)
        count += strcmp(rows[i].state, state) == 0;
    printf("\n## %s: %d\n\n%s\n\n", title, count, words);
    if (strcmp(state, "PART") == 0 || strcmp(state, "FAKE") == 0) {
        printf("| call | number | |\n|---|---|---|\n");
        for (size_t i = 0; i < ROW_COUNT; i++)
            if (strcmp(rows[i].state, state) == 0)
                printf("| `%s` | %d | %s |\n", rows[i].name, rows[i].number,
                       rows[i].note);
        return;
    }
    for (size_t i = 0, n = 0; i < ROW_COUNT; i++)
        if (strcmp(rows[i].state, state) == 0)
            printf("%s`%s`",
                   n++ == 0     ? ""
                   : n % 8 == 1 ? ",\n"
                                : ", ",
                   rows[i].name);
    printf("\n");
}

/* What a handler cannot have (docs/rerouting.md). */
static void refused(void)
{
    const char *separator = "";

    printf("\n## Not to be taken over\n\nBy no handler: ");
#define SYSCALL(number, name, nargs, args, state, entry, note)
#define SYSCALL_FIXED(name)                                                    \
    printf("%s`" #name "`", separator), separator = ", ";
#include "syscalls.def"
#undef SYSCALL_FIXED
    printf("\n\nBy no handler in Haskell, whose runtime stands on it:\n\n"
           "| call | for |\n|---|---|\n");
#define SYSCALL_RUNTIME(name, what) printf("| `" #name "` | " what " |\n");
#include "syscalls.def"
#undef SYSCALL_RUNTIME
#undef SYSCALL
}

int main(void)
{
    printf("# System calls\n\n"
           "Made from `include/syscalls.def` by `make docs/syscalls.md`; do "
           "not edit.\n\n"
           "As a Linux process a program has all of its kernel's system "
           "calls. This page\nis about the unikernel. The programs in "
           "`tests/sys` name the calls they test.\n");
    section("DONE", "Done", "As the man page says.");
    section("PART", "Done in part", "What is done, or what is missing:");
    section("FAKE", "Faked",
            "The call succeeds and does nothing, which is right because:");
    section("HOST", "Only with a host kernel",
            "There is one program in a unikernel. These answer `ENOSYS`, and "
            "the console\nnames the first call of each.");
    section("NONE", "Not done",
            "`ENOSYS`, and the console names the first call of each.");
    refused();
    return 0;
}
