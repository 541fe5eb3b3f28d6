/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Growing, shrinking and moving mappings.
 *
 * Covers: mremap
 */
#include "check.h"
#include <pthread.h>
#include <sys/mman.h>

#define RW (PROT_READ | PROT_WRITE)
#define AP (MAP_ANONYMOUS | MAP_PRIVATE)

static void test_grow_in_place(void)
{
    char *p = mmap(NULL, 8 * 4096, RW, AP, -1, 0);

    CHECK(p != MAP_FAILED);
    CHECK_EQ(munmap(p + 4 * 4096, 4 * 4096), 0); /* room behind it */
    memset(p, 'g', 4 * 4096);
    CHECK(mremap(p, 4 * 4096, 8 * 4096, 0) == p);
    CHECK(p[4 * 4096 - 1] == 'g' && p[4 * 4096] == 0);
    p[8 * 4096 - 1] = 'e';
    CHECK(mremap(p, 8 * 4096, 2 * 4096, 0) == p);
    CHECK(p[2 * 4096 - 1] == 'g');
    /* What was cut off is free again. */
    CHECK(mmap(p + 2 * 4096, 4096, RW, AP, -1, 0) == p + 2 * 4096);
    CHECK(p[2 * 4096] == 0);
    /* No room now, and not allowed to move. */
    CHECK(mremap(p, 2 * 4096, 4 * 4096, 0) == MAP_FAILED);
    CHECK_EQ(errno, ENOMEM);
    CHECK_EQ(munmap(p, 3 * 4096), 0);
}

static void test_move(void)
{
    char *p = mmap(NULL, 8 * 4096, RW, AP, -1, 0), *q;

    memset(p, 'm', 4 * 4096);
    q = mremap(p, 4 * 4096, 16 * 4096, MREMAP_MAYMOVE);
    CHECK(q != MAP_FAILED && q != p); /* the rest of p is in the way */
    for (int i = 0; i < 4 * 4096; i += 64)
        CHECK(q[i] == 'm');
    CHECK(q[4 * 4096] == 0 && q[16 * 4096 - 1] == 0);
    CHECK(mmap(p, 4096, RW, AP, -1, 0) == p); /* the old place is free */
    char *target = mmap(NULL, 16 * 4096, PROT_NONE, AP, -1, 0);
    CHECK(mremap(q, 16 * 4096, 16 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED,
                 target) == target);
    CHECK(target[100] == 'm');
    CHECK_EQ(munmap(target, 16 * 4096), 0);
    CHECK_EQ(munmap(p, 8 * 4096), 0);
}

static void test_large(void)
{
    size_t size = 1 << 20;
    char *p = mmap(NULL, size, RW, AP, -1, 0);

    CHECK(p != MAP_FAILED);
    memset(p, 'l', size);
    while (size < 8 << 20) { /* as realloc does */
        p = mremap(p, size, size * 2, MREMAP_MAYMOVE);
        CHECK(p != MAP_FAILED);
        CHECK(p[0] == 'l' && p[(1 << 20) - 1] == 'l' && p[size] == 0);
        size *= 2;
    }
    CHECK_EQ(munmap(p, size), 0);
}

static void refused(void *p, int number)
{
    CHECK(p == MAP_FAILED);
    CHECK_EQ(errno, number);
}

static void test_errors(void)
{
    char *p = mmap(NULL, 8192, RW, AP, -1, 0);

    refused(mremap(p + 1, 4096, 8192, MREMAP_MAYMOVE), EINVAL);
    refused(mremap(p, 4096, 0, MREMAP_MAYMOVE), EINVAL);
    refused(mremap(p, 4096, 8192, 0x40), EINVAL);
    refused(mremap(p, 4096, 4096, MREMAP_FIXED, p), EINVAL);
    /* Past the end of the address space; libc refuses it itself. */
    CHECK_EQ(syscall(SYS_mremap, p + 4096, 4096, -4096ul, MREMAP_MAYMOVE, NULL),
             -1);
    CHECK_EQ(syscall(SYS_mremap, p + 4096, 4096, -8192ul, 0, NULL), -1);
    CHECK_EQ(munmap(p, 8192), 0);
    refused(mremap(p, 4096, 8192, MREMAP_MAYMOVE), EFAULT);
    refused(mremap(p, 4096, 4096, 0), EFAULT);
}

/* musl finds the end of the main stack by probing with mremap. */
static void test_stack_probe(void)
{
    pthread_attr_t attr;
    void *stack;
    size_t size;
    char here;

    CHECK_EQ(pthread_getattr_np(pthread_self(), &attr), 0);
    CHECK_EQ(pthread_attr_getstack(&attr, &stack, &size), 0);
    CHECK((char *)stack < &here && &here < (char *)stack + size);
    CHECK_EQ(pthread_attr_destroy(&attr), 0);
}

int main(void)
{
    test_grow_in_place();
    test_move();
    test_large();
    test_errors();
    test_stack_probe();
    return 0;
}
