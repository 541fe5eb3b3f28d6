/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How connections end: in halves, by reset, by time.
 *
 * Covers: shutdown close setsockopt
 */
#include "net.h"
#include <signal.h>
#include <sys/ioctl.h>

static volatile sig_atomic_t broken;

static void on_pipe(int number)
{
    broken++;
}

static void test_half_close(void)
{
    int pair[2];
    char buffer[16];

    net_tcp_pair(AF_INET, pair);
    CHECK_EQ(write(pair[0], "question", 8), 8);
    CHECK_EQ(shutdown(pair[0], SHUT_WR), 0);
    net_read_all(pair[1], buffer, 8);
    CHECK_EQ(read(pair[1], buffer, 16), 0);
    CHECK(net_poll(pair[1], POLLIN | POLLRDHUP, 1000) & POLLRDHUP);
    CHECK_EQ(write(pair[1], "answer", 6), 6); /* the other half lives */
    net_read_all(pair[0], buffer, 6);
    CHECK_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(broken, 0);
    CHECK_ERR(send(pair[0], "x", 1, 0), EPIPE);
    CHECK_EQ(broken, 1);
    CHECK_EQ(shutdown(pair[1], SHUT_WR), 0);
    CHECK_EQ(read(pair[0], buffer, 16), 0);
    CHECK(net_poll(pair[0], POLLIN, 1000) & POLLHUP);
    close(pair[0]);
    close(pair[1]);
}

static void test_shutdown_read(void)
{
    int pair[2];
    char c;

    net_tcp_pair(AF_INET, pair);
    CHECK_EQ(shutdown(pair[1], SHUT_RD), 0);
    CHECK_EQ(read(pair[1], &c, 1), 0);
    CHECK_EQ(write(pair[1], "x", 1), 1);
    net_read_all(pair[0], &c, 1);
    CHECK_EQ(shutdown(pair[1], SHUT_RDWR), 0);
    CHECK_EQ(read(pair[0], &c, 1), 0);
    CHECK_ERR(shutdown(pair[0], 77), EINVAL);
    CHECK_ERR(shutdown(-1, SHUT_RD), EBADF);
    close(pair[0]);
    close(pair[1]);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_ERR(shutdown(fd, SHUT_WR), ENOTCONN);
    close(fd);
}

/* Closing with unread data, or with a linger time of zero, is a reset. */
static void test_reset(void)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    int pair[2];
    char c;

    net_tcp_pair(AF_INET, pair);
    CHECK_EQ(
        setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    close(pair[0]);
    int bits = net_poll(pair[1], POLLIN, 1000);
    CHECK(bits & POLLERR && bits & POLLIN);
    CHECK_ERR(read(pair[1], &c, 1), ECONNRESET);
    CHECK_EQ(read(pair[1], &c, 1), 0); /* the error is told once */
    CHECK_ERR(send(pair[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    close(pair[1]);

    net_tcp_pair(AF_INET, pair);
    CHECK_EQ(write(pair[0], "unread", 6), 6);
    CHECK_EQ(net_poll(pair[1], POLLIN, 1000), POLLIN);
    close(pair[1]);
    CHECK(net_poll(pair[0], POLLIN, 1000) & (POLLERR | POLLHUP));
    CHECK_ERR(read(pair[0], &c, 1), ECONNRESET);
    close(pair[0]);
}

/* Writing to a peer that is gone: first accepted, then refused. */
static void test_write_to_closed(void)
{
    int pair[2];

    net_tcp_pair(AF_INET, pair);
    close(pair[1]);
    CHECK_EQ(net_poll(pair[0], POLLIN, 1000) & POLLIN, POLLIN);
    CHECK_EQ(send(pair[0], "x", 1, MSG_NOSIGNAL), 1);
    net_poll(pair[0], POLLERR, 200);
    ssize_t n = send(pair[0], "x", 1, MSG_NOSIGNAL);
    CHECK(n == -1 && (errno == EPIPE || errno == ECONNRESET));
    close(pair[0]);
}

static void test_receive_timeout(void)
{
    struct timeval limit = {0, 30000};
    int pair[2];
    char c;

    net_tcp_pair(AF_INET, pair);
    CHECK_EQ(
        setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    long long start = check_now_ns();
    CHECK_ERR(read(pair[0], &c, 1), EAGAIN);
    CHECK(check_now_ns() - start >= 25000000);
    close(pair[0]);
    close(pair[1]);
}

/* The port can be listened on again while old connections linger. */
static void test_reuse(void)
{
    union net_address a;
    socklen_t size = net_loopback(&a, AF_INET, 0);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    CHECK_EQ(net_set(listener, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    CHECK_EQ(bind(listener, &a.any, size), 0);
    CHECK_EQ(listen(listener, 4), 0);
    CHECK_EQ(getsockname(listener, &a.any, &size), 0);
    int port = ntohs(a.v4.sin_port);
    int client = net_connect(AF_INET, port);
    int server = accept(listener, NULL, NULL);

    close(server); /* the side that closes first waits for a while */
    close(client);
    close(listener);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(net_set(fd, SOL_SOCKET, SO_REUSEADDR, 1), 0);
    CHECK_EQ(bind(fd, &a.any, size), 0);
    CHECK_EQ(listen(fd, 1), 0);
    close(fd);
}

int main(void)
{
    struct sigaction act = {.sa_handler = on_pipe};

    CHECK_EQ(sigaction(SIGPIPE, &act, NULL), 0);
    test_half_close();
    test_shutdown_read();
    test_reset();
    test_write_to_closed();
    test_receive_timeout();
    test_reuse();
    return 0;
}
