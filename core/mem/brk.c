/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program break.
 *
 * It is ordinary mapped memory that begins at the low end of the arena:
 * musl's allocator maps a PROT_NONE page over its first page, which mmap then
 * does as anywhere else. Growing stops at LIMIT_BRK_SIZE, at RLIMIT_DATA's
 * equal here (RLIMIT_AS), at any other mapping, and when memory runs out.
 */
#include "core/calls.h"
#include "core/mem/mem.h"
#include "core/mem/vma.h"

uint64_t mem_brk_start, mem_brk_end; /* the end as the program set it */

void mem_brk_init(uint64_t start)
{
    mem_brk_start = mem_brk_end = start;
}

uint64_t mem_data_bytes(void)
{
    return mem_brk_end - mem_brk_start;
}

static bool grow(uint64_t from, uint64_t to)
{
    const struct vma *vma = vma_find(from);
    if (to > vma_high || (vma != NULL && vma->start < to) ||
        !mem_limit_allows((to - from) / LIMIT_PAGE_SIZE))
        return false;
    return mem_place(from, to - from, BASE_PROT_READ | BASE_PROT_WRITE, 0) == 0;
}

/* As Linux's: the new break, or the old one if it could not be. */
long core_brk(long address)
{
    uint64_t wish = (uint64_t)address;
    if (wish < mem_brk_start || wish - mem_brk_start > LIMIT_BRK_SIZE)
        return (long)mem_brk_end;
    uint64_t from = mem_round_up(mem_brk_end), to = mem_round_up(wish);
    if (to > from && !grow(from, to))
        return (long)mem_brk_end;
    if (to < from && mem_clear(to, from) < 0)
        return (long)mem_brk_end;
    mem_brk_end = wish;
    return (long)mem_brk_end;
}
