/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls by which threads begin, end and name themselves. clone(2),
 * set_tid_address(2), get_robust_list(2), sched_yield(2).
 *
 * core_clone, core_exit and core_exit_group are RAW: they enter and leave the
 * monitor by themselves.
 */
#include <sched.h>

#include "core/calls.h"
#include "core/thread/schedule.h"

/* libc/clone.S: takes the argument and the function from its stack. */
extern const char arch_clone_child[];

/* What a new thread shares with the others; a new process would not. */
#define CLONE_NEEDED                                                           \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
/* Further flags that are honoured, or true anyway. */
#define CLONE_KNOWN                                                            \
    (CLONE_NEEDED | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |       \
     CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID | CLONE_DETACHED |              \
     CLONE_UNTRACED | CLONE_IO)

#define CLONE_NUMBER 56

static void clone_context(struct thread *child, uint64_t stack)
{
    uint16_t x87_control;
    uint32_t mxcsr;

    /* Rounding and exception masks are inherited, as on Linux. */
    __asm__ volatile("fnstcw %0" : "=m"(x87_control));
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    context_fpu_init(&child->context, x87_control, mxcsr & ~0x3fu);
    child->context.frame.rip = (uint64_t)(uintptr_t)arch_clone_child;
    child->context.frame.rsp = stack;
}

static long clone_thread(uint64_t flags, uint64_t stack, int *parent_tid,
                         int *child_tid, uint64_t tls)
{
    struct thread *child;
    int tid;

    if (stack == 0 || (flags & ~(uint64_t)CLONE_KNOWN) != 0)
        return -EINVAL;
    child = thread_new();
    if (child == NULL)
        return -EAGAIN;
    clone_context(child, stack);
    child->tp = flags & CLONE_SETTLS ? tls : thread_current->tp;
    memcpy(child->name, thread_current->name, sizeof child->name);
    thread_add(child);
    child->signal.mask = thread_current->signal.mask;
    if (flags & CLONE_CHILD_CLEARTID)
        child->clear_tid = (uint32_t *)child_tid;
    /* Linux does not look at the result of these either. */
    tid = child->tid;
    if (flags & CLONE_PARENT_SETTID)
        (void)core_copy_out(parent_tid, &tid, sizeof tid);
    if (flags & CLONE_CHILD_SETTID)
        (void)core_copy_out(child_tid, &tid, sizeof tid);
    return tid;
}

long core_clone(long a, long b, long c, long d, long e)
{
    uint64_t flags = (uint64_t)a;
    long result;

    core_enter();
    if ((flags & CLONE_NEEDED) != CLONE_NEEDED)
        result = core_unimplemented(CLONE_NUMBER, "clone (of a process)",
                                    __builtin_return_address(0));
    else
        result =
            clone_thread(flags, (uint64_t)b, (int *)c, (int *)d, (uint64_t)e);
    return core_leave(result);
}

/* -- robust lists: get_robust_list(2), linux/futex.h -- */

#define FUTEX_WAITERS    0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK   0x3fffffffu

struct robust_head {
    uint64_t first; /* bit 0 of an entry: priority inheritance */
    int64_t futex_offset;
    uint64_t pending; /* being locked or unlocked */
};

static void robust_release(uint64_t entry, int64_t offset, bool pending)
{
    uint32_t *futex = (uint32_t *)((entry & ~1ull) + (uint64_t)offset);
    uint32_t value, next;

    if (((uintptr_t)futex & 3) != 0 ||
        core_copy_in(&value, futex, sizeof value) != 0)
        return;
    /* Died between unlocking and waking: whoever waits must not sleep on. */
    if (pending && value == 0)
        futex_wake(futex, 1);
    if ((value & FUTEX_TID_MASK) != (uint32_t)thread_current->tid)
        return;
    next = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    if (core_copy_out(futex, &next, sizeof next) == 0 &&
        (value & FUTEX_WAITERS))
        futex_wake(futex, 1);
}

static void robust_walk(const void *list)
{
    const struct robust_head *user = list;
    struct robust_head head;
    uint64_t entry, next;

    if (core_copy_in(&head, user, sizeof head) != 0)
        return;
    entry = head.first;
    for (unsigned i = 0; i < LIMIT_ROBUST_LIST; i++) {
        if ((entry & ~1ull) == (uint64_t)(uintptr_t)user)
            break;
        /* Before the release: the memory may be reused after it. */
        if (core_copy_in(&next, (const void *)(entry & ~1ull), sizeof next))
            return;
        if (entry != head.pending)
            robust_release(entry, head.futex_offset, false);
        entry = next;
    }
    if ((head.pending & ~1ull) != 0)
        robust_release(head.pending, head.futex_offset, true);
}

long core_set_robust_list(long a, long b)
{
    if (b != sizeof(struct robust_head))
        return -EINVAL;
    thread_current->robust_list = (void *)a;
    return 0;
}

long core_get_robust_list(long a, long b, long c)
{
    struct thread *thread = a == 0 ? thread_current : thread_find((int)a);
    size_t size = sizeof(struct robust_head);

    if (thread == NULL)
        return -ESRCH;
    if (core_copy_out((void *)c, &size, sizeof size) != 0 ||
        core_copy_out((void *)b, &thread->robust_list, sizeof(void *)) != 0)
        return -EFAULT;
    return 0;
}

/* -- the end -- */

long core_exit(long a)
{
    core_enter();
    if (thread_current->robust_list != NULL)
        robust_walk(thread_current->robust_list);
    thread_exit_status((int)a);
    thread_exit();
}

long core_exit_group(long a)
{
    core_halt((int)(a & 0xff));
}

/* -- oneself -- */

long core_set_tid_address(long a)
{
    thread_current->clear_tid = (uint32_t *)a;
    return thread_current->tid;
}

long core_gettid(void)
{
    return thread_current->tid;
}

long core_sched_yield(void)
{
    thread_yield();
    return 0;
}
