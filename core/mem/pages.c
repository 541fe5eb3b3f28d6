/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole pages for core itself.
 *
 * They live in two windows of the arena: a small one beside the application's
 * first mappings, which shares their page tables, and a large one for what is
 * beyond. A bitmap says which pages of a window are taken; that of the large
 * window lies at its start, grows by a page for each 128 MiB in use, and goes
 * when none is. Freeing never needs memory, so it cannot fail.
 */
#include "core/mem/fault.h"
#include "core/mem/mem.h"
#include "core/mem/vma.h"

struct window {
    uint64_t start; /* address of page 0 */
    uint64_t count; /* pages that the bitmap covers now */
    uint64_t count_max;
    uint64_t first_free; /* no page below it is free */
    uint64_t used;       /* pages handed out */
    uint64_t *taken;     /* a bit a page */
};

#define WINDOW_STEP                                                            \
    (8ull * LIMIT_PAGE_SIZE) /* pages that one bitmap page covers */

static uint64_t mem_first_taken[2];
static struct window mem_windows[2];

void mem_pages_init(uint64_t first, uint64_t first_count, uint64_t second,
                    uint64_t second_size)
{
    ASSERT(first_count <= 64 * sizeof(mem_first_taken) / sizeof(uint64_t));
    memset(mem_first_taken, 0, sizeof(mem_first_taken));
    mem_windows[0] = (struct window){
        .start = first,
        .count = first_count,
        .count_max = first_count,
        .taken = mem_first_taken,
    };
    mem_windows[1] = (struct window){
        .start = second,
        .count_max = second_size / LIMIT_PAGE_SIZE,
        .taken = (uint64_t *)(uintptr_t)second,
    };
}

static bool taken(const struct window *window, uint64_t page)
{
    return window->taken[page / 64] >> (page % 64) & 1;
}

static void mark(struct window *window, uint64_t page, uint64_t count, bool on)
{
    for (uint64_t i = page; i < page + count; i++) {
        uint64_t bit = 1ull << (i % 64);
        ASSERT(taken(window, i) != on);
        if (on)
            window->taken[i / 64] |= bit;
        else
            window->taken[i / 64] &= ~bit;
    }
}

/* The first of count free pages in a row, or UINT64_MAX. */
static uint64_t find_run(struct window *window, uint64_t count)
{
    uint64_t run = 0;
    bool all_taken = true; /* so far, from first_free */
    for (uint64_t i = window->first_free; i < window->count; i++) {
        if (i % 64 == 0 && window->taken[i / 64] == UINT64_MAX) {
            run = 0;
            i += 63;
            continue;
        }
        if (taken(window, i)) {
            run = 0;
            continue;
        }
        if (all_taken) {
            window->first_free = i;
            all_taken = false;
        }
        if (++run == count)
            return i + 1 - count;
    }
    return UINT64_MAX;
}

/* Pages of a bitmap for so many pages. */
static uint64_t bitmap_pages(uint64_t count)
{
    return (count + WINDOW_STEP - 1) / WINDOW_STEP;
}

/* Makes the bitmap of the large window cover more pages; at its first step
 * the window's start is put aside for the whole bitmap. */
static bool extend(struct window *window)
{
    uint64_t step = window->count_max - window->count;
    if (step > WINDOW_STEP)
        step = WINDOW_STEP;
    if (step == 0)
        return false;
    uint64_t page =
        window->start + window->count / WINDOW_STEP * LIMIT_PAGE_SIZE;
    if (core_base->mem_map(page, LIMIT_PAGE_SIZE,
                           BASE_PROT_READ | BASE_PROT_WRITE) != BASE_OK)
        return false;
    mem_charge(MEM_CORE, 1);
    bool first = window->count == 0;
    window->count += step;
    if (first) {
        uint64_t bitmap = bitmap_pages(window->count_max);
        ASSERT(bitmap < step);
        mark(window, 0, bitmap, true);
    }
    return true;
}

static void *get(struct window *window, enum mem_account account, size_t count)
{
    uint64_t page = find_run(window, count);
    if (page == UINT64_MAX)
        return NULL;
    uint64_t address = window->start + page * LIMIT_PAGE_SIZE;
    if (core_base->mem_map(address, count * LIMIT_PAGE_SIZE,
                           BASE_PROT_READ | BASE_PROT_WRITE) != BASE_OK)
        return NULL;
    mark(window, page, count, true);
    window->used += count;
    mem_charge(account, (int64_t)count);
    return (void *)(uintptr_t)address;
}

/* Nothing is left in the large window: its bitmap goes, too. */
static void shrink(struct window *window)
{
    uint64_t bitmap = bitmap_pages(window->count);
    core_base->mem_unmap(window->start, bitmap * LIMIT_PAGE_SIZE);
    mem_charge(MEM_CORE, -(int64_t)bitmap);
    window->count = 0;
    window->first_free = 0;
}

bool (*mem_spare_give)(void);

static bool spare_given(void)
{
    return mem_spare_give != NULL && mem_spare_give();
}

enum base_status mem_base_map(uint64_t start, uint64_t size, uint32_t prot)
{
    enum base_status status = core_base->mem_map(start, size, prot);

    if (status == BASE_NOMEM && spare_given())
        status = core_base->mem_map(start, size, prot);
    return status;
}

static void *pages_find(enum mem_account account, size_t count)
{
    void *pages = get(&mem_windows[0], account, count);
    if (pages != NULL)
        return pages;
    struct window *window = &mem_windows[1];
    /* Too much for the machine is known before the bitmap grows for it. */
    if (count > window->count_max / 2 ||
        count > mem_free_bytes() / LIMIT_PAGE_SIZE)
        return NULL;
    while (find_run(window, count) == UINT64_MAX && extend(window))
        ;
    pages = get(window, account, count);
    if (window->used == 0 && window->count > 0)
        shrink(window);
    return pages;
}

void *mem_pages_get(enum mem_account account, size_t count)
{
    void *pages;

    ASSERT(count > 0 && account > MEM_IMAGE && account < MEM_FREE);
    if (mem_fault_due(&mem_fault_pages))
        return NULL;
    pages = pages_find(account, count);
    if (pages == NULL && spare_given())
        pages = pages_find(account, count);
    return pages;
}

void mem_pages_put(enum mem_account account, void *pages, size_t count)
{
    uint64_t address = (uintptr_t)pages;
    struct window *window = &mem_windows[0];
    if (address < window->start ||
        address >= window->start + window->count * LIMIT_PAGE_SIZE)
        window = &mem_windows[1];
    uint64_t page = (address - window->start) / LIMIT_PAGE_SIZE;
    ASSERT((address & MEM_PAGE_MASK) == 0 && address >= window->start);
    ASSERT(count > 0 && page + count <= window->count);
    mark(window, page, count, false);
    if (page < window->first_free)
        window->first_free = page;
    core_base->mem_unmap(address, count * LIMIT_PAGE_SIZE);
    mem_charge(account, -(int64_t)count);
    window->used -= count;
    if (window->used == 0 && window == &mem_windows[1])
        shrink(window);
}

uint64_t mem_pages_taken(void)
{
    uint64_t taken_count = 0;
    for (unsigned w = 0; w < 2; w++) {
        const struct window *window = &mem_windows[w];
        for (uint64_t i = 0; i < (window->count + 63) / 64; i++)
            for (uint64_t word = window->taken[i]; word != 0; word &= word - 1)
                taken_count++;
    }
    /* The large window's bitmap: all of it is put aside, what is in use is
     * mapped. */
    const struct window *large = &mem_windows[1];
    if (large->count > 0)
        taken_count -=
            bitmap_pages(large->count_max) - bitmap_pages(large->count);
    return taken_count;
}
