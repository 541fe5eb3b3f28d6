/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interface requests of ioctl(2): netdevice(7).
 */
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>

#include "core/net/device.h"
#include "core/net/socket.h"

static void address_set(struct sockaddr *out, uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET};

    in.sin_addr.s_addr = address;
    memcpy(out, &in, sizeof(in));
}

static int hardware_get(const struct net_device *device, struct ifreq *request)
{
    memset(&request->ifr_hwaddr, 0, sizeof(request->ifr_hwaddr));
    request->ifr_hwaddr.sa_family = device ? ARPHRD_ETHER : ARPHRD_LOOPBACK;
    if (device)
        memcpy(request->ifr_hwaddr.sa_data, device->mac, sizeof(device->mac));
    return 0;
}

static int get(unsigned interface, unsigned long request, struct ifreq *ifr)
{
    const struct net_device *device = net_device_of(interface);
    uint32_t address = 0, mask = 0;

    net_interface_address4(interface, &address, &mask);
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
        address_set(&ifr->ifr_broadaddr, device ? address | ~mask : 0);
        return 0;
    case SIOCGIFFLAGS:
        ifr->ifr_flags = (short)net_interface_flags(interface);
        return 0;
    case SIOCGIFINDEX:
        ifr->ifr_ifindex = (int)interface;
        return 0;
    case SIOCGIFMTU:
        ifr->ifr_mtu = device ? device->mtu : 65536;
        return 0;
    case SIOCGIFMETRIC:
        ifr->ifr_metric = 0;
        return 0;
    case SIOCGIFTXQLEN:
        ifr->ifr_qlen = 256;
        return 0;
    case SIOCGIFHWADDR:
        return hardware_get(device, ifr);
    default:
        return -ENOTTY;
    }
}

/* SIOCGIFCONF: the interfaces that have an IPv4 address. */
static long list(long argument)
{
    struct ifconf conf;
    uint32_t address, mask;
    int done = 0;

    if (core_copy_in(&conf, (const void *)argument, sizeof(conf)) != 0)
        return -EFAULT;
    for (unsigned i = NET_LOOPBACK; i <= NET_INTERFACE_MAX; i++) {
        struct ifreq ifr = {0};

        if (!net_interface_exists(i) ||
            !net_interface_address4(i, &address, &mask))
            continue;
        net_interface_name(i, ifr.ifr_name);
        address_set(&ifr.ifr_addr, address);
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
    unsigned interface;
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
        interface = (unsigned)ifr.ifr_ifindex;
        if (!net_interface_exists(interface))
            return -ENODEV;
        net_interface_name(interface, ifr.ifr_name);
    } else {
        interface = net_interface_number(ifr.ifr_name);
        if (interface == 0)
            return -ENODEV;
        result = get(interface, request, &ifr);
        if (result != 0)
            return result == -ENOTTY ? -EPERM : result;
    }
    return core_copy_out((void *)argument, &ifr, sizeof(ifr));
}
