/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fills the tree from the initrd, a tar archive. Names and contents are not
 * copied: nodes point into the archive, which stays readable for ever.
 *
 * An archive that is broken somewhere is believed up to there, and a line on
 * the console says so. Called once, by node_root(). Monitor held.
 */
#include <sys/sysmacros.h>

#include "core/file/node.h"
#include "core/file/ustar.h"

static bool is_dots(const char *name, size_t size)
{
    return size == 2 && name[0] == '.' && name[1] == '.';
}

/* Goes down from *at (whose reference it takes over) into the directories
 * that text names, making what is missing. If last is not NULL, the last name
 * is not gone into but returned. 0, or -errno with *at put. */
static int descend(struct file_node **at, struct ustar_text path,
                   struct ustar_text *last)
{
    while (path.size > 0) {
        const char *slash = memchr(path.at, '/', path.size);
        struct ustar_text name = {path.at, slash ? (size_t)(slash - path.at)
                                                 : path.size};
        size_t skip = name.size + (slash ? 1 : 0);
        path.at += skip;
        path.size -= skip;
        if (name.size == 0 || (name.size == 1 && name.at[0] == '.'))
            continue;
        /* Only slashes may follow the last name. */
        bool more = false;
        for (size_t i = 0; i < path.size; i++)
            more |= path.at[i] != '/';
        struct file_node *next = NULL;
        int error = -EINVAL;
        if (is_dots(name.at, name.size))
            goto fail;
        if (last && !more) {
            *last = name;
            return 0;
        }
        next = node_lookup(*at, name.at, name.size, &error);
        if (!next) {
            if (error < 0)
                goto fail;
            error = -ENOMEM;
            next = node_new(S_IFDIR | 0755);
            if (!next)
                goto fail;
            error = node_link(*at, name.at, name.size, next, true);
            if (error < 0)
                goto fail;
        }
        error = -ENOTDIR;
        if (!node_is_directory(next))
            goto fail;
        node_put(*at);
        *at = next;
        continue;
    fail:
        if (next)
            node_put(next);
        node_put(*at);
        *at = NULL;
        return error;
    }
    return 0;
}

/* The directory that a path's last name is in, with a reference. name stays
 * empty for the root itself. */
static int find_parent(struct ustar_text prefix, struct ustar_text path,
                       struct file_node **directory, struct ustar_text *name)
{
    static const struct ustar_text empty = {"", 0};

    *name = empty;
    *directory = node_ref(node_root());
    int error = descend(directory, prefix, NULL);
    if (error == 0)
        error = descend(directory, path, name);
    return error;
}

/* The target of a hard link, with a reference; NULL if there is none that can
 * be linked. */
static struct file_node *hard_link_target(struct ustar_text path)
{
    static const struct ustar_text empty = {"", 0};
    struct file_node *directory, *node;
    struct ustar_text name;
    int error;

    if (find_parent(empty, path, &directory, &name) < 0)
        return NULL;
    node =
        name.size ? node_lookup(directory, name.at, name.size, &error) : NULL;
    node_put(directory);
    if (node && node_is_directory(node)) {
        node_put(node);
        return NULL;
    }
    return node;
}

/* A node for a member, with a reference; NULL if there is none to make, with
 * *error set if that is worth a word. */
static struct file_node *make_node(const struct ustar_member *member,
                                   int *error)
{
    static const mode_t formats[] = {S_IFREG, 0,       S_IFLNK, S_IFCHR,
                                     S_IFBLK, S_IFDIR, S_IFIFO};
    mode_t mode = formats[member->type - '0'] | (member->mode & 07777);
    struct file_node *node;

    *error = -ENOENT;
    if (member->type == '1')
        return hard_link_target(member->link);
    dev_t device = makedev(member->major, member->minor);
    const struct file_ops *device_ops = NULL;
    *error = 0;
    if (member->type == '3' || member->type == '4') {
        mode_t known = mode;
        device_ops = device_find(device, &known);
        if (!device_ops)
            return NULL; /* no such device here: left out, as under Linux it
                            would only answer ENXIO */
    }
    *error = -ENOMEM;
    node = node_new(mode);
    if (!node)
        return NULL;
    node->uid = member->uid;
    node->gid = member->gid;
    if (device_ops) {
        node->rdev = device;
        node->device = device_ops;
    } else if (member->type == '0') {
        node->content.base = member->data;
        node->content.size = node->content.base_size = member->size;
    } else if (member->type == '2') {
        *error = node_target(node, member->link.at, member->link.size, true);
        if (*error < 0) {
            node_put(node);
            return NULL;
        }
    }
    return node;
}

/* What is already there gives way, but for a directory that stays one. */
static int make_way(struct file_node *directory, struct ustar_text name,
                    const struct ustar_member *member, bool *done)
{
    struct node_entry *old = node_entry(directory, name.at, name.size);

    *done = false;
    if (!old)
        return 0;
    if (!node_is_directory(old->node)) {
        node_unlink(old);
        return 0;
    }
    if (member->type != '5')
        return -EISDIR;
    old->node->mode = S_IFDIR | (member->mode & 07777);
    old->node->uid = member->uid;
    old->node->gid = member->gid;
    *done = true;
    return 0;
}

static int add(const struct ustar_member *member)
{
    struct file_node *directory, *node;
    struct ustar_text name;
    bool done;

    int error = find_parent(member->prefix, member->name, &directory, &name);
    if (error < 0)
        return error;
    node = NULL;
    if (name.size == 0) { /* "./": the root */
        if (member->type == '5')
            directory->mode = S_IFDIR | (member->mode & 07777);
        goto out;
    }
    error = -ENAMETOOLONG;
    if (name.size > LIMIT_NAME_SIZE)
        goto out;
    node = make_node(member, &error);
    if (!node)
        goto out;
    error = make_way(directory, name, member, &done);
    if (error < 0 || done)
        goto out;
    error = node_link(directory, name.at, name.size, node, true);
    if (member->type != '1') {
        node->mtime_ns = node->atime_ns = node->ctime_ns =
            member->mtime < UINT64_MAX / 1000000000u
                ? member->mtime * 1000000000u
                : 0;
        node->archived = true;
    }
out:
    if (node)
        node_put(node);
    node_put(directory);
    return error;
}

int ustar_unpack(const void *archive, size_t size)
{
    struct ustar reader = {.archive = archive, .size = size};
    struct ustar_member member;
    unsigned refused = 0;
    int result;

    while ((result = ustar_next(&reader, &member)) > 0) {
        int error = add(&member);
        if (error == -ENOMEM || error == -ENOSPC)
            return -ENOMEM;
        refused += error < 0;
    }
    if (result < 0)
        core_log("halvm: warning: the initrd is broken at byte %zu\n"
                 "  why: %s\n"
                 "  fix: make it anew, with tar --format=ustar\n",
                 reader.offset, reader.error);
    if (refused)
        core_log("halvm: warning: %u members of the initrd were left out\n"
                 "  why: a name with \"..\" or a file where a folder is meant\n"
                 "  fix: pack it from inside its folder, with tar -C DIR .\n",
                 refused);
    return 0;
}
