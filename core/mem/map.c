/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mmap and munmap: where a mapping goes, and what it costs.
 *
 * Called by the system calls and, through mem_map_anonymous, by core itself.
 * All that can fail is done first: the nodes are set aside, then the base
 * promises the pages; from there on nothing fails.
 */
#include <sys/mman.h>

#include "core/calls.h"
#include "core/mem/device.h"
#include "core/mem/mem.h"
#include "core/mem/vma.h"

#define MAP_LARGE (2u << 20) /* align so that 2 MiB pages can be used */

int mem_prot(long prot, uint32_t *base_prot)
{
    uint32_t out = BASE_PROT_NONE;
    if (prot & PROT_READ)
        out |= BASE_PROT_READ;
    /* The processor has no write without read, nor execute without it. */
    if (prot & PROT_WRITE)
        out |= BASE_PROT_READ | BASE_PROT_WRITE;
    if (prot & PROT_EXEC)
        out |= BASE_PROT_READ | BASE_PROT_EXEC;
    if ((out & BASE_PROT_WRITE) && (out & BASE_PROT_EXEC) &&
        !mem_code_writable())
        return -EACCES;
    *base_prot = out;
    return 0;
}

bool mem_range_valid(uint64_t start, uint64_t size)
{
    return start >= vma_low && start <= vma_high && size <= vma_high - start;
}

static bool range_free(uint64_t start, uint64_t size)
{
    const struct vma *vma = vma_find(start);
    return vma == NULL || vma->start >= start + size;
}

uint64_t mem_choose(uint64_t hint, uint64_t size, uint64_t high)
{
    hint = mem_round_up(hint);
    if (high > vma_high)
        high = vma_high;
    if (hint != 0 && mem_range_valid(hint, size) && hint + size <= high &&
        range_free(hint, size))
        return hint;
    uint64_t found = 0;
    if (size >= MAP_LARGE)
        found = vma_gap(size, MAP_LARGE, vma_base, high);
    if (found == 0)
        found = vma_gap(size, LIMIT_PAGE_SIZE, vma_base, high);
    /* The room kept for the program break comes last, and its end first. */
    if (found == 0 && high > mem_brk_end)
        found = vma_gap(size, LIMIT_PAGE_SIZE,
                        mem_brk_end + (high - mem_brk_end) / 2, high);
    if (found == 0)
        found = vma_gap(size, LIMIT_PAGE_SIZE, mem_brk_end, high);
    return found;
}

/* What a range holds now: pages charged, and whether all of it is of a
 * reservation. */
static uint64_t range_charged(uint64_t start, uint64_t end, bool *discard)
{
    uint64_t charged = 0, covered = 0;
    for (const struct vma *vma = vma_find(start);
         vma != NULL && vma->start < end; vma = vma_next(vma)) {
        uint64_t from = vma->start > start ? vma->start : start;
        uint64_t to = vma->end < end ? vma->end : end;
        if (vma_charged(vma))
            charged += (to - from) / LIMIT_PAGE_SIZE;
        if (vma->flags & VMA_DISCARD)
            covered += to - from;
    }
    *discard = covered == end - start;
    return charged;
}

/* Takes the mappings of a range out of the store and the accounts; returns
 * whether the base has pages in it. Nodes were set aside. */
static bool range_forget(uint64_t start, uint64_t end)
{
    bool pages = false;
    vma_split(start);
    vma_split(end);
    struct vma *vma = vma_find(start);
    while (vma != NULL && vma->start < end) {
        struct vma *next = vma_next(vma);
        if (vma_charged(vma)) {
            mem_charge(vma_account(vma),
                       -(int64_t)((vma->end - vma->start) / LIMIT_PAGE_SIZE));
            pages = true;
        }
        vma_remove(vma);
        vma = next;
    }
    return pages;
}

int mem_clear(uint64_t start, uint64_t end)
{
    mem_file_store_range(start, end); /* may wait, so it comes first */
    if (range_free(start, end - start))
        return 0;
    if (vma_prepare_release(vma_cuts(start, end)) < 0)
        return -ENOMEM;
    if (range_forget(start, end))
        mem_give_back(start, end - start);
    return 0;
}

/* Replaces what is in a range, of which so many pages are charged: all must
 * read as zero. */
static int replace(uint64_t start, uint64_t size, uint32_t prot, bool reserve,
                   uint64_t charged)
{
    /* The holes are promised first: that may fail, and then changes nothing. */
    if (!reserve && mem_base_map(start, size, prot) != BASE_OK)
        return -ENOMEM;
    range_forget(start, start + size);
    if (charged == 0)
        return 0;
    mem_give_back(start, size);
    if (!reserve) {
        /* As much was just given back, so this cannot fail. */
        enum base_status status = mem_base_map(start, size, prot);
        ASSERT(status == BASE_OK);
    }
    return 0;
}

int mem_place(uint64_t start, uint64_t size, uint32_t prot, uint32_t flags)
{
    bool discard = false, reserve = flags & VMA_RESERVE;
    int64_t pages = (int64_t)(size / LIMIT_PAGE_SIZE);
    uint64_t charged = 0;
    mem_file_store_range(start, start + size); /* may wait: before all else */
    if (vma_prepare(VMA_PER_STEP) < 0)
        return -ENOMEM;
    if (!range_free(start, size)) {
        charged = range_charged(start, start + size, &discard);
        if (replace(start, size, prot, reserve, charged) < 0)
            return -ENOMEM;
    } else if (!reserve && mem_base_map(start, size, prot) != BASE_OK) {
        return -ENOMEM;
    }
    if (discard && !(flags & VMA_FILE))
        flags |= VMA_DISCARD;
    struct vma *vma = vma_insert(start, start + size, prot, flags);
    if (!reserve)
        mem_charge_over(vma_account(vma), pages, pages - (int64_t)charged);
    if (!(flags & VMA_FILE))
        vma_merge(start, start + size);
    return 0;
}

/* Checks the address wish of mmap and turns it into an address. */
static long map_address(uint64_t hint, uint64_t size, long flags)
{
    if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        if (hint & MEM_PAGE_MASK)
            return -EINVAL;
        if (hint < LIMIT_PAGE_SIZE)
            return -EPERM;
        if (!mem_range_valid(hint, size))
            return -ENOMEM;
        if ((flags & MAP_FIXED_NOREPLACE) && !range_free(hint, size))
            return -EEXIST;
        return (long)hint;
    }
    uint64_t high = flags & MAP_32BIT ? 1ull << 31 : vma_high;
    uint64_t address = mem_choose(hint, size, high);
    return address != 0 ? (long)address : -ENOMEM;
}

/* RLIMIT_AS, if the program set one: only what is not mapped yet counts. */
static bool limit_allows(uint64_t start, uint64_t size)
{
    uint64_t more = size;
    if (mem_limit_get() == UINT64_MAX)
        return true;
    for (const struct vma *vma = vma_find(start);
         vma != NULL && vma->start < start + size; vma = vma_next(vma)) {
        uint64_t from = vma->start > start ? vma->start : start;
        uint64_t to = vma->end < start + size ? vma->end : start + size;
        more -= to - from;
    }
    return mem_limit_allows(more / LIMIT_PAGE_SIZE);
}

/* MAP_POPULATE: touches each page, so that it is there for good. */
static void populate(uint64_t start, uint64_t size)
{
    for (uint64_t at = start; at < start + size; at += LIMIT_PAGE_SIZE)
        (void)*(volatile const uint8_t *)(uintptr_t)at;
}

long mem_map_range(uint64_t hint, uint64_t size, long prot, long flags,
                   uint32_t vma_flags)
{
    uint32_t base_prot;
    int error = mem_prot(prot, &base_prot);
    if (error < 0)
        return error;
    long start = map_address(hint, size, flags);
    if (start < 0)
        return start;
    if (!limit_allows((uint64_t)start, size))
        return -ENOMEM;
    if (base_prot == BASE_PROT_NONE && !(vma_flags & VMA_FILE)) {
        vma_flags |= VMA_RESERVE;
        if (flags & MAP_NORESERVE)
            vma_flags |= VMA_DISCARD;
    }
    error = mem_place((uint64_t)start, size, base_prot, vma_flags);
    if (error < 0)
        return error;
    if ((flags & (MAP_POPULATE | MAP_LOCKED)) && base_prot != BASE_PROT_NONE &&
        !(flags & MAP_NONBLOCK))
        populate((uint64_t)start, size);
    return start;
}

long core_mmap(long address, long length, long prot, long flags, long fd,
               long offset)
{
    uint64_t size = mem_round_up((uint64_t)length);
    int type = (int)(flags & MAP_TYPE);
    if (((uint64_t)offset & MEM_PAGE_MASK) != 0)
        return -EINVAL;
    if (!(flags & MAP_ANON))
        return mem_file_map((uint64_t)address, size, prot, flags, (int)fd,
                            offset);
    if (length == 0 || (type != MAP_SHARED && type != MAP_PRIVATE))
        return -EINVAL;
    if (size == 0 || (flags & MAP_HUGETLB)) /* too long; no huge page pool */
        return -ENOMEM;
    return mem_map_range((uint64_t)address, size, prot, flags, 0);
}

bool (*mem_device_unmap)(uint64_t start, uint64_t size, long *result);

long core_munmap(long address, long length)
{
    uint64_t start = (uint64_t)address, size = mem_round_up((uint64_t)length);
    long result;
    if (mem_device_unmap != NULL && (start & MEM_PAGE_MASK) == 0 && size != 0 &&
        mem_device_unmap(start, size, &result))
        return result;
    if ((start & MEM_PAGE_MASK) != 0 || size == 0 ||
        !mem_range_valid(start, size))
        return -EINVAL;
    return mem_clear(start, start + size);
}

long mem_map_anonymous(uint64_t address, uint64_t size, uint32_t base_prot)
{
    static bool stack_known; /* the first is the first thread's stack */
    size = mem_round_up(size);
    if (address == 0)
        address = mem_choose(0, size, vma_high);
    if (address == 0 || size == 0)
        return -ENOMEM;
    ASSERT(mem_range_valid(address, size));
    int error =
        mem_place(address, size, base_prot, stack_known ? 0 : VMA_STACK);
    if (error < 0)
        return error;
    stack_known = true;
    return (long)address;
}

long mem_unmap(uint64_t address, uint64_t size)
{
    ASSERT(mem_range_valid(address, size) && (address & MEM_PAGE_MASK) == 0);
    return mem_clear(address, address + mem_round_up(size));
}
