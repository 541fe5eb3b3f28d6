/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools of objects of one size, for everything in core that comes and goes.
 *
 * A page of a pool begins with a header and holds as many objects as fit;
 * pages with a free object are in the pool's list, wholly free ones go back.
 * Objects that were never used are not touched, so a page costs the machine
 * only once it is needed. An object too large for that has pages of its own.
 */
#include "core/mem/fault.h"
#include "core/mem/mem.h"
#include "core/mem/vma.h"

struct pool_page {
    struct list node; /* in mem_pool.pages, if an object is free */
    void *freed;      /* objects given back, linked by their first word */
    uint16_t used;    /* objects handed out */
    uint16_t fresh;   /* objects from here on were never handed out */
};

static uint32_t object_size(const struct mem_pool *pool)
{
    uint32_t align =
        pool->align < sizeof(void *) ? sizeof(void *) : pool->align;
    return (pool->object_size + align - 1) & ~(align - 1);
}

static uint32_t objects_start(const struct mem_pool *pool)
{
    uint32_t align =
        pool->align < sizeof(void *) ? sizeof(void *) : pool->align;
    return ((uint32_t)sizeof(struct pool_page) + align - 1) & ~(align - 1);
}

static uint32_t objects_per_page(const struct mem_pool *pool)
{
    uint32_t start = objects_start(pool), size = object_size(pool);
    return start + size <= LIMIT_PAGE_SIZE ? (LIMIT_PAGE_SIZE - start) / size
                                           : 0;
}

static size_t pages_of_one(const struct mem_pool *pool)
{
    return (pool->object_size + LIMIT_PAGE_SIZE - 1) / LIMIT_PAGE_SIZE;
}

static struct pool_page *page_with_room(struct mem_pool *pool)
{
    if (pool->pages.next == NULL)
        list_init(&pool->pages);
    if (!list_empty(&pool->pages))
        return container_of(pool->pages.next, struct pool_page, node);
    struct pool_page *page = mem_pages_get(pool->account, 1);
    if (page != NULL)
        list_append(&pool->pages, &page->node);
    return page;
}

void *mem_pool_get(struct mem_pool *pool)
{
    ASSERT(pool->align <= LIMIT_PAGE_SIZE);
    if (pool->count >= pool->count_max || mem_fault_due(&mem_fault_objects))
        return NULL;
    uint32_t per_page = objects_per_page(pool);
    if (per_page == 0) {
        void *pages = mem_pages_get(pool->account, pages_of_one(pool));
        pool->count += pages != NULL;
        return pages;
    }
    struct pool_page *page = page_with_room(pool);
    if (page == NULL)
        return NULL;
    char *object = page->freed;
    if (object != NULL) {
        page->freed = *(void **)(void *)object;
        memset(object, 0, pool->object_size);
    } else {
        object = (char *)page + objects_start(pool) +
                 page->fresh++ * object_size(pool);
    }
    if (++page->used == per_page)
        list_remove(&page->node);
    pool->count++;
    return object;
}

void mem_pool_put(struct mem_pool *pool, void *object)
{
    ASSERT(object != NULL && pool->count > 0);
    pool->count--;
    uint32_t per_page = objects_per_page(pool);
    if (per_page == 0) {
        mem_pages_put(pool->account, object, pages_of_one(pool));
        return;
    }
    struct pool_page *page =
        (struct pool_page *)((uintptr_t)object & ~(uintptr_t)MEM_PAGE_MASK);
    ASSERT(page->used > 0 && page->used <= per_page);
    if (page->used == per_page)
        list_prepend(&pool->pages, &page->node);
    *(void **)object = page->freed;
    page->freed = object;
    if (--page->used == 0) {
        list_remove(&page->node);
        mem_pages_put(pool->account, page, 1);
    }
}
