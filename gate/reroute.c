/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that the program takes over: include/halvm/reroute.h is the contract.
 *
 * Runs in application code, without the monitor, on a host kernel too; so it
 * uses nothing of core and nothing of libc. A call that is taken over has
 * GATE_HANDLER in its gate_state and a chain of links, newest first, which
 * gate_reroute (reroute.S) walks without a lock. Only those who change chains
 * hold one.
 */
#include "gate.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "halvm_limits.h"

_Static_assert(offsetof(struct halvm_call, args) == 8 &&
                   offsetof(struct halvm_call, stub) == 56,
               "known to reroute.S");
_Static_assert(offsetof(struct gate_link, handler) == 8 &&
                   offsetof(struct gate_link, context) == 16 &&
                   offsetof(struct gate_link, next) == 24 &&
                   offsetof(struct gate_link, active) == 32,
               "known to reroute.S");

void gate_reroute(void); /* reroute.S; no C function */
extern _Thread_local uint64_t gate_level;

long gate_sys_sched_yield(void) __asm__("__halvm_sys_sched_yield");
long gate_sys_nanosleep(const void *, void *) __asm__("__halvm_sys_nanosleep");

struct gate_link *volatile gate_chain[GATE_CALLS];

static struct gate_link links[LIMIT_REROUTES];
static uint64_t stamp_last;
static volatile uint8_t changing;

/* Rarely held, and for microseconds. */
static void lock(void)
{
    while (__atomic_exchange_n(&changing, 1, __ATOMIC_ACQUIRE))
        gate_sys_sched_yield();
}

static void unlock(void)
{
    __atomic_store_n(&changing, 0, __ATOMIC_RELEASE);
}

static bool is_free(const struct gate_link *link)
{
    return link->stamp == GATE_STAMP_NONE && link->active == 0;
}

/* A link that was this number's before, or a new one; NULL: none is left. */
static struct gate_link *link_get(long number)
{
    int mine = 0;

    for (int i = 0; i < LIMIT_REROUTES; i++) {
        struct gate_link *link = &links[i];

        if (link->number_plus_one == 0) {
            link->stamp = GATE_STAMP_NONE;
            link->number_plus_one = (uint32_t)number + 1;
            return link;
        }
        if (link->number_plus_one != (uint32_t)number + 1)
            continue;
        if (is_free(link))
            return link;
        if (++mine == LIMIT_REROUTES_ONE)
            break; /* else one call could have all links for ever */
    }
    return NULL;
}

static int in_handler(void)
{
    return gate_level != GATE_STAMP_NONE;
}

static void state_set(long number, bool handled)
{
    if (handled)
        __atomic_fetch_or(&gate_state[number], GATE_HANDLER, __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&gate_state[number], (uint8_t)~GATE_HANDLER,
                           __ATOMIC_SEQ_CST);
}

/* Takes the links of a registration out of their chains. From then on nobody
 * enters its handler. Returns how many there were. */
static int unlink_all(uint64_t stamp)
{
    int count = 0;

    for (int i = 0; i < LIMIT_REROUTES; i++) {
        struct gate_link *link = &links[i];
        struct gate_link *volatile *at;

        if (link->number_plus_one == 0 || link->stamp != stamp)
            continue;
        long number = (long)link->number_plus_one - 1;
        __atomic_store_n(&link->stamp, GATE_STAMP_NONE, __ATOMIC_SEQ_CST);
        for (at = &gate_chain[number]; *at != link; at = &(*at)->next)
            ;
        *at = link->next; /* link->next stays, for those who stand there */
        if (gate_chain[number] == NULL)
            state_set(number, false);
        count++;
    }
    return count;
}

/* Waits until a link is in nobody's hands. */
static void wait_idle(const struct gate_link *link)
{
    static const long millisecond[2] = {0, 1000000};

    for (int tries = 0; link->active != 0; tries++)
        if (tries < 100)
            gate_sys_sched_yield();
        else
            gate_sys_nanosleep(millisecond, NULL);
}

long halvm_reroute_calls(const short numbers[], size_t count,
                         long (*handler)(void *, const struct halvm_call *),
                         void *context)
{
    long result = -ENOSPC;

    if (count == 0 || handler == NULL)
        return -EINVAL;
    for (size_t i = 0; i < count; i++)
        if (!gate_is_reroutable(numbers[i]))
            return -EINVAL;
    lock();
    gate_reroute_entry = gate_reroute;
    gate_in_handler = in_handler;
    uint64_t stamp = ++stamp_last;
    for (size_t i = 0; i < count; i++) {
        struct gate_link *link = link_get(numbers[i]);
        if (link == NULL) {
            unlink_all(stamp);
            goto out;
        }
        link->handler = handler;
        link->context = context;
        link->next = gate_chain[numbers[i]];
        __atomic_store_n(&link->stamp, stamp, __ATOMIC_SEQ_CST);
        gate_chain[numbers[i]] = link;
        state_set(numbers[i], true);
    }
    result = (long)stamp;
out:
    unlock();
    return result;
}

long halvm_reroute(long number,
                   long (*handler)(void *, const struct halvm_call *),
                   void *context)
{
    short one = (short)number;

    if (number != one)
        return -EINVAL;
    return halvm_reroute_calls(&one, 1, handler, context);
}

int halvm_reroute_end(long id)
{
    static uint8_t mine[LIMIT_REROUTES]; /* under the second lock */
    static volatile uint8_t ending;
    int count;

    if (in_handler())
        return -EDEADLK;
    while (__atomic_exchange_n(&ending, 1, __ATOMIC_ACQUIRE))
        gate_sys_sched_yield();
    lock();
    for (int i = 0; i < LIMIT_REROUTES; i++)
        mine[i] =
            links[i].number_plus_one != 0 && links[i].stamp == (uint64_t)id;
    count = id > 0 ? unlink_all((uint64_t)id) : 0;
    unlock();
    for (int i = 0; i < LIMIT_REROUTES && count > 0; i++)
        if (mine[i])
            wait_idle(&links[i]);
    __atomic_store_n(&ending, 0, __ATOMIC_RELEASE);
    return count > 0 ? 0 : -ESRCH;
}

int halvm_reroute_leave(long id)
{
    int count = 0;

    lock();
    if (id > 0)
        count = unlink_all((uint64_t)id);
    unlock();
    return count > 0 ? 0 : -ESRCH;
}
