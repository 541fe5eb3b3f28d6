/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first socket, which starts the network and its card, when hardly a page
 * is free: with 0, 1, 2, ... pages it says ENOMEM or ENOBUFS, until there are
 * enough; what was begun goes on then, and the card is there.
 *
 * skip: linux starts its network before
 * skip: xen gives its first domain no card
 * option: fault=off
 * memory: 16M
 */
#include "fault.h"

#include <net/if.h>

enum { PAGES_MAX = 200, HOGS = 100 };

static struct {
    void *start;
    size_t size;
} hogs[HOGS];
static int hog_count;

static void take_rest(void)
{
    for (size_t size = 1 << 20; size >= 4096;) {
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) {
            size /= 2;
            continue;
        }
        CHECK(hog_count < HOGS);
        hogs[hog_count].start = p;
        hogs[hog_count++].size = size;
    }
    CHECK_EQ(fault_kb("free"), 0);
}

int main(void)
{
    int fd = -1, pages = 0;

    fault_open();
    for (; fd < 0 && pages < PAGES_MAX; pages++) {
        char *left = mmap(NULL, PAGES_MAX * 4096, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(left != MAP_FAILED);
        take_rest();
        if (pages > 0)
            CHECK_EQ(munmap(left, (size_t)pages * 4096), 0);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(fd >= 0 || errno == ENOMEM || errno == ENOBUFS);
        while (hog_count > 0) {
            hog_count--;
            CHECK_EQ(munmap(hogs[hog_count].start, hogs[hog_count].size), 0);
        }
        CHECK_EQ(munmap(left, PAGES_MAX * 4096), 0);
    }
    printf("started with %d pages\n", pages - 1);
    CHECK(fd >= 0 && pages > 5);
    CHECK(if_nametoindex("eth0") != 0);
    CHECK_EQ(close(fd), 0);
    int pair[2];
    net_tcp_pair(AF_INET, pair);
    CHECK_EQ(write(pair[0], "works", 5), 5);
    char word[5];
    net_read_all(pair[1], word, 5);
    return 0;
}
