/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Event channels as queues (<xen/event_channel.h>, "FIFO ABI"; the design is
 * David Vrabel's "Event Channel Scalability"). See event.h.
 *
 * Every port has a word in an array of pages that we give Xen one by one.
 * Pending ports that are not masked form a queue for each priority: Xen puts
 * the first into the control block, sets the queue's bit in `ready` and makes
 * an upcall; those that follow hang on the LINK of the one before, without an
 * upcall, as long as that one is LINKED. Taking a port out therefore reads LINK
 * and clears LINKED in one step: after it Xen sees an empty queue if the link
 * was 0. PENDING is cleared in the same step, before the handler runs: cleared
 * earlier than LINKED, an event in between would be pending on no queue.
 *
 * MASKED is cleared by Xen only (EVTCHNOP_unmask), which also queues what came
 * while it was set. Xen marks a word BUSY while it links, and that bit is its
 * own.
 */
#include <errno.h>

#include "drivers/xen/event.h"
#include "drivers/xen/ring.h"

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED  (1u << EVTCHN_FIFO_MASKED)
#define LINKED  (1u << EVTCHN_FIFO_LINKED)
#define LINK    ((event_word_t)EVTCHN_FIFO_LINK_MASK)

#define QUEUES     ((1u << EVTCHN_FIFO_MAX_QUEUES) - 1)
#define PAGE_PORTS (LIMIT_PAGE_SIZE / sizeof(event_word_t))

/* Not across the end of a page. Xen keeps the page writable, so what else is
 * in it has to be data, too. */
#define CONTROL_ALIGN 128
_Static_assert(sizeof(struct evtchn_fifo_control_block) <= CONTROL_ALIGN,
               "the control block is in one page");
_Static_assert(LIMIT_XEN_EVENT_PAGES *PAGE_PORTS <= EVTCHN_FIFO_NR_CHANNELS,
               "Xen has as many ports");

static struct control {
    struct evtchn_fifo_control_block block;
} __attribute__((aligned(CONTROL_ALIGN))) controls[2];
static struct evtchn_fifo_control_block *control = &controls[0].block;
static event_word_t *pages[LIMIT_XEN_EVENT_PAGES]; /* stay ours for ever */
static unsigned page_count;                        /* of them, Xen's, too */

/* Xen writes into the block that it has, so it is offered the other one. One it
 * takes only where it has none. */
static long begin(void)
{
    struct evtchn_fifo_control_block *other =
        &controls[control == &controls[0].block].block;
    struct evtchn_init_control op = {
        .control_gfn = xen_frame_of(other),
        .offset = (uint32_t)((uint64_t)other % LIMIT_PAGE_SIZE),
    };
    long status;

    memset(other, 0, sizeof(*other));
    status = xen_event_op(EVTCHNOP_init_control, &op);
    if (status == -EINVAL && page_count > 0)
        return XEN_EVENT_SAME;
    if (status != 0)
        return status;
    control = other;
    page_count = 0;
    return 0;
}

/* NULL: there is no such port. */
static event_word_t *word_of(evtchn_port_t port)
{
    return port / PAGE_PORTS < page_count
               ? &pages[port / PAGE_PORTS][port % PAGE_PORTS]
               : NULL;
}

static long page_add(void)
{
    event_word_t *page = pages[page_count];
    struct evtchn_expand_array op;
    long status;

    if (page == NULL)
        page = hw_pages_get(1);
    if (page == NULL)
        return -ENOMEM;
    pages[page_count] = page;
    for (unsigned i = 0; i < PAGE_PORTS; i++)
        page[i] = MASKED;
    op.array_gfn = xen_frame_of(page);
    status = xen_event_op(EVTCHNOP_expand_array, &op);
    if (status == 0)
        page_count++;
    return status;
}

static long prepare(evtchn_port_t port)
{
    long status = 0;

    if (port / PAGE_PORTS >= LIMIT_XEN_EVENT_PAGES)
        return -ENOSPC;
    while (status == 0 && word_of(port) == NULL)
        status = page_add();
    return status;
}

static void mask(evtchn_port_t port)
{
    event_word_t *word = word_of(port);

    if (word != NULL)
        __atomic_or_fetch(word, MASKED, __ATOMIC_SEQ_CST);
}

/* Takes a port out of its queue and handles it, or if it is late masks it. The
 * next one, 0: the queue is empty, or makes no sense. */
static evtchn_port_t take(evtchn_port_t port, bool late)
{
    event_word_t *word = word_of(port), old, changed;

    if (word == NULL) {
        hw_log("xen: events: a queue leads to a port that is none", NULL);
        return 0;
    }
    old = XEN_READ_ONCE(*word);
    do { /* again if Xen came in between, which it does to set a bit or two */
        changed = old & ~(LINKED | LINK);
        if (late)
            changed |= MASKED;
        else if ((old & MASKED) == 0)
            changed &= ~PENDING;
    } while (!__atomic_compare_exchange_n(word, &old, changed, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    if (!late && (old & (PENDING | MASKED)) == PENDING)
        xen_event_port(port);
    return old & LINK;
}

/*
 * Ports can come back as fast as we take them out: others would keep us in
 * here for ever. So those that come after LIMIT_XEN_EVENT_BURST are masked,
 * until none is left, since a masked one is not queued; and then unmasked,
 * which queues them for another upcall.
 */
static void dispatch(void)
{
    uint32_t ready =
        __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST) & QUEUES;
    unsigned steps = 0;

    for (; ready != 0; ready &= ready - 1) {
        evtchn_port_t port = XEN_READ_ONCE(control->head[__builtin_ctz(ready)]);

        while (port != 0)
            port = take(port, steps++ >= LIMIT_XEN_EVENT_BURST);
    }
    if (steps > LIMIT_XEN_EVENT_BURST)
        xen_event_unmask_all();
}

const struct xen_event_abi xen_event_fifo = {begin, prepare, mask, dispatch};
