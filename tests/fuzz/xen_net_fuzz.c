/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/xen/net.c and bus.c with a hostile backend: the input is what it
 * does between the calls of core, in the rings and in XenStore. Frames that
 * are handed up lie in the room that was given; a grant is ended once, and
 * none is left when the backend lets go.
 *
 * Links drivers/xen/text.c.
 */
#include <stdio.h>

#include "drivers/xen/bus.c"
#include "drivers/xen/net.c"
#include "drivers/xen/net_send.c"

#include "net_driver.h"
#include "xen_front_mock.h"

#define FRONT "device/vif/0"
#define BACK  "/b"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void backend_sees(const char *path, const char *value)
{
    if (strcmp(path, FRONT "/state") == 0 && strcmp(value, "4") == 0)
        mock_set(BACK "/state", "4");
}

/* The rings; the second look is for a device that was lost meanwhile. */
static uint8_t *ring_of(unsigned index)
{
    static uint8_t nowhere[4096];

    return nics[0].bus.pages[index] != NULL ? nics[0].bus.pages[index]
                                            : nowhere;
}

static void answer(const uint8_t *step)
{
    netif_rx_sring_t *rx = (void *)ring_of(1);
    netif_tx_sring_t *tx = (void *)ring_of(0);

    if (step[0] & 8) {
        struct netif_tx_response *response =
            &tx->ring[tx->rsp_prod++ % TX_SLOTS].rsp;

        response->id = step[1];
        response->status = step[2] & 1 ? NETIF_RSP_NULL : NETIF_RSP_OKAY;
    } else {
        RING_IDX slot = rx->rsp_prod++ % RX_SLOTS;

        rx->ring[slot].rsp = (struct netif_rx_response){
            .id = (uint16_t)(step[3] == 255 ? step[1] : slot),
            .offset = (uint16_t)(step[1] << 5),
            .flags = step[2] & 31,
            .status = (int16_t)(step[3] * 17 - 32),
        };
        if (step[2] & 32)
            *(struct netif_extra_info *)(void *)&rx->ring[slot].rsp =
                (struct netif_extra_info){.type = step[1] % 8,
                                          .flags = step[3] & 1,
                                          .u.gso.type = step[3] / 2 % 4};
    }
}

static void step_do(const uint8_t *step)
{
    static const char *const states[] = {"1", "2", "3", "4",
                                         "5", "6", "6", "x"};

    switch (step[0] % 8) {
    case 0:
        driver_send(xen_net_send, &nics[0].about, step[1], step[2]);
        break;
    case 1:
    case 2:
        driver_receive(xen_net_recv, step[1], step[2] * 8u);
        break;
    case 3:
    case 4:
    case 5:
        answer(step);
        break;
    case 6: /* anywhere in a ring */
        ring_of(step[0] >> 3 & 1)[(step[1] << 8 | step[2]) % 4096] = step[3];
        break;
    case 7: /* in XenStore */
        if (step[1] % 4 == 0)
            mock_set(BACK "/state", states[step[2] % 8]);
        mock_set(BACK "/feature-ipv6-csum-offload", step[3] & 1 ? "1" : "0");
        mock_set(BACK "/feature-gso-tcpv4", step[3] & 2 ? "1" : "0");
        xen_store_work();
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct base_device device;

    mock_front_end();
    memset(nics, 0, sizeof(nics));
    device_count = 0;
    mock_on_write = backend_sees;
    mock_pages_free = 4096;
    mock_set(FRONT "/backend", BACK);
    mock_set(FRONT "/backend-id", "0");
    mock_set(FRONT "/mac", "00:16:3e:01:02:03");
    mock_set(BACK "/state", "2");
    mock_set(BACK "/feature-rx-copy", "1");
    mock_set(BACK "/feature-sg", "1");
    mock_set(BACK "/feature-gso-tcpv4", "1");
    mock_set(BACK "/feature-gso-tcpv6", "1");
    mock_set(BACK "/feature-ipv6-csum-offload", "1");
    mock_set(BACK "/online", "1");
    if (xen_net_get(0, &device) != BASE_OK)
        abort();
    for (size_t i = 0; i + 4 <= size; i += 4)
        step_do(data + i);
    mock_set(BACK "/online", "0");
    mock_set(BACK "/state", "6");
    xen_store_work();
    if (mock_grant_count != 0 || mock_log_lines > LIMIT_XEN_RECONNECTS + 2)
        abort();
    return 0;
}
