/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interfaces: lwIP's netif over the base's network devices.
 *
 * Frames go out in batches: linkoutput only queues (with a reference, so TCP
 * sees its segment as busy), and net_leave() hands the queue to net_send at
 * the end of the operation. What the device has no room for stays queued
 * until BASE_READY_NET; past TX_QUEUE_MAX lwIP gets ERR_MEM, which TCP takes
 * as "later" and a datagram as ENOBUFS.
 *
 * Checksums. TCP's are left to the device where it can complete them, and
 * segments that leave together are joined where it cuts (segments.c); UDP's
 * are always ours, since a fragmented datagram cannot be completed by it. A
 * received frame that the device has checked is not checked again.
 *
 * A received frame of joined segments (base.h) is a chain of the same buffers
 * that frames are received into, which the network's account has already.
 */
#include "core/net/device.h"
#include "core/net/segments.h"
#include "core/time/time.h"

#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/tcp.h"
#include "netif/ethernet.h"

#define TX_QUEUE_MAX 256 /* frames, a power of two */
#define RX_BUFFERS   16
#define TX_BATCH     48 /* LIMIT_FRAME_LARGE in segments, and some more */
/* Buffers to receive into: a batch, or what the largest frame takes. */
#define RX_LARGE_BUFFERS                                                       \
    ((LIMIT_FRAME_LARGE + LIMIT_FRAME_SIZE - 1) / LIMIT_FRAME_SIZE)
_Static_assert(RX_LARGE_BUFFERS >= RX_BUFFERS, "");
/* Frames taken in one go before the program runs again. */
#define RX_BUDGET 512
/* Without memory to receive into, the device says nothing more: asked again
 * after this time. */
#define RX_RETRY_NS 10000000u

struct interface {
    struct netif netif;
    struct net_device *device;
    struct pbuf *tx[TX_QUEUE_MAX]; /* ring */
    unsigned tx_first, tx_count;
    bool tx_blocked; /* the device had no room */
    /* Ready to receive into, from rx_first up to rx_end. */
    struct pbuf *rx[RX_LARGE_BUFFERS];
    struct base_net_frame frames[RX_LARGE_BUFFERS];
    unsigned rx_first, rx_end;
};

static struct interface *interfaces[LIMIT_NICS];
static unsigned interface_count;

static bool rx_starved; /* no memory to receive into */

/* -- sending -- */

#define ETHERNET_SIZE 14

static void tx_flush(struct interface *interface)
{
    struct base_net_frame frames[TX_BATCH];
    struct net_device *device = interface->device;

    while (interface->tx_count > 0) {
        unsigned count = interface->tx_count, sent;

        if (count > TX_BATCH)
            count = TX_BATCH;
        for (unsigned i = 0; i < count; i++) {
            struct pbuf *p =
                interface->tx[(interface->tx_first + i) % TX_QUEUE_MAX];

            frames[i] =
                (struct base_net_frame){.data = p->payload, .size = p->len};
        }
        net_segments_prepare(frames, count, device->features,
                             device->cut_size_max);
        sent = core_base->net_send(device->index, frames, count);
        ASSERT(sent <= count);
        for (unsigned i = 0; i < sent; i++)
            pbuf_free(interface->tx[(interface->tx_first + i) % TX_QUEUE_MAX]);
        interface->tx_first = (interface->tx_first + sent) % TX_QUEUE_MAX;
        interface->tx_count -= sent;
        if (sent < count &&
            !net_device_cuts_less(interface->device, &frames[sent])) {
            interface->tx_blocked = true;
            return;
        }
    }
}

static err_t link_output(struct netif *netif, struct pbuf *p)
{
    struct interface *interface = netif->state;

    if (interface->device->taken)
        return ERR_OK; /* lost, as on a cable that is not plugged in */
    if (interface->tx_count == TX_QUEUE_MAX)
        return ERR_MEM;
    /* The base takes frames in one piece. */
    if (p->next) {
        p = pbuf_clone(PBUF_RAW, PBUF_RAM, p);
        if (!p)
            return ERR_MEM;
    } else {
        pbuf_ref(p);
    }
    interface->tx[(interface->tx_first + interface->tx_count++) %
                  TX_QUEUE_MAX] = p;
    net_output_pending = true;
    return ERR_OK;
}

/* -- neighbours --
 * lwIP gives up neighbours that it knows before those that it still asks for,
 * and asks for five seconds. So that frames from addresses of the subnet at
 * which nobody is do not put out the honest ones, an answer to somebody unknown
 * goes back to where the frame came from and asks for nobody. For what a timer
 * sends again only so many are asked for: at most QUERIES_MAX + 5 *
 * QUERIES_A_SECOND at a time, which leaves the rest of the table. */
#define QUERIES_MAX      64
#define QUERIES_A_SECOND 16
_Static_assert(QUERIES_MAX + 6 * QUERIES_A_SECOND < ARP_TABLE_SIZE * 3 / 4,
               "room for neighbours that are known");

bool net_unasked;
/* The frame that is being answered, if it is of IPv4. */
static ip4_addr_t answer_to;
static struct eth_addr answer_mac;

static void answer_begin(const struct pbuf *p)
{
    const uint8_t *frame = p->payload;

    net_unasked = true;
    answer_to.addr = 0;
    if (p->len < ETHERNET_SIZE + IP_HLEN || frame[12] != 0x08 || frame[13] != 0)
        return;
    memcpy(&answer_mac, frame + 6, sizeof(answer_mac));
    memcpy(&answer_to, frame + ETHERNET_SIZE + 12, sizeof(answer_to));
}

static void answer_end(void)
{
    net_unasked = false;
    answer_to.addr = 0;
}

/* Segments of a connection go to whom we have heard from since its first; all
 * else may be an answer to somebody who is not there. */
static bool may_be_first(const struct pbuf *p)
{
    const uint8_t *ip = p->payload;
    size_t header_size = (ip[0] & 15u) * 4;

    return ip[9] != IP_PROTO_TCP || p->len < header_size + TCP_HLEN ||
           (ip[header_size + 13] & (TCP_SYN | TCP_RST));
}

static bool is_known(struct netif *netif, const ip4_addr_t *to)
{
    const ip4_addr_t *its;
    struct eth_addr *mac;

    return etharp_find_addr(netif, to, &mac, &its) >= 0;
}

static bool query_allowed(const ip4_addr_t *to)
{
    static unsigned left = QUERIES_MAX;
    static uint64_t counted_ns;
    static ip4_addr_t last; /* asked for already */
    uint64_t seconds;

    if (ip4_addr_cmp(to, &last))
        return true;
    seconds = (time_now_ns() - counted_ns) / TIME_SECOND;
    if (seconds > 0) {
        counted_ns += seconds * TIME_SECOND;
        left = seconds > QUERIES_MAX / QUERIES_A_SECOND
                   ? QUERIES_MAX
                   : left + (unsigned)seconds * QUERIES_A_SECOND;
        if (left > QUERIES_MAX)
            left = QUERIES_MAX;
    }
    if (left == 0)
        return false;
    left--;
    last = *to;
    return true;
}

/* What may not be asked for is lost, as on any network. */
static err_t ip4_output_limited(struct netif *netif, struct pbuf *p,
                                const ip4_addr_t *to)
{
    if (net_unasked && may_be_first(p) &&
        ip4_addr_netcmp(to, netif_ip4_addr(netif), netif_ip4_netmask(netif)) &&
        !is_known(netif, to)) {
        if (ip4_addr_cmp(to, &answer_to))
            return ethernet_output(netif, p, (struct eth_addr *)netif->hwaddr,
                                   &answer_mac, ETHTYPE_IP);
        if (!query_allowed(to))
            return ERR_OK;
    }
    return etharp_output(netif, p, to);
}

void net_interfaces_flush(void)
{
    for (unsigned i = 0; i < interface_count; i++) {
        if (interfaces[i]->tx_count && !interfaces[i]->tx_blocked)
            tx_flush(interfaces[i]);
    }
}

/* -- receiving -- */

/* Loopback packets of this interface were never summed if the device sums
 * what leaves, so by default they are not checked; a frame that arrives is
 * checked unless the device did. */
static void input(struct netif *netif, struct pbuf *p, bool checked)
{
    u16_t flags = netif->chksum_flags;

    if (checked)
        netif->chksum_flags &=
            (u16_t) ~(NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP);
    else
        netif->chksum_flags |=
            NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP;
    answer_begin(p);
    if (netif->input(p, netif) != ERR_OK)
        pbuf_free(p);
    answer_end();
    netif->chksum_flags = flags;
}

/* Buffers are taken from the first on, and new ones come before those that are
 * left: so what was made ready for a device stays so. */
static void rx_refill(struct interface *interface)
{
    while (interface->rx_first > 0) {
        struct pbuf *p = pbuf_alloc(PBUF_RAW, LIMIT_FRAME_SIZE, PBUF_RAM);

        if (!p)
            break;
        interface->rx[--interface->rx_first] = p;
        interface->frames[interface->rx_first] = (struct base_net_frame){
            .data = p->payload, .size = LIMIT_FRAME_SIZE};
    }
}

/* Makes a pbuf chain of the buffers of one frame, which begins at *i; sets *i
 * behind its last. */
static struct pbuf *rx_chain(struct interface *interface, unsigned *i,
                             unsigned end)
{
    struct pbuf *head = interface->rx[*i];
    uint32_t total = 0;
    bool more;

    for (struct pbuf *p = head;; p = p->next) {
        p->len = (u16_t)interface->frames[*i].size;
        total += p->len;
        more = interface->frames[(*i)++].flags & BASE_NET_MORE;
        if (!more)
            break;
        ASSERT(*i < end);
        p->next = interface->rx[*i];
    }
    ASSERT(total <= LIMIT_FRAME_LARGE);
    for (struct pbuf *p = head; p; p = p->next) {
        p->tot_len = (u16_t)total;
        total -= p->len;
    }
    return head;
}

/* Takes at most a batch; returns how many buffers it filled. */
static unsigned rx_batch(struct interface *interface)
{
    unsigned count, end, i;

    rx_refill(interface);
    i = interface->rx_first;
    if (i == interface->rx_end) {
        rx_starved = true;
        return 0;
    }
    count = core_base->net_recv(interface->device->index, interface->frames + i,
                                interface->rx_end - i);
    ASSERT(count <= interface->rx_end - i);
    end = i + count;
    interface->rx_first = end;
    while (i < end) {
        bool good = interface->frames[i].flags & BASE_NET_CHECKSUM_GOOD;

        input(&interface->netif, rx_chain(interface, &i, end), good);
    }
    return count;
}

/* Segments that met a full queue are still unsent. */
static void tcp_send_waiting(void)
{
    struct tcp_pcb *next;

    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = next) {
        next = pcb->next;
        if (pcb->unsent)
            tcp_output(pcb);
    }
}

void net_interfaces_ready(void)
{
    unsigned budget = RX_BUDGET;

    rx_starved = false;
    net_enter();
    for (unsigned i = 0; i < interface_count; i++) {
        struct interface *interface = interfaces[i];
        unsigned count;

        if (interface->device->taken)
            continue;
        if (interface->tx_blocked) {
            interface->tx_blocked = false;
            tx_flush(interface);
            if (!interface->tx_blocked)
                tcp_send_waiting();
        }
        do {
            count = rx_batch(interface);
            budget = budget > count ? budget - count : 0;
        } while (count > 0 && budget > 0);
    }
    net_leave();
    if (budget == 0)
        net_devices_later(0);
    else if (rx_starved)
        net_devices_later(RX_RETRY_NS);
}

void net_interface_input(struct netif *netif, const void *frame, size_t size)
{
    struct pbuf *p;

    if (size > LIMIT_FRAME_SIZE)
        return;
    p = pbuf_alloc(PBUF_RAW, LIMIT_FRAME_SIZE, PBUF_RAM);
    if (!p)
        return;
    memcpy(p->payload, frame, size);
    p->len = p->tot_len = (u16_t)size;
    input(netif, p, false);
    net_leave();
}

/* -- an interface that the program has taken -- */

static void tx_drop(struct interface *interface)
{
    for (; interface->tx_count > 0; interface->tx_count--) {
        pbuf_free(interface->tx[interface->tx_first]);
        interface->tx_first = (interface->tx_first + 1) % TX_QUEUE_MAX;
    }
    interface->tx_blocked = false;
}

void net_interfaces_taken(unsigned device, bool is_taken)
{
    struct interface *interface = interfaces[device];

    net_enter();
    if (is_taken) {
        tx_drop(interface);
        netif_set_link_down(&interface->netif);
    } else {
        netif_set_link_up(&interface->netif);
    }
    net_leave();
}

/* -- life -- */

static err_t interface_init(struct netif *netif)
{
    struct interface *interface = netif->state;
    struct net_device *device = interface->device;

    interface->rx_first = interface->rx_end =
        device->features & BASE_NET_RX_LARGE ? RX_LARGE_BUFFERS : RX_BUFFERS;
    netif->name[0] = 'e';
    netif->name[1] = 't';
    netif->hwaddr_len = 6;
    memcpy(netif->hwaddr, device->mac, 6);
    netif->mtu = device->mtu;
    netif->mtu6 = netif->mtu;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP |
                   NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6 |
                   NETIF_FLAG_LINK_UP;
    netif->output = ip4_output_limited;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = link_output;
    if (device->features & BASE_NET_TX_CHECKSUM)
        NETIF_SET_CHECKSUM_CTRL(
            netif, NETIF_CHECKSUM_ENABLE_ALL &
                       ~(NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_CHECK_TCP));
    return ERR_OK;
}

static int interface_add(struct net_device *device)
{
    struct interface *interface = net_alloc(sizeof(*interface));
    struct netif *added;

    if (!interface)
        return -ENOMEM;
    memset(interface, 0, sizeof(*interface));
    interface->device = device;
    added = netif_add(&interface->netif, NULL, NULL, NULL, interface,
                      interface_init, ethernet_input);
    ASSERT(added && netif_get_index(added) == device->index + NET_FIRST_DEVICE);
    interfaces[interface_count++] = interface;
    if (device->index == 0)
        netif_set_default(&interface->netif);
    net_config_start(&interface->netif);
    return 0;
}

int net_interfaces_init(void)
{
    int result = net_devices_init();
    struct net_device *device;

    while ((device = net_device(interface_count))) {
        int error = interface_add(device);

        if (error != 0)
            return error;
    }
    return result;
}

struct netif *net_interface_by_index(unsigned index)
{
    return index > 255 ? NULL : netif_get_by_index((u8_t)index);
}
