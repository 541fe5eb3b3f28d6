/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network front end (<xen/io/netif.h>): the operations of base.h over one
 * queue, that is a transmit and a receive ring. Called by the bases, monitor
 * held.
 *
 * Frames are copied in and out of pages of our own, which stay granted while
 * the device is connected: the backend sees nothing else of us, and nothing
 * that it does to a frame can be seen twice. A frame is one ring slot; what
 * would need more (large segments, chains of pages) is not advertised, and is
 * dropped whole if it comes all the same.
 *
 * Receive: the buffer of a slot is found by the slot, as netif.h demands of
 * backends, since slots with extra information carry no id. Transmit: the id
 * is the number of the buffer. Transmitted buffers are taken back when the
 * next frame is sent; an event for them is asked for only when somebody waits
 * for room.
 */
#include "drivers/xen/ring.h"
#include <xen/io/netif.h>

#include "drivers/xen/bus.h"
#include "drivers/xen/text.h"
#include "halvm_limits.h"

#define TX_SLOTS __CONST_RING_SIZE(netif_tx, LIMIT_PAGE_SIZE)
#define RX_SLOTS __CONST_RING_SIZE(netif_rx, LIMIT_PAGE_SIZE)
_Static_assert(TX_SLOTS == 256 && RX_SLOTS == 256, "Xen's ABI");

#define TX_BUFFER_SIZE 2048u /* two in a page */
#define TX_PAGES_MAX   (TX_SLOTS / 2)
#define BUFFERS_MIN    16u /* each way */
#define MEMORY_SHARE   64  /* rx pages: free memory / this at most */
#define ETHERNET_SIZE  14u
#define ANNOUNCE_SIZE  60u /* the least that Ethernet has */
#define MTU_DEFAULT    1500u
#define MTU_MIN        68u /* IPv4's */
#define RX_ROUNDS      8u
#define EVENT_NEVER    0x40000000u
_Static_assert(LIMIT_FRAME_SIZE <= TX_BUFFER_SIZE, "a frame fits a buffer");

/* Pages of a NIC's own: where its buffers are and whose they are. */
struct tx_book {
    uint8_t *pages[TX_PAGES_MAX];
    grant_ref_t refs[TX_PAGES_MAX];
    uint16_t free[TX_SLOTS]; /* a stack of buffers */
    bool busy[TX_SLOTS];     /* by buffer: the backend has it */
};
struct rx_book {
    uint8_t *pages[RX_SLOTS];
    grant_ref_t refs[RX_SLOTS];
    uint16_t free[RX_SLOTS];  /* a stack of pages */
    uint16_t owner[RX_SLOTS]; /* by slot: the page posted there */
};
_Static_assert(sizeof(struct tx_book) <= LIMIT_PAGE_SIZE, "one page");
_Static_assert(sizeof(struct rx_book) <= LIMIT_PAGE_SIZE, "one page");

static struct nic {
    bool tried;
    enum base_status status;
    struct xen_bus_device bus; /* pages[0] transmit, pages[1] receive */
    struct base_device about;
    netif_tx_front_ring_t tx;
    netif_rx_front_ring_t rx;
    struct tx_book *tx_book;
    struct rx_book *rx_book;
    unsigned tx_count, rx_count; /* buffers there are */
    unsigned tx_free, rx_free;
    bool sum_ipv4, sum_ipv6; /* the backend completes these checksums */
    bool rx_extra;           /* the next slot is extra information */
    bool rx_follow; /* the next slot belongs to a frame that is dropped */
    bool moved;     /* the network is to be told that we are elsewhere */
} nics[LIMIT_NICS];

static struct nic *nic_of_bus(struct xen_bus_device *device)
{
    return (struct nic *)(void *)((char *)device - offsetof(struct nic, bus));
}

/* -- connecting -- */

static bool buffers_get(struct nic *nic)
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

static bool buffers_grant(struct nic *nic)
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

static void rx_push(struct nic *nic)
{
    int notify;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&nic->rx, notify);
    if (notify)
        xen_event_notify(nic->bus.port);
}

/* Gives the backend all free pages. */
static void rx_post(struct nic *nic)
{
    struct rx_book *book = nic->rx_book;

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

static bool nic_offer(struct xen_bus_device *device)
{
    struct nic *nic = nic_of_bus(device);

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
    XEN_FRONT_RING_INIT(&nic->tx, (netif_tx_sring_t *)device->pages[0],
                        LIMIT_PAGE_SIZE);
    XEN_FRONT_RING_INIT(&nic->rx, (netif_rx_sring_t *)device->pages[1],
                        LIMIT_PAGE_SIZE);
    nic->tx.sring->rsp_event = EVENT_NEVER;
    nic->rx_extra = nic->rx_follow = false;
    rx_post(nic);
    RING_PUSH_REQUESTS(&nic->rx);
    return true;
}

static long nic_publish(struct xen_bus_device *device, xen_store_transaction t)
{
    static const struct {
        const char *name, *value;
    } words[] = {
        {"request-rx-copy", "1"},
        {"feature-rx-notify", "1"}, /* we mind req_event */
        {"feature-sg", "0"},        /* a frame is one slot */
        {"feature-gso-tcpv4", "0"},
        {"feature-gso-tcpv6", "0"},
        {"feature-no-csum-offload", "0"}, /* blank sums are fine, IPv4 */
        {"feature-ipv6-csum-offload", "1"},
    };
    long result = 0;

    for (unsigned i = 0; result == 0 && i < sizeof(words) / sizeof(words[0]);
         i++)
        result = xen_bus_write(device, t, words[i].name, words[i].value);
    return result;
}

static bool tx_one(struct nic *nic, const struct base_net_frame *frame);

/*
 * After a migration the switches still think us where we were, until we say a
 * word; a server might not for long. So this is a frame that asks nothing of
 * anybody, from our address to all: a request of reverse ARP (RFC 903), which
 * needs no IP address, as QEMU sends it for its guests.
 */
static void announce(struct nic *nic)
{
    static const uint8_t head[] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* to all */
        0,    0,    0,    0,    0,    0,    /* from us */
        0x80, 0x35, 0,    1,    8,    0,    /* reverse ARP, Ethernet, IPv4 */
        6,    4,    0,    3};               /* address sizes, a request */
    uint8_t data[ANNOUNCE_SIZE] = {0};
    struct base_net_frame frame = {.data = data, .size = sizeof(data)};

    memcpy(data, head, sizeof(head));
    memcpy(data + 6, nic->about.mac, 6);  /* the source */
    memcpy(data + 22, nic->about.mac, 6); /* who asks */
    memcpy(data + 32, nic->about.mac, 6); /* and about whom: himself */
    if (tx_one(nic, &frame))
        RING_PUSH_REQUESTS(&nic->tx); /* the caller notifies */
}

static bool nic_connected(struct xen_bus_device *device)
{
    struct nic *nic = nic_of_bus(device);

    if (nic->moved)
        announce(nic);
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
    struct nic *nic = nic_of_bus(device);
    bool all = true;

    for (unsigned i = 0; i < nic->rx_count; i++)
        all = xen_bus_grant_end(&nic->rx_book->refs[i]) && all;
    for (unsigned i = 0; i < nic->tx_count / 2; i++)
        all = xen_bus_grant_end(&nic->tx_book->refs[i]) && all;
    return all;
}

static void nic_resumed(struct xen_bus_device *device)
{
    struct nic *nic = nic_of_bus(device);

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

static enum base_status nic_init(struct nic *nic, unsigned index)
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
    nic->about.features = BASE_NET_RX_CHECKSUM;
    if (nic->sum_ipv4)
        nic->about.features |= BASE_NET_TX_CHECKSUM;
    xen_bus_text(&nic->bus, "mtu", text, sizeof(text));
    if (xen_text_number(text, &mtu) && mtu >= MTU_MIN && mtu < MTU_DEFAULT)
        nic->about.mtu = (uint16_t)mtu;
    return BASE_OK;
}

enum base_status xen_net_get(unsigned index, struct base_device *out)
{
    struct nic *nic;

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

static struct nic *nic_of(unsigned index)
{
    if (index >= LIMIT_NICS || !nics[index].tried ||
        nics[index].status != BASE_OK)
        hw_base.abort("a network device is used that dev_get did not give");
    return &nics[index];
}

/* -- sending -- */

/* Takes finished buffers back; false: the backend lies. */
static bool tx_reap(struct nic *nic)
{
    struct tx_book *book = nic->tx_book;
    RING_IDX end = XEN_READ_ONCE(nic->tx.sring->rsp_prod);

    if (end - nic->tx.rsp_cons > nic->tx.req_prod_pvt - nic->tx.rsp_cons) {
        xen_bus_break(&nic->bus, "sent more than it was given");
        return false;
    }
    xen_rmb();
    for (; nic->tx.rsp_cons != end; nic->tx.rsp_cons++) {
        const struct netif_tx_response *response =
            RING_GET_RESPONSE(&nic->tx, nic->tx.rsp_cons);
        uint16_t id = XEN_READ_ONCE(response->id);

        if (id >= nic->tx_count || !book->busy[id]) {
            xen_bus_break(&nic->bus, "sent what it was not given");
            return false;
        }
        book->busy[id] = false;
        book->free[nic->tx_free++] = id;
    }
    return true;
}

/* Completes a checksum that the backend would not: the sum of the pseudo
 * header is in its field already. */
static void checksum_finish(uint8_t *data, const struct base_net_frame *frame)
{
    uint32_t field = (uint32_t)frame->checksum_start + frame->checksum_offset;
    uint32_t sum = 0, size = frame->size, at = frame->checksum_start;

    if (field + 2 > size)
        hw_base.abort("net_send: a checksum outside of its frame");
    for (; at + 1 < size; at += 2)
        sum += (uint32_t)(data[at] << 8 | data[at + 1]);
    if (at < size)
        sum += (uint32_t)data[at] << 8;
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    data[field] = (uint8_t)(sum >> 8);
    data[field + 1] = (uint8_t)sum;
}

static bool is_ipv6(const uint8_t *data)
{
    return data[12] == 0x86 && data[13] == 0xdd;
}

/* Copies a frame into a free buffer; false: no room. */
static bool tx_one(struct nic *nic, const struct base_net_frame *frame)
{
    struct tx_book *book = nic->tx_book;
    struct netif_tx_request *request;
    uint16_t id, flags = 0;
    uint32_t offset;
    uint8_t *data;

    if (frame->size < ETHERNET_SIZE || frame->size > LIMIT_FRAME_SIZE)
        hw_base.abort("net_send: a frame of impossible size");
    if (nic->tx_free == 0 || RING_FULL(&nic->tx))
        return false;
    id = book->free[--nic->tx_free];
    offset = id % 2 * TX_BUFFER_SIZE;
    data = book->pages[id / 2] + offset;
    memcpy(data, frame->data, frame->size);
    if (frame->flags & BASE_NET_CHECKSUM_NEEDED) {
        if (is_ipv6(data) ? nic->sum_ipv6 : nic->sum_ipv4)
            flags = NETTXF_csum_blank | NETTXF_data_validated;
        else
            checksum_finish(data, frame);
    }
    request = RING_GET_REQUEST(&nic->tx, nic->tx.req_prod_pvt);
    request->gref = book->refs[id / 2];
    request->offset = (uint16_t)offset;
    request->flags = flags;
    request->id = id;
    request->size = (uint16_t)frame->size;
    nic->tx.req_prod_pvt++;
    book->busy[id] = true;
    return true;
}

/* Asks for an event when half of what is under way is sent; true: it is
 * already, and none will come. */
static bool tx_wake(struct nic *nic)
{
    RING_IDX half = (nic->tx.req_prod_pvt - nic->tx.rsp_cons) / 2;

    XEN_WRITE_ONCE(nic->tx.sring->rsp_event, nic->tx.rsp_cons + half + 1);
    xen_mb();
    return XEN_READ_ONCE(nic->tx.sring->rsp_prod) - nic->tx.rsp_cons > half;
}

unsigned xen_net_send(unsigned index, const struct base_net_frame *frames,
                      unsigned count)
{
    struct nic *nic = nic_of(index);
    unsigned sent = 0;
    int notify;

    do {
        if (nic->bus.link != XEN_LINK_UP || !tx_reap(nic))
            return count; /* lost, as on a cable that was cut */
        while (sent < count && tx_one(nic, &frames[sent]))
            sent++;
        RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&nic->tx, notify);
        if (notify)
            xen_event_notify(nic->bus.port);
    } while (sent < count && tx_wake(nic));
    if (sent == count)
        XEN_WRITE_ONCE(nic->tx.sring->rsp_event,
                       nic->tx.rsp_cons + EVENT_NEVER);
    return sent;
}

/* -- receiving -- */

/* Looks at the response in a slot. True: it is a frame of its own, at *data
 * with *size and *flags. False: nothing for us, or (broken) a lie. */
static bool rx_look(struct nic *nic, uint16_t slot, const uint8_t **data,
                    uint32_t *size, uint16_t *flags)
{
    const void *place = RING_GET_RESPONSE(&nic->rx, slot);
    struct netif_rx_response response;
    bool follows = nic->rx_follow;

    memcpy(&response, place, sizeof(response));
    xen_rmb(); /* one copy, which the backend cannot change */
    if (nic->rx_extra) {
        struct netif_extra_info extra;

        memcpy(&extra, &response, sizeof(extra));
        nic->rx_extra = (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0;
        return false;
    }
    if (response.id != slot) {
        xen_bus_break(&nic->bus, "filled what it was not given");
        return false;
    }
    nic->rx_extra = (response.flags & NETRXF_extra_info) != 0;
    nic->rx_follow = (response.flags & NETRXF_more_data) != 0;
    if (response.status > 0 &&
        (uint32_t)response.offset + (uint32_t)response.status >
            LIMIT_PAGE_SIZE) {
        xen_bus_break(&nic->bus, "says it wrote past a page");
        return false;
    }
    /* A failure, a part of a frame, or a large segment: dropped whole. */
    if (response.status < (int)ETHERNET_SIZE || follows || nic->rx_follow ||
        nic->rx_extra || (response.flags & NETRXF_gso_prefix) != 0)
        return false;
    *data = nic->rx_book->pages[nic->rx_book->owner[slot]] + response.offset;
    *size = (uint32_t)response.status;
    *flags = response.flags;
    return true;
}

/* Takes the next response; true: frame is filled. */
static bool rx_one(struct nic *nic, struct base_net_frame *frame)
{
    uint16_t slot = nic->rx.rsp_cons & (RX_SLOTS - 1), flags;
    const uint8_t *data;
    uint32_t size;
    bool good = rx_look(nic, slot, &data, &size, &flags) && size <= frame->size;

    if (good) {
        memcpy(frame->data, data, size);
        frame->size = size;
        /* A blank checksum: the frame never was on a wire (a neighbour on the
         * same host), so the data are as good as checked. */
        frame->flags = flags & (NETRXF_data_validated | NETRXF_csum_blank)
                           ? BASE_NET_CHECKSUM_GOOD
                           : 0;
    }
    nic->rx.rsp_cons++;
    nic->rx_book->free[nic->rx_free++] = nic->rx_book->owner[slot];
    return good;
}

/* How many responses there are; 0 also if the backend lies. */
static RING_IDX rx_pending(struct nic *nic)
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

unsigned xen_net_recv(unsigned index, struct base_net_frame *frames,
                      unsigned count)
{
    struct nic *nic = nic_of(index);
    unsigned received = 0;

    /* A backend that writes as fast as we drop does not keep us for ever. */
    for (unsigned rounds = 0; nic->bus.link == XEN_LINK_UP; rounds++) {
        RING_IDX pending = rx_pending(nic);
        int more;

        for (; pending > 0 && received < count; pending--) {
            received += rx_one(nic, &frames[received]);
            if (nic->bus.link != XEN_LINK_UP)
                return received;
        }
        rx_post(nic);
        rx_push(nic);
        /* The last look, after asking for an event: what came before the
         * backend saw the wish is found here, what comes later notifies. */
        RING_FINAL_CHECK_FOR_RESPONSES(&nic->rx, more);
        if (!more)
            break;
        if (received == count || rounds == RX_ROUNDS) {
            hw_ready(BASE_READY_NET); /* more than the caller asked for */
            break;
        }
    }
    return received;
}
