/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A Xen domain by xl: its configuration (xl.cfg(5)), which config.c prints for
 * domains that stay, and a run with the console on standard output. Called by
 * run.c for --on xen and by config.c.
 *
 * A run is `xl create -c`: xl makes the domain, attaches its console, and
 * leaves a process behind that destroys the domain when it has ended; then the
 * console closes and xl with it. The console takes input only where input and
 * output are terminals, so it gets one (struct child's terminal). ^C is `xl
 * shutdown`, which the guest sees as the power button, and later `xl destroy`.
 *
 * A domain outlives xl, and so would outlive us. A second process, the guard,
 * destroys it should we be killed; it removes the private files in any case.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "halvm.h"

#define PV_LINE_SIZE_MAX 1023 /* MAX_GUEST_CMDLINE of <xen/xen.h>, less 0 */
#define GONE_TRIES       20   /* of GONE_WAIT_US, until xl has tidied up */
#define GONE_WAIT_US     100000

extern char **environ;

static const char *xl_program(void)
{
    const char *given = getenv("HALVM_XL");

    return given && given[0] ? given : "xl";
}

/* Runs xl with up to two words, all silent; its exit status, or -1. */
static int xl(const char *verb, const char *word)
{
    char *vector[] = {(char *)(uintptr_t)xl_program(), (char *)(uintptr_t)verb,
                      (char *)(uintptr_t)word, NULL};
    posix_spawn_file_actions_t actions;
    int status = -1, error;
    pid_t child;

    posix_spawn_file_actions_init(&actions);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    error = posix_spawnp(&child, vector[0], &actions, NULL, vector, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error)
        return -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Whether a file of the kernel's has the word. */
static bool file_has(const char *path, const char *word)
{
    char line[256] = "";
    FILE *file = fopen(path, "re");

    if (!file)
        return false;
    if (!fgets(line, sizeof(line), file))
        line[0] = 0;
    fclose(file);
    return strstr(line, word) != NULL;
}

bool xen_works(const char **why, const char **fix)
{
    int status = xl("info", NULL);

    if (status == 0)
        return true;
    *fix = "halvm config --for xl ... writes a configuration for another host";
    if (status == -1 || status == 127) {
        *why = words_format("%s does not run: Xen's tools are not installed",
                            xl_program());
        *fix = "apt-get install xen-system-amd64, and boot with Xen "
               "(docs/xen.md)";
    } else if (!file_has("/sys/hypervisor/type", "xen")) {
        *why = "this Linux does not run on Xen";
    } else if (!file_has("/proc/xen/capabilities", "control_d")) {
        *why = "this is a guest of Xen, not its first domain (dom0)";
    } else if (geteuid() != 0) {
        *why = "xl is for root";
        *fix = "sudo halvm run ...";
    } else {
        *why = words_format("%s info fails", xl_program());
        *fix = "service xen restart";
    }
    return false;
}

char *xen_version(void)
{
    char line[256], *found = NULL;
    FILE *pipe;

    pipe = popen(words_format("%s info xen_version 2>/dev/null",
                              parse_shell_quote(xl_program())),
                 "r");
    if (!pipe)
        return NULL;
    if (fgets(line, sizeof(line), pipe))
        found = words_copy(line, strcspn(line, "\n"));
    while (fgets(line, sizeof(line), pipe))
        ;
    return pclose(pipe) == 0 && found && found[0] ? found : NULL;
}

unsigned long long xen_mib(uint64_t size)
{
    return (size + MIB - 1) / MIB;
}

/* -- the configuration -- */

static void put(FILE *to, const char *name, const char *value)
{
    char *quoted = parse_xl_quote(value);

    fprintf(to, "%s = %s\n", name, quoted);
    free(quoted);
}

static void put_devices(const struct run *run, FILE *to)
{
    if (run->net == NET_BRIDGE && run->interface)
        fprintf(to, "vif = [ \"bridge=%s\" ]\n", run->interface);
    else if (run->net == NET_BRIDGE)
        fputs("vif = [ \"\" ]\n", to); /* the bridge of xl.conf, or xenbr0 */
    if (run->disk_count)
        fputs("disk = [\n", to);
    for (size_t i = 0; i < run->disk_count; i++) {
        const struct disk *disk = &run->disks[i];
        const char *format = words_ends(disk->path, ".qcow2") ? "qcow2" : "raw";
        /* target is last: it has the rest of the string, commas too. */
        char *text =
            words_format("format=%s, vdev=xvd%c, access=%s, target=%s", format,
                         (char)('a' + i), disk->read_only ? "ro" : "rw",
                         path_absolute(disk->path));

        fprintf(to, "    %s,\n", parse_xl_quote(text));
    }
    if (run->disk_count)
        fputs("]\n", to);
}

char *xen_command_line(const struct run *run)
{
    char *line = command_line_make(run);

    if (!line || strcmp(run->type, "pv") != 0 ||
        strlen(line) <= PV_LINE_SIZE_MAX)
        return line;
    tool_error(words_format("the command line is %zu bytes long", strlen(line)),
               words_format("Xen cuts a PV guest's after %d", PV_LINE_SIZE_MAX),
               "--type pvh, or put it into a file: -v FILE:/path:ro");
    return NULL;
}

/* Writes the configuration; stays: of a domain that is to begin anew when it
 * reboots. False after an error message. */
static bool put_config(const struct run *run, const char *name,
                       const char *initrd, bool stays, FILE *to)
{
    char *line = xen_command_line(run);

    if (!line)
        return false;
    put(to, "name", name);
    put(to, "type", run->type);
    put(to, "kernel", path_absolute(run->image.path));
    if (initrd)
        put(to, "ramdisk", path_absolute(initrd));
    put(to, "cmdline", line);
    fprintf(to, "memory = %llu\nmaxmem = %llu\nvcpus = 1\n",
            xen_mib(run->memory),
            xen_mib(run->memory_max ? run->memory_max : run->memory));
    put_devices(run, to);
    put(to, "on_poweroff", "destroy");
    put(to, "on_reboot", stays ? "restart" : "destroy");
    put(to, "on_crash", "destroy");
    if (strcmp(run->type, "pv") ==
        0) /* Xen would trap each rdtsc where it doubts the clock */
        put(to, "tsc_mode", "native");
    return true;
}

int xen_print(struct run *run)
{
    const char *initrd = run->volume_count ? "initrd.tar" : NULL;
    char *shell = initrd ? initrd_shell(run, initrd) : NULL, *command;

    while (shell && (command = strsep(&shell, "\n")))
        if (command[0])
            printf("# %s\n", command);
    return put_config(run, run_name(run), initrd, true, stdout) ? 0
                                                                : STATUS_HALVM;
}

static int print_only(const struct run *run)
{
    const char *initrd = run->volume_count ? "initrd.tar" : NULL;
    char *name = run_name(run), *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    if (!to || !put_config(run, name, initrd, false, to))
        return STATUS_HALVM;
    fclose(to);
    if (initrd)
        fputs(initrd_shell(run, initrd), stdout);
    printf("cat >%s.cfg <<'END'\n%sEND\n%s create -q -c %s.cfg\n", name, text,
           parse_shell_quote(xl_program()), name);
    return 0;
}

/* -- a run -- */

struct domain {
    char *name, *folder, *config, *initrd;
    pid_t guard;
    int guard_pipe;
};

static void remove_files(const struct domain *domain)
{
    unlink(domain->config);
    if (domain->initrd)
        unlink(domain->initrd);
    rmdir(domain->folder);
}

/* The guard's side: waits until we say that all is over, or are no more. */
static void guard(const struct domain *domain, int pipe)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    char byte;
    ssize_t got;

    setsid();
    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
        signal(ignored[i], SIG_IGN);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd); /* who reads our output shall see its end */
    while ((got = read(pipe, &byte, 1)) < 0 && errno == EINTR)
        ;
    if (got == 0)
        xl("destroy", domain->name);
    remove_files(domain);
    _exit(0);
}

static bool start_guard(struct domain *domain)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC))
        return false;
    domain->guard = fork();
    if (domain->guard == 0) {
        close(ends[1]);
        guard(domain, ends[0]);
    }
    close(ends[0]);
    domain->guard_pipe = ends[1];
    return domain->guard > 0;
}

static void end_guard(const struct domain *domain)
{
    if (write(domain->guard_pipe, "", 1) < 0)
        remove_files(domain);
    close(domain->guard_pipe);
    while (waitpid(domain->guard, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* The private folder, with the configuration and the archive of -v. */
static bool write_files(const struct run *run, struct domain *domain)
{
    const char *temporary = getenv("TMPDIR");
    FILE *file = NULL;
    bool good = false;

    domain->folder = words_format(
        "%s/halvm-xen.XXXXXX", temporary && temporary[0] ? temporary : "/tmp");
    if (!mkdtemp(domain->folder)) {
        tool_error(words_format("cannot make the folder %s", domain->folder),
                   strerror(errno), "TMPDIR=/var/tmp halvm run ...");
        return false;
    }
    domain->config = words_format("%s/%s.cfg", domain->folder, domain->name);
    if (run->volume_count)
        domain->initrd = words_format("%s/initrd.tar", domain->folder);
    if (!domain->initrd || initrd_write(run, domain->initrd)) {
        file = fopen(domain->config, "wxe");
        good =
            file && put_config(run, domain->name, domain->initrd, false, file);
        if (!file || (fclose(file) && good)) {
            tool_error(words_format("cannot write %s", domain->config),
                       strerror(errno), "TMPDIR=/var/tmp halvm run ...");
            good = false;
        }
    }
    if (!good)
        remove_files(domain);
    return good;
}

/* The domain has gone when its console is closed, or is about to. */
static void destroy_rest(const struct domain *domain)
{
    for (int i = 0; i < GONE_TRIES; i++) {
        if (xl("domid", domain->name) != 0)
            return;
        usleep(GONE_WAIT_US);
    }
    xl("destroy", domain->name);
}

static int report(const struct run *run, struct child *child,
                  struct console *console, const struct domain *domain)
{
    int status = console_end(console);
    bool refused =
        WIFEXITED(child->wait_status) && WEXITSTATUS(child->wait_status) != 0;

    if (!refused) /* else a domain of that name is not ours */
        destroy_rest(domain);
    if (console->address_count)
        symbols_say(run->image.path, console->addresses,
                    console->address_count);
    if (status < 0 && child->end == CHILD_EXITED && refused) {
        tool_error("xl did not start the domain", "its own words are above",
                   run->net == NET_NONE
                       ? "halvm run --dry-run ... shows its configuration"
                       : "is there the bridge (ip link)? else --net none; "
                         "--dry-run shows the configuration");
        status = STATUS_REFUSED;
    } else if (status < 0 && child->end == CHILD_EXITED) {
        tool_error(words_format("%s went away without an exit status",
                                run->image.path),
                   "the domain crashed before or in the core, or somebody "
                   "destroyed it",
                   "xl dmesg | tail; halvm run --on qemu --gdb ...");
        status = STATUS_CRASHED;
    }
    return run_result(run, child, console, status, "xen");
}

static void say_what(const struct run *run, const struct domain *domain)
{
    run_say(run, "xen %s %s, %s%s, %s; ^C stops", run->type, domain->name,
            parse_size_text(xen_mib(run->memory) * MIB),
            run->memory_given ? "" : " by default",
            run->net == NET_NONE ? "no network"
            : run->interface     ? run->interface
                                 : "xl's bridge");
}

/* A name of somebody else's domain, or a bridge that is none, would end in
 * words of xl's, the second only after its timeout. */
static bool is_free(const struct run *run, const struct domain *domain)
{
    if (xl("domid", domain->name) == 0) {
        tool_error(
            words_format("there is a domain %s", domain->name),
            "names of domains are unique",
            words_format("xl destroy %s, or another --name", domain->name));
        return false;
    }
    if (run->net != NET_BRIDGE || !run->interface ||
        access(words_format("/sys/class/net/%s", run->interface), F_OK) == 0)
        return true;
    tool_error(words_format("there is no bridge %s", run->interface),
               "the domain's network would hang on it",
               words_format("ip link add %s type bridge; ip link set %s up "
                            "(docs/xen.md), or --net none",
                            run->interface, run->interface));
    return false;
}

int xen_run(struct run *run)
{
    const char *program = xl_program();
    struct words create = {0}, stop = {0}, destroy = {0};
    struct domain domain = {0};
    struct console console;
    struct child child;
    int status;

    if (run->dry_run)
        return print_only(run);
    domain.name = run->name
                      ? run_name(run)
                      : words_format("%s-%d", run_name(run), (int)getpid());
    if (!is_free(run, &domain) || !write_files(run, &domain))
        return STATUS_HALVM;
    if (!start_guard(&domain)) {
        tool_error("cannot start a second process", strerror(errno),
                   "ulimit -u 1024");
        remove_files(&domain);
        return STATUS_HALVM;
    }
    for (const char *const *word =
             (const char *const[]){program, "create", "-q", "-c", domain.config,
                                   NULL};
         *word; word++)
        words_add(&create, *word);
    words_add(&stop, program);
    words_add(&stop, "shutdown");
    words_add(&stop, domain.name);
    words_add(&destroy, program);
    words_add(&destroy, "destroy");
    words_add(&destroy, domain.name);
    console_start(&console, 1, run->log_fd);
    say_what(run, &domain);
    child = (struct child){.vector = create.items,
                           .environment = environ,
                           .console = &console,
                           .terminal = true,
                           .control = -1,
                           .stop = stop.items,
                           .destroy = destroy.items,
                           .timeout_ms = run->timeout_ms,
                           .quiet = run->quiet};
    status = child_run(&child) ? report(run, &child, &console, &domain)
                               : STATUS_HALVM;
    end_guard(&domain);
    return status;
}
