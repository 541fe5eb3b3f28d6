/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of a provider: the calls that have a path. halvm/file.h is the
 * contract.
 *
 * Each mount takes all of them over. The path is made absolute and its dots
 * resolved as text; below the mount's prefix it is the provider's, and
 * elsewhere the call goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reroute/descriptor.h"
#include "reroute/file.h"

/* linux/fs.h, linux/stat.h */
#define RENAME_NOREPLACE 1
#define DEVICE_FIRST     0x48000u /* st_dev of the first mount */

/* A path argument of a call, and what became of it. */
struct place {
    const char *below;    /* in absolute, past the prefix; NULL: not ours */
    char given[PATH_MAX]; /* a copy; empty if it cannot be read */
    char absolute[PATH_MAX];
};

/* Appends the parts of a path to one that is absolute and has no dots. */
static int append(char absolute[PATH_MAX], const char *path)
{
    size_t size = strlen(absolute);

    while (*path) {
        size_t part = strcspn(path, "/");

        if (part == 2 && path[0] == '.' && path[1] == '.') {
            while (size > 0 && absolute[--size] != '/')
                ;
        } else if (part > 0 && !(part == 1 && path[0] == '.')) {
            if (size + 1 + part >= PATH_MAX)
                return -ENAMETOOLONG;
            absolute[size++] = '/';
            memcpy(absolute + size, path, part);
            size += part;
        }
        absolute[size] = '\0';
        path += part;
        path += *path == '/';
    }
    return 0;
}

/* Where a relative path begins. False: unknown. */
static bool start(long fd, char absolute[PATH_MAX])
{
    char link[32];
    ssize_t size;

    if ((int)fd == AT_FDCWD)
        return getcwd(absolute, PATH_MAX) != NULL;
    if (file_directory_path((int)fd, absolute))
        return true;
    snprintf(link, sizeof link, "/proc/self/fd/%d", (int)fd);
    size = readlink(link, absolute, PATH_MAX - 1);
    if (size <= 0 || absolute[0] != '/')
        return false;
    absolute[size] = '\0';
    return true;
}

/* 0, or why it is no path of ours; which the world will say, too. */
static int find(const struct file_mount *mount, long fd, const char *user,
                struct place *out)
{
    const char *path = out->given;
    char begin[PATH_MAX];
    int result;

    out->below = NULL;
    out->absolute[0] = '\0';
    result = (int)halvm_copy_string(out->given, user, sizeof out->given);
    if (result < 0)
        out->given[0] = '\0';
    if (result <= 0)
        return result;
    if (path[0] != '/') {
        if (!start(fd, begin))
            return file_is_ours((int)fd) ? -ENOTDIR : 0;
        result = append(out->absolute, begin);
        if (result < 0)
            return 0;
    }
    result = append(out->absolute, path);
    if (result < 0)
        return result;
    if (strncmp(out->absolute, mount->prefix, mount->prefix_size) != 0)
        return 0;
    const char *rest = out->absolute + mount->prefix_size;
    if (*rest == '/')
        out->below = rest + 1;
    else if (*rest == '\0')
        out->below = rest;
    return 0;
}

/* -- the calls, one path -- */

static long give_stat(const struct file_mount *mount, const char *path,
                      long user)
{
    struct stat found;
    long result = file_stat(mount, path, &found);

    return result < 0 ? result
                      : halvm_copy_out((void *)user, &found, sizeof found);
}

static long give_statx(const struct file_mount *mount, const char *path,
                       long user)
{
    struct stat found;
    long result = file_stat(mount, path, &found);

    return result < 0 ? result : file_statx(&found, (void *)user);
}

static long give_statfs(long user)
{
    struct statfs out = {.f_type = 0x48614c56, /* "HaLV" */
                         .f_bsize = 4096,
                         .f_namelen = HALVM_FILE_NAME_MAX};

    return halvm_copy_out((void *)user, &out, sizeof out);
}

static long check_access(const struct file_mount *mount, const char *path,
                         int mode)
{
    struct stat found;
    long result = file_stat(mount, path, &found);

    if (result < 0)
        return result;
    if ((mode & W_OK) && !(found.st_mode & 0222))
        return -EACCES;
    if ((mode & X_OK) && !(found.st_mode & 0111))
        return -EACCES;
    return 0;
}

/* chmod, chown and utimes of what is there: nothing that would be looked at. */
static long accept_change(const struct file_mount *mount, const char *path)
{
    struct stat found;
    long result = file_stat(mount, path, &found);

    if (result < 0)
        return result;
    return mount->provider->write ? 0 : -EROFS;
}

static long make_directory(const struct file_mount *mount, const char *path,
                           mode_t mode)
{
    struct stat found;

    if (file_stat(mount, path, &found) == 0)
        return -EEXIST;
    if (!mount->provider->make_directory)
        return -EROFS;
    return mount->provider->make_directory(mount->context, path,
                                           mode & 07777 & ~file_umask());
}

static long remove_path(const struct file_mount *mount, const char *path,
                        bool directory)
{
    struct stat found;
    long result = file_stat(mount, path, &found);

    if (result < 0)
        return result;
    if (path[0] == '\0')
        return -EBUSY;
    if (directory != S_ISDIR(found.st_mode))
        return directory ? -ENOTDIR : -EISDIR;
    if (!mount->provider->remove)
        return -EROFS;
    return mount->provider->remove(mount->context, path, directory);
}

static long truncate_path(const struct file_mount *mount, const char *path,
                          off_t size)
{
    struct stat found;
    long result = file_stat(mount, path, &found);

    if (result < 0)
        return result;
    if (size < 0)
        return -EINVAL;
    if (S_ISDIR(found.st_mode))
        return -EISDIR;
    if (!mount->provider->truncate)
        return -EROFS;
    if (!(found.st_mode & 0222))
        return -EACCES;
    return mount->provider->truncate(mount->context, path, size);
}

/* first: the argument after the path. */
static long one_path(struct file_mount *mount, const char *path,
                     const struct halvm_call *call, const long *first)
{
    struct stat found;

    switch (call->number) {
    case SYS_open:
    case SYS_openat:
        return file_open(mount, path, (int)first[0], (mode_t)first[1]);
    case SYS_creat:
        return file_open(mount, path, O_CREAT | O_WRONLY | O_TRUNC,
                         (mode_t)first[0]);
    case SYS_stat:
    case SYS_lstat:
    case SYS_newfstatat:
        return give_stat(mount, path, first[0]);
    case SYS_statx:
        return give_statx(mount, path, first[2]);
    case SYS_statfs:
        return give_statfs(first[0]);
    case SYS_access:
    case SYS_faccessat:
    case SYS_faccessat2:
        return check_access(mount, path, (int)first[0]);
    case SYS_readlink:
    case SYS_readlinkat:
        return file_stat(mount, path, &found) < 0 ? -ENOENT : -EINVAL;
    case SYS_mkdir:
    case SYS_mkdirat:
        return make_directory(mount, path, (mode_t)first[0]);
    case SYS_rmdir:
        return remove_path(mount, path, true);
    case SYS_unlink:
        return remove_path(mount, path, false);
    case SYS_unlinkat:
        return remove_path(mount, path, first[0] & AT_REMOVEDIR);
    case SYS_truncate:
        return truncate_path(mount, path, (off_t)first[0]);
    case SYS_chmod:
    case SYS_fchmodat:
    case SYS_chown:
    case SYS_lchown:
    case SYS_fchownat:
    case SYS_utime:
    case SYS_utimes:
    case SYS_futimesat:
    case SYS_utimensat:
        return accept_change(mount, path);
    default:
        return -EOPNOTSUPP;
    }
}

/* -- the calls with two paths -- */

static long rename_paths(const struct file_mount *mount, const char *from,
                         const char *to, unsigned flags)
{
    struct stat old, new;
    long result;
    bool there;

    if (!from || !to)
        return -EXDEV;
    if (flags & ~(unsigned)RENAME_NOREPLACE)
        return -EINVAL;
    result = file_stat(mount, from, &old);
    if (result < 0)
        return result;
    there = file_stat(mount, to, &new) == 0;
    if (from[0] == '\0' || to[0] == '\0')
        return -EBUSY;
    if (there && (flags & RENAME_NOREPLACE))
        return -EEXIST;
    if (there && S_ISDIR(old.st_mode) != S_ISDIR(new.st_mode))
        return S_ISDIR(new.st_mode) ? -EISDIR : -ENOTDIR;
    if (strncmp(to, from, strlen(from)) == 0 && to[strlen(from)] == '/')
        return -EINVAL; /* into itself */
    if (!mount->provider->rename)
        return -EROFS;
    if (strcmp(from, to) == 0)
        return 0;
    return mount->provider->rename(mount->context, from, to);
}

static long two_paths(struct file_mount *mount, const struct halvm_call *call,
                      long fds[2], const char *paths[2])
{
    struct place *places = malloc(2 * sizeof *places);
    long result = OBJECT_PASS;
    int error = 0;

    if (!places)
        return -ENOMEM;
    for (int i = 0; i < 2; i++) {
        int found = find(mount, fds[i], paths[i], &places[i]);
        if (found < 0)
            error = found;
    }
    if (error < 0)
        result = error;
    else if (places[0].below || places[1].below) {
        bool renames = call->number == SYS_rename ||
                       call->number == SYS_renameat ||
                       call->number == SYS_renameat2;
        result = !renames
                     ? -EXDEV
                     : rename_paths(mount, places[0].below, places[1].below,
                                    call->number == SYS_renameat2
                                        ? (unsigned)call->args[4]
                                        : 0);
    }
    free(places);
    return result;
}

/* A path that begins in a directory of ours and leads out of it: the world
 * knows that directory by another name. */
static long pass_absolute(const struct halvm_call *call, int argument,
                          const struct place *place)
{
    struct halvm_call other = *call;

    other.args[argument - 1] = AT_FDCWD;
    other.args[argument] = (long)(place->absolute[0] ? place->absolute : "/");
    return halvm_call_previous(&other);
}

static long with_path(struct file_mount *mount, const struct halvm_call *call,
                      int argument, bool at)
{
    struct place *place = malloc(sizeof *place);
    long fd = at ? call->args[argument - 1] : AT_FDCWD;
    const char *path = (const char *)call->args[argument];
    long result;

    if (!place)
        return -ENOMEM;
    result = find(mount, fd, path, place);
    if (result == 0 && place->below)
        result = one_path(mount, place->below, call, &call->args[argument + 1]);
    else if (result == 0 && at && place->given[0] != '/' &&
             place->given[0] != '\0' && file_is_ours((int)fd))
        result = pass_absolute(call, argument, place);
    else
        result = halvm_call_previous(call);
    free(place);
    return result;
}

static HALVM_HANDLER(on_call)
{
    struct file_mount *mount = context;
    const char *kinds = halvm_call_arguments(call->number);
    long fds[2] = {AT_FDCWD, AT_FDCWD}, result;
    const char *paths[2];
    int count = 0, last = 0;

    for (int i = 0; kinds[i] && i < 6; i++) {
        if (kinds[i] != 's')
            continue;
        if (count < 2) {
            paths[count] = (const char *)call->args[i];
            if (i > 0 && kinds[i - 1] == 'f')
                fds[count] = call->args[i - 1];
        }
        count++;
        last = i;
    }
    /* The first text of a symbolic link is no path to be followed. */
    if (count == 2 && call->number != SYS_symlink &&
        call->number != SYS_symlinkat) {
        result = two_paths(mount, call, fds, paths);
        return result == OBJECT_PASS ? halvm_call_previous(call) : result;
    }
    return with_path(mount, call, last, last > 0 && kinds[last - 1] == 'f');
}

/* -- mounts -- */

void file_mount_put(struct file_mount *mount)
{
    if (__atomic_sub_fetch(&mount->references, 1, __ATOMIC_ACQ_REL) == 0)
        free(mount);
}

/* So that halvm_file_unmount finds what to free. */
static struct mounted {
    long id;
    struct file_mount *mount;
} mounted[32]; /* a call has no more registrations */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned device_count;

static struct mounted *slot_of(long id)
{
    for (size_t i = 0; i < sizeof mounted / sizeof mounted[0]; i++)
        if (mounted[i].id == id)
            return &mounted[i];
    return NULL;
}

static long mount_at(struct file_mount *mount)
{
    short numbers[128];
    size_t count = halvm_calls(HALVM_CALLS_PATH, numbers, 128), kept = 0;
    struct mounted *slot = slot_of(0);
    long id;

    if (!slot)
        return -ENOSPC;
    /* What loads or becomes another program has nothing to look for here. */
    for (size_t i = 0; i < count; i++)
        if (numbers[i] != SYS_execve && numbers[i] != SYS_execveat)
            numbers[kept++] = numbers[i];
    id = halvm_reroute_calls(numbers, kept, on_call, mount);
    if (id > 0) {
        slot->id = id;
        slot->mount = mount;
    }
    return id;
}

long halvm_file_mount(const char *path,
                      const struct halvm_file_provider *provider, void *context)
{
    char absolute[PATH_MAX] = "";
    struct file_mount *mount;
    long id;

    if (path[0] != '/' || !provider->stat || append(absolute, path) < 0 ||
        absolute[0] == '\0')
        return -EINVAL;
    id = object_start();
    if (id < 0)
        return id;
    mount = calloc(1, sizeof *mount + strlen(absolute) + 1);
    if (!mount)
        return -ENOMEM;
    mount->provider = provider;
    mount->context = context;
    mount->references = 1;
    mount->prefix_size = strlen(absolute);
    memcpy(mount->prefix, absolute, mount->prefix_size + 1);
    pthread_mutex_lock(&lock);
    mount->device = DEVICE_FIRST + device_count++;
    id = mount_at(mount);
    pthread_mutex_unlock(&lock);
    if (id < 0)
        free(mount);
    return id;
}

int halvm_file_unmount(long id)
{
    struct file_mount *mount = NULL;
    struct mounted *slot;
    int result = -ESRCH;

    if (id <= 0)
        return -ESRCH;
    pthread_mutex_lock(&lock);
    slot = slot_of(id);
    if (slot)
        result = halvm_reroute_end(id);
    if (result == 0) {
        mount = slot->mount;
        slot->id = 0;
    }
    pthread_mutex_unlock(&lock);
    if (mount)
        file_mount_put(mount);
    return result;
}
