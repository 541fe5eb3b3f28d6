/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls that make, move and remove names: mkdir, mknod, symlink, link,
 * unlink, rmdir, rename, and the working directory. Monitor held; nothing
 * here blocks.
 */
#include <stdio.h>
#include <unistd.h>

#include "core/calls.h"
#include "core/file/node.h"
#include "core/file/table.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE  2
#define RENAME_WHITEOUT  4
#endif

/* Whether names may be made in a directory; 0 or -errno. */
static int may_make(const struct file_node *directory)
{
    if (directory->directory.gone || node_is_fixed(directory))
        return -ENOENT; /* as in Linux's /proc */
    return 0;
}

/* Looks up a name that is to be made: 0 with the path, or -errno. */
static int find_new(long directory_fd, long user, unsigned flags, bool folder,
                    struct path *path)
{
    int error = path_find((int)directory_fd, (const char *)user,
                          PATH_PARENT | flags, path);
    if (error < 0)
        return error;
    if (path->node || !path->parent)
        error = -EEXIST;
    else if (path->slash && !folder)
        error = -ENOENT;
    else
        error = may_make(path->parent);
    if (error < 0)
        path_put(path);
    return error;
}

static long make(struct path *path, struct file_node *node)
{
    if (!node)
        return -ENOSPC;
    int error =
        node_link(path->parent, path->name, path->name_size, node, false);
    node_put(node);
    return error;
}

long core_mkdirat(long a, long b, long c)
{
    struct path path;
    int error = find_new(a, b, 0, true, &path);
    if (error < 0)
        return error;
    long result =
        make(&path, node_new(S_IFDIR | ((mode_t)c & 01777 & ~path_umask())));
    path_put(&path);
    return result;
}

long core_mkdir(long a, long b)
{
    return core_mkdirat(AT_FDCWD, a, b);
}

long core_mknodat(long a, long b, long c, long d)
{
    mode_t mode = (mode_t)c;
    struct path path;

    if ((mode & S_IFMT) == 0)
        mode |= S_IFREG;
    switch (mode & S_IFMT) {
    case S_IFREG:
    case S_IFIFO:
    case S_IFSOCK:
        break;
    case S_IFCHR:
    case S_IFBLK:
    case S_IFDIR:
        return -EPERM;
    default:
        return -EINVAL;
    }
    int error = find_new(a, b, 0, false, &path);
    if (error < 0)
        return error;
    long result =
        make(&path, node_new((mode & S_IFMT) | (mode & 07777 & ~path_umask())));
    path_put(&path);
    return result;
}

long core_mknod(long a, long b, long c)
{
    return core_mknodat(AT_FDCWD, a, b, c);
}

long core_symlinkat(long a, long b, long c)
{
    struct path path;
    int error = find_new(b, c, 0, false, &path);

    if (error < 0)
        return error;
    /* The other buffer is free until the next look-up with it. */
    char *target = path_scratch();
    long size = core_copy_string(target, (const char *)a, LIMIT_PATH_SIZE);
    long result = size == 0 ? -ENOENT : size;
    if (size > 0) {
        struct file_node *node = node_new(S_IFLNK | 0777);
        result = -ENOSPC;
        if (node) {
            result = node_target(node, target, (size_t)size, false);
            if (result < 0)
                node_put(node);
            else
                result = make(&path, node);
        }
    }
    path_put(&path);
    return result;
}

long core_symlink(long a, long b)
{
    return core_symlinkat(a, AT_FDCWD, b);
}

long core_linkat(long a, long b, long c, long d, long e)
{
    int flags = (int)e;
    struct path from, to;

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int error = path_find((int)a, (const char *)b,
                          (flags & AT_SYMLINK_FOLLOW ? PATH_FOLLOW : 0) |
                              (flags & AT_EMPTY_PATH ? PATH_EMPTY : 0),
                          &from);
    if (error < 0)
        return error;
    long result = find_new(c, d, PATH_SECOND, false, &to);
    if (result == 0) {
        if (!from.node)
            result = -EXDEV; /* a pipe or socket by its descriptor */
        else if (node_is_directory(from.node))
            result = -EPERM;
        else if (from.node->ops)
            result = -EXDEV;
        else
            result =
                node_link(to.parent, to.name, to.name_size, from.node, false);
        path_put(&to);
    }
    path_put(&from);
    return result;
}

long core_link(long a, long b)
{
    return core_linkat(AT_FDCWD, a, AT_FDCWD, b, 0);
}

/* -- removing -- */

/* The directory is no longer in the tree: nothing may be made in it. */
static void removed(struct file_node *node)
{
    if (!node_is_directory(node))
        return;
    node->directory.gone = true;
    node->links = 0;
}

static long unlink_entry(const struct path *path, bool folder)
{
    struct file_node *node = path->node;

    if (folder && path->dots)
        return path->name_size == 1 ? -EINVAL : -ENOTEMPTY;
    if (!path->parent)
        return folder ? -EBUSY : -EISDIR; /* the root */
    struct node_entry *entry =
        node_entry(path->parent, path->name, path->name_size);
    if (folder && !node_is_directory(node))
        return -ENOTDIR;
    if (!folder && node_is_directory(node))
        return -EISDIR;
    if (!entry)
        return path->dots ? -EISDIR : -EPERM; /* of /proc */
    if (folder && node->directory.count > 0)
        return -ENOTEMPTY;
    if (node_is_fixed(node))
        return -EBUSY; /* /proc itself */
    node_unlink(entry);
    if (folder)
        removed(node);
    return 0;
}

static long remove_at(long directory_fd, long user, bool folder)
{
    struct path path;
    int error = path_find((int)directory_fd, (const char *)user, 0, &path);
    if (error < 0)
        return error;
    long result = -ENOTDIR;
    if (folder || !path.slash || node_is_directory(path.node))
        result = unlink_entry(&path, folder);
    path_put(&path);
    return result;
}

long core_unlinkat(long a, long b, long c)
{
    if ((int)c & ~AT_REMOVEDIR)
        return -EINVAL;
    return remove_at(a, b, (int)c & AT_REMOVEDIR);
}

long core_unlink(long a)
{
    return remove_at(AT_FDCWD, a, false);
}

long core_rmdir(long a)
{
    return remove_at(AT_FDCWD, a, true);
}

/* -- rename -- */

/* Whether directory is below (or is) ancestor. */
static bool is_below(struct file_node *directory,
                     const struct file_node *ancestor)
{
    for (;;) {
        if (directory == ancestor)
            return true;
        struct file_node *parent = node_parent(directory);
        if (parent == directory)
            return false;
        directory = parent;
    }
}

static int rename_check(const struct path *from, const struct path *to,
                        unsigned flags)
{
    const struct file_node *node = from->node, *target = to->node;
    bool folder = node_is_directory(node);

    if (!from->parent || !to->parent || from->dots || to->dots)
        return -EBUSY;
    if (may_make(from->parent) < 0 || may_make(to->parent) < 0 ||
        node_is_fixed(node))
        return -EXDEV;
    if (target && (flags & RENAME_NOREPLACE))
        return -EEXIST;
    if (!folder && (from->slash || to->slash))
        return -ENOTDIR;
    if (folder && is_below(to->parent, node))
        return -EINVAL;
    if (!target || target == node)
        return 0;
    if (folder && !node_is_directory(target))
        return -ENOTDIR;
    if (!folder && node_is_directory(target))
        return -EISDIR;
    if (node_is_directory(target) && target->directory.count > 0)
        return -ENOTEMPTY;
    if (node_is_fixed(target))
        return -EBUSY;
    return 0;
}

/* Everything was checked; only memory for the new name can be missing, and
 * then nothing has changed: the new name is made before the old ones go. */
static int rename_entry(const struct path *from, const struct path *to)
{
    struct file_node *node = from->node;
    struct node_entry *old =
        node_entry(from->parent, from->name, from->name_size);
    struct node_entry *target = NULL;

    if (!old)
        return -ENOENT;
    if (to->node) {
        target = node_entry(to->parent, to->name, to->name_size);
        if (!target)
            return -EXDEV;
    }
    int error = node_link(to->parent, to->name, to->name_size, node, false);
    if (error < 0)
        return error;
    node_unlink(old);
    if (target) {
        node_unlink(target);
        removed(to->node);
    }
    return 0;
}

long core_renameat2(long a, long b, long c, long d, long e)
{
    unsigned flags = (unsigned)e;
    struct path from, to;

    if (flags & ~(unsigned)RENAME_NOREPLACE)
        return -EINVAL;
    int error = path_find((int)a, (const char *)b, 0, &from);
    if (error < 0)
        return error;
    error = path_find((int)c, (const char *)d, PATH_PARENT | PATH_SECOND, &to);
    if (error == 0) {
        error = rename_check(&from, &to, flags);
        /* Two names of one file: nothing happens, says POSIX. */
        if (error == 0 && to.node != from.node)
            error = rename_entry(&from, &to);
        path_put(&to);
    }
    path_put(&from);
    return error;
}

long core_renameat(long a, long b, long c, long d)
{
    return core_renameat2(a, b, c, d, 0);
}

long core_rename(long a, long b)
{
    return core_renameat2(AT_FDCWD, a, AT_FDCWD, b, 0);
}

/* -- the working directory -- */

long core_chdir(long a)
{
    struct path path;
    int error = path_find(AT_FDCWD, (const char *)a,
                          PATH_FOLLOW | PATH_DIRECTORY, &path);
    if (error < 0)
        return error;
    path_set_working_directory(path.node);
    path_put(&path);
    return 0;
}

long core_fchdir(long a)
{
    struct file *file = file_slot(a);
    if (!file)
        return -EBADF;
    if (!file->node || !node_is_directory(file->node))
        return -ENOTDIR;
    path_set_working_directory(file->node);
    return 0;
}

long core_getcwd(long a, long b)
{
    struct path path;
    int error = path_find_core("/", PATH_DIRECTORY, &path); /* makes it all */
    if (error < 0)
        return error;
    path_put(&path);
    char *buffer = path_scratch();
    const char *at =
        node_path(path_working_directory(), buffer, LIMIT_PATH_SIZE, &error);
    if (!at)
        return error;
    size_t size = (size_t)(buffer + LIMIT_PATH_SIZE - at);
    if (size > (size_t)b)
        return -ERANGE;
    error = core_copy_out((void *)a, at, size);
    return error < 0 ? error : (long)size;
}
