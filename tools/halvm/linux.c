/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --on linux: the same file as a Linux process, with the variables, arguments
 * and folders that it would have as a unikernel, and the host's network.
 *
 * Folders of -v are bind mounts in name spaces of the process's own, so no
 * root is needed: a new root folder in memory holds a bind mount of each entry
 * of the host's root, except where a volume's path runs. A port of -p that is
 * to have another number goes through pasta(1). Called by run.c.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "halvm.h"

#define SCRATCH  "/tmp" /* is everywhere; only we see what is put on it */
#define OLD_ROOT SCRATCH "/old" /* the host's folders stay in sight here */
#define NEW_ROOT SCRATCH "/new"

static bool complain(const char *what, const char *path)
{
    tool_error(words_format("cannot %s %s", what, path), strerror(errno),
               "run it --on qemu, where -v needs no name spaces");
    return false;
}

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool good =
        fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return good;
}

/* Name spaces of our own, in which we may mount; the user stays who he is. */
static bool enter_name_spaces(void)
{
    unsigned user = geteuid(), group = getegid();

    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) && unshare(CLONE_NEWNS))
        return complain("make", "name spaces for -v");
    if (access("/proc/self/setgroups", W_OK) == 0)
        write_file("/proc/self/setgroups", "deny");
    write_file("/proc/self/uid_map", words_format("%u %u 1", user, user));
    write_file("/proc/self/gid_map", words_format("%u %u 1", group, group));
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
        return complain("separate the mounts below", "/");
    return true;
}

static bool bind_mount(const char *from, const char *to, bool read_only)
{
    struct stat status;
    int fd;

    if (stat(from, &status))
        return complain("find", from);
    if (S_ISDIR(status.st_mode)) {
        if (mkdir(to, 0755) && errno != EEXIST)
            return complain("make", to);
    } else {
        fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        if (fd < 0)
            return complain("make", to);
        close(fd);
    }
    if (mount(from, to, NULL, MS_BIND | MS_REC, NULL))
        return complain("mount", to);
    if (read_only &&
        mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_REC, NULL))
        return complain("make read-only", to);
    return true;
}

/* True if a volume's path is path or below it; *below: not path itself. */
static bool is_on_the_way(const struct run *run, const char *path, bool *below)
{
    size_t length = strlen(path);

    for (size_t i = 0; i < run->volume_count; i++) {
        const char *to = run->volumes[i].to;

        if (strncmp(to, path, length) == 0 &&
            (to[length] == '/' || to[length] == 0)) {
            *below = to[length] == '/' && to[length + 1] != 0;
            return true;
        }
    }
    return false;
}

static bool make_folder(const char *root, const char *path)
{
    char *folder = words_format("%s%s", root, path);

    for (char *slash = folder + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(folder, 0755);
        *slash = '/';
    }
    if (mkdir(folder, 0755) && errno != EEXIST)
        return complain("make", path);
    free(folder);
    return true;
}

/* Shows the host's folder path at root + path, but for what volumes cover.
 * "" is the root folder. */
static bool mirror(const struct run *run, const char *root, const char *path)
{
    DIR *folder = opendir(words_format(OLD_ROOT "%s", path));
    struct dirent *entry;
    bool good = true, below;

    while (good && folder && (entry = readdir(folder))) {
        char *from = words_format("%s/%s", path, entry->d_name), target[4096];
        char *host = words_format(OLD_ROOT "%s", from);
        char *to = words_format("%s%s", root, from);
        ssize_t length;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        length = readlink(host, target, sizeof(target) - 1);
        if (is_on_the_way(run, from, &below)) {
            good =
                make_folder(root, from) && (!below || mirror(run, root, from));
        } else if (length > 0) {
            target[length] = 0;
            good = symlink(target, to) == 0 || errno == EEXIST;
        } else if (access(host, F_OK) == 0) {
            good = bind_mount(host, to, false);
        }
        free(from);
        free(host);
        free(to);
    }
    if (folder)
        closedir(folder);
    return good;
}

/* The volumes in place, for struct child's before. */
static bool place_volumes(void *context)
{
    const struct run *run = context;
    char *here = getcwd(NULL, 0);
    struct words from = {0};

    for (size_t i = 0; i < run->volume_count; i++) {
        char *real = realpath(run->volumes[i].from, NULL);

        if (!real)
            return complain("find", run->volumes[i].from);
        words_add(&from, real);
    }
    if (!enter_name_spaces())
        return false;
    if (mount("halvm", SCRATCH, "tmpfs", 0, "mode=755") ||
        mkdir(OLD_ROOT, 0700) || mkdir(NEW_ROOT, 0755))
        return complain("make a root folder in", SCRATCH);
    if (mount("/", OLD_ROOT, NULL, MS_BIND | MS_REC, NULL) ||
        umount2(OLD_ROOT SCRATCH, MNT_DETACH))
        return complain("keep", "/");
    if (!mirror(run, NEW_ROOT, ""))
        return false;
    for (size_t i = 0; i < run->volume_count; i++) {
        const struct volume *volume = &run->volumes[i];
        char *source = words_format(OLD_ROOT "%s", from.items[i]);
        char *parent = words_copy(volume->to, strlen(volume->to));

        *strrchr(parent, '/') = 0;
        if (!make_folder(NEW_ROOT, parent) ||
            !bind_mount(source, words_format(NEW_ROOT "%s", volume->to),
                        volume->read_only))
            return false;
    }
    if (chroot(NEW_ROOT) || chdir(here ? here : "/"))
        return complain("enter", "the new root folder");
    return true;
}

/* -- ports -- */

/* Puts pasta in front of the program if a port must change its number. */
static bool add_pasta(const struct run *run, struct words *command)
{
    bool needed = false;

    for (size_t i = 0; i < run->port_count; i++)
        needed = needed || run->ports[i].host != run->ports[i].guest;
    if (!needed) {
        for (size_t i = 0; i < run->port_count; i++)
            run_say(run, "port %u is the program's own on this machine",
                    run->ports[i].guest);
        return true;
    }
    words_add(command, "pasta");
    if (geteuid() == 0) { /* else it becomes nobody, who may do nothing */
        words_add(command, "--runas");
        words_add(command, "0");
    }
    words_add(command, "-T");
    words_add(command, "none");
    words_add(command, "-U");
    words_add(command, "none");
    words_add(command, "--config-net");
    words_add(command, "--quiet");
    for (size_t i = 0; i < run->port_count; i++) {
        const struct port *port = &run->ports[i];

        words_add(command, port->udp ? "-u" : "-t");
        words_addf(command, "%s/%u:%u", port->address, port->host, port->guest);
    }
    words_add(command, "--");
    return true;
}

static int linux_status(int wait_status)
{
    if (WIFEXITED(wait_status))
        return WEXITSTATUS(wait_status);
    return 128 + WTERMSIG(wait_status);
}

/* What is left of a killed pasta: its child, which became ours. */
static void kill_orphans(void)
{
    char *path = words_format("/proc/self/task/%d/children", (int)getpid());
    int pid, killed;
    FILE *file;

    do {
        killed = 0;
        file = fopen(path, "re");
        while (file && fscanf(file, "%d", &pid) == 1)
            killed += kill(pid, SIGKILL) == 0;
        if (file)
            fclose(file);
        while (killed && waitpid(-1, NULL, 0) > 0)
            ;
    } while (killed);
}

static int print_only(const struct run *run, const struct words *command)
{
    fputs("env -i", stdout);
    for (size_t i = 0; i < run->environment.count; i++)
        printf(" %s", parse_shell_quote(run->environment.items[i]));
    for (size_t i = 0; i < command->count; i++)
        printf(" %s", parse_shell_quote(command->items[i]));
    putchar('\n');
    return 0;
}

int linux_run(struct run *run)
{
    static char *no_variables[] = {NULL};
    struct words command = {0};
    struct child child;
    char *real = realpath(run->image.path, NULL);

    if (!run->image.linux_runs || access(run->image.path, X_OK)) {
        tool_error(words_format("%s is not executable", run->image.path),
                   "Linux does not start it",
                   words_format("chmod +x %s", run->image.path));
        return STATUS_NOT_OURS;
    }
    if (!add_pasta(run, &command))
        return STATUS_HALVM;
    if (run->trace)
        words_add(&command, "strace");
    words_add(&command, real ? real : run->image.path);
    for (char **argument = run->arguments; *argument; argument++)
        words_add(&command, *argument);
    if (run->dry_run)
        return print_only(run, &command);
    run_say(run, "linux process%s%s; ^C stops",
            run->memory_given ? ", memory not limited" : "",
            run->net != NET_NONE ? ", this machine's network" : "");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    child = (struct child){
        .vector = command.items,
        .environment =
            run->environment.count ? run->environment.items : no_variables,
        .before = run->volume_count ? place_volumes : NULL,
        .context = run,
        .control = -1,
        .timeout_ms = run->timeout_ms,
        .quiet = run->quiet,
    };
    if (!child_run(&child))
        return STATUS_HALVM;
    kill_orphans();
    return run_result(run, &child, NULL, linux_status(child.wait_status),
                      "linux");
}
