/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is asked of the compiler, and which of its arguments go on to gcc.
 *
 * Shared objects (Template Haskell and GHCi load them, nothing ships them) and
 * questions are the host compiler's. Everything else is ours: what would make
 * a position-independent, dynamic or glibc program is dropped where dropping
 * is harmless, and refused in three lines where it is not.
 */
#include <ctype.h>

#include "halvm-cc.h"

/* Options whose value is the next word. */
static const char *const with_value[] = {
    "-o",        "-x",         "-I",           "-L",
    "-l",        "-D",         "-U",           "-T",
    "-u",        "-z",         "-e",           "-B",
    "-MF",       "-MT",        "-MQ",          "-A",
    "-isystem",  "-include",   "-imacros",     "-idirafter",
    "-iquote",   "-iprefix",   "-iwithprefix", "-iwithprefixbefore",
    "-isysroot", "-Xlinker",   "-Xassembler",  "-Xpreprocessor",
    "-aux-info", "--param",    "-dumpbase",    "-dumpbase-ext",
    "-dumpdir",  "-imultilib", "-wrapper",     "-h",
};

/* Parts of glibc that are in our libc.a (musl keeps them in one archive). */
static const char *const in_libc[] = {
    "c", "m", "pthread", "rt", "dl", "util", "crypt", "resolv", "xnet", "gcc_s",
};

/* Parts of glibc that have no counterpart. */
static const char *const glibc_only[] = {
    "anl", "BrokenLocale", "mvec",        "nsl",       "thread_db",
    "g",   "mcheck",       "c_nonshared", "nss_files", "nss_dns",
};

/* Where the host keeps glibc's own archives and headers. */
static const char *const host_libraries[] = {
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-musl",
};
static const char *const host_headers[] = {
    "/usr/include",
    "/usr/include/x86_64-linux-gnu",
    "/usr/include/x86_64-linux-musl",
    "/usr/include/linux",
    "/usr/include/asm-generic",
};

#define IN(table, text) in_table(table, sizeof(table) / sizeof(*(table)), text)

static bool in_table(const char *const *table, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i], text) == 0)
            return true;
    return false;
}

/* As in_table, for folders: "//usr/lib/" names "/usr/lib". */
static bool is_folder(const char *const *table, size_t count, const char *path)
{
    char *clean = words_copy(path, strlen(path));
    size_t length = 0;
    bool found;

    for (size_t i = 0; path[i]; i++)
        if (path[i] != '/' || length == 0 || clean[length - 1] != '/')
            clean[length++] = path[i];
    if (length > 1 && clean[length - 1] == '/')
        length--;
    clean[length] = 0;
    found = in_table(table, count, clean);
    free(clean);
    return found;
}

#define IS_FOLDER(table, path)                                                 \
    is_folder(table, sizeof(table) / sizeof(*(table)), path)

static bool is_question(const char *word)
{
    return words_begins(word, "-print-") || words_begins(word, "--print-") ||
           words_begins(word, "--help") || words_begins(word, "-dump") ||
           strcmp(word, "--version") == 0 || strcmp(word, "--target-help") == 0;
}

static bool is_compile_only(const char *word)
{
    return strcmp(word, "-c") == 0 || strcmp(word, "-S") == 0 ||
           strcmp(word, "-E") == 0 || strcmp(word, "-M") == 0 ||
           strcmp(word, "-MM") == 0 || strcmp(word, "-fsyntax-only") == 0;
}

/* Something for the linker stands on the line. */
static bool is_input(const char *word)
{
    return word[0] != '-' || word[1] == 0 || words_begins(word, "-l") ||
           words_begins(word, "-Wl,") || strcmp(word, "-Xlinker") == 0;
}

enum cc_task cc_task_of(const struct words *given)
{
    bool compile = false, input = false;

    for (size_t i = 0; i < given->count; i++) {
        const char *word = given->items[i];

        if (strcmp(word, "-dumpmachine") == 0)
            return CC_MACHINE;
        if (is_question(word) && !words_begins(word, "-dumpbase") &&
            !words_begins(word, "-dumpdir"))
            return CC_HOST;
        if (strcmp(word, "-shared") == 0 || strcmp(word, "-r") == 0 ||
            strcmp(word, "-Wl,-r") == 0 || strcmp(word, "-Wl,-shared") == 0)
            return CC_HOST;
        compile = compile || is_compile_only(word);
        input = input || is_input(word);
        if (IN(with_value, word) && i + 1 < given->count)
            i++;
    }
    if (compile)
        return CC_COMPILE;
    return input ? CC_LINK : CC_HOST;
}

bool cc_has_cxx(const struct words *given)
{
    static const char *const ends[] = {".cc", ".cpp", ".cxx", ".c++",
                                       ".C",  ".cp",  ".CPP", ".ii"};

    for (size_t i = 0; i < given->count; i++) {
        const char *word = given->items[i];

        if (strcmp(word, "-x") == 0 && i + 1 < given->count) {
            if (words_begins(given->items[++i], "c++"))
                return true;
        } else if (words_begins(word, "-xc++")) {
            return true;
        } else if (IN(with_value, word)) {
            i++;
        } else if (word[0] != '-') {
            for (size_t n = 0; n < sizeof(ends) / sizeof(*ends); n++)
                if (words_ends(word, ends[n]))
                    return true;
        }
    }
    return false;
}

static bool refuse(const char *what, const char *why, const char *fix)
{
    tool_error(what, why, fix);
    return false;
}

static bool refuse_shared(const char *name)
{
    return refuse(
        words_format("cannot link the shared library %s", name),
        "a HaLVM program is one static file; nothing is loaded at run time",
        "name the static archive (lib*.a) in its place");
}

/* A Haskell library's shared flavour: -lHSbase-4.15.1.0-ghc9.0.2. */
static bool is_dynamic_haskell(const char *name)
{
    const char *tail = strstr(name, "-ghc");

    return words_begins(name, "HS") && tail &&
           isdigit((unsigned char)tail[strlen("-ghc")]);
}

/* libNAME.so, libNAME.so.6 */
static bool is_shared_object(const char *path)
{
    const char *so = strstr(path, ".so");

    while (so && so[3] != 0 && so[3] != '.')
        so = strstr(so + 1, ".so");
    if (!so)
        return false;
    for (so += 3; *so; so++)
        if (*so != '.' && !isdigit((unsigned char)*so))
            return false;
    return true;
}

/* -lNAME: keeps it, drops it or refuses it. */
static bool filter_library(struct cc_job *job, const char *name)
{
    if (name[0] == ':' && is_shared_object(name))
        return refuse_shared(name + 1);
    if (is_dynamic_haskell(name))
        return refuse(
            words_format("cannot link the shared Haskell library %s", name),
            "-dynamic makes programs that load their libraries at run time; "
            "a HaLVM program is one static file",
            "remove -dynamic from ghc-options (cabal: "
            "--disable-executable-dynamic)");
    if (IN(glibc_only, name))
        return refuse(
            words_format("cannot link -l%s", name),
            "it is a part of glibc that has no counterpart in HaLVM's libc",
            words_format("remove -l%s and what uses it", name));
    if (IN(in_libc, name))
        return true;
    if (strcmp(name, "HSrts") == 0 || words_begins(name, "HSrts_"))
        job->runtime = name;
    words_addf(&job->kept, "-l%s", name);
    words_addf(&job->libraries, "-l%s", name);
    return true;
}

/* A file on the line. */
static bool filter_input(struct cc_job *job, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *folder, *stem;
    bool host;

    if (is_shared_object(path))
        return refuse_shared(path);
    if (slash && words_begins(name, "lib") && words_ends(name, ".a")) {
        folder = words_copy(path, (size_t)(slash - path));
        stem = words_copy(name + 3, strlen(name) - strlen("lib.a"));
        host = IS_FOLDER(host_libraries, folder);
        if (host && IN(in_libc, stem))
            return true;
        if (host && IN(glibc_only, stem))
            return filter_library(job, stem);
    }
    words_add(&job->kept, path);
    if (words_ends(path, ".a"))
        words_add(&job->libraries, path);
    return true;
}

/* One word for ld: what to pass, NULL to drop it. */
static const char *linker_word(const char *word)
{
    static const char *const dropped[] = {
        "-pie",    "--pic-executable", "-E",           "--export-dynamic",
        "-dy",     "-Bdynamic",        "-call_shared", "-static-pie",
        "-zrelro", "-zseparate-code",
    };

    if (IN(dropped, word))
        return NULL;
    if (strcmp(word, "relro") == 0)
        return "norelro";
    if (strcmp(word, "separate-code") == 0)
        return "noseparate-code";
    if (words_begins(word, "-l") && IN(in_libc, word + 2))
        return NULL;
    return word;
}

/* -Wl,A,B,C */
static void filter_linker_words(struct cc_job *job, const char *list)
{
    char *copy = words_copy(list, strlen(list)), *rest = copy, *word;
    char *out = words_copy("", 0), *longer;
    const char *kept;

    while ((word = strsep(&rest, ","))) {
        kept = linker_word(word);
        if (!kept)
            continue;
        longer = words_format("%s,%s", out, kept);
        free(out);
        out = longer;
    }
    if (out[0])
        words_addf(&job->kept, "-Wl%s", out);
    free(out);
    free(copy);
}

/* Options with a value: word is the option as a whole ("-I"), value its
 * value, joined says that they were one word. */
static bool filter_valued(struct cc_job *job, const char *word,
                          const char *value, bool joined)
{
    bool headers = strcmp(word, "-I") == 0 || strcmp(word, "-isystem") == 0 ||
                   strcmp(word, "-idirafter") == 0 ||
                   strcmp(word, "-iquote") == 0;

    if (strcmp(word, "-l") == 0)
        return filter_library(job, value);
    if (headers && (IS_FOLDER(host_headers, value) ||
                    words_begins(value, "/usr/include/c++")))
        return true;
    if (strcmp(word, "-L") == 0 && IS_FOLDER(host_libraries, value))
        return true;
    if (strcmp(word, "-Xlinker") == 0 || strcmp(word, "-z") == 0) {
        value = linker_word(value);
        if (!value)
            return true;
    }
    if (joined) {
        words_addf(&job->kept, "%s%s", word, value);
    } else {
        words_add(&job->kept, word);
        words_add(&job->kept, value);
    }
    return true;
}

/* Words that are dropped whole. */
static bool is_dropped(const char *word)
{
    static const char *const dropped[] = {
        "-pie",    "-static-pie", "-rdynamic",      "-static",
        "-no-pie", "-nopie",      "-static-libgcc", "-shared-libgcc",
    };

    return IN(dropped, word) || words_begins(word, "-fuse-ld=");
}

/* What cannot be meant for a HaLVM program. */
static bool is_refused(const struct cc_job *job, const char *word)
{
    static const char *const sanitizers[] = {
        "address", "thread", "leak", "hwaddress", "memory",
    };

    if (strcmp(word, "-m32") == 0 || strcmp(word, "-mx32") == 0 ||
        strcmp(word, "-m16") == 0)
        return !refuse(words_format("cannot compile for %s", word),
                       "HaLVM programs are 64-bit x86 programs",
                       words_format("remove %s", word));
    if (job->task != CC_LINK)
        return false;
    if (strcmp(word, "-dynamic") == 0)
        return !refuse("cannot link with -dynamic",
                       "a HaLVM program is one static file; nothing is loaded "
                       "at run time",
                       "remove -dynamic");
    if (!words_begins(word, "-fsanitize="))
        return false;
    for (size_t i = 0; i < sizeof(sanitizers) / sizeof(*sanitizers); i++)
        if (strstr(word, sanitizers[i]))
            return !refuse(
                words_format("cannot link with %s", word),
                "the sanitizer's run-time library needs glibc and a loader",
                "use it in a host build: make CC=gcc");
    return false;
}

bool cc_is_own(const char *word)
{
    return words_begins(word, "-mhalvm-");
}

/* Options of ours. That of the governor comes from GHC's settings (ghc-libdir)
 * and names its folder, if that is not in the sysroot. */
static bool filter_own(struct cc_job *job, const char *word)
{
    if (strcmp(word, "-mhalvm-codegen") == 0)
        job->codegen = true;
    else if (strcmp(word, "-mhalvm-no-lwip") == 0)
        job->no_lwip = true;
    else if (strcmp(word, "-mhalvm-governor") == 0)
        job->governor = "";
    else if (words_begins(word, "-mhalvm-governor="))
        job->governor = strchr(word, '=') + 1;
    else if (strcmp(word, "-mhalvm-no-governor") == 0)
        job->ungoverned = true;
    else
        return refuse(words_format("unknown option %s", word),
                      "it is none of halvm-cc's", "man halvm-cc");
    return true;
}

static bool filter_word(struct cc_job *job, size_t *at)
{
    static const char *const joinable[] = {
        "-I", "-L", "-l", "-isystem", "-idirafter", "-iquote", "-z"};
    const struct words *given = &job->given;
    const char *word = given->items[*at];

    if (is_refused(job, word))
        return false;
    if (cc_is_own(word))
        return filter_own(job, word);
    if (is_dropped(word))
        return true;
    if (word[0] != '-' || word[1] == 0)
        return filter_input(job, word);
    if (words_begins(word, "-Wl,")) {
        filter_linker_words(job, word + strlen("-Wl,"));
        return true;
    }
    if (IN(with_value, word) && *at + 1 < given->count)
        return filter_valued(job, word, given->items[++*at], false);
    for (size_t i = 0; i < sizeof(joinable) / sizeof(*joinable); i++)
        if (words_begins(word, joinable[i]) && word[strlen(joinable[i])])
            return filter_valued(job, joinable[i], word + strlen(joinable[i]),
                                 true);
    if (strcmp(word, "-###") == 0)
        job->show_only = true;
    words_add(&job->kept, word);
    return true;
}

bool cc_filter(struct cc_job *job)
{
    for (size_t i = 0; i < job->given.count; i++)
        if (!filter_word(job, &i))
            return false;
    return true;
}
