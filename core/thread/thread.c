/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Threads as objects: numbers, pages, beginning and end. Who runs is
 * schedule.c's matter; the system calls are in clone.c.
 *
 * A thread is one page, but the first, which is static: so a program without
 * threads asks for no memory here. Monitor held throughout, but where said.
 */
#include "core/thread/schedule.h"

#include "core/mem/mem.h"

_Static_assert(sizeof(struct thread) <= LIMIT_PAGE_SIZE, "one page");

/* A new thread's number; Linux's limit on 64-bit machines. */
#define TID_MAX      4194304
#define HASH_BUCKETS 64

static struct thread thread_first;
struct list thread_list = LIST_INIT(thread_list);
unsigned thread_count;
static struct list thread_hash[HASH_BUCKETS]; /* zero until used */
static int tid_last = THREAD_PID;

/* Interrupts on, and the bit that is always set. */
#define RFLAGS_START 0x202

void context_fpu_init(struct arch_context *context, uint16_t x87_control,
                      uint32_t mxcsr)
{
    /* XSTATE_BV (byte 512) says that all but the x87 is as after reset; its
     * registers are empty here, and MXCSR is always read. */
    memset(context->fpu, 0, 576);
    memcpy(context->fpu, &x87_control, sizeof x87_control);
    memcpy(context->fpu + 24, &mxcsr, sizeof mxcsr);
    context->fpu[512] = 1;
}

static struct list *hash_bucket(int tid)
{
    struct list *bucket = &thread_hash[(unsigned)tid % HASH_BUCKETS];

    if (bucket->next == NULL)
        list_init(bucket);
    return bucket;
}

struct thread *thread_find(int tid)
{
    if (tid <= 0)
        return NULL;
    list_for_each (node, hash_bucket(tid)) {
        struct thread *thread = container_of(node, struct thread, hash);
        if (thread->tid == tid)
            return thread;
    }
    return NULL;
}

/* There are far more numbers than threads, so one is found at once nearly
 * always. */
static int tid_new(void)
{
    do {
        tid_last = tid_last >= TID_MAX ? THREAD_PID + 1 : tid_last + 1;
    } while (thread_find(tid_last) != NULL);
    return tid_last;
}

static void thread_enter(struct thread *thread, int tid)
{
    thread->tid = tid;
    list_init(&thread->run);
    list_append(&thread_list, &thread->all);
    list_append(hash_bucket(tid), &thread->hash);
    thread_count++;
    signal_thread_init(&thread->signal);
}

void thread_init(void)
{
    int error = time_timer_reserve(1);

    ASSERT(error == 0);
    schedule_init(&thread_first);
    thread_enter(&thread_first, THREAD_PID);
}

void thread_start_first(uint64_t entry, uint64_t stack_pointer)
{
    struct arch_context *context = &thread_first.context;

    ASSERT(thread_current == &thread_first);
    context_fpu_init(context, 0x37f, 0x1f80);
    context->frame.rip = entry;
    context->frame.rsp = stack_pointer;
    context->frame.rflags = RFLAGS_START;
    thread_continue();
}

struct thread *thread_new(void)
{
    struct thread *thread;

    if (thread_count >= LIMIT_THREADS || time_timer_reserve(1) != 0)
        return NULL;
    thread = mem_pages_get(MEM_CORE, 1);
    if (thread == NULL) {
        time_timer_reserve(-1);
        return NULL;
    }
    thread->interrupted = true;
    thread->context.frame.rflags = RFLAGS_START;
    return thread;
}

void thread_add(struct thread *thread)
{
    thread_enter(thread, tid_new());
    schedule_add(thread);
}

void thread_free(struct thread *thread)
{
    time_timer_reserve(-1);
    if (thread != &thread_first)
        mem_pages_put(MEM_CORE, thread, 1);
}

static void *unmap_address;
static size_t unmap_size;
static int last_status; /* of exit(2): the last thread's is the program's */

/* On the core stack. */
static void thread_end(void)
{
    struct thread *thread = thread_current;
    uint32_t zero = 0;

    if (unmap_size != 0)
        mem_unmap((uint64_t)(uintptr_t)unmap_address, unmap_size);
    unmap_size = 0;
    if (thread->clear_tid != NULL &&
        core_copy_out(thread->clear_tid, &zero, sizeof zero) == 0)
        futex_wake(thread->clear_tid, 1);
    thread->state = THREAD_DEAD;
    time_timer_cancel(&thread->timer);
    list_remove(&thread->all);
    list_remove(&thread->hash);
    thread_count--;
    signal_thread_end(thread);
    if (thread_count == 0)
        core_halt(last_status);
    schedule_end();
}

void thread_exit(void)
{
    schedule_leave_stack(thread_end);
}

void thread_exit_status(int status)
{
    last_status = status & 0xff;
}

void thread_unmap_and_exit(void *address, size_t size)
{
    core_enter();
    unmap_address = address;
    unmap_size = size;
    thread_exit_status(0);
    thread_exit();
}

void thread_cancel_point(long on)
{
    thread_current->cancel_point = on != 0;
}
