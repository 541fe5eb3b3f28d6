/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How much memory there is, and the heap's address space.
 *
 * Three worlds, told apart once:
 *   a machine of our own    sysinfo() is the account; what mmap commits inside
 *                           a PROT_NONE, MAP_NORESERVE range is charged then,
 *                           and given back by MADV_FREE
 *   Linux, RLIMIT_AS        the limit counts address space, reservations
 *                           included: the heap's is not reserved, only used
 *   Linux, a control group  memory.max (v2) or memory.limit_in_bytes (v1);
 *                           memory is charged when it is touched, and who is
 *                           over is killed: so nothing is committed past it
 * On a Linux without a limit there is no budget, and the governor is off.
 */
#include "governor.h"
#include "group.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "text.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 /* linux: asm-generic/mman-common.h */
#endif

static enum { WORLD_NONE, WORLD_MACHINE, WORLD_RLIMIT, WORLD_GROUP } world;

#define PAGE ((W_)4096)
#define MB   ((W_)MBLOCK_SIZE)

static struct group group;

/* Over the files that Linux tells in, the reserve, and the room for a
 * collection: several threads, on capabilities and beside them, come here at
 * once, with the runtime's locks and without. Nothing else is taken under it.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void hold_lock(void)
{
    pthread_mutex_lock(&lock);
}

static void leave_lock(void)
{
    pthread_mutex_unlock(&lock);
}

/* -- RLIMIT_AS -- */

static W_ rlimit_now(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return 0;
    return limit.rlim_cur;
}

static struct text_source statm;

/* Address space in use: the first number of /proc/self/statm, in pages; if it
 * cannot be read, as it was the last time. */
static W_ rlimit_used(void)
{
    static uint64_t pages;
    uint64_t number;
    char text[64];

    if (text_source_read(&statm, "/proc/self/statm", text, sizeof text) &&
        text_number(text, &number))
        pages = number;
    return pages * PAGE;
}

/* The open file tells of the process that opened it. */
static void in_child(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    text_source_close(&statm);
}

/* -- what all worlds have -- */

/* Whether no host kernel is below: uname says whose system this is. */
static bool is_machine(void)
{
    struct utsname names;

    return uname(&names) == 0 && strncmp(names.version, "HaLVM ", 6) == 0;
}

bool budget_start(void)
{
    W_ limit;

    if (is_machine()) {
        world = WORLD_MACHINE;
    } else {
        limit = rlimit_now();
        if (group_start(&group) && (limit == 0 || group.limit < limit))
            world = WORLD_GROUP;
        else if (limit != 0)
            world = WORLD_RLIMIT;
        (void)pthread_atfork(hold_lock, leave_lock, in_child);
    }
    return world != WORLD_NONE;
}

W_ budget_total(void)
{
    struct sysinfo info;

    switch (world) {
    case WORLD_RLIMIT:
        return rlimit_now();
    case WORLD_GROUP:
        return group.limit;
    default:
        return sysinfo(&info) == 0 ? (W_)info.totalram : 0;
    }
}

/* Holding the lock. */
static W_ free_bytes(void)
{
    struct sysinfo info;
    W_ total, used;

    if (world == WORLD_MACHINE)
        return sysinfo(&info) == 0 ? (W_)info.freeram : 0;
    total = budget_total();
    used = world == WORLD_RLIMIT
               ? rlimit_used()
               : group_used(&group) +
                     (budget_reserve_mb() + budget_held_mb()) * MB;
    return total > used ? total - used : 0;
}

W_ budget_free(void)
{
    W_ bytes;

    hold_lock();
    bytes = free_bytes();
    leave_lock();
    return bytes;
}

W_ budget_free_mb(void)
{
    return budget_free() / GOVERNOR_MB_COST;
}

/* -- the heap's addresses -- */

static W_ heap_start, heap_size;

#define HEAP_SIZE  ((W_)1 << 40)      /* as the runtime would reserve */
#define HEAP_START ((W_)0x4200000000) /* likewise (GHC's #12573) */

static void *map(void *at, W_ size, int prot, int flags)
{
    void *got =
        mmap(at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

    if (got != MAP_FAILED && got != at && at != NULL) {
        munmap(got, size); /* an old kernel takes the address for a hint */
        return NULL;
    }
    return got == MAP_FAILED ? NULL : got;
}

/* A terabyte of addresses, whole megablocks; under RLIMIT_AS nothing is mapped
 * there yet, since reserving would use the limit up. */
void *budget_reserve(void *wish, W_ *size)
{
    W_ start = wish != NULL ? (W_)wish : HEAP_START;

    *size &= ~(W_)MBLOCK_MASK;
    if (*size > HEAP_SIZE)
        *size = HEAP_SIZE;
    if (world != WORLD_RLIMIT) {
        for (;;) {
            if (map((void *)start, *size, PROT_NONE,
                    MAP_NORESERVE | MAP_FIXED_NOREPLACE) != NULL)
                break;
            if (*size <= MB)
                report_refuse("no address space for Haskell's heap",
                              "not even 1 MiB could be reserved",
                              "give the program more memory");
            *size = (*size / 2) & ~(W_)MBLOCK_MASK;
        }
    }
    heap_start = start;
    heap_size = *size;
    return (void *)start;
}

static W_ heap_committed;

W_ budget_heap(void)
{
    return heap_committed;
}

/* Counted before it is so, here and below: who hears of it meanwhile
 * (shortage.c) does not take it for somebody else's. */
bool budget_commit(void *at, W_ size)
{
    int flags = world == WORLD_RLIMIT ? MAP_FIXED_NOREPLACE : MAP_FIXED;

    if (world == WORLD_GROUP && size > budget_free())
        return false;
    heap_committed += size;
    if (map(at, size, PROT_READ | PROT_WRITE, flags) != NULL)
        return true;
    heap_committed -= size;
    return false;
}

void budget_decommit(void *at, W_ size)
{
    switch (world) {
    case WORLD_RLIMIT:
        munmap(at, size);
        break;
    case WORLD_GROUP:
        madvise(at, size, MADV_DONTNEED);
        break;
    default:
        madvise(at, size, MADV_FREE);
        break;
    }
    heap_committed -= size;
}

void budget_release(void)
{
    munmap((void *)heap_start, heap_size);
}

/* -- room for a collection -- */

/* Here and in the reserve nothing is written, so that it needs no other right:
 * what lies beside it and can be written, such as a stack, stays a mapping of
 * its own for those who count. */

static char *held;
static W_ held_mb;

W_ budget_held_mb(void)
{
    return held_mb;
}

bool budget_hold(W_ mb)
{
    bool there = false;

    hold_lock();
    if (world != WORLD_GROUP || mb <= free_bytes() / MB) {
        held_mb = mb;
        held = map(NULL, mb * MB, PROT_READ, 0);
        there = held != NULL;
        if (!there)
            held_mb = 0;
    }
    leave_lock();
    return there;
}

/* Holding the lock. */
static W_ held_spend(W_ pieces)
{
    W_ spent = pieces < held_mb ? pieces : held_mb;

    if (spent > 0) {
        munmap(held + (held_mb - spent) * MB, spent * MB);
        held_mb -= spent;
    }
    return spent;
}

void budget_hold_end(void)
{
    hold_lock();
    held_spend(held_mb);
    leave_lock();
}

/* -- the reserve -- */

/* A sixteenth of what is there at first; none where there is hardly any. */
#define RESERVE_SHARE  16
#define RESERVE_MB_MAX 16
#define RESERVE_FROM   6 /* megablocks free at start */

static char *reserve_at[RESERVE_MB_MAX];
static W_ reserve_mb, reserve_target;

W_ budget_reserve_mb(void)
{
    return reserve_mb;
}

W_ budget_reserve_target_mb(void)
{
    return reserve_target;
}

static void reserve_start(void)
{
    static bool started;

    if (!started) {
        W_ free = free_bytes() / GOVERNOR_MB_COST;

        started = true;
        reserve_target = free / RESERVE_SHARE;
        if (reserve_target == 0 && free >= RESERVE_FROM)
            reserve_target = 1;
        if (reserve_target > RESERVE_MB_MAX)
            reserve_target = RESERVE_MB_MAX;
    }
}

void budget_reserve_fill(void)
{
    hold_lock();
    reserve_start();
    while (reserve_mb < reserve_target && free_bytes() >= GOVERNOR_MB_COST) {
        char *piece;

        reserve_mb++;
        piece = map(NULL, MB, PROT_READ, 0);
        if (piece == NULL) {
            reserve_mb--;
            break;
        }
        reserve_at[reserve_mb - 1] = piece;
    }
    leave_lock();
}

bool budget_reserve_spend(W_ size)
{
    W_ pieces = (size + MB - 1) / MB;
    W_ spent;

    hold_lock();
    spent = held_spend(pieces);
    for (; spent < pieces && reserve_mb > 0; spent++) {
        munmap(reserve_at[reserve_mb - 1], MB);
        reserve_mb--;
    }
    leave_lock();
    return spent > 0;
}
