/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lwIP as the stack of AF_INET and AF_INET6 (stack.h): its start, the end of
 * every operation on it, its sockets.
 */
#include "core/mem/mem.h"
#include "core/net/device.h"
#include "core/net/icmp.h"
#include "core/net/net.h"
#include "core/net/provider.h"
#include "core/net/socket.h"
#include "core/net/stack.h"
#include "core/time/time.h"

#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/ip.h"
#include "lwip/nd6.h"
#include "lwip/priv/raw_priv.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/udp.h"

bool net_output_pending; /* frames wait in an interface's queue */

/* Rounds of loopback in one go: ends that answer each other through more than
 * one interface would else keep the machine as long as they like. */
#define LOOPBACK_ROUNDS_MAX 1000

void net_lwip_failed(const char *what)
{
    core_assert_failed("lwip", 0, what);
}

/* What lwIP's init.c does, without its comparisons (lwipopts.h). */
static void lwip_start(void)
{
    pbuf_init();
    netif_init();
    ip_init();
    etharp_init();
    raw_init();
    udp_init();
    tcp_init();
    igmp_init();
}

/* The steps that can fail, each done once: where memory was missing, the next
 * socket goes on from there. */
static int start_steps(void)
{
    static unsigned done;
    int result = 0;

    if (done == 0 && (result = time_timer_reserve(1)) == 0)
        done++;
    if (done == 1 && (result = net_secret_init()) == 0) {
        struct netif *lo;

        net_memory_init();
        lwip_start();
        lo = netif_get_by_index(1);
        ASSERT(lo);
        NETIF_SET_CHECKSUM_CTRL(lo, NETIF_CHECKSUM_DISABLE_ALL);
        done++;
    }
    if (done == 2 && (result = net_icmp_start()) == 0)
        done++;
    return done == 3 ? net_interfaces_init() : result;
}

static int start(void)
{
    int result = start_steps();

    if (result < 0)
        return result;
    net_timers_start();
    net_leave();
    return result;
}

void net_leave(void)
{
    unsigned rounds = 0;
    bool again;

    do {
        struct netif *netif;

        again = false;
        NETIF_FOREACH(netif)
        {
            if (netif->loop_first) {
                netif_poll(netif);
                again = true;
            }
        }
    } while (again && ++rounds < LOOPBACK_ROUNDS_MAX);
    if (again)
        net_devices_later(0);
    if (net_output_pending) {
        net_output_pending = false;
        net_interfaces_flush();
    }
}

/* -- what others may ask -- */

static bool address4(unsigned interface, uint32_t *address, uint32_t *mask)
{
    struct netif *netif = net_interface_by_index(interface);

    if (!netif || !netif_ip4_addr(netif)->addr)
        return false;
    *address = netif_ip4_addr(netif)->addr;
    *mask = netif_ip4_netmask(netif)->addr;
    return true;
}

_Static_assert(LWIP_IPV6_NUM_ADDRESSES == NET_ADDRESSES6_MAX, "stack.h");

static bool address6(unsigned interface, unsigned n, uint8_t address[16])
{
    struct netif *netif = net_interface_by_index(interface);

    if (!netif || !ip6_addr_isvalid(netif_ip6_addr_state(netif, (s8_t)n)))
        return false;
    memcpy(address, netif_ip6_addr(netif, (s8_t)n)->addr, 16);
    return true;
}

/* -- AF_INET and AF_INET6 -- */

static bool inet_has(int domain)
{
    return domain == AF_INET || domain == AF_INET6;
}

static int inet_create(int domain, int type, int protocol, int flags,
                       struct file **out)
{
    int result = net_start();

    if (result != 0)
        return result;
    switch (type) {
    case SOCK_STREAM:
        if (protocol != 0 && protocol != IPPROTO_TCP)
            return -EPROTONOSUPPORT;
        return net_stream_create(domain, IPPROTO_TCP, flags, out);
    case SOCK_DGRAM:
        if (protocol != 0 && protocol != IPPROTO_UDP)
            return -EPROTONOSUPPORT;
        return net_datagram_create(domain, IPPROTO_UDP, flags, out);
    case SOCK_RAW:
        return -EPROTONOSUPPORT;
    default:
        return -ESOCKTNOSUPPORT;
    }
}

static struct net_provider provider = {
    .name = "lwip", .has = inet_has, .create = inet_create};

const struct net_stack net_lwip = {
    .provider = &provider,
    .start = start,
    .ready = net_interfaces_ready,
    .taken = net_interfaces_taken,
    .wait_configured = net_wait_configured,
    .address4 = address4,
    .address6 = address6,
};
