/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The accounts: which page of the machine belongs to whom.
 *
 * The base knows image, tables, promised and free pages; core splits the
 * promised ones with a counter for each account, changed in the same step as
 * the promise (mem_charge). The sum is checked, never assumed: mem_check.
 */
#include <poll.h>

#include "core/mem/mem.h"
#include "core/mem/vma.h"
#include "core/thread/thread.h"

static uint64_t mem_promised[MEM_ACCOUNTS]; /* pages */
static uint64_t mem_limit = UINT64_MAX;     /* RLIMIT_AS, bytes */
static uint64_t mem_resident_max;           /* bytes */

static unsigned mem_watchers;
static uint64_t mem_mark; /* fewer free pages than these are news */
struct wait_queue mem_shortage_wait = WAIT_QUEUE_INIT(mem_shortage_wait);
uint64_t mem_shortages;

/* The first pages of core are in the same 2 MiB as the application's first,
 * so that a small machine pays for one page table. */
#define MEM_FIRST_PAGES 96u

/*
 * The arena, from below: core's first pages; the program break, with room for
 * as much memory as there is; mappings without a wish, upward; at the top,
 * from a quarter of the arena on at most, more of core's own pages.
 */
void mem_init(void)
{
    struct base_memory memory;
    core_base->mem_stats(&memory);
    uint64_t low = core_info->arena_start;
    uint64_t high = low + core_info->arena_size;
    uint64_t own = core_info->arena_size / 4;
    if (own > (1ull << 40))
        own = 1ull << 40;
    own &= ~MEM_PAGE_MASK;
    high -= own;
    memset(mem_promised, 0, sizeof(mem_promised));
    mem_limit = UINT64_MAX;
    mem_resident_max = 0;
    mem_pages_init(low, MEM_FIRST_PAGES, high, own);
    low += (uint64_t)MEM_FIRST_PAGES * LIMIT_PAGE_SIZE;
    vma_init(low, high);
    mem_brk_init(low);
    uint64_t room = memory.pages_free * LIMIT_PAGE_SIZE;
    if (room > LIMIT_BRK_SIZE)
        room = LIMIT_BRK_SIZE;
    vma_base = low + room;
}

/* Some pages were taken; before, so many more were free. The mark follows what
 * is free up, two steps below, and goes down a step each time that it is
 * passed: what goes to and fro by a step is told once. */
static void shortage_look(uint64_t pages_taken)
{
    struct base_memory memory;
    core_base->mem_stats(&memory);
    uint64_t step = memory.pages_total / MEM_STEP_SHARE;
    uint64_t low = memory.pages_total / MEM_LOW_SHARE;
    uint64_t before = memory.pages_free + pages_taken;
    if (before > mem_mark + 2 * step)
        mem_mark = before - 2 * step < low ? before - 2 * step : low;
    if (memory.pages_free >= mem_mark)
        return;
    mem_mark = memory.pages_free > step ? memory.pages_free - step : 0;
    mem_shortages++;
    wait_wake(&mem_shortage_wait, POLLPRI | POLLERR, 1);
    thread_defer(); /* or the rest is taken before anybody looks */
}

void mem_shortage_watch(void)
{
    if (mem_watchers++ == 0)
        mem_mark = mem_total_bytes() / LIMIT_PAGE_SIZE / MEM_LOW_SHARE;
}

void mem_shortage_ignore(void)
{
    ASSERT(mem_watchers > 0);
    mem_watchers--;
}

void mem_charge_over(enum mem_account account, int64_t pages_delta,
                     int64_t pages_more)
{
    mem_promised[account] += (uint64_t)pages_delta;
    ASSERT((int64_t)mem_promised[account] >= 0);
    if (pages_more > 0 && mem_watchers > 0)
        shortage_look((uint64_t)pages_more);
}

void mem_charge(enum mem_account account, int64_t pages_delta)
{
    mem_charge_over(account, pages_delta, pages_delta);
}

static uint64_t promised_sum(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < MEM_ACCOUNTS; i++)
        sum += mem_promised[i];
    return sum;
}

/* The application's touched pages. Core's own are taken to be touched: they
 * are asked for to be used at once. */
static uint64_t resident(const struct base_memory *memory)
{
    uint64_t own = mem_promised[MEM_CORE] + mem_promised[MEM_NET] +
                   mem_promised[MEM_CACHE];
    return memory->pages_resident > own ? memory->pages_resident - own : 0;
}

void mem_accounts_get(struct mem_accounts *out)
{
    struct base_memory memory;
    core_base->mem_stats(&memory);
    for (unsigned i = 0; i < MEM_ACCOUNTS; i++)
        out->pages[i] = mem_promised[i];
    out->pages[MEM_IMAGE] = memory.pages_image;
    out->pages[MEM_CORE] += memory.pages_tables;
    out->pages[MEM_FREE] = memory.pages_free;
    out->pages_total = memory.pages_total;
    out->pages_resident = resident(&memory);
}

void mem_check(void)
{
    struct base_memory memory;
    core_base->mem_stats(&memory);
    ASSERT(promised_sum() == memory.pages_promised);
    struct mem_accounts accounts;
    mem_accounts_get(&accounts);
    uint64_t sum = 0;
    for (unsigned i = 0; i < MEM_ACCOUNTS; i++)
        sum += accounts.pages[i];
    ASSERT(sum == accounts.pages_total);
}

void mem_audit(void)
{
    uint64_t charged[MEM_ACCOUNTS] = {0}, mapped = 0, own = 0;
    unsigned count = 0;
    mem_check();
    for (const struct vma *vma = vma_find(vma_low); vma != NULL;
         vma = vma_next(vma)) {
        uint64_t pages = (vma->end - vma->start) / LIMIT_PAGE_SIZE;
        mapped += pages;
        count++;
        if (vma_charged(vma))
            charged[vma_account(vma)] += pages;
    }
    ASSERT(mapped == vma_pages && count == vma_count);
    for (unsigned i = 0; i < MEM_ACCOUNTS; i++)
        if (i == MEM_APP_ANON || i == MEM_APP_FILE)
            ASSERT(charged[i] == mem_promised[i]);
        else
            own += mem_promised[i];
    ASSERT(own == mem_pages_taken());
}

/* Pages of [start, end) in [low, high). */
static uint64_t overlap(const struct vma *vma, uint64_t low, uint64_t high)
{
    uint64_t start = vma->start > low ? vma->start : low;
    uint64_t end = vma->end < high ? vma->end : high;
    return start < end ? (end - start) / LIMIT_PAGE_SIZE : 0;
}

/* A thread's pointer is at the upper end of the stack that libc mapped for it.
 * Mappings that touch are one, so two such stacks may be, too. */
static void mark_stacks(void)
{
    list_for_each (item, &thread_list) {
        uint64_t tp = container_of(item, struct thread, all)->tp;
        struct vma *vma = vma_find(tp);
        if (vma != NULL && vma->start <= tp && tp >= mem_round_up(mem_brk_end))
            vma->flags |= VMA_COUNTED;
    }
}

void mem_uses_get(struct mem_uses *out)
{
    memset(out, 0, sizeof(*out));
    mark_stacks();
    for (struct vma *vma = vma_find(vma_low); vma != NULL;
         vma = vma_next(vma)) {
        bool stack = vma->flags & (VMA_STACK | VMA_COUNTED);
        uint64_t pages = overlap(vma, vma->start, vma->end);
        vma->flags &= (uint8_t)~VMA_COUNTED;
        if (!vma_charged(vma) || (vma->flags & VMA_FILE))
            continue;
        uint64_t brk = overlap(vma, mem_brk_start, mem_round_up(mem_brk_end));
        out->brk += brk;
        if (vma->flags & VMA_DISCARD)
            out->discard += pages - brk;
        else if (stack)
            out->stacks += pages - brk;
        else
            out->maps += pages - brk;
    }
}

uint64_t mem_total_bytes(void)
{
    struct base_memory memory;
    core_base->mem_stats(&memory);
    return memory.pages_total * LIMIT_PAGE_SIZE;
}

uint64_t mem_free_bytes(void)
{
    struct base_memory memory;
    core_base->mem_stats(&memory);
    return memory.pages_free * LIMIT_PAGE_SIZE;
}

uint64_t mem_resident_bytes(void)
{
    struct base_memory memory;
    core_base->mem_stats(&memory);
    return resident(&memory) * LIMIT_PAGE_SIZE;
}

uint64_t mem_resident_max_bytes(void)
{
    uint64_t now = mem_resident_bytes();
    if (now > mem_resident_max)
        mem_resident_max = now;
    return mem_resident_max;
}

void mem_give_back(uint64_t start, uint64_t size)
{
    (void)mem_resident_max_bytes(); /* it only ever falls here */
    core_base->mem_unmap(start, size);
}

uint64_t mem_mapped_bytes(void)
{
    return vma_pages * LIMIT_PAGE_SIZE +
           mem_round_up(core_info->image_end - core_info->image_start);
}

void mem_limit_set(uint64_t bytes)
{
    mem_limit = bytes;
}

uint64_t mem_limit_get(void)
{
    return mem_limit;
}

bool mem_limit_allows(uint64_t pages_more)
{
    if (mem_limit == UINT64_MAX)
        return true;
    uint64_t used = mem_mapped_bytes();
    return used <= mem_limit &&
           pages_more <= (mem_limit - used) / LIMIT_PAGE_SIZE;
}
