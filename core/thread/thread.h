/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads: preemptive, one processor, woken threads run soon.
 *
 * musl makes threads with clone and waits with futex; core keeps a struct
 * thread, one page, for each. A thread is left in one of two ways: in core
 * (voluntarily, by thread_block or a due reschedule: its registers are on its
 * own stack, see arch_switch) or interrupted in application code (its
 * registers are in context, see struct base_upcall).
 *
 * When nothing can run, core goes to the idle loop on the core stack, where
 * base->wait blocks. Upcalls run on the same stack: they come only from
 * application code, when the idle loop is not in use.
 *
 * Monitor held in every function here.
 */
#ifndef HALVM_THREAD_H
#define HALVM_THREAD_H

#include "core/core.h"
#include "core/signal/signal.h"
#include "core/time/time.h"

/* The program's number; the first thread's, too. */
#define THREAD_PID 1

enum thread_state {
    THREAD_RUNNABLE, /* running, or in the run queue */
    THREAD_BLOCKED,
    THREAD_DEAD,
};

struct thread {
    struct arch_context context; /* valid if interrupted; first: see upcall */
    uint64_t stack_pointer;      /* valid if left in core */
    bool interrupted;
    enum thread_state state;
    bool woken;         /* thread_wake came before thread_block */
    bool interruptible; /* blocked, and a signal may end that */
    int wake_result;    /* what thread_block returns */
    bool cancel_point;  /* in a cancellation point: libc/cancel.c */
    int tid;
    char name[16];
    uint64_t tp;             /* FS base; the current thread's is loaded */
    struct list run;         /* in the run queue */
    struct list all;         /* in thread_list */
    struct list hash;        /* by tid */
    int64_t slice_left_ns;   /* of its turn, at the last switch */
    uint64_t cpu_ns;         /* processor time up to the last switch */
    uint64_t switched_ns;    /* when it last got or left the processor */
    uint32_t *clear_tid;     /* CLONE_CHILD_CLEARTID, set_tid_address */
    void *robust_list;       /* set_robust_list */
    struct time_timer timer; /* thread_block's deadline */
    struct signal_thread signal;
    void *file_scratch; /* core/file: a path buffer while one is needed */
};

extern struct thread *thread_current; /* never NULL once core runs */
extern struct list thread_list;
extern unsigned thread_count;

/* The first thread, from core_main. */
void thread_init(void);
/* Starts the first thread at entry with the given stack pointer. */
void thread_start_first(uint64_t entry, uint64_t stack_pointer)
    __attribute__((noreturn));

struct thread *thread_find(int tid);
/* For core_clone: a thread that is in no queue yet, as if interrupted, with
 * clean registers; NULL if there is no memory or number left. */
struct thread *thread_new(void);
/* Lets a new thread run. */
void thread_add(struct thread *thread);

/*
 * Blocks the calling thread until thread_wake(), the deadline
 * (clock_monotonic; UINT64_MAX: none) or, if interruptible, a signal that its
 * mask lets through. Returns 0, -ETIMEDOUT or -EINTR. May return 0 without a
 * cause: the caller looks at its condition again. A wake that came since the
 * last block counts. After -EINTR the signal is still there, and this thread
 * takes it when it leaves core: one that another thread takes first ends
 * nothing.
 */
int thread_block(uint64_t deadline_ns, bool interruptible);
/* Makes a thread runnable, ahead of those that used up their slice. */
void thread_wake(struct thread *thread);
/* A signal came: an interruptible thread_block looks whether it is to end. */
void thread_interrupt(struct thread *thread);
/* Lets others run; returns when it is this thread's turn again. */
void thread_yield(void);
/* Those who were woken run before the current call returns to its thread. */
void thread_defer(void);
/* Ends the calling thread. */
void thread_exit(void) __attribute__((noreturn));
/* musl's __unmapself: unmaps the calling thread's stack and ends the thread.
 * Called without the monitor. */
void thread_unmap_and_exit(void *address, size_t size)
    __attribute__((noreturn));
/* libc/cancel.c: the thread is in a cancellation point, or out of it. Called
 * without the monitor. */
void thread_cancel_point(long on);

/* Goes on with the current thread's context, in application code, on the core
 * stack. For core/signal, which has made that context. */
void thread_continue(void) __attribute__((noreturn));
/* A timer may be due earlier than the base was told. core/time. */
void thread_timer_changed(void);
/* The parts of core_leave_slow that are the scheduler's: looks after what the
 * base reported; lets others run if they should; asks for the next timer. */
void thread_attend(void);
bool thread_switch_due(void);
void thread_preempt(void);
void thread_timer_arm(void);

/* Processor time so far, ns; of a thread (the current one included) or of
 * the whole program. Also without the monitor. */
uint64_t thread_cpu_ns(const struct thread *thread);
uint64_t thread_cpu_total_ns(void);
uint64_t thread_idle_ns(void);

/*
 * Wait queues: who wants to hear of an event. An entry either wakes its
 * thread or, if wake is set, is called (epoll, poll). Entries are on the
 * waiter's stack or in its object; they are not allocated.
 */
struct wait_queue {
    struct list entries;
};
struct wait_entry {
    struct list node;
    struct thread *thread;
    void (*wake)(struct wait_entry *entry, uint32_t events);
    bool exclusive; /* counted by wait_wake's count */
};
#define WAIT_QUEUE_INIT(name)                                                  \
    {                                                                          \
        LIST_INIT((name).entries)                                              \
    }
void wait_queue_init(struct wait_queue *queue);
void wait_add(struct wait_queue *queue, struct wait_entry *entry);
void wait_remove(struct wait_entry *entry); /* harmless if not queued */
/* Tells all entries that are not exclusive, and the first count that are.
 * events: POLLIN, POLLOUT, ... for those with a function. */
void wait_wake(struct wait_queue *queue, uint32_t events, unsigned count);
/* The usual case: adds, blocks, removes. As thread_block. */
int wait_on(struct wait_queue *queue, uint64_t deadline_ns, bool interruptible);

/* FUTEX_WAKE for core's own use (clear_tid, robust lists). */
void futex_wake(uint32_t *address, int count);

#endif
