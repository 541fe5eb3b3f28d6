/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mprotect.
 *
 * Making address space accessible is what commits memory here (musl's thread
 * stacks and many allocators reserve with PROT_NONE first), so it may say
 * ENOMEM. Taking access away keeps content and charge.
 */
#include <sys/mman.h>

#include "core/calls.h"
#include "core/mem/mem.h"
#include "core/mem/vma.h"

#define PROT_SEM 0x8 /* asm-generic/mman-common.h; without effect on x86 */

/* Whether [start, end) is mapped without a hole and may be made so; *pages:
 * those to be charged. */
static int check(uint64_t start, uint64_t end, uint32_t prot, uint64_t *pages)
{
    *pages = 0;
    uint64_t at = start;
    for (const struct vma *vma = vma_find(start); at < end;
         vma = vma_next(vma)) {
        if (vma == NULL || vma->start > at)
            return -ENOMEM;
        uint64_t to = vma->end < end ? vma->end : end;
        if ((vma->flags & VMA_READ_ONLY) && (prot & BASE_PROT_WRITE))
            return -EACCES;
        if (!vma_charged(vma))
            *pages += (to - at) / LIMIT_PAGE_SIZE;
        at = vma->end;
    }
    return 0;
}

/* Takes all access away, mapping by mapping: the base is not asked about
 * address space, which is so already. It may lack memory for a page table if
 * it must split a large page; what was done then stays done, as the standard
 * allows. */
static int protect_none(uint64_t start, uint64_t end)
{
    for (struct vma *vma = vma_find(start); vma != NULL && vma->start < end;
         vma = vma_next(vma)) {
        if (!vma_charged(vma))
            continue;
        if (mem_base_map(vma->start, vma->end - vma->start, BASE_PROT_NONE) !=
            BASE_OK)
            return -ENOMEM;
        vma->prot = BASE_PROT_NONE;
    }
    return 0;
}

static int protect(uint64_t start, uint64_t end, uint32_t prot, uint64_t pages)
{
    if (mem_base_map(start, end - start, prot) != BASE_OK)
        return -ENOMEM;
    for (struct vma *vma = vma_find(start); vma != NULL && vma->start < end;
         vma = vma_next(vma)) {
        vma->prot = (uint8_t)prot;
        /* Committed by mprotect, it may be touched after MADV_DONTNEED
         * without another call: it is no longer like GHC's. */
        if (!vma_charged(vma))
            vma->flags &= (uint8_t) ~(VMA_RESERVE | VMA_DISCARD);
    }
    mem_charge(MEM_APP_ANON, (int64_t)pages); /* only those are reserved */
    return 0;
}

/* The image keeps the protection that it was loaded with. */
static bool in_image(uint64_t start, uint64_t size)
{
    return start >= (core_info->image_start & ~MEM_PAGE_MASK) &&
           size <= mem_round_up(core_info->image_end) - start;
}

long core_mprotect(long address, long length, long prot)
{
    uint64_t start = (uint64_t)address, size = mem_round_up((uint64_t)length);
    uint32_t base_prot;
    uint64_t pages = 0;
    if ((start & MEM_PAGE_MASK) != 0 ||
        (prot & ~(long)(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) != 0)
        return -EINVAL;
    if (length == 0)
        return 0;
    if (size == 0 || !mem_range_valid(start, size))
        return start < core_info->image_end && in_image(start, size) ? -EACCES
                                                                     : -ENOMEM;
    int error = mem_prot(prot, &base_prot);
    mem_file_settle(start, start + size);
    if (error == 0)
        error = check(start, start + size, base_prot, &pages);
    if (error == 0)
        error = vma_prepare(vma_cuts(start, start + size));
    if (error < 0)
        return error;
    vma_split(start);
    vma_split(start + size);
    if (base_prot == BASE_PROT_NONE)
        error = protect_none(start, start + size);
    else
        error = protect(start, start + size, base_prot, pages);
    vma_merge(start, start + size);
    return error;
}
