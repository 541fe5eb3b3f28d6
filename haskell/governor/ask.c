/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a large object fits, asked by the primitive operations before they
 * take memory for one: it does; or a major collection comes first and the
 * question again; or that was done, and HeapOverflow is raised in the thread
 * that asked.
 */
#include "governor.h"

/* Words in front of the payload of the largest header, rounded up; and an
 * array of pointers has a card for each 128 of them. */
#define HEADER_BYTES 64

/* Blocks that large objects may still have without being looked at: what was
 * seen to be there, at most a megabyte, since C code takes memory meanwhile. */
#define ALLOWANCE_MAX ((W_)MBLOCK_SIZE / BLOCK_SIZE)
static W_ allowance; /* several capabilities take of it at once */

static bool take_allowance(W_ blocks)
{
    W_ left = __atomic_load_n(&allowance, __ATOMIC_RELAXED);

    while (blocks <= left)
        if (__atomic_compare_exchange_n(&allowance, &left, left - blocks, false,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return true;
    return false;
}

static void set_allowance(W_ blocks)
{
    __atomic_store_n(&allowance, blocks, __ATOMIC_RELAXED);
}

static bool collecting; /* a collection was asked for, and is not over */

/* Another capability's collection, not of everything, may come first, and then
 * ours is left out (rts/Schedule.c, scheduleDoGC): so often at most. */
#define COLLECTIONS_MAX 4

#if defined(THREADED_RTS)
extern Mutex sm_mutex; /* rts/sm/Storage.h */
#define LOCK()   ACQUIRE_LOCK(&sm_mutex)
#define UNLOCK() RELEASE_LOCK(&sm_mutex)
#else
#define LOCK()
#define UNLOCK()
#endif

static W_ megablocks(W_ blocks)
{
    return blocks < BLOCKS_PER_MBLOCK ? 1 : BLOCKS_TO_MBLOCKS(blocks);
}

/* The runtime's free lists are by powers of two, and it looks in those only
 * where each group is large enough (rts/sm/BlockAlloc.c, allocGroupOnNode). */
static W_ group_wanted(W_ blocks)
{
    W_ size = 1;

    if (blocks >= BLOCKS_PER_MBLOCK)
        return blocks;
    while (size < blocks)
        size *= 2;
    return size;
}

static bool is_free(const bdescr *bd)
{
    return bd->free == (StgPtr)-1;
}

/* Whether one group of the megablock has room. */
static bool megablock_has(const bdescr *bd, W_ wanted)
{
    const bdescr *end = bd + BLOCKS_PER_MBLOCK;

    while (bd < end && bd->blocks != 0) {
        if (is_free(bd) && bd->blocks >= wanted)
            return true;
        bd += bd->blocks;
    }
    return false;
}

/* Whether a free group inside the runtime's megablocks has room. Holding the
 * lock. */
static bool inside_has(W_ blocks)
{
    W_ wanted = group_wanted(blocks);
    void *state = NULL;
    void *at = getFirstMBlock(&state);

    while (at != NULL) {
        const bdescr *bd = FIRST_BDESCR(at);
        W_ count = 1;

        if (bd->blocks >= BLOCKS_PER_MBLOCK) {
            count = BLOCKS_TO_MBLOCKS(bd->blocks);
            if (is_free(bd) && count >= megablocks(blocks))
                return true;
        } else if (megablock_has(bd, wanted)) {
            return true;
        }
        at = getNextMBlock(&state, (char *)at + (count - 1) * MBLOCK_SIZE);
    }
    return false;
}

static void allow(W_ blocks, W_ free_mb)
{
    W_ most = free_mb / 2 * BLOCKS_PER_MBLOCK;

    if (blocks > most)
        blocks = most;
    set_allowance(blocks < ALLOWANCE_MAX ? blocks : ALLOWANCE_MAX);
}

/* Looks closely, and sets the next allowance. */
static bool fits(W_ blocks)
{
    W_ limit, outside;
    bool there;

    LOCK();
    outside = budget_free_mb();
    limit = limit_blocks(outside);
    there = n_alloc_blocks + blocks <= limit &&
            (outside >= megablocks(blocks) || inside_has(blocks));
    if (there) {
        set_allowance(0);
        /* Only objects of less than a megablock use it, so that each finds
         * room in a fresh one. */
        if (outside > megablocks(blocks) + 1 && limit > n_alloc_blocks + blocks)
            allow(limit - n_alloc_blocks - blocks, outside);
    }
    UNLOCK();
    return there;
}

/* A collection that was asked for here does not throw HeapOverflow to the main
 * thread, too: whoever asked hears whether there is room. */
void ask_gc_ended(bool major)
{
    set_allowance(0);
    if (major && collecting) {
        collecting = false;
        heap_overflow = false;
    }
}

static bool fits_words(W_ words)
{
    W_ blocks = (words * sizeof(W_) + BLOCK_SIZE - 1) / BLOCK_SIZE;

    if (blocks < BLOCKS_PER_MBLOCK && take_allowance(blocks))
        return true;
    return fits(blocks);
}

bool ask_give_back(void)
{
    W_ before = mblocks_allocated;

    LOCK();
    returnMemoryToOS(UINT32_MAX);
    UNLOCK();
    return mblocks_allocated < before;
}

void ask_collects(void)
{
    collecting = true;
}

/* Makes the next look at the heap a collection of all generations. */
static void want_collection(void)
{
    ask_collects();
    g0->n_new_large_words = large_alloc_lim;
    if (oldest_gen != g0)
        oldest_gen->max_blocks = 0;
}

W_ governor_ask(W_ bytes, W_ collected)
{
    if (!governor_on)
        return ASK_FITS;
    /* One longer than addresses reach cannot fit, collected or not. */
    if (bytes > (W_)1 << 42)
        return ASK_OVERFLOW;

    W_ words = (bytes + bytes / 128 + HEADER_BYTES) / sizeof(W_) + 1;

    if (fits_words(words))
        return ASK_FITS;
    if (collected >= COLLECTIONS_MAX)
        collecting = false; /* nobody hears of it here any more */
    if (collected > 0 && !collecting)
        return ASK_OVERFLOW;
    want_collection();
    return ASK_COLLECT;
}
