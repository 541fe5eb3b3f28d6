/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options of UDP sockets: multicast, and what recvmsg tells beside the data.
 */
#include "core/net/datagram.h"

#include "lwip/igmp.h"
#include "lwip/mld6.h"

#define GROUPS_MAX 20 /* of one socket: Linux's igmp_max_memberships */

static void group_leave(struct group *group)
{
    struct netif *netif = net_interface_by_index(group->interface);

    if (IP_IS_V6(&group->address)) {
        if (netif)
            mld6_leavegroup_netif(netif, ip_2_ip6(&group->address));
        else
            mld6_leavegroup(IP6_ADDR_ANY6, ip_2_ip6(&group->address));
    } else if (netif) {
        igmp_leavegroup_netif(netif, ip_2_ip4(&group->address));
    } else {
        igmp_leavegroup(IP4_ADDR_ANY4, ip_2_ip4(&group->address));
    }
    group->used = false;
}

void datagram_leave_groups(struct datagram *datagram)
{
    if (!datagram->groups)
        return;
    for (unsigned i = 0; i < GROUPS_MAX; i++) {
        if (datagram->groups[i].used)
            group_leave(&datagram->groups[i]);
    }
    net_free(datagram->groups);
    datagram->groups = NULL;
}

static struct group *group_slot(struct datagram *datagram,
                                const ip_addr_t *address, uint8_t interface,
                                bool used)
{
    if (!datagram->groups) {
        if (used)
            return NULL;
        datagram->groups = net_alloc(GROUPS_MAX * sizeof(struct group));
        if (!datagram->groups)
            return NULL;
        memset(datagram->groups, 0, GROUPS_MAX * sizeof(struct group));
    }
    for (unsigned i = 0; i < GROUPS_MAX; i++) {
        struct group *group = &datagram->groups[i];

        if (used ? group->used && group->interface == interface &&
                       ip_addr_cmp(&group->address, address)
                 : !group->used)
            return group;
    }
    return NULL;
}

static int group_change(struct datagram *datagram, const ip_addr_t *address,
                        uint8_t interface, bool join)
{
    struct netif *netif = net_interface_by_index(interface);
    struct group *group = group_slot(datagram, address, interface, true);
    err_t error;

    if (!ip_addr_ismulticast(address))
        return -EINVAL;
    if (interface && !netif)
        return -ENODEV;
    if (!join) {
        if (!group)
            return -EADDRNOTAVAIL;
        group_leave(group);
        return 0;
    }
    if (group)
        return -EADDRINUSE;
    group = group_slot(datagram, address, interface, false);
    if (!group)
        return -ENOBUFS;
    if (IP_IS_V6(address))
        error = netif ? mld6_joingroup_netif(netif, ip_2_ip6(address))
                      : mld6_joingroup(IP6_ADDR_ANY6, ip_2_ip6(address));
    else
        error = netif ? igmp_joingroup_netif(netif, ip_2_ip4(address))
                      : igmp_joingroup(IP4_ADDR_ANY4, ip_2_ip4(address));
    if (error != ERR_OK)
        return error == ERR_MEM ? -ENOBUFS : -ENODEV;
    ip_addr_copy(group->address, *address);
    group->interface = interface;
    group->used = true;
    return 0;
}

/* The interface with an IPv4 address; 0 if it is ANY or unknown. */
static uint8_t interface_of(uint32_t address)
{
    struct netif *netif;

    NETIF_FOREACH(netif)
    {
        if (address && netif_ip4_addr(netif)->addr == address)
            return netif_get_index(netif);
    }
    return 0;
}

static int membership4(struct datagram *datagram, const void *value,
                       unsigned size, bool join)
{
    struct ip_mreqn request = {0};
    ip_addr_t address;
    uint8_t interface;

    if (size < sizeof(struct ip_mreq))
        return -EINVAL;
    memcpy(&request, value,
           size < sizeof(request) ? sizeof(struct ip_mreq) : sizeof(request));
    ip_addr_set_ip4_u32_val(address, request.imr_multiaddr.s_addr);
    interface = request.imr_ifindex ? (uint8_t)request.imr_ifindex
                                    : interface_of(request.imr_address.s_addr);
    return group_change(datagram, &address, interface, join);
}

static int membership6(struct datagram *datagram, const void *value,
                       unsigned size, bool join)
{
    struct ipv6_mreq request;
    ip_addr_t address = {0};

    if (size < sizeof(request))
        return -EINVAL;
    memcpy(&request, value, sizeof(request));
    IP_SET_TYPE_VAL(address, IPADDR_TYPE_V6);
    memcpy(ip_2_ip6(&address)->addr, &request.ipv6mr_multiaddr, 16);
    return group_change(datagram, &address, (uint8_t)request.ipv6mr_interface,
                        join);
}

static int multicast_interface(struct datagram *datagram, const void *value,
                               unsigned size)
{
    struct ip_mreqn request = {0};
    uint32_t address;

    if (size >= sizeof(request)) {
        memcpy(&request, value, sizeof(request));
    } else if (size >= sizeof(struct ip_mreq)) {
        memcpy(&request, value, sizeof(struct ip_mreq));
    } else if (size >= sizeof(address)) {
        memcpy(&address, value, sizeof(address));
        request.imr_address.s_addr = address;
    } else {
        return -EINVAL;
    }
    udp_set_multicast_netif_index(
        datagram->pcb, request.imr_ifindex
                           ? (u8_t)request.imr_ifindex
                           : interface_of(request.imr_address.s_addr));
    return 0;
}

static void multicast_loop(struct datagram *datagram, bool on)
{
    if (on)
        udp_set_flags(datagram->pcb, UDP_FLAGS_MULTICAST_LOOP);
    else
        udp_clear_flags(datagram->pcb, UDP_FLAGS_MULTICAST_LOOP);
}

static int set4(struct datagram *datagram, int name, const void *value,
                unsigned size)
{
    int number = size >= sizeof(int) ? *(const int *)value
                 : size > 0          ? *(const unsigned char *)value
                                     : 0;

    switch (name) {
    case IP_ADD_MEMBERSHIP:
    case IP_DROP_MEMBERSHIP:
        return membership4(datagram, value, size, name == IP_ADD_MEMBERSHIP);
    case IP_MULTICAST_IF:
        return multicast_interface(datagram, value, size);
    case IP_MULTICAST_TTL:
        if (number < -1 || number > 255)
            return -EINVAL;
        udp_set_multicast_ttl(datagram->pcb, number < 0 ? 1 : (u8_t)number);
        return 0;
    case IP_MULTICAST_LOOP:
        multicast_loop(datagram, number != 0);
        return 0;
    case IP_PKTINFO:
        datagram->packet_info = number != 0;
        return 0;
    case IP_RECVTTL:
        datagram->want_ttl = number != 0;
        return 0;
    case IP_RECVTOS:
        datagram->want_tos = number != 0;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int set6(struct datagram *datagram, int name, const void *value,
                unsigned size)
{
    int number = 0;

    if (datagram->socket.domain != AF_INET6)
        return -ENOPROTOOPT;
    if (name == IPV6_JOIN_GROUP || name == IPV6_LEAVE_GROUP)
        return membership6(datagram, value, size, name == IPV6_JOIN_GROUP);
    if (size >= sizeof(number))
        memcpy(&number, value, sizeof(number));
    switch (name) {
    case IPV6_MULTICAST_IF:
        udp_set_multicast_netif_index(datagram->pcb, (u8_t)number);
        return 0;
    case IPV6_MULTICAST_HOPS:
        if (number < -1 || number > 255)
            return -EINVAL;
        udp_set_multicast_ttl(datagram->pcb, number < 0 ? 1 : (u8_t)number);
        return 0;
    case IPV6_MULTICAST_LOOP:
        multicast_loop(datagram, number != 0);
        return 0;
    case IPV6_RECVPKTINFO:
        datagram->packet_info6 = number != 0;
        return 0;
    case IPV6_RECVHOPLIMIT:
        datagram->want_hops = number != 0;
        return 0;
    case IPV6_RECVTCLASS:
        datagram->want_class = number != 0;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int datagram_setsockopt(struct file *file, int level, int name,
                        const void *value, unsigned size)
{
    struct datagram *datagram = datagram_of(file);
    int result = -ENOPROTOOPT;

    net_enter();
    if (level == IPPROTO_IP)
        result = set4(datagram, name, value, size);
    else if (level == IPPROTO_IPV6)
        result = set6(datagram, name, value, size);
    net_leave();
    if (result != -ENOPROTOOPT)
        return result;
    if (level == IPPROTO_IPV6 && name == IPV6_V6ONLY &&
        datagram->pcb->local_port != 0)
        return -EINVAL;
    return net_option_set(&datagram->socket, level, name, value, size);
}

int datagram_getsockopt(struct file *file, int level, int name, void *value,
                        unsigned *size)
{
    struct datagram *datagram = datagram_of(file);
    struct udp_pcb *pcb = datagram->pcb;
    bool v6 = level == IPPROTO_IPV6 && datagram->socket.domain == AF_INET6;

    if ((level == IPPROTO_IP && name == IP_MULTICAST_TTL) ||
        (v6 && name == IPV6_MULTICAST_HOPS))
        return net_option_put(value, size, udp_get_multicast_ttl(pcb));
    if ((level == IPPROTO_IP && name == IP_MULTICAST_LOOP) ||
        (v6 && name == IPV6_MULTICAST_LOOP))
        return net_option_put(value, size,
                              (pcb->flags & UDP_FLAGS_MULTICAST_LOOP) != 0);
    if (v6 && name == IPV6_MULTICAST_IF)
        return net_option_put(value, size, udp_get_multicast_netif_index(pcb));
    if (level == IPPROTO_IP && name == IP_PKTINFO)
        return net_option_put(value, size, datagram->packet_info);
    if (v6 && name == IPV6_RECVPKTINFO)
        return net_option_put(value, size, datagram->packet_info6);
    return net_option_get(&datagram->socket, level, name, value, size);
}
