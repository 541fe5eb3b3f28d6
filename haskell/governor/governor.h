/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The governor: keeps a Haskell program inside the memory there is.
 *
 * GHC's runtime is linked as the distribution ships it. halvm-cc puts the
 * governor between its parts with ld's --wrap (governor.wrap lists where), so
 * that the runtime asks here before it takes memory, and hears here how much
 * there is:
 *
 *   budget.c   how much memory there is: a machine's accounts, RLIMIT_AS, or a
 *              control group's limit; and the reserve held back from it
 *   limit.c    the heap limit (-M) of the runtime, at start and each collection
 *   ask.c      an object that cannot fit: collect, then HeapOverflow
 *   shortage.c  C code takes memory while Haskell allocates nothing: collect
 *   runtime.c  the wrapped functions
 *   primops.cmm  the wrapped primitive operations
 *   report.c   who holds what, and the end
 *   text.c, group.c  what systems tell: small files, Linux's control groups
 *
 * Context: limit.c and ask.c run with the runtime's storage manager lock held
 * or, in ask.c, by a Haskell thread on its capability. Nothing here takes
 * memory for itself, from C's heap or from Haskell's.
 *
 * Sources: GHC 9.0.2's rts/sm/GC.c, Storage.c, BlockAlloc.c, posix/OSMem.c.
 */
#ifndef GOVERNOR_H
#define GOVERNOR_H

#include "Rts.h"

/* The runtime's own, not in its public headers (rts/sm/BlockAlloc.h,
 * Storage.h, GC.h, Schedule.h). */
extern W_ n_alloc_blocks;
extern bool heap_overflow;
extern nursery *nurseries;
extern uint32_t n_nurseries;
void returnMemoryToOS(uint32_t megablocks);
void resizeNurseries(W_ blocks);

/* A megablock with the page of tables that half of one may cost. */
#define GOVERNOR_MB_COST ((W_)MBLOCK_SIZE + 4096)

/* -- budget.c: all in megablocks (1 MiB) or bytes -- */

/* Finds out what limits the program; false: nothing does. */
bool budget_start(void);
/* Bytes that a limit leaves in all, and those that may be committed yet. */
W_ budget_total(void);
W_ budget_free(void);
W_ budget_free_mb(void);
/* Maps memory for Haskell's heap, takes it back; as rts/sm/OSMem.h says. */
void *budget_reserve(void *wish, W_ *size);
bool budget_commit(void *at, W_ size);
void budget_decommit(void *at, W_ size);
void budget_release(void);
W_ budget_heap(void); /* bytes that the heap has now */

/*
 * The reserve: memory that is held back, so that neither C code nor Haskell
 * can take what a collection, a handler of HeapOverflow, and the runtime's own
 * malloc need. budget_reserve_fill takes it again after it was spent.
 */
void budget_reserve_fill(void);
bool budget_reserve_spend(W_ size); /* false: there is none left */
W_ budget_reserve_mb(void);         /* held now */
W_ budget_reserve_target_mb(void);  /* what is held when all is well */

/*
 * Room for one collection, which others could take while it runs: so many
 * megablocks, at least one, mapped at once or none (false), which
 * budget_reserve_spend gives away before the reserve. What is left goes back at
 * the end. By the thread that collects.
 */
bool budget_hold(W_ mb);
void budget_hold_end(void);
W_ budget_held_mb(void);

/* -- limit.c -- */

/* Both false: not decided yet. */
extern bool governor_on, governor_off;

void limit_defaults(void); /* before the runtime reads its flags */
void limit_start(void);    /* after it has read them */
void limit_gc_begins(void);
void limit_gc_ends(bool major);
/* Blocks that Haskell may have allocated in all, with so much free. */
W_ limit_blocks(W_ free_mb);
/* Whether the runtime has several megablocks, and little in them. */
bool limit_is_scattered(void);
/* Blocks that were live after the last major collection. */
W_ limit_blocks_live(void);
/* Whether the limit is the user's, -M. */
bool limit_is_users(void);

/* -- ask.c -- */

enum ask_answer { ASK_FITS, ASK_COLLECT, ASK_OVERFLOW };
/* For primops.cmm: an object of so many bytes, header left out; collected: how
 * often ASK_COLLECT was the answer, which it is a few times at most. */
W_ governor_ask(W_ bytes, W_ collected);
void ask_gc_ended(bool major);
/* The next collection of everything is one that was asked for. */
void ask_collects(void);
/* Gives the system the runtime's whole free megablocks; false: there were
 * none. By a thread that does not hold the runtime's lock. */
bool ask_give_back(void);

/* -- shortage.c -- */

void shortage_start(void); /* the runtime is there, and in a child again */
void shortage_stop(void);  /* it ends */
void shortage_gc_begins(void);
/* With the bytes that the budget had then; and when what is given back after it
 * is there. */
void shortage_gc_ends(bool major, W_ total, W_ free);
void shortage_gc_is_over(void);
/* Without threads: C finalizers have to run before anything is collected. Not
 * inside malloc, whose caller may hold a lock that they want. */
extern bool shortage_finalizers_wait;
/* Without threads: the watcher wants a collection from whoever can. */
extern volatile bool shortage_is_marked;
/* That is done, by a thread that has just left the runtime. */
void shortage_heed_mark(void);
/* malloc had nothing for size bytes; true: it may have now. Not to be called
 * by the runtime itself, which may hold locks. Keeps errno. */
bool shortage_malloc_failed(W_ size);

/* -- report.c -- */

/* Prints who holds what on standard error. */
void report_accounts(void);
/* HeapOverflow was thrown and not caught: says so, and who holds what. */
void report_uncaught(void);
/* Out of memory: says so, says who holds what, ends with EXIT_HEAPOVERFLOW. */
void report_end(W_ wanted, const char *whom) __attribute__((noreturn));
/* A flag that cannot be obeyed: three lines, and the end. */
void report_refuse(const char *what, const char *why, const char *fix)
    __attribute__((noreturn));

#endif
