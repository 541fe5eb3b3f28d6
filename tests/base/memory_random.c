/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ten thousand random mem_map, mem_unmap, mem_move and touches over 12 MiB of
 * address space, compared page by page with a model that knows only base.h.
 */
#include "check.h"

#define PAGE    4096ull
#define PAGES   3072u /* 12 MiB */
#define STEPS   10000u
#define RUN_MAX 1200u

struct page {
    bool mapped, touched;
    uint8_t prot;
    uint32_t value;
};

static struct page model[PAGES];
static uint64_t start, state = 0x9e3779b97f4a7c15;
static uint32_t next_value;

static uint32_t random_below(uint32_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 20) % limit;
}

static volatile uint32_t *at(unsigned page)
{
    return (volatile uint32_t *)(start + page * PAGE + 8);
}

static void do_map(unsigned first, unsigned count)
{
    static const uint8_t prots[] = {BASE_PROT_NONE, BASE_PROT_READ,
                                    BASE_PROT_READ | BASE_PROT_WRITE};
    uint8_t prot = prots[random_below(3)];
    struct base_memory before = stats();
    unsigned i;

    if (base->mem_map(start + first * PAGE, count * PAGE, prot) != BASE_OK) {
        CHECK(stats().pages_promised == before.pages_promised);
        return;
    }
    for (i = first; i < first + count; i++) {
        if (!model[i].mapped)
            model[i] = (struct page){.mapped = true};
        model[i].prot = prot;
    }
}

static void do_unmap(unsigned first, unsigned count)
{
    unsigned i;

    base->mem_unmap(start + first * PAGE, count * PAGE);
    for (i = first; i < first + count; i++)
        model[i] = (struct page){.mapped = false};
}

/* Moves a mapped run onto an unmapped one of the same length, if both are. */
static void do_move(unsigned from, unsigned to, unsigned count)
{
    unsigned i;

    for (i = 0; i < count; i++)
        if (!model[from + i].mapped || model[to + i].mapped)
            break;
    count = i;
    if (count == 0 || (from < to ? from + count > to : to + count > from))
        return;
    if (base->mem_move(start + from * PAGE, start + to * PAGE, count * PAGE) !=
        BASE_OK)
        return;
    for (i = 0; i < count; i++) {
        model[to + i] = model[from + i];
        model[from + i] = (struct page){.mapped = false};
    }
}

static void do_touch(unsigned first, unsigned count)
{
    unsigned i;

    for (i = first; i < first + count; i++) {
        struct page *page = &model[i];
        if (page->prot & BASE_PROT_READ)
            CHECK(*at(i) == page->value);
        if (page->prot & BASE_PROT_WRITE)
            *at(i) = page->value = ++next_value;
        page->touched = page->touched || page->prot != BASE_PROT_NONE;
    }
}

static void compare(void)
{
    unsigned i, mapped = 0;

    for (i = 0; i < PAGES; i++) {
        bool resident = base->mem_resident(start + i * PAGE);
        mapped += model[i].mapped;
        CHECK(!resident || model[i].mapped);
        CHECK(resident || !model[i].touched);
        if (model[i].prot & BASE_PROT_READ)
            CHECK(*at(i) == model[i].value);
    }
    CHECK(stats().pages_promised == mapped);
}

void test_main(void)
{
    struct base_memory before = stats();
    unsigned step;

    start = fresh(PAGES * PAGE);
    for (step = 0; step < STEPS; step++) {
        unsigned first = random_below(PAGES);
        unsigned second = random_below(PAGES);
        unsigned count = 1 + random_below(random_below(RUN_MAX) + 1);

        /* Often where tables and large pages begin. */
        if (random_below(4) == 0)
            first &= ~511u;
        if (random_below(4) == 0)
            second = (second & ~511u) | (first & 511);
        if (count > PAGES - first)
            count = PAGES - first;
        switch (random_below(4)) {
        case 0:
            do_map(first, count);
            break;
        case 1:
            do_unmap(first, count);
            break;
        case 2:
            do_move(first, second,
                    count < PAGES - second ? count : PAGES - second);
            break;
        default:
            do_touch(first, count);
        }
        if (step % 64 == 0)
            compare();
    }
    compare();
    base->mem_unmap(start, PAGES * PAGE);
    CHECK(stats().pages_free == before.pages_free);
    CHECK(stats().pages_tables == before.pages_tables);
    CHECK(stats().pages_resident == 0);
    pass();
}
