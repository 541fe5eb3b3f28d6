/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls that move bytes between a descriptor and the application, and
 * the one that moves the position: read, write and their relatives.
 *
 * One vector is the usual case and stays on the stack. Monitor held.
 */
#include <unistd.h>

#include "core/calls.h"
#include "core/file/table.h"

/* Flags of preadv2 and pwritev2 (linux/fs.h). */
#define IO_HIPRI      1
#define IO_DSYNC      2
#define IO_SYNC       4
#define IO_NOWAIT     8
#define IO_APPEND     16
#define IO_NOT_APPEND 32 /* even if the file's flags say so */
#define IO_FLAGS                                                               \
    (IO_HIPRI | IO_DSYNC | IO_SYNC | IO_NOWAIT | IO_APPEND | IO_NOT_APPEND)

enum io_direction { IO_READ, IO_WRITE };

/* The file if it is open for that direction, with a reference. */
static struct file *io_get(long fd, enum io_direction direction)
{
    struct file *file = file_slot(fd);
    if (!file)
        return NULL;
    if (direction == IO_READ ? !file_readable(file) : !file_writable(file))
        return NULL;
    file->references++;
    return file;
}

static inline long io_move(struct file *file, enum io_direction direction,
                           const struct iovec *iov, int count, off_t *offset)
{
    const struct file_ops *ops = file->ops;
    if (direction == IO_READ)
        return ops->readv ? ops->readv(file, iov, count, offset) : -EINVAL;
    return ops->writev ? ops->writev(file, iov, count, offset) : -EINVAL;
}

/* Whether a buffer reaches past where Linux has user addresses: that is told
 * before anything is read or written, or its length cut. */
static inline bool io_too_long(long buffer, long size)
{
    return ((unsigned long)size | (unsigned long)(buffer + size)) >> 47 != 0;
}

static inline long io_one(long fd, long buffer, long size,
                          enum io_direction direction)
{
    struct file *file = io_get(fd, direction);
    if (!file)
        return -EBADF;
    struct iovec one = file_iov_one(buffer, size);
    long result = -EFAULT;
    if (!io_too_long(buffer, size))
        result = io_move(file, direction, &one, 1, &file->offset);
    file_unref(file);
    return result;
}

long core_read(long a, long b, long c)
{
    return io_one(a, b, c, IO_READ);
}

long core_write(long a, long b, long c)
{
    return io_one(a, b, c, IO_WRITE);
}

static long io_vector(long fd, long user, long count,
                      enum io_direction direction, off_t *position)
{
    struct file_iov vector;
    struct file *file = io_get(fd, direction);
    if (!file)
        return -EBADF;
    long result = -ESPIPE;
    if (position && !file->ops->lseek)
        goto out;
    result = file_iov_get(&vector, (const struct iovec *)user, (int)count);
    if (result < 0)
        goto out;
    result = 0;
    if (vector.total > 0)
        result = io_move(file, direction, vector.iov, vector.count,
                         position ? position : &file->offset);
    file_iov_put(&vector);
out:
    file_unref(file);
    return result;
}

long core_readv(long a, long b, long c)
{
    return io_vector(a, b, c, IO_READ, NULL);
}

long core_writev(long a, long b, long c)
{
    return io_vector(a, b, c, IO_WRITE, NULL);
}

static long io_at(long fd, long buffer, long size, off_t offset,
                  enum io_direction direction)
{
    if (offset < 0)
        return -EINVAL;
    struct file *file = io_get(fd, direction);
    if (!file)
        return -EBADF;
    struct iovec one = file_iov_one(buffer, size);
    long result = -ESPIPE;
    if (file->ops->lseek)
        result = io_too_long(buffer, size)
                     ? -EFAULT
                     : io_move(file, direction, &one, 1, &offset);
    file_unref(file);
    return result;
}

long core_pread64(long a, long b, long c, long d)
{
    return io_at(a, b, c, d, IO_READ);
}

long core_pwrite64(long a, long b, long c, long d)
{
    return io_at(a, b, c, d, IO_WRITE);
}

/* The fifth argument of the system call is the offset's high half on 32-bit
 * machines and nothing here. */
long core_preadv(long a, long b, long c, long d, long e)
{
    off_t offset = d;
    if (offset < 0)
        return -EINVAL;
    return io_vector(a, b, c, IO_READ, &offset);
}

long core_pwritev(long a, long b, long c, long d, long e)
{
    off_t offset = d;
    if (offset < 0)
        return -EINVAL;
    return io_vector(a, b, c, IO_WRITE, &offset);
}

/* The open file's flags for the length of this call. Nobody else may see them
 * there, so none is set for a call that could block with it: NONBLOCK is for
 * what polls, and APPEND for what is in memory. A pipe has no end to go to. */
static int io_flags(const struct file *file, int flags)
{
    int as = file->flags;

    if ((flags & IO_NOWAIT) && file->ops->poll)
        as |= O_NONBLOCK;
    if ((flags & IO_APPEND) && file->ops->data_at)
        as |= O_APPEND;
    if ((flags & IO_NOT_APPEND) && file->ops->data_at)
        as &= ~O_APPEND;
    return as;
}

static long io_vector_flags(long fd, long user, long count, off_t offset,
                            int flags, enum io_direction direction)
{
    if (offset < -1)
        return -EINVAL;
    struct file *file = io_get(fd, direction);
    if (!file)
        return -EBADF;
    long result = -EOPNOTSUPP;
    if (flags & ~IO_FLAGS)
        goto out;
    result = -EINVAL;
    if ((flags & IO_APPEND) && (flags & IO_NOT_APPEND))
        goto out;
    int changed = io_flags(file, flags) ^ file->flags;
    file->flags ^= changed;
    result =
        io_vector(fd, user, count, direction, offset == -1 ? NULL : &offset);
    file->flags ^= changed;
out:
    file_unref(file);
    return result;
}

long core_preadv2(long a, long b, long c, long d, long e, long f)
{
    return io_vector_flags(a, b, c, d, (int)f, IO_READ);
}

long core_pwritev2(long a, long b, long c, long d, long e, long f)
{
    return io_vector_flags(a, b, c, d, (int)f, IO_WRITE);
}

long core_lseek(long a, long b, long c)
{
    struct file *file = file_get((int)a);
    if (!file)
        return -EBADF;
    long result = -EINVAL;
    if ((unsigned)c <= SEEK_HOLE)
        result = file->ops->lseek ? file->ops->lseek(file, b, (int)c) : -ESPIPE;
    file_unref(file);
    return result;
}
