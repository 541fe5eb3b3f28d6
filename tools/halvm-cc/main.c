/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * halvm-cc (and halvm-c++): compiles and links C for HaLVM with gcc's own
 * arguments. Called by people, make, configure, cmake, cabal and GHC.
 *
 * It works out what is asked, rewrites the arguments and becomes the host's
 * gcc with -specs=SYSROOT/halvm.specs. The sysroot is ../lib/halvm as seen
 * from the program's own file, or $HALVM_SYSROOT.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <unistd.h>

#include "halvm-cc.h"

const char *tool_name = "halvm-cc";

static const char *find_sysroot(void)
{
    const char *given = getenv("HALVM_SYSROOT");
    char self[PATH_MAX + 1];
    ssize_t length;

    if (given && given[0])
        return given;
    length = readlink("/proc/self/exe", self, PATH_MAX);
    if (length < 0)
        return NULL;
    self[length] = 0;
    return realpath(words_format("%s/../lib/halvm", dirname(self)), NULL);
}

/* The host's compiler, by a name that no shim of ours can take. */
static const char *host_compiler(bool cxx)
{
    const char *given = getenv(cxx ? "HALVM_HOST_CXX" : "HALVM_HOST_CC");
    const char *usual =
        cxx ? "/usr/bin/x86_64-linux-gnu-g++" : "/usr/bin/x86_64-linux-gnu-gcc";

    if (given && given[0])
        return given;
    if (access(usual, X_OK) == 0)
        return usual;
    return cxx ? "/usr/bin/g++" : "/usr/bin/gcc";
}

static int become(char **command)
{
    execvp(command[0], command);
    tool_error(words_format("cannot run %s", command[0]), strerror(errno),
               "apt-get install gcc");
    return CC_STATUS_ERROR;
}

/* The host's compiler with the arguments as they are, but for our own options,
 * which may be in a response file. */
static int run_host(const struct cc_job *job, int argc, char **argv)
{
    struct words command = {0}, own = {0};

    words_add(&command, host_compiler(job->cxx));
    words_add(&own, command.items[0]);
    for (int i = 1; i < argc; i++)
        words_add(&command, argv[i]);
    for (size_t i = 0; i < job->given.count; i++)
        if (!cc_is_own(job->given.items[i]))
            words_add(&own, job->given.items[i]);
    if (own.count == job->given.count + 1)
        return become(command.items);
    return cc_run(job, &own);
}

/* The host's libstdc++ headers, behind the few that must be ours. They come
 * before those of C, which they include_next. */
static void add_cxx_headers(const struct cc_job *job, struct words *command)
{
    static const char *const folders[] = {"halvm", "std", "host",
                                          "std/backward"};

    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        words_add(command, "-isystem");
        words_addf(command, "%s/c++/%s", job->sysroot, folders[i]);
    }
}

/* Puts the governor (haskell/governor) between the parts of GHC's runtime. */
static void add_governor(const struct cc_job *job, struct words *command)
{
    const char *folder = job->governor;

    if (!folder || !job->runtime || job->ungoverned)
        return;
    if (!folder[0])
        folder = words_format("%s/ghc/governor", job->sysroot);
    words_addf(command, "%s/%s.o", folder,
               strstr(job->runtime, "_thr") ? "threaded" : "plain");
    words_addf(command, "-Wl,@%s/wrap", folder);
}

/* The whole vector for gcc. */
static void make_command(struct cc_job *job, struct words *command)
{
    words_add(command, host_compiler(job->cxx));
    words_addf(command, "-specs=%s/halvm.specs", job->sysroot);
    words_add(command, "-fno-pie");
    if (job->cxx_source)
        add_cxx_headers(job, command);
    words_add(command, "-ffunction-sections");
    words_add(command, "-fdata-sections");
    for (size_t i = 0; i < job->kept.count; i++)
        words_add(command, job->kept.items[i]);
    if (job->task != CC_LINK)
        return;
    words_add(command, "-static");
    words_add(command, "-no-pie");
    words_add(command, "-fuse-ld=bfd");
    if (words_have(&job->kept, "-x")) {
        words_add(command, "-x");
        words_add(command, "none");
    }
    if (job->codegen)
        words_addf(command, "%s/lib/halvm-codegen.o", job->sysroot);
    if (job->no_lwip)
        words_addf(command, "%s/lib/halvm-no-lwip.o", job->sysroot);
    add_governor(job, command);
    if (job->libraries.count == 0)
        return;
    /* Archives do not say what they need, so their order on the line is often
     * wrong for static linking: all are searched once more, in a ring. */
    words_add(command, "-Wl,--no-whole-archive,--start-group");
    for (size_t i = 0; i < job->libraries.count; i++)
        words_add(command, job->libraries.items[i]);
    words_add(command, "-Wl,--end-group");
}

static bool check_sysroot(const struct cc_job *job)
{
    char *specs = words_format("%s/halvm.specs", job->sysroot);

    if (access(specs, R_OK) == 0)
        return true;
    tool_error(words_format("no HaLVM library in %s", job->sysroot),
               words_format("cannot read %s: %s", specs, strerror(errno)),
               "run make in HaLVM's source tree, or set HALVM_SYSROOT");
    return false;
}

int main(int argc, char **argv)
{
    struct cc_job job = {0};
    struct words command = {0};
    const char *name = strrchr(argv[0], '/');

    name = name ? name + 1 : argv[0];
    job.cxx = words_ends(name, "++");
    if (job.cxx)
        tool_name = "halvm-c++";
    cc_expand(&job.given, argc - 1, argv + 1);
    job.task = cc_task_of(&job.given);
    if (job.task == CC_MACHINE) {
        puts("x86_64-linux-musl");
        return 0;
    }
    if (job.task == CC_HOST) {
        return run_host(&job, argc, argv);
    }
    job.sysroot = find_sysroot();
    if (!job.sysroot) {
        tool_error("cannot find HaLVM's library folder", strerror(errno),
                   "set HALVM_SYSROOT to PREFIX/lib/halvm");
        return CC_STATUS_ERROR;
    }
    job.cxx_source = job.cxx || cc_has_cxx(&job.given);
    if (!check_sysroot(&job) || !cc_filter(&job))
        return CC_STATUS_ERROR;
    setenv("HALVM_CC_SYSROOT", job.sysroot, 1);
    make_command(&job, &command);
    if (!job.show_only)
        return cc_run(&job, &command);
    return become(command.items);
}
