/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory without a file: where it lies, what it costs, when it is refused.
 *
 * Covers: mmap munmap mprotect
 * memory: 64M
 */
#include "check.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#define RW (PROT_READ | PROT_WRITE)
#define AP (MAP_ANONYMOUS | MAP_PRIVATE)
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static void test_zeroed(void)
{
    enum { SIZE = 1 << 20 };
    unsigned char *p = mmap(NULL, SIZE, RW, AP, -1, 0);

    CHECK(p != MAP_FAILED && (uintptr_t)p % 4096 == 0);
    for (int i = 0; i < SIZE; i++)
        CHECK(p[i] == 0);
    memset(p, 0xa5, SIZE);
    CHECK_EQ(munmap(p, SIZE), 0);
    p = mmap(NULL, SIZE, RW, AP, -1, 0);
    for (int i = 0; i < SIZE; i += 512)
        CHECK(p[i] == 0); /* nothing of before shines through */
    CHECK_EQ(munmap(p, SIZE), 0);
}

static void test_fixed(void)
{
    char *p = mmap(NULL, 16 * 4096, RW, AP, -1, 0);

    CHECK(p != MAP_FAILED);
    memset(p, 1, 16 * 4096);
    /* Over the middle: zeros there, the rest is untouched. */
    CHECK(mmap(p + 4 * 4096, 4 * 4096, RW, AP | MAP_FIXED, -1, 0) ==
          p + 4 * 4096);
    CHECK(p[4 * 4096 - 1] == 1 && p[4 * 4096] == 0 && p[8 * 4096 - 1] == 0 &&
          p[8 * 4096] == 1);
    void *taken = mmap(p, 4096, RW, AP | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK(taken == MAP_FAILED && errno == EEXIST);
    /* A hole in the middle; then its address is a hint that is honoured. */
    CHECK_EQ(munmap(p + 4096, 4096), 0);
    CHECK(mmap(p + 4096, 4096, RW, AP, -1, 0) == p + 4096);
    CHECK(p[4096] == 0 && p[0] == 1 && p[2 * 4096] == 1);
    CHECK_EQ(munmap(p, 16 * 4096), 0);
    CHECK_EQ(munmap(p, 16 * 4096), 0); /* nothing there: fine */
}

static void refused(void *p, int number)
{
    CHECK(p == MAP_FAILED);
    CHECK_EQ(errno, number);
}

static void test_errors(void)
{
    refused(mmap(NULL, 0, RW, AP, -1, 0), EINVAL);
    refused((void *)syscall(SYS_mmap, NULL, 4096ul, RW, MAP_ANONYMOUS, -1, 0l),
            EINVAL); /* neither shared nor private */
    refused(
        (void *)syscall(SYS_mmap, 4097l, 4096ul, RW, AP | MAP_FIXED, -1, 0l),
        EINVAL);
    refused((void *)syscall(SYS_mmap, NULL, 4096ul, RW, MAP_PRIVATE, -1, 0l),
            EBADF);
    refused(mmap(NULL, (size_t)1 << 60, RW, AP, -1, 0), ENOMEM);
    CHECK_ERR(munmap((void *)1, 4096), EINVAL);
    CHECK_ERR(munmap((void *)4096, 0), EINVAL);
}

/* Address space costs nothing. */
static void test_reservation(void)
{
    size_t size = (size_t)1 << 40;
    char *p = mmap(NULL, size, PROT_NONE, AP | MAP_NORESERVE, -1, 0);

    CHECK(p != MAP_FAILED);
    char *middle = p + size / 2;
    CHECK(mmap(middle, 1 << 20, RW, AP | MAP_FIXED, -1, 0) == middle);
    memset(middle, 7, 1 << 20);
    CHECK_EQ(munmap(p, size), 0);
}

/* More than there is: refused at once in a unikernel, since a page fault may
 * not fail there; and what was given can all be used. */
static void test_exhaustion(void)
{
    struct sysinfo info;
    enum { PIECE = 1 << 20, PIECES_MAX = 4096 };
    static char *pieces[PIECES_MAX];
    int count = 0;

    if (!check_unikernel())
        return;
    CHECK_EQ(sysinfo(&info), 0);
    refused(mmap(NULL, info.totalram * info.mem_unit + 4096, RW, AP, -1, 0),
            ENOMEM);
    while (count < PIECES_MAX &&
           (pieces[count] = mmap(NULL, PIECE, RW, AP, -1, 0)) != MAP_FAILED)
        memset(pieces[count++], 1, PIECE);
    CHECK_EQ(errno, ENOMEM);
    CHECK(count > 8);
    for (int i = 0; i < count; i++) {
        CHECK(pieces[i][PIECE - 1] == 1);
        CHECK_EQ(munmap(pieces[i], PIECE), 0);
    }
    /* All of it is back. */
    int again = 0;
    while (again < count &&
           (pieces[again] = mmap(NULL, PIECE, RW, AP, -1, 0)) != MAP_FAILED)
        again++;
    CHECK_EQ(again, count);
    while (again)
        CHECK_EQ(munmap(pieces[--again], PIECE), 0);
}

static void test_limit(void)
{
    struct rlimit old, small;

    CHECK_EQ(getrlimit(RLIMIT_AS, &old), 0);
    small = old;
    small.rlim_cur = 1 << 24;
    CHECK_EQ(setrlimit(RLIMIT_AS, &small), 0);
    refused(mmap(NULL, 1 << 26, RW, AP, -1, 0), ENOMEM);
    CHECK_EQ(setrlimit(RLIMIT_AS, &old), 0);
}

/* Thousands of pieces with different rights, in any order. */
static void test_pieces(void)
{
    enum { PAGES = 1500 };
    char *p = mmap(NULL, PAGES * 4096, RW, AP, -1, 0);

    CHECK(p != MAP_FAILED);
    for (int i = 0; i < PAGES; i += 2)
        CHECK_EQ(mprotect(p + i * 4096, 4096, PROT_READ), 0);
    for (int i = 1; i < PAGES; i += 2)
        p[i * 4096] = 1;
    for (int i = PAGES - 2; i >= 0; i -= 2)
        CHECK_EQ(munmap(p + i * 4096, 4096), 0);
    for (int i = 1; i < PAGES; i += 2)
        CHECK(p[i * 4096] == 1);
    CHECK_EQ(munmap(p, PAGES * 4096), 0);
}

int main(void)
{
    test_zeroed();
    test_fixed();
    test_errors();
    test_reservation();
    test_exhaustion();
    test_limit();
    test_pieces();
    return 0;
}
