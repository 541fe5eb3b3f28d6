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
 * made that of the slot's start, with a size mark (7) that get_nominal_size
 * refuses, so that freeing it again still crashes. The first word links it.
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
#define CLASS_BYTES_MAX  (4u << 10)
#define CLASS_BLOCKS_MAX 16
#define SIZE_MARK_CACHED (7u << 5)

struct cache {
    void *first[CLASSES];
    unsigned char count[CLASSES];
    unsigned bytes;
    unsigned char state; /* enum below */
};

enum { CACHE_NEW, CACHE_OPEN, CACHE_CLOSED };

static _Thread_local struct cache cache;
static pthread_key_t cache_key;
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;

static struct meta *slot_meta(const unsigned char *start)
{
    int offset = *(const uint16_t *)(start - 2);
    const struct group *group = (const void *)(start - UNIT * offset - UNIT);

    return group->meta;
}

/* Takes the block's slot out of the cache and back to musl's allocator. */
static void give_back(unsigned char *start)
{
    struct meta *g = slot_meta(start);
    unsigned char *end = start + get_stride(g) - IB;

    set_size(start, end, 0);
    __libc_free(start);
}

static void flush(void)
{
    for (int class = 0; class < CLASSES; class ++)
        while (cache.first[class] != NULL) {
            unsigned char *start = cache.first[class];

            cache.first[class] = *(void **)start;
            cache.count[class]--;
            give_back(start);
        }
    cache.bytes = 0;
}

/* A thread ends: what its other destructors free goes straight back. */
static void close_cache(void *unused)
{
    cache.state = CACHE_CLOSED;
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
    cache.state = CACHE_OPEN;
    if (__pthread_self()->tid == __syscall(SYS_getpid))
        return;
    pthread_once(&cache_once, make_key);
    if (pthread_setspecific(cache_key, &cache) != 0)
        cache.state = CACHE_CLOSED;
}

/* The first cached block of a class, if it holds n: slots of their own
 * mapping are cut to what was asked for. */
static void *take_class(int class, size_t n)
{
    unsigned char *start = cache.first[class];
    unsigned char *end;
    struct meta *g;

    if (start == NULL)
        return NULL;
    g = slot_meta(start);
    end = start + get_stride(g) - IB;
    if (n > (size_t)(end - start))
        return NULL;
    cache.first[class] = *(void **)start;
    cache.count[class]--;
    cache.bytes -= UNIT * size_classes[class];
    start[-3] = get_slot_index(start);
    set_size(start, end, n);
    return start;
}

static void *take(size_t n)
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

void free(void *p)
{
    struct meta *g;
    unsigned char *start;
    size_t stride, size;
    int class, index;

    if (p == NULL)
        return;
    g = get_meta(p);
    class = g->sizeclass;
    index = get_slot_index(p);
    stride = get_stride(g);
    start = g->mem->storage + stride * index;
    if (class >= CLASSES || cache.state == CACHE_CLOSED)
        goto past;
    size = UNIT * size_classes[class];
    if (cache.count[class] != 0 &&
        (cache.count[class] >= CLASS_BLOCKS_MAX ||
         (cache.count[class] + 1) * size > CLASS_BYTES_MAX))
        goto past;
    if (cache.bytes + size > CACHE_BYTES_MAX)
        goto past;
    if (cache.state == CACHE_NEW)
        open_cache();
    get_nominal_size(p, start + stride - IB); /* checks for overflows */
    *(uint16_t *)(start - 2) = (size_t)(start - g->mem->storage) / UNIT;
    start[-3] = index | SIZE_MARK_CACHED;
    *(void **)start = cache.first[class];
    cache.first[class] = start;
    cache.count[class]++;
    cache.bytes += size;
    return;
past:
    __libc_free(p);
}
