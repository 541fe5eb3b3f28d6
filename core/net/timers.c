/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lwIP's periodic work, on one timer of core/time.
 *
 * Stands in place of lwIP's timeouts.c (LWIP_TIMERS_CUSTOM). Each clock runs
 * only while something needs it, so that an idle machine sleeps:
 *
 *   TCP        40 ms while a connection has anything under way, 1 s while one
 *              only waits for keepalive, else stopped. A stopped clock is
 *              brought up to date (tcp_ticks) by net_enter().
 *   second     ARP, ND, reassembly, leases: while there is an interface.
 *   groups     100 ms while a multicast report is due.
 *   dhcp       500 ms while a request waits for its answer.
 */
#include "core/net/net.h"
#include "core/time/time.h"

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/mld6.h"
#include "lwip/nd6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/dhcp.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"

#define MS               1000000ull
#define TCP_FAST_NS      (TCP_TMR_INTERVAL * MS)
#define TCP_SLOW_NS      (2 * TCP_FAST_NS)
#define GROUPS_NS        (100 * MS)
#define DHCP_NS          (DHCP_FINE_TIMER_MSECS * MS)
#define DHCP_COARSE_TURN DHCP_COARSE_TIMER_SECS

bool net_timers_asleep = true;

static void fire(struct time_timer *timer);
static struct time_timer timer = {.fire = fire};
static uint64_t tcp_next = TIME_NEVER, tcp_ticked_ns;
static uint64_t second_next = TIME_NEVER;
static uint64_t groups_next = TIME_NEVER, dhcp_next = TIME_NEVER;
static bool tcp_slow_turn;
static unsigned seconds;

u32_t sys_now(void)
{
    return (u32_t)(time_now_ns() / MS);
}

static void arm(void)
{
    uint64_t next = tcp_next;

    if (second_next < next)
        next = second_next;
    if (groups_next < next)
        next = groups_next;
    if (dhcp_next < next)
        next = dhcp_next;
    if (next == TIME_NEVER)
        time_timer_cancel(&timer);
    else
        time_timer_set(&timer, next);
}

/* -- TCP -- */

enum tcp_need { NEED_NOTHING, NEED_COARSE, NEED_FINE };

static enum tcp_need pcb_need(const struct tcp_pcb *pcb)
{
    if ((pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND)) ||
        pcb->refused_data || pcb->unacked || pcb->unsent || pcb->ooseq ||
        pcb->persist_backoff || pcb->poll)
        return NEED_FINE;
    if (pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT)
        return ip_get_option(pcb, SOF_KEEPALIVE) ? NEED_COARSE : NEED_NOTHING;
    if (pcb->state == FIN_WAIT_2)
        return pcb->flags & TF_RXCLOSED ? NEED_COARSE : NEED_NOTHING;
    return NEED_FINE;
}

static enum tcp_need tcp_need(void)
{
    enum tcp_need need = tcp_tw_pcbs ? NEED_COARSE : NEED_NOTHING;

    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        enum tcp_need its = pcb_need(pcb);

        if (its > need)
            need = its;
        if (need == NEED_FINE)
            break;
    }
    return need;
}

static void tcp_catch_up(uint64_t now)
{
    uint64_t missed = (now - tcp_ticked_ns) / TCP_SLOW_NS;

    tcp_ticks += (u32_t)missed;
    tcp_ticked_ns += missed * TCP_SLOW_NS;
}

static void tcp_tick(uint64_t now)
{
    if (net_timers_asleep)
        tcp_catch_up(now);
    tcp_fasttmr();
    tcp_slow_turn = !tcp_slow_turn;
    if (tcp_slow_turn || net_timers_asleep) {
        net_time_wait_expire();
        tcp_slowtmr();
        tcp_ticked_ns = now;
    }
    switch (tcp_need()) {
    case NEED_FINE:
        net_timers_asleep = false;
        tcp_next = now + TCP_FAST_NS;
        break;
    case NEED_COARSE:
        net_timers_asleep = true;
        tcp_next = now + TIME_SECOND;
        break;
    case NEED_NOTHING:
        net_timers_asleep = true;
        tcp_next = TIME_NEVER;
        net_memory_trim();
        break;
    }
}

void net_timers_wake(void)
{
    uint64_t now;

    if (!net_timers_asleep || (!tcp_active_pcbs && !tcp_tw_pcbs))
        return;
    now = time_now_ns();
    tcp_catch_up(now);
    net_timers_asleep = false;
    tcp_next = now + TCP_FAST_NS;
    arm();
}

/* lwIP: a control block was put on a list. */
void tcp_timer_needed(void)
{
    if (net_timers_asleep)
        net_timers_wake();
}

/* -- the others -- */

static bool groups_pending(void)
{
    struct netif *netif;

    NETIF_FOREACH(netif)
    {
        for (struct igmp_group *group = netif_igmp_data(netif); group;
             group = group->next) {
            if (group->timer)
                return true;
        }
        for (struct mld_group *group = netif_mld6_data(netif); group;
             group = group->next) {
            if (group->timer)
                return true;
        }
    }
    return false;
}

static bool dhcp_pending(void)
{
    struct netif *netif;

    NETIF_FOREACH(netif)
    {
        struct dhcp *dhcp = netif_dhcp_data(netif);

        if (dhcp && dhcp->request_timeout)
            return true;
    }
    return false;
}

static void second_tick(void)
{
    etharp_tmr();
    nd6_tmr();
    ip_reass_tmr();
    ip6_reass_tmr();
    if (++seconds % DHCP_COARSE_TURN == 0)
        dhcp_coarse_tmr();
    if (net_timers_asleep)
        net_memory_trim();
}

/* Starts the clocks that what just happened may have made necessary. */
static void start_others(uint64_t now)
{
    if (groups_next == TIME_NEVER && groups_pending())
        groups_next = now + GROUPS_NS;
    if (dhcp_next == TIME_NEVER && dhcp_pending())
        dhcp_next = now + DHCP_NS;
}

static void fire(struct time_timer *fired)
{
    uint64_t now = time_now_ns();

    net_unasked = true;
    if (tcp_next <= now)
        tcp_tick(now);
    net_unasked = false;
    if (second_next <= now) {
        second_tick();
        second_next = now + TIME_SECOND;
    }
    if (groups_next <= now) {
        igmp_tmr();
        mld6_tmr();
        groups_next = groups_pending() ? now + GROUPS_NS : TIME_NEVER;
    }
    if (dhcp_next <= now) {
        dhcp_fine_tmr();
        dhcp_next = dhcp_pending() ? now + DHCP_NS : TIME_NEVER;
    }
    start_others(now);
    net_leave();
    arm();
}

void net_timers_start(void)
{
    uint64_t now = time_now_ns();

    tcp_ticked_ns = now;
    if (net_interface_by_index(2))
        second_next = now + TIME_SECOND;
    start_others(now);
    arm();
}
