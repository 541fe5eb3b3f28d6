/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of the data segment.
 *
 * Covers: brk
 */
#include "check.h"
#include <sys/mman.h>

int main(void)
{
    uintptr_t start = (uintptr_t)syscall(SYS_brk, 0);

    CHECK(start != 0);
    CHECK_EQ(syscall(SYS_brk, 0), start);
    uintptr_t end = start + 100000;
    CHECK_EQ(syscall(SYS_brk, end), end);
    /* From the first whole page on it is zero and writable. */
    unsigned char *p = (unsigned char *)((start + 4095) & ~4095ul);
    for (uintptr_t i = 0; (uintptr_t)p + i < end; i++)
        CHECK(p[i] == 0);
    memset(p, 0x5a, end - (uintptr_t)p);
    /* Impossible wishes leave it where it is. */
    CHECK_EQ(syscall(SYS_brk, 4096), end);
    CHECK_EQ(syscall(SYS_brk, (uintptr_t)1 << 46), end);
    /* Given back and taken again it is zero again. */
    CHECK_EQ(syscall(SYS_brk, start), start);
    CHECK_EQ(syscall(SYS_brk, end), end);
    for (uintptr_t i = 0; (uintptr_t)p + i < end; i++)
        CHECK(p[i] == 0);
    /* What is mapped in its way stops it. */
    uintptr_t wall = (end + (1 << 20)) & ~4095ul;
    void *q = mmap((void *)wall, 4096, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(q == (void *)wall);
    CHECK_EQ(syscall(SYS_brk, wall + 8192), end);
    CHECK_EQ(munmap(q, 4096), 0);
    CHECK_EQ(syscall(SYS_brk, start), start);
    return 0;
}
