/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The accounts: which page of the machine belongs to whom.
 *
 * The base knows image, tables, promised and free pages; core splits the
 * promised ones with a counter for each account, changed in the same step as
 * the promise (mem_charge). The sum is checked, never assumed: mem_check.
 */
#include "core/mem/mem.h"
#include "core/mem/vma.h"

static uint64_t mem_promised[MEM_ACCOUNTS]; /* pages */
static uint64_t mem_limit = UINT64_MAX;     /* RLIMIT_AS, bytes */

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
    mem_pages_init(low, MEM_FIRST_PAGES, high, own);
    low += (uint64_t)MEM_FIRST_PAGES * LIMIT_PAGE_SIZE;
    vma_init(low, high);
    mem_brk_init(low);
    uint64_t room = memory.pages_free * LIMIT_PAGE_SIZE;
    if (room > LIMIT_BRK_SIZE)
        room = LIMIT_BRK_SIZE;
    vma_base = low + room;
}

void mem_charge(enum mem_account account, int64_t pages_delta)
{
    mem_promised[account] += (uint64_t)pages_delta;
    ASSERT((int64_t)mem_promised[account] >= 0);
}

static uint64_t promised_sum(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < MEM_ACCOUNTS; i++)
        sum += mem_promised[i];
    return sum;
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
    /* Core's own pages are taken to be touched: they are asked for to be
     * used at once. */
    uint64_t own = promised_sum() - mem_promised[MEM_APP_ANON] -
                   mem_promised[MEM_APP_FILE];
    out->pages_resident =
        memory.pages_resident > own ? memory.pages_resident - own : 0;
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
    struct mem_accounts accounts;
    mem_accounts_get(&accounts);
    return accounts.pages_resident * LIMIT_PAGE_SIZE;
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
