/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interface requests of ioctl(2): netdevice(7).
 */
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>

#include "core/net/socket.h"

static void address_set(struct sockaddr *out, uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET};

    in.sin_addr.s_addr = address;
    memcpy(out, &in, sizeof(in));
}

static short flags_of(const struct netif *netif)
{
    int flags = IFF_MULTICAST;

    if (netif_get_index(netif) == 1)
        flags = IFF_LOOPBACK;
    else
        flags |= IFF_BROADCAST;
    if (netif_is_up(netif))
        flags |= IFF_UP;
    if (netif_is_link_up(netif))
        flags |= IFF_RUNNING;
    return (short)flags;
}

static int hardware_get(const struct netif *netif, struct ifreq *request)
{
    memset(&request->ifr_hwaddr, 0, sizeof(request->ifr_hwaddr));
    request->ifr_hwaddr.sa_family =
        netif_get_index(netif) == 1 ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
    memcpy(request->ifr_hwaddr.sa_data, netif->hwaddr, netif->hwaddr_len);
    return 0;
}

static int get(const struct netif *netif, unsigned long request,
               struct ifreq *ifr)
{
    uint32_t address = netif_ip4_addr(netif)->addr;
    uint32_t mask = netif_ip4_netmask(netif)->addr;

    switch (request) {
    case SIOCGIFADDR:
        if (!address)
            return -EADDRNOTAVAIL;
        address_set(&ifr->ifr_addr, address);
        return 0;
    case SIOCGIFNETMASK:
        if (!address)
            return -EADDRNOTAVAIL;
        address_set(&ifr->ifr_netmask, mask);
        return 0;
    case SIOCGIFBRDADDR:
        if (!address)
            return -EADDRNOTAVAIL;
        address_set(&ifr->ifr_broadaddr,
                    netif_get_index(netif) == 1 ? 0 : address | ~mask);
        return 0;
    case SIOCGIFFLAGS:
        ifr->ifr_flags = flags_of(netif);
        return 0;
    case SIOCGIFINDEX:
        ifr->ifr_ifindex = netif_get_index(netif);
        return 0;
    case SIOCGIFMTU:
        ifr->ifr_mtu = netif_get_index(netif) == 1 ? 65536 : netif->mtu;
        return 0;
    case SIOCGIFMETRIC:
        ifr->ifr_metric = 0;
        return 0;
    case SIOCGIFTXQLEN:
        ifr->ifr_qlen = 256;
        return 0;
    case SIOCGIFHWADDR:
        return hardware_get(netif, ifr);
    default:
        return -ENOTTY;
    }
}

/* SIOCGIFCONF: the interfaces that have an IPv4 address. */
static long list(long argument)
{
    struct ifconf conf;
    struct netif *netif;
    int done = 0;

    if (core_copy_in(&conf, (const void *)argument, sizeof(conf)) != 0)
        return -EFAULT;
    /* In the order of their numbers: lwIP's list starts with the newest. */
    for (unsigned i = 1; i <= LIMIT_NICS + 1; i++) {
        struct ifreq ifr = {0};

        netif = net_interface_by_index(i);
        if (!netif || !netif_ip4_addr(netif)->addr)
            continue;
        net_interface_name(netif, ifr.ifr_name);
        address_set(&ifr.ifr_addr, netif_ip4_addr(netif)->addr);
        if (conf.ifc_buf) {
            if (conf.ifc_len - done < (int)sizeof(ifr))
                break;
            if (core_copy_out(conf.ifc_buf + done, &ifr, sizeof(ifr)) != 0)
                return -EFAULT;
        }
        done += (int)sizeof(ifr);
    }
    conf.ifc_len = done;
    return core_copy_out((void *)argument, &conf, sizeof(conf));
}

long net_interface_ioctl(unsigned long request, long argument)
{
    struct netif *netif;
    struct ifreq ifr;
    int result;

    if (request == SIOCGIFCONF)
        return list(argument);
    /* Anything else of netdevice(7) that is not here changes something. */
    if (request < SIOCGIFNAME || request > SIOCGIFINDEX + 0x20)
        return -ENOTTY;
    if (core_copy_in(&ifr, (const void *)argument, sizeof(ifr)) != 0)
        return -EFAULT;
    ifr.ifr_name[IFNAMSIZ - 1] = '\0';
    if (request == SIOCGIFNAME) {
        netif = net_interface_by_index((unsigned)ifr.ifr_ifindex);
        if (!netif || ifr.ifr_ifindex < 1)
            return -ENODEV;
        net_interface_name(netif, ifr.ifr_name);
    } else {
        netif = net_interface_by_name(ifr.ifr_name);
        if (!netif)
            return -ENODEV;
        result = get(netif, request, &ifr);
        if (result != 0)
            return result == -ENOTTY ? -EPERM : result;
    }
    return core_copy_out((void *)argument, &ifr, sizeof(ifr));
}
