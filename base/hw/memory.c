/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The accounts of the machine's memory, and pages for the base itself.
 *
 * Every page is in one account (struct base_memory). Frames enough for what is
 * promised or reserved are always free: whoever takes from the free account
 * first asks hw_memory_free(). Monitor held, or boot.
 */
#include "parts.h"

struct hw_accounts hw_accounts;
unsigned hw_table_frames = 1;

void hw_memory_init(void)
{
    uint64_t taken;

    if (xen_pv)
        xenpv_direct_init();
    else
        hw_direct_init();
    hw_accounts.total = hw_frames_init(&taken);
    hw_accounts.tables = hw_machine.carved;
    hw_accounts.image = taken - hw_machine.carved;
    if (xen_pv)
        hw_accounts.tables += xenpv_direct_tables();
}

uint64_t hw_memory_free(void)
{
    return hw_accounts.total - hw_accounts.image - hw_accounts.tables -
           hw_accounts.promised;
}

uint64_t hw_table_get(void)
{
    uint64_t frame = hw_memory_free() >= hw_table_frames ? hw_frame_get(0) : 0;

    if (frame == 0)
        hw_crash("no memory for page tables", NULL, 0, 134);
    hw_page_zero(hw_physical(frame));
    hw_accounts.tables += hw_table_frames;
    return frame;
}

void hw_table_put(uint64_t physical)
{
    hw_frame_put(physical, 0);
    hw_accounts.tables -= hw_table_frames;
}

static unsigned order_of(size_t count)
{
    unsigned order = 0;

    while (1ull << order < count)
        order++;
    return order;
}

/* Gives back frames [from, to) of a block that starts at physical. */
static void frames_put(uint64_t physical, size_t from, size_t to)
{
    for (; from < to; from++)
        hw_frame_put(physical + from * HW_PAGE, 0);
}

void *hw_pages_get(size_t count)
{
    unsigned order = order_of(count);
    uint64_t physical;
    size_t i;

    hw_stack_touch();
    if (count == 0 || order > HW_ORDER_LARGE || count > hw_memory_free())
        return NULL;
    physical = hw_frame_get(order);
    if (physical == 0)
        return NULL;
    frames_put(physical, count, 1ull << order);
    for (i = 0; i < count; i++)
        hw_page_zero(hw_physical(physical + i * HW_PAGE));
    hw_accounts.tables += count;
    return hw_physical(physical);
}

void hw_pages_put(void *pages, size_t count)
{
    frames_put((uint64_t)pages - HW_DIRECT, 0, count);
    hw_accounts.tables -= count;
}

uint64_t hw_physical_of(const void *address)
{
    uint64_t at = (uint64_t)address, size, entry;

    if (at >= HW_DIRECT)
        return at - HW_DIRECT;
    if (at < HW_ARENA_START)
        return at;
    hw_stack_touch();
    hw_arena_touch(at, 0);
    entry = hw_arena_entry(at, &size);
    HW_ASSERT(entry & PTE_FRAME);
    return (entry & PTE_ADDRESS & ~(size - 1)) | (at & (size - 1));
}

bool hw_readable(uint64_t address)
{
    uint64_t size;

    if (address >= HW_ARENA_START && address < HW_ARENA_END)
        return (hw_arena_entry(address, &size) & PTE_PRESENT) != 0;
    return address >= hw_info.image_start && address < hw_info.image_end;
}

void hw_mem_stats(struct base_memory *out)
{
    out->pages_total = hw_accounts.total;
    out->pages_image = hw_accounts.image;
    out->pages_tables = hw_accounts.tables;
    out->pages_promised = hw_accounts.promised;
    out->pages_free = hw_memory_free();
    out->pages_resident = hw_accounts.resident;
}

bool hw_mem_resident(uint64_t addr)
{
    uint64_t size;

    return (hw_arena_entry(addr, &size) & PTE_FRAME) != 0;
}
