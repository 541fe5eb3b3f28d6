/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Event channels as bits in the page shared with Xen, in two levels: every Xen
 * has them (<xen/xen.h>, struct shared_info). 4,096 ports. See event.h.
 */
#include <errno.h>

#include "drivers/xen/event.h"

#define WORD_BITS 64u
#define WORDS     64u

static uint64_t bit_of(evtchn_port_t port)
{
    return 1ull << port % WORD_BITS;
}

static long begin(void)
{
    for (unsigned i = 0; i < WORDS; i++)
        xen_shared->evtchn_mask[i] = UINT64_MAX;
    return 0;
}

static long prepare(evtchn_port_t port)
{
    return port < WORDS * WORD_BITS ? 0 : -ENOSPC;
}

static void mask(evtchn_port_t port)
{
    if (port < WORDS * WORD_BITS)
        __atomic_or_fetch(&xen_shared->evtchn_mask[port / WORD_BITS],
                          bit_of(port), __ATOMIC_SEQ_CST);
}

static void dispatch(void)
{
    volatile struct shared_info *shared = xen_shared;
    uint64_t words = __atomic_exchange_n(
        &shared->vcpu_info[0].evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

    for (; words != 0; words &= words - 1) {
        unsigned word = (unsigned)__builtin_ctzll(words);
        uint64_t bits =
            shared->evtchn_pending[word] & ~shared->evtchn_mask[word];

        for (; bits != 0; bits &= bits - 1) {
            __atomic_and_fetch(&shared->evtchn_pending[word], ~(bits & -bits),
                               __ATOMIC_SEQ_CST);
            xen_event_port(word * WORD_BITS + (unsigned)__builtin_ctzll(bits));
        }
    }
}

const struct xen_event_abi xen_event_two_level = {begin, prepare, mask,
                                                  dispatch};
