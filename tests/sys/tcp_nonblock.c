/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP without waiting.
 *
 * Covers: connect accept sendto recvfrom getsockopt socket
 */
#include "net.h"
#include <signal.h>

static void test_connect(void)
{
    union net_address a;
    int port, listener = net_listener(AF_INET, &port);
    socklen_t size = net_loopback(&a, AF_INET, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    int result = connect(fd, &a.any, size);
    CHECK(result == 0 || errno == EINPROGRESS);
    CHECK_EQ(net_poll(fd, POLLOUT, 1000), POLLOUT);
    CHECK_EQ(net_option(fd, SOL_SOCKET, SO_ERROR), 0);
    /* Linux answers the first further connect with 0, then EISCONN. */
    result = connect(fd, &a.any, size);
    CHECK(result == 0 || errno == EISCONN);
    CHECK_ERR(connect(fd, &a.any, size), EISCONN);
    int server = accept(listener, NULL, NULL);
    CHECK(server >= 0);
    close(server);
    close(fd);
    close(listener);
}

static void test_refused(void)
{
    union net_address a;
    int port, closed = net_bound(AF_INET, SOCK_STREAM, &port);
    socklen_t size = net_loopback(&a, AF_INET, port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    close(closed); /* nobody listens there now */
    int result = connect(fd, &a.any, size);
    CHECK_EQ(result, -1);
    if (errno == EINPROGRESS) {
        int bits = net_poll(fd, POLLOUT, 1000);
        CHECK(bits & POLLOUT);
        CHECK(bits & POLLERR);
        CHECK_EQ(net_option(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
        CHECK_EQ(net_option(fd, SOL_SOCKET, SO_ERROR), 0); /* told once */
    } else {
        CHECK_EQ(errno, ECONNREFUSED);
    }
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERR(connect(fd, &a.any, size), ECONNREFUSED);
    close(fd);
}

static void test_transfer(void)
{
    static char data[65536];
    int pair[2];
    char c;
    size_t sent = 0, received = 0;
    ssize_t n;

    net_tcp_pair(AF_INET, pair);
    CHECK_EQ(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    CHECK_EQ(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    CHECK_ERR(read(pair[1], &c, 1), EAGAIN);
    CHECK_ERR(recv(pair[1], &c, 1, MSG_DONTWAIT), EAGAIN);
    /* Fill it, until it neither takes more nor says that it would. */
    do {
        while ((n = write(pair[0], data, sizeof(data))) > 0)
            sent += (size_t)n;
        CHECK(n == -1 && errno == EAGAIN);
    } while (net_poll(pair[0], POLLOUT, 20) & POLLOUT);
    CHECK(sent > 1000);
    while (received < sent) {
        CHECK_EQ(net_poll(pair[1], POLLIN, 1000), POLLIN);
        while ((n = read(pair[1], data, sizeof(data))) > 0)
            received += (size_t)n;
        CHECK(errno == EAGAIN);
    }
    CHECK_EQ(received, sent);
    CHECK_EQ(net_poll(pair[0], POLLOUT, 1000), POLLOUT); /* room again */
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    test_connect();
    test_refused();
    test_transfer();
    return 0;
}
