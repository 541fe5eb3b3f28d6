/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_PACKET: an interface in the program's own hands. Whole frames go out and
 * come in (QEMU's user network answers ARP), poll tells, and the interface is
 * lwIP's again afterwards. On Linux such a socket needs root and a network.
 * skip: linux needs an interface that nobody uses
 */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "check.h"

static unsigned char frame[60], mine[6];

/* Who has 10.0.2.2? Tell 10.0.2.15. */
static void ask(int fd, bool pieces)
{
    static const unsigned char arp[] = {0, 1, 8, 0, 6, 4, 0, 1};
    struct iovec iov[2] = {{frame, 14}, {frame + 14, 46}};

    memset(frame, 0, sizeof frame);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, mine, 6);
    frame[12] = 8;
    frame[13] = 6;
    memcpy(frame + 14, arp, 8);
    memcpy(frame + 22, mine, 6);
    memcpy(frame + 28, "\x0a\x00\x02\x0f", 4);
    memcpy(frame + 38, "\x0a\x00\x02\x02", 4);
    if (pieces)
        CHECK_EQ(writev(fd, iov, 2), 60);
    else
        CHECK_EQ(send(fd, frame, 60, 0), 60);
}

/* Until the answer is there. */
static void answered(int fd, size_t room)
{
    static unsigned char in[2048];
    struct sockaddr_ll from;
    socklen_t size = sizeof from;

    for (;;) {
        CHECK_EQ(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 5000), 1);
        ssize_t got = recvfrom(fd, in, room, MSG_DONTWAIT,
                               (struct sockaddr *)&from, &size);
        CHECK(got >= 14 || (got < 0 && errno == EAGAIN));
        if (got >= 42 && in[12] == 8 && in[13] == 6 && in[21] == 2 &&
            memcmp(in + 28, "\x0a\x00\x02\x02", 4) == 0)
            break;
    }
    CHECK_EQ(from.sll_family, AF_PACKET);
    CHECK_EQ(from.sll_ifindex, 2);
    CHECK(memcmp(in, mine, 6) == 0);
}

int main(void)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL)};
    struct ifreq request = {0};
    socklen_t size = sizeof address;
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), other;
    char byte;

    CHECK(fd >= 0);
    strcpy(request.ifr_name, "eth0");
    if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
        check_skip("there is no network here");
    memcpy(mine, request.ifr_hwaddr.sa_data, 6);
    CHECK_EQ(ioctl(fd, SIOCGIFINDEX, &request), 0);
    CHECK_ERR(recv(fd, &byte, 1, MSG_DONTWAIT), ENOTCONN);
    CHECK_ERR(send(fd, frame, 60, 0), ENXIO);
    address.sll_ifindex = 1;
    CHECK_ERR(bind(fd, (struct sockaddr *)&address, sizeof address), ENODEV);
    address.sll_ifindex = 77;
    CHECK_ERR(bind(fd, (struct sockaddr *)&address, sizeof address), ENODEV);
    address.sll_ifindex = request.ifr_ifindex;
    CHECK_ERR(bind(fd, (struct sockaddr *)&address, 4), EINVAL);
    CHECK_EQ(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_ERR(bind(fd, (struct sockaddr *)&address, sizeof address), EINVAL);
    other = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    CHECK_ERR(bind(other, (struct sockaddr *)&address, sizeof address), EBUSY);
    CHECK_EQ(close(other), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    CHECK(memcmp(address.sll_addr, mine, 6) == 0);
    CHECK_ERR(send(fd, frame, 13, 0), EINVAL);
    CHECK_ERR(send(fd, frame, 4000, 0), EMSGSIZE);
    CHECK_ERR(send(fd, check_bad_pointer(), 60, 0), EFAULT);
    ask(fd, false);
    answered(fd, 2048); /* straight from the device, or what poll held */
    ask(fd, true);
    answered(fd, 100);
    CHECK_ERR(recv(fd, check_bad_pointer(), 2048, MSG_DONTWAIT), EFAULT);
    CHECK_EQ(close(fd), 0);
    /* It is lwIP's again, which asks for an address. */
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(fd >= 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
    to.sin_addr.s_addr = htonl(0x0a000202);
    CHECK_EQ(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to), 1);
    CHECK_EQ(close(fd), 0);
    return 0;
}
