/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP over the loopback interface: the life of a connection, IPv4 and IPv6.
 *
 * Covers: socket bind listen connect accept accept4 getsockname getpeername
 * Covers: sendto recvfrom read write
 */
#include "net.h"

static void test_connection(int family)
{
    union net_address a, b;
    socklen_t size;
    char buffer[64];
    int port, listener = net_listener(family, &port);

    CHECK_EQ(net_poll(listener, POLLIN, 0), 0);
    int client = net_connect(family, port);
    CHECK_EQ(net_poll(listener, POLLIN, 1000), POLLIN);
    size = sizeof(a);
    int server = accept(listener, &a.any, &size);
    CHECK(server >= 0);
    CHECK_EQ(size, family == AF_INET ? sizeof(a.v4) : sizeof(a.v6));
    CHECK_EQ(a.any.sa_family, family);
    /* Each side's name is the other's peer. */
    size = sizeof(b);
    CHECK_EQ(getsockname(client, &b.any, &size), 0);
    CHECK(!memcmp(&a, &b, size));
    size = sizeof(b);
    CHECK_EQ(getpeername(server, &b.any, &size), 0);
    CHECK(!memcmp(&a, &b, size));
    size = sizeof(b);
    CHECK_EQ(getpeername(client, &b.any, &size), 0);
    CHECK_EQ(ntohs(family == AF_INET ? b.v4.sin_port : b.v6.sin6_port), port);

    CHECK_EQ(net_poll(client, POLLIN | POLLOUT, 0), POLLOUT);
    CHECK_EQ(write(client, "hello", 5), 5);
    CHECK_EQ(net_poll(server, POLLIN, 1000), POLLIN);
    CHECK_EQ(read(server, buffer, 2), 2);
    CHECK_EQ(recv(server, buffer + 2, 60, 0), 3);
    CHECK(!memcmp(buffer, "hello", 5));
    CHECK_EQ(send(server, "world!", 6, 0), 6);
    net_read_all(client, buffer, 6);
    CHECK(!memcmp(buffer, "world!", 6));
    close(server);
    CHECK_EQ(net_poll(client, POLLIN, 1000) & POLLIN, POLLIN);
    CHECK_EQ(read(client, buffer, 64), 0); /* the end */
    CHECK_EQ(read(client, buffer, 64), 0);
    close(client);
    close(listener);
}

static void test_several(void)
{
    enum { CLIENTS = 10 };
    int port, clients[CLIENTS], listener = net_listener(AF_INET, &port);

    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = net_connect(AF_INET, port);
        char c = (char)('a' + i);
        CHECK_EQ(write(clients[i], &c, 1), 1);
    }
    for (int i = 0; i < CLIENTS; i++) {
        char c;
        int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        CHECK(server >= 0);
        CHECK_EQ(fcntl(server, F_GETFD), FD_CLOEXEC);
        net_read_all(server, &c, 1);
        CHECK_EQ(c, 'a' + i); /* in the order they came */
        close(server);
    }
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    close(listener);
}

static void test_accept_flags(void)
{
    int port, listener = net_listener(AF_INET, &port), fd;

    CHECK_EQ(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
    CHECK_ERR(accept(listener, NULL, NULL), EAGAIN);
    int client = net_connect(AF_INET, port);
    CHECK_EQ(net_poll(listener, POLLIN, 1000), POLLIN);
    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    CHECK(fd >= 0);
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    close(fd);
    close(client);
    client = net_connect(AF_INET, port);
    CHECK_EQ(net_poll(listener, POLLIN, 1000), POLLIN);
    fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    CHECK(!(fcntl(fd, F_GETFL) & O_NONBLOCK)); /* not inherited */
    close(fd);
    close(client);
    CHECK_ERR(syscall(SYS_accept4, listener, NULL, NULL, 0x40), EINVAL);
    close(listener);
}

/* A connection may end before it was accepted. */
static void test_early_end(void)
{
    int port, listener = net_listener(AF_INET, &port);
    int client = net_connect(AF_INET, port);
    char buffer[8];

    CHECK_EQ(write(client, "bye", 3), 3);
    close(client);
    int server = accept(listener, NULL, NULL);
    CHECK(server >= 0);
    net_read_all(server, buffer, 3);
    CHECK_EQ(read(server, buffer, 8), 0);
    close(server);
    close(listener);
}

int main(void)
{
    int before = check_open_descriptors();

    test_connection(AF_INET);
    test_connection(AF_INET6);
    test_several();
    test_accept_flags();
    test_early_end();
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
