/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls that ask about a path: stat and its forms, statx, statfs, access,
 * readlink. Monitor held; nothing here blocks.
 */
#include <sys/statfs.h>
#include <unistd.h>

#include "core/calls.h"
#include "core/file/node.h"
#include "core/file/stat.h"
#include "core/file/table.h"
#include "core/mem/mem.h"
#include "statx.h"

#define AT_STATX_TYPES 0x6000 /* AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC */
#define AT_AUTOMOUNT   0x800  /* AT_NO_AUTOMOUNT */

#define TMPFS_MAGIC 0x01021994
#define PROC_MAGIC  0x9fa0

static int path_stat(const struct path *path, struct stat *out)
{
    memset(out, 0, sizeof(*out));
    if (!path->node)
        return file_stat(path->file, out);
    out->st_nlink = 1;
    node_stat(path->node, out);
    return 0;
}

static int stat_at(long directory_fd, long user_path, int flags,
                   struct stat *out)
{
    struct path path;
    int error = path_find((int)directory_fd, (const char *)user_path,
                          (flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW) |
                              (flags & AT_EMPTY_PATH ? PATH_EMPTY : 0),
                          &path);
    if (error < 0)
        return error;
    error = path_stat(&path, out);
    path_put(&path);
    return error;
}

static long stat_out(long directory_fd, long user_path, long user, int flags)
{
    struct stat out;
    int error = stat_at(directory_fd, user_path, flags, &out);
    return error < 0 ? error : core_copy_out((void *)user, &out, sizeof(out));
}

long core_stat(long a, long b)
{
    return stat_out(AT_FDCWD, a, b, 0);
}

long core_lstat(long a, long b)
{
    return stat_out(AT_FDCWD, a, b, AT_SYMLINK_NOFOLLOW);
}

long core_newfstatat(long a, long b, long c, long d)
{
    int flags = (int)d;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_AUTOMOUNT))
        return -EINVAL;
    return stat_out(a, b, c, flags);
}

#define STATX_RESERVED 0x80000000u

long core_statx(long a, long b, long c, long d, long e)
{
    int flags = (int)c;
    struct stat from;

    if ((flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_AUTOMOUNT |
                   AT_STATX_TYPES)) ||
        (flags & AT_STATX_TYPES) == AT_STATX_TYPES ||
        ((unsigned)d & STATX_RESERVED))
        return -EINVAL;
    int error = stat_at(a, b, flags, &from);
    if (error < 0)
        return error;
    struct statx_answer out = statx_of(&from);
    return core_copy_out((void *)e, &out, sizeof(out));
}

/* -- statfs: the tree is one file system, as large as the machine -- */

static long statfs_out(const struct file_node *node, long user)
{
    struct statfs out;

    memset(&out, 0, sizeof(out));
    out.f_type = node && node->ops ? PROC_MAGIC : TMPFS_MAGIC;
    out.f_bsize = out.f_frsize = LIMIT_PAGE_SIZE;
    out.f_blocks = mem_total_bytes() / LIMIT_PAGE_SIZE;
    out.f_bfree = out.f_bavail = mem_free_bytes() / LIMIT_PAGE_SIZE;
    /* A file takes a node and a name; a page holds at least eight. */
    out.f_files = out.f_blocks * 8;
    out.f_ffree = out.f_bfree * 8;
    out.f_namelen = LIMIT_NAME_SIZE;
    return core_copy_out((void *)user, &out, sizeof(out));
}

long core_statfs(long a, long b)
{
    struct path path;
    int error = path_find(AT_FDCWD, (const char *)a, PATH_FOLLOW, &path);
    if (error < 0)
        return error;
    long result = statfs_out(path.node, b);
    path_put(&path);
    return result;
}

long core_fstatfs(long a, long b)
{
    struct file *file = file_slot(a);
    return file ? statfs_out(file->node, b) : -EBADF;
}

/* -- access -- */

static long access_at(long directory_fd, long user_path, int mode, int flags)
{
    struct stat out;

    if (mode & ~(R_OK | W_OK | X_OK))
        return -EINVAL;
    int error = stat_at(directory_fd, user_path, flags, &out);
    if (error < 0)
        return error;
    /* Root may read and write anything, and run what anyone may run. */
    if ((mode & X_OK) && !S_ISDIR(out.st_mode) && !(out.st_mode & 0111))
        return -EACCES;
    return 0;
}

long core_access(long a, long b)
{
    return access_at(AT_FDCWD, a, (int)b, 0);
}

long core_faccessat(long a, long b, long c)
{
    return access_at(a, b, (int)c, 0);
}

long core_faccessat2(long a, long b, long c, long d)
{
    int flags = (int)d;
    if (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    return access_at(a, b, (int)c, flags);
}

/* -- readlink -- */

long core_readlinkat(long a, long b, long c, long d)
{
    size_t room = (size_t)(int)d;
    struct path path;

    if ((int)d <= 0)
        return -EINVAL;
    int error = path_find((int)a, (const char *)b, PATH_EMPTY, &path);
    if (error < 0)
        return error;
    struct file_node *node = path.node;
    long result = -EINVAL;
    if (node && S_ISLNK(node->mode)) {
        const char *target = node->link.target;
        result = (long)node->link.size;
        if (node->ops && node->ops->readlink) {
            target = path_scratch();
            result = node->ops->readlink(node, path_scratch(), LIMIT_PATH_SIZE);
        }
        if (result > (long)room)
            result = (long)room;
        if (result > 0 && core_copy_out((void *)c, target, (size_t)result) < 0)
            result = -EFAULT;
    }
    path_put(&path);
    return result;
}

long core_readlink(long a, long b, long c)
{
    return core_readlinkat(AT_FDCWD, a, b, c);
}
