/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers inside core: a binary heap by deadline.
 *
 * Whoever makes an object with a timer reserves its place in the heap first
 * (time_timer_reserve, which may fail), so that arming never can. The first
 * places are static; a program with few threads never pays a page for them.
 */
#include "core/mem/mem.h"
#include "core/thread/thread.h"
#include "core/time/time.h"

#define HEAP_STATIC 32u

/* heap[0] is not used: index 0 says that a timer is not armed. */
static struct time_timer *heap_static[HEAP_STATIC];
static struct time_timer **heap = heap_static;
static uint32_t heap_size = HEAP_STATIC; /* places, [0] included */
static uint32_t heap_count;              /* armed */
static uint32_t heap_reserved;
static bool expiring; /* in time_expire, whose caller looks what comes next */

#define HEAP_PER_PAGE (LIMIT_PAGE_SIZE / (uint32_t)sizeof(struct time_timer *))

static void heap_free(void)
{
    if (heap != heap_static)
        mem_pages_put(MEM_CORE, heap, heap_size / HEAP_PER_PAGE);
}

static int heap_grow(uint32_t places)
{
    uint32_t pages = (places + HEAP_PER_PAGE - 1) / HEAP_PER_PAGE;
    /* Twice as much as before, if there is memory for that. */
    uint32_t wish = 2 * (heap_size / HEAP_PER_PAGE);
    struct time_timer **larger = NULL;
    if (wish > pages)
        larger = mem_pages_get(MEM_CORE, wish);
    if (larger != NULL)
        pages = wish;
    else
        larger = mem_pages_get(MEM_CORE, pages);
    if (larger == NULL)
        return -ENOMEM;
    memcpy(larger, heap, (heap_count + 1) * sizeof(*heap));
    heap_free();
    heap = larger;
    heap_size = pages * HEAP_PER_PAGE;
    return 0;
}

int time_timer_reserve(int count)
{
    ASSERT(count >= 0 || heap_reserved >= (uint32_t)-count);
    uint32_t places = heap_reserved + (uint32_t)count + 1;
    if (places > heap_size && heap_grow(places) < 0)
        return -ENOMEM;
    heap_reserved += (uint32_t)count;
    /* Back to the static places, with room against doing so all the time. */
    if (heap != heap_static && heap_reserved < HEAP_STATIC / 2 &&
        heap_count < HEAP_STATIC) {
        memcpy(heap_static, heap, (heap_count + 1) * sizeof(*heap));
        heap_free();
        heap = heap_static;
        heap_size = HEAP_STATIC;
    }
    return 0;
}

static void place(uint32_t index, struct time_timer *timer)
{
    heap[index] = timer;
    timer->heap_index = index;
}

static void sift_up(uint32_t index, struct time_timer *timer)
{
    while (index > 1 && heap[index / 2]->deadline_ns > timer->deadline_ns) {
        place(index, heap[index / 2]);
        index /= 2;
    }
    place(index, timer);
}

static void sift_down(uint32_t index, struct time_timer *timer)
{
    for (;;) {
        uint32_t child = 2 * index;
        if (child > heap_count)
            break;
        if (child < heap_count &&
            heap[child + 1]->deadline_ns < heap[child]->deadline_ns)
            child++;
        if (heap[child]->deadline_ns >= timer->deadline_ns)
            break;
        place(index, heap[child]);
        index = child;
    }
    place(index, timer);
}

void time_timer_set_quiet(struct time_timer *timer, uint64_t deadline_ns)
{
    uint32_t index = timer->heap_index;
    if (index == 0) {
        ASSERT(heap_count < heap_reserved && heap_count + 1 < heap_size);
        index = ++heap_count;
    } else {
        ASSERT(heap[index] == timer);
    }
    timer->deadline_ns = deadline_ns;
    if (index > 1 && heap[index / 2]->deadline_ns > deadline_ns)
        sift_up(index, timer);
    else
        sift_down(index, timer);
}

void time_timer_set(struct time_timer *timer, uint64_t deadline_ns)
{
    time_timer_set_quiet(timer, deadline_ns);
    if (timer->heap_index == 1 && !expiring)
        thread_timer_changed();
}

void time_timer_cancel(struct time_timer *timer)
{
    uint32_t index = timer->heap_index;
    if (index == 0)
        return;
    ASSERT(index <= heap_count && heap[index] == timer);
    struct time_timer *last = heap[heap_count--];
    timer->heap_index = 0;
    if (last == timer)
        return;
    if (index > 1 && heap[index / 2]->deadline_ns > last->deadline_ns)
        sift_up(index, last);
    else
        sift_down(index, last);
}

uint64_t time_next_deadline(void)
{
    return heap_count > 0 ? heap[1]->deadline_ns : TIME_NEVER;
}

uint64_t time_expire(void)
{
    /* What becomes due while we are here waits for the next time, so that a
     * timer which arms itself again cannot keep us. */
    uint64_t now = time_now_ns();
    expiring = true;
    while (heap_count > 0 && heap[1]->deadline_ns <= now) {
        struct time_timer *timer = heap[1];
        time_timer_cancel(timer);
        timer->fire(timer);
    }
    expiring = false;
    return time_next_deadline();
}
