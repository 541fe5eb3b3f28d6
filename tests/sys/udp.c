/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP over the loopback interface.
 *
 * Covers: socket bind connect sendto recvfrom sendmmsg recvmmsg
 */
#include "net.h"
#include <sys/ioctl.h>

static void test_exchange(int family)
{
    union net_address to, from;
    socklen_t size, from_size = sizeof(from);
    char buffer[64];
    int port, server = net_bound(family, SOCK_DGRAM, &port);
    int client = socket(family, SOCK_DGRAM, 0), n;

    size = net_loopback(&to, family, port);
    CHECK_EQ(sendto(client, "one", 3, 0, &to.any, size), 3);
    CHECK_EQ(sendto(client, "second", 6, 0, &to.any, size), 6);
    CHECK_EQ(sendto(client, "", 0, 0, &to.any, size), 0);
    CHECK_EQ(net_poll(server, POLLIN, 1000), POLLIN);
    CHECK_EQ(ioctl(server, FIONREAD, &n), 0);
    CHECK_EQ(n, 3); /* of the first */
    CHECK_EQ(recvfrom(server, buffer, 64, 0, &from.any, &from_size), 3);
    CHECK_EQ(from_size, size);
    CHECK_EQ(from.any.sa_family, family);
    CHECK_EQ(recv(server, buffer, 3, 0), 3); /* the rest is lost */
    CHECK(!memcmp(buffer, "sec", 3));
    CHECK_EQ(recv(server, buffer, 64, 0), 0); /* an empty one */
    CHECK_ERR(recv(server, buffer, 64, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(sendto(server, "back", 4, 0, &from.any, from_size), 4);
    CHECK_EQ(recv(client, buffer, 64, 0), 4);
    close(client);
    close(server);
}

static void test_connected(void)
{
    union net_address to, a;
    socklen_t size, got = sizeof(a);
    char buffer[8];
    int port, other_port;
    int server = net_bound(AF_INET, SOCK_DGRAM, &port);
    int other = net_bound(AF_INET, SOCK_DGRAM, &other_port);
    int client = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK_ERR(send(client, "x", 1, 0), EDESTADDRREQ);
    CHECK_ERR(getpeername(client, &a.any, &got), ENOTCONN);
    size = net_loopback(&to, AF_INET, port);
    CHECK_EQ(connect(client, &to.any, size), 0);
    CHECK_EQ(send(client, "x", 1, 0), 1);
    got = sizeof(a);
    CHECK_EQ(getpeername(client, &a.any, &got), 0);
    CHECK_EQ(ntohs(a.v4.sin_port), port);
    got = sizeof(a);
    CHECK_EQ(recvfrom(server, buffer, 8, 0, &a.any, &got), 1);
    /* Only its peer reaches a connected socket. */
    CHECK_EQ(sendto(other, "o", 1, 0, &a.any, got), 1);
    CHECK_EQ(sendto(server, "s", 1, 0, &a.any, got), 1);
    CHECK_EQ(recv(client, buffer, 8, 0), 1);
    CHECK_EQ(buffer[0], 's');
    CHECK_ERR(recv(client, buffer, 8, MSG_DONTWAIT), EAGAIN);
    /* Back to all: AF_UNSPEC. */
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    CHECK_EQ(connect(client, &none, sizeof(none)), 0);
    got = sizeof(a);
    CHECK_ERR(getpeername(client, &a.any, &got), ENOTCONN);
    close(client);
    close(server);
    close(other);
}

/* Nobody is there: a connected socket is told. */
static void test_refused(void)
{
    union net_address to;
    int port, closed = net_bound(AF_INET, SOCK_DGRAM, &port);
    socklen_t size = net_loopback(&to, AF_INET, port);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    char c;

    close(closed);
    CHECK_EQ(connect(fd, &to.any, size), 0);
    CHECK_EQ(send(fd, "x", 1, 0), 1);
    CHECK(net_poll(fd, POLLIN, 1000) & POLLERR);
    CHECK_ERR(recv(fd, &c, 1, 0), ECONNREFUSED);
    close(fd);
}

static void test_many(void)
{
    union net_address to;
    char out[4][8], in[4][8];
    struct iovec out_iov[4], in_iov[4];
    struct mmsghdr send_list[4], receive_list[4];
    int port, server = net_bound(AF_INET, SOCK_DGRAM, &port);
    int client = socket(AF_INET, SOCK_DGRAM, 0);
    socklen_t size = net_loopback(&to, AF_INET, port);
    struct timespec second = {1, 0};

    memset(send_list, 0, sizeof(send_list));
    memset(receive_list, 0, sizeof(receive_list));
    for (int i = 0; i < 4; i++) {
        snprintf(out[i], sizeof(out[i]), "msg%d", i);
        out_iov[i] = (struct iovec){out[i], 4};
        in_iov[i] = (struct iovec){in[i], 8};
        send_list[i].msg_hdr.msg_iov = &out_iov[i];
        send_list[i].msg_hdr.msg_iovlen = 1;
        send_list[i].msg_hdr.msg_name = &to;
        send_list[i].msg_hdr.msg_namelen = size;
        receive_list[i].msg_hdr.msg_iov = &in_iov[i];
        receive_list[i].msg_hdr.msg_iovlen = 1;
    }
    CHECK_EQ(sendmmsg(client, send_list, 3, 0), 3);
    CHECK_EQ(send_list[2].msg_len, 4);
    CHECK_EQ(net_poll(server, POLLIN, 1000), POLLIN);
    CHECK_EQ(recvmmsg(server, receive_list, 4, MSG_WAITFORONE, &second), 3);
    CHECK(receive_list[1].msg_len == 4 && !memcmp(in[1], "msg1", 4));
    CHECK_ERR(recvmmsg(server, receive_list, 4, MSG_DONTWAIT, NULL), EAGAIN);
    CHECK_ERR(recvmmsg(-1, receive_list, 4, 0, NULL), EBADF);
    CHECK_ERR(sendmmsg(-1, send_list, 3, 0), EBADF);
    close(client);
    close(server);
}

static void test_sizes(void)
{
    static char data[65600], back[65600];
    union net_address to;
    int port, server = net_bound(AF_INET, SOCK_DGRAM, &port);
    int client = socket(AF_INET, SOCK_DGRAM, 0);
    socklen_t size = net_loopback(&to, AF_INET, port);

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 3);
    CHECK_EQ(sendto(client, data, 1400, 0, &to.any, size), 1400);
    CHECK_EQ(recv(server, back, sizeof(back), 0), 1400);
    CHECK(!memcmp(data, back, 1400));
    CHECK_EQ(sendto(client, data, 9000, 0, &to.any, size), 9000);
    CHECK_EQ(recv(server, back, sizeof(back), 0), 9000);
    CHECK(!memcmp(data, back, 9000));
    CHECK_ERR(sendto(client, data, 65536, 0, &to.any, size), EMSGSIZE);
    close(client);
    close(server);
}

int main(void)
{
    test_exchange(AF_INET);
    test_exchange(AF_INET6);
    test_connected();
    test_refused();
    test_many();
    test_sizes();
    return 0;
}
