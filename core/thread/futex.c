/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * futex(2): waiting for a word of application memory to change.
 *
 * A waiter is a struct on the waiting thread's stack, in a bucket chosen by
 * the word's address; a bucket's waiters are woken in the order in which they
 * came. There is one process, so the PRIVATE flag says nothing: addresses
 * name words. Words are read and written with the monitor held, so nothing
 * comes between looking and sleeping. Monitor held throughout.
 *
 * Priority inheritance is refused with ENOSYS, from which musl knows that
 * there is none (pthread_mutexattr_setprotocol).
 */
#include "core/calls.h"
#include "core/thread/thread.h"

/* linux/futex.h */
#define FUTEX_WAIT             0
#define FUTEX_WAKE             1
#define FUTEX_REQUEUE          3
#define FUTEX_CMP_REQUEUE      4
#define FUTEX_WAKE_OP          5
#define FUTEX_WAIT_BITSET      9
#define FUTEX_WAKE_BITSET      10
#define FUTEX_PRIVATE          128
#define FUTEX_CLOCK_REALTIME   256
#define FUTEX_OP_OPARG_SHIFT   8
#define FUTEX_BITSET_MATCH_ANY 0xffffffffu

struct futex_waiter {
    struct list node; /* its own list if woken */
    uint32_t *address;
    uint32_t bitset;
    struct thread *thread;
};

static struct list buckets[LIMIT_FUTEX_BUCKETS]; /* zero until used */

static struct list *futex_bucket(const uint32_t *address)
{
    uint64_t key = (uint64_t)(uintptr_t)address >> 2;
    struct list *bucket;

    key = (key * 0x9e3779b97f4a7c15ull) >> 32;
    bucket = &buckets[key % LIMIT_FUTEX_BUCKETS];
    if (bucket->next == NULL)
        list_init(bucket);
    return bucket;
}

/* Wakes one at least, as Linux does: it counts after the fact. */
static __attribute__((noinline)) long futex_wake_set(uint32_t *address,
                                                     int count, uint32_t bitset)
{
    int woken = 0;

    list_for_each (node, futex_bucket(address)) {
        struct futex_waiter *waiter =
            container_of(node, struct futex_waiter, node);

        if (waiter->address != address || (waiter->bitset & bitset) == 0)
            continue;
        list_remove(node);
        thread_wake(waiter->thread);
        if (++woken >= count)
            break;
    }
    return woken;
}

void futex_wake(uint32_t *address, int count)
{
    futex_wake_set(address, count, FUTEX_BITSET_MATCH_ANY);
}

/* Blocks until woken; a wake without cause is no reason to return. */
static long futex_sleep(uint32_t *address, uint32_t bitset,
                        uint64_t deadline_ns)
{
    struct futex_waiter waiter = {
        .address = address,
        .bitset = bitset,
        .thread = thread_current,
    };
    int result;

    list_append(futex_bucket(address), &waiter.node);
    do {
        result = thread_block(deadline_ns, true);
    } while (result == 0 && !list_empty(&waiter.node));
    if (list_empty(&waiter.node))
        return 0; /* woken, whatever else happened at the same time */
    list_remove(&waiter.node);
    return result;
}

/* The time-out of a wait, as a deadline. FUTEX_WAIT takes a duration,
 * FUTEX_WAIT_BITSET a time on one of two clocks. */
static int futex_deadline(const struct timespec *user, int operation,
                          uint64_t *deadline_ns);

static __attribute__((noinline)) long
futex_wait(uint32_t *address, int operation, uint32_t expected,
           const struct timespec *time, uint32_t bitset)
{
    uint64_t deadline_ns = TIME_NEVER;
    uint32_t value;
    long result;

    if (bitset == 0)
        return -EINVAL;
    if (time != NULL) {
        result = futex_deadline(time, operation, &deadline_ns);
        if (result != 0)
            return result;
    }
    if (core_copy_in(&value, address, sizeof value) != 0)
        return -EFAULT;
    if (value != expected)
        return -EAGAIN;
    result = futex_sleep(address, bitset, deadline_ns);
    /* A relative time-out would begin anew: Linux keeps the rest of it in the
     * restart block. A handler without SA_RESTART ends the call either way. */
    if (result == -EINTR && deadline_ns == TIME_NEVER)
        return -CORE_RESTART;
    return result;
}

static __attribute__((noinline)) int futex_deadline(const struct timespec *user,
                                                    int operation,
                                                    uint64_t *deadline_ns)
{
    struct timespec ts;
    uint64_t ns, now;
    int error;

    if (core_copy_in(&ts, user, sizeof ts) != 0)
        return -EFAULT;
    error = time_from_timespec(&ts, &ns);
    if (error != 0)
        return error;
    if ((operation & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME)) == FUTEX_WAIT) {
        *deadline_ns = time_deadline(ns);
    } else if (operation & FUTEX_CLOCK_REALTIME) {
        now = time_wall_ns();
        *deadline_ns = time_deadline(ns > now ? ns - now : 0);
    } else {
        *deadline_ns = ns;
    }
    return 0;
}

/* Wakes count waiters of one word and lets at most move others wait for
 * another word. */
static long futex_requeue(uint32_t *from, uint32_t *to, int count, int move,
                          const uint32_t *expected)
{
    struct list *bucket, *target;
    uint32_t value;
    long done = 0;
    int moved = 0;

    if (count < 0 || move < 0)
        return -EINVAL;
    if (expected != NULL) {
        if (core_copy_in(&value, from, sizeof value) != 0)
            return -EFAULT;
        if (value != *expected)
            return -EAGAIN;
    }
    if (count > 0)
        done = futex_wake_set(from, count, FUTEX_BITSET_MATCH_ANY);
    bucket = futex_bucket(from);
    target = futex_bucket(to);
    list_for_each (node, bucket) {
        struct futex_waiter *waiter =
            container_of(node, struct futex_waiter, node);

        if (moved == move)
            break;
        if (waiter->address != from)
            continue;
        moved++;
        if (from == to) /* they stay, and count */
            continue;
        list_remove(node);
        waiter->address = to;
        list_append(target, node);
    }
    /* Linux counts the moved ones for CMP_REQUEUE, and for REQUEUE too. */
    return done + moved;
}

/* What FUTEX_WAKE_OP does to the second word: linux/futex.h, FUTEX_OP. */
static bool wake_op_apply(uint32_t code, uint32_t old, uint32_t *new)
{
    uint32_t operation = code >> 28;
    /* Both arguments are 12 bits with sign. */
    uint32_t argument = (uint32_t)((int32_t)(code << 8) >> 20);

    if (operation & FUTEX_OP_OPARG_SHIFT)
        argument = 1u << (argument & 31);
    switch (operation & 7) {
    case 0:
        *new = argument;
        return true;
    case 1:
        *new = old + argument;
        return true;
    case 2:
        *new = old | argument;
        return true;
    case 3:
        *new = old & ~argument;
        return true;
    case 4:
        *new = old ^ argument;
        return true;
    }
    return false;
}

static int wake_op_compare(uint32_t code, uint32_t old)
{
    int32_t value = (int32_t)old;
    int32_t argument = (int32_t)(code << 20) >> 20;

    switch (code >> 24 & 15) {
    case 0:
        return value == argument;
    case 1:
        return value != argument;
    case 2:
        return value < argument;
    case 3:
        return value <= argument;
    case 4:
        return value > argument;
    case 5:
        return value >= argument;
    }
    return -ENOSYS;
}

static long futex_wake_op(uint32_t *first, uint32_t *second, int count,
                          int count_second, uint32_t code)
{
    uint32_t old, new;
    long woken;
    int true_then;

    if (core_copy_in(&old, second, sizeof old) != 0)
        return -EFAULT;
    true_then = wake_op_compare(code, old);
    if (true_then < 0 || !wake_op_apply(code, old, &new))
        return -ENOSYS;
    if (core_copy_out(second, &new, sizeof new) != 0)
        return -EFAULT;
    woken = futex_wake_set(first, count, FUTEX_BITSET_MATCH_ANY);
    if (true_then)
        woken += futex_wake_set(second, count_second, FUTEX_BITSET_MATCH_ANY);
    return woken;
}

/* The operations on two words: kept apart, so that the others stay short. */
static __attribute__((noinline)) long futex_two(int command, uint32_t *address,
                                                int count, int count_second,
                                                uint32_t *second,
                                                uint32_t third)
{
    if (((uintptr_t)second & 3) != 0)
        return -EINVAL;
    if (command == FUTEX_WAKE_OP)
        return futex_wake_op(address, second, count, count_second, third);
    return futex_requeue(address, second, count, count_second,
                         command == FUTEX_CMP_REQUEUE ? &third : NULL);
}

/* futex(address, operation, value, time-out or second count, second address,
 * third value) */
long core_futex(long a, long b, long c, long d, long e, long f)
{
    uint32_t *address = (uint32_t *)a;
    int command = (int)b & ~(FUTEX_PRIVATE | FUTEX_CLOCK_REALTIME);
    uint32_t bitset = FUTEX_BITSET_MATCH_ANY;

    if (((int)b & FUTEX_CLOCK_REALTIME) && command != FUTEX_WAIT_BITSET)
        return -ENOSYS;
    if (((uintptr_t)address & 3) != 0)
        return -EINVAL;
    switch (command) {
    case FUTEX_WAIT_BITSET:
        bitset = (uint32_t)f;
        /* fall through */
    case FUTEX_WAIT:
        return futex_wait(address, (int)b, (uint32_t)c,
                          (const struct timespec *)d, bitset);
    case FUTEX_WAKE_BITSET:
        bitset = (uint32_t)f;
        if (bitset == 0)
            return -EINVAL;
        /* fall through */
    case FUTEX_WAKE:
        return futex_wake_set(address, (int)c, bitset);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
    case FUTEX_WAKE_OP:
        return futex_two(command, address, (int)c, (int)d, (uint32_t *)e,
                         (uint32_t)f);
    }
    return -ENOSYS;
}
