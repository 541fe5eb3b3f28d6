/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The heap limit, RtsFlags.GcFlags.maxHeapSize, which the runtime reads at the
 * end of each major collection (rts/sm/GC.c, resizeGenerations): more live
 * data than that is HeapOverflow in the main thread.
 *
 * It is made anew from the budget around each collection, so that it sinks
 * when C code, sockets and files take memory and rises when they give it back.
 */
#include "governor.h"

#include <string.h>

bool governor_on, governor_off;

static W_ user_limit;     /* blocks, from -M; 0: none */
static bool user_compact; /* -c */
static W_ blocks_live;    /* after the last major collection */

/* Below this many megablocks the allocation area is a quarter of GHC's own. */
#define SMALL_MB   32
#define SMALL_AREA (256 * 1024 / BLOCK_SIZE)

/* So few megablocks are not worth putting together (limit_is_scattered). */
#define SCATTERED_MB 4

/* What may be allocated past the limit before all is collected again. */
#define TIME_BLOCKS (MBLOCK_SIZE / BLOCK_SIZE)

/* What live data may not use: a sixteenth, for what is allocated between the
 * moment when the limit is passed and the moment when the program has acted
 * on HeapOverflow, and for C code. */
#define SLACK_SHARE 16

/* Live data that leaves less than half of this to allocate in is too much:
 * with the runtime's 3 percent a program near its limit does little but
 * collect. */
#define FREE_PERCENT 7

static W_ max(W_ a, W_ b)
{
    return a > b ? a : b;
}

static W_ min(W_ a, W_ b)
{
    return a < b ? a : b;
}

/* Blocks free inside the megablocks that the runtime has. */
static W_ blocks_inside(void)
{
    W_ all = mblocks_allocated * BLOCKS_PER_MBLOCK;

    return all > n_alloc_blocks ? all - n_alloc_blocks : 0;
}

bool limit_is_scattered(void)
{
    return mblocks_allocated > SCATTERED_MB &&
           blocks_inside() / 3 > mblocks_allocated * BLOCKS_PER_MBLOCK / 4;
}

W_ limit_blocks_live(void)
{
    return blocks_live;
}

/*
 * What there is, less the slack, less what the reserve lacks, which comes back
 * first. Blocks that are free inside the runtime's megablocks are scattered:
 * half of them count. (Whole megablocks are given back after a collection if
 * little is left, and count then as free.)
 */
W_ limit_blocks(W_ free_mb)
{
    W_ outside = free_mb * BLOCKS_PER_MBLOCK;
    W_ there = n_alloc_blocks + blocks_inside() / 2 + outside;
    W_ missing =
        (budget_reserve_target_mb() - budget_reserve_mb()) * BLOCKS_PER_MBLOCK;
    W_ kept = there / SLACK_SHARE + missing;
    W_ limit = there > kept ? there - kept : 0;

    if (user_limit != 0)
        limit = min(limit, user_limit);
    return min(max(limit, 1), UINT32_MAX);
}

bool limit_is_users(void)
{
    return user_limit != 0;
}

void limit_defaults(void)
{
    governor_on = budget_start();
    governor_off = !governor_on;
    if (governor_on && budget_free_mb() < SMALL_MB)
        RtsFlags.GcFlags.minAllocAreaSize = SMALL_AREA;
}

/* Under these the runtime does not keep to its limit (measured: -G1 and
 * --nonmoving-gc took gigabytes under -M48m). */
static void refuse_flags(void)
{
    static const char why[] =
        "with it GHC's runtime does not keep to a heap limit, and memory is "
        "limited here";

    if (RtsFlags.GcFlags.generations == 1)
        report_refuse("the runtime flag -G1 is refused", why,
                      "leave it out: +RTS -G2");
    if (RtsFlags.GcFlags.sweep)
        report_refuse("the runtime flag -w is refused", why,
                      "leave it out, or ask for compaction: +RTS -c");
    if (RtsFlags.GcFlags.useNonmoving)
        report_refuse("the runtime flag --nonmoving-gc is refused", why,
                      "leave it out: +RTS --copying-gc");
}

void limit_start(void)
{
    refuse_flags();
    user_limit = RtsFlags.GcFlags.maxHeapSize;
    user_compact = RtsFlags.GcFlags.compact;
    budget_reserve_fill();

    W_ limit = limit_blocks(budget_free_mb());

    RtsFlags.GcFlags.maxHeapSize = (uint32_t)limit;
    RtsFlags.GcFlags.pcFreeHeap = FREE_PERCENT;
    /* An allocation area, and a heap to begin with, that leave room. */
    RtsFlags.GcFlags.minAllocAreaSize =
        (uint32_t)min(RtsFlags.GcFlags.minAllocAreaSize, max(limit / 8, 16));
    RtsFlags.GcFlags.heapSizeSuggestion =
        (uint32_t)min(RtsFlags.GcFlags.heapSizeSuggestion, limit / 2);
}

/* Blocks of the generations that every collection copies. */
static W_ blocks_young(void)
{
    W_ blocks = 0;

    for (uint32_t i = 0; i < n_nurseries; i++)
        blocks += nurseries[i].n_blocks;
    for (generation *gen = generations; gen != oldest_gen; gen++)
        blocks += gen->n_blocks;
    return blocks;
}

/* Megablocks that so many blocks take beyond what is free inside those that the
 * runtime has, and the reserve; and one for the ends of groups. */
static W_ outside_wanted(W_ blocks)
{
    W_ inside = blocks_inside() + budget_reserve_mb() * BLOCKS_PER_MBLOCK;

    blocks += 2 * BLOCKS_PER_MBLOCK - 1;
    return blocks > inside ? (blocks - inside) / BLOCKS_PER_MBLOCK : 0;
}

/*
 * The oldest generation is copied if there is room for a second one, else
 * compacted where it is (rts/sm/Compact.c), which is slower, and leaves what
 * lives scattered over the megablocks. old: blocks that may have to be copied.
 */
static bool has_room_to_copy(W_ old, W_ free_mb)
{
    return outside_wanted(blocks_young() + old) <= free_mb;
}

/* Whether so many blocks are there for this collection. In the threaded runtime
 * C code may take what is free meanwhile: there they are held for it. */
static bool get_room_for(W_ blocks, W_ free_mb)
{
    W_ mb = outside_wanted(blocks);

#if defined(THREADED_RTS)
    (void)free_mb;
    return mb == 0 || budget_hold(mb);
#else
    return mb <= free_mb;
#endif
}

/*
 * Before the generations are prepared. With several capabilities the runtime
 * has decided already that they collect together, which compaction does not.
 *
 * GcFlags.compact makes resizeGenerations count what lives once. It would
 * count twice what is copied, and even large objects, which never are; but
 * that there is no room to copy is seen here in time.
 */
void limit_gc_begins(void)
{
    W_ free_mb;

    if (!governor_on)
        return;
    shortage_gc_begins();
    free_mb = budget_free_mb();
    RtsFlags.GcFlags.maxHeapSize = (uint32_t)limit_blocks(free_mb);
    RtsFlags.GcFlags.compact = true;
    if (!oldest_gen->mark) {
        if (get_room_for(blocks_young() + oldest_gen->n_blocks, free_mb))
            return;
        if (n_capabilities == 1)
            oldest_gen->mark = oldest_gen->compact = 1;
    }
    /* Compaction has a bitmap; without room for it nothing better is left. */
    (void)get_room_for(blocks_young() + BLOCKS_PER_MBLOCK, free_mb);
}

/* How the next major collection will be, as far as can be told now: as the
 * runtime decides it (resizeGenerations), by what lives. */
static void choose_compaction(W_ free_mb)
{
    W_ old = n_capabilities == 1
                 ? oldest_gen->n_blocks
                 : max(oldest_gen->n_blocks, oldest_gen->max_blocks);
    W_ threshold = RtsFlags.GcFlags.maxHeapSize / 100 *
                   (W_)RtsFlags.GcFlags.compactThreshold;
    bool compact = user_compact || oldest_gen->n_blocks > threshold ||
                   !has_room_to_copy(old, free_mb);

    oldest_gen->mark = oldest_gen->compact = compact;
}

/* The runtime keeps megablocks for the next collection; where little is left
 * for others, they get them now. */
static void give_back(W_ free_mb, W_ total_mb)
{
    if (free_mb < total_mb / 4)
        returnMemoryToOS(UINT32_MAX);
    if (budget_reserve_mb() < budget_reserve_target_mb())
        budget_reserve_fill();
}

/* Past its limit the runtime would collect all generations each time that the
 * allocation area is used up, until the program has acted on HeapOverflow. */
static void give_time(void)
{
    W_ old = oldest_gen->n_blocks + oldest_gen->n_large_blocks +
             oldest_gen->n_compact_blocks;

    if (oldest_gen->max_blocks < old + TIME_BLOCKS)
        oldest_gen->max_blocks = old + TIME_BLOCKS;
}

/* Few free pages and much that may be garbage: the next collection looks at
 * all of it. */
static void hurry(W_ free_mb, W_ total_mb)
{
    W_ since = n_alloc_blocks > blocks_live ? n_alloc_blocks - blocks_live : 0;

    if (free_mb < total_mb / 8 && since > blocks_live / 4 + BLOCKS_PER_MBLOCK)
        oldest_gen->max_blocks = 0;
}

/* The budget is looked at once, since as a Linux process that costs files to
 * be read; what is given back here is room that nobody counts on yet. */
void limit_gc_ends(bool major)
{
    W_ free, total, free_mb, total_mb;

    if (!governor_on)
        return;
    budget_hold_end();
    free = budget_free();
    total = budget_total();
    free_mb = free / GOVERNOR_MB_COST;
    total_mb = total / MBLOCK_SIZE;
    shortage_gc_ends(major, total, free);
    give_back(free_mb, total_mb);
    if (major) {
        blocks_live = n_alloc_blocks;
        give_time();
    } else {
        hurry(free_mb, total_mb);
    }
    choose_compaction(free_mb);
    ask_gc_ended(major);
    shortage_gc_is_over();
}
