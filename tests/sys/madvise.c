/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Advice about memory, what is resident, and locking it.
 *
 * Covers: madvise mincore mlock munlock mlockall munlockall mlock2
 */
#include "check.h"
#include <sys/mman.h>
#include <sys/resource.h>

#define RW (PROT_READ | PROT_WRITE)
#define AP (MAP_ANONYMOUS | MAP_PRIVATE)
#ifndef MADV_FREE
#define MADV_FREE 8
#endif

static void test_dontneed(void)
{
    char *p = mmap(NULL, 4 * 4096, RW, AP, -1, 0);

    CHECK(p != MAP_FAILED);
    memset(p, 'd', 4 * 4096);
    CHECK_EQ(madvise(p + 4096, 2 * 4096, MADV_DONTNEED), 0);
    CHECK(p[4095] == 'd' && p[4096] == 0 && p[3 * 4096 - 1] == 0 &&
          p[3 * 4096] == 'd');
    p[4096] = 'n'; /* usable at once */
    CHECK_EQ(p[4096], 'n');
    /* Freed: the old content or zeros, until the next write. */
    memset(p, 'f', 4096);
    CHECK_EQ(madvise(p, 4096, MADV_FREE), 0);
    CHECK(p[0] == 'f' || p[0] == 0);
    p[0] = 'w';
    CHECK_EQ(p[0], 'w');
    CHECK_EQ(munmap(p, 4 * 4096), 0);
}

static void test_hints(void)
{
    static const int hints[] = {MADV_NORMAL,   MADV_RANDOM,   MADV_SEQUENTIAL,
                                MADV_WILLNEED, MADV_DONTDUMP, MADV_DODUMP};
    char *p = mmap(NULL, 8192, RW, AP, -1, 0);

    p[0] = 'h';
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        CHECK_EQ(madvise(p, 8192, hints[i]), 0);
    CHECK_EQ(p[0], 'h');
    /* A kernel without huge pages refuses, and that is fine. */
    CHECK(madvise(p, 8192, MADV_HUGEPAGE) == 0 || errno == EINVAL);
    CHECK(madvise(p, 8192, MADV_NOHUGEPAGE) == 0 || errno == EINVAL);
    CHECK_ERR(madvise(p + 1, 4096, MADV_DONTNEED), EINVAL);
    CHECK_ERR(madvise(p, 4096, 12345), EINVAL);
    CHECK_EQ(madvise(p, 0, MADV_DONTNEED), 0);
    CHECK_EQ(munmap(p + 4096, 4096), 0);
    CHECK_ERR(madvise(p, 8192, MADV_DONTNEED), ENOMEM);
    CHECK_EQ(munmap(p, 4096), 0);
}

/* Discarding most of a reservation is cheap, however large it is. */
static void test_reservation(void)
{
    size_t size = (size_t)1 << 39;
    char *p = mmap(NULL, size, PROT_NONE, AP | MAP_NORESERVE, -1, 0);

    CHECK(p != MAP_FAILED);
    CHECK(mmap(p + (1 << 20), 1 << 20, RW, AP | MAP_FIXED, -1, 0) ==
          p + (1 << 20));
    p[1 << 20] = 1;
    CHECK_EQ(madvise(p, size, MADV_DONTNEED), 0);
    CHECK_EQ(munmap(p, size), 0);
}

static void test_mincore(void)
{
    unsigned char resident[4];
    char *p = mmap(NULL, 4 * 4096, RW, AP, -1, 0);

    p[0] = 1;
    p[2 * 4096] = 1;
    CHECK_EQ(mincore(p, 4 * 4096, resident), 0);
    CHECK((resident[0] & 1) && (resident[2] & 1));
    CHECK_ERR(mincore(p + 1, 4096, resident), EINVAL);
    CHECK_ERR(mincore(p, 4096, check_bad_pointer()), EFAULT);
    CHECK_EQ(munmap(p, 4 * 4096), 0);
    CHECK_ERR(mincore(p, 4096, resident), ENOMEM);
}

static void test_lock(void)
{
    char *p = mmap(NULL, 8192, RW, AP, -1, 0);

    CHECK_EQ(mlock(p, 8192), 0);
    CHECK_EQ(munlock(p, 8192), 0);
    CHECK_EQ(syscall(SYS_mlock2, p, 8192ul, 0), 0);
    CHECK_ERR(syscall(SYS_mlock2, p, 8192ul, 0x40), EINVAL);
    CHECK_ERR(mlockall(0), EINVAL);
    CHECK_ERR(mlockall(0x40), EINVAL);
    CHECK_EQ(munlockall(), 0);
    if (check_root()) {
        CHECK_EQ(mlockall(MCL_CURRENT), 0);
        CHECK_EQ(munlockall(), 0);
    }
    CHECK_EQ(munmap(p, 8192), 0);
    CHECK_ERR(mlock(p, 4096), ENOMEM);
    CHECK_ERR(munlock(p, 4096), ENOMEM);
}

int main(void)
{
    test_dontneed();
    test_hints();
    test_reservation();
    test_mincore();
    test_lock();
    return 0;
}
