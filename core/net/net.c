/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network's start, and the end of every operation on it.
 *
 * Nothing here runs, and no device is touched, before the program makes its
 * first socket.
 */
#include "core/net/net.h"
#include "core/file/file.h"
#include "core/mem/mem.h"
#include "core/net/icmp.h"
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

static bool started;

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
    if (done == 3 && (result = time_timer_reserve(1)) == 0)
        done++;
    return done == 4 ? net_interfaces_init() : result;
}

int net_start(void)
{
    int result;

    if (started)
        return 0;
    result = start_steps();
    if (result < 0)
        return result;
    started = true;
    file_resolver_hook = net_wait_configured;
    if (result > 0)
        core_net_ready = net_interfaces_ready;
    net_timers_start();
    net_leave();
    return 0;
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
        net_interfaces_later();
    if (net_output_pending) {
        net_output_pending = false;
        net_interfaces_flush();
    }
}
