/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * open, openat, creat: from a path to an open file. Monitor held; only a FIFO
 * that waits for its other end blocks, when the look-up is over.
 */
#include "core/calls.h"
#include "core/file/node.h"
#include "core/file/pipe.h"
#include "core/file/table.h"

#define O_TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)
/* What O_PATH leaves of the flags (open(2)). */
#define PATH_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* An open file that only names its node: no operation works on it. */
static const struct file_ops path_ops = {.name = "path"};

static struct file *device_open(struct file_node *node, int flags)
{
    return file_new(node->device, flags, NULL);
}

struct file *node_open(struct file_node *node, int flags, int *error)
{
    struct file *file = NULL;

    *error = file_new_error();
    if (flags & O_PATH) {
        file =
            file_new(&path_ops, (flags & PATH_FLAGS) | FILE_ACCESS_MASK, NULL);
    } else if (node->ops && node->ops->open) {
        file = node->ops->open(node, flags, error);
    } else if (S_ISFIFO(node->mode)) {
        node_ref(node);
        file = pipe_open_fifo(&node->pipe, flags, error);
        node_put(node);
    } else if (S_ISREG(node->mode)) {
        file = file_new(&regular_ops, flags, NULL);
    } else if (S_ISDIR(node->mode)) {
        file = file_new(&directory_ops, flags, NULL);
    } else if (S_ISCHR(node->mode) && node->device) {
        file = device_open(node, flags);
    } else {
        *error = -ENXIO;
    }
    if (file && !file->node)
        file->node = node_ref(node);
    return file;
}

/* Whether an existing node may be opened so; 0 or -errno. */
static int check_existing(const struct path *path, int flags)
{
    const struct file_node *node = path->node;
    bool writes = (flags & O_ACCMODE & FILE_ACCESS_MASK) != O_RDONLY;

    if ((flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if (S_ISLNK(node->mode) && !(flags & O_PATH))
        return flags & O_DIRECTORY ? -ENOTDIR : -ELOOP;
    if ((flags & O_DIRECTORY) && !node_is_directory(node))
        return -ENOTDIR;
    if (flags & O_PATH)
        return 0;
    if (node_is_directory(node) && (writes || (flags & O_CREAT)))
        return -EISDIR;
    if (writes && node->ops && S_ISREG(node->mode) && !(node->mode & 0222))
        return -EACCES; /* made files of /proc, even for root */
    return 0;
}

/* Makes the file that O_CREAT asks for; path->node is then set. */
static int create(struct path *path, mode_t mode)
{
    struct file_node *directory = path->parent;

    if (directory->directory.gone || node_is_fixed(directory))
        return -ENOENT; /* nothing is made in /proc */
    struct file_node *node = node_new(S_IFREG | (mode & 07777 & ~path_umask()));
    if (!node)
        return -ENOSPC;
    int error = node_link(directory, path->name, path->name_size, node, false);
    if (error < 0) {
        node_put(node);
        return error;
    }
    path->node = node;
    return 0;
}

/* O_TMPFILE: a file without a name, in the directory that was found. */
static struct file *open_unnamed(int flags, mode_t mode, int *error)
{
    struct file_node *node = node_new(S_IFREG | (mode & 07777 & ~path_umask()));

    *error = -ENOSPC;
    if (!node)
        return NULL;
    struct file *file = node_open(node, flags & ~O_TMPFILE, error);
    node_put(node);
    return file;
}

static struct file *open_path(struct path *path, int flags, mode_t mode,
                              int *error)
{
    bool created = false;

    if (!path->node && path->file && !(flags & O_DIRECTORY)) {
        /* /proc/self/fd/N of something without a place in the tree: the open
         * file itself once more, as in Plan 9; but no socket, as in Linux. */
        *error = -ENXIO;
        if (path->file->ops->socket && !(flags & O_PATH))
            return NULL;
        return file_ref(path->file);
    }
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return open_unnamed(flags, mode, error);
    if (!path->node) {
        *error = create(path, mode);
        created = true;
    } else {
        *error = check_existing(path, flags);
    }
    if (*error < 0)
        return NULL;
    struct file_node *node = path->node;
    if ((flags & O_TRUNC) && !created && S_ISREG(node->mode) && !node->ops &&
        !(flags & O_PATH)) {
        *error = content_resize(&node->content, 0);
        if (*error < 0)
            return NULL;
        node_touch(node);
    }
    return node_open(node, flags, error);
}

static long open_at(int directory_fd, long user_path, int flags, mode_t mode)
{
    unsigned how = 0;
    struct path path;
    int error;

    if (flags & O_PATH)
        flags &= PATH_FLAGS;
    if (flags & O_TMPFILE_BIT) {
        if ((flags & O_TMPFILE) != O_TMPFILE ||
            (flags & FILE_ACCESS_MASK) == O_RDONLY || (flags & O_CREAT))
            return -EINVAL;
    } else if ((flags & O_CREAT) && (flags & O_DIRECTORY)) {
        return -EINVAL;
    }
    if (!(flags & O_NOFOLLOW) && !((flags & O_CREAT) && (flags & O_EXCL)))
        how |= PATH_FOLLOW;
    if (flags & O_CREAT)
        how |= PATH_PARENT | PATH_CREATE;
    if ((flags & O_DIRECTORY) && (how & PATH_FOLLOW))
        how |= PATH_DIRECTORY;
    error = path_find(directory_fd, (const char *)user_path, how, &path);
    if (error < 0)
        return error;
    struct file *file = open_path(&path, flags | O_LARGEFILE, mode, &error);
    path_put(&path);
    return file ? file_install(file, 0, flags & O_CLOEXEC) : error;
}

long core_open(long a, long b, long c)
{
    return open_at(AT_FDCWD, a, (int)b, (mode_t)c);
}

long core_openat(long a, long b, long c, long d)
{
    return open_at((int)a, b, (int)c, (mode_t)d);
}

long core_creat(long a, long b)
{
    return open_at(AT_FDCWD, a, O_CREAT | O_WRONLY | O_TRUNC, (mode_t)b);
}
