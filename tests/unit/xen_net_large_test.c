/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/xen/net.c and net_send.c with frames of several slots, against a
 * backend in software: joined segments that arrive, in rooms that suffice or
 * do not, segments to be cut that leave, and a backend that breaks the rules of
 * either.
 */
#include "xen_net_mock.h"

#define ROOMS_RECEIVE xen_net_recv
#include "net_rooms.h"

static void fill(unsigned seed)
{
    fill_large(seed);
    large[12] = 0x08;
    large[13] = 0x00;
}

/* The backend gives `size` bytes of the frame in slots of `part` bytes. */
static void backend_large(uint32_t size, uint32_t part, uint16_t flags,
                          uint8_t what)
{
    uint32_t done = 0;

    while (done < size) {
        uint32_t now = size - done < part ? size - done : part;
        uint16_t more = done + now < size ? NETRXF_more_data : 0;
        bool extra = done == 0 && what != XEN_NETIF_GSO_TYPE_NONE;

        backend_answer(
            (struct netif_rx_response){
                .offset = (uint16_t)(part < 4096 ? done % 64 : 0),
                .flags = (uint16_t)((done == 0 ? flags : 0) | more |
                                    (extra ? NETRXF_extra_info : 0)),
                .status = (int16_t)now},
            large + done, 0);
        done += now;
        if (extra)
            backend_extra(XEN_NETIF_EXTRA_TYPE_GSO, what, 0);
    }
}

static void check_whole_ring(void)
{
    CHECK(mock_log_lines == 0 && nics[0].tx_book->arrived.count == 0);
    CHECK(nics[0].rx.req_prod_pvt - nics[0].rx.rsp_cons == 256);
    CHECK(nics[0].rx_free == 0);
}

static void test_receive(void)
{
    start();
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t size = 14 + i * 32761 % (LIMIT_FRAME_LARGE - 13);
        uint32_t part = i % 3 == 0 ? 4096 : 4032;

        fill(i);
        backend_large(size, part, NETRXF_csum_blank,
                      i % 2 ? XEN_NETIF_GSO_TYPE_TCPV4
                            : XEN_NETIF_GSO_TYPE_TCPV6);
        unsigned used = listen_in(ROOMS);
        CHECK(used == (size + LIMIT_FRAME_SIZE - 1) / LIMIT_FRAME_SIZE);
        CHECK(check_rooms(0, size, BASE_NET_CHECKSUM_GOOD) == used);
        CHECK(listen_in(ROOMS) == 0);
    }
    /* A small one in several slots needs no information. */
    backend_large(1500, 700, 0, XEN_NETIF_GSO_TYPE_NONE);
    CHECK(listen_in(ROOMS) == 1 && check_rooms(0, 1500, 0) == 1);
    check_whole_ring();
}

/* What does not fit beside others waits; what never fits is lost. */
static void test_rooms(void)
{
    start();
    fill(1);
    backend_large(60, 4096, 0, XEN_NETIF_GSO_TYPE_NONE);
    backend_large(4000, 4096, 0, XEN_NETIF_GSO_TYPE_TCPV4);
    backend_large(61, 4096, 0, XEN_NETIF_GSO_TYPE_NONE);
    mock_ready = 0;
    CHECK(listen_in(3) == 1 && check_rooms(0, 60, 0) == 1);
    CHECK(mock_ready & BASE_READY_NET);
    CHECK(nics[0].rx_held);
    mock_ready = 0;
    CHECK(listen_in(3) == 3 && check_rooms(0, 4000, 0) == 3);
    CHECK(mock_ready & BASE_READY_NET);
    CHECK(listen_in(3) == 1 && check_rooms(0, 61, 0) == 1);
    backend_large(5000, 4096, 0, XEN_NETIF_GSO_TYPE_TCPV4);
    backend_large(61, 4096, 0, XEN_NETIF_GSO_TYPE_NONE);
    CHECK(listen_in(3) == 1 && check_rooms(0, 61, 0) == 1);
    check_whole_ring();
    /* Exactly as many, with what comes before. */
    backend_large(60, 4096, 0, XEN_NETIF_GSO_TYPE_NONE);
    backend_large(2 * LIMIT_FRAME_SIZE, 4096, 0, XEN_NETIF_GSO_TYPE_TCPV4);
    CHECK(listen_in(3) == 3 && check_rooms(0, 60, 0) == 1);
    CHECK(check_rooms(1, 2 * LIMIT_FRAME_SIZE, 0) == 2);
    CHECK(listen_in(3) == 0);
    /* In two looks of the ring, as a slow backend gives it. */
    const struct netif_rx_response first = {
        .flags = NETRXF_more_data | NETRXF_extra_info, .status = 100};
    backend_answer(first, large, 0);
    CHECK(listen_in(3) == 0);
    backend_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_GSO_TYPE_TCPV4, 0);
    CHECK(listen_in(3) == 0);
    backend_answer((struct netif_rx_response){.status = 2000}, large + 100, 0);
    CHECK(listen_in(3) == 2 && check_rooms(0, 2100, 0) == 2);
    check_whole_ring();
}

static void test_two_rooms(void)
{
    start();
    fill(1);
    backend_large(60, 4096, 0, XEN_NETIF_GSO_TYPE_NONE);
    backend_large(30000, 4096, 0, XEN_NETIF_GSO_TYPE_TCPV4);
    CHECK(listen_in_two() == 2 && check_rooms(0, 60, 0) == 1);
    CHECK(check_rooms(1, 30000, 0) == 1);
    backend_large(61, 4096, 0, XEN_NETIF_GSO_TYPE_NONE);
    backend_large(LIMIT_FRAME_LARGE, 4096, 0, XEN_NETIF_GSO_TYPE_TCPV4);
    CHECK(listen_in_two() == 1 && check_rooms(0, 61, 0) == 1);
    CHECK(listen_in_two() == 2 && check_rooms(0, LIMIT_FRAME_LARGE, 0) == 2);
    backend_large(62, 4096, 0, XEN_NETIF_GSO_TYPE_NONE);
    backend_large(63, 4096, 0, XEN_NETIF_GSO_TYPE_NONE);
    CHECK(listen_in_two() == 2 && check_rooms(0, 62, 0) == 1);
    CHECK(check_rooms(1, 63, 0) == 1);
}

/* Nothing of a frame that breaks a rule is handed up, and all after it is. */
static void check_dropped(void)
{
    backend_large(62, 4096, 0, XEN_NETIF_GSO_TYPE_NONE);
    CHECK(listen_in(ROOMS) == 1 && check_rooms(0, 62, 0) == 1);
    check_whole_ring();
}

static void test_rules(void)
{
    const uint16_t all = NETRXF_more_data | NETRXF_extra_info;
    struct netif_rx_response first = {.flags = all, .status = 100};
    struct netif_rx_response last = {.status = 2000};

    start();
    fill(2);
    /* Too large; too large for what it says that it is; too many slots. */
    backend_large(LIMIT_FRAME_LARGE, 4096, 0, XEN_NETIF_GSO_TYPE_TCPV4);
    CHECK(listen_in(ROOMS) == 43);
    backend_large(LIMIT_FRAME_LARGE + 1, 4096, 0, XEN_NETIF_GSO_TYPE_TCPV4);
    check_dropped();
    backend_large(LIMIT_FRAME_SIZE + 1, 4096, 0, XEN_NETIF_GSO_TYPE_NONE);
    check_dropped();
    backend_large(20 * 1000, 1000, 0, XEN_NETIF_GSO_TYPE_TCPV4);
    CHECK(listen_in(ROOMS) == 14);
    backend_large(20 * 1000 + 1, 1000, 0, XEN_NETIF_GSO_TYPE_TCPV4);
    check_dropped();
    backend_large(200 * 300, 300, 0, XEN_NETIF_GSO_TYPE_TCPV4);
    check_dropped();
    /* A kind of segments that there is not; a prefix in place of it. */
    backend_large(3000, 4096, 0, 7);
    check_dropped();
    backend_large(3000, 4096, NETRXF_gso_prefix, XEN_NETIF_GSO_TYPE_TCPV4);
    check_dropped();
    /* Information that is none, then some that says nothing to us. */
    for (uint8_t type = 0; type < 8; type++) {
        backend_answer(first, large, 0);
        backend_extra(XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_GSO_TYPE_TCPV4,
                      XEN_NETIF_EXTRA_FLAG_MORE);
        backend_extra(type, XEN_NETIF_GSO_TYPE_TCPV4, 0);
        backend_answer(last, large + 100, 0);
        if (type > 0 && type < XEN_NETIF_EXTRA_TYPE_MAX)
            CHECK(listen_in(ROOMS) == 2 && check_rooms(0, 2100, 0) == 2);
        check_dropped();
    }
    /* Without end, as far as the ring goes. */
    backend_answer(first, large, 0);
    for (unsigned i = 0; i < 1000; i++) {
        backend_extra(XEN_NETIF_EXTRA_TYPE_HASH, 0, XEN_NETIF_EXTRA_FLAG_MORE);
        if (i % 100 == 0)
            CHECK(listen_in(ROOMS) == 0 && nics[0].tx_book->arrived.count == 1);
    }
    backend_extra(XEN_NETIF_EXTRA_TYPE_HASH, 0, 0);
    backend_answer((struct netif_rx_response){.status = 900}, large + 100, 0);
    CHECK(listen_in(ROOMS) == 1 && check_rooms(0, 1000, 0) == 1);
    /* A part that failed; a first one without its Ethernet header; an empty
     * one in between, which is odd and not forbidden. */
    first.flags = NETRXF_more_data;
    backend_answer(first, large, 0);
    backend_answer((struct netif_rx_response){.flags = NETRXF_more_data,
                                              .status = NETIF_RSP_ERROR},
                   NULL, 0);
    backend_answer(last, large + 100, 0);
    check_dropped();
    first.status = 13;
    backend_answer(first, large, 0);
    backend_answer(last, large + 13, 0);
    check_dropped();
    first.status = 100;
    last.status = 1000;
    backend_answer(first, large, 0);
    backend_answer((struct netif_rx_response){.flags = NETRXF_more_data}, NULL,
                   0);
    backend_answer(last, large + 100, 0);
    CHECK(listen_in(ROOMS) == 1 && check_rooms(0, 1100, 0) == 1);
    check_dropped();
}

/* A lie in the middle of a frame, and a backend that goes there. */
static void test_breaks(void)
{
    const struct netif_rx_response first = {.flags = NETRXF_more_data,
                                            .status = 100};

    for (unsigned lie = 0; lie < 3; lie++) {
        start();
        mock_set(BACK "/online", "1");
        backend_answer(first, large, 0);
        if (lie == 0)
            backend_answer((struct netif_rx_response){.status = 60}, NULL, 1);
        else if (lie == 1)
            backend_answer(
                (struct netif_rx_response){.offset = 4000, .status = 97}, NULL,
                0);
        CHECK(listen_in(ROOMS) == 0);
        CHECK(mock_log_lines == (lie < 2));
        mock_set(BACK "/state", lie < 2 ? "6" : "5");
        xen_store_work();
        mock_set(BACK "/state", "6");
        xen_store_work();
        CHECK(mock_grant_count == 0 || lie == 2);
    }
    xen_store_work();
    xen_store_work();
    CHECK(nics[0].bus.link == XEN_LINK_UP);
    /* It begins anew: what was there of a frame is gone. */
    fill(3);
    backend_large(3000, 4096, 0, XEN_NETIF_GSO_TYPE_TCPV6);
    CHECK(listen_in(ROOMS) == 2 && check_rooms(0, 3000, 0) == 2);
    CHECK(nics[0].rx.req_prod_pvt - nics[0].rx.rsp_cons == 256);
}

/* -- sending -- */

static void start_cutting(void)
{
    prepare();
    mock_set(BACK "/feature-sg", "1");
    mock_set(BACK "/feature-gso-tcpv4", "1");
    mock_set(BACK "/feature-gso-tcpv6", "1");
    CHECK(xen_net_get(0, &device) == BASE_OK && mock_log_lines == 0);
    CHECK(device.features & BASE_NET_TX_TCP4);
    CHECK(device.features & BASE_NET_TX_TCP6);
}

/* Sends the first `size` bytes of the frame, in entries of `part`. */
static unsigned send_large(uint32_t size, uint32_t part)
{
    static struct base_net_frame entries[64];
    unsigned count = 0;

    for (uint32_t done = 0; done < size; done += part)
        entries[count++] = (struct base_net_frame){
            .data = large + done,
            .size = size - done < part ? size - done : part,
            .flags = done + part < size ? BASE_NET_MORE : 0,
        };
    entries[0].flags |= BASE_NET_CUT | BASE_NET_CHECKSUM_NEEDED;
    entries[0].checksum_start = 34;
    entries[0].checksum_offset = 16;
    entries[0].header_size = 66;
    entries[0].cut_size = 1448;
    unsigned sent = xen_net_send(0, entries, count);
    CHECK(sent == 0 || sent == count);
    return sent;
}

static uint16_t ids[64];

/* The backend takes one large frame; how many slots with data it has. */
static unsigned backend_take_large(uint32_t wanted, uint8_t kind)
{
    const struct netif_tx_request *first, *next;
    const struct netif_extra_info *extra;
    uint32_t size, rest = wanted;
    unsigned count = 0;
    int more;

    RING_FINAL_CHECK_FOR_REQUESTS(&b.tx, more);
    CHECK(more);
    first = RING_GET_REQUEST(&b.tx, b.tx.req_cons++);
    extra = (const void *)RING_GET_REQUEST(&b.tx, b.tx.req_cons++);
    CHECK(first->size == wanted);
    CHECK((first->flags & ~NETTXF_more_data) ==
          (NETTXF_csum_blank | NETTXF_data_validated | NETTXF_extra_info));
    CHECK(extra->type == XEN_NETIF_EXTRA_TYPE_GSO && extra->flags == 0);
    CHECK(extra->u.gso.type == kind && extra->u.gso.size == 1448);
    CHECK(extra->u.gso.pad == 0 && extra->u.gso.features == 0);
    for (next = first;; next = RING_GET_REQUEST(&b.tx, b.tx.req_cons++)) {
        /* The first one's is what the others leave. */
        size = next == first ? (wanted < 2048 ? wanted : 2048) : next->size;
        CHECK(next->offset + size <= 4096 && size <= rest);
        CHECK(memcmp((uint8_t *)mock_page(next->gref, false) + next->offset,
                     large + wanted - rest, size) == 0);
        rest -= size;
        ids[count++] = next->id;
        if ((next->flags & NETTXF_more_data) == 0)
            break;
        CHECK(next == first || next->flags == NETTXF_more_data);
    }
    CHECK(rest == 0);
    return count;
}

static void backend_null(void)
{
    backend_sent(7);
    RING_GET_RESPONSE(&b.tx, b.tx.rsp_prod_pvt - 1)->status = NETIF_RSP_NULL;
}

static void test_send(void)
{
    start_cutting();
    for (unsigned i = 0; i < 3000; i++) {
        uint32_t size = 67 + i * 1361 % (device.cut_size_max - 66);

        fill(i);
        large[12] = i % 2 ? 0x86 : 0x08;
        large[13] = i % 2 ? 0xdd : 0x00;
        CHECK(send_large(size, 600 + i % 1000) > 0);
        unsigned count = backend_take_large(
            size, i % 2 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4);
        CHECK(count == (size + 2047) / 2048 && count <= 17);
        /* In any order, the extra one among them. */
        for (unsigned k = 0; k < count; k++) {
            if (k == i % count)
                backend_null();
            backend_sent(ids[(k + i) % count]);
        }
    }
    CHECK(send_large(1000, 1000) == 1);
    CHECK(nics[0].tx_free == 255 && nics[0].tx_extras == 1);
    CHECK(mock_log_lines == 0);
}

/* Whole frames only, however little room there is. */
static void test_send_full(void)
{
    unsigned sent = 0;

    start_cutting();
    fill(5);
    while (send_large(device.cut_size_max, 1500) > 0)
        sent++;
    CHECK(sent == 256 / 18);
    CHECK(nics[0].tx_free == 256 - sent * 17);
    CHECK(send_large(2048 * 3, 1500) > 0); /* a smaller one has room */
    for (unsigned i = 0; i <= sent; i++) {
        unsigned count =
            backend_take_large(i < sent ? device.cut_size_max : 2048 * 3,
                               XEN_NETIF_GSO_TYPE_TCPV4);
        mock_ready = 0;
        backend_null();
        while (count > 0)
            backend_sent(ids[--count]);
    }
    CHECK(send_large(device.cut_size_max, 1500) > 0);
    CHECK(mock_log_lines == 0);
}

/* What a backend does not cut is not sent so, also when it is another one. */
static void test_send_not(void)
{
    start();
    CHECK((device.features & (BASE_NET_TX_TCP4 | BASE_NET_TX_TCP6)) == 0);
    fill(6);
    CHECK(send_large(3000, 1500) == 0);
    start_cutting();
    mock_set(BACK "/online", "1");
    CHECK(send_large(3000, 1500) == 2);
    mock_set(BACK "/state", "5");
    xen_store_work();
    mock_set(BACK "/feature-gso-tcpv4", "0");
    mock_set(BACK "/state", "6");
    for (unsigned i = 0; i < 3; i++)
        xen_store_work();
    CHECK(nics[0].bus.link == XEN_LINK_UP && nics[0].tx_extras == 0);
    CHECK(send_large(3000, 1500) == 0);
    CHECK(xen_net_get(0, &device) == BASE_OK);
    CHECK((device.features & BASE_NET_TX_TCP4) == 0);
    CHECK(device.features & BASE_NET_TX_TCP6);
    large[12] = 0x86;
    large[13] = 0xdd;
    CHECK(send_large(3000, 1500) == 2);
    CHECK(send_one(60, 0) == 1);
    /* Neither a condition nor the other is enough alone. */
    prepare();
    mock_set(BACK "/feature-gso-tcpv4", "1");
    CHECK(xen_net_get(0, &device) == BASE_OK);
    CHECK((device.features & BASE_NET_TX_TCP4) == 0);
    prepare();
    mock_set(BACK "/feature-sg", "1");
    mock_set(BACK "/feature-gso-tcpv4", "1");
    mock_set(BACK "/feature-no-csum-offload", "1");
    CHECK(xen_net_get(0, &device) == BASE_OK);
    CHECK((device.features & BASE_NET_TX_TCP4) == 0);
}

/* Answers without an id, more than there are slots for. */
static void test_send_lies(void)
{
    start_cutting();
    fill(7);
    CHECK(send_large(3000, 1500) == 2);
    CHECK(backend_take_large(3000, XEN_NETIF_GSO_TYPE_TCPV4) == 2);
    backend_null();
    CHECK(send_one(60, 0) == 1 && mock_log_lines == 0);
    RING_GET_RESPONSE(&b.tx, b.tx.rsp_prod_pvt)->id = 999;
    backend_sent(999);
    RING_GET_RESPONSE(&b.tx, b.tx.rsp_prod_pvt - 1)->status = NETIF_RSP_NULL;
    CHECK(send_one(60, 0) == 1 && mock_log_lines == 1);
    CHECK(nics[0].bus.link != XEN_LINK_UP);
    /* A part of a frame twice. */
    start_cutting();
    CHECK(send_large(3000, 1500) == 2);
    CHECK(backend_take_large(3000, XEN_NETIF_GSO_TYPE_TCPV4) == 2);
    backend_sent(ids[1]);
    backend_sent(ids[1]);
    CHECK(send_one(60, 0) == 1 && mock_log_lines == 1);
}

int main(void)
{
    test_receive();
    test_rooms();
    test_two_rooms();
    test_rules();
    test_breaks();
    test_send();
    test_send_full();
    test_send_not();
    test_send_lies();
    mock_front_end();
    return 0;
}
