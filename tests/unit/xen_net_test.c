/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/xen/net.c and bus.c against a backend in software: the handshake,
 * honest traffic over the turn of the ring's indices, who is woken when, a
 * backend that goes and comes, and each of the lies it can tell.
 */
#include "xen_net_mock.h"

static uint8_t got[4096];

/* -- the tests -- */

static void test_handshake(void)
{
    start();
    CHECK(memcmp(device.mac, "\x00\x16\x3e\x01\x02\x03", 6) == 0);
    CHECK(device.mtu == 1500);
    CHECK(device.features ==
          (BASE_NET_TX_CHECKSUM | BASE_NET_RX_CHECKSUM | BASE_NET_RX_LARGE));
    CHECK(mock_number(FRONT "/request-rx-copy") == 1);
    CHECK(mock_number(FRONT "/feature-rx-notify") == 1);
    CHECK(mock_number(FRONT "/feature-gso-tcpv4") == 1);
    CHECK(mock_number(FRONT "/feature-gso-tcpv6") == 1);
    CHECK(mock_number(FRONT "/feature-sg") == 1);
    CHECK(mock_notified[b.port] > 0);
    /* 10 comes after 2, and has nothing that is a backend. */
    CHECK(xen_net_get(1, &device) == BASE_IO);
    CHECK(xen_net_get(2, &device) == BASE_NODEV);
    /* A transaction that is disturbed; a smaller MTU; no offload. */
    prepare();
    mock_disturb = 3;
    mock_set(FRONT "/mtu", "1400");
    mock_set(BACK "/feature-no-csum-offload", "1");
    CHECK(xen_net_get(0, &device) == BASE_OK && device.mtu == 1400);
    CHECK(device.features == (BASE_NET_RX_CHECKSUM | BASE_NET_RX_LARGE));
    prepare();
    mock_disturb = 1000;
    CHECK(xen_net_get(0, &device) == BASE_IO && mock_log_lines == 1);
    prepare();
    b.refuses = true;
    CHECK(xen_net_get(0, &device) == BASE_IO && mock_log_lines == 1);
    CHECK(mock_now >= XEN_BUS_WAIT_NS);
    CHECK(mock_number(FRONT "/state") == XenbusStateClosed);
    prepare();
    mock_set(BACK "/feature-rx-copy", "0");
    CHECK(xen_net_get(0, &device) == BASE_IO && mock_log_lines == 1);
    prepare();
    mock_set(FRONT "/mac", "00:16:3e:01:02:0g");
    CHECK(xen_net_get(0, &device) == BASE_IO && mock_log_lines == 1);
    prepare();
    mock_grants_max = 100;
    CHECK(xen_net_get(0, &device) == BASE_IO && mock_log_lines == 1);
    prepare();
    mock_pages_max = 20;
    CHECK(xen_net_get(0, &device) == BASE_IO && mock_log_lines == 1);
    /* Little memory, few buffers. */
    prepare();
    mock_pages_free = 2048;
    CHECK(xen_net_get(0, &device) == BASE_OK);
    CHECK(nics[0].rx_count == 32 && nics[0].tx_count == 32);
    /* In fewer a large frame would wait for ever: none are asked for. */
    prepare();
    mock_pages_free = 1024;
    CHECK(xen_net_get(0, &device) == BASE_OK && nics[0].rx_count == 16);
    CHECK((device.features & BASE_NET_RX_LARGE) == 0);
    CHECK(mock_number(FRONT "/feature-gso-tcpv4") == 0);
    CHECK(mock_number(FRONT "/feature-sg") == 0);
}

/* Puts the indices of both rings shortly before their turn. */
static void turn(void)
{
    const RING_IDX far = 0xfffff000u; /* keeps the slots */

    nics[0].tx.req_prod_pvt += far;
    nics[0].tx.rsp_cons += far;
    nics[0].tx.sring->req_prod += far;
    nics[0].tx.sring->rsp_prod += far;
    nics[0].tx.sring->req_event += far;
    nics[0].tx.sring->rsp_event += far;
    nics[0].rx.req_prod_pvt += far;
    nics[0].rx.rsp_cons += far;
    nics[0].rx.sring->req_prod += far;
    nics[0].rx.sring->rsp_prod += far;
    nics[0].rx.sring->req_event += far;
    nics[0].rx.sring->rsp_event += far;
    b.tx.rsp_prod_pvt += far;
    b.tx.req_cons += far;
    b.rx.rsp_prod_pvt += far;
    b.rx.req_cons += far;
}

static void test_send(void)
{
    uint16_t size, flags, ids[256], id;

    start();
    turn();
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t wanted = 14 + i % (LIMIT_FRAME_SIZE - 13);

        memset(frame, (int)i, sizeof(frame));
        CHECK(send_one(wanted, 0) == 1);
        CHECK(backend_take(got, &size, &flags, &id));
        CHECK(size == wanted && flags == 0 && memcmp(got, frame, size) == 0);
        mock_ready = 0;
        backend_sent(id);
        CHECK(mock_ready == 0); /* nobody waits for room */
    }
    /* The backend is told once, when it sleeps; not while it is at work. */
    CHECK(!backend_take(got, &size, &flags, &id));
    unsigned told = mock_notified[b.port];
    CHECK(send_one(60, 0) == 1 && mock_notified[b.port] == told + 1);
    CHECK(send_one(60, 0) == 1 && mock_notified[b.port] == told + 1);
    CHECK(backend_take(got, &size, &flags, &ids[0]));
    CHECK(backend_take(got, &size, &flags, &ids[1]));
    unsigned taken = 2;
    /* Full; then an event when half of it is sent, and not before. */
    while (send_one(60, 0) == 1)
        ;
    while (backend_take(got, &size, &flags, &ids[taken]))
        taken++;
    CHECK(taken == 256);
    mock_ready = 0;
    for (unsigned i = 0; i < 128; i++)
        backend_sent(ids[i]);
    CHECK(mock_ready == 0);
    backend_sent(ids[128]);
    CHECK(mock_ready & BASE_READY_NET);
    CHECK(send_one(60, 0) == 1);
    CHECK(mock_log_lines == 0);
}

/* Sent between the look and the wish: found without an event. */
static void test_send_race(void)
{
    uint16_t size, flags, ids[256];
    unsigned taken = 0;

    start();
    while (send_one(60, 0) == 1)
        ;
    while (backend_take(got, &size, &flags, &ids[taken]))
        taken++;
    nics[0].tx.sring->rsp_event = nics[0].tx.rsp_cons + EVENT_NEVER;
    for (unsigned i = 0; i < 200; i++)
        backend_sent(ids[i]);
    CHECK(tx_wake(&nics[0]));
    CHECK(send_one(60, 0) == 1);
}

static void test_checksum(void)
{
    uint16_t size, flags, id;

    start();
    for (unsigned i = 0; i < sizeof(frame); i++)
        frame[i] = (uint8_t)(i * 7);
    frame[12] = 0x86;
    frame[13] = 0xdd;
    CHECK(send_one(101, BASE_NET_CHECKSUM_NEEDED) == 1);
    CHECK(backend_take(got, &size, &flags, &id));
    CHECK(flags == (NETTXF_csum_blank | NETTXF_data_validated));
    CHECK(memcmp(got, frame, 101) == 0);
    /* The backend would not complete it over IPv6. */
    nics[0].sum_ipv6 = false;
    CHECK(send_one(101, BASE_NET_CHECKSUM_NEEDED) == 1);
    CHECK(backend_take(got, &size, &flags, &id) && flags == 0);
    uint32_t sum = 0;
    for (unsigned i = 54; i < 101; i++)
        sum += i % 2 == 0 ? (uint32_t)frame[i] << 8 : frame[i];
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    CHECK(got[70] == (~sum >> 8 & 0xff) && got[71] == (~sum & 0xff));
    frame[12] = 8;
    frame[13] = 0;
    CHECK(send_one(101, BASE_NET_CHECKSUM_NEEDED) == 1);
    CHECK(backend_take(got, &size, &flags, &id) && flags != 0);
}

static void test_receive(void)
{
    uint32_t size, flags;

    start();
    CHECK(receive(got, &size, &flags) == 0);
    turn();
    for (unsigned i = 0; i < 20000; i++) {
        int16_t wanted = (int16_t)(14 + i % (LIMIT_FRAME_SIZE - 13));

        memset(frame, (int)i, sizeof(frame));
        mock_ready = 0;
        backend_frame(frame, wanted,
                      i % 3 == 0   ? 0
                      : i % 3 == 1 ? NETRXF_data_validated
                                   : NETRXF_csum_blank);
        CHECK(mock_ready & BASE_READY_NET); /* asked for every time */
        CHECK(receive(got, &size, &flags) == 1);
        CHECK(size == (uint32_t)wanted && memcmp(got, frame, size) == 0);
        CHECK(flags == (i % 3 ? BASE_NET_CHECKSUM_GOOD : 0));
        if (i % 2) /* look once more: asks for the next event */
            CHECK(receive(got, &size, &flags) == 0);
    }
    /* More than is asked for: it is said that there is more. */
    backend_frame(frame, 60, 0);
    backend_frame(frame, 61, 0);
    mock_ready = 0;
    CHECK(receive(got, &size, &flags) == 1 && size == 60);
    CHECK(mock_ready & BASE_READY_NET);
    CHECK(receive(got, &size, &flags) == 1 && size == 61);
    /* Failures, and what is no frame or has no room, are passed over. */
    backend_answer((struct netif_rx_response){.status = NETIF_RSP_ERROR}, NULL,
                   0);
    backend_frame(frame, 13, 0);
    backend_frame(frame, 0, 0);
    memset(got, 1, sizeof(got));
    backend_frame(got, 2000, 0);
    backend_frame(frame, 62, 0);
    CHECK(receive(got, &size, &flags) == 1 && size == 62);
    CHECK(mock_log_lines == 0);
    CHECK(nics[0].rx.req_prod_pvt - nics[0].rx.rsp_cons == 256);
}

/* After a lie: one line, silence, and no grant left that could be taken. */
static void check_broken(void)
{
    uint32_t size, flags;

    CHECK(receive(got, &size, &flags) == 0);
    CHECK(send_one(60, 0) == 1); /* lost, as on a cable that was cut */
    CHECK(receive(got, &size, &flags) == 0);
    CHECK(mock_log_lines == 1);
    CHECK(mock_number(FRONT "/state") == XenbusStateClosed);
    mock_set(BACK "/state", "6");
    xen_store_work();
    CHECK(mock_grant_count == 0);
    CHECK(nics[0].bus.link == XEN_LINK_BROKEN); /* for good */
    CHECK(mock_log_lines == 1);
}

static void test_lies(void)
{
    const struct netif_rx_response good = {.status = 60};
    uint16_t size, flags, id;

    start(); /* the index jumps: receive */
    b.rx.sring->rsp_prod = 257;
    check_broken();
    start(); /* transmit */
    b.tx.sring->rsp_prod = nics[0].tx.req_prod_pvt + 1;
    check_broken();
    start(); /* an id out of the table */
    CHECK(send_one(60, 0) == 1 && backend_take(got, &size, &flags, &id));
    backend_sent(256);
    check_broken();
    start(); /* and far out of it */
    CHECK(send_one(60, 0) == 1 && backend_take(got, &size, &flags, &id));
    backend_sent(65535);
    check_broken();
    start(); /* one that is not under way */
    CHECK(send_one(60, 0) == 1 && backend_take(got, &size, &flags, &id));
    backend_sent(id ^ 1);
    check_broken();
    start(); /* twice */
    CHECK(send_one(60, 0) == 1 && backend_take(got, &size, &flags, &id));
    CHECK(send_one(60, 0) == 1);
    backend_sent(id);
    backend_sent(id);
    check_broken();
    start(); /* another slot's */
    backend_answer(good, NULL, 1);
    check_broken();
    start(); /* past the page */
    backend_answer((struct netif_rx_response){.offset = 4096, .status = 60},
                   NULL, 0);
    check_broken();
    start();
    backend_answer((struct netif_rx_response){.offset = 65535, .status = 14},
                   NULL, 0);
    check_broken();
    start();
    backend_answer((struct netif_rx_response){.offset = 1, .status = 4096},
                   NULL, 0);
    check_broken();
}

static void test_goes_and_comes(void)
{
    uint32_t size, flags;

    start();
    unsigned grants = mock_grant_count;
    size_t pages = mock_pages;
    grant_ref_t held = nics[0].rx_book->refs[7];
    mock_grants[held].mapped = true;
    mock_set(BACK "/online", "1");
    for (unsigned round = 0; round < 3; round++) {
        mock_set(BACK "/state", "5"); /* Closing */
        xen_store_work();
        CHECK(mock_number(FRONT "/state") == XenbusStateClosed);
        CHECK(send_one(60, 0) == 1 && receive(got, &size, &flags) == 0);
        mock_set(BACK "/state", "6");
        xen_store_work();
        if (round == 0) {
            /* It has a page mapped still: not to be used for anything. */
            CHECK(nics[0].bus.link == XEN_LINK_LOST);
            CHECK(mock_grant_count == 1);
            mock_grants[held].mapped = false;
            mock_set(BACK "/state", "6");
            xen_store_work();
        }
        xen_store_work(); /* InitWait */
        xen_store_work(); /* Connected */
        CHECK(nics[0].bus.link == XEN_LINK_UP);
        CHECK(mock_grant_count == grants && mock_pages == pages);
        backend_frame(frame, 60, 0);
        CHECK(receive(got, &size, &flags) == 1);
        CHECK(send_one(60, 0) == 1);
    }
    /* Removed, and not to come back. */
    mock_set(BACK "/online", "0");
    mock_set(BACK "/state", "5");
    xen_store_work();
    mock_unset(BACK "/state");
    xen_store_work();
    CHECK(nics[0].bus.link == XEN_LINK_LOST && mock_grant_count == 0);
    CHECK(mock_log_lines == 4);
}

/* The first frame from a new place: from the MAC in prepare() to everybody. */
static void check_announced(void)
{
    static const uint8_t head[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,
                                   0x16, 0x3e, 1,    2,    3,    0x80, 0x35};
    uint16_t size, tx_flags, id;

    CHECK(backend_take(got, &size, &tx_flags, &id));
    CHECK(size == 60 && tx_flags == 0 && memcmp(got, head, sizeof(head)) == 0);
    CHECK(memcmp(got + 22, head + 6, 6) == 0 &&
          memcmp(got + 32, head + 6, 6) == 0);
    backend_sent(id);
    CHECK(!backend_take(got, &size, &tx_flags, &id));
}

static void test_resume(void)
{
    uint32_t size, flags;
    uint16_t take_size, take_flags, id;

    start();
    CHECK(!backend_take(got, &take_size, &take_flags, &id));
    unsigned grants = mock_grant_count;
    memset(mock_grants, 0, sizeof(mock_grants));
    memset(mock_ports, 0, sizeof(mock_ports));
    mock_grant_count = 0;
    mock_set(BACK "/state", "2");
    CHECK(xen_resume_devices != NULL);
    xen_resume_devices();
    xen_store_work();
    xen_store_work();
    CHECK(nics[0].bus.link == XEN_LINK_UP && mock_grant_count == grants);
    check_announced();
    CHECK(send_one(60, 0) == 1 && nics[0].tx_free == nics[0].tx_count - 1);
    backend_frame(frame, 60, 0);
    CHECK(receive(got, &size, &flags) == 1);
    CHECK(mock_log_lines == 0);
    /* What was broken stays so, and ends no grant of the time before. */
    b.tx.sring->rsp_prod = nics[0].tx.req_prod_pvt + 1;
    CHECK(send_one(60, 0) == 1 && mock_log_lines == 1);
    memset(mock_grants, 0, sizeof(mock_grants));
    mock_grant_count = 0;
    xen_resume_devices();
    mock_set(BACK "/state", "6");
    xen_store_work();
    CHECK(nics[0].bus.link == XEN_LINK_BROKEN && mock_log_lines == 1);
}

int main(void)
{
    test_handshake();
    test_send();
    test_send_race();
    test_checksum();
    test_receive();
    test_lies();
    test_goes_and_comes();
    test_resume();
    mock_front_end();
    return 0;
}
