/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /dev/xen/gntdev: pages that other domains have granted to us, as Linux's
 * drivers/xen/gntdev.c and <xen/gntdev.h> have them.
 *
 * MAP_GRANT_REF names the pages, mmap maps them, all of a request together,
 * and munmap unmaps them: read-only unless PROT_WRITE is asked for. They are
 * the other domains' memory and in no account of ours. What is mapped stays so
 * over close, as on Linux.
 *
 * Not there: unmap notification, copying (IOCTL_GNTDEV_GRANT_COPY).
 *
 * Monitor held.
 */
#include <sys/mman.h>

#include "core/xen/xen.h"

#define MAP_GRANT_REF    XEN_IOCTL('G', 0, 24)
#define UNMAP_GRANT_REF  XEN_IOCTL('G', 1, 16)
#define OFFSET_FOR_VADDR XEN_IOCTL('G', 2, 24)
#define SET_MAX_GRANTS   XEN_IOCTL('G', 3, 4)

struct map_request {
    uint32_t count, pad;
    uint64_t index;
};
struct unmap_request {
    uint64_t index;
    uint32_t count, pad;
};
struct offset_request {
    uint64_t address, offset;
    uint32_t count, pad;
};
_Static_assert(sizeof(struct map_request) == 16 &&
                   sizeof(struct unmap_request) == 16 &&
                   sizeof(struct offset_request) == 24,
               "Linux's ABI");

struct mapping {
    struct list list;  /* in mappings */
    struct file *file; /* whose it is; NULL: given up. No reference */
    uint64_t index;    /* what mmap is asked for: bytes */
    uint32_t count;
    struct base_xen_grant *grants; /* a page; as Linux passes them, too */
    void *address;                 /* NULL: not mapped */
};

static struct mem_pool pool =
    MEM_POOL(struct mapping, MEM_CORE, LIMIT_XEN_MAPPINGS);
static struct list mappings = LIST_INIT(mappings);
static uint64_t index_next;

_Static_assert(LIMIT_XEN_GRANT_BATCH * sizeof(struct base_xen_grant) <=
                   LIMIT_PAGE_SIZE,
               "grants fit a page");

static void give_up(struct mapping *mapping)
{
    mapping->file = NULL;
    if (mapping->address)
        return; /* munmap does the rest */
    list_remove(&mapping->list);
    mem_pages_put(MEM_CORE, mapping->grants, 1);
    mem_pool_put(&pool, mapping);
}

static long map_request(struct file *file, void *user)
{
    struct map_request request;
    struct mapping *mapping;
    int error = 0;

    if (core_copy_in(&request, user, sizeof(request)) != 0)
        return -EFAULT;
    if (request.count == 0 || request.count > LIMIT_XEN_GRANT_BATCH)
        return -EINVAL;
    mapping = mem_pool_get(&pool);
    if (!mapping)
        return -ENOMEM;
    mapping->grants = mem_pages_get(MEM_CORE, 1);
    if (!mapping->grants) {
        mem_pool_put(&pool, mapping);
        return -ENOMEM;
    }
    list_append(&mappings, &mapping->list);
    mapping->count = request.count;
    mapping->index = request.index = index_next;
    if (core_copy_in(mapping->grants, (char *)user + sizeof(request),
                     request.count * sizeof(struct base_xen_grant)) != 0 ||
        core_copy_out(user, &request, sizeof(request)) != 0)
        error = -EFAULT;
    if (error != 0) {
        give_up(mapping);
        return error;
    }
    index_next += (uint64_t)request.count * LIMIT_PAGE_SIZE;
    mapping->file = file;
    return 0;
}

static struct mapping *mapping_find(const struct file *file, uint64_t index,
                                    uint64_t count)
{
    list_for_each (item, &mappings) {
        struct mapping *mapping = container_of(item, struct mapping, list);
        if (mapping->file == file && mapping->index == index &&
            mapping->count == count)
            return mapping;
    }
    return NULL;
}

static long unmap_request(struct file *file, const void *user)
{
    struct unmap_request request;
    struct mapping *mapping;

    if (core_copy_in(&request, user, sizeof(request)) != 0)
        return -EFAULT;
    mapping = mapping_find(file, request.index, request.count);
    if (!mapping)
        return -ENOENT;
    give_up(mapping);
    return 0;
}

static long offset_request(struct file *file, void *user)
{
    struct offset_request request;

    if (core_copy_in(&request, user, sizeof(request)) != 0)
        return -EFAULT;
    list_for_each (item, &mappings) {
        struct mapping *mapping = container_of(item, struct mapping, list);

        if (mapping->file != file || !mapping->address ||
            (uint64_t)(uintptr_t)mapping->address != request.address)
            continue;
        request.offset = mapping->index;
        request.count = mapping->count;
        return core_copy_out(user, &request, sizeof(request));
    }
    return -EINVAL;
}

static long map_ioctl(struct file *file, unsigned long request, long argument)
{
    void *user = (void *)argument;

    switch (request) {
    case MAP_GRANT_REF:
        return map_request(file, user);
    case UNMAP_GRANT_REF:
        return unmap_request(file, user);
    case OFFSET_FOR_VADDR:
        return offset_request(file, user);
    case SET_MAX_GRANTS: /* says nothing on Linux either, since 5.8 */
        return 0;
    default:
        return -ENOTTY;
    }
}

static long map_map(struct file *file, uint64_t size, long prot, bool shared,
                    int64_t offset)
{
    struct mapping *mapping =
        mapping_find(file, (uint64_t)offset, size / LIMIT_PAGE_SIZE);
    enum base_status status;

    if (!mapping || !shared || (prot & PROT_EXEC) || !(prot & PROT_READ))
        return -EINVAL;
    if (mapping->address)
        return -EBUSY;
    status = xen_base()->map(mapping->grants, mapping->count,
                             !(prot & PROT_WRITE), &mapping->address);
    if (status == BASE_OK)
        return (long)(uintptr_t)mapping->address;
    mapping->address = NULL;
    return status == BASE_NOMEM ? -ENOMEM : -EINVAL;
}

bool xen_map_unmap(uint64_t start, uint64_t size, long *result)
{
    list_for_each (item, &mappings) {
        struct mapping *mapping = container_of(item, struct mapping, list);
        uint64_t first = (uint64_t)(uintptr_t)mapping->address;
        uint64_t bytes = (uint64_t)mapping->count * LIMIT_PAGE_SIZE;

        if (first == 0 || start + size <= first || start >= first + bytes)
            continue;
        *result = -EINVAL;
        if (start != first || size != bytes)
            return true;
        xen_base()->unmap(mapping->address, mapping->count);
        mapping->address = NULL;
        if (!mapping->file)
            give_up(mapping);
        *result = 0;
        return true;
    }
    return false;
}

static void map_release(struct file *file)
{
    list_for_each (item, &mappings) {
        struct mapping *mapping = container_of(item, struct mapping, list);
        if (mapping->file == file)
            give_up(mapping);
    }
}

static const struct file_ops map_ops = {
    .name = "/dev/xen/gntdev",
    .ioctl = map_ioctl,
    .map = map_map,
    .stat = node_file_stat,
    .release = map_release,
};

struct file *xen_map_open(int flags, int *error)
{
    *error = file_new_error();
    return file_new(&map_ops, flags, NULL);
}
