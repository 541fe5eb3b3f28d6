/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options of sockets: those that servers set.
 *
 * Covers: setsockopt getsockopt
 */
#include "net.h"

static void test_socket_level(int fd)
{
    struct timeval limit = {1, 500000}, got;
    struct linger linger = {1, 5}, linger_got;
    socklen_t size;

    CHECK_EQ(net_option(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    CHECK_EQ(net_option(fd, SOL_SOCKET, SO_DOMAIN), AF_INET);
    CHECK_EQ(net_option(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    CHECK_EQ(net_option(fd, SOL_SOCKET, SO_ERROR), 0);
    CHECK_EQ(net_option(fd, SOL_SOCKET, SO_ACCEPTCONN), 0);
    CHECK_EQ(net_option(fd, SOL_SOCKET, SO_REUSEADDR), 0);
    CHECK_EQ(net_set(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    CHECK_EQ(net_option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
    CHECK_EQ(net_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
    CHECK_EQ(net_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    CHECK_EQ(net_set(fd, SOL_SOCKET, SO_SNDBUF, 32768), 0);
    CHECK(net_option(fd, SOL_SOCKET, SO_SNDBUF) > 0);
    CHECK_EQ(net_set(fd, SOL_SOCKET, SO_RCVBUF, 32768), 0);
    CHECK(net_option(fd, SOL_SOCKET, SO_RCVBUF) > 0);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    size = sizeof(got);
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &got, &size), 0);
    CHECK(size == sizeof(got) && got.tv_sec == 1);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)), 0);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    size = sizeof(linger_got);
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger_got, &size), 0);
    CHECK(linger_got.l_onoff == 1 && linger_got.l_linger == 5);
}

static void test_tcp_level(int fd)
{
    CHECK_EQ(net_option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    CHECK_EQ(net_set(fd, IPPROTO_TCP, TCP_NODELAY, 1), 0);
    CHECK_EQ(net_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    CHECK_EQ(net_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 100), 0);
    CHECK_EQ(net_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 100);
    CHECK_EQ(net_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10), 0);
    CHECK_EQ(net_option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    CHECK_EQ(net_set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3), 0);
    CHECK_EQ(net_option(fd, IPPROTO_TCP, TCP_KEEPCNT), 3);
    CHECK(net_option(fd, IPPROTO_TCP, TCP_MAXSEG) > 0);
}

static void test_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    CHECK_EQ(net_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    CHECK_EQ(net_option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    CHECK_EQ(net_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0), 0);
    close(fd);
}

/* One socket for both families: an IPv4 client shows up mapped. */
static void test_dual(void)
{
    union net_address a;
    socklen_t size = sizeof(a.v6);
    int fd = socket(AF_INET6, SOCK_STREAM, 0);

    memset(&a, 0, sizeof(a));
    a.v6.sin6_family = AF_INET6;
    CHECK_EQ(net_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0), 0);
    CHECK_EQ(bind(fd, &a.any, size), 0);
    CHECK_EQ(listen(fd, 4), 0);
    CHECK_EQ(net_option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
    CHECK_EQ(getsockname(fd, &a.any, &size), 0);
    int port = ntohs(a.v6.sin6_port);
    int client = net_connect(AF_INET, port);
    size = sizeof(a);
    int server = accept(fd, &a.any, &size);
    CHECK(server >= 0);
    CHECK_EQ(a.any.sa_family, AF_INET6);
    CHECK(IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr));
    close(server);
    close(client);
    client = net_connect(AF_INET6, port);
    server = accept(fd, NULL, NULL);
    CHECK(server >= 0);
    close(server);
    close(client);
    close(fd);
}

static void test_errors(int fd)
{
    int value = 1;
    socklen_t size = sizeof(value);

    CHECK_ERR(setsockopt(fd, SOL_SOCKET, 9999, &value, sizeof(value)),
              ENOPROTOOPT);
    CHECK_ERR(getsockopt(fd, SOL_SOCKET, 9999, &value, &size), ENOPROTOOPT);
    CHECK_ERR(getsockopt(fd, IPPROTO_TCP, 9999, &value, &size), ENOPROTOOPT);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 1), EINVAL);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, check_bad_pointer(), 4),
              EFAULT);
    CHECK_ERR(setsockopt(-1, SOL_SOCKET, SO_REUSEADDR, &value, 4), EBADF);
    CHECK_ERR(getsockopt(-1, SOL_SOCKET, SO_REUSEADDR, &value, &size), EBADF);
    CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, check_bad_pointer(), &size),
              EFAULT);
    CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, check_bad_pointer()),
              EFAULT);
    check_scratch();
    check_file("file", "x");
    int file = open("file", O_RDONLY);
    CHECK_ERR(setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &value, 4), ENOTSOCK);
    close(file);
}

int main(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0);
    test_socket_level(fd);
    test_tcp_level(fd);
    test_ipv6();
    test_dual();
    test_errors(fd);
    close(fd);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(net_option(fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
    CHECK_EQ(net_set(fd, SOL_SOCKET, SO_BROADCAST, 1), 0);
    CHECK_EQ(net_option(fd, SOL_SOCKET, SO_BROADCAST), 1);
    close(fd);
    return 0;
}
