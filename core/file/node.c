/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Nodes of the tree and the names that lead to them (core/file/node.h).
 *
 * Names are found through one hash table over (directory, name), which
 * doubles as the tree grows; a directory keeps its entries in a list in the
 * order they were made, which getdents64 walks. Monitor held.
 */
#include "core/file/node.h"

#include <dirent.h>
#include <sys/sysmacros.h>

#include "core/file/stat.h"
#include "core/file/table.h"
#include "core/mem/mem.h"
#include "core/time/time.h"

#define LINKS_MAX 65000 /* hard links, as ext4 has it */

struct long_name {
    char bytes[LIMIT_NAME_SIZE + 1];
};

static struct mem_pool node_pool =
    MEM_POOL(struct file_node, MEM_CORE, UINT32_MAX);
static struct mem_pool entry_pool =
    MEM_POOL(struct node_entry, MEM_CORE, UINT32_MAX);
static struct mem_pool name_pool =
    MEM_POOL(struct long_name, MEM_CORE, UINT32_MAX);

static struct list *buckets;
static uint32_t bucket_count; /* a power of two */
static uint32_t entry_count;
static uint64_t last_ino;
static struct file_node *root;

#define BUCKETS_PER_PAGE ((uint32_t)(LIMIT_PAGE_SIZE / sizeof(struct list)))

/* -- the hash of names -- */

static uint32_t hash_of(const struct file_node *directory, const char *name,
                        size_t size)
{
    /* FNV-1a over the name, begun with the directory's number. */
    uint32_t hash = 2166136261u ^ (uint32_t)directory->ino * 2654435761u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    return hash ^ hash >> 15;
}

/* Doubles the table; if there is no memory the old one serves on. */
static int buckets_grow(void)
{
    uint32_t count = bucket_count ? bucket_count * 2 : BUCKETS_PER_PAGE;
    struct list *bigger = mem_pages_get(MEM_CORE, count / BUCKETS_PER_PAGE);

    if (!bigger)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        list_init(&bigger[i]);
    for (uint32_t i = 0; i < bucket_count; i++) {
        list_for_each (item, &buckets[i]) {
            struct node_entry *entry =
                container_of(item, struct node_entry, hash);
            list_remove(item);
            list_append(&bigger[entry->hash_value & (count - 1)], item);
        }
    }
    if (buckets)
        mem_pages_put(MEM_CORE, buckets, bucket_count / BUCKETS_PER_PAGE);
    buckets = bigger;
    bucket_count = count;
    return 0;
}

struct node_entry *node_entry(struct file_node *directory, const char *name,
                              size_t size)
{
    uint32_t hash = hash_of(directory, name, size);

    list_for_each (item, &buckets[hash & (bucket_count - 1)]) {
        struct node_entry *entry = container_of(item, struct node_entry, hash);
        if (entry->hash_value == hash && entry->directory == directory &&
            entry->name_size == size && memcmp(entry->name, name, size) == 0)
            return entry;
    }
    return NULL;
}

struct file_node *node_lookup(struct file_node *directory, const char *name,
                              size_t size, int *error)
{
    *error = 0;
    struct node_entry *entry = node_entry(directory, name, size);
    if (entry)
        return node_ref(entry->node);
    if (directory->ops && directory->ops->lookup)
        return directory->ops->lookup(directory, name, size, error);
    return NULL;
}

/* -- nodes -- */

struct file_node *node_new(mode_t mode)
{
    struct file_node *node = mem_pool_get(&node_pool);
    if (!node)
        return NULL;
    node->references = 1;
    node->mode = mode;
    node->seals = SEALS_NONE;
    node->ino = ++last_ino;
    node->atime_ns = node->mtime_ns = node->ctime_ns = time_wall_ns();
    list_init(&node->names);
    if (S_ISDIR(mode)) {
        list_init(&node->directory.children);
        node->directory.cookie_next = 3; /* after "." and ".." */
        node->links = 1;                 /* its own "." */
    }
    return node;
}

struct file_node *node_ref(struct file_node *node)
{
    ASSERT(node->references > 0);
    node->references++;
    return node;
}

static void target_free(struct file_node *node)
{
    if (!node->target_owned)
        return;
    void *target = (void *)(uintptr_t)node->link.target;
    if (node->link.size <= sizeof(struct long_name))
        mem_pool_put(&name_pool, target);
    else
        mem_pages_put(MEM_CORE, target, 1);
}

void node_put(struct file_node *node)
{
    ASSERT(node->references > 0);
    if (--node->references > 0)
        return;
    ASSERT(list_empty(&node->names));
    if (node->ops && node->ops->release)
        node->ops->release(node);
    if (S_ISREG(node->mode))
        content_free(&node->content);
    else if (S_ISLNK(node->mode))
        target_free(node);
    if (node->made_parent)
        node_put(node->made_parent);
    mem_pool_put(&node_pool, node);
}

int node_target(struct file_node *node, const char *target, size_t size,
                bool in_place)
{
    if (size >= LIMIT_PATH_SIZE)
        return -ENAMETOOLONG;
    node->link.size = size;
    node->link.target = target;
    if (in_place)
        return 0;
    char *copy = size <= sizeof(struct long_name) ? mem_pool_get(&name_pool)
                                                  : mem_pages_get(MEM_CORE, 1);
    if (!copy)
        return -ENOSPC;
    memcpy(copy, target, size);
    node->link.target = copy;
    node->target_owned = true;
    return 0;
}

void node_touch(struct file_node *node)
{
    node->mtime_ns = node->ctime_ns = time_wall_ns();
    node->archived = false;
}

void node_touch_status(struct file_node *node)
{
    node->ctime_ns = time_wall_ns();
}

/* -- names -- */

static bool entry_name(struct node_entry *entry, const char *name, size_t size,
                       bool in_place)
{
    entry->name_size = (uint16_t)size;
    if (in_place) {
        entry->name = name;
        return true;
    }
    char *copy = entry->name_inline;
    if (size > sizeof(entry->name_inline)) {
        copy = mem_pool_get(&name_pool);
        if (!copy)
            return false;
        entry->name_owned = true;
    }
    memcpy(copy, name, size);
    entry->name = copy;
    return true;
}

int node_link(struct file_node *directory, const char *name, size_t size,
              struct file_node *node, bool in_place)
{
    ASSERT(node_is_directory(directory));
    if (size > LIMIT_NAME_SIZE)
        return -ENAMETOOLONG;
    if (!node_is_directory(node) && node->links >= LINKS_MAX)
        return -EMLINK;
    if (entry_count >= bucket_count && buckets_grow() < 0 && !buckets)
        return -ENOSPC;
    struct node_entry *entry = mem_pool_get(&entry_pool);
    if (!entry)
        return -ENOSPC;
    if (!entry_name(entry, name, size, in_place)) {
        mem_pool_put(&entry_pool, entry);
        return -ENOSPC;
    }
    entry->directory = directory;
    entry->hash_value = hash_of(directory, name, size);
    entry->cookie = directory->directory.cookie_next++;
    list_append(&directory->directory.children, &entry->siblings);
    directory->directory.count++;
    list_append(&buckets[entry->hash_value & (bucket_count - 1)], &entry->hash);
    entry_count++;
    if (list_empty(&node->names))
        node_ref(node); /* for having names */
    entry->node = node;
    list_append(&node->names, &entry->names);
    node->links++;
    if (node_is_directory(node))
        directory->links++; /* the child's ".." */
    node_touch_status(node);
    node_touch(directory);
    return 0;
}

void node_unlink(struct node_entry *entry)
{
    struct file_node *directory = entry->directory, *node = entry->node;

    list_remove(&entry->siblings);
    list_remove(&entry->hash);
    list_remove(&entry->names);
    entry_count--;
    directory->directory.count--;
    if (entry->name_owned)
        mem_pool_put(&name_pool, (void *)(uintptr_t)entry->name);
    mem_pool_put(&entry_pool, entry);
    node->links--;
    if (node_is_directory(node))
        directory->links--;
    node_touch_status(node);
    node_touch(directory);
    if (list_empty(&node->names))
        node_put(node);
}

struct file_node *node_parent(struct file_node *directory)
{
    if (directory->made_parent)
        return directory->made_parent;
    if (list_empty(&directory->names))
        return directory;
    return container_of(directory->names.next, struct node_entry, names)
        ->directory;
}

struct file_node *node_make_path(const char *path, size_t size, mode_t mode)
{
    struct file_node *at = node_ref(root);

    while (size > 0) {
        const char *slash = memchr(path, '/', size);
        size_t part = slash ? (size_t)(slash - path) : size;
        struct file_node *next = NULL;
        if (part > 0) {
            int error;
            next = node_lookup(at, path, part, &error);
            if (!next && error == 0) {
                next = node_new(S_IFDIR | mode);
                if (next && node_link(at, path, part, next, false) < 0) {
                    node_put(next);
                    next = NULL;
                }
            }
            node_put(at);
            if (!next)
                return NULL;
            at = next;
            if (!node_is_directory(at)) {
                node_put(at);
                return NULL;
            }
        }
        part += slash ? 1 : 0;
        path += part;
        size -= part;
    }
    return at;
}

/* -- what a node says of itself -- */

void node_stat(const struct file_node *node, struct stat *out)
{
    out->st_dev = makedev(0, node->made_parent || node_is_fixed(node) ? 2 : 1);
    out->st_ino = node->ino;
    out->st_nlink = node->links;
    out->st_mode = node->mode;
    out->st_uid = node->uid;
    out->st_gid = node->gid;
    out->st_rdev = node->rdev;
    out->st_blksize = LIMIT_PAGE_SIZE;
    if (S_ISREG(node->mode)) {
        out->st_size = (off_t)node->content.size;
        out->st_blocks = (blkcnt_t)(node->content.pages * 8ull +
                                    (node->content.base_size + 511) / 512);
    } else if (S_ISLNK(node->mode)) {
        out->st_size = (off_t)node->link.size;
    } else if (S_ISDIR(node->mode)) {
        out->st_size = (off_t)node->directory.count * 20;
    }
    time_to_timespec(node->atime_ns, &out->st_atim);
    time_to_timespec(node->mtime_ns, &out->st_mtim);
    time_to_timespec(node->ctime_ns, &out->st_ctim);
}

int node_file_stat(struct file *file, struct stat *out)
{
    memset(out, 0, sizeof(*out));
    node_stat(file->node, out);
    return 0;
}

char *node_path(struct file_node *node, char *buffer, size_t size, int *error)
{
    char *at = buffer + size - 1;

    *at = '\0';
    if (node == root)
        *--at = '/';
    while (node != root) {
        char made[LIMIT_NAME_SIZE];
        const char *name = made;
        size_t name_size;
        struct file_node *directory = node->made_parent;
        if (directory) {
            name_size = node->ops->name(node, made);
        } else if (list_empty(&node->names)) {
            *error = -ENOENT;
            return NULL;
        } else {
            struct node_entry *entry =
                container_of(node->names.next, struct node_entry, names);
            name = entry->name;
            name_size = entry->name_size;
            directory = entry->directory;
        }
        *error = -ENAMETOOLONG;
        if ((size_t)(at - buffer) < name_size + 1)
            return NULL;
        at -= name_size;
        memcpy(at, name, name_size);
        *--at = '/';
        node = directory;
    }
    *error = 0;
    return at;
}

/* -- the beginning -- */

static int make_folder(const char *path, mode_t mode)
{
    struct file_node *node = node_make_path(path, strlen(path), 0755);
    if (!node)
        return -ENOMEM;
    node->mode = S_IFDIR | mode;
    node_put(node);
    return 0;
}

static int make_tree(void)
{
    if (core_info->initrd &&
        ustar_unpack(core_info->initrd, core_info->initrd_size) < 0)
        return -ENOMEM;
    if (make_folder("tmp", 01777) < 0 || make_folder("var/tmp", 01777) < 0 ||
        make_folder("root", 0700) < 0 || make_folder("home", 0755) < 0)
        return -ENOMEM;
    if (device_make_nodes(root) < 0 || proc_make_nodes(root) < 0 ||
        etc_make_nodes(root) < 0)
        return -ENOMEM;
    return 0;
}

struct file_node *node_root(void)
{
    if (root)
        return root;
    if (!buckets && buckets_grow() < 0)
        return NULL;
    root = node_new(S_IFDIR | 0755);
    if (!root)
        return NULL;
    root->links = 2;
    file_node_drop = node_put;
    file_node_stat = node_stat;
    if (make_tree() < 0)
        core_log("halvm: warning: not enough memory for the file tree\n"
                 "  why: its names took all there was\n"
                 "  fix: give the machine more memory (halvm run -m)\n");
    return root;
}
