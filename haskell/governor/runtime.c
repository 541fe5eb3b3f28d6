/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The runtime's functions that the governor stands in front of. ld --wrap
 * (governor.wrap) sends calls of NAME from other objects to __wrap_NAME, and
 * __real_NAME is the runtime's own.
 *
 * Sources of the prototypes: GHC 9.0.2's rts/RtsFlags.h, rts/Stats.h,
 * rts/RtsUtils.h, rts/sm/OSMem.h, rts/Hooks.h, includes/rts/OSThreads.h.
 */
#include "governor.h"

#include <errno.h>
#include <stdlib.h>

struct gc_thread_;

/* -- the heap's memory (rts/sm/MBlock.c) -- */

void *__real_osReserveHeapMemory(void *start, W_ *size);
void *__wrap_osReserveHeapMemory(void *start, W_ *size);
void *__wrap_osReserveHeapMemory(void *start, W_ *size)
{
    return governor_on ? budget_reserve(start, size)
                       : __real_osReserveHeapMemory(start, size);
}

void __real_osCommitMemory(void *at, W_ size);
void __wrap_osCommitMemory(void *at, W_ size);
void __wrap_osCommitMemory(void *at, W_ size)
{
    if (!governor_on) {
        __real_osCommitMemory(at, size);
        return;
    }
    while (!budget_commit(at, size))
        if (!budget_reserve_spend(size))
            report_end(size, "Haskell's heap");
}

void __real_osDecommitMemory(void *at, W_ size);
void __wrap_osDecommitMemory(void *at, W_ size);
void __wrap_osDecommitMemory(void *at, W_ size)
{
    if (governor_on)
        budget_decommit(at, size);
    else
        __real_osDecommitMemory(at, size);
}

void __real_osReleaseHeapMemory(void);
void __wrap_osReleaseHeapMemory(void);
void __wrap_osReleaseHeapMemory(void)
{
    if (governor_on)
        budget_release();
    else
        __real_osReleaseHeapMemory();
}

/* -- collections (rts/sm/GC.c, GarbageCollect) -- */

void __real_stat_startGC(Capability *cap, struct gc_thread_ *gct);
void __wrap_stat_startGC(Capability *cap, struct gc_thread_ *gct);
void __wrap_stat_startGC(Capability *cap, struct gc_thread_ *gct)
{
    limit_gc_begins();
    __real_stat_startGC(cap, gct);
}

typedef void stat_end_gc(Capability *cap, struct gc_thread_ *gct, W_ live,
                         W_ copied, W_ slop, uint32_t gen, uint32_t threads,
                         struct gc_thread_ **gc_threads, W_ par_max_copied,
                         W_ par_balanced_copied, W_ gc_spin_spin,
                         W_ gc_spin_yield, W_ mut_spin_spin, W_ mut_spin_yield,
                         W_ any_work, W_ no_work, W_ scav_find_work);
stat_end_gc __real_stat_endGC, __wrap_stat_endGC;
void __wrap_stat_endGC(Capability *cap, struct gc_thread_ *gct, W_ live,
                       W_ copied, W_ slop, uint32_t gen, uint32_t threads,
                       struct gc_thread_ **gc_threads, W_ par_max_copied,
                       W_ par_balanced_copied, W_ gc_spin_spin,
                       W_ gc_spin_yield, W_ mut_spin_spin, W_ mut_spin_yield,
                       W_ any_work, W_ no_work, W_ scav_find_work)
{
    limit_gc_ends(gen == RtsFlags.GcFlags.generations - 1);
    __real_stat_endGC(cap, gct, live, copied, slop, gen, threads, gc_threads,
                      par_max_copied, par_balanced_copied, gc_spin_spin,
                      gc_spin_yield, mut_spin_spin, mut_spin_yield, any_work,
                      no_work, scav_find_work);
}

/* The bitmap of a compacting collection is one group of blocks. One that is
 * more than half a megablock always begins a fresh one, whose rest would be
 * taken by data that stays: a megablock more in pieces each time. So it gets
 * all of it, and gives back all of it. */
bdescr *__real_allocGroup(W_ blocks);
bdescr *__wrap_allocGroup(W_ blocks);
bdescr *__wrap_allocGroup(W_ blocks)
{
    if (governor_on && blocks > 128 && blocks < BLOCKS_PER_MBLOCK)
        blocks = BLOCKS_PER_MBLOCK;
    return __real_allocGroup(blocks);
}

/* The empty blocks of the allocation area keep megablocks that are free
 * otherwise, since small pinned objects take of them and others fill the gaps.
 * When most is free, they are put together anew, in the gaps that there are. */
void __real_resizeNurseriesFixed(void);
void __wrap_resizeNurseriesFixed(void);
void __wrap_resizeNurseriesFixed(void)
{
    if (governor_on && limit_is_scattered())
        resizeNurseries(n_nurseries); /* a block each */
    __real_resizeNurseriesFixed();
}

/* -- C code's memory -- */

/* A collection that helped another thread only may be followed by another. */
#define TRIES 3

static bool may_try_again(int *tries, W_ size)
{
    return (*tries)++ < TRIES && shortage_malloc_failed(size);
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
    void *memory = __real_malloc(size);
    int tries = 0;

    while (memory == NULL && may_try_again(&tries, size))
        memory = __real_malloc(size);
    return memory;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size)
{
    void *memory = __real_calloc(count, size);
    int tries = 0;
    size_t sum;

    if (memory != NULL || __builtin_mul_overflow(count, size, &sum))
        return memory;
    while (memory == NULL && may_try_again(&tries, sum))
        memory = __real_calloc(count, size);
    return memory;
}

void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size)
{
    void *memory = __real_realloc(old, size);
    int tries = 0;

    while (memory == NULL && may_try_again(&tries, size))
        memory = __real_realloc(old, size);
    return memory;
}

/* posix_memalign and memalign call it. */
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size)
{
    void *memory = __real_aligned_alloc(align, size);
    int tries = 0;

    if (memory == NULL && errno != ENOMEM) /* EINVAL: no power of two */
        return memory;
    while (memory == NULL && may_try_again(&tries, size))
        memory = __real_aligned_alloc(align, size);
    return memory;
}

/* -- the runtime's own C memory (rts/RtsUtils.c) -- */

/* Whether an allocation that failed may succeed now. */
static bool again(W_ size)
{
    return governor_on && budget_reserve_spend(size);
}

void *__real_stgMallocBytes(size_t size, char *whom);
void *__wrap_stgMallocBytes(size_t size, char *whom);
void *__wrap_stgMallocBytes(size_t size, char *whom)
{
    void *memory;

    do
        memory = __real_malloc(size);
    while (memory == NULL && again(size));
    if (memory == NULL && size != 0 && !governor_off)
        report_end(size, whom);
    return memory != NULL ? memory : __real_stgMallocBytes(size, whom);
}

void *__real_stgReallocBytes(void *old, size_t size, char *whom);
void *__wrap_stgReallocBytes(void *old, size_t size, char *whom);
void *__wrap_stgReallocBytes(void *old, size_t size, char *whom)
{
    void *memory;

    if (!governor_on || size == 0)
        return __real_stgReallocBytes(old, size, whom);
    do
        memory = __real_realloc(old, size);
    while (memory == NULL && again(size));
    if (memory == NULL)
        report_end(size, whom);
    return memory;
}

void *__real_stgCallocBytes(size_t count, size_t size, char *whom);
void *__wrap_stgCallocBytes(size_t count, size_t size, char *whom);
void *__wrap_stgCallocBytes(size_t count, size_t size, char *whom)
{
    void *memory;

    do
        memory = __real_calloc(count, size);
    while (memory == NULL && again(count * size));
    if (memory == NULL && count * size != 0 && !governor_off)
        report_end(count * size, whom);
    return memory != NULL ? memory : __real_stgCallocBytes(count, size, whom);
}

/* -- GMP's, for Integer: it aborts when malloc has nothing (memory.c) -- */

extern void *(*__gmp_allocate_func)(size_t) __attribute__((weak));
extern void *(*__gmp_reallocate_func)(void *, size_t, size_t)
    __attribute__((weak));
extern void (*__gmp_free_func)(void *, size_t) __attribute__((weak));

static const char gmp_whom[] = "the computation of an Integer";

static void *gmp_reallocate(void *old, size_t old_size, size_t size)
{
    void *memory;

    (void)old_size;
    do
        memory = __real_realloc(old, size);
    while (memory == NULL && (again(size) || ask_give_back()));
    if (memory == NULL)
        report_end(size, gmp_whom);
    return memory;
}

static void *gmp_allocate(size_t size)
{
    return gmp_reallocate(NULL, 0, size);
}

/* What was spent for a computation comes back with its end, before C code can
 * take it. */
static void gmp_free(void *memory, size_t size)
{
    (void)size;
    free(memory);
    if (budget_reserve_mb() < budget_reserve_target_mb())
        budget_reserve_fill();
}

static void gmp_start(void)
{
    if (&__gmp_allocate_func != NULL) {
        __gmp_allocate_func = gmp_allocate;
        __gmp_reallocate_func = gmp_reallocate;
        __gmp_free_func = gmp_free;
    }
}

/* -- threads of the system -- */

int __real_createOSThread(OSThreadId *id, char *name, OSThreadProc *start,
                          void *argument);
int __wrap_createOSThread(OSThreadId *id, char *name, OSThreadProc *start,
                          void *argument);
int __wrap_createOSThread(OSThreadId *id, char *name, OSThreadProc *start,
                          void *argument)
{
    int error;

    do
        error = __real_createOSThread(id, name, start, argument);
    while (error != 0 && again(MBLOCK_SIZE));
    return error;
}

/* -- a shortage (rts/Timer.c, Schedule.c, ProfHeap.c, Weak.c) -- */

/* By hs_init, when the storage manager is there; and in forkProcess's child. */
void __real_initTimer(void);
void __wrap_initTimer(void);
void __wrap_initTimer(void)
{
    __real_initTimer();
    shortage_start();
}

void __real_exitTimer(bool wait);
void __wrap_exitTimer(bool wait);
void __wrap_exitTimer(bool wait)
{
    shortage_stop();
    __real_exitTimer(wait);
}

/* Weak pointers that a collection found dead, which no other collection looks
 * after: their C finalizers run before the next one begins. The threaded
 * runtime runs them when a capability is idle; the other keeps them until then.
 */
void __real_scheduleFinalizers(Capability *cap, StgWeak *dead);
void __wrap_scheduleFinalizers(Capability *cap, StgWeak *dead);
void __wrap_scheduleFinalizers(Capability *cap, StgWeak *dead)
{
#if !defined(THREADED_RTS)
    for (StgWeak *weak = dead; governor_on && weak != NULL; weak = weak->link)
        if (weak->cfinalizers != &stg_NO_FINALIZER_closure)
            shortage_finalizers_wait = true;
#endif
    __real_scheduleFinalizers(cap, dead);
}

bool __real_runSomeFinalizers(bool all);
bool __wrap_runSomeFinalizers(bool all);
bool __wrap_runSomeFinalizers(bool all)
{
    bool more = __real_runSomeFinalizers(all);

    if (!more)
        shortage_finalizers_wait = false;
    return more;
}

static void run_finalizers(void)
{
    int saved = errno;

    (void)__wrap_runSomeFinalizers(true);
    errno = saved;
}

/* A safe foreign call begins (compiled code calls it): now one can collect, and
 * run what would keep malloc from it in the call. */
void *__real_suspendThread(StgRegTable *reg, bool interruptible);
void *__wrap_suspendThread(StgRegTable *reg, bool interruptible);
void *__wrap_suspendThread(StgRegTable *reg, bool interruptible)
{
    void *task = __real_suspendThread(reg, interruptible);

    if (shortage_is_marked)
        shortage_heed_mark();
    if (shortage_finalizers_wait)
        run_finalizers();
    return task;
}

/* One that nobody profiles by was asked for because of its collection. */
void __real_heapCensus(Time t);
void __wrap_heapCensus(Time t);
void __wrap_heapCensus(Time t)
{
    if (!governor_on || RtsFlags.ProfFlags.doHeapProfile != NO_HEAP_PROFILING)
        __real_heapCensus(t);
}

/* -- flags (rts/RtsStartup.c, hs_init_ghc) -- */

void __real_initRtsFlagsDefaults(void);
void __wrap_initRtsFlagsDefaults(void);
void __wrap_initRtsFlagsDefaults(void)
{
    __real_initRtsFlagsDefaults();
    limit_defaults();
}

void __real_setupRtsFlags(int *argc, char *argv[], RtsConfig config);
void __wrap_setupRtsFlags(int *argc, char *argv[], RtsConfig config);
void __wrap_setupRtsFlags(int *argc, char *argv[], RtsConfig config)
{
    __real_setupRtsFlags(argc, argv, config);
    if (!governor_on)
        return;
    limit_start();
    gmp_start();
}

/* -- the last words (rts/hooks) -- */

void __real_OutOfHeapHook(W_ request, W_ heap);
void __wrap_OutOfHeapHook(W_ request, W_ heap);
void __wrap_OutOfHeapHook(W_ request, W_ heap)
{
    if (governor_on && !limit_is_users()) {
        report_uncaught();
        return;
    }
    __real_OutOfHeapHook(request, heap);
    if (governor_on)
        report_accounts();
}
