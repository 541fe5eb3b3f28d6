/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * core/thread and core/signal on a machine in software: turns, slices,
 * wake-ups, time-outs, idling.
 */
#include "core_mock.h"

#include "core/calls.h"

static char order[256];
static uint32_t gone; /* threads that have ended */
static uint32_t tids[16];

static void note(char c)
{
    size_t n = strlen(order);
    CHECK(n + 1 < sizeof order);
    order[n] = c;
    order[n + 1] = '\0';
}

static void finish(void)
{
    gone++;
    core_exit(0);
}

/* Lets all others end. */
static void join(uint32_t count)
{
    while (gone < count)
        CALL(core_sched_yield());
    /* The last is dead once the core stack has freed it. */
    CALL(core_sched_yield());
    CHECK(thread_count == 1);
    gone = 0;
    order[0] = '\0';
}

static void yielder(void *name)
{
    for (int i = 0; i < 3; i++) {
        note(*(const char *)name);
        CALL(core_sched_yield());
    }
    finish();
}

static void test_yield(void)
{
    int pages = mock_pages;

    for (int i = 0; i < 3; i++) {
        static const char names[] = "abc";
        tids[i] = 1;
        CHECK(mock_thread(yielder, (void *)(uintptr_t)&names[i], &tids[i]) > 1);
    }
    while (gone < 3)
        CALL(core_sched_yield());
    CHECK(strcmp(order, "abcabcabc") == 0);
    join(0);
    CHECK(tids[0] == 0 && tids[2] == 0);
    CHECK(mock_pages == pages);
}

/* Threads that only compute take turns of one slice. */
static void hog(void *name)
{
    for (int i = 0; i < 4; i++) {
        mock_compute(LIMIT_SLICE_NS / 2);
        note(*(const char *)name);
    }
    finish();
}

static void test_slices(void)
{
    uint64_t before = thread_cpu_total_ns(), used;

    for (int i = 0; i < 2; i++) {
        static const char names[] = "ab";
        mock_thread(hog, (void *)(uintptr_t)&names[i], &tids[i]);
    }
    while (gone < 2)
        CALL(core_sched_yield());
    /* Each has its slice in one piece (one turn of a woken thread apart). */
    CHECK(strlen(order) == 8);
    used = thread_cpu_total_ns() - before;
    CHECK(used >= 4 * LIMIT_SLICE_NS && used < 4 * LIMIT_SLICE_NS + 1000000);
    join(0);
}

/* A sleeper among hogs runs as soon as its time has come. */
static uint64_t late_ns_max;
static void sleeper(void *arg)
{
    for (int i = 0; i < 10; i++) {
        uint64_t deadline = mock_now + 2000000, late;
        long result;

        core_enter();
        result = thread_block(deadline, false);
        core_leave(0);
        CHECK(result == -ETIMEDOUT);
        late = mock_now - deadline;
        if (late > late_ns_max)
            late_ns_max = late;
    }
    finish();
}

static void test_wake_soon(void)
{
    static const char names[] = "abcd";

    for (int i = 0; i < 4; i++)
        mock_thread(hog, (void *)(uintptr_t)&names[i], &tids[i]);
    mock_thread(sleeper, NULL, &tids[4]);
    while (gone < 5)
        CALL(core_sched_yield());
    CHECK(late_ns_max < 1000);
    join(0);
}

/* A wake before the block counts; a time-out and a wake while idle. */
static struct thread *sleeping;
static void wake_it(void)
{
    thread_wake(sleeping);
}

static void frame_comes(void)
{
    mock_now += 500;
    mock_attention(BASE_READY_NET);
}

static void test_block(void)
{
    uint64_t idle;

    core_enter();
    thread_wake(thread_current);
    CHECK(thread_block(TIME_NEVER, false) == 0);
    idle = thread_idle_ns();
    CHECK(thread_block(mock_now + 1000, false) == -ETIMEDOUT);
    CHECK(thread_idle_ns() - idle >= 900);
    sleeping = thread_current;
    core_net_ready = wake_it;
    mock_idle = frame_comes;
    CHECK(thread_block(TIME_NEVER, false) == 0);
    mock_idle = NULL;
    core_net_ready = NULL;
    CHECK(thread_block(1, false) == -ETIMEDOUT); /* long past */
    core_leave(0);
}

static struct wait_queue queue = WAIT_QUEUE_INIT(queue);
static void waiter(void *name)
{
    struct wait_entry entry = {.exclusive = *(const char *)name == 'x'};

    core_enter();
    entry.thread = thread_current;
    wait_add(&queue, &entry);
    CHECK(thread_block(TIME_NEVER, true) == 0);
    wait_remove(&entry);
    wait_remove(&entry);
    core_leave(0);
    note(*(const char *)name);
    finish();
}

static void test_wait_queue(void)
{
    static const char names[] = "xaxbx";

    for (int i = 0; i < 5; i++)
        mock_thread(waiter, (void *)(uintptr_t)&names[i], &tids[i]);
    CALL(core_sched_yield());
    CALL((wait_wake(&queue, 1, 1), 0));
    CALL(core_sched_yield());
    CALL(core_sched_yield());
    CHECK(strcmp(order, "xab") == 0);
    CALL((wait_wake(&queue, 1, ~0u), 0));
    join(5);
}

/* An event that comes while core is at work is looked at on leaving. */
static unsigned net_events;
static void net_ready(void)
{
    net_events++;
}

static void test_attention(void)
{
    core_net_ready = net_ready;
    core_enter();
    mock_attention(BASE_READY_NET);
    CHECK(net_events == 0);
    CHECK(core_leave(7) == 7);
    CHECK(net_events == 1 && core_attention == 0 && !core_locked);
    mock_interrupt(BASE_READY_NET, NULL);
    CHECK(net_events == 2 && !core_locked);
    core_net_ready = NULL;
}

/* A thread alone needs no timer. */
static void test_tickless(void)
{
    unsigned sets;

    mock_compute(50000000); /* what earlier tests asked for */
    sets = mock_timer_sets;
    for (int i = 0; i < 10; i++) {
        CALL(core_sched_yield());
        mock_compute(20000000);
    }
    CHECK(mock_timer_sets == sets);
}

static void test_clone_refused(void)
{
    CHECK(core_clone(17, 0, 0, 0, 0) == -ENOSYS);
    CHECK(strstr(mock_log, "clone") != NULL);
    mock_no_memory = true;
    CHECK(mock_thread(hog, NULL, NULL) == -EAGAIN);
    mock_no_memory = false;
    CHECK(thread_count == 1);
}

void (*core_net_ready)(void);
void (*core_block_ready)(void);
void (*core_xen_ready)(void);

static void all(void)
{
    CHECK(core_gettid() == THREAD_PID);
    test_yield();
    test_slices();
    test_wake_soon();
    test_block();
    test_wait_queue();
    test_attention();
    test_tickless();
    test_clone_refused();
}

int main(void)
{
    mock_run(all);
}
