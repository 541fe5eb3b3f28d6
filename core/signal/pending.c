/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Signals on their way: sent, pending, taken.
 *
 * A set of bits says what is pending, on a thread and on the program; records
 * carry what siginfo says. A standard signal is pending once; of a real-time
 * one there is a record each. Without memory for a record a standard signal
 * is pending without its particulars, as Linux has it (sigaction(2),
 * SI_USER), and a real-time one is refused with EAGAIN. Monitor held.
 */
#include "core/signal/pending.h"

#include <limits.h>
#include <poll.h>

#include "core/mem/mem.h"

struct signal_record {
    struct list node;
    siginfo_t info;
};
static struct mem_pool records =
    MEM_POOL(struct signal_record, MEM_CORE, LIMIT_SIGNALS_QUEUED);

/* The usual case, one signal at a time, needs no page. A set bit: in use. */
#define RECORDS_STATIC 4
static struct signal_record records_static[RECORDS_STATIC];
static uint32_t records_used;

static struct signal_record *record_get(void)
{
    unsigned free = (unsigned)__builtin_ctz(~records_used);

    if (free >= RECORDS_STATIC)
        return mem_pool_get(&records);
    records_used |= 1u << free;
    memset(&records_static[free], 0, sizeof records_static[free]);
    return &records_static[free];
}

static void record_put(struct signal_record *record)
{
    if (record >= records_static && record < records_static + RECORDS_STATIC)
        records_used &= ~(1u << (record - records_static));
    else
        mem_pool_put(&records, record);
}

struct signal_action signal_actions[SIGNAL_COUNT];
struct wait_queue signal_arrival = WAIT_QUEUE_INIT(signal_arrival);

/* Of the program. */
static uint64_t shared_pending;
static struct list shared_queue = LIST_INIT(shared_queue);

#define SIGNAL_SYNCHRONOUS                                                     \
    (1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1) | 1ull << (SIGILL - 1) |     \
     1ull << (SIGTRAP - 1) | 1ull << (SIGFPE - 1) | 1ull << (SIGSYS - 1))
#define SIGNAL_STOPPING                                                        \
    (1ull << (SIGSTOP - 1) | 1ull << (SIGTSTP - 1) | 1ull << (SIGTTIN - 1) |   \
     1ull << (SIGTTOU - 1))

/* signal(7), "Standard signals". */
enum signal_default signal_default_of(int signal)
{
    switch (signal) {
    case SIGCHLD:
    case SIGCONT:
    case SIGURG:
    case SIGWINCH:
        return SIGNAL_NOTHING;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return SIGNAL_STOPS;
    case SIGQUIT:
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGSEGV:
    case SIGSYS:
    case SIGXCPU:
    case SIGXFSZ:
        return SIGNAL_CRASHES;
    }
    return SIGNAL_ENDS;
}

bool signal_ignored(int signal)
{
    uint64_t handler = signal_actions[signal - 1].handler;

    if (handler == SIGNAL_DEFAULT)
        return signal_default_of(signal) == SIGNAL_NOTHING;
    return handler == SIGNAL_IGNORE;
}

void signal_thread_init(struct signal_thread *signal)
{
    list_init(&signal->queue);
    signal->alt_flags = SS_DISABLE;
}

static void queue_discard(uint64_t *pending, struct list *queue, uint64_t set)
{
    *pending &= ~set;
    list_for_each (node, queue) {
        struct signal_record *record =
            container_of(node, struct signal_record, node);

        if (set & signal_bit(record->info.si_signo)) {
            list_remove(node);
            record_put(record);
        }
    }
}

void signal_discard(uint64_t set)
{
    queue_discard(&shared_pending, &shared_queue, set);
    list_for_each (node, &thread_list) {
        struct thread *thread = container_of(node, struct thread, all);
        queue_discard(&thread->signal.pending, &thread->signal.queue, set);
    }
}

/* -- sending -- */

/* What the thread does not keep from coming. */
static uint64_t open_set(const struct thread *thread)
{
    return ~thread->signal.mask | thread->signal.waited;
}

/* Whether the thread has not been given a signal yet that it still has to
 * look at: what one takes first is for another to take next. */
static bool is_free(const struct thread *thread)
{
    if (thread->state == THREAD_BLOCKED)
        return thread->interruptible;
    return thread == thread_current || !signal_interrupts(thread);
}

/* Who takes a signal to the program: the first that lets it through, and so
 * the main thread if it does, as on Linux; one that is free comes before one
 * that is not. NULL: nobody yet. */
static struct thread *choose(int signal)
{
    struct thread *busy = NULL;

    list_for_each (node, &thread_list) {
        struct thread *thread = container_of(node, struct thread, all);

        if (!(open_set(thread) & signal_bit(signal)))
            continue;
        if (is_free(thread))
            return thread;
        if (busy == NULL)
            busy = thread;
    }
    return busy;
}

/* Whether the pending signal stands for this one, too: a standard signal, or
 * a timer's that has expired again meanwhile. */
static bool merges(uint64_t pending, const struct list *queue, int signal,
                   const siginfo_t *info)
{
    if (!(pending & signal_bit(signal)))
        return false;
    if (info == NULL || info->si_code != SI_TIMER)
        return signal < 32;
    list_for_each (node, queue) {
        siginfo_t *other =
            &container_of(node, struct signal_record, node)->info;
        if (other->si_signo == signal && other->si_code == SI_TIMER &&
            other->si_timerid == info->si_timerid) {
            if (other->si_overrun < INT_MAX - info->si_overrun)
                other->si_overrun += info->si_overrun + 1;
            else
                other->si_overrun = INT_MAX; /* DELAYTIMER_MAX */
            return true;
        }
    }
    return signal < 32;
}

static int enqueue(uint64_t *pending, struct list *queue, int signal,
                   const siginfo_t *info)
{
    struct signal_record *record;

    if (merges(*pending, queue, signal, info))
        return 1;
    record = record_get();
    if (record == NULL && signal >= 32 && info != NULL &&
        info->si_code != SI_USER)
        return -EAGAIN;
    if (record != NULL) {
        if (info != NULL)
            record->info = *info;
        else
            record->info.si_code = SI_KERNEL;
        record->info.si_signo = signal;
        list_append(queue, &record->node);
    }
    *pending |= signal_bit(signal);
    return 0;
}

/* thread NULL: to the program. */
static int send(struct thread *thread, int signal, const siginfo_t *info)
{
    struct thread *taker = thread != NULL ? thread : choose(signal);
    uint64_t bit = signal_bit(signal);
    int result;

    ASSERT(signal >= 1 && signal <= SIGNAL_COUNT);
    if (signal == SIGKILL)
        signal_die(SIGKILL, info);
    if (signal == SIGCONT)
        signal_discard(SIGNAL_STOPPING);
    else if (SIGNAL_STOPPING & bit)
        signal_discard(signal_bit(SIGCONT));
    /* A signal that is ignored and masked stays: the action may change. */
    if (signal_ignored(signal) && taker != NULL && !(taker->signal.mask & bit))
        return 0;
    if (thread != NULL)
        result = enqueue(&thread->signal.pending, &thread->signal.queue, signal,
                         info);
    else
        result = enqueue(&shared_pending, &shared_queue, signal, info);
    if (result != 0)
        return result;
    if (taker != NULL && signal_interrupts(taker))
        thread_interrupt(taker);
    wait_wake(&signal_arrival, POLLIN, ~0u);
    return 0;
}

/* The thread is in no list any more. What came for the program and was its to
 * take is now another's. */
void signal_thread_end(struct thread *thread)
{
    uint64_t left = shared_pending & open_set(thread);

    queue_discard(&thread->signal.pending, &thread->signal.queue, ~0ull);
    for (; left != 0; left &= left - 1) {
        struct thread *taker = choose(__builtin_ctzll(left) + 1);
        if (taker != NULL)
            thread_interrupt(taker);
    }
}

int signal_send_thread(struct thread *thread, int signal, const siginfo_t *info)
{
    ASSERT(thread != NULL);
    return send(thread, signal, info);
}

int signal_send(int signal, const siginfo_t *info)
{
    return send(NULL, signal, info);
}

/* -- looking -- */

uint64_t signal_pending_for(const struct thread *thread)
{
    return thread->signal.pending | shared_pending;
}

bool signal_cancels(const struct thread *thread)
{
    return thread->cancel_point &&
           (thread->signal.pending & signal_bit(SIGNAL_CANCEL));
}

bool signal_interrupts(const struct thread *thread)
{
    uint64_t pending = thread->signal.pending | shared_pending;

    if (pending == 0)
        return false;
    return (pending & open_set(thread)) != 0 || signal_cancels(thread);
}

bool signal_deliverable(void)
{
    const struct signal_thread *signal = &thread_current->signal;

    return ((signal->pending | shared_pending) & ~signal->mask) != 0;
}

void signal_mask_set(uint64_t mask)
{
    thread_current->signal.mask = mask & ~SIGNAL_UNMASKABLE;
    if (signal_deliverable())
        core_attention = 1;
}

/* -- taking -- */

/* Faults first, then by number. */
static int first_of(uint64_t set)
{
    if (set & SIGNAL_SYNCHRONOUS)
        set &= SIGNAL_SYNCHRONOUS;
    return __builtin_ctzll(set) + 1;
}

void (*signal_timer_taken)(const siginfo_t *info);

static int take(uint64_t *pending, struct list *queue, uint64_t set,
                siginfo_t *info)
{
    struct signal_record *found = NULL;
    bool more = false;
    int signal;

    if ((*pending & set) == 0)
        return 0;
    signal = first_of(*pending & set);
    list_for_each (node, queue) {
        struct signal_record *record =
            container_of(node, struct signal_record, node);

        if (record->info.si_signo != signal)
            continue;
        if (found != NULL) {
            more = true;
            break;
        }
        found = record;
    }
    if (!more)
        *pending &= ~signal_bit(signal);
    memset(info, 0, sizeof *info);
    info->si_signo = signal;
    if (found != NULL) {
        *info = found->info;
        list_remove(&found->node);
        record_put(found);
        if (info->si_code == SI_TIMER && signal_timer_taken != NULL)
            signal_timer_taken(info);
    }
    return signal;
}

int signal_take_from(struct thread *thread, uint64_t set, siginfo_t *info)
{
    int signal =
        take(&thread->signal.pending, &thread->signal.queue, set, info);

    return signal != 0 ? signal
                       : take(&shared_pending, &shared_queue, set, info);
}

int signal_take(uint64_t set, siginfo_t *info)
{
    return signal_take_from(thread_current, set, info);
}
