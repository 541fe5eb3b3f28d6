/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The application's mappings, and what the files of core/mem share about
 * them. Internal to core/mem.
 *
 * A mapping (vma) is a page-aligned range with one protection and one set of
 * flags. Mappings never overlap and, where they touch and are alike, are one:
 * GHC commits a 1 TiB reservation in thousands of 1 MiB steps, which must not
 * cost thousands of mappings. They are kept in a balanced tree (by address,
 * with the largest gap below each node, for finding room) and in a list.
 *
 * What is charged. A mapping is charged, which is to say that each of its
 * pages is promised by the base, unless VMA_RESERVE is set; then it is
 * address space only and the base knows nothing of it.
 *
 * Check, then act: vma_prepare() sets aside the nodes that one operation can
 * need, and is the only thing here that fails.
 */
#ifndef HALVM_MEM_VMA_H
#define HALVM_MEM_VMA_H

#include "core/core.h"
#include "core/mem/mem.h"

#define VMA_RESERVE   1u   /* address space only: not charged */
#define VMA_DISCARD   2u   /* of a MAP_NORESERVE reservation: see madvise */
#define VMA_FILE      4u   /* file contents: counts to MEM_APP_FILE */
#define VMA_SHARED    8u   /* MAP_SHARED of a file: written back */
#define VMA_READ_ONLY 16u  /* VMA_SHARED of a file not open for writing */
#define VMA_STACK     32u  /* the first thread's stack, for its name */
#define VMA_BUSY      64u  /* a file is read into it or written from it */
#define VMA_COUNTED   128u /* only while mem_uses_get counts */

struct file;

struct vma {
    uint64_t start, end;
    struct vma *left, *right;
    struct list list;  /* in vma_list, by address */
    uint64_t gap_max;  /* of the gaps below the mappings of this subtree */
    struct file *file; /* VMA_SHARED: a reference is held */
    int64_t offset;    /* VMA_SHARED: of start in the file */
    uint8_t height;
    uint8_t prot; /* BASE_PROT_* */
    uint8_t flags;
};

/* Where the application's mappings may be: [vma_low, vma_high). */
extern uint64_t vma_low, vma_high;
/* Where a mapping without a wish is put, if there is room above it. */
extern uint64_t vma_base;
extern uint64_t vma_pages; /* sum of all sizes */
extern unsigned vma_count;

void vma_init(uint64_t low, uint64_t high);

#define VMA_PER_STEP 3 /* nodes: two splits and one insertion */

/* Free nodes that are left when memory has run out, so that memory can still
 * be given back: cutting a page out of a mapping takes a node, and another one
 * meanwhile. What that gives back must come to a page for more nodes, before
 * these are used up: a page, one of the window's bitmap, and tables for both
 * (pages.c), which in a PV guest are eight. */
#define VMA_RESERVED 12

/* Sets aside nodes, at most VMA_PER_STEP, for one operation: 0 or -ENOMEM. */
int vma_prepare(unsigned nodes);
/* The same for an operation that gives memory back: may use the last ones. */
int vma_prepare_release(unsigned nodes);
/* How many of the boundaries of a range are inside of mappings: the nodes
 * that splitting there takes. 0 for most that is given back, which so never
 * fails for want of memory. */
unsigned vma_cuts(uint64_t start, uint64_t end);

/* The first mapping that ends above address, or NULL. */
struct vma *vma_find(uint64_t address);
struct vma *vma_next(const struct vma *vma);
/* Makes address a boundary, if a mapping spans it. Takes one node. */
void vma_split(uint64_t address);
/* Adds a mapping where none is. Takes one node. */
struct vma *vma_insert(uint64_t start, uint64_t end, uint32_t prot,
                       uint32_t flags);
/* Takes a mapping out (its file reference too, without writing back). */
void vma_remove(struct vma *vma);
/* Moves the end of a mapping, into free space or down. */
void vma_set_end(struct vma *vma, uint64_t end);
/* Joins like neighbours at every boundary in [start, end]. */
void vma_merge(uint64_t start, uint64_t end);
/* The lowest free range of size bytes in [low, high), or 0. align is a power
 * of two. */
uint64_t vma_gap(uint64_t size, uint64_t align, uint64_t low, uint64_t high);

static inline bool vma_charged(const struct vma *vma)
{
    return !(vma->flags & VMA_RESERVE);
}
static inline enum mem_account vma_account(const struct vma *vma)
{
    return vma->flags & VMA_FILE ? MEM_APP_FILE : MEM_APP_ANON;
}

/* -- shared by the files of core/mem -- */

#define MEM_PAGE_MASK ((uint64_t)LIMIT_PAGE_SIZE - 1)

static inline uint64_t mem_round_up(uint64_t size)
{
    return (size + MEM_PAGE_MASK) & ~MEM_PAGE_MASK;
}

/* Pages promised to an account change by delta (account.c). */
void mem_charge(enum mem_account account, int64_t pages_delta);
/* The same, of pages that were charged in part before: so many are new. */
void mem_charge_over(enum mem_account account, int64_t pages_delta,
                     int64_t pages_more);
/* Unmaps a range of the application's in the base. */
void mem_give_back(uint64_t start, uint64_t size);

/* pages.c: the windows of core's own pages; how many of them are taken, as
 * the windows know it (a walk through all of them). */
uint64_t mem_pages_taken(void);
void mem_pages_init(uint64_t first, uint64_t first_count, uint64_t second,
                    uint64_t second_size);

/* brk.c */
extern uint64_t mem_brk_start, mem_brk_end;
void mem_brk_init(uint64_t start);

/* map.c: places a mapping, replacing what is there; 0 or -ENOMEM with
 * nothing changed. */
int mem_place(uint64_t start, uint64_t size, uint32_t prot, uint32_t flags);
/* Chooses or checks the address and places a mapping; PROT_* and MAP_* as
 * mmap. The address or -errno. */
long mem_map_range(uint64_t hint, uint64_t size, long prot, long flags,
                   uint32_t vma_flags);
/* Unmaps all in [start, end); 0 or -ENOMEM (no node for a split). */
int mem_clear(uint64_t start, uint64_t end);
/* An address for size bytes: the hint if it is free, else where there is
 * room below high; 0 if there is none. */
uint64_t mem_choose(uint64_t hint, uint64_t size, uint64_t high);
/* Whether [start, start + size) lies where mappings may be. */
bool mem_range_valid(uint64_t start, uint64_t size);
/* Whether more address space may be had under RLIMIT_AS. */
bool mem_limit_allows(uint64_t pages_more);
/* PROT_* of mmap as BASE_PROT_*, or -EACCES for write and execute. */
int mem_prot(long prot, uint32_t *base_prot);

/* map_file.c: contents into a fresh mapping; and back to the file. A disk
 * makes that wait, and the mapping is VMA_BUSY meanwhile: it is not joined with
 * another, and who wants to change it settles first. */
int mem_file_load(struct vma *vma, struct file *file, uint64_t start,
                  uint64_t size, int64_t offset);
int mem_file_store(struct vma *vma, uint64_t start, uint64_t end);
/* Writes all of a range back, and settles. */
void mem_file_store_range(uint64_t start, uint64_t end);
/* Waits until nothing in a range is busy. */
void mem_file_settle(uint64_t start, uint64_t end);
long mem_file_map(uint64_t hint, uint64_t size, long prot, long flags, int fd,
                  int64_t offset);

#endif
