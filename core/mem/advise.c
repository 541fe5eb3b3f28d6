/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * madvise, mincore and the mlock family: what a program says about memory
 * that it keeps. mem.h has the rule for MADV_DONTNEED and MADV_FREE, and
 * docs/decisions/0003-madvise-charge.md the reason.
 */
#include <sys/mman.h>

#include "core/calls.h"
#include "core/mem/mem.h"
#include "core/mem/vma.h"

/* linux: asm-generic/mman-common.h; newer than musl's header */
#ifndef MADV_COLD
#define MADV_COLD    20
#define MADV_PAGEOUT 21
#endif

/* Charged pages of a reservation become address space again. */
static void discard(struct vma *vma)
{
    uint64_t size = vma->end - vma->start;
    mem_give_back(vma->start, size);
    mem_charge(vma_account(vma), -(int64_t)(size / LIMIT_PAGE_SIZE));
    vma->flags |= VMA_RESERVE;
    vma->prot = BASE_PROT_NONE;
}

/* Pages that may be touched without another call read as zero and stay
 * promised: they are given back and taken again at once, which cannot fail.
 */
static void make_zero(struct vma *vma, uint64_t start, uint64_t end)
{
    mem_give_back(start, end - start);
    enum base_status status = mem_base_map(start, end - start, vma->prot);
    ASSERT(status == BASE_OK);
}

/* Only the first and the last mapping can need a split, so the nodes of one
 * vma_prepare are enough. */
static void drop(uint64_t start, uint64_t end)
{
    struct vma *vma;
    for (uint64_t at = start; at < end; at = vma->end) {
        vma = vma_find(at);
        if (vma == NULL || vma->start >= end)
            return;
        uint64_t from = vma->start > start ? vma->start : start;
        uint64_t to = vma->end < end ? vma->end : end;
        /* Address space has nothing to drop; and what a file mapping has is
         * the file's content, which Linux would read again. */
        if (!vma_charged(vma) || (vma->flags & VMA_FILE))
            continue;
        if (vma->flags & VMA_DISCARD) {
            vma_split(from);
            vma_split(to);
            vma = vma_find(from);
            discard(vma);
        } else {
            make_zero(vma, from, to);
        }
    }
}

static int advise(uint64_t start, uint64_t end, int advice)
{
    switch (advice) {
    case MADV_FREE:
        for (const struct vma *vma = vma_find(start);
             vma != NULL && vma->start < end; vma = vma_next(vma))
            if (vma->flags & VMA_FILE)
                return -EINVAL; /* private anonymous memory only */
        /* fall through */
    case MADV_DONTNEED:
        if (vma_prepare_release(vma_cuts(start, end)) < 0)
            return -EAGAIN; /* ENOMEM says that a part is not mapped */
        drop(start, end);
        vma_merge(start, end);
        return 0;
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_COLD:
    case MADV_PAGEOUT:
        return 0;
    default:
        return -EINVAL;
    }
}

static bool advice_known(int advice)
{
    /* With an empty range nothing happens, but the advice is checked. */
    return advice == MADV_FREE || advice == MADV_DONTNEED ||
           advise(vma_high, vma_high, advice) == 0;
}

/* Whether every page of the range is mapped (the image is). */
static bool whole(uint64_t start, uint64_t end)
{
    return mem_is_mapped(start, end - start, BASE_PROT_NONE);
}

long core_madvise(long address, long length, long advice)
{
    uint64_t start = (uint64_t)address, size = mem_round_up((uint64_t)length);
    if ((start & MEM_PAGE_MASK) != 0 || !advice_known((int)advice) ||
        size < (uint64_t)length || start + size < start)
        return -EINVAL;
    if (size == 0)
        return 0;
    /* Advice holds for what is mapped, even if that is not all. */
    int result = whole(start, start + size) ? 0 : -ENOMEM;
    int error = advise(start, start + size, (int)advice);
    return error < 0 ? error : result;
}

long core_mincore(long address, long length, long vector)
{
    uint64_t start = (uint64_t)address, size = mem_round_up((uint64_t)length);
    if ((start & MEM_PAGE_MASK) != 0)
        return -EINVAL;
    if (size < (uint64_t)length || start + size < start)
        return -ENOMEM;
    if (size != 0 && !whole(start, start + size))
        return -ENOMEM;
    char *out = (char *)vector;
    for (uint64_t at = start; at < start + size;) {
        uint8_t bytes[64];
        size_t count = 0;
        for (; count < sizeof(bytes) && at < start + size; count++) {
            const struct vma *vma = vma_find(at);
            bool charged = vma != NULL && vma->start <= at && vma_charged(vma);
            bool image = vma == NULL || vma->start > at;
            bytes[count] = image || (charged && core_base->mem_resident(at));
            at += LIMIT_PAGE_SIZE;
        }
        if (core_copy_out(out, bytes, count) < 0)
            return -EFAULT;
        out += count;
    }
    return 0;
}

/* Memory never leaves the machine, and a fault never waits: locked is what
 * every page is. */
static long lock(uint64_t address, uint64_t length)
{
    uint64_t start = address & ~MEM_PAGE_MASK;
    uint64_t size = mem_round_up(length + (address & MEM_PAGE_MASK));
    if (length > UINT64_MAX / 2 || start + size < start)
        return -EINVAL;
    return size == 0 || whole(start, start + size) ? 0 : -ENOMEM;
}

long core_mlock(long address, long length)
{
    return lock((uint64_t)address, (uint64_t)length);
}

long core_mlock2(long address, long length, long flags)
{
    if ((flags & ~(long)MLOCK_ONFAULT) != 0)
        return -EINVAL;
    return lock((uint64_t)address, (uint64_t)length);
}

long core_munlock(long address, long length)
{
    return lock((uint64_t)address, (uint64_t)length);
}

long core_mlockall(long flags)
{
    if (flags == 0 || flags == MCL_ONFAULT ||
        (flags & ~(long)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) != 0)
        return -EINVAL;
    return 0;
}

long core_munlockall(void)
{
    return 0;
}
