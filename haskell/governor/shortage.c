/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A shortage: others than Haskell take memory, and the heap holds garbage that
 * nobody collects, since Haskell allocates nothing meanwhile. Heard of twice:
 *
 *   early   the system says that little is free (/proc/halvm/shortage, which
 *           polls as Linux's kernfs does); a machine of our own only
 *   late    malloc has nothing (runtime.c): the call waits for a collection and
 *           tries again, where one can run; on every system
 *
 * Who collects. In the threaded runtime a thread of our own, the watcher, by
 * performMajorGC; C code in a safe call waits for it, and for a second at most
 * until it begins: another thread may be in an unsafe call that waits for this
 * one. Without threads C code in a safe call collects itself, and the watcher,
 * as the runtime's ticker, may only mark what is to be done: the next safe call
 * collects before it begins, or the scheduler at its next turn, since a heap
 * census is due, which is a collection of everything (and no more than that:
 * __wrap_heapCensus).
 *
 * Not in a storm: only if others have taken memory since the last collection
 * of everything (early); late also if Haskell has allocated since, or a second
 * has passed, so that a program that asks for too much in a loop is refused.
 *
 * Sources: GHC 9.0.2's rts/Task.h, Schedule.c (suspendThread, performGC_,
 * scheduleNeedHeapProfile), Timer.c, Weak.c.
 */
#include "governor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Shares of all memory: less free is a shortage, and by how much what others
 * hold has to change to be news. Core's are the same (core/mem/mem.h). */
#define LOW_SHARE  8
#define STEP_SHARE 32

/* Milliseconds that a failed malloc waits for a collection to begin, and after
 * which one that did not help may be tried again. */
#define WAIT_MS 1000

/* The beginning of rts/Task.h's structures. */
struct in_call {
    StgTSO *tso;
    StgTSO *suspended_tso; /* set while in a safe foreign call */
};
struct Task_ {
#if defined(THREADED_RTS)
    OSThreadId id;
    uint32_t node;
    Condition cond;
    Mutex lock;
    bool wakeup;
#endif
    Capability *cap;
    struct in_call *incall;
};
#if defined(THREADED_RTS)
extern __thread struct Task_ *my_task;
#else
extern struct Task_ *my_task;
#endif

/* The runtime's own (rts/Schedule.h, Proftimer.h, Capability.h). */
extern volatile StgWord sched_state; /* 0: it runs */
extern bool performHeapProfile;
void contextSwitchAllCapabilities(void);

volatile bool shortage_is_marked;
bool shortage_finalizers_wait;

static bool started;
static volatile bool gc_runs;
static _Thread_local bool collects_here;

/* As it was after the last collection of everything. */
static W_ others_then;
static uint64_t then_ms;

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Bytes that are not free, and neither in the heap nor the reserve. */
static W_ others(W_ total, W_ free)
{
    W_ ours = free + budget_heap() +
              (budget_reserve_mb() + budget_held_mb()) * MBLOCK_SIZE;

    return total > ours ? total - ours : 0;
}

static bool others_took(void)
{
    W_ total = budget_total();

    return others(total, budget_free()) >= others_then + total / STEP_SHARE;
}

static bool is_worth_it_early(void)
{
    return budget_free() < budget_total() / LOW_SHARE && others_took();
}

/* size: of the allocation that failed. */
static bool is_worth_it_late(W_ size)
{
    if (size > budget_free() + budget_heap())
        return false;
    return n_alloc_blocks > limit_blocks_live() + BLOCKS_PER_MBLOCK ||
           others_took() || now_ms() - then_ms >= WAIT_MS;
}

/* -- what limit.c and runtime.c tell and ask -- */

void shortage_gc_begins(void)
{
    gc_runs = true;
}

static void unmark(void)
{
    if (shortage_is_marked)
        shortage_is_marked = performHeapProfile = false;
}

void shortage_gc_ends(bool major, W_ total, W_ free)
{
    if (major)
        unmark();
    if (major && started) {
        others_then = others(total, free);
        then_ms = now_ms();
    }
}

void shortage_gc_is_over(void)
{
    gc_runs = false;
}

/* Everything is collected, and whole megablocks go back (limit_gc_ends). */
static void collect(void)
{
    collects_here = true;
    ask_collects();
    performMajorGC();
    collects_here = false;
}

/* -- the watcher -- */

static int news = -1, bell = -1; /* /proc/halvm/shortage; an eventfd */
static pthread_t owner;          /* the thread that started the runtime */

/* Without threads the watcher marks under the lock, and not any more when the
 * runtime has ended, which takes the lock to say so. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool ended;

#if defined(THREADED_RTS)

static volatile unsigned asked, answered;

static void ring(void)
{
    uint64_t one = 1;

    (void)!write(bell, &one, sizeof one);
}

static void answer(bool early)
{
    unsigned upto = __atomic_load_n(&asked, __ATOMIC_SEQ_CST);

    if ((upto != answered || (early && is_worth_it_early())) &&
        sched_state == 0) {
        /* Who has the only one gives it up soon. Of several, one is free or
         * the runtime's ticker sees to it; and their list may just change. */
        if (n_capabilities == 1)
            contextSwitchAllCapabilities();
        collect();
    }
    __atomic_store_n(&answered, upto, __ATOMIC_SEQ_CST);
}

#else

static void mark(void)
{
    ask_collects();
    shortage_is_marked = true;
    performHeapProfile = true;
    contextSwitchAllCapabilities();
}

static void answer(bool early)
{
    pthread_mutex_lock(&lock);
    if (early && !ended && is_worth_it_early())
        mark();
    pthread_mutex_unlock(&lock);
}

#endif

static void close_one(int *fd)
{
    int was = *fd;

    *fd = -1;
    if (was >= 0)
        close(was);
}

/* Who rings then is not waited for. */
static void close_both(void)
{
    close_one(&news);
    close_one(&bell);
}

/* Reading from the beginning says that the news was heard. A descriptor of
 * which poll says that the program has closed it is not looked at any more. */
static void *watch(void *unused)
{
    struct pollfd fds[] = {{news, POLLPRI, 0}, {bell, POLLIN, 0}};
    char text[256];
    uint64_t count;

    while (!ended) {
        bool early;

        if (poll(fds, 2, -1) < 0) {
            if (errno == EINTR)
                continue; /* by libc's own signals: setuid sends one */
            close_both();
            break;
        }
        early = fds[0].revents != 0;
        if (early && pread(news, text, sizeof text, 0) <= 0)
            fds[0].fd = -1;
        if (fds[1].revents != 0 && read(bell, &count, sizeof count) < 0)
            fds[1].fd = bell = -1;
        answer(early);
    }
    return unused;
}

/* The watcher collects in the threaded runtime, on its own stack, which is as
 * large as those of the runtime's threads, since C finalizers run there, too.
 * Signals are for the runtime's threads. */
#if defined(THREADED_RTS)
#define STACK_SIZE (128 * 1024)
#else
#define STACK_SIZE (16 * 1024)
#endif

static bool start_watcher(void)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t watcher;
    int error;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&watcher, &attributes, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error == 0;
}

/* Also in the child of forkProcess, which has no watcher and not the parent's
 * descriptors to itself. What cannot be had is done without. */
void shortage_start(void)
{
    if (!governor_on)
        return;
    close_both();
    news = open("/proc/halvm/shortage", O_RDONLY | O_CLOEXEC);
#if defined(THREADED_RTS)
    bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
#endif
    others_then = others(budget_total(), budget_free());
    if ((news >= 0 || bell >= 0) && !start_watcher())
        close_both();
    owner = pthread_self();
    started = true;
}

void shortage_stop(void)
{
    pthread_mutex_lock(&lock);
    ended = true;
    pthread_mutex_unlock(&lock);
}

void shortage_heed_mark(void)
{
    int saved = errno;

    collect();
    errno = saved;
}

/* -- malloc has nothing -- */

/* Whether the calling thread has left the runtime: no Haskell thread is on its
 * stack, or the innermost is in a safe foreign call. */
static bool is_outside(void)
{
    return my_task == NULL || my_task->incall == NULL ||
           my_task->incall->suspended_tso != NULL;
}

#if defined(THREADED_RTS)

static void wait_1ms(void)
{
    const struct timespec one_ms = {0, 1000000};

    nanosleep(&one_ms, NULL);
}

/* Rings for the watcher; waits only if that holds nobody up. A collection that
 * runs already needs nothing from us, and may be enough. */
static bool help(void)
{
    bool wait = is_outside();
    unsigned mine;

    if (wait && gc_runs) {
        while (gc_runs)
            wait_1ms();
        return true;
    }
    if (bell < 0)
        return false;
    mine = __atomic_add_fetch(&asked, 1, __ATOMIC_SEQ_CST);
    ring();
    for (int waited = 0; wait && (int)(answered - mine) < 0; waited++) {
        if (waited >= WAIT_MS && !gc_runs)
            return false;
        wait_1ms();
    }
    return wait;
}

#else

/* Without threads the runtime belongs to the one that started it. */
static bool help(void)
{
    if (!pthread_equal(pthread_self(), owner))
        return false;
    if (!is_outside() || shortage_finalizers_wait) {
        mark();
        return false;
    }
    collect();
    return true;
}

#endif

bool shortage_malloc_failed(W_ size)
{
    int saved = errno;
    bool helped;

    if (!started || ended || sched_state != 0 || collects_here ||
        !is_worth_it_late(size))
        return false;
    helped = help();
    errno = saved;
    return helped;
}
