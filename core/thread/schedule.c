/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who has the processor: run queues, slices, switches, the idle loop, and the
 * upcall through which interrupts of application code come in.
 *
 * Two queues. A thread that was woken and has some of its slice left goes to
 * the end of run_woken; one that used its slice up, or yields, to the end of
 * run_rest; one that made room for a woken one, to the front of run_rest,
 * with what is left of its slice. run_woken is served first. A woken thread
 * can take a slice in all, and as much again as it sleeps, before it queues
 * with the rest, so nobody starves; and while woken threads wait, the running
 * one's turn is TURN_NS long.
 *
 * The base's timer is set only if somebody waits for the processor or for a
 * time. It is not set again when it already comes earlier: it then finds
 * nothing to do, and costs less than programming it at each switch.
 *
 * The core stack holds nothing that outlives a step: whoever is given the
 * processor leaves it behind. Monitor held throughout.
 */
#include "core/thread/schedule.h"

/* A turn while woken threads wait. */
#define TURN_NS 1000000

_Static_assert(offsetof(struct thread, context) == 0,
               "base_upcall.interrupted is the address of thread_current");

struct thread *thread_current;
void (*core_console_ready)(void);

static union {
    uint64_t lowest; /* overwritten: the stack was too small */
    uint8_t bytes[LIMIT_CORE_STACK_SIZE];
} core_stack __attribute__((aligned(64)));
#define CORE_STACK_TOP   (core_stack.bytes + sizeof core_stack)
#define CORE_STACK_GUARD 0x6b63617473206f6eull

static struct list run_woken = LIST_INIT(run_woken);
static struct list run_rest = LIST_INIT(run_rest);
static bool run_preempt;   /* somebody woken should run at once */
static bool wake_is_async; /* thread_wake comes from an event, not a call */
static uint64_t timer_armed_ns = TIME_NEVER;
static volatile uint64_t busy_ns, idle_ns;
static volatile uint32_t switches;
static bool idling;
static uint64_t left_ns; /* when thread_current left the processor */

static bool others_runnable(void)
{
    return !list_empty(&run_woken) || !list_empty(&run_rest);
}

/* When the current thread's turn ends, if anybody waits. */
static uint64_t turn_end(void)
{
    int64_t turn = thread_current->slice_left_ns;

    if (!list_empty(&run_woken) && turn > TURN_NS)
        turn = TURN_NS;
    return thread_current->switched_ns + (uint64_t)turn;
}

void thread_timer_arm(void)
{
    uint64_t wanted = time_next_deadline();

    if (others_runnable()) {
        uint64_t end = turn_end();
        if (end < wanted)
            wanted = end;
    }
    if (wanted < timer_armed_ns) {
        timer_armed_ns = wanted;
        core_base->timer_set(wanted);
    }
}

void thread_timer_changed(void)
{
    if (time_next_deadline() < timer_armed_ns)
        core_attention = 1;
}

bool thread_switch_due(void)
{
    if (run_preempt)
        return true;
    return others_runnable() && core_base->clock_monotonic() >= turn_end();
}

static struct thread *run_take(void)
{
    struct list *queue = list_empty(&run_woken) ? &run_rest : &run_woken;
    struct list *first = queue->next;

    if (first == queue)
        return NULL;
    list_remove(first);
    return container_of(first, struct thread, run);
}

/* The current thread stops running. */
static void processor_leave(uint64_t now)
{
    struct thread *thread = thread_current;
    uint64_t used = now - thread->switched_ns;

    thread->cpu_ns += used;
    busy_ns += used;
    thread->slice_left_ns -= (int64_t)used;
    /* One that was alone for long owes no more than a slice. */
    if (thread->slice_left_ns < -(int64_t)LIMIT_SLICE_NS)
        thread->slice_left_ns = -(int64_t)LIMIT_SLICE_NS;
    thread->switched_ns = now;
    left_ns = now;
    switches++;
}

static void processor_give(struct thread *thread)
{
    ASSERT(thread->state == THREAD_RUNNABLE);
    thread->switched_ns = left_ns;
    if (thread->slice_left_ns <= 0)
        thread->slice_left_ns = LIMIT_SLICE_NS;
    run_preempt = false;
    if (thread->tp != thread_current->tp)
        core_base->tp_set(thread->tp);
    thread_current = thread;
    /* What came for it meanwhile is looked at when it leaves core. */
    if (thread->signal.restore_mask || thread->context.stepped ||
        signal_interrupts(thread))
        core_attention = 1;
    thread_timer_arm();
}

/* Looks after what the base reported while core was at work. The note is
 * cleared before the bits are taken, so that none is lost between. */
void thread_attend(void)
{
    while (core_attention != 0) {
        core_attention = 0;
        core_ready(core_base->wait(0));
    }
}

void core_ready(uint32_t ready)
{
    if (ready == 0)
        return;
    wake_is_async = true;
    if (ready & BASE_READY_TIMER) {
        timer_armed_ns = TIME_NEVER;
        time_expire();
    }
    if ((ready & BASE_READY_CONSOLE) && core_console_ready != NULL)
        core_console_ready();
    if ((ready & BASE_READY_NET) && core_net_ready != NULL)
        core_net_ready();
    if ((ready & BASE_READY_BLOCK) && core_block_ready != NULL)
        core_block_ready();
    if ((ready & BASE_READY_XEN) && core_xen_ready != NULL)
        core_xen_ready();
    if (ready & BASE_READY_POWER)
        signal_send(SIGTERM, NULL);
    wake_is_async = false;
}

/* Goes on with the current thread where it was interrupted. On the core
 * stack. */
static void resume_current(void) __attribute__((noreturn));
static void dispatch(void) __attribute__((noreturn));
static void requeue_current(void);

static void resume_current(void)
{
    struct thread *thread = thread_current;

    for (;;) {
        thread_attend();
        /* Before others run, who could take it: the thread may be on its way
         * out of a call that the signal has ended. */
        if (signal_deliverable())
            signal_deliver_interrupted();
        if (thread_switch_due()) {
            processor_leave(core_base->clock_monotonic());
            requeue_current();
            dispatch();
        }
        if (thread->signal.restore_mask) {
            /* Interrupted on its way out of a call, between leaving the
             * monitor and seeing the note that was taken above. */
            signal_mask_restore(&thread->signal);
            continue;
        }
        thread_timer_arm();
        thread->interrupted = false;
        core_base->resume(&thread->context);
        thread->interrupted = true;
    }
}

void thread_continue(void)
{
    thread_current->interrupted = true;
    arch_call_on(CORE_STACK_TOP, resume_current);
}

/* Nothing can run: waits in the base until something can. */
static void idle(void)
{
    uint32_t ready = core_base->wait(time_next_deadline());
    uint64_t now;

    core_attention = 0;
    ready |= core_base->wait(0);
    now = core_base->clock_monotonic();
    idle_ns += now - left_ns;
    left_ns = now;
    if (time_next_deadline() <= now)
        ready |= BASE_READY_TIMER;
    core_ready(ready);
}

/* The end of a thread's page: it is in use until another has the processor. */
static struct thread *ended;

/* On the core stack: gives the processor to whoever is next. */
static void dispatch(void)
{
    struct thread *next;

    idling = true;
    while ((next = run_take()) == NULL)
        idle();
    idling = false;
    processor_give(next);
    if (ended != NULL) {
        thread_free(ended);
        ended = NULL;
    }
    if (next->interrupted)
        resume_current();
    arch_switch_to(next->stack_pointer);
}

/* Leaves the current thread, which is in core, for the next; returns when it
 * is its turn again. */
static void switch_away(void)
{
    struct thread *from = thread_current;
    struct thread *next = run_take();

    if (next != NULL && !next->interrupted) {
        processor_give(next);
        if (next != from)
            arch_switch(&from->stack_pointer, next->stack_pointer);
        return;
    }
    if (next != NULL)
        list_prepend(&run_woken, &next->run);
    arch_switch_call(&from->stack_pointer, CORE_STACK_TOP, dispatch);
}

/* The current thread must make room. */
static void requeue_current(void)
{
    struct thread *thread = thread_current;

    if (thread->slice_left_ns > 0)
        list_prepend(&run_rest, &thread->run);
    else
        list_append(&run_rest, &thread->run);
}

void thread_preempt(void)
{
    processor_leave(core_base->clock_monotonic());
    requeue_current();
    switch_away();
}

void thread_yield(void)
{
    if (!others_runnable())
        return;
    processor_leave(core_base->clock_monotonic());
    list_append(&run_rest, &thread_current->run);
    switch_away();
}

int thread_block(uint64_t deadline_ns, bool interruptible)
{
    struct thread *thread = thread_current;

    ASSERT(core_locked);
    do {
        if (thread->woken) {
            thread->woken = false;
            return 0;
        }
        if (interruptible && signal_interrupts(thread))
            return -EINTR;
        thread->state = THREAD_BLOCKED;
        thread->interruptible = interruptible;
        if (deadline_ns != TIME_NEVER)
            time_timer_set_quiet(&thread->timer, deadline_ns);
        processor_leave(core_base->clock_monotonic());
        switch_away();
        if (deadline_ns != TIME_NEVER)
            time_timer_cancel(&thread->timer);
        /* Another thread may have taken the signal meanwhile. */
    } while (thread->wake_result == -EINTR);
    return thread->wake_result;
}

/* Puts a thread into the queue of those that just came. */
static void run_add(struct thread *thread)
{
    if (thread->slice_left_ns <= 0) {
        list_append(&run_rest, &thread->run);
    } else {
        list_append(&run_woken, &thread->run);
        if (wake_is_async)
            run_preempt = true;
    }
    /* The one that runs on must hear when its turn is over. */
    if (!idling && !wake_is_async && turn_end() < timer_armed_ns)
        core_attention = 1;
}

/* Who sleeps earns what it slept, so that one who mostly sleeps is always
 * served first. */
static void credit(struct thread *thread)
{
    uint64_t slept = core_base->clock_monotonic() - thread->switched_ns;

    thread->slice_left_ns += (int64_t)slept;
    if (thread->slice_left_ns > (int64_t)LIMIT_SLICE_NS)
        thread->slice_left_ns = LIMIT_SLICE_NS;
}

static void wake_with(struct thread *thread, int result)
{
    if (thread->slice_left_ns <= 0)
        credit(thread);
    thread->state = THREAD_RUNNABLE;
    thread->wake_result = result;
    run_add(thread);
}

void thread_wake(struct thread *thread)
{
    if (thread->state == THREAD_BLOCKED)
        wake_with(thread, 0);
    else
        thread->woken = true;
}

void thread_defer(void)
{
    if (list_empty(&run_woken))
        return;
    run_preempt = true;
    core_attention = 1;
}

void thread_interrupt(struct thread *thread)
{
    if (thread->state == THREAD_BLOCKED) {
        if (thread->interruptible)
            wake_with(thread, -EINTR);
    } else if (thread == thread_current) {
        core_attention = 1;
    }
}

static void timeout(struct time_timer *timer)
{
    struct thread *thread = container_of(timer, struct thread, timer);

    if (thread->state == THREAD_BLOCKED)
        wake_with(thread, -ETIMEDOUT);
}

/* Application code was interrupted; its registers are in the current
 * thread's context. */
static void upcall(uint32_t ready, const struct base_fault *fault)
{
    ASSERT(core_stack.lowest == CORE_STACK_GUARD);
    thread_current->interrupted = true;
    if (ready & BASE_READY_FAULT)
        signal_fault(fault);
    core_ready(ready & ~(uint32_t)BASE_READY_FAULT);
    resume_current();
}

/* -- for core/thread/thread.c -- */

void schedule_init(struct thread *first)
{
    static const struct base_upcall up = {
        .locked = &core_locked,
        .attention = &core_attention,
        .interrupted = (struct arch_context **)(void *)&thread_current,
        .stack_top = CORE_STACK_TOP,
        .upcall = upcall,
    };

    core_stack.lowest = CORE_STACK_GUARD;
    thread_current = first;
    first->timer.fire = timeout;
    first->slice_left_ns = LIMIT_SLICE_NS;
    first->switched_ns = core_base->clock_monotonic();
    core_base->upcall_set(&up);
}

void schedule_add(struct thread *thread)
{
    thread->state = THREAD_RUNNABLE;
    thread->timer.fire = timeout;
    thread->slice_left_ns = LIMIT_SLICE_NS;
    run_add(thread);
}

/* Runs fn on the core stack, leaving the current thread's for ever. */
void schedule_leave_stack(void (*fn)(void))
{
    arch_call_on(CORE_STACK_TOP, fn);
}

void schedule_end(void)
{
    ASSERT(thread_current->state == THREAD_DEAD);
    processor_leave(core_base->clock_monotonic());
    ended = thread_current;
    dispatch();
}

/* -- processor time: also called without the monitor (clock_gettime), so
 * read again if a switch came between -- */

static bool running(const struct thread *thread)
{
    return thread == thread_current && !idling &&
           thread->state == THREAD_RUNNABLE;
}

uint64_t thread_cpu_ns(const struct thread *thread)
{
    const volatile struct thread *look = thread;
    uint32_t before;
    uint64_t sum;

    do {
        before = switches;
        sum = look->cpu_ns;
        if (running(thread))
            sum += core_base->clock_monotonic() - look->switched_ns;
    } while (before != switches);
    return sum;
}

uint64_t thread_cpu_total_ns(void)
{
    uint32_t before;
    uint64_t sum;

    do {
        before = switches;
        sum = busy_ns;
        if (running(thread_current))
            sum += core_base->clock_monotonic() -
                   *(volatile uint64_t *)&thread_current->switched_ns;
    } while (before != switches);
    return sum;
}

uint64_t thread_idle_ns(void)
{
    return idle_ns;
}
