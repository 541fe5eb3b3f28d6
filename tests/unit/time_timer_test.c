/* SPDX-License-Identifier: BSD-3-Clause */
/* The heap of timers: random arming, moving and cancelling against a plain
 * array; timers that arm themselves again; storage that grows and goes. */
#include "time_mock.h"

#define COUNT 3000

struct entry {
    struct time_timer timer;
    bool armed;
    unsigned fired;
    uint64_t again_ns; /* arms itself again, so much later */
};
static struct entry entries[COUNT];

static void fire(struct time_timer *timer)
{
    struct entry *entry = container_of(timer, struct entry, timer);
    CHECK(entry->armed && timer->deadline_ns <= mock_now);
    CHECK(timer->heap_index == 0);
    entry->fired++;
    entry->armed = entry->again_ns != 0;
    if (entry->armed)
        time_timer_set(timer, timer->deadline_ns + entry->again_ns);
}

static uint64_t earliest(void)
{
    uint64_t first = TIME_NEVER;
    for (unsigned i = 0; i < COUNT; i++)
        if (entries[i].armed && entries[i].timer.deadline_ns < first)
            first = entries[i].timer.deadline_ns;
    return first;
}

int main(void)
{
    uint32_t state = 3;
    CHECK(time_next_deadline() == TIME_NEVER);
    for (unsigned i = 0; i < COUNT; i++) {
        entries[i].timer.fire = fire;
        CHECK(time_timer_reserve(1) == 0);
    }
    CHECK(mock_pages > 0);
    for (unsigned step = 0; step < 20000; step++) {
        state = state * 1664525 + 1013904223;
        struct entry *entry = &entries[(state >> 8) % COUNT];
        switch (state >> 30) {
        case 0:
            time_timer_cancel(&entry->timer);
            entry->armed = false;
            break;
        case 1:
            if (step % 8 == 0) {
                mock_now += state % 400;
                uint64_t next = time_expire();
                CHECK(next > mock_now && next == earliest());
            }
            break;
        default:
            entry->armed = true;
            entry->again_ns = state % 5 == 0 ? 1 + state % 77 : 0;
            time_timer_set(&entry->timer, mock_now + state % 50000);
        }
        if (step % 64 == 0)
            CHECK(time_next_deadline() == earliest());
    }
    for (unsigned i = 0; i < COUNT; i++)
        entries[i].again_ns = 0;
    mock_now += 1000000;
    CHECK(time_expire() == TIME_NEVER);
    CHECK(time_timer_reserve(-COUNT) == 0 && mock_pages == 0);
    /* One that is always due does not keep time_expire. */
    CHECK(time_timer_reserve(1) == 0);
    unsigned changed = mock_changed;
    entries[0].armed = true;
    entries[0].again_ns = 1;
    time_timer_set(&entries[0].timer, mock_now);
    CHECK(mock_changed == changed + 1);
    CHECK(time_expire() == mock_now + 1);
    CHECK(mock_changed == changed + 1); /* its caller looks anyway */
    time_timer_cancel(&entries[0].timer);
    time_timer_cancel(&entries[0].timer);
    return 0;
}
