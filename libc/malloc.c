/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * malloc, free and calloc: a small cache for each thread in front of musl's
 * allocator (src/malloc/mallocng), which stays as it is behind it.
 *
 * musl's allocator is compact and checks itself, but gives a group back to the
 * kernel with its last block, so that malloc and free in turn cost tens of
 * thousands of instructions, and it takes a lock. Here a freed block stays
 * with its thread and the next malloc of its class takes it. Why a cache, and
 * what it may hold: docs/decisions/0004-malloc.md.
 *
 * A cached block is in use as far as musl's allocator knows. Its header is
 * made that of the slot's start, with a size mark (7) that no block in use
 * has, so that freeing it again still crashes. Its first word links it, its
 * second says where the slot ends; so slots of 16 bytes are not cached.
 *
 * free looks only at what it must to know the slot, and leaves whatever seems
 * odd to musl's own, which checks everything and ends the program.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "pthread_impl.h"

#include "malloc/mallocng/meta.h"

#undef malloc
#undef free

void *__libc_malloc_impl(size_t);
void __libc_free(void *);
hidden int __malloc_allzerop(void *);

#define CLASSES 48
/* What one thread may keep: in all, and of one class. */
#define CACHE_BYTES_MAX  (256u << 10)
#define CLASS_BLOCKS_MAX 16
#define SIZE_MARK_CACHED (7u << 5)

struct block {
    struct block *next;
    unsigned char *end;
};

struct cache {
    struct block *first[CLASSES];
    unsigned char count[CLASSES];
    unsigned bytes;
    unsigned bytes_max;  /* 0 unless open */
    unsigned char state; /* enum below */
};

enum { CACHE_NEW, CACHE_OPEN, CACHE_CLOSED };

static _Thread_local struct cache cache;
static pthread_key_t cache_key;
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;

/* Gives a cached slot back to musl's allocator. */
static void give_back(struct block *block)
{
    set_size((unsigned char *)block, block->end, 0);
    __libc_free(block);
}

static void flush(void)
{
    for (int class = 0; class < CLASSES; class ++)
        while (cache.first[class] != NULL) {
            struct block *block = cache.first[class];

            cache.first[class] = block->next;
            cache.count[class]--;
            give_back(block);
        }
    cache.bytes = 0;
}

/* A thread ends: what its other destructors free goes straight back. */
static void close_cache(void *unused)
{
    cache.state = CACHE_CLOSED;
    cache.bytes_max = 0;
    flush();
}

static void make_key(void)
{
    if (pthread_key_create(&cache_key, close_cache) != 0)
        a_crash();
}

/* The main thread's cache lives as long as the program. */
static void open_cache(void)
{
    int is_main = __pthread_self()->tid == __syscall(SYS_getpid);

    if (!is_main) {
        pthread_once(&cache_once, make_key);
        if (pthread_setspecific(cache_key, &cache) != 0) {
            cache.state = CACHE_CLOSED;
            return;
        }
    }
    cache.state = CACHE_OPEN;
    cache.bytes_max = CACHE_BYTES_MAX;
}

/* The first cached block of a class, if it holds n: slots of their own
 * mapping are cut to what was asked for. */
static inline void *take_class(int class, size_t n)
{
    struct block *block = cache.first[class];

    if (block == NULL || n > (size_t)(block->end - (unsigned char *)block))
        return NULL;
    cache.first[class] = block->next;
    cache.count[class]--;
    cache.bytes -= UNIT * size_classes[class];
    set_size((unsigned char *)block, block->end, n);
    return block;
}

static inline void *take(size_t n)
{
    int class;
    void *p;

    if (n >= MMAP_THRESHOLD)
        return NULL;
    class = size_to_class(n);
    p = take_class(class, n);
    /* musl's allocator puts the first few of an even class into the next. */
    if (p == NULL && class % 2 == 0)
        p = take_class(class + 1, n);
    return p;
}

static void *take_new(size_t n)
{
    void *p = __libc_malloc_impl(n);

    if (p == NULL && cache.bytes > 0) {
        flush();
        p = __libc_malloc_impl(n);
    }
    return p;
}

void *malloc(size_t n)
{
    void *p = take(n);

    return p != NULL ? p : take_new(n);
}

void *calloc(size_t count, size_t size)
{
    size_t n;
    void *p;

    if (__builtin_mul_overflow(count, size, &n)) {
        errno = ENOMEM;
        return NULL;
    }
    p = take(n);
    if (p == NULL) {
        p = take_new(n);
        if (p == NULL || __malloc_allzerop(p))
            return p;
    }
    return memset(p, 0, n);
}

/* Not for the cache; or it is this thread's first. */
static __attribute__((__noinline__)) void free_past(void *p)
{
    if (cache.state == CACHE_NEW) {
        open_cache();
        free(p);
        return;
    }
    __libc_free(p);
}

void free(void *p)
{
    unsigned char *block = p, *start, *end;
    const struct meta_area *area;
    const struct group *base;
    struct meta *g;
    unsigned bytes;
    int index, class;

    if (p == NULL)
        return;
    index = get_slot_index(block);
    base = (const void *)(block - UNIT * *(uint16_t *)(block - 2) - UNIT);
    if (block[-4] != 0 || block[-3] >= SIZE_MARK_CACHED)
        goto past;
    g = base->meta;
    area = (const void *)((uintptr_t)g & -4096);
    class = g->sizeclass;
    if (g->mem != base || area->check != ctx.secret || class == 0 ||
        class >= CLASSES || (g->avail_mask | g->freed_mask) >> index & 1)
        goto past;
    bytes = cache.bytes + UNIT * size_classes[class];
    if (bytes > cache.bytes_max || cache.count[class] >= CLASS_BLOCKS_MAX)
        goto past;
    start = g->mem->storage + get_stride(g) * index;
    end = start + get_stride(g) - IB;
    if (*end != 0) /* written past its end */
        goto past;
    *(uint16_t *)(start - 2) = (size_t)(start - g->mem->storage) / UNIT;
    /* Both, if the block did not begin where its slot does. */
    block[-3] = start[-3] = index | SIZE_MARK_CACHED;
    ((struct block *)start)->next = cache.first[class];
    ((struct block *)start)->end = end;
    cache.first[class] = (struct block *)start;
    cache.count[class]++;
    cache.bytes = bytes;
    return;
past:
    free_past(p);
}
