/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program without lwIP (halvm-cc -mhalvm-no-lwip): sockets of IP are its
 * provider's or nobody's, the others are there, and interfaces are told as they
 * are. As a Linux process it makes no difference.
 * cc: -pthread -mhalvm-no-lwip
 */
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <halvm/net.h>

#include "check.h"

/* What there is in place of a socket of IP. */
static void no_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (check_unikernel()) {
        CHECK_EQ(fd, -1);
        CHECK_ERR(socket(AF_INET, SOCK_DGRAM, 0), EAFNOSUPPORT);
        CHECK_ERR(socket(AF_INET6, SOCK_STREAM, 0), EAFNOSUPPORT);
    } else {
        CHECK(fd >= 0);
        CHECK_EQ(close(fd), 0);
    }
}

static void other_sockets(void)
{
    char text[8] = "";
    int pair[2];

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_EQ(write(pair[0], "there", 5), 5);
    CHECK_EQ(read(pair[1], text, sizeof(text)), 5);
    CHECK_EQ(strcmp(text, "there"), 0);
    CHECK_EQ(close(pair[0]), 0);
    CHECK_EQ(close(pair[1]), 0);
}

static void interfaces(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    struct ifaddrs *all, *one;
    int fd, links = 0;

    if (!check_unikernel())
        return;
    CHECK_EQ(getifaddrs(&all), 0);
    for (one = all; one; one = one->ifa_next, links++)
        CHECK_EQ(one->ifa_addr->sa_family, AF_PACKET); /* none of IP */
    freeifaddrs(all);
    CHECK(links >= 1);
    CHECK_EQ(if_nametoindex("lo"), 1);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK_EQ(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    CHECK_EQ(request.ifr_flags, IFF_LOOPBACK); /* down */
    CHECK_ERR(ioctl(fd, SIOCGIFADDR, &request), EADDRNOTAVAIL);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "none", 4), ENODEV);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2), 0);
    CHECK_EQ(close(fd), 0);
}

/* A provider takes the family, and leaves it again. */
static void provider(void)
{
    struct halvm_service *service = halvm_service_new("sole");
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = 7};
    struct {
        struct halvm_net_packet packet;
        char text[8];
    } sent;
    struct halvm_event *event;
    int domain = AF_INET, fd;

    CHECK(service != NULL);
    CHECK_EQ(halvm_net_install(service, &domain, 1), 0);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(fd >= 0);
    event = halvm_service_take(service);
    CHECK(event != NULL);
    CHECK_EQ(event->kind, HALVM_NET_OPEN);
    CHECK_EQ(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
    CHECK_EQ(recv(event->fd, &sent, sizeof(sent), 0), sizeof(sent.packet) + 1);
    CHECK_EQ(sent.packet.order, 2); /* HALVM_NET_OPEN, HALVM_NET_BIND */
    CHECK_EQ(sent.packet.address_size, sizeof(to));
    CHECK_EQ(sent.packet.hop_limit, 0);
    halvm_event_free(event);
    CHECK_EQ(close(fd), 0);
    halvm_service_end(service);
}

int main(void)
{
    no_socket();
    other_sockets();
    interfaces();
    provider();
    no_socket();
    return 0;
}
