/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sendfile, splice and copy_file_range: from one descriptor to another
 * without the application's memory between.
 *
 * The bytes are handed on from where they lie, the file's pages or the
 * pipe's. Such a place may be gone after a wait, so the other side is asked
 * not to block, and the waiting is done here, where nothing is held.
 * Monitor held.
 */
#include "core/calls.h"
#include "core/file/pipe.h"
#include "core/file/table.h"

#define SPLICE_NONBLOCK 2 /* SPLICE_F_NONBLOCK; the other flags are hints */
#define SPLICE_FLAGS    15

/* One write (or read) that does not block, whatever the file's flags say. */
static long move_once(struct file *file, bool write, void *data, size_t size,
                      off_t *offset)
{
    struct iovec one = {data, size};
    int flags = file->flags;

    file->flags |= O_NONBLOCK;
    long result = write ? file->ops->writev(file, &one, 1, offset)
                        : file->ops->readv(file, &one, 1, offset);
    file->flags = flags;
    return result;
}

/* After -EAGAIN: 0 to try again, or what the call returns. */
static long wait_for(struct file *file, uint32_t events, bool nonblocking,
                     size_t done)
{
    if (done)
        return (long)done;
    if (nonblocking)
        return -EAGAIN;
    return file_poll_block(file, events) < 0 ? -CORE_RESTART : 0;
}

/* From the pages of a file at *from; bytes moved or -errno. */
static long send_pages(struct file *in, off_t *from, struct file *out,
                       off_t *to, size_t size)
{
    size_t done = 0;

    while (done < size) {
        const void *data;
        long part = in->ops->data_at(in, *from, &data);
        if (part <= 0)
            return done ? (long)done : part;
        if ((size_t)part > size - done)
            part = (long)(size - done);
        long moved =
            move_once(out, true, (void *)(uintptr_t)data, (size_t)part, to);
        if (moved > 0) {
            done += (size_t)moved;
            *from += moved;
        } else if (moved == -EAGAIN) {
            if (out->flags & O_NONBLOCK)
                return done ? (long)done : -EAGAIN;
            if (file_poll_block(out, POLLOUT) < 0)
                return done ? (long)done : -CORE_RESTART;
        } else {
            return done ? (long)done : moved;
        }
    }
    return (long)done;
}

/* A place in a file that the application may have given by pointer. */
struct place {
    off_t value;
    off_t *at; /* value, or the file's own */
    long user;
};

static int place_in(struct place *place, struct file *file, long user)
{
    place->user = user;
    place->at = &file->offset;
    if (!user)
        return 0;
    place->at = &place->value;
    if (core_copy_in(&place->value, (const void *)user, sizeof(off_t)) < 0)
        return -EFAULT;
    return place->value < 0 ? -EINVAL : 0;
}

static long place_out(struct place *place, long result)
{
    if (result > 0 && place->user &&
        core_copy_out((void *)place->user, &place->value, sizeof(off_t)) < 0)
        return -EFAULT;
    return result;
}

static int both_get(long in_fd, long out_fd, struct file **in,
                    struct file **out)
{
    *in = file_slot(in_fd);
    *out = file_slot(out_fd);
    if (!*in || !*out || !file_readable(*in) || !file_writable(*out))
        return -EBADF;
    if (!(*in)->ops->readv || !(*out)->ops->writev)
        return -EINVAL;
    file_ref(*in);
    file_ref(*out);
    return 0;
}

static void both_put(struct file *in, struct file *out)
{
    file_unref(in);
    file_unref(out);
}

long core_sendfile(long a, long b, long c, long d)
{
    struct file *in, *out;
    struct place from = {0};
    size_t size = (size_t)d < FILE_TRANSFER_MAX ? (size_t)d : FILE_TRANSFER_MAX;

    if (d < 0)
        return -EINVAL;
    long result = both_get(b, a, &in, &out);
    if (result < 0)
        return result;
    result = place_in(&from, in, c);
    if (result == 0 && (!in->ops->data_at || (out->flags & O_APPEND)))
        result = -EINVAL;
    if (result == 0)
        result = send_pages(in, from.at, out, &out->offset, size);
    result = place_out(&from, result);
    both_put(in, out);
    return result;
}

long core_copy_file_range(long a, long b, long c, long d, long e, long f)
{
    struct file *in, *out;
    struct place from = {0}, to = {0};
    size_t size = (size_t)e < FILE_TRANSFER_MAX ? (size_t)e : FILE_TRANSFER_MAX;

    if (f != 0)
        return -EINVAL;
    long result = both_get(a, c, &in, &out);
    if (result < 0)
        return result;
    result = place_in(&from, in, b);
    if (result == 0)
        result = place_in(&to, out, d);
    if (result == 0 && (!in->ops->data_at || !out->ops->data_at))
        result = -EINVAL;
    if (result == 0 && (out->flags & O_APPEND))
        result = -EBADF;
    if (result == 0 && in->node && in->node == out->node &&
        *from.at < *to.at + (off_t)size && *to.at < *from.at + (off_t)size)
        result = -EINVAL;
    if (result == 0)
        result = send_pages(in, from.at, out, to.at, size);
    result = place_out(&from, result);
    result = place_out(&to, result);
    both_put(in, out);
    return result;
}

/* -- splice -- */

/* From a pipe to anything. */
static long splice_out(struct file *pipe, struct file *out, off_t *to,
                       size_t size, bool nonblocking)
{
    size_t done = 0;

    while (done < size) {
        const void *data;
        long result = pipe_data(pipe, &data);
        if (result == 0)
            break;
        if (result == -EAGAIN) {
            result = wait_for(pipe, POLLIN, nonblocking, done);
            if (result != 0)
                return result;
            continue;
        }
        size_t part =
            (size_t)result < size - done ? (size_t)result : size - done;
        result = move_once(out, true, (void *)(uintptr_t)data, part, to);
        if (result == -EAGAIN) {
            result = wait_for(out, POLLOUT,
                              (out->flags & O_NONBLOCK) ||
                                  (nonblocking && pipe_is(out)),
                              done);
            if (result != 0)
                return result;
            continue;
        }
        if (result < 0)
            return done ? (long)done : result;
        pipe_consume(pipe, (size_t)result);
        done += (size_t)result;
    }
    return (long)done;
}

/* From anything but a pipe to a pipe. */
static long splice_in(struct file *in, off_t *from, struct file *pipe,
                      size_t size, bool nonblocking)
{
    size_t done = 0;

    while (done < size) {
        void *space;
        long result = pipe_space(pipe, &space);
        if (result == -EAGAIN) {
            result = wait_for(pipe, POLLOUT, nonblocking, done);
            if (result != 0)
                return result;
            continue;
        }
        if (result < 0)
            return done ? (long)done : result;
        size_t part =
            (size_t)result < size - done ? (size_t)result : size - done;
        result = move_once(in, false, space, part, from);
        if (result == -EAGAIN) {
            result = wait_for(in, POLLIN, in->flags & O_NONBLOCK, done);
            if (result != 0)
                return result;
            continue;
        }
        if (result <= 0)
            return done ? (long)done : result;
        pipe_produce(pipe, (size_t)result);
        done += (size_t)result;
    }
    return (long)done;
}

static long splice_any(struct file *in, long from_user, struct file *out,
                       long to_user, size_t size, int flags)
{
    struct place from = {0}, to = {0};
    bool nonblocking = flags & SPLICE_NONBLOCK;

    if (!pipe_is(in) && !pipe_is(out))
        return -EINVAL;
    if ((from_user && !in->ops->lseek) || (to_user && !out->ops->lseek))
        return -ESPIPE;
    if (in->private == out->private && pipe_is(in) && pipe_is(out))
        return -EINVAL;
    if (out->flags & O_APPEND)
        return -EINVAL;
    long result = place_in(&from, in, from_user);
    if (result == 0)
        result = place_in(&to, out, to_user);
    if (result < 0)
        return result;
    if (pipe_is(in))
        result = splice_out(in, out, to.at, size,
                            nonblocking || (in->flags & O_NONBLOCK));
    else
        result = splice_in(in, from.at, out, size,
                           nonblocking || (out->flags & O_NONBLOCK));
    result = place_out(&from, result);
    return place_out(&to, result);
}

long core_splice(long a, long b, long c, long d, long e, long f)
{
    struct file *in, *out;
    size_t size = (size_t)e < FILE_TRANSFER_MAX ? (size_t)e : FILE_TRANSFER_MAX;

    if ((unsigned)f & ~SPLICE_FLAGS)
        return -EINVAL;
    if (size == 0)
        return 0;
    long result = both_get(a, c, &in, &out);
    if (result < 0)
        return result;
    result = splice_any(in, b, out, d, size, (int)f);
    both_put(in, out);
    return result;
}
