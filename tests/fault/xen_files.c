/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The nth failure in what /dev/xen has: see fault.h. The domain talks to
 * itself, as in tests/sys/xen_events.c and xen_grants.c; XenStore's requests
 * are refused where there is no daemon, which is an answer too.
 *
 * skip: linux fails no memory on demand
 * option: fault=off
 * memory: 16M
 */
#include "fault.h"

#include "../sys/xen.h"

enum { PORTS = 80, SHARES = 20, MAPPINGS = 20 };

static bool is_pv;

static int device(struct fault_held *h, const char *name)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/dev/xen/%s", name);
    fd = open(path, O_RDWR);
    fault_fd(h, fd);
    return fd;
}

static int events(void)
{
    struct fault_held h = {0};
    int fd = device(&h, "evtchn"), other = fd < 0 ? -1 : device(&h, "evtchn");
    uint32_t words[2] = {XEN_SELF, 0}, port;

    for (int i = 0; other >= 0 && i < PORTS; i++) {
        long made = ioctl(fd, EVENT_UNBOUND, words);

        if (!fault_ok(&h, made))
            break;
        words[1] = (uint32_t)made;
        made = ioctl(other, EVENT_INTERDOMAIN, words);
        if (!fault_ok(&h, made))
            break;
        port = (uint32_t)made;
        CHECK_EQ(ioctl(other, EVENT_NOTIFY, &port), 0);
        CHECK_EQ(read(fd, &port, sizeof(port)), sizeof(port));
        CHECK_EQ(port, words[1]); /* the notice that memory could not stop */
    }
    return fault_release(&h);
}

static int shares(void)
{
    struct fault_held h = {0};
    struct share_alloc list[SHARES];
    int fd = device(&h, "gntalloc"), count = 0;

    for (; fd >= 0 && count < SHARES; count++) {
        struct share_alloc *share = &list[count];
        size_t size = (size_t)(1 + count % SHARE_MAX) * XEN_PAGE;
        char *at;

        *share = (struct share_alloc){
            .count = (uint32_t)(1 + count % SHARE_MAX), .flags = 1};
        if (!fault_ok(&h, ioctl(fd, SHARE_ALLOC, share)))
            break;
        at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                  (off_t)share->index);
        if (at == MAP_FAILED) {
            h.error = errno;
            count++;
            break;
        }
        memset(at, 1, size);
        CHECK_EQ(munmap(at, size), 0);
    }
    while (count > 0) {
        struct share_dealloc end = {list[--count].index, list[count].count};
        CHECK_EQ(ioctl(fd, SHARE_DEALLOC, &end), 0);
    }
    return fault_release(&h);
}

/* Pages of our own, which a PV guest can map. */
static int mappings(void)
{
    struct fault_held h = {0};
    struct share_alloc share = {.count = 2, .flags = 1};
    struct share_dealloc end;
    struct map_grant maps[MAPPINGS];
    int fd = device(&h, "gntdev"), made, count = 0;

    if (fd < 0)
        return fault_release(&h);
    made = device(&h, "gntalloc");
    if (made < 0 || !fault_ok(&h, ioctl(made, SHARE_ALLOC, &share)))
        return fault_release(&h);
    for (; count < MAPPINGS; count++) {
        struct map_grant *map = &maps[count];
        char *at;

        *map = (struct map_grant){.count = 2};
        map->grants[0].reference = share.references[0];
        map->grants[1].reference = share.references[1];
        if (!fault_ok(&h, ioctl(fd, MAP_GRANT, map)))
            break;
        if (!is_pv)
            continue;
        at = mmap(NULL, 2 * XEN_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                  (off_t)map->index);
        if (at == MAP_FAILED) {
            h.error = errno;
            count++;
            break;
        }
        at[XEN_PAGE] = 7;
        CHECK_EQ(munmap(at, 2 * XEN_PAGE), 0);
    }
    while (count > 0) {
        struct unmap_grant over = {maps[--count].index, 2, 0};
        CHECK_EQ(ioctl(fd, UNMAP_GRANT, &over), 0);
    }
    end = (struct share_dealloc){share.index, share.count};
    CHECK_EQ(ioctl(made, SHARE_DEALLOC, &end), 0);
    return fault_release(&h);
}

/* Connections, each with watches and transactions if there is a daemon. */
static int connections(void)
{
    static const struct {
        struct store_head head;
        char data[8];
    } requests[] = {{{STORE_WATCH, 1, 0, 7}, "data\0t"},
                    {{STORE_TRANSACTION_START, 2, 0, 1}, ""},
                    {{STORE_READ, 3, 0, 6}, "domid"}};
    struct fault_held h = {0};
    struct store_head head;
    char rest[STORE_PAYLOAD_MAX];

    for (int i = 0; i < 6; i++) {
        int fd = device(&h, "xenbus");

        for (size_t r = 0; fd >= 0 && r < 3; r++) {
            size_t size = sizeof(head) + requests[r].head.size;

            if (!fault_ok(&h, write(fd, &requests[r], size)))
                break;
            do { /* until the answer; events may come before it */
                CHECK_EQ(read(fd, &head, sizeof(head)), sizeof(head));
                CHECK(head.size <= sizeof(rest));
                CHECK_EQ(read(fd, rest, head.size), head.size);
            } while (head.type == STORE_WATCH_EVENT);
            CHECK_EQ(head.request, requests[r].head.request);
        }
        if (h.error != 0)
            break;
    }
    return fault_release(&h);
}

int main(void)
{
    static const struct fault_scenario list[] = {
        {"event channels", events, 0},
        {"shared pages", shares, 0},
        {"mapped pages", mappings, 0},
        {"connections", connections, 0},
    };
    setvbuf(stdout, NULL, _IOLBF, 256);
    close(xen_open("evtchn", 0)); /* or skipped */
    is_pv = strstr(check_content("/proc/halvm/status"), "base xenpv\n") != NULL;
    fault_run(list, sizeof(list) / sizeof(list[0]));
    return 0;
}
