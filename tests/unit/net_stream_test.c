/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP sockets over lwIP's loopback: transfer, readiness, half-close, reset,
 * refusal, back pressure, thousands of connections, and memory as before.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "net_mock.h"

#define IN  (POLLIN | POLLRDNORM)
#define OUT (POLLOUT | POLLWRNORM)

static struct sockaddr_in loop4(unsigned port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};

    in.sin_port = (uint16_t)(port << 8 | port >> 8);
    in.sin_addr.s_addr = 0x0100007f;
    return in;
}

static int listener(int domain, unsigned port, int backlog)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr_in in = loop4(port);
    int fd = s_socket(domain, SOCK_STREAM);

    CHECK(fd >= 0);
    in.sin_addr.s_addr = 0;
    in6.sin6_port = in.sin_port;
    CHECK(s_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) == 0);
    if (domain == AF_INET)
        CHECK(s_bind(fd, &in, sizeof(in)) == 0);
    else
        CHECK(s_bind(fd, &in6, sizeof(in6)) == 0);
    CHECK(s_listen(fd, backlog) == 0);
    return fd;
}

static void pair(int server, unsigned port, int *client, int *peer)
{
    struct sockaddr_in in = loop4(port);

    *client = s_socket(AF_INET, SOCK_STREAM);
    CHECK(s_connect(*client, &in, sizeof(in)) == 0);
    CHECK(s_poll(server) == IN);
    *peer = s_accept(server, 0);
    CHECK(*peer >= 0);
}

static void test_transfer(void)
{
    char out[] = "GET / HTTP/1.1\r\n\r\n", in[64];
    struct sockaddr_in name;
    int server = listener(AF_INET, 8000, 5), client, peer;

    CHECK(s_poll(server) == 0);
    pair(server, 8000, &client, &peer);
    CHECK(s_getsockname(peer, &name) == sizeof(name));
    CHECK(name.sin_port == 0x401f && name.sin_addr.s_addr == 0x0100007f);
    CHECK(s_getpeername(client, &name) == sizeof(name));
    CHECK(s_poll(client) == OUT && s_poll(peer) == OUT);
    CHECK(s_send(client, out, sizeof(out), 0) == sizeof(out));
    CHECK(s_poll(peer) == (IN | OUT));
    CHECK(s_recv(peer, in, 3, MSG_PEEK) == 3 && memcmp(in, "GET", 3) == 0);
    CHECK(s_recv(peer, in, sizeof(in), 0) == sizeof(out));
    CHECK(memcmp(in, out, sizeof(out)) == 0);
    CHECK(s_recv(peer, in, sizeof(in), MSG_DONTWAIT) == -EAGAIN);

    /* Half close: the client has said all and still hears. */
    CHECK(s_shutdown(client, SHUT_WR) == 0);
    CHECK(s_poll(peer) == (IN | OUT | POLLRDHUP));
    CHECK(s_recv(peer, in, sizeof(in), 0) == 0);
    CHECK(s_send(peer, "bye", 3, 0) == 3);
    CHECK(s_recv(client, in, sizeof(in), 0) == 3);
    CHECK(s_send(client, "x", 1, 0) == -EPIPE && mock_sigpipes == 1);
    CHECK(s_send(client, "x", 1, MSG_NOSIGNAL) == -EPIPE);
    CHECK(mock_sigpipes == 1);
    s_close(peer);
    CHECK(s_recv(client, in, sizeof(in), 0) == 0);
    CHECK(s_poll(client) == (IN | OUT | POLLHUP | POLLRDHUP));
    s_close(client);
    s_close(server);
}

static void test_refused(void)
{
    struct sockaddr_in in = loop4(81);
    int fd = s_socket(AF_INET, SOCK_STREAM);

    CHECK(s_poll(fd) == (OUT | POLLHUP));
    CHECK(s_send(fd, "x", 1, MSG_NOSIGNAL) == -EPIPE);
    CHECK(s_recv(fd, &in, 1, 0) == -ENOTCONN);
    CHECK(s_connect(fd, &in, sizeof(in)) == -ECONNREFUSED);
    s_nonblock(fd);
    CHECK(s_connect(fd, &in, sizeof(in)) == -EINPROGRESS);
    CHECK(s_poll(fd) & POLLERR);
    CHECK(s_get(fd, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
    CHECK(s_get(fd, SOL_SOCKET, SO_ERROR) == 0);
    s_close(fd);
}

static void test_nonblocking(void)
{
    struct sockaddr_in in = loop4(8001);
    int server = listener(AF_INET, 8001, 5);
    int fd = s_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK);

    s_nonblock(server);
    CHECK(s_accept(server, 0) == -EAGAIN);
    CHECK(s_connect(fd, &in, sizeof(in)) == -EINPROGRESS);
    CHECK(s_poll(fd) & POLLOUT);
    CHECK(s_get(fd, SOL_SOCKET, SO_ERROR) == 0);
    CHECK(s_connect(fd, &in, sizeof(in)) == 0);
    CHECK(s_connect(fd, &in, sizeof(in)) == -EISCONN);
    /* Not accepted, reset by the listener's end. */
    s_close(server);
    CHECK(s_recv(fd, &in, 1, 0) == -ECONNRESET);
    CHECK(s_recv(fd, &in, 1, 0) == 0);
    s_close(fd);
}

/* No memory for a segment while another is under way: the socket is not
 * writable until that is acknowledged. */
static void test_no_memory(void)
{
    int server = listener(AF_INET, 8009, 5), client, peer;

    pair(server, 8009, &client, &peer);
    CHECK(s_send(client, "a", 1, 0) == 1);
    mock_alloc_fails = true;
    CHECK(s_send(client, "b", 1, MSG_DONTWAIT) == -EAGAIN);
    CHECK((s_poll(client) & OUT) == 0);
    mock_alloc_fails = false;
    mock_run_ms(1000);
    CHECK((s_poll(client) & OUT) == OUT);
    CHECK(s_send(client, "b", 1, MSG_DONTWAIT) == 1);
    s_close(client);
    s_close(peer);
    s_close(server);
}

static void test_reset(void)
{
    struct linger linger = {1, 0};
    int server = listener(AF_INET, 8002, 5), client, peer;
    char byte;

    /* Unread data at close means a reset, as does SO_LINGER 0. */
    pair(server, 8002, &client, &peer);
    CHECK(s_send(client, "unread", 6, 0) == 6);
    s_close(peer);
    CHECK(s_poll(client) & POLLERR);
    CHECK(s_recv(client, &byte, 1, 0) == -ECONNRESET);
    s_close(client);

    pair(server, 8002, &client, &peer);
    CHECK(mock_ops(peer)->setsockopt(mock_files[peer], SOL_SOCKET, SO_LINGER,
                                     &linger, sizeof(linger)) == 0);
    s_close(peer);
    CHECK(s_send(client, "x", 1, MSG_NOSIGNAL) == -ECONNRESET);
    CHECK(s_send(client, "x", 1, MSG_NOSIGNAL) == -EPIPE);
    s_close(client);
    s_close(server);
}

static unsigned char big[1 << 20], back[1 << 20];

static void test_bulk(void)
{
    int server = listener(AF_INET, 8003, 5), client, peer;
    size_t sent = 0, received = 0;
    bool full = false;

    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (unsigned char)(i * 2654435761u >> 13);
    pair(server, 8003, &client, &peer);
    s_nonblock(client);
    s_nonblock(peer);
    while (received < sizeof(big)) {
        long n = 0;

        while (sent < sizeof(big) &&
               (n = s_send(client, big + sent, sizeof(big) - sent, 0)) > 0)
            sent += (size_t)n;
        if (sent < sizeof(big)) {
            CHECK(n == -EAGAIN);
            CHECK(!(s_poll(client) & POLLOUT));
            full = true;
        }
        n = s_recv(peer, back + received, 100000, 0);
        if (n > 0)
            received += (size_t)n;
        else
            mock_run_ms(10);
    }
    CHECK(full);
    CHECK(memcmp(big, back, sizeof(big)) == 0);
    mock_run_ms(1000);
    CHECK(s_poll(client) == OUT);
    s_close(client);
    CHECK(s_recv(peer, back, 1, 0) == 0);
    s_close(peer);
    s_close(server);
}

static void test_small_buffers(void)
{
    int server = listener(AF_INET, 8004, 5), client, peer;
    size_t sent = 0, received = 0;

    CHECK(s_set(server, SOL_SOCKET, SO_RCVBUF, 8192) == 0);
    CHECK(s_get(server, SOL_SOCKET, SO_RCVBUF) == 16384);
    pair(server, 8004, &client, &peer);
    CHECK(s_set(client, SOL_SOCKET, SO_SNDBUF, 4096) == 0);
    s_nonblock(client);
    s_nonblock(peer);
    while (received < 200000) {
        long n = s_send(client, big + sent, 200000 - sent, 0);

        CHECK(n > 0 || n == -EAGAIN || sent == 200000);
        if (n > 0)
            sent += (size_t)n;
        n = s_recv(peer, back + received, 3000, 0);
        if (n > 0)
            received += (size_t)n;
        else
            mock_run_ms(10);
    }
    CHECK(memcmp(big, back, 200000) == 0);
    s_close(peer);
    s_close(client);
    s_close(server);
}

static void test_timeouts(void)
{
    struct timeval tv = {0, 50000};
    int server = listener(AF_INET, 8005, 5), client, peer;
    uint64_t start;
    char byte;

    pair(server, 8005, &client, &peer);
    CHECK(mock_ops(peer)->setsockopt(mock_files[peer], SOL_SOCKET, SO_RCVTIMEO,
                                     &tv, sizeof(tv)) == 0);
    start = mock_now_ns;
    CHECK(s_recv(peer, &byte, 1, 0) == -EAGAIN);
    CHECK(mock_now_ns - start >= 50000000);
    s_close(peer);
    s_close(client);
    s_close(server);
}

static void test_dual(void)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6}, name;
    int server = listener(AF_INET6, 8006, 5), client, peer, fd;
    struct sockaddr_in in = loop4(8006);

    /* IPv4 reaches the IPv6 socket, and is shown as mapped. */
    pair(server, 8006, &client, &peer);
    CHECK(s_getpeername(peer, &name) == sizeof(name));
    CHECK(name.sin6_family == AF_INET6 &&
          IN6_IS_ADDR_V4MAPPED(&name.sin6_addr));
    s_close(peer);
    s_close(client);
    /* ::1 */
    in6.sin6_addr.s6_addr[15] = 1;
    in6.sin6_port = in.sin_port;
    client = s_socket(AF_INET6, SOCK_STREAM);
    CHECK(s_connect(client, &in6, sizeof(in6)) == 0);
    peer = s_accept(server, 0);
    CHECK(peer >= 0);
    CHECK(s_send(client, "six", 3, 0) == 3);
    CHECK(s_recv(peer, back, 10, 0) == 3);
    s_close(peer);
    s_close(client);
    /* The port is taken, for IPv4 as well. */
    fd = s_socket(AF_INET, SOCK_STREAM);
    CHECK(s_bind(fd, &in, sizeof(in)) == -EADDRINUSE);
    s_close(fd);
    s_close(server);
    /* IPV6_V6ONLY keeps IPv4 out. */
    server = s_socket(AF_INET6, SOCK_STREAM);
    CHECK(s_set(server, IPPROTO_IPV6, IPV6_V6ONLY, 1) == 0);
    CHECK(s_set(server, SOL_SOCKET, SO_REUSEADDR, 1) == 0);
    in6.sin6_addr.s6_addr[15] = 0;
    CHECK(s_bind(server, &in6, sizeof(in6)) == 0);
    CHECK(s_listen(server, 1) == 0);
    client = s_socket(AF_INET, SOCK_STREAM);
    CHECK(s_connect(client, &in, sizeof(in)) == -ECONNREFUSED);
    s_close(client);
    s_close(server);
}

static void test_thousands(void)
{
    int server = listener(AF_INET, 8007, 128), client, peer;
    char buffer[16];

    for (unsigned i = 0; i < 5000; i++) {
        pair(server, 8007, &client, &peer);
        CHECK(s_send(client, "ping", 4, 0) == 4);
        CHECK(s_recv(peer, buffer, 16, 0) == 4);
        CHECK(s_send(peer, "pong", 4, 0) == 4);
        s_close(peer);
        CHECK(s_recv(client, buffer, 16, MSG_WAITALL) == 4);
        s_close(client);
        if (i % 8 == 0)
            mock_run_ms(1);
    }
    s_close(server);
}

static void test_options(void)
{
    int fd = s_socket(AF_INET, SOCK_STREAM);

    CHECK(s_get(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
    CHECK(s_get(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET);
    CHECK(s_get(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP);
    CHECK(s_get(fd, SOL_SOCKET, SO_ACCEPTCONN) == 0);
    CHECK(s_set(fd, IPPROTO_TCP, TCP_NODELAY, 1) == 0);
    CHECK(s_get(fd, IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(s_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30) == 0);
    CHECK(s_get(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 30);
    CHECK(s_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0) == -EINVAL);
    CHECK(s_set(fd, IPPROTO_TCP, 9999, 0) == -ENOPROTOOPT);
    CHECK(s_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) == -ENOPROTOOPT);
    CHECK(s_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) == 0);
    s_close(fd);
}

int main(void)
{
    size_t objects, pages;

    s_close(s_socket(AF_INET, SOCK_STREAM)); /* starts everything */
    mock_run_ms(5000);
    objects = mock_objects;
    pages = mock_pages;
    test_transfer();
    test_refused();
    test_nonblocking();
    test_no_memory();
    test_reset();
    test_bulk();
    test_small_buffers();
    test_timeouts();
    test_dual();
    test_options();
    test_thousands();
    /* TIME_WAIT and what waits to be sent end within seconds; then no timer
     * is left and every page is back. */
    mock_run_ms(60000);
    CHECK(mock_objects == objects);
    CHECK(mock_pages == pages);
    CHECK(mock_file_count == 0);
    CHECK(mock_run_ms(3600000) == 0);
    puts("net_stream: ok");
    return 0;
}
