/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Physical frames: a buddy allocator of blocks up to 2 MiB.
 *
 * Called with interrupts off or the monitor held; never fails for a promised
 * page, since memory.c counts before anyone asks.
 *
 * Each frame has one state byte: 0, ABSENT, or FREE plus the order for the
 * first frame of a free block, whose first bytes link it into the list of its
 * order. So that starting costs the same on any machine, RAM enters the lists
 * 2 MiB at a time, when they run empty, lowest first.
 */
#include <string.h>

#include "parts.h"

#define FREE   0x80u
#define ABSENT 0x40u /* gone to the hypervisor */

struct region {
    uint64_t first, end; /* frame numbers */
    uint64_t there;      /* where those end that were there at boot */
    uint8_t *state;
};

struct free_block {
    struct free_block *next, **link;
};

static struct region regions[HW_RAM_RANGES];
static unsigned region_count;
static struct free_block *lists[HW_ORDER_LARGE + 1];
static unsigned next_region; /* what has not entered the lists yet */
static uint64_t next_frame;

static struct free_block *block_at(uint64_t frame)
{
    return hw_physical(frame * HW_PAGE);
}

static uint64_t frame_of(const struct free_block *block)
{
    return ((uint64_t)block - HW_DIRECT) / HW_PAGE;
}

static struct region *region_of(uint64_t frame)
{
    unsigned i;

    for (i = 0; i < region_count; i++)
        if (frame >= regions[i].first && frame < regions[i].end)
            return &regions[i];
    hw_crash("a frame that is not RAM", NULL, frame * HW_PAGE, 134);
}

static void block_link(struct region *region, uint64_t frame, unsigned order)
{
    struct free_block *block = block_at(frame);

    block->next = lists[order];
    block->link = &lists[order];
    if (block->next)
        block->next->link = &block->next;
    lists[order] = block;
    region->state[frame - region->first] = FREE | order;
}

static void block_unlink(struct region *region, uint64_t frame)
{
    struct free_block *block = block_at(frame);

    *block->link = block->next;
    if (block->next)
        block->next->link = block->link;
    region->state[frame - region->first] = 0;
}

static void block_free(struct region *region, uint64_t frame, unsigned order)
{
    HW_ASSERT(region->state[frame - region->first] == 0);
    for (; order < HW_ORDER_LARGE; order++) {
        uint64_t buddy = frame ^ 1ull << order;

        if (buddy < region->first || buddy >= region->end ||
            region->state[buddy - region->first] != (FREE | order))
            break;
        block_unlink(region, buddy);
        frame &= ~(1ull << order);
    }
    block_link(region, frame, order);
}

/* Frees [start, end) in the largest aligned blocks. */
static void range_free(struct region *region, uint64_t start, uint64_t end)
{
    while (start < end) {
        unsigned order = 0;

        while (order < HW_ORDER_LARGE && !(start >> order & 1) &&
               start + (2ull << order) <= end)
            order++;
        block_link(region, start, order);
        start += 1ull << order;
    }
}

/* Frees of [start, end) what nobody has taken. */
static void untaken_free(struct region *region, uint64_t start, uint64_t end)
{
    unsigned i;

    for (i = 0; i < hw_machine.taken_count && start < end; i++) {
        uint64_t taken_start = hw_machine.taken[i].start / HW_PAGE;
        uint64_t taken_end = hw_machine.taken[i].end / HW_PAGE;

        if (taken_end <= start)
            continue;
        if (taken_start >= end)
            break;
        if (taken_start > start)
            range_free(region, start, taken_start);
        start = taken_end;
    }
    range_free(region, start, end);
}

/* Lets the next piece of RAM into the lists; false if there is none. */
static bool refill(void)
{
    struct region *region;
    uint64_t start, end, i;

    if (next_region == region_count)
        return false;
    region = &regions[next_region];
    start = next_frame;
    end = (start | (HW_FRAMES_LARGE - 1)) + 1;
    if (end > region->there)
        end = region->there;
    if (xen_pv)
        xenpv_direct_need(start * HW_PAGE, end * HW_PAGE);
    for (i = start; i < end; i++)
        region->state[i - region->first] = 0;
    untaken_free(region, start, end);
    next_frame = end;
    if (end == region->there && ++next_region < region_count)
        next_frame = regions[next_region].first;
    if (xen_pv)
        xenpv_direct_spare();
    return true;
}

uint64_t hw_frame_get(unsigned order)
{
    struct region *region;
    uint64_t frame;
    unsigned from;

    for (;;) {
        for (from = order; from <= HW_ORDER_LARGE; from++)
            if (lists[from])
                goto found;
        if (!refill())
            return 0;
    }
found:
    frame = frame_of(lists[from]);
    region = region_of(frame);
    block_unlink(region, frame);
    while (from > order) {
        from--;
        block_link(region, frame + (1ull << from), from);
    }
    return frame * HW_PAGE;
}

void hw_frame_put(uint64_t physical, unsigned order)
{
    uint64_t frame = physical / HW_PAGE;

    block_free(region_of(frame), frame, order);
}

void hw_frame_absent_set(uint64_t physical, bool absent)
{
    struct region *region = region_of(physical / HW_PAGE);

    region->state[physical / HW_PAGE - region->first] = absent ? ABSENT : 0;
}

uint64_t hw_frame_absent_next(uint64_t physical)
{
    uint64_t frame = physical / HW_PAGE;
    unsigned i;

    for (i = 0; i < region_count; i++) {
        const struct region *region = &regions[i];

        if (frame < region->first)
            frame = region->first;
        for (; frame < region->end; frame++) {
            /* What has not entered the lists has no state yet. */
            if (i >= next_region && frame >= next_frame &&
                frame < region->there)
                frame = region->there;
            if (frame == region->end)
                break;
            if (region->state[frame - region->first] == ABSENT)
                return frame * HW_PAGE;
        }
    }
    return 0;
}

static uint64_t taken_inside(uint64_t start, uint64_t end)
{
    uint64_t count = 0;
    unsigned i;

    for (i = 0; i < hw_machine.taken_count; i++) {
        uint64_t from = hw_machine.taken[i].start / HW_PAGE;
        uint64_t to = hw_machine.taken[i].end / HW_PAGE;

        from = from > start ? from : start;
        to = to < end ? to : end;
        if (from < to)
            count += to - from;
    }
    return count;
}

uint64_t hw_frames_init(uint64_t *taken)
{
    uint64_t total = 0, count = 0;
    uint8_t *state;
    unsigned i;

    for (i = 0; i < hw_machine.ram_count; i++) {
        regions[i].first = hw_machine.ram[i].start / HW_PAGE;
        regions[i].end = hw_machine.ram[i].end / HW_PAGE;
        regions[i].there = regions[i].end;
        total += regions[i].end - regions[i].first;
        if (i == hw_machine.ram_count - 1 && hw_machine.growth_end != 0)
            regions[i].end = hw_machine.growth_end / HW_PAGE;
        count += regions[i].end - regions[i].first;
    }
    region_count = hw_machine.ram_count;
    state = hw_physical(hw_machine_carve(count));
    hw_machine_sort_taken();
    *taken = 0;
    for (i = 0; i < region_count; i++) {
        regions[i].state = state;
        state += regions[i].end - regions[i].first;
        *taken += taken_inside(regions[i].first, regions[i].there);
        memset(regions[i].state + (regions[i].there - regions[i].first), ABSENT,
               regions[i].end - regions[i].there);
    }
    next_frame = regions[0].first;
    return total;
}
