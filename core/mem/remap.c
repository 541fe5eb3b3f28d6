/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mremap: shrinks, grows in place, or moves.
 *
 * A move is the base's: it changes page tables, not bytes, so a large buffer
 * can be moved on a machine that could not hold it twice
 * (docs/decisions/0002-mem-move.md).
 */
#include <sys/mman.h>

#include "core/calls.h"
#include "core/file/file.h"
#include "core/mem/mem.h"
#include "core/mem/vma.h"

/* Promises [start, end) for vma, if it is charged at all. */
static int promise(const struct vma *vma, uint64_t start, uint64_t end)
{
    if (!vma_charged(vma) || start == end)
        return 0;
    if (mem_base_map(start, end - start, vma->prot) != BASE_OK)
        return -ENOMEM;
    mem_charge(vma_account(vma), (int64_t)((end - start) / LIMIT_PAGE_SIZE));
    return 0;
}

static void take_back(const struct vma *vma, uint64_t start, uint64_t end)
{
    if (!vma_charged(vma) || start == end)
        return;
    mem_give_back(start, end - start);
    mem_charge(vma_account(vma), -(int64_t)((end - start) / LIMIT_PAGE_SIZE));
}

/* What lies beyond the old end of a grown file mapping. */
static void load_more(struct vma *vma, uint64_t old_end)
{
    if (vma->file != NULL && (vma->prot & BASE_PROT_WRITE))
        (void)mem_file_load(vma, vma->file, old_end, vma->end - old_end,
                            vma->offset + (int64_t)(old_end - vma->start));
}

/* Grows [start, start + old_size) where it stands. */
static long grow(uint64_t start, uint64_t old_size, uint64_t new_size)
{
    uint64_t old_end = start + old_size;
    struct vma *vma = vma_find(start);
    if (promise(vma, old_end, start + new_size) < 0)
        return -ENOMEM;
    vma_set_end(vma, start + new_size);
    load_more(vma, old_end);
    vma_merge(start, start + new_size);
    return (long)start;
}

/* Moves [start, start + old_size) to target, where nothing is, and makes it
 * new_size long. */
static long move(uint64_t start, uint64_t old_size, uint64_t target,
                 uint64_t new_size)
{
    if (vma_prepare(VMA_PER_STEP) < 0)
        return -ENOMEM;
    vma_split(start);
    vma_split(start + old_size);
    struct vma *old = vma_find(start);
    int error = promise(old, target + old_size, target + new_size);
    if (error == 0 && vma_charged(old) &&
        core_base->mem_move(start, target, old_size) != BASE_OK) {
        take_back(old, target + old_size, target + new_size);
        error = -ENOMEM;
    }
    if (error < 0) {
        vma_merge(start, start + old_size);
        return error;
    }
    /* Elsewhere it is of no reservation. */
    uint32_t flags = old->flags & ~(uint32_t)VMA_STACK;
    if (vma_charged(old))
        flags &= ~(uint32_t)VMA_DISCARD;
    /* The third node set aside. */
    struct vma *new = vma_insert(target, target + new_size, old->prot, flags);
    if (old->file != NULL) {
        new->file = file_ref(old->file);
        new->offset = old->offset;
    }
    vma_remove(old);
    if (new_size > old_size)
        load_more(new, target + old_size);
    vma_merge(target, target + new_size);
    return (long)target;
}

/* Whether nothing is in the way of [start, start + size), whose beginning is
 * of vma. */
static bool room_to_grow(const struct vma *vma, uint64_t start, uint64_t size)
{
    const struct vma *next = vma_next(vma);
    return size <= (next != NULL ? next->start : vma_high) - start;
}

/* The mapping that a range is of, or NULL if it is not of one. */
static const struct vma *source(uint64_t start, uint64_t size)
{
    const struct vma *vma = vma_find(start);
    return vma != NULL && vma->start <= start && size <= vma->end - start
               ? vma
               : NULL;
}

/* MREMAP_FIXED: whatever is at the target goes, as with mmap. */
static long move_fixed(uint64_t start, uint64_t old_size, uint64_t target,
                       uint64_t new_size)
{
    if ((target & MEM_PAGE_MASK) != 0 || !mem_range_valid(target, new_size) ||
        (target < start + old_size && start < target + new_size))
        return -EINVAL;
    int error = 0;
    if (new_size < old_size) {
        error = mem_clear(start + new_size, start + old_size);
        old_size = new_size;
    }
    /* Each of these may wait, and others change what is here meanwhile. */
    do {
        mem_file_settle(start, start + old_size);
        if (error == 0)
            error = mem_clear(target, target + new_size);
        if (error < 0)
            return error;
        if (source(start, old_size) == NULL)
            return -EFAULT;
    } while (source(start, old_size)->flags & VMA_BUSY);
    return move(start, old_size, target, new_size);
}

long core_mremap(long address, long old_length, long new_length, long flags,
                 long new_address)
{
    uint64_t start = (uint64_t)address;
    uint64_t old_size = mem_round_up((uint64_t)old_length);
    uint64_t new_size = mem_round_up((uint64_t)new_length);
    if ((flags & ~(long)(MREMAP_MAYMOVE | MREMAP_FIXED)) != 0 ||
        ((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE)) ||
        (start & MEM_PAGE_MASK) != 0 || new_size == 0 || old_size == 0)
        return -EINVAL;
    mem_file_settle(start, start + old_size);
    const struct vma *vma = source(start, old_size);
    /* The range must be of one mapping. EFAULT also ends the probing of
     * musl's pthread_getattr_np below a stack. */
    if (vma == NULL)
        return -EFAULT;
    if (new_size > old_size &&
        !mem_limit_allows((new_size - old_size) / LIMIT_PAGE_SIZE))
        return -ENOMEM;
    if (flags & MREMAP_FIXED)
        return move_fixed(start, old_size, (uint64_t)new_address, new_size);
    if (new_size <= old_size) {
        int error = new_size < old_size
                        ? mem_clear(start + new_size, start + old_size)
                        : 0;
        return error < 0 ? error : address;
    }
    if (start + old_size == vma->end && room_to_grow(vma, start, new_size))
        return grow(vma->start, start + old_size - vma->start,
                    start + new_size - vma->start) < 0
                   ? -ENOMEM
                   : address;
    if (!(flags & MREMAP_MAYMOVE))
        return -ENOMEM;
    uint64_t target = mem_choose(0, new_size, vma_high);
    return target != 0 ? move(start, old_size, target, new_size) : -ENOMEM;
}
