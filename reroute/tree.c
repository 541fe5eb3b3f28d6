/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tree of files in memory, the ready-made provider of halvm/file.h: nodes,
 * their names, and the program's own way to them. Open files: tree_open.c.
 *
 * One lock for all trees: what is done under it is a look-up and a copy.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reroute/tree.h"

#define PATH_PARTS_MAX 128 /* directories below each other */

pthread_mutex_t tree_lock = PTHREAD_MUTEX_INITIALIZER;

/* -- bytes -- */

int tree_grow(unsigned char **data, size_t *room, size_t size)
{
    size_t wanted = *room ? *room : 64;
    unsigned char *more;

    if (size <= *room)
        return 0;
    while (wanted < size)
        wanted *= 2;
    more = realloc(*data, wanted);
    if (!more)
        return -ENOSPC;
    memset(more + *room, 0, wanted - *room);
    *data = more;
    *room = wanted;
    return 0;
}

long tree_copy(void *to, size_t size, const unsigned char *data,
               size_t data_size, off_t offset)
{
    if (offset < 0 || (uint64_t)offset >= data_size)
        return 0;
    if (size > data_size - (size_t)offset)
        size = data_size - (size_t)offset;
    memcpy(to, data + offset, size);
    return (long)size;
}

/* -- nodes; all with the lock -- */

static struct node *node_new(struct halvm_tree *tree, const char *name,
                             size_t name_size, mode_t mode)
{
    struct node *node = calloc(1, sizeof *node + name_size + 1);

    if (!node)
        return NULL;
    memcpy(node->name, name, name_size);
    node->tree = tree;
    node->inode = ++tree->last_inode;
    node->mode = mode;
    node->references = 1;
    tree_touch(node);
    return node;
}

void tree_node_put(struct node *node)
{
    if (--node->references > 0)
        return;
    free(node->data);
    free(node);
}

static struct node *child_of(const struct node *directory, const char *name,
                             size_t size)
{
    for (struct node *node = directory->children; node; node = node->next)
        if (strncmp(node->name, name, size) == 0 && node->name[size] == '\0')
            return node;
    return NULL;
}

/* The node at path, or NULL; *parent and *last are where it would be. */
struct node *tree_find(struct halvm_tree *tree, const char *path,
                       struct node **parent, const char **last)
{
    struct node *node = tree->root;

    *parent = NULL;
    while (*path) {
        size_t size = strcspn(path, "/");

        if (!node || !S_ISDIR(node->mode)) {
            *parent = NULL;
            return NULL;
        }
        *parent = node;
        *last = path;
        node = child_of(node, path, size);
        path += size;
        path += *path == '/';
        if (!node && *path)
            *parent = NULL; /* a directory above is missing */
        if (!node)
            return NULL;
    }
    return node;
}

static struct node *look(struct halvm_tree *tree, const char *path)
{
    struct node *parent;
    const char *last;

    return tree_find(tree, path, &parent, &last);
}

static void link_node(struct node *parent, struct node *node)
{
    struct node **at = &parent->children;

    while (*at) /* at the end, so that lists keep their order */
        at = &(*at)->next;
    node->next = NULL;
    *at = node;
    tree_touch(parent);
}

static void unlink_node(struct node *parent, struct node *node)
{
    struct node **at = &parent->children;

    while (*at && *at != node)
        at = &(*at)->next;
    if (*at)
        *at = node->next;
    tree_touch(parent);
}

/* Makes a node under its parent. */
int tree_make(struct node *parent, const char *name, mode_t mode,
              struct node **out)
{
    size_t size = strlen(name);

    if (!parent)
        return -ENOENT;
    if (size == 0 || size > HALVM_FILE_NAME_MAX || strchr(name, '/'))
        return size > HALVM_FILE_NAME_MAX ? -ENAMETOOLONG : -EINVAL;
    *out = node_new(parent->tree, name, size, mode);
    if (!*out)
        return -ENOSPC;
    link_node(parent, *out);
    return 0;
}

/* The program's own way: directories above are made. */
static int make_all(struct halvm_tree *tree, const char *path, mode_t mode,
                    struct node **out)
{
    struct node *node = tree->root;
    int parts = 0;

    while (*path) {
        size_t size = strcspn(path, "/");
        struct node *child = child_of(node, path, size);
        bool last = path[size] == '\0';

        if (!S_ISDIR(node->mode))
            return -ENOTDIR;
        if (size == 0 || size > HALVM_FILE_NAME_MAX || ++parts > PATH_PARTS_MAX)
            return -EINVAL;
        if (!child) {
            child = node_new(tree, path, size, last ? mode : S_IFDIR | 0555);
            if (!child)
                return -ENOMEM;
            if (!last && (tree->flags & HALVM_TREE_WRITABLE))
                child->mode |= 0200;
            link_node(node, child);
        }
        node = child;
        path += size + !last;
    }
    *out = node;
    return 0;
}

void tree_tell(struct halvm_tree *tree, int change, const char *path,
               const char *other)
{
    struct halvm_event event = {
        .kind = HALVM_FILE_CHANGE, .fd = -1, .number = {change}};
    size_t size = strlen(path);
    char *both;

    if (!tree->service)
        return;
    both = malloc(size + 2 + strlen(other));
    if (!both)
        return;
    memcpy(both, path, size + 1);
    strcpy(both + size + 1, other);
    if (*other)
        size += 1 + strlen(other);
    service_post(tree->service, &event, both, size);
    free(both);
}

/* -- the provider: names -- */

static int tree_stat(void *context, const char *path, struct stat *out)
{
    struct node *node;

    pthread_mutex_lock(&tree_lock);
    node = look(context, path);
    if (node) {
        out->st_mode = node->mode;
        out->st_size = (off_t)node->size;
        out->st_ino = node->inode;
        out->st_mtim = node->changed;
    }
    pthread_mutex_unlock(&tree_lock);
    return node ? 0 : -ENOENT;
}

static int tree_list(void *context, const char *path, size_t index,
                     char name[HALVM_FILE_NAME_MAX + 1], mode_t *mode)
{
    struct node *node;

    pthread_mutex_lock(&tree_lock);
    node = look(context, path);
    node = node ? node->children : NULL;
    while (node && index-- > 0)
        node = node->next;
    if (node) {
        strcpy(name, node->name);
        *mode = node->mode;
    }
    pthread_mutex_unlock(&tree_lock);
    return node != NULL;
}

static int tree_make_directory(void *context, const char *path, mode_t mode)
{
    struct halvm_tree *tree = context;
    struct node *parent, *node;
    const char *last;
    int result;

    if (!tree_writable(tree))
        return -EROFS;
    pthread_mutex_lock(&tree_lock);
    if (tree_find(tree, path, &parent, &last))
        result = -EEXIST;
    else
        result = tree_make(parent, parent ? last : "", S_IFDIR | mode, &node);
    pthread_mutex_unlock(&tree_lock);
    if (result == 0)
        tree_tell(tree, HALVM_FILE_MADE, path, "");
    return result;
}

static int remove_node(struct halvm_tree *tree, const char *path)
{
    struct node *parent, *node;
    const char *last;
    int result = 0;

    pthread_mutex_lock(&tree_lock);
    node = tree_find(tree, path, &parent, &last);
    if (!node)
        result = -ENOENT;
    else if (!parent)
        result = -EBUSY;
    else if (node->children)
        result = -ENOTEMPTY;
    if (result == 0) {
        unlink_node(parent, node);
        tree_node_put(node);
    }
    pthread_mutex_unlock(&tree_lock);
    return result;
}

static int tree_remove(void *context, const char *path, int directory)
{
    struct halvm_tree *tree = context;
    int result = tree_writable(tree) ? remove_node(tree, path) : -EROFS;

    (void)directory;
    if (result == 0)
        tree_tell(tree, HALVM_FILE_REMOVED, path, "");
    return result;
}

/* The node gets a new name: a new node takes over what the old one has. */
static int move_node(struct halvm_tree *tree, const char *from, const char *to)
{
    struct node *old_parent, *new_parent, *old, *new, *moved;
    const char *last;
    int result;

    old = tree_find(tree, from, &old_parent, &last);
    if (!old || !old_parent)
        return -ENOENT;
    new = tree_find(tree, to, &new_parent, &last);
    if (new &&new->children)
        return -ENOTEMPTY;
    if (!new_parent)
        return -ENOENT;
    if (old->references > 1)
        return -EBUSY; /* it is open, by its name */
    result = tree_make(new_parent, last, old->mode, &moved);
    if (result < 0)
        return result;
    if (new) {
        unlink_node(new_parent, new);
        tree_node_put(new);
    }
    moved->children = old->children;
    moved->data = old->data;
    moved->size = old->size;
    moved->room = old->room;
    moved->served = old->served;
    moved->inode = old->inode;
    moved->changed = old->changed;
    old->data = NULL;
    unlink_node(old_parent, old);
    tree_node_put(old);
    return 0;
}

static int tree_rename(void *context, const char *from, const char *to)
{
    struct halvm_tree *tree = context;
    int result = -EROFS;

    if (tree_writable(tree)) {
        pthread_mutex_lock(&tree_lock);
        result = move_node(tree, from, to);
        pthread_mutex_unlock(&tree_lock);
    }
    if (result == 0)
        tree_tell(tree, HALVM_FILE_MOVED, from, to);
    return result;
}

int tree_resize(struct node *node, off_t size)
{
    int result;

    if (size > FILE_SIZE_MAX)
        return -EFBIG;
    result = tree_grow(&node->data, &node->room, (size_t)size);
    if (result < 0)
        return result;
    if ((size_t)size < node->size)
        memset(node->data + size, 0, node->size - (size_t)size);
    node->size = (size_t)size;
    tree_touch(node);
    return 0;
}

static int tree_truncate(void *context, const char *path, off_t size)
{
    struct node *node;
    int result = -ENOENT;

    pthread_mutex_lock(&tree_lock);
    node = look(context, path);
    if (node)
        result = node->served ? 0 : tree_resize(node, size);
    pthread_mutex_unlock(&tree_lock);
    return result;
}

/* -- the program's own way -- */

struct halvm_tree *halvm_tree_new(struct halvm_service *service, int flags)
{
    struct halvm_tree *tree = calloc(1, sizeof *tree);

    if (!tree)
        return NULL;
    tree->root = node_new(tree, "", 0, S_IFDIR | 0555);
    if (!tree->root) {
        free(tree);
        return NULL;
    }
    if (flags & HALVM_TREE_WRITABLE)
        tree->root->mode |= 0200;
    tree->flags = flags;
    tree->service = service;
    if (service)
        service_ref(service);
    tree->provider = (struct halvm_file_provider){
        .name = "tree",
        .stat = tree_stat,
        .open = tree_open,
        .read = tree_read,
        .write = tree_write,
        .sync = tree_sync,
        .close = tree_close,
        .list = tree_list,
        .truncate = tree_truncate,
        .make_directory = tree_make_directory,
        .remove = tree_remove,
        .rename = tree_rename,
        .service = service,
    };
    return tree;
}

long halvm_tree_mount(struct halvm_tree *tree, const char *path)
{
    return halvm_file_mount(path, &tree->provider, tree);
}

/* A file's permissions; written only in a tree that can be. */
static mode_t file_mode(const struct halvm_tree *tree, mode_t mode)
{
    mode &= 07777;
    return S_IFREG | (tree_writable(tree) ? mode : mode & ~(mode_t)0222);
}

int halvm_tree_put(struct halvm_tree *tree, const char *path, const void *data,
                   size_t size, mode_t mode)
{
    struct node *node;
    int result;

    if (size > (size_t)FILE_SIZE_MAX)
        return -EINVAL;
    pthread_mutex_lock(&tree_lock);
    result = make_all(tree, path, file_mode(tree, mode), &node);
    /* A tree that is empty may as well be a file. */
    if (result == 0 && S_ISDIR(node->mode) &&
        (node != tree->root || node->children))
        result = -EISDIR;
    if (result == 0) {
        result = tree_resize(node, (off_t)size);
        if (result == 0 && size > 0)
            memcpy(node->data, data, size);
        node->mode = file_mode(tree, mode);
        node->served = false;
    }
    pthread_mutex_unlock(&tree_lock);
    return result;
}

int halvm_tree_directory(struct halvm_tree *tree, const char *path, mode_t mode)
{
    struct node *node;
    int result;

    pthread_mutex_lock(&tree_lock);
    result = make_all(tree, path, S_IFDIR | (mode & 07777), &node);
    if (result == 0 && !S_ISDIR(node->mode))
        result = -ENOTDIR;
    pthread_mutex_unlock(&tree_lock);
    return result;
}

int halvm_tree_serve(struct halvm_tree *tree, const char *path, mode_t mode)
{
    struct node *node;
    int result;

    if (!tree->service || path[0] == '\0')
        return -EINVAL;
    pthread_mutex_lock(&tree_lock);
    result = make_all(tree, path, S_IFREG | (mode & 07777), &node);
    if (result == 0 && S_ISDIR(node->mode))
        result = -EISDIR;
    if (result == 0) {
        node->mode = S_IFREG | (mode & 07777);
        node->served = true;
        node->size = 0;
    }
    pthread_mutex_unlock(&tree_lock);
    return result;
}

int halvm_tree_remove(struct halvm_tree *tree, const char *path)
{
    return remove_node(tree, path);
}

long halvm_tree_get(struct halvm_tree *tree, const char *path, void *buffer,
                    size_t size, off_t offset)
{
    struct node *node;
    long result = -ENOENT;

    pthread_mutex_lock(&tree_lock);
    node = look(tree, path);
    if (node && S_ISDIR(node->mode))
        result = -EISDIR;
    else if (node)
        result = tree_copy(buffer, size, node->data, node->size, offset);
    pthread_mutex_unlock(&tree_lock);
    return result;
}
