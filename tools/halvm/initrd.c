/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The volumes of a run as one ustar archive, which the guest reads in place.
 * tar(1) makes it (it is on every machine): sorted, owned by root, the paths
 * as the guest shall see them. QEMU gets a memory file, which it opens by
 * /proc/self/fd, so that nothing is left behind. Called by qemu.c and xen.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "halvm.h"

extern char **environ;

/* text with a backslash before what sed's s|..|..| takes as special; the
 * characters of a pattern if pattern is set, else of a replacement. */
static char *sed_quote(const char *text, bool pattern)
{
    char *quoted = words_memory(NULL, 2 * strlen(text) + 1), *to = quoted;

    for (; *text; text++) {
        if (strchr(pattern ? "\\|.[]*^$" : "\\|&", *text))
            *to++ = '\\';
        *to++ = *text;
    }
    *to = 0;
    return quoted;
}

/* tar's vector that makes (or adds to) the archive at path. */
static void tar_command(const struct volume *volume, bool first,
                        const char *path, struct words *command)
{
    const char *to = volume->to + strspn(volume->to, "/"), *slash, *name;
    struct stat status;

    words_add(command, "tar");
    words_add(command, first ? "-cf" : "-rf");
    words_add(command, path);
    words_add(command, "--format=ustar");
    words_add(command, "--sort=name");
    words_add(command, "--owner=0");
    words_add(command, "--group=0");
    words_add(command, "--numeric-owner");
    words_add(command, "--no-wildcards");
    slash = strrchr(volume->from, '/');
    if (stat(volume->from, &status) == 0 && S_ISDIR(status.st_mode)) {
        /* "./x" becomes "to/x"; symbolic links keep what they say. */
        words_addf(command, "--transform=flags=rh;s|^\\.|%s|",
                   *to ? sed_quote(to, false) : ".");
        words_addf(command, "--directory=%s", volume->from);
        words_add(command, ".");
        return;
    }
    name = slash ? slash + 1 : volume->from;
    words_addf(command, "--transform=flags=rh;s|^\\./%s$|%s|",
               sed_quote(name, true), sed_quote(to, false));
    words_add(command, "--dereference");
    words_addf(command, "--directory=%.*s",
               slash ? (int)(slash + 1 - volume->from) : 1,
               slash ? volume->from : ".");
    words_addf(command, "./%s", name);
}

static bool run_tar(const struct words *command)
{
    int status = 0;
    pid_t child;

    if (posix_spawnp(&child, "tar", NULL, NULL, command->items, environ))
        return false;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0;
}

bool initrd_write(const struct run *run, const char *path)
{
    for (size_t i = 0; i < run->volume_count; i++) {
        struct words command = {0};

        tar_command(&run->volumes[i], i == 0, path, &command);
        if (run_tar(&command))
            continue;
        tool_error(
            words_format("cannot pack %s", run->volumes[i].from),
            "tar failed (its words are above; ustar takes paths of at most "
            "255 bytes)",
            "make the files readable, the names shorter");
        return false;
    }
    return true;
}

int initrd_make(const struct run *run)
{
    int fd = memfd_create("halvm-initrd", 0);

    if (fd < 0) {
        tool_error("no memory for the files of -v", strerror(errno),
                   "free some memory");
        return -1;
    }
    if (initrd_write(run, words_format("/proc/self/fd/%d", fd)))
        return fd;
    close(fd);
    return -1;
}

char *initrd_shell(const struct run *run, const char *path)
{
    char *text = words_copy("", 0), *longer;

    for (size_t i = 0; i < run->volume_count; i++) {
        struct words command = {0};

        tar_command(&run->volumes[i], i == 0, path, &command);
        for (size_t n = 0; n < command.count; n++) {
            longer = words_format("%s%s%s", text, n ? " " : "",
                                  parse_shell_quote(command.items[n]));
            free(text);
            text = longer;
        }
        longer = words_format("%s\n", text);
        free(text);
        text = longer;
    }
    return text;
}
