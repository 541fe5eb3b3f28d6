/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /dev/xen/evtchn: event channels of a domain to itself. An event is told once
 * and then not until its port is written; ports are their file's and end with
 * it; wrong ones are refused.
 *
 * Covers: ioctl poll read write
 */
#include "xen.h"

#define PAIRS 40

static int events, others;

static int unbound(int fd)
{
    uint32_t domain = XEN_SELF;
    int port = ioctl(fd, EVENT_UNBOUND, &domain);

    CHECK(port > 0);
    return port;
}

static int bind_to(int fd, int remote)
{
    uint32_t words[2] = {XEN_SELF, (uint32_t)remote};

    return ioctl(fd, EVENT_INTERDOMAIN, words);
}

static int on_port(int fd, unsigned long request, int port)
{
    uint32_t word = (uint32_t)port;

    return ioctl(fd, request, &word);
}

static uint32_t take(int fd)
{
    uint32_t port;

    CHECK_EQ(read(fd, &port, sizeof(port)), sizeof(port));
    return port;
}

static void give(int fd, uint32_t port)
{
    CHECK_EQ(write(fd, &port, sizeof(port)), sizeof(port));
}

/* What binding itself tells. */
static void drain(void)
{
    uint32_t ports[64];
    ssize_t size;

    while (xen_readable(events, 50)) {
        size = read(events, ports, sizeof(ports));
        CHECK(size > 0 && size % 4 == 0);
        CHECK_EQ(write(events, ports, (size_t)size), size);
    }
}

static void told_once(int first, int second)
{
    uint32_t port;

    CHECK_EQ(on_port(events, EVENT_NOTIFY, first), 0);
    CHECK(xen_readable(events, 2000));
    CHECK_EQ(take(events), second);
    /* silent until it is written */
    CHECK_EQ(on_port(events, EVENT_NOTIFY, first), 0);
    CHECK_EQ(on_port(events, EVENT_NOTIFY, first), 0);
    CHECK(!xen_readable(events, 50));
    CHECK_ERR(read(events, &port, sizeof(port)), EAGAIN);
    give(events, (uint32_t)second);
    CHECK(xen_readable(events, 2000));
    CHECK_EQ(take(events), second);
    give(events, (uint32_t)second);
    CHECK(!xen_readable(events, 50));
    /* the other direction */
    CHECK_EQ(on_port(events, EVENT_NOTIFY, second), 0);
    CHECK(xen_readable(events, 2000));
    CHECK_EQ(take(events), first);
    give(events, (uint32_t)first);
}

static void refused(int first)
{
    uint32_t words[2] = {999, 1}, port;

    CHECK_ERR(on_port(others, EVENT_NOTIFY, first), ENOTCONN);
    CHECK_ERR(on_port(others, EVENT_UNBIND, first), ENOTCONN);
    CHECK_ERR(on_port(events, EVENT_NOTIFY, 4000000), ENOTCONN);
    CHECK(ioctl(events, EVENT_INTERDOMAIN, words) == -1);
    CHECK(bind_to(events, 4000000) == -1);
    CHECK_ERR(ioctl(events, EVENT_NOTIFY, check_bad_pointer()), EFAULT);
    CHECK_ERR(ioctl(events, _IOC(_IOC_NONE, 'E', 99, 4), &port), ENOSYS);
    CHECK_ERR(read(events, &port, sizeof(port)), EAGAIN);
    CHECK_EQ(read(events, &port, 3), 0);
    port = 77777; /* is passed over */
    give(events, port);
}

/* Many at once, and all end with the file. */
static void many(void)
{
    int fd = xen_open("evtchn", O_NONBLOCK), first[PAIRS], second[PAIRS];
    uint32_t ports[3];
    unsigned seen = 0;

    for (int i = 0; i < PAIRS; i++) {
        first[i] = unbound(fd);
        second[i] = bind_to(fd, first[i]);
        CHECK(second[i] > 0);
    }
    while (seen < PAIRS) {
        CHECK(xen_readable(fd, 2000));
        ssize_t size = read(fd, ports, sizeof(ports));
        CHECK(size > 0);
        seen += (unsigned)size / 4; /* none is written back */
    }
    CHECK_EQ(on_port(fd, EVENT_UNBIND, first[0]), 0);
    CHECK_ERR(on_port(fd, EVENT_NOTIFY, first[0]), ENOTCONN);
    CHECK_EQ(on_port(fd, EVENT_NOTIFY, second[0]), 0); /* to nobody */
    CHECK_EQ(close(fd), 0);
    CHECK(bind_to(events, first[1]) == -1);
}

int main(void)
{
    int before, first, second;

    events = xen_open("evtchn", O_NONBLOCK);
    others = xen_open("evtchn", 0);
    before = check_open_descriptors();
    first = unbound(events);
    second = bind_to(events, first);
    CHECK(second > 0);
    drain();
    told_once(first, second);
    drain();
    refused(first);
    many();
    for (int i = 0; i < 200; i++) {
        int one = unbound(events), two = bind_to(events, one);

        CHECK(two > 0);
        CHECK_EQ(on_port(events, EVENT_UNBIND, one), 0);
        CHECK_EQ(on_port(events, EVENT_UNBIND, two), 0);
    }
    CHECK_EQ(ioctl(events, EVENT_RESET), 0);
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
