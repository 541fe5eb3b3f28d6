/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses: sockaddr to lwIP's and back, ports, and lwIP's errors.
 */
#include "core/net/socket.h"

#include "lwip/ip.h"
#include "lwip/tcp.h"

/* RFC 2133 had no sin6_scope_id; Linux takes that size as well. */
#define SIN6_SIZE_MIN 24

int net_address_in(const struct net_socket *socket, const void *address,
                   unsigned size, ip_addr_t *ip, uint16_t *port)
{
    struct sockaddr_in6 in6 = {0};
    struct sockaddr_in in;
    sa_family_t family;

    if (size < sizeof(family))
        return -EINVAL;
    memcpy(&family, address, sizeof(family));
    if (family != socket->domain)
        return size < sizeof(in) ? -EINVAL : -EAFNOSUPPORT;
    if (family == AF_INET) {
        if (size < sizeof(in))
            return -EINVAL;
        memcpy(&in, address, sizeof(in));
        ip_addr_set_ip4_u32(ip, in.sin_addr.s_addr);
        *port = lwip_htons(in.sin_port);
        return 0;
    }
    if (size < SIN6_SIZE_MIN)
        return -EINVAL;
    memcpy(&in6, address, size < sizeof(in6) ? size : sizeof(in6));
    *port = lwip_htons(in6.sin6_port);
    IP_SET_TYPE(ip, IPADDR_TYPE_V6);
    memcpy(ip_2_ip6(ip)->addr, &in6.sin6_addr, 16);
    ip6_addr_clear_zone(ip_2_ip6(ip));
    if (ip6_addr_isipv4mappedipv6(ip_2_ip6(ip))) {
        if (socket->v6only)
            return -ENETUNREACH;
        unmap_ipv4_mapped_ipv6(ip_2_ip4(ip), ip_2_ip6(ip));
        IP_SET_TYPE(ip, IPADDR_TYPE_V4);
    } else if (ip6_addr_has_scope(ip_2_ip6(ip), IP6_UNKNOWN) &&
               in6.sin6_scope_id <= 255) {
        ip6_addr_set_zone(ip_2_ip6(ip), (u8_t)in6.sin6_scope_id);
    }
    return 0;
}

int net_address_out(int domain, const ip_addr_t *ip, uint16_t port,
                    void *address)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (domain == AF_INET) {
        struct sockaddr_in in = {.sin_family = AF_INET};

        in.sin_port = lwip_htons(port);
        in.sin_addr.s_addr = IP_IS_V4(ip) ? ip_2_ip4(ip)->addr : 0;
        memcpy(address, &in, sizeof(in));
        return sizeof(in);
    }
    in6.sin6_port = lwip_htons(port);
    if (IP_IS_V6_VAL(*ip)) {
        memcpy(&in6.sin6_addr, ip_2_ip6(ip)->addr, 16);
        in6.sin6_scope_id = ip6_addr_zone(ip_2_ip6(ip));
    } else if (!IP_IS_ANY_TYPE_VAL(*ip)) {
        in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
        memcpy(in6.sin6_addr.s6_addr + 12, &ip_2_ip4(ip)->addr, 4);
    }
    memcpy(address, &in6, sizeof(in6));
    return sizeof(in6);
}

void net_address_source(const ip_addr_t *dest, ip_addr_t *out)
{
    struct netif *netif;
    const ip_addr_t *source = NULL;

    if (IP_IS_V6(dest))
        netif = ip_route(IP6_ADDR_ANY, dest);
    else
        netif = ip_route(IP4_ADDR_ANY, dest);
    if (netif)
        source = ip_netif_get_local_ip(netif, dest);
    if (source)
        ip_addr_copy(*out, *source);
    else
        ip_addr_set_any(IP_IS_V6(dest), out);
}

bool net_address_ours(const ip_addr_t *ip, bool multicast)
{
    struct netif *netif;

    if (ip_addr_isany(ip))
        return true;
    if (ip_addr_ismulticast(ip))
        return multicast;
    if (ip_addr_isloopback(ip))
        return true;
    NETIF_FOREACH(netif)
    {
        if (IP_IS_V4(ip)) {
            if (ip4_addr_cmp(netif_ip4_addr(netif), ip_2_ip4(ip)))
                return true;
        } else if (netif_get_ip6_addr_match(netif, ip_2_ip6(ip)) >= 0) {
            return true;
        }
    }
    return false;
}

uint16_t net_port_random(void)
{
    return TCP_ENSURE_LOCAL_PORT_RANGE(net_random32());
}

int net_errno(err_t error)
{
    switch (error) {
    case ERR_OK:
        return 0;
    case ERR_MEM:
    case ERR_BUF:
        return -ENOBUFS;
    case ERR_RTE:
    case ERR_IF:
        return -ENETUNREACH;
    case ERR_USE:
        return -EADDRINUSE;
    case ERR_ISCONN:
        return -EISCONN;
    case ERR_CONN:
    case ERR_CLSD:
        return -ENOTCONN;
    case ERR_ABRT:
        return -ECONNABORTED;
    case ERR_RST:
        return -ECONNRESET;
    case ERR_VAL:
    case ERR_ARG:
    default:
        return -EINVAL;
    }
}
