/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the socket tests share: addresses on the loopback interface and pairs
 * of connected sockets.
 */
#ifndef TESTS_SYS_NET_H
#define TESTS_SYS_NET_H

#include "check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

union net_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
};

/* The loopback address of a family with this port, in host order. */
static inline socklen_t net_loopback(union net_address *a, int family, int port)
{
    memset(a, 0, sizeof(*a));
    a->any.sa_family = (sa_family_t)family;
    if (family == AF_INET) {
        a->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        a->v4.sin_port = htons((uint16_t)port);
        return sizeof(a->v4);
    }
    a->v6.sin6_addr = in6addr_loopback;
    a->v6.sin6_port = htons((uint16_t)port);
    return sizeof(a->v6);
}

/* 10.0.0.1, which only a provider of the test's knows; and how calls take it.
 */
static inline struct sockaddr_in net_provided(uint16_t port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(0x0a000001)};
}
#define NET_ADDRESS(a) (struct sockaddr *)&(a), sizeof(a)

/* A bound socket; *port gets the number that the system chose. */
static inline int net_bound(int family, int type, int *port)
{
    union net_address a;
    socklen_t size = net_loopback(&a, family, 0);
    int fd = socket(family, type, 0);

    CHECK(fd >= 0);
    CHECK_EQ(bind(fd, &a.any, size), 0);
    CHECK_EQ(getsockname(fd, &a.any, &size), 0);
    *port = ntohs(family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
    CHECK(*port != 0);
    return fd;
}

static inline int net_listener(int family, int *port)
{
    int fd = net_bound(family, SOCK_STREAM, port);

    CHECK_EQ(listen(fd, 16), 0);
    return fd;
}

static inline int net_connect(int family, int port)
{
    union net_address a;
    socklen_t size = net_loopback(&a, family, port);
    int fd = socket(family, SOCK_STREAM, 0);

    CHECK(fd >= 0);
    CHECK_EQ(connect(fd, &a.any, size), 0);
    return fd;
}

/* Two ends of a TCP connection. */
static inline void net_tcp_pair(int family, int pair[2])
{
    int port, listener = net_listener(family, &port);

    pair[0] = net_connect(family, port);
    pair[1] = accept(listener, NULL, NULL);
    CHECK(pair[1] >= 0);
    close(listener);
}

/* The poll bits of fd after at most ms milliseconds. */
static inline int net_poll(int fd, int events, int ms)
{
    struct pollfd p = {.fd = fd, .events = (short)events};

    CHECK(poll(&p, 1, ms) >= 0);
    return p.revents;
}

static inline int net_option(int fd, int level, int name)
{
    int value = -12345;
    socklen_t size = sizeof(value);

    CHECK_EQ(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

static inline int net_set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

/* Reads exactly size bytes. */
static inline void net_read_all(int fd, void *data, size_t size)
{
    for (size_t have = 0; have < size;) {
        ssize_t got = read(fd, (char *)data + have, size - have);
        CHECK(got > 0);
        have += (size_t)got;
    }
}

#endif
