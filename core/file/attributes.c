/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls that change what a node says of itself: chmod, chown, utimens,
 * truncate. There is one user, root, so nobody is refused. Monitor held;
 * nothing here blocks.
 */
#include <sys/time.h>
#include <utime.h>

#include "core/calls.h"
#include "core/file/node.h"
#include "core/file/table.h"
#include "core/time/time.h"

/* The node of an open file with a reference; NULL and *error. A file without
 * one (a pipe, a socket) takes any change and forgets it. */
static struct file_node *node_of(long fd, int *error)
{
    struct file *file = file_slot(fd);

    *error = -EBADF;
    if (!file || (file->flags & O_PATH))
        return NULL;
    *error = 0;
    return file->node ? node_ref(file->node) : NULL;
}

static void set_mode(struct file_node *node, mode_t mode)
{
    node->mode = (node->mode & S_IFMT) | (mode & 07777);
    node_touch_status(node);
}

long core_fchmodat(long a, long b, long c)
{
    struct path path;
    int error = path_find((int)a, (const char *)b, PATH_FOLLOW, &path);
    if (error < 0)
        return error;
    if (path.node)
        set_mode(path.node, (mode_t)c);
    path_put(&path);
    return 0;
}

long core_chmod(long a, long b)
{
    return core_fchmodat(AT_FDCWD, a, b);
}

long core_fchmod(long a, long b)
{
    int error;
    struct file_node *node = node_of(a, &error);
    if (!node)
        return error;
    set_mode(node, (mode_t)b);
    node_put(node);
    return 0;
}

/* An id of -1 leaves what is there. Set-id bits go, as in Linux. */
static void set_owner(struct file_node *node, long uid, long gid)
{
    if ((uid_t)uid != (uid_t)-1)
        node->uid = (uid_t)uid;
    if ((gid_t)gid != (gid_t)-1)
        node->gid = (gid_t)gid;
    if (!node_is_directory(node))
        node->mode &= ~(mode_t)(S_ISUID | S_ISGID);
    node_touch_status(node);
}

long core_fchownat(long a, long b, long c, long d, long e)
{
    int flags = (int)e;
    struct path path;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    int error = path_find((int)a, (const char *)b,
                          (flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW) |
                              (flags & AT_EMPTY_PATH ? PATH_EMPTY : 0),
                          &path);
    if (error < 0)
        return error;
    if (path.node)
        set_owner(path.node, c, d);
    path_put(&path);
    return 0;
}

long core_chown(long a, long b, long c)
{
    return core_fchownat(AT_FDCWD, a, b, c, 0);
}

long core_lchown(long a, long b, long c)
{
    return core_fchownat(AT_FDCWD, a, b, c, AT_SYMLINK_NOFOLLOW);
}

long core_fchown(long a, long b, long c)
{
    int error;
    struct file_node *node = node_of(a, &error);
    if (!node)
        return error;
    set_owner(node, b, c);
    node_put(node);
    return 0;
}

/* -- times -- */

static int check_time(const struct timespec *ts)
{
    if (ts->tv_nsec == UTIME_NOW || ts->tv_nsec == UTIME_OMIT)
        return 0;
    return ts->tv_nsec >= 0 && ts->tv_nsec < 1000000000 ? 0 : -EINVAL;
}

static void set_time(uint64_t *out, const struct timespec *ts)
{
    if (ts->tv_nsec == UTIME_OMIT)
        return;
    if (ts->tv_nsec == UTIME_NOW)
        *out = time_wall_ns();
    else if (ts->tv_sec < 0) /* before 1970 is the beginning of time here */
        *out = 0;
    else if (ts->tv_sec > INT64_MAX / 1000000000)
        *out = INT64_MAX;
    else
        *out = (uint64_t)ts->tv_sec * TIME_SECOND + (uint64_t)ts->tv_nsec;
}

/* times: access and modification; NULL: now. path NULL: the descriptor's. */
static long set_times(long fd, long user_path, const struct timespec *times,
                      int flags)
{
    static const struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    struct path path = {.node = NULL};
    int error;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (!times)
        times = now;
    error = check_time(&times[0]);
    if (error == 0)
        error = check_time(&times[1]);
    if (error < 0)
        return error;
    if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
        return 0;
    if (user_path)
        error = path_find((int)fd, (const char *)user_path,
                          (flags & AT_SYMLINK_NOFOLLOW ? 0 : PATH_FOLLOW) |
                              (flags & AT_EMPTY_PATH ? PATH_EMPTY : 0),
                          &path);
    else
        path.node = node_of(fd, &error);
    if (error < 0)
        return error;
    if (path.node) {
        set_time(&path.node->atime_ns, &times[0]);
        set_time(&path.node->mtime_ns, &times[1]);
        node_touch_status(path.node);
    }
    path_put(&path);
    return 0;
}

long core_utimensat(long a, long b, long c, long d)
{
    struct timespec times[2];

    if (c && core_copy_in(times, (const void *)c, sizeof(times)) < 0)
        return -EFAULT;
    if (!b && (int)a == AT_FDCWD)
        return -EFAULT;
    return set_times(a, b, c ? times : NULL, (int)d);
}

long core_futimesat(long a, long b, long c)
{
    struct timeval from[2];
    struct timespec times[2];

    if (c && core_copy_in(from, (const void *)c, sizeof(from)) < 0)
        return -EFAULT;
    for (int i = 0; c && i < 2; i++) {
        if (from[i].tv_usec < 0 || from[i].tv_usec >= 1000000)
            return -EINVAL;
        times[i].tv_sec = from[i].tv_sec;
        times[i].tv_nsec = from[i].tv_usec * 1000;
    }
    return set_times(a, b, c ? times : NULL, 0);
}

long core_utimes(long a, long b)
{
    return core_futimesat(AT_FDCWD, a, b);
}

long core_utime(long a, long b)
{
    struct utimbuf from;
    struct timespec times[2] = {{0, 0}, {0, 0}};

    if (b) {
        if (core_copy_in(&from, (const void *)b, sizeof(from)) < 0)
            return -EFAULT;
        times[0].tv_sec = from.actime;
        times[1].tv_sec = from.modtime;
    }
    return set_times(AT_FDCWD, a, b ? times : NULL, 0);
}

/* -- size -- */

long core_truncate(long a, long b)
{
    struct path path;

    if (b < 0)
        return -EINVAL;
    int error = path_find(AT_FDCWD, (const char *)a, PATH_FOLLOW, &path);
    if (error < 0)
        return error;
    error = -EINVAL;
    if (path.node && node_is_directory(path.node)) {
        error = -EISDIR;
    } else if (path.node && S_ISREG(path.node->mode)) {
        error = -EACCES;
        if (!path.node->ops)
            error = content_resize(&path.node->content, (uint64_t)b);
        if (error == 0)
            node_touch(path.node);
    }
    path_put(&path);
    return error;
}
