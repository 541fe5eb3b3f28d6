/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP sockets over loopback: transfer, addresses, connect, refusal by ICMP,
 * truncation, limits, both families, multicast, options and control data; then
 * DHCP over the device, and interface requests.
 */
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "net_frames.h"

static char buffer[70000];

static struct sockaddr_in loop4(unsigned port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};

    in.sin_port = (uint16_t)(port << 8 | port >> 8);
    in.sin_addr.s_addr = 0x0100007f;
    return in;
}

static void test_transfer(void)
{
    struct sockaddr_in in = loop4(53), from;
    int server = s_socket(AF_INET, SOCK_DGRAM);
    int client = s_socket(AF_INET, SOCK_DGRAM);

    CHECK(s_bind(server, &in, sizeof(in)) == 0);
    CHECK(s_bind(client, &in, sizeof(in)) == -EADDRINUSE);
    CHECK(s_poll(server) == (POLLOUT | POLLWRNORM));
    CHECK(s_send(client, "x", 1, 0) == -EDESTADDRREQ);
    CHECK(s_sendto(client, "query", 5, 0, &in, sizeof(in)) == 5);
    CHECK(s_sendto(client, "", 0, 0, &in, sizeof(in)) == 0);
    CHECK(s_poll(server) & POLLIN);
    CHECK(s_recvfrom(server, buffer, 3, MSG_PEEK | MSG_TRUNC, &from) == 5);
    CHECK(s_recvfrom(server, buffer, 100, 0, &from) == 5);
    CHECK(memcmp(buffer, "query", 5) == 0 && from.sin_family == AF_INET);
    CHECK(s_recvfrom(server, buffer, 100, 0, &from) == 0);
    CHECK(s_recv(server, buffer, 100, MSG_DONTWAIT) == -EAGAIN);
    CHECK(s_sendto(server, "reply", 5, 0, &from, sizeof(from)) == 5);
    CHECK(s_recv(client, buffer, 100, 0) == 5);
    /* The largest there is, in fragments nowhere: loopback takes it whole. */
    CHECK(s_sendto(client, buffer, 65507, 0, &in, sizeof(in)) == 65507);
    CHECK(s_recv(server, buffer, sizeof(buffer), 0) == 65507);
    CHECK(s_sendto(client, buffer, 65508, 0, &in, sizeof(in)) == -EMSGSIZE);
    s_close(client);
    s_close(server);
}

static void test_connected(void)
{
    struct sockaddr_in in = loop4(999), name;
    int fd = s_socket(AF_INET, SOCK_DGRAM), server, other;

    CHECK(s_getpeername(fd, &name) == -ENOTCONN);
    CHECK(s_connect(fd, &in, sizeof(in)) == 0);
    CHECK(s_getsockname(fd, &name) == sizeof(name));
    CHECK(name.sin_addr.s_addr == in.sin_addr.s_addr && name.sin_port != 0);
    /* Nobody is there: ICMP says so to the next call. */
    CHECK(s_send(fd, "x", 1, 0) == 1);
    CHECK(s_poll(fd) & POLLERR);
    CHECK(s_recv(fd, buffer, 1, MSG_DONTWAIT) == -ECONNREFUSED);
    CHECK(s_recv(fd, buffer, 1, MSG_DONTWAIT) == -EAGAIN);
    /* Only its peer is heard. */
    server = s_socket(AF_INET, SOCK_DGRAM);
    other = s_socket(AF_INET, SOCK_DGRAM);
    CHECK(s_bind(server, &in, sizeof(in)) == 0);
    CHECK(s_sendto(other, "no", 2, 0, &name, sizeof(name)) == 2);
    CHECK(s_recv(fd, buffer, 9, MSG_DONTWAIT) == -EAGAIN);
    CHECK(s_sendto(server, "yes", 3, 0, &name, sizeof(name)) == 3);
    CHECK(s_recv(fd, buffer, 9, 0) == 3);
    name.sin_family = AF_UNSPEC;
    CHECK(s_connect(fd, &name, sizeof(name)) == 0);
    CHECK(s_send(fd, "x", 1, 0) == -EDESTADDRREQ);
    s_close(other);
    s_close(server);
    s_close(fd);
}

static void test_limits(void)
{
    struct sockaddr_in in = loop4(1000);
    int server = s_socket(AF_INET, SOCK_DGRAM);
    int client = s_socket(AF_INET, SOCK_DGRAM);
    unsigned received = 0;

    CHECK(s_bind(server, &in, sizeof(in)) == 0);
    CHECK(s_set(server, SOL_SOCKET, SO_RCVBUF, 16384) == 0);
    for (unsigned i = 0; i < 1000; i++)
        CHECK(s_sendto(client, buffer, 1000, 0, &in, sizeof(in)) == 1000);
    while (s_recv(server, buffer, 1000, MSG_DONTWAIT) == 1000)
        received++;
    CHECK(received > 5 && received < 20);
    s_close(server);
    s_close(client);
}

static void test_six(void)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = 0x1027};
    struct sockaddr_in6 from;
    struct sockaddr_in in = loop4(10000);
    int server = s_socket(AF_INET6, SOCK_DGRAM);
    int client = s_socket(AF_INET6, SOCK_DGRAM);
    int client4 = s_socket(AF_INET, SOCK_DGRAM);

    CHECK(s_bind(server, &in6, sizeof(in6)) == 0);
    in6.sin6_addr.s6_addr[15] = 1;
    CHECK(s_sendto(client, "six", 3, 0, &in6, sizeof(in6)) == 3);
    CHECK(s_recvfrom(server, buffer, 9, 0, &from) == 3);
    CHECK(memcmp(&from.sin6_addr, &in6.sin6_addr, 16) == 0);
    CHECK(s_sendto(client4, "four", 4, 0, &in, sizeof(in)) == 4);
    CHECK(s_recvfrom(server, buffer, 9, 0, &from) == 4);
    CHECK(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
    CHECK(s_sendto(server, "back", 4, 0, &from, sizeof(from)) == 4);
    CHECK(s_recv(client4, buffer, 9, 0) == 4);
    s_close(client4);
    s_close(client);
    s_close(server);
}

static void test_control(void)
{
    struct sockaddr_in in = loop4(1001);
    int fd = s_socket(AF_INET, SOCK_DGRAM);
    union {
        struct cmsghdr align;
        char bytes[256];
    } control;
    struct iovec iov = {buffer, 100};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    struct in_pktinfo info = {0};
    int ttl = 0;

    CHECK(s_bind(fd, &in, sizeof(in)) == 0);
    CHECK(s_set(fd, IPPROTO_IP, IP_PKTINFO, 1) == 0);
    CHECK(s_set(fd, IPPROTO_IP, IP_RECVTTL, 1) == 0);
    CHECK(s_set(fd, IPPROTO_IP, IP_TTL, 7) == 0);
    CHECK(s_sendto(fd, "me", 2, 0, &in, sizeof(in)) == 2);
    message.msg_control = &control;
    message.msg_controllen = sizeof(control);
    CHECK(mock_ops(fd)->recvmsg(mock_files[fd], &message, 0) == 2);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c;
         c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_type == IP_PKTINFO)
            memcpy(&info, CMSG_DATA(c), sizeof(info));
        if (c->cmsg_type == IP_TTL)
            memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
    }
    CHECK(info.ipi_ifindex == 1 && info.ipi_addr.s_addr == 0x0100007f);
    CHECK(ttl == 7);
    /* No room for it: said so. */
    CHECK(s_sendto(fd, "me", 2, 0, &in, sizeof(in)) == 2);
    message.msg_controllen = 4;
    CHECK(mock_ops(fd)->recvmsg(mock_files[fd], &message, 0) == 2);
    CHECK(message.msg_flags & MSG_CTRUNC);
    s_close(fd);
}

static void test_interfaces(void)
{
    int fd = s_socket(AF_INET, SOCK_DGRAM);
    struct ifreq list[4], ifr = {0};
    struct ifconf conf = {.ifc_len = sizeof(list)};

    conf.ifc_req = list;
    CHECK(mock_files[fd]->ops->ioctl(mock_files[fd], SIOCGIFCONF,
                                     (long)&conf) == 0);
    CHECK(conf.ifc_len == 2 * sizeof(ifr));
    CHECK(strcmp(list[0].ifr_name, "lo") == 0);
    CHECK(strcmp(list[1].ifr_name, "eth0") == 0);
    strcpy(ifr.ifr_name, "eth0");
    CHECK(mock_files[fd]->ops->ioctl(mock_files[fd], SIOCGIFHWADDR,
                                     (long)&ifr) == 0);
    CHECK(memcmp(ifr.ifr_hwaddr.sa_data, our_mac, 6) == 0);
    CHECK(mock_files[fd]->ops->ioctl(mock_files[fd], SIOCGIFINDEX,
                                     (long)&ifr) == 0);
    CHECK(ifr.ifr_ifindex == 2);
    strcpy(ifr.ifr_name, "eth7");
    CHECK(mock_files[fd]->ops->ioctl(mock_files[fd], SIOCGIFFLAGS,
                                     (long)&ifr) == -ENODEV);
    s_close(fd);
}

static void test_netlink(void)
{
    struct {
        uint32_t size;
        uint16_t type, flags;
        uint32_t sequence, port;
        unsigned char family;
    } request = {17, 22, 0x301, 5, 0, 0};
    int fd = s_socket(AF_NETLINK, SOCK_RAW);
    uint16_t type;
    long size;

    CHECK(s_send(fd, &request, 17, 0) == 17);
    size = s_recv(fd, buffer, 8192, MSG_DONTWAIT);
    CHECK(size > 100);
    memcpy(&type, buffer + 4, 2);
    CHECK(type == 20);
    memcpy(&type, buffer + size - 20 + 4, 2);
    CHECK(type == 3);
    s_close(fd);
}

/* -- DHCP: the other end of the device -- */

static unsigned dhcp_reply(unsigned char *frame, const unsigned char *request,
                           unsigned type)
{
    static const unsigned char options[] = {
        99, 130, 83,  99,  53,  1, 0, 54, 4,  10, 0, 2,  2,
        1,  4,   255, 255, 255, 0, 3, 4,  10, 0,  2, 2,  51,
        4,  0,   0,   1,   0,   6, 4, 10, 0,  2,  3, 255};
    unsigned char *udp = frame + 34, *dhcp = frame + 42;
    unsigned size = 8 + 236 + sizeof(options);

    memset(frame, 0, 600);
    put16(udp, 67);
    put16(udp + 2, 68);
    put16(udp + 4, size);
    dhcp[0] = 2;
    dhcp[1] = 1;
    dhcp[2] = 6;
    memcpy(dhcp + 4, request + 42 + 4, 4);
    put32(dhcp + 16, OUR_IP);
    memcpy(dhcp + 28, our_mac, 6);
    memcpy(dhcp + 236, options, sizeof(options));
    dhcp[236 + 6] = (unsigned char)type;
    return ip_wrap(frame, 17, PEER_IP, size);
}

/* Plays the server while somebody waits for an address. */
static void dhcp_server(void)
{
    struct mock_frame *frame;
    unsigned char reply[700];

    while ((frame = mock_frame_take(mock_sent, &mock_sent_count))) {
        if (get16(frame->data + 12) == 0x0800 && frame->data[23] == 17 &&
            get16(frame->data + 36) == 67)
            frame_arrives(reply,
                          dhcp_reply(reply, frame->data,
                                     frame->data[42 + 242] == 1 ? 2 : 5));
        else if (is_arp_request(frame) && get32(frame->data + 38) == PEER_IP)
            arp_answer(frame);
        free(frame);
        core_net_ready();
    }
}

static void test_dhcp(void)
{
    struct sockaddr_in in = loop4(53), name;
    int fd = s_socket(AF_INET, SOCK_DGRAM);

    put32((unsigned char *)&in.sin_addr, 0x08080808);
    mock_others = dhcp_server;
    CHECK(s_connect(fd, &in, sizeof(in)) == 0);
    mock_others = NULL;
    CHECK(s_getsockname(fd, &name) == sizeof(name));
    CHECK(get32((unsigned char *)&name.sin_addr) == OUR_IP);
    CHECK(strcmp(mock_resolv, "nameserver 10.0.2.3\n") == 0);
    CHECK(s_send(fd, "x", 1, 0) == 1);
    dhcp_server(); /* ARP for the gateway */
    s_close(fd);
}

int main(void)
{
    struct sockaddr_in in = loop4(1);
    size_t objects;
    int fd;

    mock_nic = true;
    test_dhcp();
    fd = s_socket(AF_INET, SOCK_DGRAM);
    CHECK(s_sendto(fd, "x", 1, 0, &in, sizeof(in)) == 1);
    s_close(fd);
    mock_run_ms(10000);
    objects = mock_objects;
    test_transfer();
    test_connected();
    test_limits();
    test_six();
    test_control();
    test_interfaces();
    test_netlink();
    CHECK(mock_objects <= objects + 2); /* neighbours, a lease renewed */
    CHECK(mock_file_count == 0);
    puts("net_datagram: ok");
    return 0;
}
