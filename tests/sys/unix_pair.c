/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pairs of UNIX-domain sockets.
 *
 * Covers: socketpair sendto recvfrom shutdown
 * cc: -pthread
 */
#include "net.h"
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>

static void test_stream(void)
{
    int pair[2], n;
    char buffer[16];

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    CHECK_EQ(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(write(pair[0], "ab", 2), 2);
    CHECK_EQ(write(pair[0], "cd", 2), 2);
    CHECK_EQ(ioctl(pair[1], FIONREAD, &n), 0);
    CHECK_EQ(n, 4);
    CHECK_EQ(read(pair[1], buffer, 16), 4); /* no borders */
    CHECK_EQ(write(pair[1], "reply", 5), 5);
    CHECK_EQ(recv(pair[0], buffer, 16, 0), 5);
    CHECK_ERR(recv(pair[0], buffer, 16, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(net_poll(pair[0], POLLIN | POLLOUT, 0), POLLOUT);
    CHECK_EQ(shutdown(pair[0], SHUT_WR), 0);
    CHECK_EQ(read(pair[1], buffer, 16), 0);
    CHECK_EQ(write(pair[1], "still", 5), 5);
    CHECK_EQ(read(pair[0], buffer, 16), 5);
    CHECK_ERR(send(pair[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    close(pair[1]);
    CHECK(net_poll(pair[0], POLLIN, 0) & POLLHUP);
    CHECK_EQ(read(pair[0], buffer, 16), 0);
    close(pair[0]);
}

static void test_messages(int type)
{
    int pair[2];
    char buffer[16];

    CHECK_EQ(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, pair), 0);
    CHECK_EQ(send(pair[0], "first", 5, 0), 5);
    CHECK_EQ(send(pair[0], "2nd", 3, 0), 3);
    CHECK_EQ(recv(pair[1], buffer, 16, 0), 5);
    CHECK_EQ(recv(pair[1], buffer, 2, 0), 2); /* the rest is lost */
    CHECK_ERR(recv(pair[1], buffer, 16, 0), EAGAIN);
    close(pair[0]);
    if (type == SOCK_SEQPACKET)
        CHECK_EQ(recv(pair[1], buffer, 16, 0), 0);
    else
        CHECK_ERR(send(pair[1], "x", 1, MSG_NOSIGNAL), ECONNREFUSED);
    close(pair[1]);
}

static void test_room(void)
{
    static char data[4096];
    int pair[2];
    size_t sent = 0;
    ssize_t n;

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    while ((n = write(pair[0], data, sizeof(data))) > 0)
        sent += (size_t)n;
    CHECK_EQ(errno, EAGAIN);
    CHECK(sent >= 16384);
    CHECK_EQ(net_poll(pair[0], POLLOUT, 0), 0);
    while ((n = read(pair[1], data, sizeof(data))) > 0)
        sent -= (size_t)n;
    CHECK_EQ(sent, 0);
    CHECK_EQ(net_poll(pair[0], POLLOUT, 0), POLLOUT);
    close(pair[0]);
    close(pair[1]);
}

static int blocking[2];

static void *reply(void *argument)
{
    char c;

    for (int i = 0; i < 200; i++) {
        net_read_all(blocking[1], &c, 1);
        c++;
        CHECK_EQ(write(blocking[1], &c, 1), 1);
    }
    return argument;
}

static void test_ping_pong(void)
{
    pthread_t thread;

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, blocking), 0);
    CHECK_EQ(pthread_create(&thread, NULL, reply, NULL), 0);
    for (int i = 0; i < 200; i++) {
        char c = (char)i;
        CHECK_EQ(write(blocking[0], &c, 1), 1);
        net_read_all(blocking[0], &c, 1);
        CHECK_EQ(c, (char)(i + 1));
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close(blocking[0]);
    close(blocking[1]);
}

static void test_names(void)
{
    struct sockaddr_un name;
    socklen_t size = sizeof(name);
    int pair[2];

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_EQ(getsockname(pair[0], (struct sockaddr *)&name, &size), 0);
    CHECK_EQ(name.sun_family, AF_UNIX);
    CHECK_EQ(size, sizeof(sa_family_t)); /* it has no name */
    CHECK_EQ(net_option(pair[0], SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    CHECK_EQ(net_option(pair[0], SOL_SOCKET, SO_DOMAIN), AF_UNIX);
    close(pair[0]);
    close(pair[1]);
    CHECK_ERR(socketpair(AF_INET, SOCK_STREAM, 0, pair), EOPNOTSUPP);
    CHECK_ERR(socketpair(AF_UNIX, 77, 0, pair), EINVAL);
    CHECK_ERR(
        syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, check_bad_pointer()),
        EFAULT);
}

/* A listener that closes while one waits for accept that is closed already,
 * and one that is not: which then hears of it. */
static void test_waiting_closed(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0waiting"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    int gone = socket(AF_UNIX, SOCK_STREAM, 0);
    int here = socket(AF_UNIX, SOCK_STREAM, 0);
    char byte;

    CHECK_EQ(bind(listener, (struct sockaddr *)&name, sizeof(name)), 0);
    CHECK_EQ(listen(listener, 5), 0);
    CHECK_EQ(connect(gone, (struct sockaddr *)&name, sizeof(name)), 0);
    CHECK_EQ(connect(here, (struct sockaddr *)&name, sizeof(name)), 0);
    close(gone);
    close(listener);
    CHECK_ERR(read(here, &byte, 1), ECONNRESET);
    close(here);
}

int main(void)
{
    int before = check_open_descriptors();

    test_stream();
    test_messages(SOCK_DGRAM);
    test_messages(SOCK_SEQPACKET);
    test_room();
    test_ping_pong();
    test_names();
    test_waiting_closed();
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
