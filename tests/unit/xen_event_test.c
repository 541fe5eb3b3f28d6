/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/xen/event.c against Xen in software, with both ways to tell which
 * ports are pending: what Xen does in its common/event_2l.c and event_fifo.c,
 * in threads too, and memory that makes no sense. One file because Xen
 * in software is what all of it stands on.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <ucontext.h>

#include "check.h"

#define MOCK_EVENTS_REAL
#include "xen_mock.h"

#include <xen/sched.h>

#include "drivers/xen/guest.h"

#define PORTS     4096
#define TRAP_FLAG 0x100 /* of the processor: a trap after each instruction */
#define BIT(n)    (1u << (n))
#define PENDING   EVTCHN_FIFO_PENDING
#define MASKED    EVTCHN_FIFO_MASKED
#define LINKED    EVTCHN_FIFO_LINKED
#define QUEUE     EVTCHN_FIFO_PRIORITY_DEFAULT

static struct shared_info shared;
volatile struct shared_info *const xen_shared = &shared;

static struct {
    bool has_fifo, fifo; /* offers it; uses it */
    bool no_pages;       /* refuses to grow the array */
    struct evtchn_fifo_control_block *control;
    event_word_t *pages[8];
    unsigned page_count, polls, closes;
    evtchn_port_t tail;
    bool early[PORTS]; /* pending before there was a word for it */
    evtchn_port_t on_poll;
    pthread_mutex_t lock;
} xen = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* -- Xen -- */

static event_word_t *word(evtchn_port_t port)
{
    return port / 1024 < xen.page_count ? &xen.pages[port / 1024][port % 1024]
                                        : NULL;
}

static bool bit_set(event_word_t *at, unsigned bit)
{
    return __atomic_fetch_or(at, BIT(bit), __ATOMIC_SEQ_CST) & BIT(bit);
}

static bool bit_test(event_word_t *at, unsigned bit)
{
    return __atomic_load_n(at, __ATOMIC_SEQ_CST) & BIT(bit);
}

static void upcall_mark(void)
{
    __atomic_store_n(&shared.vcpu_info[0].evtchn_upcall_pending, 1,
                     __ATOMIC_SEQ_CST);
}

/* Only if the tail is in the queue still. */
static bool tail_link(evtchn_port_t port)
{
    event_word_t *tail = word(xen.tail), old = *tail, changed;

    do {
        if (!(old & BIT(LINKED)))
            return false;
        changed = (old & ~(event_word_t)EVTCHN_FIFO_LINK_MASK) | port;
    } while (!__atomic_compare_exchange_n(tail, &old, changed, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return true;
}

static void fifo_set_pending(evtchn_port_t port)
{
    event_word_t *w = word(port);
    bool linked;

    if (w == NULL) {
        xen.early[port] = true;
        return;
    }
    bit_set(w, PENDING);
    if (bit_test(w, MASKED) || bit_set(w, LINKED))
        return;
    if (xen.tail == port)
        xen.tail = 0;
    linked = xen.tail != 0 && tail_link(port);
    xen.tail = port;
    if (linked)
        return;
    __atomic_store_n(&xen.control->head[QUEUE], port, __ATOMIC_SEQ_CST);
    if (!bit_set(&xen.control->ready, QUEUE))
        upcall_mark();
}

static void set_pending(evtchn_port_t port)
{
    unsigned at = port / 64;
    uint64_t bit = 1ull << port % 64;

    if (xen.fifo) {
        fifo_set_pending(port);
        return;
    }
    if (__atomic_fetch_or(&shared.evtchn_pending[at], bit, __ATOMIC_SEQ_CST) &
        bit)
        return;
    if (__atomic_load_n(&shared.evtchn_mask[at], __ATOMIC_SEQ_CST) & bit)
        return;
    __atomic_fetch_or(&shared.vcpu_info[0].evtchn_pending_sel, 1ull << at,
                      __ATOMIC_SEQ_CST);
    upcall_mark();
}

static bool is_pending(evtchn_port_t port)
{
    return xen.fifo ? word(port) != NULL && bit_test(word(port), PENDING)
                    : shared.evtchn_pending[port / 64] >> port % 64 & 1;
}

static void clear_pending(evtchn_port_t port)
{
    if (port >= PORTS)
        return;
    if (!xen.fifo)
        shared.evtchn_pending[port / 64] &= ~(1ull << port % 64);
    else if (word(port) != NULL)
        __atomic_fetch_and(word(port), ~BIT(PENDING), __ATOMIC_SEQ_CST);
}

static void unmask(evtchn_port_t port)
{
    bool pending = is_pending(port);

    if (xen.fifo) {
        CHECK(word(port) != NULL);
        __atomic_fetch_and(word(port), ~BIT(MASKED), __ATOMIC_SEQ_CST);
        pending = is_pending(port);
    } else {
        __atomic_fetch_and(&shared.evtchn_mask[port / 64], ~(1ull << port % 64),
                           __ATOMIC_SEQ_CST);
        clear_pending(port); /* to be set again */
    }
    if (pending)
        set_pending(port);
}

static void send(evtchn_port_t port)
{
    pthread_mutex_lock(&xen.lock);
    set_pending(port);
    pthread_mutex_unlock(&xen.lock);
}

static long control_set(struct evtchn_init_control *op)
{
    const char *page = (const char *)mock_frame_last - op->offset;

    if (!xen.has_fifo)
        return -ENOSYS;
    if (xen.fifo) {
        CHECK((const void *)(page + op->offset) != xen.control);
        return -EINVAL;
    }
    CHECK(op->vcpu == 0 && (uint64_t)page % 4096 == 0);
    CHECK(op->offset % 8 == 0 && op->offset + sizeof(*xen.control) <= 4096);
    CHECK(op->control_gfn == xen_frame_of(page));
    xen.control = (void *)(uintptr_t)(page + op->offset);
    xen.fifo = true;
    return 0;
}

static long page_add(const struct evtchn_expand_array *op)
{
    event_word_t *page = (void *)(uintptr_t)mock_frame_last;

    CHECK(xen.fifo && (uint64_t)page % 4096 == 0);
    CHECK(op->array_gfn == xen_frame_of(page));
    if (xen.no_pages)
        return -ENOMEM;
    for (unsigned i = 0; i < 1024; i++)
        CHECK(page[i] == BIT(MASKED)); /* nothing of before a suspend */
    xen.pages[xen.page_count++] = page;
    for (unsigned i = (xen.page_count - 1) * 1024; i < xen.page_count * 1024;
         i++)
        if (xen.early[i])
            set_pending(i);
    return 0;
}

static long event_op(unsigned op, void *argument)
{
    evtchn_port_t port = *(evtchn_port_t *)argument; /* of most */

    switch (op) {
    case EVTCHNOP_init_control:
        return control_set(argument);
    case EVTCHNOP_expand_array:
        return page_add(argument);
    case EVTCHNOP_unmask:
        unmask(port);
        return 0;
    case EVTCHNOP_close:
        xen.closes++;
        clear_pending(port);
        return 0;
    case EVTCHNOP_send:
        set_pending(port); /* to ourselves */
        return 0;
    case EVTCHNOP_bind_virq:
        ((struct evtchn_bind_virq *)argument)->port = 7;
        return 0;
    default:
        CHECK(!"known");
        return -ENOSYS;
    }
}

long xen_hypercall(unsigned number, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t d, uint64_t e)
{
    long result;

    if (number == __HYPERVISOR_sched_op) {
        struct sched_poll *poll = (void *)b;

        CHECK(a == SCHEDOP_poll && poll->nr_ports == 1);
        CHECK(shared.vcpu_info[0].evtchn_upcall_mask); /* else it is too late */
        xen.polls++;
        if (xen.on_poll != 0)
            send(xen.on_poll);
        return 0;
    }
    CHECK(number == __HYPERVISOR_event_channel_op);
    pthread_mutex_lock(&xen.lock);
    result = event_op((unsigned)a, (void *)b);
    pthread_mutex_unlock(&xen.lock);
    return result;
}

static unsigned upcalls_made;

/* Makes the upcalls that are due; how many. */
static unsigned deliver(void)
{
    unsigned count = 0;

    while (__atomic_load_n(&shared.vcpu_info[0].evtchn_upcall_pending,
                           __ATOMIC_SEQ_CST) &&
           !shared.vcpu_info[0].evtchn_upcall_mask && count < 10000) {
        xen_event_dispatch();
        count++;
    }
    upcalls_made += count;
    return count;
}

/* -- what event.c stands on -- */

void xenpv_interrupts_off(void)
{
    shared.vcpu_info[0].evtchn_upcall_mask = 1;
}

void xenpv_interrupts_on(void)
{
    shared.vcpu_info[0].evtchn_upcall_mask = 0;
    deliver();
}

uint64_t xen_clock_of(uint64_t deadline_ns)
{
    return deadline_ns;
}

/* -- the guest -- */

static unsigned seen[PORTS];

static void on_event(void *argument)
{
    (*(unsigned *)argument)++;
}

static void handle(evtchn_port_t port)
{
    seen[port] = 0;
    CHECK(xen_event_handle(port, on_event, &seen[port]) == 0);
    CHECK(seen[port] >= 1); /* once, even if there was none */
    seen[port] = 0;
}

/* Another domain: ports of before are forgotten, by Xen and by us. */
static void start(bool fifo)
{
    memset(&shared, 0, sizeof(shared));
    xen.has_fifo = fifo;
    xen.fifo = xen.no_pages = false;
    xen.page_count = xen.polls = xen.closes = 0;
    xen.tail = xen.on_poll = 0;
    memset(xen.early, 0, sizeof(xen.early));
    mock_log_lines = 0;
    memset(seen, 0, sizeof(seen));
    CHECK(!xen_event_init());
    CHECK(xen.fifo == fifo);
}

static void test_basic(bool fifo)
{
    start(fifo);
    handle(3);
    handle(900);
    deliver();
    CHECK(seen[3] == 0 && seen[900] == 0);
    send(3);
    CHECK(deliver() == 1 && seen[3] == 1 && seen[900] == 0);
    CHECK(deliver() == 0);
    send(900);
    send(3);
    send(900); /* one with the first */
    CHECK(deliver() == 1 && seen[3] == 2 && seen[900] == 1);
    send(4); /* nobody's: stays as it is */
    send(3);
    deliver();
    CHECK(seen[3] == 3 && is_pending(4) == (word(4) != NULL || !fifo));
    xen_event_notify(3);
    deliver();
    CHECK(seen[3] == 4 && seen[900] == 1);
    CHECK(xen_event_bind_virq(0) == 7);
    CHECK(mock_log_lines == 0);
}

/* What came before the handler, and before there was a word for the port. */
static void test_early(bool fifo)
{
    start(fifo);
    send(20);
    handle(20); /* by its own call, or by the event */
    handle(21);
    send(22);
    CHECK(xen_event_handle(22, on_event, &seen[22]) == 0);
    deliver();
    CHECK(seen[22] >= 1 && seen[21] == 0);
    seen[22] = 0;
    send(22);
    deliver();
    CHECK(seen[22] == 1);
}

static void test_close(bool fifo)
{
    start(fifo);
    handle(5);
    handle(6);
    send(5);
    send(6);
    xen_event_close(5); /* while it is in the queue */
    CHECK(xen.closes == 1);
    deliver();
    CHECK(seen[5] == 0 && seen[6] == 1);
    send(5); /* the number is another's, who has no handler yet */
    CHECK(deliver() == 0 && seen[5] == 0);
    handle(5);
    deliver();
    seen[5] = 0;
    send(5);
    deliver();
    CHECK(seen[5] == 1);
}

static void test_limits(bool fifo)
{
    size_t pages;

    start(fifo);
    CHECK(xen_event_handle(PORTS, on_event, seen) == -ENOSPC);
    CHECK(xen_event_handle(UINT32_MAX, on_event, seen) == -ENOSPC);
    xen_event_close(PORTS + 5);
    handle(PORTS - 1);
    send(PORTS - 1);
    deliver();
    CHECK(seen[PORTS - 1] == 1);
    for (unsigned i = 1; i < LIMIT_XEN_EVENTS; i++)
        handle(i);
    CHECK(xen_event_handle(1000, on_event, seen) == -ENOSPC);
    for (unsigned i = 1; i < LIMIT_XEN_EVENTS; i++)
        send(i);
    CHECK(deliver() == 1);
    for (unsigned i = 1; i < LIMIT_XEN_EVENTS; i++)
        CHECK(seen[i] == 1);
    xen_event_close(9);
    handle(1000);
    /* After a suspend the same pages serve. */
    pages = mock_pages;
    start(fifo);
    CHECK(xen.page_count == 0);
    handle(PORTS - 1);
    send(PORTS - 1);
    deliver();
    CHECK(seen[PORTS - 1] == 1 && mock_pages == pages);
    CHECK(xen.page_count == (fifo ? 4 : 0));
}

static void test_wait(bool fifo)
{
    start(fifo);
    handle(3);
    xen_event_wait(3, UINT64_MAX); /* it may have been before */
    CHECK(xen.polls == 0);
    xen.on_poll = 3;
    xen_event_wait(3, UINT64_MAX);
    CHECK(xen.polls == 1 && seen[3] == 1);
    send(3); /* handled before the wait: no sleep */
    deliver();
    CHECK(seen[3] == 2);
    xen_event_wait(3, UINT64_MAX);
    CHECK(xen.polls == 1);
    xen.on_poll = 0;
    xen_event_wait(3, 1);
    CHECK(xen.polls == 2 && seen[3] == 2);
}

/* -- two ports that come again as they are handled -- */

static unsigned storm_left;

static void on_storm(void *argument)
{
    unsigned *mine = argument;

    ++*mine;
    if (storm_left > 0) {
        storm_left--;
        send((evtchn_port_t)(mine - seen));
    }
}

static void test_storm(bool fifo)
{
    unsigned upcalls;

    start(fifo);
    storm_left = 0;
    CHECK(xen_event_handle(3, on_storm, &seen[3]) == 0);
    CHECK(xen_event_handle(8, on_storm, &seen[8]) == 0);
    handle(9);
    seen[3] = seen[8] = 0;
    storm_left = 5000;
    send(3);
    send(8);
    send(9);
    xen_event_dispatch();
    CHECK(seen[9] == 1);
    CHECK(seen[3] + seen[8] <= LIMIT_XEN_EVENT_BURST);
    CHECK(storm_left > 0);
    CHECK(shared.vcpu_info[0].evtchn_upcall_pending);
    upcalls = deliver();
    CHECK(upcalls > 1 && upcalls < 10000);
    CHECK(storm_left == 0 && seen[3] + seen[8] == 5002);
    seen[3] = seen[8] = 0;
    send(8);
    send(3);
    deliver();
    CHECK(seen[3] == 1 && seen[8] == 1 && seen[9] == 1);
    CHECK(mock_log_lines == 0);
}

/* -- Xen comes in between any two instructions -- */

static unsigned sent[PORTS], told[PORTS];
static volatile unsigned steps_left;
static evtchn_port_t step_port;

static void on_told(void *argument)
{
    unsigned *mine = argument;

    *mine = __atomic_load_n(&sent[mine - told], __ATOMIC_SEQ_CST);
}

static void send_counted(evtchn_port_t port)
{
    __atomic_fetch_add(&sent[port], 1, __ATOMIC_SEQ_CST);
    send(port);
}

static void on_trap(int number, siginfo_t *info, void *context)
{
    ucontext_t *interrupted = context;

    if (steps_left == 0 || --steps_left > 0)
        return;
    interrupted->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    send_counted(step_port);
}

static void dispatch_stepping(void)
{
    __asm__ volatile("pushf\n orl %0, (%%rsp)\n popf" ::"i"(TRAP_FLAG)
                     : "memory", "cc");
    xen_event_dispatch();
    __asm__ volatile("pushf\n andl %0, (%%rsp)\n popf" ::"i"(~TRAP_FLAG)
                     : "memory", "cc");
}

/* A queue of two: the first, the second or a third port comes after `steps`
 * instructions. False: the upcall has fewer. */
static bool step_once(unsigned steps)
{
    bool reached;

    send_counted(3);
    send_counted(4);
    steps_left = steps;
    dispatch_stepping();
    reached = steps_left == 0;
    steps_left = 0;
    deliver();
    for (unsigned i = 3; i <= 5; i++)
        CHECK(told[i] == sent[i]);
    return reached;
}

static void test_steps(bool fifo)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
    for (step_port = 3; step_port <= 5; step_port++) {
        start(fifo);
        for (unsigned i = 3; i <= 5; i++)
            CHECK(xen_event_handle(i, on_told, &told[i]) == 0);
        /* Each place has one of the three. */
        for (unsigned steps = step_port; step_once(steps); steps += 3)
            CHECK(steps < 100000);
    }
    CHECK(mock_log_lines == 0);
}

/* -- another processor of Xen's sends meanwhile -- */

#define CROWD       40
#define CROWD_SENDS 100000u
#define CROWD_BURST                                                            \
    20u /* before the guest gets its turn, should it be late                   \
         */

static volatile bool crowd_done;
static volatile unsigned rounds;

static void *crowd(void *argument)
{
    uint64_t random = 88172645463325252ull;

    for (unsigned i = 0; i < CROWD_SENDS; i++) {
        evtchn_port_t port;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        port = 1 + random % CROWD;
        send_counted(port);
        if (i % CROWD_BURST == 0)
            for (unsigned before = rounds; rounds == before;)
                sched_yield();
    }
    crowd_done = true;
    return NULL;
}

static void test_threads(bool fifo)
{
    pthread_t thread;
    unsigned upcalls = upcalls_made;

    start(fifo);
    for (unsigned i = 1; i <= CROWD; i++)
        CHECK(xen_event_handle(i, on_told, &told[i]) == 0);
    crowd_done = false;
    CHECK(pthread_create(&thread, NULL, crowd, NULL) == 0);
    while (!crowd_done) {
        if (deliver() == 0)
            sched_yield();
        /* Now and then one goes and comes. */
        rounds++;
        if (rounds % 64 == 0) {
            evtchn_port_t port = 1 + rounds / 64 % CROWD;

            xen_event_close(port);
            CHECK(xen_event_handle(port, on_told, &told[port]) == 0);
        }
    }
    pthread_join(thread, NULL);
    deliver();
    for (unsigned i = 1; i <= CROWD; i++)
        CHECK(told[i] == sent[i]); /* the last one was told */
    CHECK(upcalls_made - upcalls > CROWD_SENDS / CROWD_BURST / 2);
    CHECK(mock_log_lines == 0);
}

/* -- queues that make no sense -- */

static void head_set(uint32_t ready, evtchn_port_t head)
{
    xen.control->head[QUEUE] = head;
    xen.control->ready = ready;
    upcall_mark();
}

static void test_nonsense(void)
{
    start(true);
    handle(3);
    handle(4);
    for (evtchn_port_t head = 1024; head != 0; head *= 4) {
        mock_log_lines = 0;
        head_set(BIT(QUEUE), head);
        CHECK(deliver() == 1 && mock_log_lines == 1);
    }
    mock_log_lines = 0;
    head_set(UINT32_MAX, 0); /* all queues, and more than there are */
    CHECK(deliver() == 1 && mock_log_lines == 0);
    CHECK(seen[3] == 0 && seen[4] == 0);
    /* A link to nowhere: what is before it comes. */
    *word(3) = BIT(PENDING) | BIT(LINKED) | EVTCHN_FIFO_LINK_MASK;
    head_set(BIT(QUEUE), 3);
    CHECK(deliver() == 1 && seen[3] == 1 && mock_log_lines == 1);
    CHECK(*word(3) == 0);
    /* A ring has an end. */
    *word(3) = BIT(PENDING) | BIT(LINKED) | 4;
    *word(4) = BIT(PENDING) | BIT(LINKED) | 3;
    head_set(BIT(QUEUE), 3);
    CHECK(deliver() == 1 && seen[3] == 2 && seen[4] == 1);
    *word(4) = BIT(PENDING) | BIT(LINKED) | 4;
    head_set(BIT(QUEUE), 4);
    CHECK(deliver() == 1 && seen[4] == 2);
    /* Not pending, or masked: out of the queue, and no more. The bit that is
     * Xen's stays. */
    *word(3) = BIT(LINKED) | BIT(EVTCHN_FIFO_BUSY) | 4;
    *word(4) = BIT(PENDING) | BIT(MASKED) | BIT(LINKED);
    head_set(BIT(QUEUE), 3);
    CHECK(deliver() == 1 && seen[3] == 2 && seen[4] == 2);
    CHECK(*word(3) == BIT(EVTCHN_FIFO_BUSY));
    CHECK(*word(4) == (BIT(PENDING) | BIT(MASKED)));
    *word(3) = *word(4) = 0;
    xen.tail = 0;
    send(4);
    send(3);
    CHECK(deliver() == 1 && seen[3] == 3 && seen[4] == 3);
    /* Another priority's queue. */
    *word(3) = BIT(PENDING) | BIT(LINKED);
    xen.control->head[15] = 3;
    head_set(BIT(15), 0);
    CHECK(deliver() == 1 && seen[3] == 4);
}

/* Asked to begin anew in the domain that it is in: all stays. */
static void test_same(void)
{
    struct evtchn_fifo_control_block *before;

    start(true);
    handle(3);
    send(3);
    CHECK(deliver() == 1 && seen[3] == 1);
    before = xen.control;
    send(3); /* waits in the queue */
    CHECK(xen_event_init() && xen.control == before);
    CHECK(deliver() == 1 && seen[3] == 2);
    send(3);
    CHECK(deliver() == 1 && seen[3] == 3);
    start(true); /* another domain */
    CHECK(xen.control != before);
}

/* No page for the array, of ours or of Xen's. Before there are any. */
static void test_no_pages(void)
{
    start(true);
    xen.no_pages = true;
    CHECK(xen_event_handle(3, on_event, seen) == -ENOMEM);
    CHECK(xen_event_handle(3, on_event, seen) == -ENOMEM);
    CHECK(mock_pages == 1); /* kept for the next time */
    xen.no_pages = false;
    handle(3);
    CHECK(mock_pages == 1);
    mock_pages_max = 1;
    CHECK(xen_event_handle(1024, on_event, seen) == -ENOMEM);
    mock_pages_max = 0;
    handle(1024);
    CHECK(mock_pages == 2 && xen.page_count == 2);
}

int main(void)
{
    test_no_pages();
    for (unsigned fifo = 0; fifo < 2; fifo++) {
        test_basic(fifo != 0);
        test_early(fifo != 0);
        test_close(fifo != 0);
        test_wait(fifo != 0);
        test_storm(fifo != 0);
        test_steps(fifo != 0);
        test_threads(fifo != 0);
    }
    test_limits(true);
    test_limits(false);
    test_nonsense();
    test_same();
    mock_end();
    return 0;
}
