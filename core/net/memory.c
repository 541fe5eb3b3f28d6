/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network's memory: a slab allocator over pages of the network account.
 *
 * lwIP allocates everything here (lwip_memory.c), and so do the sockets. Each
 * page (slab) holds objects of one size behind a header; larger objects have
 * pages of their own. Either way the header starts the page that the object
 * starts in, so net_free finds it by masking. At most one empty slab for each
 * size is kept, and some empty pages, since bulk TCP would map and unmap them
 * again and again. They count as the network's. net_memory_trim gives them back
 * when the network goes idle, and core/mem has it called when memory is short.
 *
 * The bound is the machine's memory / LIMIT_NET_SHARE. Past it net_alloc says
 * NULL, which callers turn into a dropped packet, EAGAIN or ENOBUFS.
 */
#include "core/mem/mem.h"
#include "core/net/net.h"

struct slab {
    struct list node;    /* in partial[], while it has room */
    void *free;          /* objects given back, linked by their first word */
    uint16_t fresh;      /* objects never given out, at the end */
    uint16_t used;       /* objects given out */
    uint8_t size_class;  /* or SLAB_LARGE */
    uint32_t page_count; /* of a large object */
};
#define SLAB_HEADER_SIZE 64
#define SLAB_LARGE       255
_Static_assert(sizeof(struct slab) <= SLAB_HEADER_SIZE, "slab header");

/* Chosen so that little of 4096 - 64 bytes is left over; 2016 holds a frame
 * with its struct pbuf, 1008 half of one. */
static const uint16_t class_size[] = {32,  48,  96,  144, 192,  256,
                                      336, 448, 576, 800, 1008, 2016};
#define CLASS_COUNT (sizeof(class_size) / sizeof(class_size[0]))
#define SMALL_MAX   2016

static struct list partial[CLASS_COUNT];
static uint8_t class_of[SMALL_MAX / 16 + 1]; /* by (size + 15) / 16 */
static uint64_t pages_used, pages_max;       /* spare ones are used */
static struct list spare;                    /* empty pages, as slabs */
static uint64_t spare_count, spare_max;

uint32_t net_tcp_window;
uint32_t net_half_open_max;
uint32_t net_tcp_pcbs_max;

static uint32_t clamp(uint64_t value, uint32_t low, uint32_t high)
{
    return value < low ? low : value > high ? high : (uint32_t)value;
}

static void pages_put(void *pages, size_t count)
{
    ASSERT(pages_used >= count);
    pages_used -= count;
    mem_pages_put(MEM_NET, pages, count);
}

static struct slab *spare_take(void)
{
    struct slab *slab = container_of(spare.next, struct slab, node);

    ASSERT(spare_count > 0);
    list_remove(&slab->node);
    spare_count--;
    return slab;
}

/* mem_spare_give: nothing of it is in use. */
static bool spare_give(void)
{
    bool any = spare_count > 0;

    while (spare_count > 0)
        pages_put(spare_take(), 1);
    return any;
}

static void *pages_get(size_t count)
{
    void *pages;

    if (count == 1 && spare_count > 0)
        return spare_take();
    if (pages_used + count > pages_max)
        spare_give();
    if (pages_used + count > pages_max)
        return NULL;
    pages = mem_pages_get(MEM_NET, count);
    if (pages)
        pages_used += count;
    return pages;
}

/* One that is in no list. */
static void page_put(struct slab *slab)
{
    if (spare_count == spare_max) {
        pages_put(slab, 1);
        return;
    }
    list_prepend(&spare, &slab->node);
    spare_count++;
}

void net_memory_init(void)
{
    uint64_t share = mem_total_bytes() / LIMIT_NET_SHARE;
    unsigned size_class = 0;

    if (pages_max)
        return;
    pages_max = share / LIMIT_PAGE_SIZE;
    spare_max = clamp(pages_max / 32, 0, LIMIT_NET_SPARE);
    list_init(&spare);
    mem_spare_give = spare_give;
    /* Sixteen connections may fill their windows before memory is tight. */
    net_tcp_window = clamp(share / 32, 16384, 262144);
    net_half_open_max = clamp(share / 8192, 16, 256);
    net_tcp_pcbs_max = clamp(share / 2048, 64, LIMIT_SOCKETS + 4096);
    for (unsigned i = 0; i <= SMALL_MAX / 16; i++) {
        if (i * 16 > class_size[size_class])
            size_class++;
        class_of[i] = (uint8_t)size_class;
    }
    for (unsigned i = 0; i < CLASS_COUNT; i++)
        list_init(&partial[i]);
}

static void *large_alloc(size_t size)
{
    size_t count =
        (size + SLAB_HEADER_SIZE + LIMIT_PAGE_SIZE - 1) / LIMIT_PAGE_SIZE;
    struct slab *slab = pages_get(count);

    if (!slab)
        return NULL;
    slab->size_class = SLAB_LARGE;
    slab->page_count = (uint32_t)count;
    return (char *)slab + SLAB_HEADER_SIZE;
}

static struct slab *slab_new(unsigned size_class)
{
    struct slab *slab = pages_get(1);

    if (!slab)
        return NULL;
    slab->size_class = (uint8_t)size_class;
    slab->free = NULL; /* it may have been another's */
    slab->used = 0;
    slab->fresh = (uint16_t)((LIMIT_PAGE_SIZE - SLAB_HEADER_SIZE) /
                             class_size[size_class]);
    list_prepend(&partial[size_class], &slab->node);
    return slab;
}

void *net_alloc(size_t size)
{
    unsigned size_class;
    struct slab *slab;
    void *object;

    if (size > SMALL_MAX)
        return large_alloc(size);
    size_class = class_of[(size + 15) / 16];
    if (__builtin_expect(list_empty(&partial[size_class]), 0)) {
        slab = slab_new(size_class);
        if (!slab)
            return NULL;
    } else {
        slab = container_of(partial[size_class].next, struct slab, node);
    }
    object = slab->free;
    if (object) {
        memcpy(&slab->free, object, sizeof(void *));
    } else {
        slab->fresh--;
        object = (char *)slab + SLAB_HEADER_SIZE +
                 (size_t)slab->fresh * class_size[size_class];
    }
    slab->used++;
    if (!slab->free && slab->fresh == 0)
        list_remove(&slab->node);
    return object;
}

void net_free(void *object)
{
    struct slab *slab =
        (void *)((uintptr_t)object & ~(uintptr_t)(LIMIT_PAGE_SIZE - 1));
    struct list *head;

    if (slab->size_class == SLAB_LARGE) {
        if (slab->page_count == 1)
            page_put(slab);
        else
            pages_put(slab, slab->page_count);
        return;
    }
    ASSERT(slab->size_class < CLASS_COUNT && slab->used > 0);
    head = &partial[slab->size_class];
    if (!slab->free && slab->fresh == 0)
        list_prepend(head, &slab->node);
    memcpy(object, &slab->free, sizeof(void *));
    slab->free = object;
    slab->used--;
    if (slab->used == 0 &&
        !(head->next == &slab->node && head->prev == &slab->node)) {
        list_remove(&slab->node);
        page_put(slab);
    }
}

void net_memory_trim(void)
{
    spare_give();
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        list_for_each (item, &partial[i]) {
            struct slab *slab = container_of(item, struct slab, node);

            if (slab->used == 0) {
                list_remove(&slab->node);
                pages_put(slab, 1);
            }
        }
    }
}

bool net_memory_tight(void)
{
    return pages_used - spare_count > pages_max - pages_max / 4;
}

uint64_t net_memory_pages(void)
{
    return pages_used;
}
