/* SPDX-License-Identifier: BSD-3-Clause */
/* memfd_create: a regular file without a name, and its seals. Monitor held. */
#include <sys/mman.h>

#include "core/calls.h"
#include "core/file/node.h"
#include "core/file/stat.h"
#include "core/file/table.h"

#define NAME_MAX_MEMFD 249 /* memfd_create(2) */
#define SEALS_ALL      0x1f

static long memfd_seals(struct file *file, long seals)
{
    struct file_node *node = file->node;

    if (!node || node->seals == SEALS_NONE)
        return -EINVAL;
    if (seals < 0)
        return node->seals;
    if (seals & ~SEALS_ALL)
        return -EINVAL;
    if (!file_writable(file) || (node->seals & F_SEAL_SEAL))
        return -EPERM;
    node->seals |= (uint8_t)seals;
    return 0;
}

long core_memfd_create(long a, long b)
{
    char name[NAME_MAX_MEMFD + 1];
    unsigned flags = (unsigned)b;

    if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING))
        return -EINVAL;
    long size = core_copy_string(name, (const char *)a, sizeof(name));
    if (size < 0)
        return size == -ENAMETOOLONG ? -EINVAL : size;
    if (!node_root()) /* sets the hooks that any node needs */
        return -ENOMEM;
    struct file_node *node = node_new(S_IFREG | 0777);
    if (!node)
        return -ENOMEM;
    node->seals = flags & MFD_ALLOW_SEALING ? 0 : F_SEAL_SEAL;
    struct file *file = file_new(&regular_ops, O_RDWR | O_LARGEFILE, NULL);
    if (!file) {
        node_put(node);
        return file_new_error();
    }
    file->node = node;
    file_seals = memfd_seals;
    return file_install(file, 0, flags & MFD_CLOEXEC ? O_CLOEXEC : 0);
}
