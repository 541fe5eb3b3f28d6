/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs gcc as a child: long vectors go through a response file, and what it
 * says on standard error is passed on as it comes and kept, so that a failure
 * can be explained. Called by main.c.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "halvm-cc.h"

extern char **environ;

/* Writes a vector (argv[0] left out) in response-file quoting. */
static bool write_response(FILE *file, const struct words *command)
{
    for (size_t i = 1; i < command->count; i++) {
        putc('"', file);
        for (const char *from = command->items[i]; *from; from++) {
            if (*from == '"' || *from == '\\')
                putc('\\', file);
            putc(*from, file);
        }
        fputs("\"\n", file);
    }
    return fflush(file) == 0 && !ferror(file);
}

/* If the vector is too long for one exec: makes a response file, whose name
 * it returns, and the short vector. */
static char *shorten(const struct words *command, struct words *shorter)
{
    const char *folder = getenv("TMPDIR");
    size_t size = 0;
    char *path;
    FILE *file;
    int fd;

    for (size_t i = 0; i < command->count; i++)
        size += strlen(command->items[i]) + 1;
    if (size <= CC_ARGUMENTS_SIZE_MAX)
        return NULL;
    path = words_format("%s/halvm-cc.XXXXXX", folder ? folder : "/tmp");
    fd = mkstemp(path);
    file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!file || !write_response(file, command)) {
        tool_error(words_format("cannot write %s", path), strerror(errno),
                   "set TMPDIR to a folder with room");
        exit(CC_STATUS_ERROR);
    }
    fclose(file);
    words_add(shorter, command->items[0]);
    words_addf(shorter, "@%s", path);
    return path;
}

/* Copies fd to standard error until its end; returns all of it as text. */
static char *relay(int fd)
{
    size_t length = 0, room = 65536;
    char *text = words_memory(NULL, room + 1);
    ssize_t got;

    while ((got = read(fd, text + length, room - length)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        fwrite(text + length, 1, (size_t)got, stderr);
        length += (size_t)got;
        if (length == room) {
            room *= 2;
            text = words_memory(text, room + 1);
        }
    }
    text[length] = 0;
    return text;
}

/* Starts the vector with standard error into a pipe; its reading end, or -1.
 */
static int start(char **vector, pid_t *child)
{
    posix_spawn_file_actions_t actions;
    int ends[2], error;

    if (pipe(ends))
        return -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    error = posix_spawnp(child, vector[0], &actions, NULL, vector, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        errno = error;
        return -1;
    }
    return ends[0];
}

static bool wants_colour(const struct cc_job *job)
{
    for (size_t i = 0; i < job->kept.count; i++)
        if (words_begins(job->kept.items[i], "-fdiagnostics-color") ||
            words_begins(job->kept.items[i], "-fno-diagnostics-color"))
            return false;
    return isatty(2) && !getenv("NO_COLOR");
}

int cc_run(const struct cc_job *job, const struct words *command)
{
    struct words whole = {0}, shorter = {0};
    char *response, *text;
    int status, fd;
    pid_t child;

    for (size_t i = 0; i < command->count; i++)
        words_add(&whole, command->items[i]);
    if (wants_colour(job))
        words_add(&whole, "-fdiagnostics-color=always");
    response = shorten(&whole, &shorter);
    fd = start(response ? shorter.items : whole.items, &child);
    if (fd < 0) {
        tool_error(words_format("cannot run %s", command->items[0]),
                   strerror(errno), "apt-get install gcc");
        status = CC_STATUS_ERROR << 8;
    } else {
        text = relay(fd);
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        if (status)
            cc_explain(text);
    }
    if (response)
        unlink(response);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
