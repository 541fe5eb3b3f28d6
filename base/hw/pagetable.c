/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The arena: page tables that keep promises.
 *
 * base.h's mem_map promises pages, and the first touch gives them frames. All
 * that is known of a page is in its entry: MAPPED (promised), ACCESS (its
 * protection is not NONE), FRAME (touched), and the processor's own bits. A
 * whole promised 2 MiB takes one entry of the second level, marked LARGE; when
 * it is broken up the table below it is made. That table was counted when the
 * promise was made, as were all others, so that neither a fault nor a change
 * of protection ever fails for want of a table.
 *
 * In a PV guest these tables are only ours, and the processor has others that
 * follow them (base/xenpv/pagetable.c); for those a second frame stands behind
 * every table here (hw_table_frames).
 *
 * The number of entries in use of a table is kept in spare bits of the entry
 * above it, and a table without entries is freed at once.
 *
 * Callers hold the monitor, or are the page fault of code that does not.
 */
#include "parts.h"

#define AROUND_COUNT 8 /* pages given at once to a program that walks */
#define FLUSH_MANY   32

/* What distinguishes one protection from another. */
#define PTE_RIGHTS (PTE_ACCESS | PTE_WRITE | PTE_NX)

static unsigned flush_count;

static uint64_t bits_of(uint32_t prot)
{
    uint64_t bits = PTE_MAPPED | PTE_NX;

    if (prot != BASE_PROT_NONE)
        bits |= PTE_ACCESS;
    if (prot & BASE_PROT_WRITE)
        bits |= PTE_WRITE;
    if (prot & BASE_PROT_EXEC)
        bits &= ~PTE_NX;
    return bits;
}

/* An entry with the processor told what it may do. */
static uint64_t entry_finish(uint64_t entry)
{
    if ((entry & (PTE_FRAME | PTE_ACCESS)) == (PTE_FRAME | PTE_ACCESS))
        return entry | PTE_PRESENT;
    return entry & ~PTE_PRESENT;
}

static unsigned entry_count(uint64_t entry)
{
    return (entry & PTE_COUNT_MASK) / PTE_COUNT_ONE;
}

static bool is_table(uint64_t entry)
{
    return entry != 0 && !(entry & PTE_LARGE);
}

/* -- changed translations: one by one, or all when they are many -- */

static void flush_note(uint64_t address, uint64_t old)
{
    if (!(old & PTE_PRESENT))
        return;
    if (++flush_count <= FLUSH_MANY)
        hw_tlb_flush_page(address);
}

/* After a change of [start, start + size). */
static void flush_end(uint64_t start, uint64_t size)
{
    if (xen_pv)
        xenpv_range_publish(start, size);
    if (flush_count > FLUSH_MANY)
        hw_tlb_flush();
    flush_count = 0;
}

/*
 * The stack that a call comes on is in the arena, too, and its next page may
 * be a promise. That is kept here, since a page fault in the middle of a
 * change would find tables and lists half made.
 */
#define STACK_NEEDED 1024

__attribute__((noinline)) void hw_stack_touch(void)
{
    uint8_t room[STACK_NEEDED];

    __asm__ volatile("movb $0, %0" : "=m"(room[0]));
}

/* -- walking -- */

/* The second-level entry for address, or NULL where a higher table is missing;
 * *next is then where that hole ends. */
static uint64_t *large_find(uint64_t address, uint64_t *next)
{
    uint64_t *entry = &hw_pml4[hw_index(address, 4)];

    if (*entry == 0) {
        *next = (address | ((1ull << 39) - 1)) + 1;
        return NULL;
    }
    entry = &hw_table(*entry)[hw_index(address, 3)];
    if (*entry == 0) {
        *next = (address | ((1ull << 30) - 1)) + 1;
        return NULL;
    }
    return &hw_table(*entry)[hw_index(address, 2)];
}

/* The same, making what is missing. A new second-level entry (0) is counted as
 * in use at once: the caller fills it. */
static uint64_t *large_make(uint64_t address)
{
    uint64_t *top = &hw_pml4[hw_index(address, 4)], *middle, *entry;

    if (*top == 0)
        *top = hw_table_get() | PTE_PRESENT | PTE_WRITE;
    middle = &hw_table(*top)[hw_index(address, 3)];
    if (*middle == 0) {
        *middle = hw_table_get() | PTE_PRESENT | PTE_WRITE;
        *top += PTE_COUNT_ONE;
    }
    entry = &hw_table(*middle)[hw_index(address, 2)];
    if (*entry == 0)
        *middle += PTE_COUNT_ONE;
    return entry;
}

/* Empties a second-level entry and frees the tables that this leaves empty. */
static void large_clear(uint64_t address, uint64_t *entry)
{
    uint64_t *top = &hw_pml4[hw_index(address, 4)];
    uint64_t *middle = &hw_table(*top)[hw_index(address, 3)];

    *entry = 0;
    if (xen_pv)
        xenpv_table_drop(address, 2);
    *middle -= PTE_COUNT_ONE;
    if (entry_count(*middle) != 0)
        return;
    if (xen_pv)
        xenpv_table_drop(address, 3);
    hw_table_put(*middle & PTE_ADDRESS);
    *middle = 0;
    /* The first top entry also holds the image: it never gets empty. */
    *top -= PTE_COUNT_ONE;
    if (entry_count(*top) == 0 && top != hw_pml4) {
        if (xen_pv)
            xenpv_table_drop(address, 4);
        hw_table_put(*top & PTE_ADDRESS);
        *top = 0;
    }
    hw_tlb_flush(); /* the processor caches upper entries, too */
}

/* Breaks up a LARGE entry. Its table was reserved with it. */
static void large_split(uint64_t *entry)
{
    uint64_t old = *entry, physical = hw_frame_get(0), *table;
    uint64_t step = old & PTE_FRAME ? HW_PAGE : 0;
    unsigned i;

    HW_ASSERT(physical != 0);
    table = hw_physical(physical);
    old &= ~PTE_LARGE;
    for (i = 0; i < 512; i++, old += step)
        table[i] = old;
    *entry = physical | PTE_PRESENT | PTE_WRITE | 512 * PTE_COUNT_ONE;
}

uint64_t hw_arena_entry(uint64_t address, uint64_t *size)
{
    uint64_t next, *entry = large_find(address, &next);

    *size = HW_LARGE;
    if (!entry || !is_table(*entry))
        return entry ? *entry : 0;
    *size = HW_PAGE;
    return hw_table(*entry)[hw_index(address, 1)];
}

/* -- touching -- */

static bool access_allowed(uint64_t entry, uint32_t access)
{
    return (entry & PTE_ACCESS) &&
           (!(access & BASE_FAULT_WRITE) || (entry & PTE_WRITE)) &&
           (!(access & BASE_FAULT_EXECUTE) || !(entry & PTE_NX));
}

/*
 * A promised 2 MiB gets a page of that size if the program comes walking: if
 * the last page before it or the first one after it has been touched. A touch
 * out of nowhere (the top of a stack, say) is not worth zeroing 2 MiB.
 */
static bool large_touch(uint64_t address, uint64_t *entry)
{
    uint64_t start = address & ~(HW_LARGE - 1), size, frame;
    unsigned i;

    if (!(hw_arena_entry(start - HW_PAGE, &size) & PTE_FRAME) &&
        !(hw_arena_entry(start + HW_LARGE, &size) & PTE_FRAME))
        return false;
    frame = hw_frame_get(HW_ORDER_LARGE);
    if (frame == 0)
        return false;
    for (i = 0; i < HW_FRAMES_LARGE; i++)
        hw_page_zero(hw_physical(frame + i * HW_PAGE));
    *entry = entry_finish(*entry | frame | PTE_FRAME);
    hw_accounts.resident += HW_FRAMES_LARGE;
    return true;
}

static void page_touch(uint64_t *entry)
{
    uint64_t frame = hw_frame_get(0);

    HW_ASSERT(frame != 0);
    hw_page_zero(hw_physical(frame));
    *entry = entry_finish(*entry | frame | PTE_FRAME);
    hw_accounts.resident++;
}

/* Touches the page, and those that a walk in either direction will want. */
static void pages_touch(uint64_t *table, unsigned index)
{
    uint64_t promise = table[index];
    int step = 0;
    unsigned count;

    if (index > 0 && (table[index - 1] & PTE_FRAME))
        step = 1;
    else if (index < 511 && (table[index + 1] & PTE_FRAME))
        step = -1;
    for (count = 0; count < AROUND_COUNT; count++, index += step) {
        if (index > 511 || table[index] != promise)
            break;
        page_touch(&table[index]);
    }
}

static bool touch(uint64_t address, uint32_t access)
{
    uint64_t next, *entry, *table;
    unsigned index = hw_index(address, 1);

    if (address < HW_ARENA_START || address >= HW_ARENA_END)
        return false;
    entry = large_find(address, &next);
    if (!entry || *entry == 0)
        return false;
    if (!is_table(*entry)) {
        if (!access_allowed(*entry, access))
            return false;
        if ((*entry & PTE_FRAME) || large_touch(address, entry))
            return true;
        large_split(entry);
    }
    table = hw_table(*entry);
    if (!access_allowed(table[index], access))
        return false;
    if (!(table[index] & PTE_FRAME))
        pages_touch(table, index);
    return true;
}

bool hw_arena_touch(uint64_t address, uint32_t access)
{
    if (!touch(address, access))
        return false;
    if (xen_pv)
        xenpv_page_publish(address);
    return true;
}

/* -- mapping -- */

static void args_check(uint64_t addr, uint64_t size)
{
    HW_ASSERT((addr | size) % HW_PAGE == 0 && size != 0);
    HW_ASSERT(addr >= HW_ARENA_START && size <= HW_ARENA_END - addr);
}

/* Where the 2 MiB that address is in end, or the range does. */
static uint64_t piece_end(uint64_t address, uint64_t end)
{
    uint64_t next = (address | (HW_LARGE - 1)) + 1;

    return next < end ? next : end;
}

/* Tables that are missing above the second level for a range, as far as
 * address, one of its pieces, is the first to miss them. */
static uint64_t upper_missing(uint64_t address, bool first)
{
    uint64_t top = hw_pml4[hw_index(address, 4)], count = 0;

    if (top == 0 && (first || address % (1ull << 39) == 0))
        count++;
    if ((first || address % (1ull << 30) == 0) &&
        (top == 0 || hw_table(top)[hw_index(address, 3)] == 0))
        count++;
    return count;
}

/* Counts pages and tables that mapping [start, end) needs; stops early when
 * that is more than there is. */
static uint64_t map_cost(uint64_t start, uint64_t end)
{
    uint64_t at, stop, next, cost = 0, limit = hw_memory_free();

    for (at = start; at < end && cost <= limit; at = stop) {
        uint64_t *entry = large_find(at, &next);

        stop = piece_end(at, end);
        if (!entry || *entry == 0) {
            cost += (stop - at) / HW_PAGE +
                    hw_table_frames * (1 + upper_missing(at, at == start));
        } else if (is_table(*entry) && entry_count(*entry) != 512) {
            const uint64_t *table = hw_table(*entry);
            uint64_t page;
            for (page = at; page < stop; page += HW_PAGE)
                cost += table[hw_index(page, 1)] == 0;
        }
    }
    return cost;
}

/* Promises pages of a table that has none yet: the usual case, and a large
 * one. */
static void table_fill(uint64_t *entry, uint64_t at, uint64_t stop,
                       uint64_t bits)
{
    uint64_t *page = &hw_table(*entry)[hw_index(at, 1)];
    size_t added = (stop - at) / HW_PAGE, count = added;

    __asm__ volatile("rep stosq"
                     : "+D"(page), "+c"(count)
                     : "a"(bits)
                     : "memory");
    *entry += added * PTE_COUNT_ONE;
    hw_accounts.promised += added;
}

static void table_map(uint64_t *entry, uint64_t at, uint64_t stop,
                      uint64_t bits)
{
    uint64_t *table = hw_table(*entry);
    unsigned added = 0;

    for (; at < stop; at += HW_PAGE) {
        uint64_t *page = &table[hw_index(at, 1)], old = *page;

        added += old == 0;
        *page = entry_finish((old & (PTE_ADDRESS | PTE_FRAME)) | bits);
        if (*page != old)
            flush_note(at, old);
    }
    *entry += added * PTE_COUNT_ONE;
    hw_accounts.promised += added;
}

static void piece_map(uint64_t at, uint64_t stop, uint64_t bits)
{
    uint64_t *entry = large_make(at), old = *entry;
    bool whole = stop - at == HW_LARGE;

    if (old == 0 && whole) {
        *entry = bits | PTE_LARGE;
        hw_accounts.promised += HW_FRAMES_LARGE;
        hw_accounts.tables += hw_table_frames; /* reserved */
        return;
    }
    if (old != 0 && !is_table(old)) {
        if (whole) {
            *entry = entry_finish((old & (PTE_ADDRESS | PTE_FRAME)) | bits |
                                  PTE_LARGE);
            flush_note(at, old);
            return;
        }
        if ((old & PTE_RIGHTS) == (bits & PTE_RIGHTS))
            return;
        large_split(entry);
        flush_note(at, old);
    } else if (old == 0) {
        *entry = hw_table_get() | PTE_PRESENT | PTE_WRITE;
        table_fill(entry, at, stop, bits);
        return;
    }
    table_map(entry, at, stop, bits);
}

enum base_status hw_mem_map(uint64_t addr, uint64_t size, uint32_t prot)
{
    uint64_t at, stop, end = addr + size, bits = bits_of(prot);

    args_check(addr, size);
    hw_stack_touch();
    if (map_cost(addr, end) > hw_memory_free())
        return BASE_NOMEM;
    for (at = addr; at < end; at = stop) {
        stop = piece_end(at, end);
        piece_map(at, stop, bits);
    }
    flush_end(addr, size);
    return BASE_OK;
}

/* -- unmapping -- */

static void table_unmap(uint64_t *entry, uint64_t at, uint64_t stop)
{
    uint64_t *table = hw_table(*entry);
    unsigned removed = 0;

    for (; at < stop; at += HW_PAGE) {
        uint64_t *page = &table[hw_index(at, 1)], old = *page;

        if (old == 0)
            continue;
        if (old & PTE_FRAME) {
            hw_frame_put(old & PTE_ADDRESS, 0);
            hw_accounts.resident--;
        }
        *page = 0;
        removed++;
        flush_note(at, old);
    }
    *entry -= removed * PTE_COUNT_ONE;
    hw_accounts.promised -= removed;
}

static void piece_unmap(uint64_t at, uint64_t stop, uint64_t *entry)
{
    uint64_t old = *entry;

    if (!is_table(old)) {
        flush_note(at, old);
        if (stop - at != HW_LARGE) {
            large_split(entry);
        } else {
            if (old & PTE_FRAME) {
                hw_frame_put(old & PTE_ADDRESS, HW_ORDER_LARGE);
                hw_accounts.resident -= HW_FRAMES_LARGE;
            }
            hw_accounts.promised -= HW_FRAMES_LARGE;
            hw_accounts.tables -= hw_table_frames; /* the reserved ones */
            large_clear(at, entry);
            return;
        }
    }
    table_unmap(entry, at, stop);
    if (entry_count(*entry) == 0) {
        hw_table_put(*entry & PTE_ADDRESS);
        large_clear(at, entry);
        /* The processor may know the table, though no page of it. */
        hw_tlb_flush_page(at);
    }
}

void hw_mem_unmap(uint64_t addr, uint64_t size)
{
    uint64_t at = addr, end = addr + size, next;

    args_check(addr, size);
    hw_stack_touch();
    while (at < end) {
        uint64_t *entry = large_find(at, &next);

        if (entry)
            next = piece_end(at, end);
        if (entry && *entry != 0)
            piece_unmap(at, next, entry);
        at = next;
    }
    flush_end(addr, size);
}

/* -- moving -- */

/* Moves one page that is below a table at both ends. */
static void page_move(uint64_t from, uint64_t to)
{
    uint64_t next, *source = large_find(from, &next), *target, *page;

    HW_ASSERT(source && *source != 0);
    if (!is_table(*source))
        large_split(source);
    page = &hw_table(*source)[hw_index(from, 1)];
    HW_ASSERT(*page != 0);
    target = large_make(to);
    if (*target == 0)
        *target = hw_table_get() | PTE_PRESENT | PTE_WRITE;
    HW_ASSERT(is_table(*target));
    HW_ASSERT(hw_table(*target)[hw_index(to, 1)] == 0);
    hw_table(*target)[hw_index(to, 1)] = *page;
    *target += PTE_COUNT_ONE;
    *page = 0;
    *source -= PTE_COUNT_ONE;
    if (entry_count(*source) == 0) {
        hw_table_put(*source & PTE_ADDRESS);
        large_clear(from, source);
    }
}

/* Moves 2 MiB with the table or the page that they are. */
static void large_move(uint64_t from, uint64_t to)
{
    uint64_t next, *source = large_find(from, &next), *target;

    HW_ASSERT(source && *source != 0);
    target = large_make(to);
    HW_ASSERT(*target == 0);
    *target = *source;
    large_clear(from, source);
}

enum base_status hw_mem_move(uint64_t from, uint64_t to, uint64_t size)
{
    uint64_t at, stop, end = to + size, next, cost = 0;
    bool aligned = (from - to) % HW_LARGE == 0;

    args_check(from, size);
    args_check(to, size);
    HW_ASSERT(from + size <= to || to + size <= from);
    hw_stack_touch();
    for (at = to; at < end; at = stop) {
        const uint64_t *entry = large_find(at, &next);
        stop = piece_end(at, end);
        if (!entry || *entry == 0)
            cost += hw_table_frames * (1 + upper_missing(at, at == to));
    }
    if (cost > hw_memory_free())
        return BASE_NOMEM;
    for (at = 0; at < size; at = stop) {
        stop = piece_end(to + at, end) - to;
        if (aligned && stop - at == HW_LARGE)
            large_move(from + at, to + at);
        else
            for (; at < stop; at += HW_PAGE)
                page_move(from + at, to + at);
    }
    hw_tlb_flush();
    flush_end(from, size);
    flush_end(to, size);
    return BASE_OK;
}
