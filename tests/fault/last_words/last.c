/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes all memory there is, and then ends in the way that its argument says
 * (test.sh).
 */
#include "../fault.h"

#include <sys/eventfd.h>

static void take_all(void)
{
    for (size_t size = 1 << 20; size >= 4096;)
        if (mmap(NULL, size, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
            size /= 2;
    while (eventfd(0, 0) >= 0)
        ;
    CHECK_EQ(fault_kb("free"), 0);
}

int main(int argc, char **argv)
{
    CHECK(argc == 2);
    fault_open();
    printf("before\n");
    take_all();
    if (strcmp(argv[1], "exit") == 0)
        exit(42);
    if (strcmp(argv[1], "abort") == 0)
        abort();
    *(volatile int *)check_bad_pointer() = 1;
    return 0;
}
