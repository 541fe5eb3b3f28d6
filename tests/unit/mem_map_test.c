/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The address space: mmap and its companions against a model that is one
 * array entry a page; the accounts after every step; the nth failure of the
 * base; and GHC's pattern of reserving and committing.
 */
#include "mem_mock.h"

#include "core/calls.h"
#include "core/mem/fault.h"
#include "core/mem/vma.h"

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* -- a file of 10,000 bytes, in memory -- */

static uint8_t file_data[10000];
static unsigned file_references;

static long data_at(struct file *file, off_t offset, const void **data)
{
    if (offset >= (off_t)sizeof(file_data))
        return 0;
    *data = file_data + offset;
    /* In pieces, as a tree of pages would answer. */
    long rest = (long)sizeof(file_data) - offset;
    return rest > 1000 ? 1000 : rest;
}

static long file_writev(struct file *file, const struct iovec *iov, int count,
                        off_t *offset)
{
    CHECK(count == 1);
    CHECK(*offset + (off_t)iov->iov_len <= (off_t)sizeof(file_data));
    memcpy(file_data + *offset, iov->iov_base, iov->iov_len);
    return (long)iov->iov_len;
}

static int file_stat(struct file *file, struct stat *out)
{
    memset(out, 0, sizeof(*out));
    out->st_mode = S_IFREG;
    out->st_size = sizeof(file_data);
    return 0;
}

static const struct file_ops file_ops = {
    .data_at = data_at, .writev = file_writev, .stat = file_stat};
static struct file file = {.ops = &file_ops, .flags = O_RDWR};

struct file *file_get(int fd)
{
    return fd == 3 ? file_ref(&file) : NULL;
}
struct file *file_ref(struct file *f)
{
    file_references++;
    return f;
}
void file_put(struct file *f)
{
    file_references--;
}

/* -- the model -- */

enum model_state { NONE, RESERVE, CHARGED };
struct model_page {
    uint8_t state, prot, value, discard;
};
static struct model_page model[MOCK_PAGES];

static uint64_t at(unsigned page)
{
    return (uintptr_t)mock_arena + (uint64_t)page * MOCK_PAGE;
}

static uint32_t random_state = 1;
static uint32_t random_next(uint32_t limit)
{
    random_state = random_state * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)random_state * limit) >> 32);
}

static void compare(void)
{
    unsigned page = 0, charged = 0;
    struct mem_region region = {.end = at(0)};
    uint64_t last_end = at(0);
    while (mem_region_next(region.end, &region)) {
        CHECK(region.start >= last_end && region.end > region.start);
        last_end = region.end;
        for (; at(page) < region.start; page++)
            CHECK(model[page].state == NONE);
        for (; at(page) < region.end; page++) {
            CHECK(model[page].state == (region.reserve ? RESERVE : CHARGED));
            CHECK(model[page].prot == region.base_prot);
        }
    }
    for (; page < MOCK_PAGES; page++)
        CHECK(model[page].state == NONE);
    for (page = 0; page < MOCK_PAGES; page++) {
        if (model[page].state != CHARGED)
            continue;
        charged++;
        CHECK(mock_mapped[page] && mock_prot[page] == model[page].prot);
        CHECK(!(vma_find(at(page))->flags & VMA_DISCARD) ==
              !model[page].discard);
        if (model[page].prot & BASE_PROT_READ)
            CHECK(mock_arena[page * MOCK_PAGE] == model[page].value);
    }
    struct mem_accounts accounts;
    mem_accounts_get(&accounts);
    CHECK(accounts.pages[MEM_APP_ANON] == charged);
    mem_check();
    mem_audit();
}

static uint32_t prot_of(int prot)
{
    return prot & PROT_WRITE ? BASE_PROT_READ | BASE_PROT_WRITE
           : prot            ? BASE_PROT_READ
                             : 0;
}

static void model_map(unsigned page, unsigned count, int prot, bool reserve)
{
    bool discard = true;
    for (unsigned i = page; i < page + count; i++)
        discard &= model[i].discard;
    for (unsigned i = page; i < page + count; i++)
        model[i] = (struct model_page){
            .state = prot == 0 ? RESERVE : CHARGED,
            .prot = (uint8_t)prot_of(prot),
            .discard = discard || (reserve && prot == 0),
        };
}

static void step_map(unsigned page, unsigned count, int prot)
{
    bool fixed = random_next(3) != 0, reserve = random_next(2);
    long flags = ANON | (fixed ? MAP_FIXED : 0) | (reserve ? MAP_NORESERVE : 0);
    long got = core_mmap((long)at(page), count * MOCK_PAGE, prot, flags, -1, 0);
    if (got < 0) {
        CHECK(got == -ENOMEM);
        return;
    }
    CHECK(!fixed || got == (long)at(page));
    page = (unsigned)(((uint64_t)got - at(0)) / MOCK_PAGE);
    if (!fixed)
        for (unsigned i = page; i < page + count; i++)
            CHECK(model[i].state == NONE);
    model_map(page, count, prot, reserve);
}

static void step_unmap(unsigned page, unsigned count)
{
    bool cuts = (model[page].state != NONE && model[page - 1].state != NONE) ||
                (model[page + count].state != NONE &&
                 model[page + count - 1].state != NONE);
    long got = core_munmap((long)at(page), count * MOCK_PAGE);
    if (got < 0) /* no memory for a split; never without one */
        CHECK(got == -ENOMEM && cuts);
    else
        memset(model + page, 0, count * sizeof(*model));
}

static void step_protect(unsigned page, unsigned count, int prot)
{
    bool hole = false;
    for (unsigned i = page; i < page + count; i++)
        hole |= model[i].state == NONE;
    long got = core_mprotect((long)at(page), count * MOCK_PAGE, prot);
    CHECK(!hole || got == -ENOMEM);
    if (got < 0) {
        CHECK(got == -ENOMEM);
        return;
    }
    for (unsigned i = page; i < page + count; i++) {
        if (prot != 0 && model[i].state == RESERVE) {
            model[i].state = CHARGED;
            model[i].discard = 0;
        }
        model[i].prot = (uint8_t)prot_of(prot);
    }
}

static void step_advise(unsigned page, unsigned count, int advice)
{
    bool hole = false;
    long got = core_madvise((long)at(page), count * MOCK_PAGE, advice);
    if (got == -EAGAIN) { /* nothing left for a split, on a full machine */
        CHECK(mock_total == 700);
        return;
    }
    for (unsigned i = page; i < page + count; i++) {
        hole |= model[i].state == NONE;
        if (model[i].state != CHARGED)
            continue;
        model[i].value = 0;
        if (model[i].discard) {
            model[i].state = RESERVE;
            model[i].prot = 0;
        }
    }
    CHECK(got == (hole ? -ENOMEM : 0));
}

static void step_remap(unsigned page, unsigned count, unsigned more)
{
    long got = core_mremap((long)at(page), count * MOCK_PAGE, more * MOCK_PAGE,
                           MREMAP_MAYMOVE, 0);
    if (got < 0) {
        CHECK(got == -EFAULT || got == -ENOMEM);
        return;
    }
    unsigned target = (unsigned)(((uint64_t)got - at(0)) / MOCK_PAGE);
    unsigned kept = more < count ? more : count;
    struct model_page old[MOCK_PAGES / 4];
    memcpy(old, model + page, count * sizeof(*old));
    bool moved = target != page;
    memset(model + page, 0, count * sizeof(*old));
    for (unsigned i = 0; i < more; i++) {
        struct model_page *new = &model[target + i];
        CHECK(new->state == NONE);
        *new = old[i < kept ? i : 0];
        if (i >= kept)
            new->value = 0;
        if (moved && new->state == CHARGED)
            new->discard = 0;
    }
}

static void write_some(unsigned page, unsigned count)
{
    for (unsigned i = page; i < page + count; i++)
        if (model[i].state == CHARGED && (model[i].prot & BASE_PROT_WRITE)) {
            model[i].value = (uint8_t)(1 + random_next(255));
            mock_arena[i * MOCK_PAGE] = model[i].value;
        }
}

static void test_random(uint32_t seed, unsigned steps, bool faults)
{
    random_state = seed;
    mock_total = seed % 3 == 0 ? 700 : 4096; /* a machine that runs out */
    mock_start();
    memset(model, 0, sizeof(model));
    const int prots[] = {PROT_NONE, PROT_READ, RW, RW};
    for (unsigned i = 0; i < steps; i++) {
        unsigned page = 96 + random_next(1200);
        unsigned count = 1 + random_next(random_next(4) == 0 ? 900 : 12);
        int prot = prots[random_next(4)];
        if (faults && random_next(4) == 0)
            mock_fail_in = 1 + random_next(3);
        switch (random_next(8)) {
        case 0:
        case 1:
            step_map(page, count, prot);
            break;
        case 2:
            step_unmap(page, count);
            break;
        case 3:
            if (!faults || prot != PROT_NONE) /* may be done in part */
                step_protect(page, count, prot);
            break;
        case 4:
            mock_fail_in = 0; /* must not depend on the base */
            step_advise(page, count,
                        random_next(2) ? MADV_FREE : MADV_DONTNEED);
            break;
        case 5:
            step_remap(page, count, 1 + random_next(40));
            break;
        default:
            write_some(page, count);
        }
        mock_fail_in = 0;
        compare();
    }
    CHECK(core_munmap((long)at(96), (MOCK_PAGES * 3 / 4 - 96) * MOCK_PAGE) ==
          0);
    struct mem_accounts accounts;
    mem_accounts_get(&accounts);
    CHECK(accounts.pages[MEM_APP_ANON] == 0);
    mem_check();
}

static void test_ghc(void)
{
    /* Reserve nearly all, then commit and free in steps: neighbours merge. */
    mock_start();
    uint64_t size = 5000 * MOCK_PAGE, start = at(1000);
    CHECK(core_mmap((long)start, (long)size, PROT_NONE, ANON | MAP_NORESERVE,
                    -1, 0) == (long)start);
    CHECK(core_madvise((long)start, (long)size, MADV_DONTNEED) == 0);
    CHECK(mock_promised == 0);
    for (unsigned i = 0; i < 200; i++)
        CHECK(core_mmap((long)start + i * 16 * MOCK_PAGE, 16 * MOCK_PAGE, RW,
                        ANON | MAP_FIXED, -1, 0) > 0);
    struct mem_region region;
    CHECK(mem_region_next(start, &region));
    CHECK(region.end == start + 3200 * MOCK_PAGE && !region.reserve);
    CHECK(mem_region_next(region.end, &region));
    CHECK(region.end == start + size && region.reserve);
    *(volatile char *)(uintptr_t)start = 1;
    for (unsigned i = 0; i < 200; i += 2)
        CHECK(core_madvise((long)start + i * 16 * MOCK_PAGE, 16 * MOCK_PAGE,
                           MADV_FREE) == 0);
    struct mem_accounts accounts;
    mem_accounts_get(&accounts);
    CHECK(accounts.pages[MEM_APP_ANON] == 1600);
    CHECK(core_mmap((long)start, 16 * MOCK_PAGE, RW, ANON | MAP_FIXED, -1, 0) ==
          (long)start);
    CHECK(*(volatile char *)(uintptr_t)start == 0);
    /* More than the machine has: in time, and nothing changed. */
    uint64_t before = mock_promised;
    CHECK(core_mmap((long)start, (long)size, RW, ANON | MAP_FIXED, -1, 0) ==
          -ENOMEM);
    CHECK(mock_promised == before);
    mem_check();
}

static void test_brk(void)
{
    mock_start();
    uint64_t start = (uint64_t)core_brk(0);
    CHECK(core_brk((long)start + 5000) == (long)start + 5000);
    memset((void *)start, 1, 8192);
    /* As musl does: a guard on the first page. */
    CHECK(core_mmap((long)start, 4096, PROT_NONE, ANON | MAP_FIXED, -1, 0) ==
          (long)start);
    CHECK(mock_promised == 1);
    CHECK(core_brk((long)start + 40000) == (long)start + 40000);
    CHECK(core_brk((long)start + (1 << 30)) == (long)start + 40000);
    CHECK(core_brk((long)start + 4096) == (long)start + 4096);
    CHECK(core_brk((long)start + 8192) == (long)start + 8192);
    CHECK(*(char *)(start + 4096) == 0);
    CHECK(core_brk(16) == (long)start + 8192);
    struct mem_region region;
    CHECK(mem_region_next(start + 4096, &region));
    CHECK(strcmp(region.name, "[heap]") == 0);
    mem_check();
}

static void test_errors(void)
{
    mock_start();
    long a = (long)at(300);
    CHECK(core_mmap(0, 0, RW, ANON, -1, 0) == -EINVAL);
    CHECK(core_mmap(0, 4096, RW, MAP_ANONYMOUS, -1, 0) == -EINVAL);
    CHECK(core_mmap(0, 4096, RW, ANON, -1, 1) == -EINVAL);
    CHECK(core_mmap(0, 4096, RW, MAP_PRIVATE, 9, 0) == -EBADF);
    CHECK(core_mmap(0, -1, RW, ANON, -1, 0) == -ENOMEM);
    CHECK(core_mmap(0, 1l << 46, PROT_NONE, ANON, -1, 0) == -ENOMEM);
    CHECK(core_mmap(0, 4096, RW | PROT_EXEC, ANON, -1, 0) == -EACCES);
    CHECK(core_mmap(a + 1, 4096, RW, ANON | MAP_FIXED, -1, 0) == -EINVAL);
    CHECK(core_mmap(0, 4096, RW, ANON | MAP_FIXED, -1, 0) == -EPERM);
    CHECK(core_mmap((long)at(0), 4096, RW, ANON | MAP_FIXED, -1, 0) ==
          -ENOMEM); /* core's own pages */
    CHECK(core_mmap(a, 8192, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == a);
    CHECK(core_mmap(a + 4096, 8192, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) ==
          -EEXIST);
    CHECK(core_mmap(a, 4096, RW, ANON, -1, 0) != a); /* taken: a wish only */
    CHECK(core_munmap(a + 1, 4096) == -EINVAL);
    CHECK(core_munmap(a, 0) == -EINVAL);
    CHECK(core_munmap((long)at(1), 4096) == -EINVAL);
    CHECK(core_munmap((long)at(2000), 4096) == 0);
    CHECK(core_mprotect(a, 3 * 4096, PROT_READ) == -ENOMEM);
    CHECK(core_mprotect(a, 4096, RW | PROT_EXEC) == -EACCES);
    CHECK(core_mprotect(a + 8, 4096, RW) == -EINVAL);
    CHECK(core_mprotect(a, 0, RW) == 0);
    CHECK(core_mprotect(a, 4096, 0x40) == -EINVAL);
    CHECK(core_mprotect(0x101000, 4096, RW) == -EACCES); /* the image */
    CHECK(core_madvise(a + 1, 4096, MADV_DONTNEED) == -EINVAL);
    CHECK(core_madvise(a, 4096, 77) == -EINVAL);
    CHECK(core_madvise((long)at(2000), 4096, MADV_WILLNEED) == -ENOMEM);
    CHECK(core_mremap((long)at(2000), 4096, 8192, 0, 0) == -EFAULT);
    CHECK(core_mremap(a, 4096, 8192, 0, 0) == -ENOMEM);
    CHECK(core_mremap(a, 4096, 0, 0, 0) == -EINVAL);
    CHECK(core_mremap(a, 4096, 4096, MREMAP_FIXED, a + 8192) == -EINVAL);
    CHECK(core_mremap(a, 8192, 8192, MREMAP_FIXED | MREMAP_MAYMOVE, a + 4096) ==
          -EINVAL);
    unsigned char vector[3];
    CHECK(core_mincore(a, 8192, (long)vector) == 0 && vector[1] == 1);
    CHECK(core_mincore(a, 3 * 4096, (long)vector) == -ENOMEM);
    CHECK(core_mincore(a, 4096, 0) == -EFAULT);
    CHECK(core_msync(a, 4096, MS_SYNC) == 0);
    CHECK(core_msync(a, 4096, MS_SYNC | MS_ASYNC) == -EINVAL);
    CHECK(core_msync((long)at(2000), 4096, MS_SYNC) == -ENOMEM);
    CHECK(core_mlock(a, 8192) == 0 && core_mlock(a, 3 * 4096) == -ENOMEM);
    CHECK(core_mlockall(0) == -EINVAL && core_munlockall() == 0);
    CHECK(mem_is_mapped((uint64_t)a, 8192, BASE_PROT_WRITE));
    CHECK(!mem_is_mapped((uint64_t)a, 8193, BASE_PROT_READ));
    CHECK(mem_is_mapped(0x100000, 4096, BASE_PROT_READ));
    mem_limit_set(mem_mapped_bytes() + 8192);
    CHECK(core_mmap(0, 3 * 4096, PROT_NONE, ANON, -1, 0) == -ENOMEM);
    CHECK(core_mmap(0, 2 * 4096, PROT_NONE, ANON, -1, 0) > 0);
    CHECK(core_mmap(a, 8192, RW, ANON | MAP_FIXED, -1, 0) == a);
    mem_check();
}

static void test_file(void)
{
    mock_start();
    for (unsigned i = 0; i < sizeof(file_data); i++)
        file_data[i] = (uint8_t)(i * 7);
    uint8_t *p = (uint8_t *)core_mmap(0, 12288, PROT_READ, MAP_PRIVATE, 3, 0);
    CHECK((long)p > 0 && memcmp(p, file_data, sizeof(file_data)) == 0);
    CHECK(p[10000] == 0 && p[12287] == 0);
    struct mem_accounts accounts;
    mem_accounts_get(&accounts);
    CHECK(accounts.pages[MEM_APP_FILE] == 3 && file_references == 0);
    CHECK(core_munmap((long)p, 12288) == 0);

    p = (uint8_t *)core_mmap(0, 8192, RW, MAP_SHARED, 3, 4096);
    CHECK((long)p > 0 && p[1] == file_data[4097] && file_references == 1);
    p[1] = 99;
    CHECK(file_data[4097] != 99);
    CHECK(core_msync((long)p, 4096, MS_SYNC) == 0 && file_data[4097] == 99);
    p[4096] = 98;
    p[8191] = 97; /* past the end: never written */
    CHECK(core_munmap((long)p, 4096) == 0 && file_data[8192] != 98);
    CHECK(core_munmap((long)p, 8192) == 0 && file_data[8192] == 98);
    CHECK(file_references == 0);

    file.flags = O_RDONLY;
    CHECK(core_mmap(0, 4096, RW, MAP_SHARED, 3, 0) == -EACCES);
    p = (uint8_t *)core_mmap(0, 4096, PROT_READ, MAP_SHARED, 3, 0);
    CHECK((long)p > 0);
    CHECK(core_mprotect((long)p, 4096, RW) == -EACCES);
    CHECK(core_munmap((long)p, 4096) == 0 && file_references == 0);
    file.flags = O_WRONLY;
    CHECK(core_mmap(0, 4096, PROT_READ, MAP_PRIVATE, 3, 0) == -EACCES);
    file.flags = O_RDWR;
    mem_accounts_get(&accounts);
    CHECK(accounts.pages[MEM_APP_FILE] == 0);
    for (unsigned n = 1; n < 4; n++) { /* the nth call of the base fails */
        mock_fail_in = n;
        long got = core_mmap(0, 8192, PROT_READ, MAP_SHARED, 3, 0);
        CHECK(n < 3 ? got == -ENOMEM : got > 0);
        CHECK(file_references == (n == 3));
        mem_check();
    }
}

/* -- a disk: others run while it is read or written -- */

static long disk_at, disk_found; /* the mapping; how many calls waited */

/* Another thread's calls that would change the mapping: each waits. */
static void others(void)
{
    jmp_buf here;
    volatile int call = 0;

    mock_waits = &here;
    if (setjmp(here) != 0)
        disk_found++;
    switch (call++) {
    case 0:
        core_munmap(disk_at + 4096, 4096);
        break;
    case 1:
        core_mprotect(disk_at, 4096, PROT_NONE);
        break;
    case 2:
        core_mmap(disk_at, 8192, RW, ANON | MAP_FIXED, -1, 0);
        break;
    case 3:
        core_mremap(disk_at, 8192, 16384, MREMAP_MAYMOVE, 0);
        break;
    case 4:
        core_msync(disk_at, 8192, MS_SYNC);
        break;
    default:
        mock_waits = NULL;
        return;
    }
    mock_waits = NULL;
    CHECK(false); /* it did not wait */
}

static long disk_readv(struct file *file, const struct iovec *iov, int count,
                       off_t *offset)
{
    CHECK(count == 1);
    if (*offset >= 8192)
        return 0;
    others();
    memset(iov->iov_base, 5, 4096);
    *offset += 4096;
    return 4096;
}

static long disk_writev(struct file *file, const struct iovec *iov, int count,
                        off_t *offset)
{
    others();
    return (long)iov->iov_len;
}

static const struct file_ops disk_ops = {
    .readv = disk_readv, .writev = disk_writev, .stat = file_stat};

static void test_disk(void)
{
    mock_start();
    file.ops = &disk_ops;
    file_references = 0;
    disk_at = core_mmap(0, 16384, PROT_NONE, ANON, -1, 0);
    disk_found = 0;
    CHECK(core_mmap(disk_at, 8192, RW, MAP_SHARED | MAP_FIXED, 3, 0) ==
          disk_at);
    CHECK(disk_found == 2 * 5 && *(char *)(disk_at + 8191) == 5);
    CHECK(core_msync(disk_at, 8192, MS_SYNC) == 0 && disk_found == 3 * 5);
    CHECK(core_munmap(disk_at, 8192) == 0 && disk_found == 4 * 5);
    CHECK(file_references == 0);
    CHECK(core_mmap(disk_at, 8192, PROT_READ, MAP_PRIVATE | MAP_FIXED, 3, 0) ==
          disk_at);
    CHECK(disk_found == 6 * 5);
    CHECK(vma_find((uint64_t)disk_at)->prot == BASE_PROT_READ);
    CHECK(core_munmap(disk_at, 8192) == 0 && disk_found == 6 * 5);
    file.ops = &file_ops;
    mem_check();
}

/* Thread stacks: a guard page and a stack each, thousands of them. The store
 * must neither be slow (this ends at once) nor run over. */
static void test_many(void)
{
    mock_start();
    long stacks[800];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 800; i++) {
            stacks[i] = core_mmap(0, 4 * MOCK_PAGE, PROT_NONE, ANON, -1, 0);
            CHECK(stacks[i] > 0);
            CHECK(core_mprotect(stacks[i] + MOCK_PAGE, 3 * MOCK_PAGE, RW) == 0);
        }
        mem_check();
        for (unsigned i = 0; i < 800; i++) /* not in order */
            CHECK(core_munmap(stacks[(i * 7 + round) % 800], 4 * MOCK_PAGE) ==
                  0);
        mem_check();
        CHECK(mock_promised == 0);
    }
}

static const char *fault_now(void)
{
    static char text[32];
    mem_fault_text(text, sizeof(text));
    return text;
}

static void test_fault_words(void)
{
    bool on;
    mock_start();
    mock_fault = NULL;
    CHECK(mem_fault_init(&on) == 0 && !on);
    CHECK(core_base == &mock_base && mem_fault_set("off") == -EPERM);
    static const char *const bad[] = {"map",
                                      "map:",
                                      "map:0",
                                      "map:x",
                                      "",
                                      "map:1x",
                                      "maps:1",
                                      ":1",
                                      "page:-1",
                                      "off:1",
                                      "object:99999999999"};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        mock_fault = "";
        CHECK(mem_fault_init(&on) == 0 && on);
        core_base = &mock_base;
        CHECK(mem_fault_set(bad[i]) == -EINVAL);
    }
    mock_fault = "page:0";
    CHECK(mem_fault_init(&on) == -EINVAL && on);
    core_base = &mock_base;
    mock_fault = "page:7";
    CHECK(mem_fault_init(&on) == 0 && strcmp(fault_now(), "page:7\n") == 0);
    CHECK(mem_fault_pages == 7 && core_base != &mock_base);
    CHECK(mem_fault_set("off") == 0 && strcmp(fault_now(), "off\n") == 0);
}

/* Each kind fails as often as it says, and what is met is told. */
static void test_fault_kinds(void)
{
    static struct mem_pool pool = MEM_POOL(long, MEM_CORE, 10);
    CHECK(mem_fault_set("page:2") == 0);
    void *one = mem_pages_get(MEM_CORE, 1);
    CHECK(one != NULL && mem_pages_get(MEM_CORE, 1) == NULL);
    CHECK(strcmp(fault_now(), "page:0\n") == 0);
    mem_pages_put(MEM_CORE, one, 1);
    CHECK(mem_fault_set("object:2") == 0 && mem_fault_pages == 0);
    one = mem_pool_get(&pool);
    CHECK(one != NULL && mem_pool_get(&pool) == NULL);
    mem_pool_put(&pool, one);
    CHECK(mem_fault_set("map:2") == 0);
    long a = core_mmap(0, 4096, RW, ANON, -1, 0);
    CHECK(a > 0 && core_mmap(0, 4096, RW, ANON, -1, 0) == -ENOMEM);
    CHECK(strcmp(fault_now(), "map:0\n") == 0);
    /* What is given back can be had again, whatever is to fail: zeroing. */
    CHECK(mem_fault_set("map:1") == 0);
    CHECK(core_madvise(a, 4096, MADV_DONTNEED) == 0);
    CHECK(strcmp(fault_now(), "map:1\n") == 0);
    CHECK(core_munmap(a, 4096) == 0);
    CHECK(mem_fault_set("commit:3") == 0);
    long heap = core_mmap(0, 64 * 4096, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
    for (int i = 1; i < 30; i++) {
        CHECK(core_mmap(0, 4096, RW, ANON, -1, 0) > 0); /* is not one */
        long got =
            core_mmap(heap + i * 4096, 4096, RW, ANON | MAP_FIXED, -1, 0);
        CHECK(got == (i % 3 == 0 ? -ENOMEM : heap + i * 4096));
    }
    mem_audit();
    struct mem_uses uses;
    mem_uses_get(&uses);
    CHECK(uses.discard == 20 && uses.maps == 29 && uses.stacks == 0);
    CHECK(mem_fault_set("off") == 0);
    core_base = &mock_base;
    mock_fault = NULL;
}

/* At no free page at all, memory can be given back in the smallest pieces,
 * though each piece cuts a mapping and takes a node. */
static void test_give_back(void)
{
    mock_total = 800;
    mock_table_pages = 8; /* as for a far address in a PV guest */
    mock_start();
    long size = 400 * 4096, start = core_mmap(0, size, RW, ANON, -1, 0);
    CHECK(start > 0);
    /* Core's first window is full: what it takes next costs more than a page,
     * for that is in the other one. */
    for (unsigned i = 0; i < 96; i++)
        CHECK(mem_pages_get(MEM_CORE, 1) != NULL);
    while (core_mmap(0, 4096, RW, ANON, -1, 0) > 0)
        ;
    CHECK(mem_free_bytes() == 0);
    /* And so are the nodes, but for the last ones. */
    long cut = start + 4096;
    while (core_mprotect(cut, 4096, PROT_READ) == 0)
        cut += 2 * 4096;
    CHECK(cut < start + size / 2);
    for (long page = cut + 4096; page < start + size; page += 2 * 4096)
        CHECK(core_munmap(page, 4096) == 0);
    mem_audit();
    mock_total = 4096;
    mock_table_pages = 1;
}

int main(void)
{
    test_fault_words();
    test_fault_kinds();
    test_give_back();
    test_many();
    test_errors();
    test_brk();
    test_ghc();
    test_file();
    test_disk();
    for (uint32_t seed = 1; seed <= 20; seed++)
        test_random(seed, 400, seed % 2);
    return 0;
}
