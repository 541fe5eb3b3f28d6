/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open files and the descriptors that name them.
 *
 * The first slots are static, since most programs need no more; then the
 * table lives in pages and doubles. Every slot below free_hint is in
 * use, so that the lowest free one is found without walking the whole table.
 *
 * Monitor held.
 */
#include "core/file/table.h"

#include "core/calls.h"
#include "core/mem/mem.h"

#define SLOTS_FIRST 32

static uintptr_t slots_first[SLOTS_FIRST];
uintptr_t *file_slots = slots_first;
uint32_t file_slot_count = SLOTS_FIRST;
static uint32_t free_hint;
static uint32_t open_count;

static uint32_t limit_soft = LIMIT_DESCRIPTORS_SOFT;
static uint32_t limit_hard = LIMIT_DESCRIPTORS;

/* Twice the descriptors: some files have none, as those being passed. */
static struct mem_pool file_pool =
    MEM_POOL(struct file, MEM_CORE, 2 * LIMIT_DESCRIPTORS);

void (*file_epoll_forget)(struct file *file);
void (*file_node_drop)(struct file_node *node);
long (*file_pipe_size)(struct file *file, long size);
long (*file_seals)(struct file *file, long seals);

uint32_t file_limit(void)
{
    return limit_soft;
}

uint32_t file_limit_hard(void)
{
    return limit_hard;
}

int file_limit_set(uint64_t soft, uint64_t hard)
{
    if (soft > hard)
        return -EINVAL;
    if (hard > LIMIT_DESCRIPTORS)
        return -EPERM;
    limit_soft = (uint32_t)soft;
    limit_hard = (uint32_t)hard;
    return 0;
}

unsigned file_open_count(void)
{
    return open_count;
}

struct file *file_new(const struct file_ops *ops, int flags, void *private)
{
    struct file *file = mem_pool_get(&file_pool);
    if (!file)
        return NULL;
    file->ops = ops;
    file->references = 1;
    file->flags = flags & ~O_CLOEXEC;
    file->private = private;
    list_init(&file->epoll_items);
    return file;
}

struct file *file_ref(struct file *file)
{
    ASSERT(file->references > 0);
    file->references++;
    return file;
}

void file_release(struct file *file)
{
    if (!list_empty(&file->epoll_items))
        file_epoll_forget(file);
    if (file->ops->release)
        file->ops->release(file);
    if (file->node)
        file_node_drop(file->node);
    mem_pool_put(&file_pool, file);
}

void file_put(struct file *file)
{
    file_unref(file);
}

struct file *file_get_path(int fd)
{
    struct file *file = file_slot(fd);
    if (file)
        file->references++;
    return file;
}

struct file *file_get(int fd)
{
    struct file *file = file_slot(fd);
    if (!file || (file->flags & O_PATH))
        return NULL;
    file->references++;
    return file;
}

int file_new_error(void)
{
    return file_pool.count >= file_pool.count_max ? -ENFILE : -ENOMEM;
}

/* Room for descriptor fd; 0, -EMFILE or -ENOMEM. */
static int table_grow(uint32_t fd)
{
    uint32_t count = file_slot_count;
    const uint32_t per_page = LIMIT_PAGE_SIZE / sizeof(uintptr_t);

    if (fd < count)
        return 0;
    if (fd >= LIMIT_DESCRIPTORS)
        return -EMFILE;
    if (count < per_page)
        count = per_page;
    while (count <= fd)
        count *= 2;
    uintptr_t *slots = mem_pages_get(MEM_CORE, count / per_page);
    if (!slots)
        return -ENOMEM;
    memcpy(slots, file_slots, file_slot_count * sizeof(*slots));
    if (file_slots != slots_first)
        mem_pages_put(MEM_CORE, file_slots, file_slot_count / per_page);
    file_slots = slots;
    file_slot_count = count;
    return 0;
}

/* The lowest free descriptor from lowest on, with room made; or -EMFILE or
 * -ENOMEM. */
static int table_free(uint32_t lowest)
{
    uint32_t fd = lowest > free_hint ? lowest : free_hint;

    while (fd < file_slot_count && file_slots[fd])
        fd++;
    if (fd >= limit_soft)
        return -EMFILE;
    int error = table_grow(fd);
    if (error < 0)
        return error;
    if (lowest <= free_hint)
        free_hint = fd;
    return (int)fd;
}

static void table_set(uint32_t fd, struct file *file, int flags)
{
    file_slots[fd] =
        (uintptr_t)file | (flags & O_CLOEXEC ? FILE_SLOT_CLOEXEC : 0);
}

int file_room(void)
{
    int fd = table_free(0);

    return fd < 0 ? fd : 0;
}

int file_install(struct file *file, int lowest, int flags)
{
    ASSERT(lowest >= 0);
    int fd = table_free((uint32_t)lowest);
    if (fd < 0) {
        file_unref(file);
        return fd;
    }
    table_set((uint32_t)fd, file, flags);
    open_count++;
    return fd;
}

int file_close(int fd)
{
    struct file *file = file_slot(fd);
    if (!file)
        return -EBADF;
    file_slots[fd] = 0;
    open_count--;
    if ((uint32_t)fd < free_hint)
        free_hint = (uint32_t)fd;
    file_unref(file);
    return 0;
}

long core_close(long a)
{
    return file_close((int)a);
}

long core_close_range(long a, long b, long c)
{
    unsigned first = (unsigned)a, last = (unsigned)b, flags = (unsigned)c;
    /* linux/close_range.h: CLOSE_RANGE_UNSHARE, CLOSE_RANGE_CLOEXEC. */
    const unsigned unshare = 2, cloexec = 4;

    if ((flags & ~(unshare | cloexec)) || first > last)
        return -EINVAL;
    for (unsigned fd = first; fd <= last && fd < file_slot_count; fd++) {
        if (!file_slots[fd])
            continue;
        if (flags & cloexec)
            file_slots[fd] |= FILE_SLOT_CLOEXEC;
        else
            file_close((int)fd);
    }
    return 0;
}

long core_dup(long a)
{
    struct file *file = file_get_path((int)a);
    if (!file)
        return -EBADF;
    return file_install(file, 0, 0);
}

static long dup_to(int from, unsigned to, int flags)
{
    struct file *file = file_slot(from);
    if (!file || to >= limit_soft)
        return -EBADF;
    if (table_grow(to) < 0)
        return -EMFILE;
    file_ref(file);
    struct file *old = file_slot((long)to);
    table_set(to, file, flags);
    /* free_hint may name this slot; the search looks again. */
    if (old)
        file_unref(old);
    else
        open_count++;
    return (long)to;
}

long core_dup2(long a, long b)
{
    if ((int)a == (int)b)
        return file_slot(a) ? (long)(int)a : -EBADF;
    return dup_to((int)a, (unsigned)b, 0);
}

long core_dup3(long a, long b, long c)
{
    if ((int)c & ~O_CLOEXEC)
        return -EINVAL;
    if ((int)a == (int)b)
        return -EINVAL;
    return dup_to((int)a, (unsigned)b, (int)c);
}
