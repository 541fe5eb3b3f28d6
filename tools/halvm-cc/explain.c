/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A failure in words: which of the compiler's and linker's complaints come from
 * being a static program over musl, and what to do. Called by run.c with the
 * text that they printed.
 */
#include <dlfcn.h>
#include <regex.h>
#include <unistd.h>

#include "halvm-cc.h"

#define EXPLAIN_NAMES_MAX 5
#define EXPLAIN_MATCHES   3

/* True if the host's C library has the name, so that its lack is ours. */
static bool in_glibc(const char *name)
{
    static const char *const libraries[] = {"libc.so.6", "libm.so.6",
                                            "libresolv.so.2", "libcrypt.so.1"};
    void *library;

    for (size_t i = 0; i < sizeof(libraries) / sizeof(*libraries); i++) {
        library = dlopen(libraries[i], RTLD_LAZY);
        if (library && dlsym(library, name))
            return true;
    }
    return false;
}

/* Where a message's location part names the object that wants it: the last
 * word before "(.text" or ": in function", shortened to its file name. */
static char *wanted_by(const char *line, size_t length)
{
    char *text = words_copy(line, length), *end, *slash;
    const char *from;

    end = strstr(text, ":(.");
    if (!end)
        end = strstr(text, ": in function");
    if (end)
        *end = 0;
    from = words_begins(text, "/usr/bin/ld: ") ? text + strlen("/usr/bin/ld: ")
                                               : text;
    if (words_begins(from, "/usr/bin/ld.bfd: "))
        from += strlen("/usr/bin/ld.bfd: ");
    slash = strrchr(from, '/');
    return words_format("%s", slash ? slash + 1 : from);
}

/* First group of pattern in text from *at on, which moves behind it; *line is
 * where its line starts. NULL if there is none. */
static char *find(const char *pattern, const char *text, const char **at,
                  const char **line)
{
    regmatch_t match[EXPLAIN_MATCHES];
    regex_t regex;
    char *found = NULL;

    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NEWLINE))
        return NULL;
    if (regexec(&regex, *at, EXPLAIN_MATCHES, match, 0) == 0) {
        found = words_copy(*at + match[1].rm_so,
                           (size_t)(match[1].rm_eo - match[1].rm_so));
        *line = *at + match[1].rm_so;
        *at += match[1].rm_eo;
        while (*line > text && (*line)[-1] != '\n')
            (*line)--;
    }
    regfree(&regex);
    return found;
}

static void explain_undefined(const char *text)
{
    struct words seen = {0};
    const char *line, *at = text;
    char *name, *why;

    while (seen.count < EXPLAIN_NAMES_MAX &&
           (name = find("undefined reference to [`']([^'\n]+)'", text, &at,
                        &line))) {
        if (words_have(&seen, name) || !in_glibc(name))
            continue;
        words_add(&seen, name);
        why = words_format("%s calls it; glibc has it, HaLVM's C library (musl "
                           "and libhalvm-compat) has not",
                           wanted_by(line, strcspn(line, "\n")));
        tool_error(words_format("no function %s", name), why,
                   "build that object without it (often a configure switch), "
                   "or define it in the program");
    }
}

static void explain_missing_library(const char *text)
{
    struct words seen = {0};
    const char *line, *at = text;
    char *name, *shared;

    while ((name = find("cannot find -l([^: \n]+)", text, &at, &line))) {
        if (words_have(&seen, name))
            continue;
        words_add(&seen, name);
        shared = words_format("/usr/lib/x86_64-linux-gnu/lib%s.so", name);
        if (access(shared, F_OK) == 0)
            tool_error(
                words_format("no static library lib%s.a", name),
                words_format("only a shared one is installed (%s), and a HaLVM "
                             "program is one static file",
                             shared),
                words_format("build lib%s.a with CC=halvm-cc and name its "
                             "folder with -L",
                             name));
        else
            tool_error(words_format("no library lib%s.a", name),
                       "no folder that is searched has it",
                       words_format("apt-file search lib%s.a, or name its "
                                    "folder with -L",
                                    name));
    }
}

static void explain_missing_header(const char *text)
{
    static const char *const folders[] = {"/usr/include",
                                          "/usr/include/x86_64-linux-gnu"};
    const char *line, *at = text;
    char *name, *host;

    name = find("fatal error: ([^: \n]+): No such file", text, &at, &line);
    for (size_t i = 0; name && i < sizeof(folders) / sizeof(*folders); i++) {
        host = words_format("%s/%s", folders[i], name);
        if (access(host, F_OK))
            continue;
        tool_error(
            words_format("no header %s", name),
            words_format("the host has %s, but the folder it is in holds "
                         "glibc's headers and is not searched",
                         host),
            words_format("mkdir -p host && ln -s %s host/, and halvm-cc "
                         "-Ihost; link the static archive",
                         host));
        return;
    }
}

void cc_explain(const char *text)
{
    if (strstr(text, "_DYNAMIC' isn't defined") ||
        strstr(text, "_dl_relocate_static_pie'"))
        tool_error("glibc's archives came into the link",
                   "a folder given with -L holds glibc's libc.a",
                   "remove that -L, or copy the one archive that is needed to "
                   "a folder of its own");
    explain_missing_header(text);
    explain_missing_library(text);
    explain_undefined(text);
}
