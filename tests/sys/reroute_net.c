/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A provider of sockets (halvm/net.h), served by a thread: an AF_INET with one
 * host, oneself, and an echo service that lives in the provider. Sockets are
 * used as in any program: blocking and not, poll and epoll, dup, shutdown,
 * datagrams, errors; and the provider misbehaves, stalls, dies.
 * cc: -pthread
 */
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include <halvm/net.h>

#include "net.h"

#define ECHO_PORT    7  /* streams and datagrams come back */
#define REFUSED_PORT 9  /* connect fails */
#define SILENT_PORT  11 /* connect is never answered */
#define RESET_PORT   13 /* connects, then breaks */
#define SOCKETS      64

/* -- the provider -- */

struct link {
    uint64_t id;
    int fd, type;
    uint64_t listening; /* its id, if it listens */
    uint16_t port;
    int peer; /* index of the other end of a connection, -1: echo */
    bool used, connected, finished;
};

static struct halvm_service *service;
static struct link links[SOCKETS];
static volatile bool provider_stop, provider_stall;
static volatile int opened, closed;

static struct link *link_of(uint64_t id)
{
    for (int i = 0; i < SOCKETS; i++)
        if (links[i].used && links[i].id == id)
            return &links[i];
    return NULL;
}

static struct link *link_new(uint64_t id, int fd, int type)
{
    for (int i = 0; i < SOCKETS; i++)
        if (!links[i].used) {
            links[i] = (struct link){.id = id,
                                     .fd = fd,
                                     .type = type,
                                     .peer = -1,
                                     .connected = type == SOCK_DGRAM,
                                     .used = true};
            return &links[i];
        }
    CHECK(!"too many sockets");
    return NULL;
}

static void on_connect(const struct halvm_event *event)
{
    struct link *link = link_of(event->id);
    const struct sockaddr_in *remote = (const void *)event->data;
    const void *local = event->data + event->number[0];
    uint16_t port = ntohs(remote->sin_port);

    CHECK(link != NULL);
    if (link->type == SOCK_DGRAM)
        return;
    if (port == SILENT_PORT)
        return;
    if (port == ECHO_PORT || port == RESET_PORT) {
        CHECK_EQ(halvm_net_connected(service, link->id), 0);
        CHECK_EQ(halvm_net_connected(service, link->id), -EINVAL);
        link->connected = true;
        if (port == RESET_PORT)
            CHECK_EQ(halvm_net_broken(service, link->id, ECONNRESET), 0);
        return;
    }
    for (int i = 0; i < SOCKETS; i++)
        if (links[i].used && links[i].listening && links[i].port == port) {
            uint64_t id;
            int fd = halvm_net_incoming(service, links[i].id, local,
                                        sizeof(struct sockaddr_in), remote,
                                        sizeof(struct sockaddr_in), &id);
            if (fd >= 0) {
                struct link *other = link_new(id, fd, SOCK_STREAM);
                other->peer = (int)(link - links);
                link->peer = (int)(other - links);
                link->connected = other->connected = true;
                opened++;
                CHECK_EQ(halvm_net_connected(service, link->id), 0);
                return;
            }
            CHECK_EQ(fd, -ECONNREFUSED);
        }
    CHECK_EQ(halvm_net_failed(service, link->id, 0), -EINVAL);
    CHECK_EQ(halvm_net_failed(service, link->id, ECONNREFUSED), 0);
}

static void on_event(const struct halvm_event *event)
{
    struct link *link;

    switch (event->kind) {
    case HALVM_NET_OPEN:
        link_new(event->id, event->fd, (int)event->number[1]);
        opened++;
        break;
    case HALVM_NET_LISTEN:
        link = link_of(event->id);
        link->listening = event->id;
        link->port = ntohs(
            ((const struct sockaddr_in *)(const void *)event->data)->sin_port);
        break;
    case HALVM_NET_CONNECT:
        on_connect(event);
        break;
    case HALVM_NET_CLOSE:
        link = link_of(event->id);
        CHECK(link != NULL);
        if (link->peer >= 0)
            links[link->peer].peer = -2; /* nobody */
        CHECK_EQ(halvm_net_close(service, link->id), 0);
        CHECK_EQ(halvm_net_close(service, link->id), -ESRCH);
        link->used = link->connected = false;
        closed++;
        break;
    }
}

/* What an application wrote comes back, or goes to the other end. */
static void carry(struct link *link)
{
    char buffer[4096];
    struct link *to = link->peer >= 0 ? &links[link->peer] : link;
    struct pollfd room = {to->fd, POLLOUT, 0};
    ssize_t got;

    if (link->finished || link->peer == -2 || poll(&room, 1, 0) != 1 ||
        !(room.revents & POLLOUT))
        return;
    got = recv(link->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got > 0) {
        for (ssize_t at = 0; at < got;) {
            ssize_t put = send(to->fd, buffer + at, (size_t)(got - at),
                               MSG_NOSIGNAL | MSG_DONTWAIT);
            if (put > 0)
                at += put;
            else if (errno == EAGAIN)
                poll(&(struct pollfd){to->fd, POLLOUT, 0}, 1, 10);
            else
                break;
        }
    } else if (got == 0) {
        link->finished = true;
        shutdown(to->fd, SHUT_WR);
    }
}

static void *provide(void *unused)
{
    struct pollfd fds[SOCKETS + 1];
    struct halvm_event *event;

    while (!provider_stop) {
        int count = 1;
        fds[0] = (struct pollfd){halvm_service_fd(service), POLLIN, 0};
        for (int i = 0; i < SOCKETS; i++)
            if (links[i].used && links[i].connected && !links[i].finished)
                fds[count++] = (struct pollfd){links[i].fd, POLLIN, 0};
        poll(fds, (nfds_t)count, 20);
        while (provider_stall && !provider_stop)
            check_sleep_ms(5);
        while ((event = halvm_service_take(service)) != NULL) {
            on_event(event);
            halvm_event_free(event);
        }
        for (int i = 0; i < SOCKETS; i++)
            if (links[i].used && links[i].connected)
                carry(&links[i]);
    }
    return NULL;
}

/* -- the application -- */

static void stream_echo(void)
{
    struct sockaddr_in to = net_provided(ECHO_PORT), name;
    socklen_t size = sizeof name;
    char text[16] = "";
    int fd = socket(AF_INET, SOCK_STREAM, 0), type = 0;

    CHECK(fd >= 0);
    CHECK_ERR(read(fd, text, 1), ENOTCONN);
    CHECK_ERR(getpeername(fd, (struct sockaddr *)&name, &size), ENOTCONN);
    CHECK_ERR(connect(fd, (struct sockaddr *)&to, 3), EINVAL);
    struct sockaddr_storage wide = {0};
    memcpy(&wide, &to, sizeof to);
    CHECK_ERR(connect(fd, (struct sockaddr *)&wide, sizeof wide + 1), EINVAL);
    CHECK_EQ(connect(fd, NET_ADDRESS(wide)), 0);
    CHECK_ERR(connect(fd, NET_ADDRESS(to)), EISCONN);
    CHECK_EQ(getpeername(fd, (struct sockaddr *)&name, &size), 0);
    CHECK_EQ(size, sizeof name);
    CHECK(memcmp(&name, &to, 8) == 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    CHECK(ntohs(name.sin_port) >= 49152);
    CHECK_EQ(name.sin_addr.s_addr, to.sin_addr.s_addr); /* told */
    CHECK_EQ(write(fd, "hello", 5), 5);
    CHECK_EQ(recv(fd, text, 5, MSG_WAITALL), 5);
    CHECK(strcmp(text, "hello") == 0);
    CHECK_ERR(recv(fd, text, 1, MSG_DONTWAIT), EAGAIN);
    size = sizeof type;
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size), 0);
    CHECK_EQ(type, SOCK_STREAM);
    /* A second descriptor keeps it, and is it. */
    int other = dup(fd);
    CHECK_EQ(close(fd), 0);
    struct iovec iov[2] = {{(char *)"ab", 2}, {(char *)"cd", 2}};
    CHECK_EQ(writev(other, iov, 2), 4);
    CHECK_EQ(shutdown(other, SHUT_WR), 0);
    CHECK_EQ(recv(other, text, 16, MSG_WAITALL), 4);
    CHECK(memcmp(text, "abcd", 4) == 0);
    CHECK_EQ(read(other, text, 1), 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERR(write(other, "x", 1), EPIPE);
    CHECK_EQ(close(other), 0);
    CHECK_ERR(write(other, "x", 1), EBADF);
}

static void connect_later(void)
{
    struct sockaddr_in to = net_provided(ECHO_PORT);
    struct epoll_event event = {.events = EPOLLOUT | EPOLLIN};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int set = epoll_create1(0), error = -1;
    socklen_t size = sizeof error;

    provider_stall = true;
    check_sleep_ms(30);
    CHECK_ERR(connect(fd, NET_ADDRESS(to)), EINPROGRESS);
    CHECK_ERR(connect(fd, NET_ADDRESS(to)), EALREADY);
    CHECK_ERR(write(fd, "x", 1), EAGAIN);
    CHECK_EQ(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
    CHECK_EQ(epoll_wait(set, &event, 1, 50), 0); /* neither yet */
    CHECK_EQ(poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 0), 0);
    provider_stall = false;
    CHECK_EQ(epoll_wait(set, &event, 1, 2000), 1);
    CHECK_EQ(event.events, EPOLLOUT);
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    CHECK_EQ(error, 0);
    CHECK_EQ(write(fd, "x", 1), 1);
    event.events = EPOLLIN;
    CHECK_EQ(epoll_ctl(set, EPOLL_CTL_MOD, fd, &event), 0);
    CHECK_EQ(epoll_wait(set, &event, 1, 2000), 1);
    CHECK_EQ(event.events, EPOLLIN);
    CHECK_EQ(close(set), 0);
    CHECK_EQ(close(fd), 0);
}

static void connect_fails(void)
{
    struct sockaddr_in to = net_provided(REFUSED_PORT);
    int fd = socket(AF_INET, SOCK_STREAM, 0), error = -1;
    socklen_t size = sizeof error;
    struct pollfd ready = {fd, POLLOUT, 0};
    char byte;

    CHECK_ERR(connect(fd, NET_ADDRESS(to)), ECONNREFUSED);
    CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    CHECK_ERR(connect(fd, NET_ADDRESS(to)), EINPROGRESS); /* once more */
    CHECK_EQ(poll(&ready, 1, 2000), 1);
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    CHECK_EQ(error, ECONNREFUSED);
    CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
    CHECK_EQ(error, 0);
    CHECK_EQ(close(fd), 0);
    /* One that breaks says so once, and then that it is over. */
    to = net_provided(RESET_PORT);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(fd, NET_ADDRESS(to)), 0);
    CHECK_EQ(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 2000), 1);
    CHECK_ERR(read(fd, &byte, 1), ECONNRESET);
    CHECK_EQ(read(fd, &byte, 1), 0);
    CHECK_EQ(close(fd), 0);
}

static void server(void)
{
    struct sockaddr_in address = net_provided(8080), name;
    socklen_t size = sizeof name;
    char text[8];
    int one = 1, got = 0;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int other = socket(AF_INET, SOCK_STREAM, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);

    CHECK_EQ(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one),
             0);
    size = sizeof got;
    CHECK_EQ(getsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &got, &size), 0);
    CHECK_EQ(got, 1);
    CHECK_EQ(bind(listener, NET_ADDRESS(address)), 0);
    CHECK_ERR(bind(listener, NET_ADDRESS(address)), EINVAL);
    CHECK_ERR(bind(other, NET_ADDRESS(address)), EADDRINUSE);
    address.sin_addr.s_addr = htonl(0x0a000002);
    CHECK_ERR(bind(other, NET_ADDRESS(address)), EADDRNOTAVAIL);
    address = net_provided(8080);
    address.sin_family = AF_INET6;
    CHECK_ERR(bind(other, NET_ADDRESS(address)), EAFNOSUPPORT);
    address = net_provided(8080);
    CHECK_ERR(accept(listener, NULL, NULL), EINVAL);
    CHECK_EQ(listen(listener, 1), 0);
    CHECK_EQ(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
    CHECK_ERR(accept(listener, NULL, NULL), EAGAIN);
    CHECK_EQ(fcntl(listener, F_SETFL, 0), 0);
    CHECK_EQ(poll(&(struct pollfd){listener, POLLIN | POLLOUT, 0}, 1, 0), 0);
    CHECK_EQ(connect(client, NET_ADDRESS(address)), 0);
    CHECK_ERR(connect(other, NET_ADDRESS(address)), ECONNREFUSED); /* backlog */
    CHECK_EQ(poll(&(struct pollfd){listener, POLLIN, 0}, 1, 2000), 1);
    size = sizeof name;
    int accepted =
        accept4(listener, (struct sockaddr *)&name, &size, SOCK_NONBLOCK);
    CHECK(accepted >= 0);
    CHECK_EQ(fcntl(accepted, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    struct sockaddr_in local;
    CHECK_EQ(getsockname(client, (struct sockaddr *)&local, &size), 0);
    CHECK_EQ(name.sin_port, local.sin_port);
    CHECK_EQ(getsockname(accepted, (struct sockaddr *)&local, &size), 0);
    CHECK_EQ(ntohs(local.sin_port), 8080);
    CHECK_ERR(read(accepted, text, 1), EAGAIN);
    CHECK_EQ(send(client, "ping", 4, 0), 4);
    CHECK_EQ(poll(&(struct pollfd){accepted, POLLIN, 0}, 1, 2000), 1);
    CHECK_EQ(read(accepted, text, 8), 4);
    CHECK_EQ(write(accepted, "pong!", 5), 5);
    CHECK_EQ(recv(client, text, 5, MSG_WAITALL), 5);
    CHECK_EQ(close(client), 0);
    CHECK_EQ(close(accepted), 0);
    CHECK_EQ(close(other), 0);
    /* One that nobody accepts goes with the listener. */
    client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(client, NET_ADDRESS(address)), 0);
    CHECK_EQ(close(listener), 0);
    CHECK_EQ(close(client), 0);
}

static void large(void)
{
    static char out[200000], in[200000];
    struct sockaddr_in to = net_provided(ECHO_PORT);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t sent = 0, got = 0;

    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (char)(i * 7 + i / 251);
    CHECK_EQ(connect(fd, NET_ADDRESS(to)), 0);
    while (got < sizeof in) {
        ssize_t part = send(fd, out + sent, sizeof out - sent, MSG_DONTWAIT);
        CHECK(part > 0 || errno == EAGAIN || sent == sizeof out);
        if (part > 0)
            sent += (size_t)part;
        part = recv(fd, in + got, sizeof in - got,
                    sent == sizeof out ? 0 : MSG_DONTWAIT);
        CHECK(part > 0 || errno == EAGAIN);
        if (part > 0)
            got += (size_t)part;
    }
    CHECK(memcmp(in, out, sizeof in) == 0);
    CHECK_EQ(close(fd), 0);
}

static void datagrams(void)
{
    struct sockaddr_in to = net_provided(ECHO_PORT), from;
    socklen_t size = sizeof from;
    char text[32] = "";
    struct iovec iov = {text, sizeof text};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), waiting = -1;

    CHECK_ERR(write(fd, "x", 1), EDESTADDRREQ);
    struct sockaddr_storage wide = {0};
    memcpy(&wide, &to, sizeof to);
    CHECK_ERR(sendto(fd, "abc", 3, 0, (struct sockaddr *)&to, 4), EINVAL);
    CHECK_EQ(sendto(fd, "abc", 3, 0, NET_ADDRESS(wide)), 3);
    CHECK_EQ(sendto(fd, "", 0, 0, NET_ADDRESS(to)), 0);
    CHECK_EQ(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 2000), 1);
    CHECK_EQ(ioctl(fd, FIONREAD, &waiting), 0);
    CHECK(waiting >= 3);
    CHECK_EQ(recvfrom(fd, text, 32, 0, (struct sockaddr *)&from, &size), 3);
    CHECK_EQ(size, sizeof from);
    CHECK(memcmp(&from, &to, 8) == 0);
    CHECK_EQ(recv(fd, text, 32, 0), 0); /* an empty one is one */
    CHECK_EQ(connect(fd, NET_ADDRESS(to)), 0);
    CHECK_EQ(write(fd, "defgh", 5), 5);
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    iov.iov_len = 2;
    CHECK_EQ(recvmsg(fd, &message, 0), 2);
    CHECK_EQ(message.msg_flags & MSG_TRUNC, MSG_TRUNC);
    CHECK_EQ(message.msg_namelen, sizeof from);
    CHECK(memcmp(text, "de", 2) == 0);
    /* What comes from elsewhere is not for a connected socket. */
    struct sockaddr_in elsewhere = net_provided(99);
    CHECK_EQ(sendto(fd, "no", 2, 0, NET_ADDRESS(elsewhere)), 2);
    CHECK_EQ(send(fd, "yes", 3, 0), 3);
    CHECK_EQ(recv(fd, text, 32, 0), 3);
    CHECK(memcmp(text, "yes", 3) == 0);
    CHECK_EQ(close(fd), 0);
}

/* The provider's end of the datagram socket that was just opened. */
static struct link *datagram_link(void)
{
    for (;;) {
        check_sleep_ms(1);
        for (int i = 0; i < SOCKETS; i++)
            if (links[i].connected && links[i].type == SOCK_DGRAM)
                return &links[i];
    }
}

/* What the provider says of a datagram's way is told to who asks for it. */
static void control_messages(void)
{
    struct halvm_net_packet packet = {
        .hop_limit = 61, .traffic_class = 8, .interface = 2};
    static const uint8_t local[4] = {10, 0, 0, 1};
    char text[4], control[256];
    struct iovec iov = {text, sizeof text};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1, ttl = 0, seen = 0;
    struct link *link = datagram_link();
    struct in_pktinfo info = {0};

    memcpy(packet.local, local, sizeof local);
    CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &one, sizeof one), 0);
    CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof one), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(send(link->fd, &packet, sizeof packet, MSG_NOSIGNAL),
                 sizeof packet);
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    CHECK_EQ(recvmsg(fd, &message, 0), 0);
    CHECK_EQ(message.msg_flags & MSG_CTRUNC, 0);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c;
         c = CMSG_NXTHDR(&message, c), seen++) {
        CHECK_EQ(c->cmsg_level, IPPROTO_IP);
        if (c->cmsg_type == IP_TTL)
            memcpy(&ttl, CMSG_DATA(c), sizeof ttl);
        else if (c->cmsg_type == IP_PKTINFO)
            memcpy(&info, CMSG_DATA(c), sizeof info);
    }
    CHECK_EQ(seen, 2); /* nobody asked for the type of service */
    CHECK_EQ(ttl, 61);
    CHECK_EQ(info.ipi_ifindex, 2);
    CHECK(memcmp(&info.ipi_addr, local, sizeof local) == 0);
    /* Room for one of them, and for none. */
    message.msg_controllen = CMSG_SPACE(sizeof info);
    CHECK_EQ(recvmsg(fd, &message, 0), 0);
    CHECK_EQ(message.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
    CHECK_EQ(message.msg_controllen, CMSG_SPACE(sizeof info));
    message.msg_control = NULL;
    message.msg_controllen = 0;
    CHECK_EQ(recvmsg(fd, &message, 0), 0);
    CHECK_EQ(message.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
    CHECK_EQ(close(fd), 0);
    while (link->used) /* the next to look for one must not find this */
        check_sleep_ms(1);
}

/* A provider that gives what is no packet, or one with an impossible address,
 * and then closes its end. */
static void garbage(void)
{
    struct halvm_net_packet packet = {.address_size = 60000};
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    char text[16];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct link *link = datagram_link();

    CHECK_EQ(send(link->fd, "short", 5, MSG_NOSIGNAL), 5);
    CHECK_EQ(send(link->fd, &packet, sizeof packet, MSG_NOSIGNAL),
             sizeof packet);
    CHECK_EQ(recvfrom(fd, text, 16, 0, (struct sockaddr *)&from, &size), 0);
    CHECK_EQ(size, 0);
    CHECK_ERR(recv(fd, text, 16, MSG_DONTWAIT), EAGAIN);
    CHECK_EQ(halvm_net_incoming(service, link->id, &packet, 500, &packet, 1,
                                &(uint64_t){0}),
             -EINVAL);
    CHECK_EQ(halvm_net_incoming(service, link->id, &packet, 16, &packet, 16,
                                &(uint64_t){0}),
             -EINVAL); /* it does not listen */
    CHECK_EQ(halvm_net_broken(service, 1 << 30, EIO), -ESRCH);
    CHECK_EQ(shutdown(link->fd, SHUT_RDWR), 0);
    CHECK_ERR(recv(fd, text, 16, 0), ENETDOWN);
    CHECK_EQ(close(fd), 0);
}

/* Other families are as before. */
static void others(void)
{
    int pair[2];
    char byte;

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_EQ(write(pair[0], "x", 1), 1);
    CHECK_EQ(read(pair[1], &byte, 1), 1);
    CHECK_EQ(close(pair[0]), 0);
    CHECK_EQ(close(pair[1]), 0);
    CHECK_ERR(socket(AF_INET, 77, 0), EINVAL);
}

static void on_alarm(int signal)
{
}

/* A blocking call ends by a signal, and by its time-out. */
static void interrupted(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct sockaddr_in to = net_provided(SILENT_PORT);
    struct timeval soon = {0, 30000};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char byte;

    sigaction(SIGALRM, &action, NULL);
    ualarm(30000, 30000); /* again, should one come before the wait */
    CHECK_ERR(connect(fd, NET_ADDRESS(to)), EINTR);
    ualarm(0, 0);
    CHECK_EQ(close(fd), 0);
    to = net_provided(ECHO_PORT);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(fd, NET_ADDRESS(to)), 0);
    ualarm(30000, 30000);
    CHECK_ERR(read(fd, &byte, 1), EINTR);
    ualarm(0, 0);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon), 0);
    CHECK_ERR(read(fd, &byte, 1), EAGAIN);
    CHECK_EQ(close(fd), 0);
}

/* The thread that serves does not wait for itself. */
static void own_calls(void)
{
    struct sockaddr_in to = net_provided(ECHO_PORT);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char byte;

    halvm_service_owner(service, gettid());
    CHECK_ERR(connect(fd, NET_ADDRESS(to)), EINPROGRESS);
    CHECK_EQ(poll(&(struct pollfd){fd, POLLOUT, 0}, 1, 2000), 1);
    CHECK_ERR(read(fd, &byte, 1), EAGAIN);
    halvm_service_owner(service, 0);
    CHECK_EQ(close(fd), 0);
}

/* A provider that stalls is given up; sockets fail, and do not hang. */
static void stalled(void)
{
    struct sockaddr_in to = net_provided(ECHO_PORT);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    int late = socket(AF_INET, SOCK_STREAM, 0);
    char byte;

    CHECK_EQ(connect(fd, NET_ADDRESS(to)), 0);
    halvm_service_patience(service, 200);
    provider_stall = true;
    CHECK_ERR(read(fd, &byte, 1), ENETDOWN);
    CHECK(halvm_service_ended(service) != NULL);
    CHECK_ERR(connect(late, NET_ADDRESS(to)), ENETDOWN);
    CHECK_ERR(write(fd, &byte, 1), ENETDOWN);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(close(late), 0);
}

int main(void)
{
    struct sockaddr_in mine = net_provided(0);
    pthread_t thread;
    int domain = AF_INET, before = check_open_descriptors();

    service = halvm_service_new("test");
    CHECK(service != NULL);
    CHECK_EQ(halvm_net_install(service, &domain, 0), -EINVAL);
    CHECK_EQ(halvm_net_install(service, &domain, 1), 0);
    CHECK_EQ(halvm_net_addresses(service, &mine, sizeof mine), 0);
    CHECK_EQ(pthread_create(&thread, NULL, provide, NULL), 0);
    stream_echo();
    connect_later();
    connect_fails();
    server();
    large();
    datagrams();
    while (closed < opened)
        check_sleep_ms(5);
    control_messages();
    garbage();
    others();
    interrupted();
    own_calls();
    while (closed < opened) /* the last events */
        check_sleep_ms(5);
    stalled();
    provider_stop = true;
    CHECK_EQ(pthread_join(thread, NULL), 0);
    halvm_service_end(service);
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
