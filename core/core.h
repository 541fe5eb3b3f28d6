/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every file of core includes: the monitor, assertions, lists.
 *
 * The monitor. Core code runs with core_locked set. On one processor that is
 * the lock: an interrupt that finds it set only leaves a note
 * (core_attention), so nothing in core is ever re-entered, and a function
 * that does not block sees no change but its own. The generated wrapper of
 * every LOCK system call (include/syscalls.def) enters and leaves:
 *
 *     do {
 *         core_enter();
 *         result = core_NAME(...);
 *         result = core_leave(result);
 *     } while (result == -CORE_RESTART);
 *
 * so a core_NAME is written as if alone in the world. It blocks only in
 * thread_block() (core/thread/thread.h), and must hold no half-made state
 * then. If that says a signal came, it returns -EINTR, or -CORE_RESTART where
 * Linux would restart the call under SA_RESTART; core_leave then runs the
 * handler and decides.
 *
 * Application memory. Arguments may point anywhere. core_NAME reads and
 * writes what they point to with core_copy_in, core_copy_out and
 * core_copy_string only, which return -EFAULT in place of faulting.
 *
 * Core never calls malloc; objects come from pools (core/mem/mem.h).
 */
#ifndef HALVM_CORE_H
#define HALVM_CORE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base.h"
#include "halvm_limits.h"

extern const struct base *core_base; /* set before anything else runs */
extern const struct base_info *core_info;

/* -- assertions: our bugs, never bad input -- */

void core_assert_failed(const char *file, int line, const char *condition)
    __attribute__((noreturn, cold));
/* An image says where the condition stands: the texts would be 2 KiB of it. */
#ifdef HALVM_IMAGE
#define ASSERT_TEXT(condition) ""
#else
#define ASSERT_TEXT(condition) #condition
#endif
#define ASSERT(condition)                                                      \
    do {                                                                       \
        if (__builtin_expect(!(condition), 0))                                 \
            core_assert_failed(__FILE__, __LINE__, ASSERT_TEXT(condition));    \
    } while (0)

/* -- the monitor -- */

extern volatile uint8_t core_locked;
extern volatile uint8_t core_attention;

/* Internal to core, never seen by the application (Linux's ERESTARTSYS). */
#define CORE_RESTART 512

/* Processes what waits (ready devices, timers, a due reschedule, signals of
 * this thread), then leaves. With or without the monitor.
 * core/thread/leave.c. */
long core_leave_slow(long result);

static inline void core_enter(void)
{
    core_locked = 1;
    __asm__ volatile("" ::: "memory");
}

/* A call that may start again is decided about before the monitor is left: a
 * signal that an upcall delivered in between would not count. */
static inline long core_leave(long result)
{
    __asm__ volatile("" ::: "memory");
    if (__builtin_expect(result == -CORE_RESTART, 0))
        return core_leave_slow(result);
    core_locked = 0;
    if (__builtin_expect(core_attention != 0, 0))
        return core_leave_slow(result);
    return result;
}

/* Looks after the ready set of base->wait() or an upcall: expires timers,
 * feeds the console, the network and block devices, turns POWER into SIGTERM.
 * Monitor held. */
void core_ready(uint32_t ready);

/* Called for BASE_READY_NET and BASE_READY_BLOCK. NULL until the first socket
 * or disk is opened, so that a program without them does not link them. */
extern void (*core_net_ready)(void);
extern void (*core_block_ready)(void);
/* Called for BASE_READY_XEN; NULL until a file of /dev/xen is opened. */
extern void (*core_xen_ready)(void);
/* Called for BASE_READY_CONSOLE; NULL until somebody reads the console. */
extern void (*core_console_ready)(void);

/* -- application memory -- */

/* 0 or -EFAULT. */
int core_copy_in(void *to, const void *user_from, size_t size);
int core_copy_out(void *user_to, const void *from, size_t size);
/* Copies a terminated string of at most size bytes, terminator included;
 * returns its length, -EFAULT or -ENAMETOOLONG. */
long core_copy_string(char *to, const char *user_from, size_t size);

/* -- words to the console -- */

/* Understands %s %d %u %x %p %c %% with l and z, and a width with 0 or -. */
void core_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
int core_format(char *out, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A call that is not done: named once on the console, with the address it
 * came from; returns -ENOSYS. */
long core_unimplemented(long number, const char *name, const void *caller);

/* The value of halvm.NAME=VALUE on the command line, "" for a bare
 * halvm.NAME, or NULL (docs/command-line.md). */
const char *core_option(const char *name);

/* Ends the program: runs nothing more of it. status as for base->exit. */
void core_halt(int status) __attribute__((noreturn));

/* -- doubly linked lists, circular, with a head that is no element -- */

struct list {
    struct list *next, *prev;
};
#define LIST_INIT(name)                                                        \
    {                                                                          \
        &(name), &(name)                                                       \
    }
#define container_of(pointer, type, member)                                    \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define list_for_each(item, head)                                              \
    for (struct list *item = (head)->next, *item##_next = item->next;          \
         item != (head); item = item##_next, item##_next = item->next)

static inline void list_init(struct list *list)
{
    list->next = list->prev = list;
}
static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}
static inline void list_insert_before(struct list *at, struct list *item)
{
    item->next = at;
    item->prev = at->prev;
    at->prev->next = item;
    at->prev = item;
}
/* Appends to a head. */
static inline void list_append(struct list *head, struct list *item)
{
    list_insert_before(head, item);
}
static inline void list_prepend(struct list *head, struct list *item)
{
    list_insert_before(head->next, item);
}
/* Takes an item out; it is then an empty list of its own. */
static inline void list_remove(struct list *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
    list_init(item);
}

#endif
