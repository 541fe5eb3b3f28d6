/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open directories: getdents64 and getdents.
 *
 * The position is the cookie of the last entry given: 1 is ".", 2 is "..",
 * entries have theirs, growing; from MADE on come the children that a node
 * makes on demand. An entry added or removed meanwhile moves no other.
 * Monitor held.
 */
#include <dirent.h>
#include <unistd.h>

#include "core/calls.h"
#include "core/file/node.h"
#include "core/file/table.h"

#define MADE (1ll << 48)

/* One entry, in the form of getdents64 or of getdents. */
struct record64 {
    uint64_t ino;
    int64_t next;
    uint16_t size;
    uint8_t type;
    char name[];
};

struct listing {
    char *at; /* the application's buffer */
    size_t room;
    size_t done;
    bool old; /* getdents: the type is the record's last byte */
};

/* False with *error if the entry does not go in. */
static bool emit(struct listing *list, uint64_t ino, int64_t next,
                 const char *name, size_t name_size, uint8_t type, int *error)
{
    /* The longest name and the largest head; a stack's worth. */
    union {
        struct record64 record;
        char bytes[24 + LIMIT_NAME_SIZE + 9];
    } out;
    size_t head = list->old ? 18 : 19;
    /* The old record: NUL, then the type in its last byte. */
    size_t size = (head + name_size + (list->old ? 2 : 1) + 7) & ~(size_t)7;

    *error = -EINVAL;
    if (size > list->room - list->done)
        return false;
    memset(&out, 0, size);
    out.record.ino = ino;
    out.record.next = next;
    out.record.size = (uint16_t)size;
    memcpy(out.bytes + head, name, name_size);
    if (list->old)
        out.bytes[size - 1] = (char)type;
    else
        out.record.type = type;
    *error = -EFAULT;
    if (core_copy_out(list->at + list->done, &out, size) < 0)
        return false;
    list->done += size;
    return true;
}

static uint8_t type_of(const struct file_node *node)
{
    return (uint8_t)(node->mode >> 12 & 15); /* DT_* are S_IF* >> 12 */
}

/* "." and ".." and the entries in memory. */
static bool list_entries(struct file *file, struct listing *list, int *error)
{
    struct file_node *node = file->node;

    if (file->offset < 1) {
        if (!emit(list, node->ino, 1, ".", 1, DT_DIR, error))
            return false;
        file->offset = 1;
    }
    if (file->offset < 2) {
        if (!emit(list, node_parent(node)->ino, 2, "..", 2, DT_DIR, error))
            return false;
        file->offset = 2;
    }
    list_for_each (item, &node->directory.children) {
        struct node_entry *entry =
            container_of(item, struct node_entry, siblings);
        if ((int64_t)entry->cookie <= file->offset)
            continue;
        if (!emit(list, entry->node->ino, (int64_t)entry->cookie, entry->name,
                  entry->name_size, type_of(entry->node), error))
            return false;
        file->offset = (off_t)entry->cookie;
    }
    return true;
}

static bool list_made(struct file *file, struct listing *list, int *error)
{
    struct file_node *node = file->node;
    char name[LIMIT_NAME_SIZE + 1];
    unsigned char type;

    if (file->offset < MADE)
        file->offset = MADE;
    for (;;) {
        uint64_t index = (uint64_t)(file->offset - MADE);
        if (!node->ops->list(node, index, name, &type))
            return true;
        if (!emit(list, 1, file->offset + 1, name, strlen(name), type, error))
            return false;
        file->offset++;
    }
}

static long listing_run(struct file *file, struct listing *list)
{
    int error = 0;

    if (file->node->directory.gone)
        return -ENOENT;
    bool all = file->offset >= MADE || list_entries(file, list, &error);
    if (all && file->node->ops && file->node->ops->list)
        list_made(file, list, &error);
    return list->done || !error ? (long)list->done : error;
}

static long directory_getdents(struct file *file, void *user, size_t size)
{
    struct listing list = {.at = user, .room = size};
    return listing_run(file, &list);
}

static long directory_readv(struct file *file, const struct iovec *iov,
                            int count, off_t *offset)
{
    return -EISDIR;
}

/* Back to the start, or to a cookie that telldir gave. */
static off_t directory_lseek(struct file *file, off_t offset, int whence)
{
    if (whence == SEEK_CUR)
        offset += file->offset;
    else if (whence != SEEK_SET)
        return -EINVAL;
    if (offset < 0)
        return -EINVAL;
    return file->offset = offset;
}

static int directory_sync(struct file *file)
{
    return 0;
}

const struct file_ops directory_ops = {
    .name = "directory",
    .readv = directory_readv,
    .lseek = directory_lseek,
    .getdents = directory_getdents,
    .sync = directory_sync,
};

long core_getdents64(long a, long b, long c)
{
    struct file *file = file_get((int)a);
    if (!file)
        return -EBADF;
    long result = -ENOTDIR;
    if (file->ops->getdents)
        result = file->ops->getdents(file, (void *)b, (unsigned)c);
    file_unref(file);
    return result;
}

long core_getdents(long a, long b, long c)
{
    struct listing list = {.at = (char *)b, .room = (unsigned)c, .old = true};
    struct file *file = file_get((int)a);
    if (!file)
        return -EBADF;
    long result = -ENOTDIR;
    if (file->ops == &directory_ops)
        result = listing_run(file, &list);
    file_unref(file);
    return result;
}
