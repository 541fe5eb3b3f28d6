/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/xen/blk.c and bus.c with a hostile backend: the input is what core
 * asks and what the backend does in between, in the ring and in XenStore.
 * Every request that was taken comes back exactly once, at the latest when the
 * disk is lost, and no grant is left when the backend lets go.
 *
 * Links drivers/xen/text.c.
 */
#include <stdio.h>

#include "drivers/xen/bus.c"
#include "drivers/xen/blk.c"

#include "xen_front_mock.h"

#define FRONT "device/vbd/0"
#define BACK  "/b"
#define TAGS  256

static uint8_t area[1 << 20];
static uint8_t out[TAGS]; /* requests in the driver's hands, by tag */
static unsigned out_count;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void backend_sees(const char *path, const char *value)
{
    if (strcmp(path, FRONT "/state") == 0 && strcmp(value, "3") == 0)
        mock_set(BACK "/state", "4");
}

static void submit(uint8_t tag, uint8_t what, uint8_t where)
{
    enum base_block_op op = (enum base_block_op)(what % 5);
    struct base_block_request request = {
        .op = op,
        .sector = where,
        .count = op == BASE_BLOCK_FLUSH ? 0 : what * 5u,
        .data = op <= BASE_BLOCK_WRITE ? area + where * 100u : NULL,
        .tag = &out[tag],
    };

    if (out[tag] || xen_blk_submit(0, &request) != BASE_OK)
        return;
    out[tag] = 1;
    out_count++;
}

static void reap(unsigned room)
{
    struct base_block_done done[8];
    unsigned count = xen_blk_reap(0, done, room % 8 + 1);

    if (count > room % 8 + 1)
        abort();
    for (unsigned i = 0; i < count; i++) {
        uint8_t *tag = done[i].tag;

        if (!*tag)
            abort();
        *tag = 0;
        out_count--;
    }
}

static uint8_t *ring_of(void)
{
    static uint8_t nowhere[4096];

    return disks[0].bus.pages[0] != NULL ? disks[0].bus.pages[0] : nowhere;
}

static void step_do(const uint8_t *step)
{
    static const char *const states[] = {"1", "2", "3", "4",
                                         "5", "6", "6", "x"};
    blkif_sring_t *ring = (void *)ring_of();

    switch (step[0] % 8) {
    case 0:
    case 1:
        submit(step[1], step[2], step[3]);
        break;
    case 2:
        reap(step[1]);
        break;
    case 3:
    case 4:
    case 5: /* true words and lies alike */
        ring->ring[ring->rsp_prod++ % JOBS].rsp = (struct blkif_response){
            .id = step[3] == 255 ? (uint64_t)step[1] << 32 : step[1] % JOBS,
            .status = (int16_t)(step[2] % 8 < 6 ? 0 : -(step[2] % 3)),
        };
        break;
    case 6:
        ring_of()[(step[1] << 8 | step[2]) % 4096] = step[3];
        break;
    case 7:
        if (step[1] % 4 == 0)
            mock_set(BACK "/state", states[step[2] % 8]);
        mock_set(BACK "/feature-max-indirect-segments",
                 step[3] & 1 ? "256" : "0");
        xen_store_work();
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct base_device device;

    mock_front_end();
    memset(disks, 0, sizeof(disks));
    memset(out, 0, sizeof(out));
    out_count = 0;
    device_count = 0;
    mock_on_write = backend_sees;
    mock_pages_free = 2048;
    mock_set(FRONT "/backend", BACK);
    mock_set(FRONT "/backend-id", "0");
    mock_set(BACK "/state", "2");
    mock_set(BACK "/sectors", "2000");
    mock_set(BACK "/feature-max-indirect-segments",
             size > 0 && data[0] & 1 ? "64" : "0");
    mock_set(BACK "/feature-flush-cache", "1");
    mock_set(BACK "/feature-discard", "1");
    mock_set(BACK "/online", "1");
    if (xen_blk_get(0, &device) != BASE_OK)
        abort();
    for (size_t i = 1; i + 4 <= size; i += 4)
        step_do(data + i);
    mock_set(BACK "/online", "0");
    mock_set(BACK "/state", "6");
    xen_store_work();
    for (unsigned i = 0; i < JOBS && out_count > 0; i++)
        reap(7);
    /* One that waits to be connected still has its requests. */
    if (disks[0].bus.link != XEN_LINK_WAITING && out_count != 0)
        abort();
    if (mock_grant_count != 0 || mock_log_lines > LIMIT_XEN_RECONNECTS + 2)
        abort();
    return 0;
}
