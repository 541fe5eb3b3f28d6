/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a path to a node.
 *
 * A path is copied in once, to the end of a buffer. What is still to be
 * walked always lies at the end, so that a symbolic link's target is put
 * right before it and the walk goes on: no recursion, and one bound, the
 * buffer's start, for what targets add up to. Monitor held, nothing blocks:
 * so two buffers serve all calls.
 */
#include <unistd.h>

#include "core/calls.h"
#include "core/file/node.h"
#include "core/file/table.h"
#include "core/mem/mem.h"

/* Twice PATH_MAX: a whole path behind a whole target. */
#define BUFFER_SIZE (2 * LIMIT_PATH_SIZE)
#define PAGES       (2 * BUFFER_SIZE / LIMIT_PAGE_SIZE)

static char *buffers; /* two of them */
static struct file_node *working_directory;
static mode_t file_umask = 022;

void (*file_resolver_hook)(void);

struct walk {
    char *rest, *end;     /* what is still to be walked */
    char *start;          /* of the buffer */
    struct file_node *at; /* with a reference */
    unsigned links;       /* followed so far */
};

struct file_node *path_working_directory(void)
{
    return working_directory;
}

void path_set_working_directory(struct file_node *directory)
{
    node_ref(directory);
    node_put(working_directory);
    working_directory = directory;
}

mode_t path_umask(void)
{
    return file_umask;
}

long core_umask(long a)
{
    long old = (long)file_umask;
    file_umask = (mode_t)a & 0777;
    return old;
}

char *path_scratch(void)
{
    return buffers + BUFFER_SIZE;
}

static int tree_start(void)
{
    if (!buffers)
        buffers = mem_pages_get(MEM_CORE, PAGES);
    if (!buffers || !node_root())
        return -ENOMEM;
    if (!working_directory)
        working_directory = node_ref(node_root());
    return 0;
}

void path_put(struct path *path)
{
    if (path->parent)
        node_put(path->parent);
    if (path->node)
        node_put(path->node);
    if (path->file)
        file_put(path->file);
    path->parent = path->node = NULL;
    path->file = NULL;
}

/* Where a relative path begins, with a reference. */
static int walk_begin(struct walk *walk, int directory_fd)
{
    if (*walk->rest == '/') {
        walk->at = node_ref(node_root());
        return 0;
    }
    if (directory_fd == AT_FDCWD) {
        walk->at = node_ref(working_directory);
        return 0;
    }
    struct file *file = file_slot(directory_fd);
    if (!file)
        return -EBADF;
    if (!file->node || !node_is_directory(file->node))
        return -ENOTDIR;
    walk->at = node_ref(file->node);
    return 0;
}

static void walk_to(struct walk *walk, struct file_node *node)
{
    node_put(walk->at);
    walk->at = node;
}

/* Puts a link's target before the rest; the walk goes on from the directory
 * it is at, or the root. */
static int walk_link(struct walk *walk, struct file_node *link)
{
    char *scratch = walk->start;
    size_t room = (size_t)(walk->rest - walk->start);
    long size;

    if (++walk->links > LIMIT_SYMLINKS)
        return -ELOOP;
    if (link->ops && link->ops->readlink) {
        size = link->ops->readlink(link, scratch, room);
        if (size < 0)
            return (int)size;
    } else {
        size = (long)link->link.size;
    }
    if (size == 0)
        return -ENOENT;
    if ((size_t)size + 1 > room)
        return -ENAMETOOLONG;
    /* The rest keeps the slashes before it, or is empty. */
    walk->rest -= size;
    memmove(walk->rest,
            link->ops && link->ops->readlink ? scratch : link->link.target,
            (size_t)size);
    if (*walk->rest == '/')
        walk_to(walk, node_ref(node_root()));
    return 0;
}

/* The child's node, or NULL with 0 if there is none, or -errno. */
static int child_of(struct walk *walk, const char *name, size_t size,
                    struct file_node **out)
{
    int error = 0;
    *out = NULL;
    if (!node_is_directory(walk->at))
        return -ENOTDIR;
    if (size > LIMIT_NAME_SIZE)
        return -ENAMETOOLONG;
    if (size == 1 && name[0] == '.')
        *out = node_ref(walk->at);
    else if (size == 2 && name[0] == '.' && name[1] == '.')
        *out = node_ref(node_parent(walk->at));
    else
        *out = node_lookup(walk->at, name, size, &error);
    return error;
}

/* The last name was found, or not: fills *out. Returns 1 if a symbolic link
 * is to be followed first. */
static int walk_last(struct walk *walk, unsigned flags, struct file_node *node,
                     struct path *out)
{
    bool follow = (flags & PATH_FOLLOW) || out->slash;

    if ((flags & PATH_CREATE) && out->slash) {
        if (node)
            node_put(node);
        return -EISDIR;
    }
    if (node && S_ISLNK(node->mode) && follow) {
        struct file *magic =
            node->ops && node->ops->magic ? node->ops->magic(node) : NULL;
        if (!magic) {
            int error = walk_link(walk, node);
            node_put(node);
            return error < 0 ? error : 1;
        }
        out->file = file_ref(magic);
        struct file_node *target = magic->node ? node_ref(magic->node) : NULL;
        node_put(node);
        node = target;
        if (!node && !out->slash && !(flags & PATH_DIRECTORY))
            return 0;
    }
    if (!node && !(flags & PATH_PARENT))
        return out->file ? -ENOTDIR : -ENOENT;
    out->node = node;
    if (node && (out->slash || (flags & PATH_DIRECTORY)) &&
        !node_is_directory(node))
        return -ENOTDIR;
    out->parent = walk->at;
    walk->at = NULL;
    return 0;
}

/* Takes the next name off the rest. */
static size_t next_name(struct walk *walk, const char **name, bool *last,
                        bool *slash)
{
    while (walk->rest < walk->end && *walk->rest == '/')
        walk->rest++;
    *name = walk->rest;
    while (walk->rest < walk->end && *walk->rest != '/')
        walk->rest++;
    size_t size = (size_t)(walk->rest - *name);
    const char *after = walk->rest;
    while (after < walk->end && *after == '/')
        after++;
    *last = after == walk->end;
    *slash = *last && after != walk->rest;
    return size;
}

/* A link in the middle of a path, followed through an open file. */
static int walk_middle(struct walk *walk, struct file_node *node)
{
    struct file *magic = NULL;

    if (!S_ISLNK(node->mode)) {
        walk_to(walk, node);
        return 0;
    }
    if (node->ops && node->ops->magic)
        magic = node->ops->magic(node);
    int error = 0;
    if (!magic)
        error = walk_link(walk, node);
    else if (!magic->node)
        error = -ENOTDIR;
    else
        walk_to(walk, node_ref(magic->node));
    node_put(node);
    return error;
}

static int walk_all(struct walk *walk, unsigned flags, struct path *out)
{
    for (;;) {
        struct file_node *node;
        bool last;
        size_t size = next_name(walk, &out->name, &last, &out->slash);
        if (size == 0) { /* "/": no name left */
            if (!node_is_directory(walk->at))
                return -ENOTDIR;
            out->node = walk->at;
            walk->at = NULL;
            out->dots = true;
            return 0;
        }
        int result = child_of(walk, out->name, size, &node);
        if (result < 0)
            return result;
        if (last) {
            out->name_size = size;
            out->dots = out->name[0] == '.' &&
                        (size == 1 || (size == 2 && out->name[1] == '.'));
            result = walk_last(walk, flags, node, out);
            if (result != 1)
                return result;
            continue;
        }
        if (!node)
            return -ENOENT;
        result = walk_middle(walk, node);
        if (result < 0)
            return result;
    }
}

/* AT_EMPTY_PATH with "": the descriptor itself. */
static int path_descriptor(int directory_fd, unsigned flags, struct path *out)
{
    if (directory_fd == AT_FDCWD) {
        out->node = node_ref(working_directory);
        return 0;
    }
    out->file = file_get_path(directory_fd);
    if (!out->file)
        return -EBADF;
    if (out->file->node)
        out->node = node_ref(out->file->node);
    if ((flags & PATH_DIRECTORY) &&
        (!out->node || !node_is_directory(out->node))) {
        path_put(out);
        return -ENOTDIR;
    }
    return 0;
}

/* Walks what lies at the end of the buffer, size bytes. */
static int path_walk(int directory_fd, char *buffer, size_t size,
                     unsigned flags, struct path *out)
{
    struct walk walk = {.start = buffer,
                        .end = buffer + BUFFER_SIZE,
                        .rest = buffer + BUFFER_SIZE - size};

    int result = walk_begin(&walk, directory_fd);
    if (result < 0)
        return result;
    result = walk_all(&walk, flags, out);
    if (walk.at)
        node_put(walk.at);
    if (result < 0)
        path_put(out);
    return result;
}

int path_find(int directory_fd, const char *user_path, unsigned flags,
              struct path *out)
{
    memset(out, 0, sizeof(*out));
    int result = tree_start();
    if (result < 0)
        return result;
    char *buffer = flags & PATH_SECOND ? buffers + BUFFER_SIZE : buffers;
    long size = core_copy_string(buffer, user_path, LIMIT_PATH_SIZE);
    /* Not for the second path of a call: the first is in a buffer then. */
    if (size > 0 && file_resolver_hook && !(flags & PATH_SECOND) &&
        strcmp(buffer, "/etc/resolv.conf") == 0) {
        /* It may wait, and others may use the buffer meanwhile. */
        void (*hook)(void) = file_resolver_hook;
        file_resolver_hook = NULL;
        hook();
        size = core_copy_string(buffer, user_path, LIMIT_PATH_SIZE);
    }
    if (size < 0)
        return (int)size;
    if (size == 0)
        return flags & PATH_EMPTY ? path_descriptor(directory_fd, flags, out)
                                  : -ENOENT;
    memmove(buffer + BUFFER_SIZE - size, buffer, (size_t)size);
    return path_walk(directory_fd, buffer, (size_t)size, flags, out);
}

int path_find_core(const char *path, unsigned flags, struct path *out)
{
    size_t size = strlen(path);

    memset(out, 0, sizeof(*out));
    ASSERT(size > 0 && size < LIMIT_PATH_SIZE);
    int result = tree_start();
    if (result < 0)
        return result;
    char *buffer = buffers + BUFFER_SIZE;
    memcpy(buffer + BUFFER_SIZE - size, path, size);
    return path_walk(AT_FDCWD, buffer, size, flags, out);
}
