/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory: who owns each page, and the application's address space.
 *
 * The law. Every page of the machine is in exactly one account and the
 * accounts sum to the machine (mem_check asserts it). A mapping is charged
 * when it is made, so running out is an error of mmap and never a page
 * fault. Address space without memory (PROT_NONE, MAP_NORESERVE) is free.
 *
 * MADV_DONTNEED and MADV_FREE give the frames back at once. A range inside a
 * MAP_NORESERVE reservation also gives its charge back and must be mapped
 * again before use (as GHC's runtime does); any other stays charged, since it
 * may be touched without a call.
 *
 * Monitor held in every function here.
 */
#ifndef HALVM_MEM_H
#define HALVM_MEM_H

#include "core/core.h"

enum mem_account {
    MEM_IMAGE,    /* the image, boot data, initrd */
    MEM_CORE,     /* page tables, threads, descriptors, mappings */
    MEM_APP_ANON, /* the application's anonymous memory, stacks, brk */
    MEM_APP_FILE, /* file contents mapped by the application */
    MEM_NET,      /* packet buffers and sockets */
    MEM_CACHE,    /* tmpfs file contents */
    MEM_FREE,
    MEM_ACCOUNTS
};

struct wait_queue;

struct mem_accounts {
    uint64_t pages[MEM_ACCOUNTS];
    uint64_t pages_total;
    uint64_t pages_resident; /* of the application's, those touched */
};

void mem_init(void);
void mem_accounts_get(struct mem_accounts *out);
/* Asserts that the accounts sum to the machine. */
void mem_check(void);
/* The same, and that each account is what the mappings and core's own pages
 * say, counted one by one: after every system call with halvm.fault, and when
 * /proc/halvm/memory is read. */
void mem_audit(void);

/*
 * A shortage: fewer than a share of all pages are free (MEM_LOW_SHARE), told
 * once on the way down, and again each time that MEM_STEP_SHARE more are gone;
 * what comes back in between arms it anew (docs/memory.md). Told to those in
 * mem_shortage_wait, POLLPRI, and counted; nothing is looked at unless somebody
 * watches.
 */
#define MEM_LOW_SHARE  8  /* of all pages: fewer free is a shortage */
#define MEM_STEP_SHARE 32 /* of all pages: fewer by this is news */
extern struct wait_queue mem_shortage_wait;
extern uint64_t mem_shortages;  /* told in all */
void mem_shortage_watch(void);  /* one more who wants to know */
void mem_shortage_ignore(void); /* one fewer */

/* What the application's anonymous memory is used for, in pages; they sum to
 * MEM_APP_ANON. */
struct mem_uses {
    uint64_t stacks;  /* the first thread's, and those with a thread pointer */
    uint64_t brk;     /* the program break */
    uint64_t discard; /* in MAP_NORESERVE reservations: GHC's heap */
    uint64_t maps;    /* all else: malloc's large blocks, mmap */
};
void mem_uses_get(struct mem_uses *out);

/*
 * What core keeps only to be quicker the next time is given back before
 * somebody hears that there is none. One has such pages, and says so here: the
 * network (core/net/memory.c). Monitor held; true if there were any. NULL:
 * none.
 */
extern bool (*mem_spare_give)(void);
/* For the application's memory: base.h's mem_map, with that. */
enum base_status mem_base_map(uint64_t start, uint64_t size, uint32_t prot);

/* Whole pages for core itself, zeroed, charged to account; NULL if there are
 * none. Freed with the same account and count. */
void *mem_pages_get(enum mem_account account, size_t count);
void mem_pages_put(enum mem_account account, void *pages, size_t count);

/*
 * Objects of one size, carved from pages. Statically initialised:
 *     static struct mem_pool pool = MEM_POOL(struct file, MEM_CORE, limit);
 * Freed objects are reused; wholly free pages go back.
 */
struct mem_pool {
    uint32_t object_size;
    uint32_t align;
    uint32_t count_max; /* objects, from halvm_limits.h */
    enum mem_account account;
    uint32_t count;
    struct list pages; /* pages with a free object; zero means not started */
};
#define MEM_POOL(type, account_, count_max_)                                   \
    {                                                                          \
        .object_size = sizeof(type), .align = _Alignof(type),                  \
        .count_max = (count_max_), .account = (account_)                       \
    }
void *mem_pool_get(struct mem_pool *pool); /* zeroed, or NULL */
void mem_pool_put(struct mem_pool *pool, void *object);

/* What the first program stack and other core-made mappings use: an anonymous
 * mapping of the application; address 0 means anywhere. -errno or address. */
long mem_map_anonymous(uint64_t address, uint64_t size, uint32_t base_prot);
long mem_unmap(uint64_t address, uint64_t size);

/* Whether [address, address + size) is mapped for the application with at
 * least base_prot: for calls that must say EFAULT or ENOMEM beforehand. */
bool mem_is_mapped(uint64_t address, uint64_t size, uint32_t base_prot);

/* Whether this image declared that it makes code (halvm-cc -mhalvm-codegen,
 * or libffi's closures linked in): then write and execute may go together. */
bool mem_code_writable(void);

/* Bytes for RLIMIT_AS, sysinfo and /proc/meminfo: the same sums. */
uint64_t mem_total_bytes(void);
uint64_t mem_free_bytes(void);

/* RLIMIT_AS as the program set it, in bytes of mapped address space;
 * UINT64_MAX: no limit but the machine. */
void mem_limit_set(uint64_t bytes);
uint64_t mem_limit_get(void);
uint64_t mem_mapped_bytes(void); /* address space in use, image included */
uint64_t mem_data_bytes(void);   /* of it, the program break's */

/* Text of /proc/self/maps and smaps-like lines, for core/file/proc.c: writes
 * the mapping that follows address into *out and returns true. */
struct mem_region {
    uint64_t start, end;
    uint32_t base_prot;
    bool reserve;     /* address space only */
    const char *name; /* "[heap]", "[stack]", or "" */
};
bool mem_region_next(uint64_t address, struct mem_region *out);

/* Pages that the base says were touched in the application's mappings. */
uint64_t mem_resident_bytes(void);
uint64_t mem_resident_max_bytes(void); /* the most there ever were */

#endif
