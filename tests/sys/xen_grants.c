/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /dev/xen/gntalloc and gntdev: pages that a domain grants to itself; its
 * number is the argument, 0 (the first domain) without. A guest that is not PV
 * cannot, and must be told so. What one side writes the other sees; a read-only
 * grant is that; grants end, but not while they are mapped; nothing is left
 * behind, whatever was closed first; wrong requests are refused.
 *
 * Covers: ioctl mmap munmap
 */
#include "xen.h"
#include <setjmp.h>
#include <signal.h>

#define PAGES 3
#define ROUND 200

static int shares, maps;
static uint16_t self;

static uint64_t core_pages(void)
{
    const char *text, *at;

    if (!check_unikernel())
        return 0;
    text = check_content("/proc/halvm/memory");
    at = strstr(text, "core");
    CHECK(at != NULL);
    return strtoull(at + strcspn(at, "0123456789"), NULL, 10);
}

static int alloc(struct share_alloc *share, unsigned count, bool writable)
{
    *share =
        (struct share_alloc){.domain = self, .count = count, .flags = writable};
    return ioctl(shares, SHARE_ALLOC, share);
}

static int dealloc(const struct share_alloc *share)
{
    struct share_dealloc request = {share->index, share->count};

    return ioctl(shares, SHARE_DEALLOC, &request);
}

static char *share_see(const struct share_alloc *share)
{
    return mmap(NULL, share->count * XEN_PAGE, PROT_READ | PROT_WRITE,
                MAP_SHARED, shares, (off_t)share->index);
}

static int map(struct map_grant *map, const struct share_alloc *share)
{
    *map = (struct map_grant){.count = share->count};
    for (unsigned i = 0; i < share->count; i++) {
        map->grants[i].domain = self;
        map->grants[i].reference = share->references[i];
    }
    return ioctl(maps, MAP_GRANT, map);
}

static char *map_see(const struct map_grant *map, int prot)
{
    return mmap(NULL, map->count * XEN_PAGE, prot, MAP_SHARED, maps,
                (off_t)map->index);
}

static int map_end(const struct map_grant *map)
{
    struct unmap_grant request = {map->index, map->count, 0};

    return ioctl(maps, UNMAP_GRANT, &request);
}

static void both_see(void)
{
    struct share_alloc share;
    struct map_grant request;
    struct map_offset where;
    char *ours, *theirs;

    CHECK_EQ(alloc(&share, PAGES, true), 0);
    ours = share_see(&share);
    CHECK(ours != MAP_FAILED);
    for (size_t i = 0; i < PAGES * XEN_PAGE; i++)
        CHECK_EQ(ours[i], 0);
    CHECK_EQ(map(&request, &share), 0);
    theirs = map_see(&request, PROT_READ | PROT_WRITE);
    if (theirs == MAP_FAILED) {
        CHECK_EQ(errno, EINVAL);
        memset(ours, 1, PAGES * XEN_PAGE);
        for (size_t i = 0; i < PAGES * XEN_PAGE; i++)
            CHECK_EQ(ours[i], 1); /* they are ours still */
        CHECK_EQ(dealloc(&share), 0);
        check_skip("only a PV guest can map pages of its own");
    }
    for (int i = 0; i < PAGES; i++) {
        sprintf(ours + i * XEN_PAGE, "page %d", i);
        CHECK_EQ(strcmp(theirs + i * XEN_PAGE, ours + i * XEN_PAGE), 0);
        sprintf(theirs + i * XEN_PAGE + 100, "back %d", i);
        CHECK_EQ(strcmp(ours + i * XEN_PAGE + 100, theirs + i * XEN_PAGE + 100),
                 0);
    }
    /* system calls see them, too */
    CHECK_EQ(access(theirs, F_OK), -1);
    CHECK_EQ(errno, ENOENT);
    where = (struct map_offset){.address = (uint64_t)(uintptr_t)theirs};
    CHECK_EQ(ioctl(maps, MAP_OFFSET, &where), 0);
    CHECK_EQ(where.offset, request.index);
    CHECK_EQ(where.count, PAGES);
    if (check_unikernel()) { /* Linux says nothing, and takes it in parts */
        CHECK_EQ(munmap(ours, PAGES * XEN_PAGE), 0);
        CHECK_ERR(dealloc(&share), EBUSY);
        CHECK(share_see(&share) == ours);
        CHECK_ERR(munmap(theirs, XEN_PAGE), EINVAL);
    }
    CHECK_EQ(munmap(theirs, PAGES * XEN_PAGE), 0);
    CHECK_EQ(map_end(&request), 0);
    /* the grant lasts as long as we have it mapped, which libxengnttab's
     * xengntshr_share_pages builds on */
    CHECK_EQ(dealloc(&share), 0);
    CHECK_EQ(map(&request, &share), 0);
    theirs = map_see(&request, PROT_READ);
    CHECK(theirs != MAP_FAILED);
    ours[0] = 'x';
    CHECK_EQ(theirs[0], 'x');
    CHECK_EQ(munmap(theirs, PAGES * XEN_PAGE), 0);
    CHECK_EQ(munmap(ours, PAGES * XEN_PAGE), 0);
    CHECK(map_see(&request, PROT_READ) == MAP_FAILED);
    CHECK_EQ(map_end(&request), 0);
}

static sigjmp_buf back;

static void on_fault(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

static bool can_write(volatile char *at)
{
    bool can = false;

    if (sigsetjmp(back, 1) == 0) {
        *at = 1;
        can = true;
    }
    return can;
}

static void read_only(void)
{
    struct share_alloc share;
    struct map_grant request;
    char *ours, *theirs;

    signal(SIGSEGV, on_fault);
    CHECK_EQ(alloc(&share, 1, false), 0);
    ours = share_see(&share);
    CHECK(ours != MAP_FAILED && can_write(ours));
    CHECK_EQ(map(&request, &share), 0);
    CHECK(map_see(&request, PROT_READ | PROT_WRITE) == MAP_FAILED);
    CHECK_EQ(map_end(&request), 0);
    CHECK_EQ(map(&request, &share), 0);
    theirs = map_see(&request, PROT_READ);
    CHECK(theirs != MAP_FAILED);
    CHECK_EQ(theirs[0], 1);
    CHECK(!can_write(theirs));
    CHECK_EQ(munmap(theirs, XEN_PAGE), 0);
    CHECK(!can_write(theirs)); /* nothing is there any more */
    CHECK_EQ(map_end(&request), 0);
    CHECK_EQ(munmap(ours, XEN_PAGE), 0);
    CHECK_EQ(dealloc(&share), 0);
}

static void refused(void)
{
    struct share_alloc share = {.count = 0};
    struct map_grant request = {.count = 0};

    if (check_unikernel()) { /* Linux gives none, and a page */
        CHECK_ERR(ioctl(shares, SHARE_ALLOC, &share), EINVAL);
        share = (struct share_alloc){.count = 1, .flags = 2};
        CHECK_ERR(ioctl(shares, SHARE_ALLOC, &share), EINVAL);
    }
    CHECK_ERR(alloc(&share, 1000000, true), ENOSPC);
    CHECK_ERR(ioctl(shares, SHARE_ALLOC, check_bad_pointer()), EFAULT);
    share = (struct share_alloc){.count = 1, .index = 1ull << 40};
    CHECK_ERR(dealloc(&share), EINVAL);
    CHECK(share_see(&share) == MAP_FAILED);
    CHECK_ERR(ioctl(maps, MAP_GRANT, &request), EINVAL);
    CHECK_ERR(ioctl(maps, MAP_GRANT, check_bad_pointer()), EFAULT);
    CHECK_ERR(ioctl(maps, _IOC(_IOC_NONE, 'G', 77, 8), &share), ENOTTY);
    /* a reference that nobody handed out, after one that is good */
    CHECK_EQ(alloc(&share, 1, true), 0);
    CHECK_EQ(map(&request, &share), 0);
    request.count = 2;
    request.grants[1].reference = 16000;
    CHECK_EQ(ioctl(maps, MAP_GRANT, &request), 0);
    CHECK(map_see(&request, PROT_READ) == MAP_FAILED);
    CHECK_EQ(map_end(&request), 0);
    request.grants[1].domain = 999;
    CHECK_EQ(ioctl(maps, MAP_GRANT, &request), 0);
    CHECK(map_see(&request, PROT_READ) == MAP_FAILED);
    CHECK_EQ(map_end(&request), 0);
    CHECK_EQ(dealloc(&share), 0); /* nothing of it stayed mapped */
}

/* The granting file is closed while all is mapped: the pages stay until the
 * last one has let go. */
static void closed_first(void)
{
    struct share_alloc share;
    struct map_grant request;
    char *ours, *theirs;

    CHECK_EQ(alloc(&share, PAGES, true), 0);
    ours = share_see(&share);
    CHECK(ours != MAP_FAILED);
    CHECK_EQ(map(&request, &share), 0);
    theirs = map_see(&request, PROT_READ | PROT_WRITE);
    CHECK(theirs != MAP_FAILED);
    CHECK_EQ(close(shares), 0);
    CHECK_EQ(close(maps), 0);
    strcpy(ours, "still there");
    CHECK_EQ(munmap(ours, PAGES * XEN_PAGE), 0);
    CHECK_EQ(strcmp(theirs, "still there"), 0);
    CHECK_EQ(munmap(theirs, PAGES * XEN_PAGE), 0);
    shares = xen_open("gntalloc", 0);
    maps = xen_open("gntdev", 0);
}

int main(int argc, char **argv)
{
    uint64_t pages = 0;

    shares = xen_open("gntalloc", 0);
    maps = xen_open("gntdev", 0);
    self = argc > 1 ? (uint16_t)atoi(argv[1]) : 0;
    for (int i = 0; i < ROUND; i++) {
        both_see();
        closed_first();
        if (i > 0 && i < ROUND - 1)
            continue;
        read_only();
        refused();
        CHECK_EQ(close(shares), 0); /* what was left is looked at */
        shares = xen_open("gntalloc", 0);
        if (i == 0)
            pages = core_pages();
    }
    CHECK_EQ(core_pages(), pages);
    return 0;
}
