/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interfaces of Linux's /dev/xen, as <xen/evtchn.h>, <xen/gntalloc.h>,
 * <xen/gntdev.h> and <xen/io/xs_wire.h> describe them, for tests of core/xen.
 */
#ifndef TESTS_SYS_XEN_H
#define TESTS_SYS_XEN_H

#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "check.h"

#define XEN_SELF 0x7ff0u /* DOMID_SELF, where it is allowed */
#define XEN_PAGE 4096

#define EVENT_INTERDOMAIN _IOC(_IOC_NONE, 'E', 1, 8)
#define EVENT_UNBOUND     _IOC(_IOC_NONE, 'E', 2, 4)
#define EVENT_UNBIND      _IOC(_IOC_NONE, 'E', 3, 4)
#define EVENT_NOTIFY      _IOC(_IOC_NONE, 'E', 4, 4)
#define EVENT_RESET       _IOC(_IOC_NONE, 'E', 5, 0)

#define SHARE_ALLOC   _IOC(_IOC_NONE, 'G', 5, 24)
#define SHARE_DEALLOC _IOC(_IOC_NONE, 'G', 6, 16)
#define SHARE_MAX     8

struct share_alloc {
    uint16_t domain, flags; /* flags 1: writable */
    uint32_t count;
    uint64_t index;
    uint32_t references[SHARE_MAX];
};
struct share_dealloc {
    uint64_t index;
    uint32_t count;
};

#define MAP_GRANT   _IOC(_IOC_NONE, 'G', 0, 24)
#define UNMAP_GRANT _IOC(_IOC_NONE, 'G', 1, 16)
#define MAP_OFFSET  _IOC(_IOC_NONE, 'G', 2, 24)

struct map_grant {
    uint32_t count, pad;
    uint64_t index;
    struct {
        uint32_t domain, reference;
    } grants[SHARE_MAX];
};
struct unmap_grant {
    uint64_t index;
    uint32_t count, pad;
};
struct map_offset {
    uint64_t address, offset;
    uint32_t count, pad;
};

/* enum xsd_sockmsg_type of <xen/io/xs_wire.h> */
enum {
    STORE_CONTROL = 0,
    STORE_DIRECTORY = 1,
    STORE_READ = 2,
    STORE_GET_PERMS = 3,
    STORE_WATCH = 4,
    STORE_UNWATCH = 5,
    STORE_TRANSACTION_START = 6,
    STORE_TRANSACTION_END = 7,
    STORE_GET_DOMAIN_PATH = 10,
    STORE_WRITE = 11,
    STORE_MKDIR = 12,
    STORE_RM = 13,
    STORE_SET_PERMS = 14,
    STORE_WATCH_EVENT = 15,
    STORE_ERROR = 16,
    STORE_RESET_WATCHES = 21,
};

struct store_head {
    uint32_t type, request, transaction, size;
};
#define STORE_PAYLOAD_MAX 4096

/* A file of /dev/xen; where there is no Xen the test ends as skipped, but in
 * a unikernel the file must not be there. */
static inline int xen_open(const char *name, int flags)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "/dev/xen/%s", name);
    fd = open(path, O_RDWR | flags);
    if (fd < 0) {
        if (check_unikernel())
            CHECK_EQ(errno, ENOENT);
        check_skip("no /dev/xen: this is no guest of Xen");
    }
    return fd;
}

static inline bool xen_readable(int fd, int timeout_ms)
{
    struct pollfd poller = {fd, POLLIN, 0};

    CHECK(poll(&poller, 1, timeout_ms) >= 0);
    return poller.revents & POLLIN;
}

#endif
