/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * halvm doctor: what works on this machine, with versions, and the apt-get
 * line for what does not. Exit status 0 if programs can be built and run.
 */
#include <libgen.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "halvm.h"

const struct option_row doctor_options[] = {
    {"json", 0, VALUE_NONE, NULL, "one line of JSON a finding", NULL, false},
    {"help", 'h', VALUE_NONE, NULL, "this text", NULL, false},
    {0},
};

struct finding {
    const char *name;
    char *version; /* NULL: not there */
    const char *use;
    const char *package; /* what to install */
    bool needed;
};

struct asked {
    bool json, help;
};

static bool take_option(void *context, const struct option_row *row,
                        const char *value)
{
    struct asked *asked = context;

    *(strcmp(row->name, "json") == 0 ? &asked->json : &asked->help) = true;
    return true;
}

/* First line that a command prints, or NULL. */
static char *first_line(const char *command)
{
    FILE *pipe = popen(command, "r");
    char line[512] = "";
    int status;

    if (!pipe)
        return NULL;
    if (!fgets(line, sizeof(line), pipe))
        line[0] = 0;
    while (fgetc(pipe) != EOF)
        ;
    status = pclose(pipe);
    line[strcspn(line, "\n")] = 0;
    return status == 0 && line[0] ? words_copy(line, strlen(line)) : NULL;
}

static char *sysroot_version(void)
{
    char self[PATH_MAX + 1];
    ssize_t length = readlink("/proc/self/exe", self, PATH_MAX);
    char *library;

    if (length < 0)
        return NULL;
    self[length] = 0;
    library = words_format("%s/../lib/halvm/lib/libhalvm.a", dirname(self));
    return access(library, R_OK) == 0 ? words_copy("3", 1) : NULL;
}

static char *kvm_version(const char **why_not)
{
    *why_not = kvm_why_not();
    return *why_not ? NULL : words_format("works");
}

static void print(const struct asked *asked, const struct finding *finding)
{
    if (asked->json) {
        printf("{\"name\":\"%s\",\"ok\":%s,\"version\":%s,\"use\":%s}\n",
               finding->name, finding->version ? "true" : "false",
               parse_json_quote(finding->version ? finding->version : ""),
               parse_json_quote(finding->use));
        return;
    }
    printf("%-3s %-12s %-12s %s\n", finding->version ? "ok" : "--",
           finding->name, finding->version ? finding->version : "missing",
           finding->use);
}

#define VERSION_OF(program, pattern)                                           \
    first_line(program " --version 2>/dev/null | sed -nE '1s/" pattern         \
                       "/\\1/p'")

int doctor_verb(int argc, char **argv)
{
    const char *why_not_kvm, *why_not_xen = NULL, *fix = NULL;
    bool xen = xen_works(&why_not_xen, &fix);
    struct finding findings[] = {
        {"halvm", sysroot_version(), "libraries that programs are linked with",
         "(run make in HaLVM's source tree)", true},
        {"gcc", first_line("gcc -dumpfullversion 2>/dev/null"),
         "halvm-cc: C programs", "gcc", true},
        {"ld.bfd", VERSION_OF("ld.bfd", ".* ([0-9.]+)$"), "linking", "binutils",
         true},
        {"ghc", first_line("${HALVM_GHC:-ghc} --numeric-version 2>/dev/null"),
         "halvm-ghc: Haskell programs", "ghc", false},
        {"cabal", first_line("cabal --numeric-version 2>/dev/null"),
         "Haskell packages", "cabal-install", false},
        {"qemu", qemu_version(), "halvm run --on qemu", "qemu-system-x86",
         false},
        {"kvm", kvm_version(&why_not_kvm), "speed for QEMU", NULL, false},
        {"xen", xen ? xen_version() : NULL, "halvm run --on xen", NULL, false},
        {"pasta", VERSION_OF("pasta", ".*pasta ([^ ]+).*"),
         "halvm run --on linux -p HOST:OTHER", "passt", false},
        {"addr2line", VERSION_OF("addr2line", ".* ([0-9.]+)$"),
         "file and line in backtraces", "binutils", false},
        {"gdb", VERSION_OF("gdb", ".* ([0-9.]+)$"), "halvm run --gdb", "gdb",
         false},
        {"tar", VERSION_OF("tar", ".* ([0-9.]+)$"), "halvm run -v", "tar",
         false},
        {"strace", VERSION_OF("strace", ".*version ([^ ]+).*"),
         "halvm run --on linux --trace", "strace", false},
    };
    char *packages = words_copy("", 0);
    struct asked asked = {0};
    bool good = true;

    if (options_parse(doctor_options, argc, argv, take_option, &asked) < 0)
        return STATUS_HALVM;
    if (asked.help) {
        for (const struct verb *verb = verbs; verb->name; verb++)
            if (verb->run == doctor_verb)
                verb_help(verb, stdout);
        return 0;
    }
    for (size_t i = 0; i < sizeof(findings) / sizeof(*findings); i++) {
        struct finding *finding = &findings[i];

        if (strcmp(finding->name, "kvm") == 0 && why_not_kvm)
            finding->use = words_format("QEMU emulates: %s", why_not_kvm);
        if (strcmp(finding->name, "xen") == 0 && !xen)
            finding->use = words_format("no domains here: %s", why_not_xen);
        print(&asked, finding);
        good = good && (finding->version || !finding->needed);
        if (!finding->version && finding->package && finding->package[0] != '(')
            packages = words_format("%s %s", packages, finding->package);
        else if (!finding->version && finding->package && !asked.json)
            printf("    %s\n", finding->package);
    }
    if (packages[0] && !asked.json)
        printf("\nto install what is missing:  apt-get install%s\n", packages);
    return good ? 0 : 1;
}
