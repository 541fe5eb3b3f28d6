/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /dev/xen/gntalloc: pages of ours that another domain may map, as Linux's
 * drivers/xen/gntalloc.c and <xen/gntalloc.h> have them.
 *
 * Pages are core's own (MEM_CORE), zeroed; the application sees them where
 * core has them. A grant lasts until the application has done with it: by
 * DEALLOC_GREF or close, and the last munmap. Then they are freed as soon as
 * the other domain does not have them mapped. Until then they wait in a list,
 * which is looked at when there is something to be done; a domain that never
 * lets go costs its pages.
 *
 * Other than on Linux, which defers and says nothing, DEALLOC_GREF of what the
 * application has not mapped is EBUSY while the other domain has, and can be
 * asked again.
 *
 * Monitor held.
 */
#include <sys/mman.h>

#include "core/xen/xen.h"

#define ALLOC_GREF     XEN_IOCTL('G', 5, 24)
#define DEALLOC_GREF   XEN_IOCTL('G', 6, 16)
#define FLAG_WRITABLE  1u
#define REFERENCES_AT  16 /* of gref_ids in the request */
#define REFERENCE_NONE 0u
#define FLAGS_ALL      FLAG_WRITABLE

struct alloc_request {
    uint16_t domain, flags;
    uint32_t count;
    uint64_t index;
};
struct dealloc_request {
    uint64_t index;
    uint32_t count;
};
_Static_assert(sizeof(struct alloc_request) == REFERENCES_AT, "Linux's ABI");
_Static_assert(sizeof(struct dealloc_request) == 16, "Linux's ABI");

struct share {
    struct list list;  /* in shares */
    struct file *file; /* whose it is; NULL: done with. No reference */
    uint64_t index;    /* what mmap is asked for: bytes */
    uint32_t generation;
    uint32_t count;
    uint32_t mapped;      /* mmap less munmap */
    uint32_t active;      /* references not ended yet */
    bool writable;        /* to the other domain */
    uint32_t *references; /* a page */
    char *pages;
};

static struct mem_pool pool =
    MEM_POOL(struct share, MEM_CORE, LIMIT_XEN_SHARES);
static struct list shares = LIST_INIT(shares);
static uint64_t index_next;

_Static_assert(LIMIT_XEN_GRANT_BATCH * sizeof(uint32_t) <= LIMIT_PAGE_SIZE,
               "references fit a page");

/* Ends what the other domain does not use. */
static void references_end(struct share *share)
{
    if (share->generation != xen_base()->generation())
        share->active = 0; /* they went with the domain that we were */
    for (uint32_t i = 0; i < share->count && share->active > 0; i++) {
        if (share->references[i] == REFERENCE_NONE ||
            xen_base()->grant_end(share->references[i]) != BASE_OK)
            continue;
        share->references[i] = REFERENCE_NONE;
        share->active--;
    }
}

static void share_free(struct share *share)
{
    list_remove(&share->list);
    if (share->pages)
        mem_pages_put(MEM_CORE, share->pages, share->count);
    if (share->references)
        mem_pages_put(MEM_CORE, share->references, 1);
    mem_pool_put(&pool, share);
}

/* Ends what the application has done with, and frees what nobody sees. */
static void sweep(void)
{
    list_for_each (item, &shares) {
        struct share *share = container_of(item, struct share, list);

        if (share->file || share->mapped > 0)
            continue;
        references_end(share);
        if (share->active == 0)
            share_free(share);
    }
}

/* -- calls -- */

static int references_make(struct share *share, uint32_t domain, bool writable)
{
    for (; share->active < share->count; share->active++) {
        enum base_status status = xen_base()->grant(
            domain, share->pages + share->active * LIMIT_PAGE_SIZE, !writable,
            &share->references[share->active]);

        if (status != BASE_OK)
            return status == BASE_NODEV ? -EINVAL : -ENOSPC;
    }
    return 0;
}

static long share_alloc(struct file *file, void *user)
{
    struct alloc_request request;
    struct share *share;
    int error = -ENOMEM;

    if (core_copy_in(&request, user, sizeof(request)) != 0)
        return -EFAULT;
    if (request.count == 0 || (request.flags & ~FLAGS_ALL))
        return -EINVAL;
    if (request.count > LIMIT_XEN_GRANT_BATCH)
        return -ENOSPC;
    sweep();
    share = mem_pool_get(&pool);
    if (!share)
        return -ENOSPC;
    list_append(&shares, &share->list);
    share->count = request.count;
    share->generation = xen_base()->generation();
    share->references = mem_pages_get(MEM_CORE, 1);
    share->pages = mem_pages_get(MEM_CORE, request.count);
    if (share->references && share->pages)
        error = references_make(share, request.domain,
                                request.flags & FLAG_WRITABLE);
    request.index = index_next;
    if (error == 0 &&
        (core_copy_out(user, &request, sizeof(request)) != 0 ||
         core_copy_out((char *)user + REFERENCES_AT, share->references,
                       share->count * sizeof(uint32_t)) != 0))
        error = -EFAULT;
    if (error != 0) {
        references_end(share); /* nobody knows them yet; else sweep() */
        if (share->active == 0)
            share_free(share);
        return error;
    }
    share->file = file;
    share->index = index_next;
    index_next += (uint64_t)share->count * LIMIT_PAGE_SIZE;
    return 0;
}

static struct share *share_find(const struct file *file, uint64_t index,
                                uint64_t count)
{
    list_for_each (item, &shares) {
        struct share *share = container_of(item, struct share, list);
        if (share->file == file && share->index == index &&
            share->count == count)
            return share;
    }
    return NULL;
}

static long share_dealloc(struct file *file, const void *user)
{
    struct dealloc_request request;
    struct share *share;

    if (core_copy_in(&request, user, sizeof(request)) != 0)
        return -EFAULT;
    share = share_find(file, request.index, request.count);
    if (!share)
        return -EINVAL;
    if (share->mapped == 0) {
        references_end(share);
        if (share->active > 0)
            return -EBUSY;
    }
    share->file = NULL;
    sweep();
    return 0;
}

static long share_ioctl(struct file *file, unsigned long request, long argument)
{
    switch (request) {
    case ALLOC_GREF:
        return share_alloc(file, (void *)argument);
    case DEALLOC_GREF:
        return share_dealloc(file, (const void *)argument);
    default:
        return -ENOTTY;
    }
}

static long share_map(struct file *file, uint64_t size, long prot, bool shared,
                      int64_t offset)
{
    struct share *share =
        share_find(file, (uint64_t)offset, size / LIMIT_PAGE_SIZE);

    if (!share || !shared || !(prot & PROT_READ) || (prot & PROT_EXEC))
        return -EINVAL;
    share->mapped++;
    return (long)(uintptr_t)share->pages;
}

bool xen_share_unmap(uint64_t start, uint64_t size, long *result)
{
    list_for_each (item, &shares) {
        struct share *share = container_of(item, struct share, list);
        uint64_t first = (uint64_t)(uintptr_t)share->pages;
        uint64_t bytes = (uint64_t)share->count * LIMIT_PAGE_SIZE;

        if (start + size <= first || start >= first + bytes)
            continue;
        *result = -EINVAL;
        if (start != first || size != bytes || share->mapped == 0)
            return true;
        share->mapped--;
        *result = 0;
        sweep();
        return true;
    }
    return false;
}

static void share_release(struct file *file)
{
    list_for_each (item, &shares) {
        struct share *share = container_of(item, struct share, list);
        if (share->file == file)
            share->file = NULL;
    }
    sweep();
}

static const struct file_ops share_ops = {
    .name = "/dev/xen/gntalloc",
    .ioctl = share_ioctl,
    .map = share_map,
    .stat = node_file_stat,
    .release = share_release,
};

struct file *xen_share_open(int flags, int *error)
{
    *error = file_new_error();
    return file_new(&share_ops, flags, NULL);
}
