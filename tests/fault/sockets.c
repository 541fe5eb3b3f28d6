/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The nth failure in sockets: see fault.h. A TCP segment that finds no memory
 * is lost like one on a wire, and sent again a little later: that is no error
 * of the program's, but the round must end all the same.
 *
 * skip: linux fails no memory on demand
 * option: fault=off
 * memory: 16M
 * timeout: 60
 */
#include "fault.h"

#include <netdb.h>
#include <poll.h>
#include <sys/uio.h>

static char data[30000];

/* Passes a descriptor along. */
static bool pass(struct fault_held *h, int to, int from)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)),
                            .cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS}};
    struct iovec iov = {data, 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};

    memcpy(CMSG_DATA(&control.header), &to, sizeof(int));
    if (!fault_ok(h, sendmsg(to, &message, 0)) ||
        !fault_ok(h, recvmsg(from, &message, 0)))
        return false;
    if (message.msg_controllen == 0 || (message.msg_flags & MSG_CTRUNC))
        return true; /* no room for the descriptor: Linux cuts it off, too */
    int fd;
    memcpy(&fd, CMSG_DATA(&control.header), sizeof(int));
    return fault_fd(h, fd);
}

static int unix_sockets(void)
{
    struct fault_held h = {0};
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int pair[2], listener, client;

    if (!fault_ok(&h, socketpair(AF_UNIX, SOCK_STREAM, 0, pair)))
        goto out;
    fault_fd(&h, pair[0]);
    fault_fd(&h, pair[1]);
    CHECK_EQ(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    CHECK_EQ(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    if (!fault_ok(&h, write(pair[0], data, sizeof(data))) ||
        !fault_ok(&h, read(pair[1], data, sizeof(data))) ||
        !pass(&h, pair[0], pair[1]))
        goto out;
    if (fault_fd(&h, listener = socket(AF_UNIX, SOCK_STREAM, 0)) &&
        fault_ok(&h, bind(listener, (void *)&name, sizeof(name))) &&
        fault_ok(&h, listen(listener, 4)) &&
        fault_fd(&h, client = socket(AF_UNIX, SOCK_STREAM, 0)) &&
        fault_ok(&h, connect(client, (void *)&name, sizeof(name))) &&
        fault_fd(&h, accept(listener, NULL, NULL)))
        fault_ok(&h, write(client, "hello", 5));
out:
    unlink("socket");
    return fault_release(&h);
}

static int udp(void)
{
    struct fault_held h = {0};
    union net_address a;
    socklen_t size = net_loopback(&a, AF_INET, 0);
    int one, two;

    if (fault_fd(&h, one = socket(AF_INET, SOCK_DGRAM, 0)) &&
        fault_fd(&h, two = socket(AF_INET, SOCK_DGRAM, 0)) &&
        fault_ok(&h, bind(one, &a.any, size)) &&
        fault_ok(&h, getsockname(one, &a.any, &size)))
        for (int i = 0; i < 5; i++)
            if (!fault_ok(&h, sendto(two, data, 1000, 0, &a.any, size)))
                break;
    return fault_release(&h);
}

/* Moves all of data through a connection, both ends not blocking, and waits
 * for at most ten seconds. */
static bool move(struct fault_held *h, int from, int to)
{
    size_t sent = 0, had = 0;

    for (int waits = 0; had < sizeof(data) && waits < 1000;) {
        ssize_t put = sent < sizeof(data)
                          ? write(from, data + sent, sizeof(data) - sent)
                          : 0;
        if (put < 0 && errno != EAGAIN)
            return fault_ok(h, -1);
        sent += put > 0 ? (size_t)put : 0;
        ssize_t got = read(to, data, sizeof(data));
        if (got < 0 && errno != EAGAIN)
            return fault_ok(h, -1);
        had += got > 0 ? (size_t)got : 0;
        if (put <= 0 && got <= 0) {
            struct pollfd p = {.fd = to, .events = POLLIN};
            waits++;
            CHECK(poll(&p, 1, 10) >= 0);
        }
    }
    CHECK_EQ(had, sizeof(data));
    return true;
}

static int tcp(int family)
{
    struct fault_held h = {0};
    struct linger now = {1, 0};
    union net_address a;
    socklen_t size = net_loopback(&a, family, 0);
    int listener, client, server;

    if (!fault_fd(&h, listener = socket(family, SOCK_STREAM, 0)) ||
        !fault_ok(&h, bind(listener, &a.any, size)) ||
        !fault_ok(&h, listen(listener, 4)) ||
        !fault_ok(&h, getsockname(listener, &a.any, &size)) ||
        !fault_fd(&h, client = socket(family, SOCK_STREAM, 0)))
        goto out;
    CHECK_EQ(setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    if (!fault_ok(&h, connect(client, &a.any, size)) ||
        !fault_fd(&h, server = accept(listener, NULL, NULL)))
        goto out;
    CHECK_EQ(setsockopt(server, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    CHECK_EQ(fcntl(client, F_SETFL, O_NONBLOCK), 0);
    CHECK_EQ(fcntl(server, F_SETFL, O_NONBLOCK), 0);
    if (move(&h, client, server))
        move(&h, server, client);
out:
    return fault_release(&h);
}

static int tcp4(void)
{
    return tcp(AF_INET);
}

static int tcp6(void)
{
    return tcp(AF_INET6);
}

int main(void)
{
    static const struct fault_scenario list[] = {
        {"unix sockets", unix_sockets, 48},
        {"udp", udp, 48},
        {"tcp", tcp4, 64},
        {"tcp over IPv6", tcp6, 64},
    };
    setvbuf(stdout, NULL, _IOLBF, 256);
    check_scratch();
    fault_run(list, sizeof(list) / sizeof(list[0]));
    return 0;
}
