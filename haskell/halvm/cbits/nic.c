/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network interfaces for System.HaLVM.NIC: descriptors that give and take whole
 * Ethernet frames. In a unikernel a packet socket, which takes the interface
 * from lwIP; as a Linux process what HALVM_NIC names: a tap device, an
 * inherited socket of packets (the test wire), a packet socket on an interface.
 *
 * Results as the kernel's: >= 0 or -errno.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH 32

/* linux/if_tun.h, linux/if_packet.h, linux/if_ether.h */
#define TUN_SET_INTERFACE 0x400454caul
#define TUN_TAP           2
#define TUN_NO_HEADER     0x1000
#define TUN_HEADER        0x4000
#define TUN_SET_OFFLOAD   0x400454d0ul
#define TUN_OFFLOADS      7ul /* checksums, TCP over IPv4, over IPv6 */
#define PACKET_HEADER     15  /* PACKET_VNET_HDR */
#define ALL_PROTOCOLS     3
struct link_address {
    uint16_t family, protocol;
    int32_t interface;
    uint16_t hardware;
    uint8_t type, size, address[8];
};

static long result_of(long result)
{
    return result < 0 ? -errno : result;
}

/* The index-th interface of a unikernel, loopback not counted: whether it is
 * there, its MAC and MTU. */
int hs_nic_facts(unsigned index, uint8_t mac[6], int *mtu)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), result;
    struct ifreq request = {0};

    if (fd < 0)
        return -errno;
    request.ifr_name[0] = 'e';
    request.ifr_name[1] = 't';
    request.ifr_name[2] = 'h';
    request.ifr_name[3] = (char)('0' + index % 10);
    result = ioctl(fd, SIOCGIFHWADDR, &request) < 0 ? -errno : 0;
    if (result == 0) {
        memcpy(mac, request.ifr_hwaddr.sa_data, 6);
        result = ioctl(fd, SIOCGIFMTU, &request) < 0 ? -errno : 0;
        *mtu = request.ifr_mtu;
    }
    close(fd);
    return result;
}

/* A packet socket on an interface; its MAC and MTU. *large, if it is not 0:
 * frames are to have a header; 0 on return: they have none, since the device
 * does not do what one may ask for. */
int hs_nic_packet(const char *name, uint8_t mac[6], int *mtu, int *large)
{
    struct link_address address = {.family = AF_PACKET,
                                   .protocol = htons(ALL_PROTOCOLS)};
    struct ifreq request = {0};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    htons(ALL_PROTOCOLS));
    int result;

    if (fd < 0)
        return -errno;
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
        goto fail;
    memcpy(mac, request.ifr_hwaddr.sa_data, 6);
    if (ioctl(fd, SIOCGIFMTU, &request) < 0)
        goto fail;
    *mtu = request.ifr_mtu;
    if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
        goto fail;
    address.interface = request.ifr_ifindex;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        goto fail;
    if (*large &&
        setsockopt(fd, SOL_PACKET, PACKET_HEADER, large, sizeof *large) < 0)
        *large = 0;
    return fd;
fail:
    result = -errno;
    close(fd);
    return result;
}

/* A tap device; *large as for hs_nic_packet. */
int hs_nic_tap(const char *name, int *large)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK), result;
    struct ifreq request = {0};

    if (fd < 0)
        return -errno;
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = TUN_TAP | TUN_NO_HEADER | (*large ? TUN_HEADER : 0);
    if (ioctl(fd, TUN_SET_INTERFACE, &request) < 0) {
        result = -errno;
        close(fd);
        return result;
    }
    /* Without this the header is there all the same, and asks for nothing; and
     * what others have asked for stays with the device. */
    ioctl(fd, TUN_SET_OFFLOAD, *large ? TUN_OFFLOADS : 0);
    return fd;
}

/* An inherited socket whose messages are frames. */
int hs_nic_wire(int inherited)
{
    int type = 0, fd;
    socklen_t size = sizeof type;

    if (getsockopt(inherited, SOL_SOCKET, SO_TYPE, &type, &size) < 0)
        return -errno;
    if (type == SOCK_STREAM)
        return -EPROTOTYPE;
    fd = fcntl(inherited, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return -errno;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        close(fd);
        return -errno;
    }
    return fd;
}

static long send_one_by_one(int fd, const struct iovec *frames, unsigned count)
{
    unsigned done = 0;

    while (done < count) {
        ssize_t sent = write(fd, frames[done].iov_base, frames[done].iov_len);
        if (sent < 0)
            return done > 0 ? (long)done : -errno;
        done++;
    }
    return done;
}

/* One frame: its size, or -errno. */
long hs_nic_send_one(int fd, int is_socket, const void *frame, size_t size)
{
    return result_of(is_socket
                         ? send(fd, frame, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                         : write(fd, frame, size));
}

/* How many frames were taken, in order; -EAGAIN: none, no room now. */
long hs_nic_send(int fd, int is_socket, const struct iovec *frames,
                 unsigned count)
{
    struct mmsghdr messages[BATCH];
    unsigned done = 0;

    if (!is_socket)
        return send_one_by_one(fd, frames, count);
    while (done < count) {
        unsigned part = count - done < BATCH ? count - done : BATCH;
        long sent;

        memset(messages, 0, part * sizeof messages[0]);
        for (unsigned i = 0; i < part; i++) {
            messages[i].msg_hdr.msg_iov = (struct iovec *)&frames[done + i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        sent = result_of(
            sendmmsg(fd, messages, part, MSG_DONTWAIT | MSG_NOSIGNAL));
        if (sent <= 0)
            return done > 0 ? (long)done : sent;
        done += (unsigned)sent;
        if ((unsigned)sent < part)
            break;
    }
    return done;
}

/* Fills buffers with a frame each, and their sizes; how many, or -EAGAIN. */
long hs_nic_receive(int fd, int is_socket, struct iovec *frames, unsigned count)
{
    struct mmsghdr messages[BATCH];
    long got;

    if (count > BATCH)
        count = BATCH;
    if (!is_socket) {
        unsigned done = 0;
        while (done < count) {
            ssize_t size =
                read(fd, frames[done].iov_base, frames[done].iov_len);
            if (size < 0)
                return done > 0 ? (long)done : -errno;
            frames[done++].iov_len = (size_t)size;
        }
        return done;
    }
    memset(messages, 0, count * sizeof messages[0]);
    for (unsigned i = 0; i < count; i++) {
        messages[i].msg_hdr.msg_iov = &frames[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    got = result_of(recvmmsg(fd, messages, count, MSG_DONTWAIT, NULL));
    for (long i = 0; i < got; i++)
        frames[i].iov_len = messages[i].msg_len;
    return got;
}

/* One frame of an interface whose frames may be large; its size or -errno. */
long hs_nic_receive_one(int fd, int is_socket, void *buffer, size_t size)
{
    return result_of(is_socket ? recv(fd, buffer, size, MSG_DONTWAIT)
                               : read(fd, buffer, size));
}
