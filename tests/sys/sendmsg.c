/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages with vectors and addresses, and the flags of receiving.
 *
 * Covers: sendmsg recvmsg recvfrom sendto
 */
#include "net.h"
#include <limits.h>

static void test_vectors(int pair[2])
{
    char a[4] = "abc", b[4] = "def", x[2], y[8];
    struct iovec out[2] = {{a, 3}, {b, 3}}, in[2] = {{x, 2}, {y, 8}};
    struct msghdr m = {.msg_iov = out, .msg_iovlen = 2};

    CHECK_EQ(sendmsg(pair[0], &m, 0), 6);
    CHECK(net_poll(pair[1], POLLIN, 1000) & POLLIN);
    m = (struct msghdr){.msg_iov = in, .msg_iovlen = 2};
    CHECK_EQ(recvmsg(pair[1], &m, 0), 6);
    CHECK(!memcmp(x, "ab", 2) && !memcmp(y, "cdef", 4));
    CHECK_EQ(m.msg_controllen, 0);
    CHECK_EQ(m.msg_flags & MSG_TRUNC, 0);
}

static void test_peek(int pair[2])
{
    char buffer[16];

    CHECK_EQ(send(pair[0], "peek", 4, 0), 4);
    CHECK_EQ(recv(pair[1], buffer, 2, MSG_PEEK), 2);
    CHECK_EQ(recv(pair[1], buffer, 16, MSG_PEEK), 4);
    CHECK_EQ(recv(pair[1], buffer, 16, 0), 4); /* it is still there */
    CHECK(!memcmp(buffer, "peek", 4));
    CHECK_ERR(recv(pair[1], buffer, 16, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
}

static void test_wait_all(int pair[2])
{
    char buffer[16];

    CHECK_EQ(send(pair[0], "part", 4, 0), 4);
    CHECK_EQ(send(pair[0], "rest", 4, 0), 4);
    CHECK_EQ(recv(pair[1], buffer, 8, MSG_WAITALL), 8);
    CHECK(!memcmp(buffer, "partrest", 8));
}

static void test_datagram(void)
{
    union net_address to, from;
    char data[] = "0123456789", small[4];
    struct iovec out = {data, 10}, in = {small, 4};
    int port, server = net_bound(AF_INET, SOCK_DGRAM, &port);
    int client = socket(AF_INET, SOCK_DGRAM, 0);
    socklen_t size = net_loopback(&to, AF_INET, port);
    struct msghdr m = {
        .msg_name = &to, .msg_namelen = size, .msg_iov = &out, .msg_iovlen = 1};

    CHECK_EQ(sendmsg(client, &m, 0), 10);
    CHECK_EQ(net_poll(server, POLLIN, 1000), POLLIN);
    m = (struct msghdr){.msg_name = &from,
                        .msg_namelen = sizeof(from),
                        .msg_iov = &in,
                        .msg_iovlen = 1};
    CHECK_EQ(recvmsg(server, &m, MSG_PEEK), 4);
    CHECK(m.msg_flags & MSG_TRUNC);
    CHECK_EQ(m.msg_namelen, sizeof(from.v4));
    CHECK_EQ(from.v4.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    CHECK_EQ(recv(server, small, 4, MSG_TRUNC), 10); /* its true length */
    /* A cut-off address is told in full length. */
    m = (struct msghdr){
        .msg_name = &to, .msg_namelen = size, .msg_iov = &out, .msg_iovlen = 1};
    CHECK_EQ(sendmsg(client, &m, 0), 10);
    union net_address cut;
    memset(&cut, 0x55, sizeof(cut));
    socklen_t cut_size = 4;
    CHECK_EQ(recvfrom(server, small, 4, 0, &cut.any, &cut_size), 4);
    CHECK_EQ(cut_size, sizeof(cut.v4));
    CHECK_EQ(((unsigned char *)&cut)[4], 0x55);
    close(client);
    close(server);
}

static void test_errors(int pair[2])
{
    char c;
    struct iovec one = {&c, 1};
    struct msghdr m = {.msg_iov = &one, .msg_iovlen = 1};

    CHECK_ERR(sendmsg(-1, &m, 0), EBADF);
    CHECK_ERR(recvmsg(-1, &m, 0), EBADF);
    CHECK_ERR(syscall(SYS_sendmsg, pair[0], check_bad_pointer(), 0), EFAULT);
    CHECK_ERR(syscall(SYS_recvmsg, pair[0], check_bad_pointer(), MSG_DONTWAIT),
              EFAULT);
    m.msg_iovlen = IOV_MAX + 1;
    CHECK_ERR(syscall(SYS_sendmsg, pair[0], &m, 0), EMSGSIZE);
    int p[2];
    CHECK_EQ(pipe(p), 0);
    m.msg_iovlen = 1;
    CHECK_ERR(sendmsg(p[1], &m, 0), ENOTSOCK);
    CHECK_ERR(recv(p[0], &c, 1, 0), ENOTSOCK);
    CHECK_ERR(recv(pair[0], &c, 1, MSG_OOB), EINVAL);
    close(p[0]);
    close(p[1]);
    CHECK_EQ(send(pair[0], "f", 1, 0), 1);
    CHECK(net_poll(pair[1], POLLIN, 1000) & POLLIN);
    CHECK_ERR(recv(pair[1], check_bad_pointer(), 1, 0), EFAULT);
    CHECK_ERR(send(pair[0], check_bad_pointer(), 1, 0), EFAULT);
}

int main(void)
{
    int pair[2];

    net_tcp_pair(AF_INET, pair);
    test_vectors(pair);
    test_peek(pair);
    test_wait_all(pair);
    test_errors(pair);
    close(pair[0]);
    close(pair[1]);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    test_vectors(pair);
    test_peek(pair);
    test_wait_all(pair);
    close(pair[0]);
    close(pair[1]);
    test_datagram();
    return 0;
}
