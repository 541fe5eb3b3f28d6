/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mem_map promises pages and counts them at once; touching them never fails
 * and gives zeroes; what does not fit is refused with nothing changed; and
 * everything comes back.
 */
#include "check.h"

#define PAGE  4096ull
#define LARGE (2ull << 20)

static void promise_counts(void)
{
    struct base_memory before = stats(), m;
    volatile uint8_t *p = (void *)fresh(16 * PAGE);
    unsigned i;

    CHECK(base->mem_map((uint64_t)p, 16 * PAGE,
                        BASE_PROT_READ | BASE_PROT_WRITE) == BASE_OK);
    m = stats();
    CHECK(m.pages_promised == before.pages_promised + 16);
    CHECK(m.pages_resident == before.pages_resident);
    CHECK(!base->mem_resident((uint64_t)p));
    for (i = 0; i < 16 * PAGE; i += 512) {
        CHECK(p[i] == 0);
        p[i] = (uint8_t)(i / 512 + 1);
    }
    for (i = 0; i < 16 * PAGE; i += 512)
        CHECK(p[i] == (uint8_t)(i / 512 + 1));
    CHECK(base->mem_resident((uint64_t)p + 15 * PAGE));
    CHECK(stats().pages_resident == before.pages_resident + 16);

    /* Mapping again keeps the content, NONE keeps the promise. */
    CHECK(base->mem_map((uint64_t)p, 16 * PAGE, BASE_PROT_NONE) == BASE_OK);
    CHECK(stats().pages_promised == m.pages_promised);
    CHECK(base->mem_map((uint64_t)p, 16 * PAGE, BASE_PROT_READ) == BASE_OK);
    CHECK(p[512] == 2);

    /* Freed, and zero when mapped anew; a hole in the middle is fine. */
    base->mem_unmap((uint64_t)p + PAGE, PAGE);
    base->mem_unmap((uint64_t)p, 16 * PAGE);
    CHECK(base->mem_map((uint64_t)p, PAGE, BASE_PROT_READ) == BASE_OK);
    CHECK(p[0] == 0 && p[512] == 0);
    base->mem_unmap((uint64_t)p, PAGE);
    m = stats();
    CHECK(m.pages_free == before.pages_free);
    CHECK(m.pages_tables == before.pages_tables);
}

/* All memory can be promised, then touched; one page more is refused. */
static void all_of_it(void)
{
    struct base_memory before = stats(), m;
    uint64_t start = fresh(1ull << 40), size = 0, piece, at;

    for (piece = 1ull << 40; piece >= PAGE; piece /= 2) {
        m = stats();
        while (base->mem_map(start + size, piece,
                             BASE_PROT_READ | BASE_PROT_WRITE) == BASE_OK) {
            size += piece;
            m = stats();
        }
        CHECK(stats().pages_free == m.pages_free);
        CHECK(stats().pages_tables == m.pages_tables);
    }
    CHECK(stats().pages_free == 0);
    CHECK(stats().pages_promised == before.pages_promised + size / PAGE);
    for (at = 0; at < size; at += PAGE) {
        CHECK(*(volatile uint64_t *)(start + at) == 0);
        *(volatile uint64_t *)(start + at) = at;
    }
    /* Breaking up large pages takes tables; they are there. */
    for (at = 0; at + 3 * PAGE <= size; at += LARGE)
        CHECK(base->mem_map(start + at + PAGE, PAGE, BASE_PROT_READ) ==
              BASE_OK);
    for (at = 0; at < size; at += PAGE)
        CHECK(*(volatile uint64_t *)(start + at) == at);
    CHECK(stats().pages_resident == stats().pages_promised);
    CHECK(stats().pages_free == 0);
    base->mem_unmap(start, 1ull << 40);
    m = stats();
    CHECK(m.pages_free == before.pages_free);
    CHECK(m.pages_tables == before.pages_tables);
    CHECK(m.pages_resident == before.pages_resident);
}

/* A walk gets pages of 2 MiB; changing a part breaks them up. */
static void large(void)
{
    struct base_memory before = stats();
    uint64_t start = fresh(4 * LARGE), at;
    volatile uint64_t *p = (void *)start;

    if (before.pages_free < 4 * 512 + 512)
        return;
    CHECK(base->mem_map(start, 3 * LARGE, BASE_PROT_READ | BASE_PROT_WRITE) ==
          BASE_OK);
    for (at = 0; at < LARGE; at += PAGE)
        p[at / 8] = at + 1;
    CHECK(!base->mem_resident(start + LARGE));
    p[LARGE / 8] = LARGE + 1;
    CHECK(base->mem_resident(start + 2 * LARGE - PAGE));
    for (; at < 3 * LARGE; at += PAGE)
        p[at / 8] = at + 1;
    CHECK(base->mem_map(start + LARGE, LARGE, BASE_PROT_READ) == BASE_OK);
    base->mem_unmap(start + LARGE + 5 * PAGE, PAGE);
    base->mem_unmap(start + 2 * LARGE, LARGE - PAGE);
    for (at = 0; at < 3 * LARGE; at += PAGE) {
        if (at == LARGE + 5 * PAGE ||
            (at >= 2 * LARGE && at < 3 * LARGE - PAGE))
            CHECK(!base->mem_resident(start + at));
        else
            CHECK(p[at / 8] == at + 1);
    }
    base->mem_unmap(start, 4 * LARGE);
    CHECK(stats().pages_free == before.pages_free);
}

void test_main(void)
{
    struct base_memory m = stats();

    CHECK(m.pages_promised == 0 && m.pages_resident == 0);
    CHECK(info->arena_size >= 2ull << 40);
    promise_counts();
    large();
    all_of_it();
    promise_counts();
    pass();
}
