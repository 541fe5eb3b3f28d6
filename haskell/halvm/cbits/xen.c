/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Linux's /dev/xen for System.HaLVM.Xen: descriptors, requests and mappings, as
 * <xen/evtchn.h>, <xen/gntalloc.h> and <xen/gntdev.h> describe them. A
 * unikernel has the same (docs/xen.md).
 *
 * Results as the kernel's: >= 0 or -errno.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

#define BIND_INTERDOMAIN  _IOC(_IOC_NONE, 'E', 1, 8)
#define BIND_UNBOUND_PORT _IOC(_IOC_NONE, 'E', 2, 4)
#define NOTIFY            _IOC(_IOC_NONE, 'E', 4, 4)
#define MAP_GRANT_REF     _IOC(_IOC_NONE, 'G', 0, 24)
#define ALLOC_GREF        _IOC(_IOC_NONE, 'G', 5, 24)
#define DEALLOC_GREF      _IOC(_IOC_NONE, 'G', 6, 16)
#define WRITABLE          1

struct alloc_request {
    uint16_t domain, flags;
    uint32_t count;
    uint64_t index;
    uint32_t references[];
};
struct map_request {
    uint32_t count, pad;
    uint64_t index;
    struct {
        uint32_t domain, reference;
    } grants[];
};

int hs_xen_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

/* XenStore: bytes as they are. */
long hs_xen_read(int fd, void *to, size_t size)
{
    ssize_t got = read(fd, to, size);

    return got < 0 ? -errno : got;
}

long hs_xen_write(int fd, const void *from, size_t size)
{
    ssize_t put = write(fd, from, size);

    return put < 0 ? -errno : put;
}

/* -- event channels -- */

int hs_xen_event_bind(int fd, uint32_t domain, int32_t remote)
{
    uint32_t words[2] = {domain, (uint32_t)remote};
    int port =
        ioctl(fd, remote < 0 ? BIND_UNBOUND_PORT : BIND_INTERDOMAIN, words);

    return port < 0 ? -errno : port;
}

int hs_xen_event_notify(int fd, uint32_t port)
{
    return ioctl(fd, NOTIFY, &port) < 0 ? -errno : 0;
}

/* Takes the event, and lets the next one be told: 0; -EAGAIN: none. */
int hs_xen_event_take(int fd)
{
    uint32_t port;

    if (read(fd, &port, sizeof port) != sizeof port ||
        write(fd, &port, sizeof port) != sizeof port)
        return -errno;
    return 0;
}

/* -- grants -- */

static int see(int fd, uint32_t count, uint64_t index, int writable,
               void **address)
{
    void *at = mmap(NULL, (size_t)count * PAGE,
                    PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd,
                    (off_t)index);

    if (at == MAP_FAILED)
        return -errno;
    *address = at;
    return 0;
}

/* Zeroed pages that the domain may map; fd is of gntalloc, and theirs. */
int hs_xen_share(int fd, uint32_t domain, int writable, uint32_t count,
                 uint32_t *references, uint64_t *index, void **address)
{
    struct alloc_request *request =
        calloc(1, sizeof *request + (count + 1) * sizeof(uint32_t));
    int result;

    if (!request)
        return -ENOMEM;
    request->domain = (uint16_t)domain;
    request->flags = writable ? WRITABLE : 0;
    request->count = count;
    result = ioctl(fd, ALLOC_GREF, request) < 0 ? -errno : 0;
    if (result == 0) {
        *index = request->index;
        for (uint32_t i = 0; i < count; i++)
            references[i] = request->references[i];
        result = see(fd, count, *index, 1, address);
    }
    free(request);
    return result;
}

/* -EBUSY: the domain has pages mapped (a Linux says nothing of it); all is as
 * it was. What we have mapped ourselves would only be ended later. */
int hs_xen_unshare(int fd, uint64_t index, uint32_t count, void *address)
{
    struct {
        uint64_t index;
        uint32_t count, pad;
    } request = {index, count, 0};
    void *again;
    int result;

    if (munmap(address, (size_t)count * PAGE) < 0)
        return -errno;
    result = ioctl(fd, DEALLOC_GREF, &request) < 0 ? -errno : 0;
    if (result == -EBUSY) /* where pages are shared they have one address */
        (void)see(fd, count, index, 1, &again);
    return result;
}

/* Pages of the domain; fd is of gntdev, and theirs. */
int hs_xen_map(int fd, uint32_t domain, int writable, uint32_t count,
               const uint32_t *references, void **address)
{
    struct map_request *request =
        calloc(1, sizeof *request + count * sizeof(request->grants[0]));
    int result;

    if (!request)
        return -ENOMEM;
    request->count = count;
    for (uint32_t i = 0; i < count; i++) {
        request->grants[i].domain = domain;
        request->grants[i].reference = references[i];
    }
    result = ioctl(fd, MAP_GRANT_REF, request) < 0 ? -errno : 0;
    if (result == 0)
        result = see(fd, count, request->index, writable, address);
    free(request);
    return result;
}

int hs_xen_unmap(void *address, uint32_t count)
{
    return munmap(address, (size_t)count * PAGE) < 0 ? -errno : 0;
}
