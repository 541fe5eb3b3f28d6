/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open regular files: of the tree and of memfd_create. Monitor held; nothing
 * here blocks.
 */
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/file/node.h"
#include "core/file/table.h"
#include "core/time/time.h"

/* fallocate's modes (linux/falloc.h). */
#define MODE_KEEP_SIZE  1
#define MODE_PUNCH_HOLE 2

/* Whether a memfd's seals forbid something (linux/fcntl.h's F_SEAL_*). */
static bool sealed(const struct file_node *node, unsigned seals)
{
    return node->seals != SEALS_NONE && (node->seals & seals);
}

static long regular_readv(struct file *file, const struct iovec *iov, int count,
                          off_t *offset)
{
    struct file_node *node = file->node;
    long result = content_read(&node->content, (uint64_t)*offset, iov, count);

    if (result > 0)
        *offset += result;
    /* As Linux's relatime: the first read after a change. */
    if (node->atime_ns <= node->mtime_ns && !(file->flags & O_NOATIME))
        node->atime_ns = time_wall_ns();
    return result;
}

static long regular_writev(struct file *file, const struct iovec *iov,
                           int count, off_t *offset)
{
    struct file_node *node = file->node;
    struct content *content = &node->content;

    if (file->flags & O_APPEND)
        *offset = (off_t)content->size;
    if (sealed(node, F_SEAL_WRITE | 0x10 /* F_SEAL_FUTURE_WRITE */))
        return -EPERM;
    if (sealed(node, F_SEAL_GROW) &&
        (uint64_t)*offset + file_iov_total(iov, count) > content->size)
        return -EPERM;
    long result = content_write(content, (uint64_t)*offset, iov, count);
    if (result > 0) {
        *offset += result;
        node_touch(node);
    }
    return result;
}

static off_t regular_lseek(struct file *file, off_t offset, int whence)
{
    const struct content *content = &file->node->content;
    off_t from = 0;

    switch (whence) {
    case SEEK_SET:
        break;
    case SEEK_CUR:
        from = file->offset;
        break;
    case SEEK_END:
        from = (off_t)content->size;
        break;
    default:
        if (offset < 0)
            return -ENXIO;
        offset = content_seek(content, (uint64_t)offset, whence == SEEK_DATA);
        if (offset < 0)
            return offset;
        break;
    }
    if (offset > 0 && from > INT64_MAX - offset)
        return -EOVERFLOW;
    if (from + offset < 0)
        return -EINVAL;
    return file->offset = from + offset;
}

static long regular_ioctl(struct file *file, unsigned long request,
                          long argument)
{
    if (request != FIONREAD)
        return -ENOTTY;
    off_t left = (off_t)file->node->content.size - file->offset;
    int size = left > INT32_MAX ? INT32_MAX : (int)left;
    return core_copy_out((void *)argument, &size, sizeof(size));
}

static int regular_truncate(struct file *file, off_t size)
{
    struct file_node *node = file->node;
    uint64_t old = node->content.size;

    if ((uint64_t)size < old && sealed(node, F_SEAL_SHRINK))
        return -EPERM;
    if ((uint64_t)size > old && sealed(node, F_SEAL_GROW))
        return -EPERM;
    int result = content_resize(&node->content, (uint64_t)size);
    if (result == 0)
        node_touch(node);
    return result;
}

static int regular_sync(struct file *file)
{
    return 0;
}

static int regular_fallocate(struct file *file, int mode, off_t offset,
                             off_t size)
{
    struct file_node *node = file->node;
    uint64_t end = (uint64_t)offset + (uint64_t)size;
    int result;

    if (mode & ~(MODE_KEEP_SIZE | MODE_PUNCH_HOLE))
        return -EOPNOTSUPP;
    if (sealed(node, F_SEAL_WRITE))
        return -EPERM;
    if (mode & MODE_PUNCH_HOLE) {
        if (!(mode & MODE_KEEP_SIZE))
            return -EOPNOTSUPP;
        result =
            content_punch(&node->content, (uint64_t)offset, (uint64_t)size);
    } else {
        if (end > node->content.size && sealed(node, F_SEAL_GROW))
            return -EPERM;
        result =
            content_reserve(&node->content, (uint64_t)offset, (uint64_t)size);
        if (result == 0 && !(mode & MODE_KEEP_SIZE) && end > node->content.size)
            result = content_resize(&node->content, end);
    }
    if (result == 0)
        node_touch(node);
    return result;
}

static long regular_data_at(struct file *file, off_t offset, const void **data)
{
    return (long)content_at(&file->node->content, (uint64_t)offset, data);
}

const struct file_ops regular_ops = {
    .name = "file",
    .readv = regular_readv,
    .writev = regular_writev,
    .lseek = regular_lseek,
    .ioctl = regular_ioctl,
    .stat = node_file_stat,
    .truncate = regular_truncate,
    .sync = regular_sync,
    .fallocate = regular_fallocate,
    .data_at = regular_data_at,
};
