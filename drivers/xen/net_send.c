/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network front end: frames on their way out. See net.c.
 *
 * The id of a request is the number of its buffer; a slot of extra information
 * has none. Transmitted buffers are taken back when the next frame is sent; an
 * event for them is asked for only when somebody waits for room.
 */
#include "drivers/xen/net.h"

/* Takes finished buffers back; false: the backend lies. */
static bool tx_reap(struct xen_nic *nic)
{
    struct xen_nic_tx *book = nic->tx_book;
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

        /* The answer to extra information, with no id. */
        if (nic->tx_extras > 0 &&
            XEN_READ_ONCE(response->status) == NETIF_RSP_NULL) {
            nic->tx_extras--;
            continue;
        }
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

/* Takes a slot, and a buffer for it: *data. */
static struct netif_tx_request *tx_slot(struct xen_nic *nic, uint8_t **data)
{
    struct xen_nic_tx *book = nic->tx_book;
    uint16_t id = book->free[--nic->tx_free];
    uint32_t offset = id % 2 * TX_BUFFER_SIZE;
    struct netif_tx_request *request =
        RING_GET_REQUEST(&nic->tx, nic->tx.req_prod_pvt);

    *request = (struct netif_tx_request){
        .gref = book->refs[id / 2], .offset = (uint16_t)offset, .id = id};
    *data = book->pages[id / 2] + offset;
    book->busy[id] = true;
    nic->tx.req_prod_pvt++;
    return request;
}

/* Copies a frame into a free buffer; false: no room. */
static bool tx_plain(struct xen_nic *nic, const struct base_net_frame *frame)
{
    struct netif_tx_request *request;
    uint8_t *data;

    if (nic->tx_free == 0 || RING_FULL(&nic->tx))
        return false;
    request = tx_slot(nic, &data);
    request->size = (uint16_t)frame->size;
    memcpy(data, frame->data, frame->size);
    if (frame->flags & BASE_NET_CHECKSUM_NEEDED) {
        if (net_frame_is_ip6(frame) ? nic->sum_ipv6 : nic->sum_ipv4)
            request->flags = NETTXF_csum_blank | NETTXF_data_validated;
        else
            checksum_finish(data, frame);
    }
    return true;
}

/* The same for one to be cut, of `size` bytes in all: the first slot says the
 * size of the whole, and the one behind it has no buffer. */
static bool tx_large(struct xen_nic *nic, const struct base_net_frame *frames,
                     uint32_t size)
{
    bool ip6 = net_frame_is_ip6(frames);
    uint32_t slots = (size + TX_BUFFER_SIZE - 1) / TX_BUFFER_SIZE, at = 0;
    struct netif_extra_info *extra;
    unsigned entry = 0;

    if (!(ip6 ? nic->cuts_ipv6 : nic->cuts_ipv4) || nic->tx_free < slots ||
        RING_FREE_REQUESTS(&nic->tx) < slots + 1)
        return false;
    for (uint32_t left = size; left > 0;) {
        uint32_t part = left < TX_BUFFER_SIZE ? left : TX_BUFFER_SIZE;
        bool first = left == size;
        uint8_t *data;
        struct netif_tx_request *request = tx_slot(nic, &data);

        net_frame_take(frames, &entry, &at, data, part);
        left -= part;
        request->size = (uint16_t)(first ? size : part);
        request->flags = left > 0 ? NETTXF_more_data : 0;
        if (!first)
            continue;
        request->flags |=
            NETTXF_csum_blank | NETTXF_data_validated | NETTXF_extra_info;
        extra = (void *)RING_GET_REQUEST(&nic->tx, nic->tx.req_prod_pvt);
        *extra = (struct netif_extra_info){
            .type = XEN_NETIF_EXTRA_TYPE_GSO,
            .u.gso = {.size = frames->cut_size,
                      .type = ip6 ? XEN_NETIF_GSO_TYPE_TCPV6
                                  : XEN_NETIF_GSO_TYPE_TCPV4},
        };
        nic->tx.req_prod_pvt++;
        nic->tx_extras++;
    }
    return true;
}

/* Takes the first frame of these entries; how many it has, 0: no room. */
static unsigned tx_one(struct xen_nic *nic, const struct base_net_frame *frames,
                       unsigned count)
{
    unsigned used;
    uint32_t size;

    if (net_frame_is_plain(frames))
        return tx_plain(nic, frames);
    used = net_frame_measure(frames, count, nic->about.cut_size_max, &size);
    return tx_large(nic, frames, size) ? used : 0;
}

/*
 * After a migration the switches still think us where we were, until we say a
 * word; a server might not for long. So this is a frame that asks nothing of
 * anybody, from our address to all: a request of reverse ARP (RFC 903), which
 * needs no IP address, as QEMU sends it for its guests.
 */
void xen_nic_announce(struct xen_nic *nic)
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
    if (tx_plain(nic, &frame))
        RING_PUSH_REQUESTS(&nic->tx); /* the caller notifies */
}

/* Asks for an event when half of what is under way is sent; true: it is
 * already, and none will come. */
static bool tx_wake(struct xen_nic *nic)
{
    RING_IDX half = (nic->tx.req_prod_pvt - nic->tx.rsp_cons) / 2;

    XEN_WRITE_ONCE(nic->tx.sring->rsp_event, nic->tx.rsp_cons + half + 1);
    xen_mb();
    return XEN_READ_ONCE(nic->tx.sring->rsp_prod) - nic->tx.rsp_cons > half;
}

unsigned xen_net_send(unsigned index, const struct base_net_frame *frames,
                      unsigned count)
{
    struct xen_nic *nic = xen_nic_of(index);
    unsigned sent = 0, used;
    int notify;

    do {
        if (nic->bus.link != XEN_LINK_UP || !tx_reap(nic))
            return count; /* lost, as on a cable that was cut */
        for (; sent < count; sent += used) {
            used = tx_one(nic, &frames[sent], count - sent);
            if (used == 0)
                break;
        }
        RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&nic->tx, notify);
        if (notify)
            xen_event_notify(nic->bus.port);
    } while (sent < count && tx_wake(nic));
    if (sent == count)
        XEN_WRITE_ONCE(nic->tx.sring->rsp_event,
                       nic->tx.rsp_cons + EVENT_NEVER);
    return sent;
}
