/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network front end (<xen/io/netif.h>): the operations of base.h over one
 * queue, that is a transmit and a receive ring. Called by the bases, monitor
 * held.
 *
 * Frames are copied in and out of pages of our own, which stay granted while
 * the device is connected: the backend sees nothing else of us, and nothing
 * that it does to a frame can be seen twice.
 *
 * A frame has a slot of a ring, or several: one of joined segments of TCP, or
 * to be cut into some, has a slot of extra information behind its first one,
 * too. Received ones are gathered from the slots and handed up when whole;
 * what breaks a rule is dropped whole.
 *
 * Receive: the buffer of a slot is found by the slot, as netif.h demands of
 * backends, since slots with extra information carry no id. Sending is in
 * net_send.c.
 */
#include "drivers/xen/net.h"

static struct xen_nic nics[LIMIT_NICS];
static struct xen_nic *nic_of_bus(struct xen_bus_device *device)
{
    return (struct xen_nic *)(void *)((char *)device -
                                      offsetof(struct xen_nic, bus));
}

/* -- connecting -- */

static bool buffers_get(struct xen_nic *nic)
{
    struct base_memory memory;
    unsigned wanted = RX_SLOTS;

    if (nic->rx_book != NULL)
        return true;
    nic->tx_book = hw_pages_get(1);
    nic->rx_book = hw_pages_get(1);
    if (nic->tx_book == NULL || nic->rx_book == NULL)
        return false;
    hw_base.mem_stats(&memory);
    while (wanted > BUFFERS_MIN && wanted > memory.pages_free / MEMORY_SHARE)
        wanted /= 2;
    while (nic->rx_count < wanted) {
        uint8_t *page = hw_pages_get(1);

        if (page == NULL)
            break;
        nic->rx_book->pages[nic->rx_count++] = page;
    }
    while (nic->tx_count < wanted) {
        uint8_t *page = hw_pages_get(1);

        if (page == NULL)
            break;
        nic->tx_book->pages[nic->tx_count / 2] = page;
        nic->tx_count += 2;
    }
    return nic->rx_count >= BUFFERS_MIN && nic->tx_count >= BUFFERS_MIN;
}

static bool buffers_grant(struct xen_nic *nic)
{
    for (unsigned i = 0; i < nic->rx_count; i++) {
        grant_ref_t *ref = &nic->rx_book->refs[i];

        *ref = xen_bus_grant(&nic->bus, nic->rx_book->pages[i], false);
        if (*ref == XEN_GRANT_NONE)
            return false;
        nic->rx_book->free[i] = (uint16_t)i;
    }
    for (unsigned i = 0; i < nic->tx_count / 2; i++) {
        grant_ref_t *ref = &nic->tx_book->refs[i];

        *ref = xen_bus_grant(&nic->bus, nic->tx_book->pages[i], true);
        if (*ref == XEN_GRANT_NONE)
            return false;
    }
    for (unsigned i = 0; i < nic->tx_count; i++) {
        nic->tx_book->free[i] = (uint16_t)i;
        nic->tx_book->busy[i] = false;
    }
    nic->rx_free = nic->rx_count;
    nic->tx_free = nic->tx_count;
    return true;
}

static void rx_push(struct xen_nic *nic)
{
    int notify;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&nic->rx, notify);
    if (notify)
        xen_event_notify(nic->bus.port);
}

/* Gives the backend all free pages. */
static void rx_post(struct xen_nic *nic)
{
    struct xen_nic_rx *book = nic->rx_book;

    while (nic->rx_free > 0 && !RING_FULL(&nic->rx)) {
        uint16_t slot = nic->rx.req_prod_pvt & (RX_SLOTS - 1);
        uint16_t page = book->free[--nic->rx_free];
        struct netif_rx_request *request = RING_GET_REQUEST(&nic->rx, slot);

        book->owner[slot] = page;
        request->id = slot;
        request->pad = 0;
        request->gref = book->refs[page];
        nic->rx.req_prod_pvt++;
    }
}

/* What of TCP the backend cuts, which may be another at each connection. */
static void cuts_look(struct xen_nic *nic)
{
    bool any = nic->tx_count >= CUT_BUFFERS_MIN &&
               xen_bus_backend_number(&nic->bus, "feature-sg", 0) == 1;

    nic->cuts_ipv4 =
        any && nic->sum_ipv4 &&
        xen_bus_backend_number(&nic->bus, "feature-gso-tcpv4", 0) == 1;
    nic->cuts_ipv6 =
        any && nic->sum_ipv6 &&
        xen_bus_backend_number(&nic->bus, "feature-gso-tcpv6", 0) == 1;
    nic->about.cut_size_max = CUT_SLOTS_MAX * TX_BUFFER_SIZE;
    nic->about.features &= ~(BASE_NET_TX_TCP4 | BASE_NET_TX_TCP6);
    if (nic->cuts_ipv4)
        nic->about.features |= BASE_NET_TX_TCP4;
    if (nic->cuts_ipv6)
        nic->about.features |= BASE_NET_TX_TCP6;
}

static bool nic_offer(struct xen_bus_device *device)
{
    struct xen_nic *nic = nic_of_bus(device);

    if (xen_bus_backend_number(device, "feature-rx-copy", 0) != 1) {
        xen_bus_break(device, "copies no frames to us (feature-rx-copy)");
        return false;
    }
    if (!buffers_get(nic) || !buffers_grant(nic)) {
        xen_bus_break(device, "cannot be given buffers: no memory or grants");
        return false;
    }
    nic->sum_ipv4 =
        xen_bus_backend_number(device, "feature-no-csum-offload", 0) == 0;
    nic->sum_ipv6 =
        xen_bus_backend_number(device, "feature-ipv6-csum-offload", 0) == 1;
    cuts_look(nic);
    XEN_FRONT_RING_INIT(&nic->tx, (netif_tx_sring_t *)device->pages[0],
                        LIMIT_PAGE_SIZE);
    XEN_FRONT_RING_INIT(&nic->rx, (netif_rx_sring_t *)device->pages[1],
                        LIMIT_PAGE_SIZE);
    nic->tx.sring->rsp_event = EVENT_NEVER;
    nic->tx_extras = 0;
    nic->tx_book->arrived =
        (struct xen_nic_arrived){.count = 0}; /* its pages are free */
    nic->rx_held = false;
    rx_post(nic);
    RING_PUSH_REQUESTS(&nic->rx);
    return true;
}

/* A frame waits in the backend until there are slots for it. */
static bool joins_segments(const struct xen_nic *nic)
{
    return nic->rx_count >= JOIN_PAGES_MIN;
}

static long nic_publish(struct xen_bus_device *device, xen_store_transaction t)
{
    static const struct {
        const char *name, *value;
    } words[] = {
        {"request-rx-copy", "1"},
        {"feature-rx-notify", "1"},       /* we mind req_event */
        {"feature-no-csum-offload", "0"}, /* blank sums are fine, IPv4 */
        {"feature-ipv6-csum-offload", "1"},
    };
    /* What we take: frames in several slots, and joined segments. */
    static const char *const joins[] = {"feature-sg", "feature-gso-tcpv4",
                                        "feature-gso-tcpv6"};
    const char *takes = joins_segments(nic_of_bus(device)) ? "1" : "0";
    long result = 0;

    for (unsigned i = 0; result == 0 && i < sizeof(joins) / sizeof(joins[0]);
         i++)
        result = xen_bus_write(device, t, joins[i], takes);
    for (unsigned i = 0; result == 0 && i < sizeof(words) / sizeof(words[0]);
         i++)
        result = xen_bus_write(device, t, words[i].name, words[i].value);
    return result;
}

static bool nic_connected(struct xen_bus_device *device)
{
    struct xen_nic *nic = nic_of_bus(device);

    if (nic->moved)
        xen_nic_announce(nic);
    nic->moved = false;
    xen_event_notify(device->port); /* what was posted before it listened */
    return true;
}

static void nic_lost(struct xen_bus_device *device)
{
    /* Frames under way are lost, as on a cable that was cut. */
}

static bool nic_release(struct xen_bus_device *device)
{
    struct xen_nic *nic = nic_of_bus(device);
    bool all = true;

    for (unsigned i = 0; i < nic->rx_count; i++)
        all = xen_bus_grant_end(&nic->rx_book->refs[i]) && all;
    for (unsigned i = 0; i < nic->tx_count / 2; i++)
        all = xen_bus_grant_end(&nic->tx_book->refs[i]) && all;
    return all;
}

static void nic_resumed(struct xen_bus_device *device)
{
    struct xen_nic *nic = nic_of_bus(device);

    for (unsigned i = 0; i < nic->rx_count; i++)
        nic->rx_book->refs[i] = XEN_GRANT_NONE;
    for (unsigned i = 0; i < nic->tx_count / 2; i++)
        nic->tx_book->refs[i] = XEN_GRANT_NONE;
    nic->moved = true;
}

static const struct xen_bus_driver vif = {
    .kind = "vif",
    .rings = {"tx-ring-ref", "rx-ring-ref", NULL},
    .ready = BASE_READY_NET,
    .offered = XenbusStateConnected,
    .offer = nic_offer,
    .publish = nic_publish,
    .connected = nic_connected,
    .lost = nic_lost,
    .release = nic_release,
    .resumed = nic_resumed,
};

static enum base_status nic_init(struct xen_nic *nic, unsigned index)
{
    enum base_status status = xen_bus_get(&nic->bus, &vif, index);
    char text[XEN_NUMBER_SIZE];
    uint64_t mtu;

    if (status != BASE_OK)
        return status;
    xen_bus_text(&nic->bus, "mac", text, sizeof(text));
    if (!xen_text_mac(text, nic->about.mac)) {
        xen_bus_break(&nic->bus, "gives no hardware address");
        return BASE_IO;
    }
    /* A larger MTU would need larger buffers; a smaller one we have to keep. */
    nic->about.mtu = MTU_DEFAULT;
    nic->about.features |= BASE_NET_RX_CHECKSUM;
    if (joins_segments(nic))
        nic->about.features |= BASE_NET_RX_LARGE;
    if (nic->sum_ipv4)
        nic->about.features |= BASE_NET_TX_CHECKSUM;
    xen_bus_text(&nic->bus, "mtu", text, sizeof(text));
    if (xen_text_number(text, &mtu) && mtu >= MTU_MIN && mtu < MTU_DEFAULT)
        nic->about.mtu = (uint16_t)mtu;
    return BASE_OK;
}

enum base_status xen_net_get(unsigned index, struct base_device *out)
{
    struct xen_nic *nic;

    if (index >= LIMIT_NICS)
        return BASE_NODEV;
    nic = &nics[index];
    if (!nic->tried) {
        nic->status = nic_init(nic, index);
        nic->tried = nic->status != BASE_NOMEM;
    }
    if (nic->status == BASE_OK)
        *out = nic->about;
    return nic->status;
}

struct xen_nic *xen_nic_of(unsigned index)
{
    if (index >= LIMIT_NICS || !nics[index].tried ||
        nics[index].status != BASE_OK)
        hw_base.abort("a network device is used that dev_get did not give");
    return &nics[index];
}

/* -- receiving -- */

static void rx_page_free(struct xen_nic *nic, uint16_t page)
{
    nic->rx_book->free[nic->rx_free++] = page;
}

/* Forgets the frame that was gathered; its pages are free. */
static void rx_forget(struct xen_nic *nic)
{
    struct xen_nic_arrived *arrived = &nic->tx_book->arrived;

    for (unsigned i = 0; i < arrived->count; i++)
        rx_page_free(nic, arrived->numbers[i]);
    *arrived = (struct xen_nic_arrived){.count = 0};
}

/* A slot of extra information. What it is about, if not GSO, is of no use
 * here, and what no version of the protocol has is a lie. */
static void rx_extra(struct xen_nic *nic, const struct netif_extra_info *extra)
{
    struct xen_nic_arrived *arrived = &nic->tx_book->arrived;

    arrived->extra_follows = (extra->flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0;
    if (extra->type == XEN_NETIF_EXTRA_TYPE_NONE ||
        extra->type >= XEN_NETIF_EXTRA_TYPE_MAX)
        arrived->bad = true;
    if (extra->type != XEN_NETIF_EXTRA_TYPE_GSO)
        return;
    if (extra->u.gso.type == XEN_NETIF_GSO_TYPE_TCPV4 ||
        extra->u.gso.type == XEN_NETIF_GSO_TYPE_TCPV6)
        arrived->joined = true;
    else
        arrived->bad = true;
}

/* A slot of data: the frame's next piece. False (broken): a lie. */
static bool rx_data(struct xen_nic *nic, uint16_t page,
                    const struct netif_rx_response *response)
{
    struct xen_nic_arrived *arrived = &nic->tx_book->arrived;
    bool first = !arrived->follows;
    uint32_t size = response->status > 0 ? (uint32_t)response->status : 0;

    if (size > 0 && response->offset + size > LIMIT_PAGE_SIZE) {
        xen_bus_break(&nic->bus, "says it wrote past a page");
        return false;
    }
    arrived->extra_follows = (response->flags & NETRXF_extra_info) != 0;
    arrived->follows = (response->flags & NETRXF_more_data) != 0;
    if (first)
        /* A blank checksum: the frame never was on a wire (a neighbour on the
         * same host), so the data are as good as checked. */
        arrived->flags =
            response->flags & (NETRXF_data_validated | NETRXF_csum_blank)
                ? BASE_NET_CHECKSUM_GOOD
                : 0;
    if (response->status < 0 || (first && size < ETHERNET_SIZE) ||
        (response->flags & NETRXF_gso_prefix) != 0 ||
        arrived->count == PIECES_MAX)
        arrived->bad = true;
    if (arrived->bad) {
        rx_page_free(nic, page);
        return true;
    }
    arrived->numbers[arrived->count] = page;
    arrived->pieces[arrived->count++] =
        (struct net_piece){nic->rx_book->pages[page] + response->offset, size};
    arrived->size += size;
    return true;
}

/* Takes the next response; true: a frame is whole, good or bad. */
static bool rx_take(struct xen_nic *nic)
{
    struct xen_nic_arrived *arrived = &nic->tx_book->arrived;
    uint16_t slot = nic->rx.rsp_cons & (RX_SLOTS - 1);
    uint16_t page = nic->rx_book->owner[slot];
    struct netif_rx_response response;

    /* One copy, which the backend cannot change. */
    memcpy(&response, RING_GET_RESPONSE(&nic->rx, slot), sizeof(response));
    xen_rmb();
    nic->rx.rsp_cons++;
    if (arrived->extra_follows) {
        struct netif_extra_info extra;

        memcpy(&extra, &response, sizeof(extra));
        rx_page_free(nic, page);
        rx_extra(nic, &extra);
    } else if (response.id != slot) {
        rx_page_free(nic, page);
        xen_bus_break(&nic->bus, "filled what it was not given");
        return false;
    } else if (!rx_data(nic, page, &response)) {
        return false;
    }
    return !arrived->follows && !arrived->extra_follows;
}

/* Hands a whole frame up, into the first of frames[]: *used says how many.
 * False: it waits for the next call. */
static bool rx_hand_up(struct xen_nic *nic, struct base_net_frame *frames,
                       unsigned count, bool first, unsigned *used)
{
    struct xen_nic_arrived *arrived = &nic->tx_book->arrived;

    *used = 0;
    if (!arrived->bad && net_frame_is_good(arrived->size, arrived->joined)) {
        *used =
            net_frame_hand_up(frames, count, arrived->pieces, arrived->count,
                              arrived->size, arrived->flags);
        if (*used == 0 && !first)
            return false;
    }
    rx_forget(nic);
    return true;
}

/* How many responses there are; 0 also if the backend lies. */
static RING_IDX rx_pending(struct xen_nic *nic)
{
    RING_IDX pending =
        XEN_READ_ONCE(nic->rx.sring->rsp_prod) - nic->rx.rsp_cons;

    if (pending > nic->rx.req_prod_pvt - nic->rx.rsp_cons) {
        xen_bus_break(&nic->bus, "filled more than it was given");
        return 0;
    }
    xen_rmb();
    return pending;
}

/* Fills frames[] from what is in the ring, or waits already. */
static unsigned rx_fill(struct xen_nic *nic, struct base_net_frame *frames,
                        unsigned count, unsigned received)
{
    RING_IDX pending = rx_pending(nic);
    unsigned used;

    while (received < count && nic->bus.link == XEN_LINK_UP) {
        if (!nic->rx_held) {
            if (pending == 0)
                break;
            pending--;
            if (!rx_take(nic))
                continue;
        }
        nic->rx_held = !rx_hand_up(nic, frames + received, count - received,
                                   received == 0, &used);
        if (nic->rx_held)
            break;
        received += used;
    }
    return received;
}

unsigned xen_net_recv(unsigned index, struct base_net_frame *frames,
                      unsigned count)
{
    struct xen_nic *nic = xen_nic_of(index);
    unsigned received = 0;

    /* A backend that writes as fast as we drop does not keep us for ever. */
    for (unsigned rounds = 0; nic->bus.link == XEN_LINK_UP; rounds++) {
        int more;

        received = rx_fill(nic, frames, count, received);
        if (nic->bus.link != XEN_LINK_UP)
            break;
        rx_post(nic);
        rx_push(nic);
        /* The last look, after asking for an event: what came before the
         * backend saw the wish is found here, what comes later notifies. */
        RING_FINAL_CHECK_FOR_RESPONSES(&nic->rx, more);
        if (!more && !nic->rx_held)
            break;
        if (nic->rx_held || received == count || rounds == RX_ROUNDS) {
            hw_ready(BASE_READY_NET); /* more than the caller asked for */
            break;
        }
    }
    return received;
}
