/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A base of pages that can be counted, for the tests of core/mem: host memory
 * behind an arena of a few thousand pages, a page table for each 512, and an
 * operation that can be told to fail.
 */
#ifndef HALVM_UNIT_MEM_MOCK_H
#define HALVM_UNIT_MEM_MOCK_H

#include <setjmp.h>
#include <stdarg.h>
#include <sys/mman.h>

#include "check.h"
#include "core/file/file.h"
#include "core/thread/thread.h"
#include "core/mem/mem.h"

#define MOCK_PAGES 8192u /* of the arena */
#define MOCK_PAGE  4096u
#define MOCK_IMAGE 100u

static uint8_t *mock_arena;
static bool mock_mapped[MOCK_PAGES];
static uint8_t mock_prot[MOCK_PAGES];
static uint64_t mock_total = 4096;    /* pages of the machine */
static uint64_t mock_table_pages = 1; /* that a table takes */
static uint64_t mock_promised;
static unsigned mock_fail_in; /* the nth mem_map or mem_move from now fails */
static unsigned mock_calls;

static uint64_t mock_tables(void)
{
    uint64_t tables = 0;
    for (unsigned i = 0; i < MOCK_PAGES; i += 512) {
        bool used = false;
        for (unsigned j = i; j < i + 512; j++)
            used |= mock_mapped[j];
        tables += used * mock_table_pages;
    }
    return tables;
}

static unsigned mock_index(uint64_t addr, uint64_t size)
{
    uint64_t start = (uintptr_t)mock_arena;
    CHECK(addr % MOCK_PAGE == 0 && size % MOCK_PAGE == 0 && size > 0);
    CHECK(addr >= start && addr + size <= start + MOCK_PAGES * MOCK_PAGE);
    return (unsigned)((addr - start) / MOCK_PAGE);
}

static bool mock_fails(void)
{
    mock_calls++;
    return mock_fail_in > 0 && --mock_fail_in == 0;
}

static enum base_status mock_mem_map(uint64_t addr, uint64_t size,
                                     uint32_t prot)
{
    unsigned first = mock_index(addr, size);
    unsigned last = first + (unsigned)(size / MOCK_PAGE);
    uint64_t tables = mock_tables(), more = 0;
    CHECK((prot & (BASE_PROT_WRITE | BASE_PROT_EXEC)) !=
          (BASE_PROT_WRITE | BASE_PROT_EXEC));
    if (mock_fails())
        return BASE_NOMEM;
    static bool before[MOCK_PAGES];
    memcpy(before, mock_mapped, sizeof(before));
    for (unsigned i = first; i < last; i++) {
        more += !mock_mapped[i];
        mock_mapped[i] = true;
    }
    if (mock_promised + more + mock_tables() + MOCK_IMAGE > mock_total) {
        memcpy(mock_mapped, before, sizeof(before));
        CHECK(mock_tables() == tables);
        return BASE_NOMEM;
    }
    mock_promised += more;
    for (unsigned i = first; i < last; i++)
        mock_prot[i] = (uint8_t)prot;
    int host = prot & BASE_PROT_WRITE  ? PROT_READ | PROT_WRITE
               : prot & BASE_PROT_READ ? PROT_READ
                                       : PROT_NONE;
    CHECK(mprotect(mock_arena + first * MOCK_PAGE, size, host) == 0);
    return BASE_OK;
}

static void mock_mem_unmap(uint64_t addr, uint64_t size)
{
    unsigned first = mock_index(addr, size);
    mock_fail_in = 0; /* what was just given back can be had again */
    for (unsigned i = first; i < first + size / MOCK_PAGE; i++) {
        mock_promised -= mock_mapped[i];
        mock_mapped[i] = false;
    }
    CHECK(mmap(mock_arena + first * MOCK_PAGE, size, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
               0) != MAP_FAILED);
}

static enum base_status mock_mem_move(uint64_t from, uint64_t to, uint64_t size)
{
    unsigned a = mock_index(from, size), b = mock_index(to, size);
    CHECK(from + size <= to || to + size <= from);
    if (mock_fails())
        return BASE_NOMEM;
    for (unsigned i = 0; i < size / MOCK_PAGE; i++) {
        CHECK(mock_mapped[a + i] && !mock_mapped[b + i]);
        mock_mapped[a + i] = false;
        mock_mapped[b + i] = true;
        mock_prot[b + i] = mock_prot[a + i];
        uint8_t *source = mock_arena + (a + i) * MOCK_PAGE;
        uint8_t *target = mock_arena + (b + i) * MOCK_PAGE;
        CHECK(mprotect(source, MOCK_PAGE, PROT_READ) == 0);
        CHECK(mprotect(target, MOCK_PAGE, PROT_READ | PROT_WRITE) == 0);
        memcpy(target, source, MOCK_PAGE);
        CHECK(mprotect(target, MOCK_PAGE,
                       mock_prot[b + i] & BASE_PROT_WRITE
                           ? PROT_READ | PROT_WRITE
                       : mock_prot[b + i] ? PROT_READ
                                          : PROT_NONE) == 0);
    }
    CHECK(mmap(mock_arena + a * MOCK_PAGE, size, PROT_NONE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
               0) != MAP_FAILED);
    return BASE_OK;
}

static void mock_mem_stats(struct base_memory *out)
{
    out->pages_total = mock_total;
    out->pages_image = MOCK_IMAGE;
    out->pages_tables = mock_tables();
    out->pages_promised = mock_promised;
    out->pages_free =
        mock_total - MOCK_IMAGE - out->pages_tables - mock_promised;
    out->pages_resident = mock_promised;
}

static bool mock_mem_resident(uint64_t addr)
{
    return mock_mapped[mock_index(addr, MOCK_PAGE)];
}

static struct base mock_base = {
    .version = BASE_VERSION,
    .name = "mock",
    .mem_map = mock_mem_map,
    .mem_unmap = mock_mem_unmap,
    .mem_move = mock_mem_move,
    .mem_stats = mock_mem_stats,
    .mem_resident = mock_mem_resident,
};
static struct base_info mock_info;

const struct base *core_base = &mock_base;
const struct base_info *core_info = &mock_info;

void core_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: ASSERT(%s)\n", file, line, condition);
    abort();
}

struct list thread_list = LIST_INIT(thread_list);
static const char *mock_fault; /* halvm.fault */

const char *core_option(const char *name)
{
    return strcmp(name, "fault") == 0 ? mock_fault : NULL;
}

int core_format(char *out, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(out, size, format, args);
    va_end(args);
    return length;
}

int core_copy_out(void *user_to, const void *from, size_t size)
{
    if (user_to == NULL)
        return -EFAULT;
    memcpy(user_to, from, size);
    return 0;
}

int core_copy_in(void *to, const void *user_from, size_t size)
{
    if (user_from == NULL)
        return -EFAULT;
    memcpy(to, user_from, size);
    return 0;
}

/* Who waits for a mapping does so here, and the test goes on elsewhere. */
static jmp_buf *mock_waits;

int wait_on(struct wait_queue *queue, uint64_t deadline_ns, bool interruptible)
{
    CHECK(mock_waits != NULL);
    longjmp(*mock_waits, 1);
}

void wait_wake(struct wait_queue *queue, uint32_t events, unsigned count)
{
}

void thread_defer(void)
{
}

static void mock_start(void)
{
    if (mock_arena == NULL) {
        mock_arena = mmap(NULL, MOCK_PAGES * MOCK_PAGE, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        CHECK(mock_arena != MAP_FAILED);
    } else {
        mock_mem_unmap((uintptr_t)mock_arena, MOCK_PAGES * MOCK_PAGE);
    }
    mock_fail_in = 0;
    mock_promised = 0;
    memset(mock_mapped, 0, sizeof(mock_mapped));
    mock_info.arena_start = (uintptr_t)mock_arena;
    mock_info.arena_size = MOCK_PAGES * MOCK_PAGE;
    mock_info.image_start = 0x100000;
    mock_info.image_end = 0x100000 + MOCK_IMAGE * MOCK_PAGE;
    mem_init();
    mem_check();
}

#endif
