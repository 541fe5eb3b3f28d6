/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fstat, kept apart from the tree: a program that only asks about its own
 * descriptors does not link it. Monitor held.
 */
#include "core/file/stat.h"

#include "core/calls.h"
#include "core/file/table.h"

void (*file_node_stat)(const struct file_node *node, struct stat *out);

int file_stat(struct file *file, struct stat *out)
{
    memset(out, 0, sizeof(*out));
    out->st_nlink = 1;
    out->st_blksize = LIMIT_PAGE_SIZE;
    if (file->node) {
        file_node_stat(file->node, out);
        return 0;
    }
    if (file->ops->stat)
        return file->ops->stat(file, out);
    /* Linux's anonymous inode: eventfd, epoll and the like. */
    out->st_mode = 0600;
    out->st_ino = 1;
    return 0;
}

long core_fstat(long a, long b)
{
    struct stat out;
    struct file *file = file_get_path((int)a);

    if (!file)
        return -EBADF;
    long result = file_stat(file, &out);
    file_unref(file);
    return result < 0 ? result : core_copy_out((void *)b, &out, sizeof(out));
}
