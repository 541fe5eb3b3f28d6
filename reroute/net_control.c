/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets of a provider: the control messages of a datagram (ip(7), ipv6(7)),
 * made of what the packet says of its way, for those who asked for them.
 */
#include <string.h>

#include "reroute/net.h"

/* All that there are take less (ip(7), ipv6(7)). */
#define CONTROL_SIZE 256

/* What is made for the application, which has room for so many bytes of it. */
struct control {
    char data[CONTROL_SIZE];
    size_t room, used;
    bool truncated;
};

/* One that does not fit is left out, and that is said. */
static void put(struct control *control, int level, int type, const void *data,
                size_t size)
{
    struct cmsghdr header = {.cmsg_level = level, .cmsg_type = type};
    size_t at = CMSG_ALIGN(control->used);

    if (at + CMSG_LEN(size) > control->room) {
        control->truncated = true;
        return;
    }
    header.cmsg_len = (socklen_t)CMSG_LEN(size);
    memcpy(control->data + at, &header, sizeof header);
    memcpy(control->data + at + CMSG_LEN(0), data, size);
    at += CMSG_SPACE(size);
    control->used = at < control->room ? at : control->room;
}

static void put_int(struct control *control, int level, int type, int number)
{
    put(control, level, type, &number, sizeof number);
}

static void put_ip(struct net_socket *s, struct control *control,
                   const struct halvm_net_packet *packet)
{
    struct in_pktinfo info = {.ipi_ifindex = (int)packet->interface};

    memcpy(&info.ipi_addr, packet->local, sizeof info.ipi_addr);
    info.ipi_spec_dst = info.ipi_addr;
    if (net_option_is_on(s, IPPROTO_IP, IP_PKTINFO))
        put(control, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    if (net_option_is_on(s, IPPROTO_IP, IP_RECVTTL))
        put_int(control, IPPROTO_IP, IP_TTL, packet->hop_limit);
    if (net_option_is_on(s, IPPROTO_IP, IP_RECVTOS))
        put(control, IPPROTO_IP, IP_TOS, &packet->traffic_class, 1);
}

static void put_ip6(struct net_socket *s, struct control *control,
                    const struct halvm_net_packet *packet)
{
    struct in6_pktinfo info = {.ipi6_ifindex = packet->interface};

    memcpy(&info.ipi6_addr, packet->local, sizeof info.ipi6_addr);
    if (net_option_is_on(s, IPPROTO_IPV6, IPV6_RECVPKTINFO))
        put(control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    if (net_option_is_on(s, IPPROTO_IPV6, IPV6_RECVHOPLIMIT))
        put_int(control, IPPROTO_IPV6, IPV6_HOPLIMIT, packet->hop_limit);
    if (net_option_is_on(s, IPPROTO_IPV6, IPV6_RECVTCLASS))
        put_int(control, IPPROTO_IPV6, IPV6_TCLASS, packet->traffic_class);
}

int net_fill_control(struct net_socket *s, struct msghdr *header,
                     const struct halvm_net_packet *packet)
{
    struct control control = {.room = header->msg_controllen};

    if (!header->msg_control)
        control.room = 0;
    if (control.room > CONTROL_SIZE)
        control.room = CONTROL_SIZE;
    if (packet->hop_limit > 0 && s->domain == AF_INET)
        put_ip(s, &control, packet);
    else if (packet->hop_limit > 0 && s->domain == AF_INET6)
        put_ip6(s, &control, packet);
    header->msg_controllen = (socklen_t)control.used;
    if (control.truncated)
        header->msg_flags |= MSG_CTRUNC;
    return halvm_copy_out(header->msg_control, control.data, control.used);
}
