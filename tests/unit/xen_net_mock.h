/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/xen/net.c, net_send.c and bus.c with a backend in software, for the
 * tests of them. Included once.
 */
#ifndef HALVM_UNIT_XEN_NET_MOCK_H
#define HALVM_UNIT_XEN_NET_MOCK_H

#include "check.h"

#include "drivers/xen/bus.c"
#include "drivers/xen/net.c"
#include "drivers/xen/net_send.c"

#include "xen_front_mock.h"

#define FRONT "device/vif/2"
#define BACK  "/local/domain/0/backend/vif/3/2"

static struct {
    netif_tx_back_ring_t tx;
    netif_rx_back_ring_t rx;
    bool refuses; /* never connects */
    unsigned port;
} b;

static void backend_connect(void)
{
    netif_tx_sring_t *tx =
        mock_page((grant_ref_t)mock_number(FRONT "/tx-ring-ref"), true);
    netif_rx_sring_t *rx =
        mock_page((grant_ref_t)mock_number(FRONT "/rx-ring-ref"), true);

    BACK_RING_INIT(&b.tx, tx, 4096);
    BACK_RING_INIT(&b.rx, rx, 4096);
    b.port = (unsigned)mock_number(FRONT "/event-channel");
    mock_set(BACK "/state", "4");
}

static void backend_sees(const char *path, const char *value)
{
    if (strcmp(path, FRONT "/state") != 0)
        return;
    if (strcmp(value, "4") == 0 && !b.refuses)
        backend_connect();
    if (strcmp(value, "1") == 0 && mock_number(BACK "/state") == 6)
        mock_set(BACK "/state", "2");
}

static void prepare(void)
{
    mock_front_end();
    memset(&b, 0, sizeof(b));
    memset(nics, 0, sizeof(nics));
    device_count = 0;
    mock_on_write = backend_sees;
    mock_set("device/vif/10/backend", "/elsewhere");
    mock_set(FRONT "/backend", BACK);
    mock_set(FRONT "/backend-id", "0");
    mock_set(FRONT "/mac", "00:16:3e:01:02:03");
    mock_set(BACK "/state", "2");
    mock_set(BACK "/feature-rx-copy", "1");
    mock_set(BACK "/feature-ipv6-csum-offload", "1");
}

static struct base_device device;

static void start(void)
{
    prepare();
    CHECK(xen_net_get(0, &device) == BASE_OK);
    CHECK(mock_log_lines == 0);
}

/* -- what the backend does -- */

static inline bool backend_take(uint8_t *data, uint16_t *size, uint16_t *flags,
                                uint16_t *id)
{
    struct netif_tx_request request;
    int more;

    RING_FINAL_CHECK_FOR_REQUESTS(&b.tx, more);
    if (!more)
        return false;
    request = *RING_GET_REQUEST(&b.tx, b.tx.req_cons);
    b.tx.req_cons++;
    CHECK(request.offset + request.size <= 4096);
    memcpy(data, (uint8_t *)mock_page(request.gref, false) + request.offset,
           request.size);
    *size = request.size;
    *flags = request.flags;
    *id = request.id;
    return true;
}

static void backend_sent(uint16_t id)
{
    struct netif_tx_response response = {.id = id, .status = NETIF_RSP_OKAY};
    int notify;

    *RING_GET_RESPONSE(&b.tx, b.tx.rsp_prod_pvt) = response;
    b.tx.rsp_prod_pvt++;
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&b.tx, notify);
    if (notify)
        mock_event(b.port);
}

/* Answers the next receive request with these words. */
static void backend_answer(struct netif_rx_response response, const void *data,
                           int id_add)
{
    int more, notify;

    RING_FINAL_CHECK_FOR_REQUESTS(&b.rx, more);
    CHECK(more);
    struct netif_rx_request request = *RING_GET_REQUEST(&b.rx, b.rx.req_cons);
    b.rx.req_cons++;
    response.id = (uint16_t)(request.id + id_add);
    if (data != NULL)
        memcpy((uint8_t *)mock_page(request.gref, true) + response.offset, data,
               (size_t)response.status);
    *RING_GET_RESPONSE(&b.rx, b.rx.rsp_prod_pvt) = response;
    b.rx.rsp_prod_pvt++;
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&b.rx, notify);
    if (notify)
        mock_event(b.port);
}

static inline void backend_frame(const void *data, int16_t size, uint16_t flags)
{
    backend_answer((struct netif_rx_response){.offset = (uint16_t)(size % 64),
                                              .flags = flags,
                                              .status = size},
                   data, 0);
}

static inline unsigned receive(uint8_t *data, uint32_t *size, uint32_t *flags)
{
    struct base_net_frame frame = {.data = data, .size = LIMIT_FRAME_SIZE};
    unsigned count = xen_net_recv(0, &frame, 1);

    *size = frame.size;
    *flags = frame.flags;
    return count;
}

static uint8_t frame[LIMIT_FRAME_SIZE];

static unsigned send_one(uint32_t size, uint32_t flags)
{
    struct base_net_frame one = {.data = frame,
                                 .size = size,
                                 .flags = flags,
                                 .checksum_start = 54,
                                 .checksum_offset = 16};

    return xen_net_send(0, &one, 1);
}

/* Extra information in the next slot, where no id is. */
static inline void backend_extra(uint8_t type, uint8_t what, uint8_t flags)
{
    const struct netif_extra_info extra = {
        .type = type, .flags = flags, .u.gso = {.size = 1448, .type = what}};

    backend_answer((struct netif_rx_response){.status = 0}, NULL, 0);
    memcpy(RING_GET_RESPONSE(&b.rx, b.rx.rsp_prod_pvt - 1), &extra,
           sizeof(extra));
}

#endif
