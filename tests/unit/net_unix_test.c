/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_UNIX: pairs of each type, named sockets, back pressure, the end of one
 * side, descriptors in messages, credentials; memory as before.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include "net_mock.h"

static char buffer[300000];

static void pair(int type, int fds[2])
{
    CHECK(core_socketpair(AF_UNIX, type, 0, (long)fds) == 0);
}

static void test_stream(void)
{
    int fds[2];

    pair(SOCK_STREAM, fds);
    CHECK(s_poll(fds[0]) == (POLLOUT | POLLWRNORM));
    CHECK(s_send(fds[0], "hello", 5, 0) == 5);
    CHECK(s_send(fds[0], "world", 5, 0) == 5);
    CHECK(s_recv(fds[1], buffer, 3, MSG_PEEK) == 3);
    CHECK(s_recv(fds[1], buffer, 7, 0) == 7);
    CHECK(memcmp(buffer, "hellowo", 7) == 0);
    CHECK(s_recv(fds[1], buffer, 100, 0) == 3);
    CHECK(s_recv(fds[1], buffer, 1, MSG_DONTWAIT) == -EAGAIN);
    /* Full, and room again. */
    CHECK(s_send(fds[0], buffer, sizeof(buffer), MSG_DONTWAIT) == 212992);
    CHECK(s_send(fds[0], buffer, 1, MSG_DONTWAIT) == -EAGAIN);
    CHECK(!(s_poll(fds[0]) & POLLOUT));
    CHECK(s_recv(fds[1], buffer, sizeof(buffer), 0) == 212992);
    CHECK(s_poll(fds[0]) & POLLOUT);
    /* Half close, then close. */
    CHECK(s_shutdown(fds[0], SHUT_WR) == 0);
    CHECK(s_recv(fds[1], buffer, 1, 0) == 0);
    CHECK(s_send(fds[1], "x", 1, 0) == 1);
    s_close(fds[1]);
    CHECK(s_poll(fds[0]) & POLLHUP);
    CHECK(s_recv(fds[0], buffer, 9, 0) == 1);
    CHECK(s_recv(fds[0], buffer, 9, 0) == 0);
    CHECK(s_send(fds[0], "x", 1, MSG_NOSIGNAL) == -EPIPE);
    s_close(fds[0]);
}

static void test_messages(int type)
{
    int fds[2];

    pair(type, fds);
    CHECK(s_send(fds[0], "one", 3, 0) == 3);
    CHECK(s_send(fds[0], "", 0, 0) == 0);
    CHECK(s_send(fds[0], "three", 5, 0) == 5);
    CHECK(s_recv(fds[1], buffer, 2, 0) == 2);
    CHECK(s_recv(fds[1], buffer, 9, 0) == 0);
    CHECK(s_recv(fds[1], buffer, 2, MSG_TRUNC) == 5);
    CHECK(s_recv(fds[1], buffer, 2, MSG_DONTWAIT) == -EAGAIN);
    CHECK(s_send(fds[0], buffer, 250000, 0) == -EMSGSIZE);
    s_close(fds[0]);
    if (type == SOCK_SEQPACKET)
        CHECK(s_recv(fds[1], buffer, 9, 0) == 0);
    else
        CHECK(s_send(fds[1], "x", 1, MSG_NOSIGNAL) == -ECONNREFUSED);
    s_close(fds[1]);
}

static void test_named(const char *name, size_t size)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX}, peer;
    int server = s_socket(AF_UNIX, SOCK_STREAM);
    int client = s_socket(AF_UNIX, SOCK_STREAM), accepted;
    unsigned length = (unsigned)(2 + size);

    memcpy(un.sun_path, name, size);
    CHECK(s_connect(client, &un, length) ==
          (name[0] ? -ENOENT : -ECONNREFUSED));
    CHECK(s_bind(server, &un, length) == 0);
    CHECK(s_connect(client, &un, length) == -ECONNREFUSED);
    CHECK(s_listen(server, 1) == 0);
    CHECK(s_connect(client, &un, length) == 0);
    CHECK(s_poll(server) == (POLLIN | POLLRDNORM));
    CHECK(s_send(client, "early", 5, 0) == 5);
    accepted = s_accept(server, 0);
    CHECK(accepted >= 0);
    CHECK(s_recv(accepted, buffer, 9, 0) == 5);
    CHECK(s_getpeername(client, &peer) >= (int)length);
    CHECK(memcmp(peer.sun_path, name, size) == 0);
    s_close(accepted);
    s_close(client);
    /* One that nobody accepts is reset. */
    client = s_socket(AF_UNIX, SOCK_STREAM);
    CHECK(s_connect(client, &un, length) == 0);
    s_close(server);
    CHECK(s_recv(client, buffer, 9, 0) == -ECONNRESET);
    s_close(client);
}

static void test_datagrams(void)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/log"};
    struct sockaddr_un from;
    int server = s_socket(AF_UNIX, SOCK_DGRAM);
    int client = s_socket(AF_UNIX, SOCK_DGRAM);

    CHECK(s_bind(server, &un, sizeof(un)) == 0);
    CHECK(s_sendto(client, "line", 4, 0, &un, sizeof(un)) == 4);
    CHECK(s_recvfrom(server, buffer, 99, 0, &from) == 4);
    CHECK(s_connect(client, &un, sizeof(un)) == 0);
    CHECK(s_send(client, "line", 4, 0) == 4);
    s_close(server);
    CHECK(s_send(client, "line", 4, 0) == -ECONNREFUSED);
    s_close(client);
}

static void test_descriptors(void)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {buffer, 1};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    int fds[2], other[2], got = -1;

    pair(SOCK_STREAM, fds);
    pair(SOCK_STREAM, other);
    message.msg_control = &control;
    message.msg_controllen = sizeof(control);
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&control.header), &other[0], sizeof(int));
    CHECK(mock_ops(fds[0])->sendmsg(mock_files[fds[0]], &message, 0) == 1);
    s_close(other[0]);
    memset(&control, 0, sizeof(control));
    CHECK(mock_ops(fds[1])->recvmsg(mock_files[fds[1]], &message, 0) == 1);
    CHECK(control.header.cmsg_type == SCM_RIGHTS);
    memcpy(&got, CMSG_DATA(&control.header), sizeof(int));
    CHECK(s_send(got, "through", 7, 0) == 7);
    CHECK(s_recv(other[1], buffer, 9, 0) == 7);
    /* Never received: closed with the socket. */
    memcpy(CMSG_DATA(&control.header), &got, sizeof(int));
    message.msg_controllen = sizeof(control);
    CHECK(mock_ops(fds[0])->sendmsg(mock_files[fds[0]], &message, 0) == 1);
    s_close(got);
    s_close(other[1]);
    s_close(fds[0]);
    s_close(fds[1]);
}

int main(void)
{
    test_stream();
    test_messages(SOCK_DGRAM);
    test_messages(SOCK_SEQPACKET);
    test_named("/run/socket", 12);
    test_named("\0abstract", 9);
    test_datagrams();
    test_descriptors();
    CHECK(mock_objects == 0);
    CHECK(mock_pages == 0);
    CHECK(mock_file_count == 0);
    puts("net_unix: ok");
    return 0;
}
