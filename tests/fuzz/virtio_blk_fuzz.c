/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/virtio/blk.c with a hostile device: the input is what core asks and
 * what the device does in between. Every request that was taken comes back
 * exactly once, at the latest when the device is given up.
 *
 * Links drivers/virtio/ring.c.
 */
#include "drivers/virtio/blk.c"

#include "virtio_mock.h"

#define TAGS 256

static uint8_t area[1 << 20];
static uint8_t out[TAGS]; /* requests in the driver's hands, by tag */
static unsigned out_count;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

    if (out[tag] || virtio_blk_submit(0, &request) != BASE_OK)
        return;
    out[tag] = 1;
    out_count++;
}

static void reap(unsigned room)
{
    struct base_block_done done[8];
    unsigned count = virtio_blk_reap(0, done, room % 8 + 1);

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct base_device device;

    if (size < 8)
        return 0;
    memset(disks, 0, sizeof(disks));
    memset(out, 0, sizeof(out));
    out_count = 0;
    memcpy(&mock_config, data, 8);
    if (virtio_blk_get(0, &device) != BASE_OK) {
        mock_end();
        return 0; /* a configuration that makes no sense was refused */
    }
    disks[0].about.read_only = false;
    disks[0].about.discards = disks[0].discard_max > 0;
    disks[0].about.zeroes = disks[0].zeroes_max > 0;
    for (size_t i = 8; i + 4 <= size; i += 4) {
        const uint8_t *step = data + i;

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
            mock_finish(0, step[1], step[2] << 9 | (step[3] & 1));
            break;
        case 5: /* well done */
            disks[0].shared[step[1] % JOBS].status = STATUS_OK;
            break;
        case 6:
            ((uint8_t *)disks[0].shared)[(step[1] << 8 | step[2]) % 2048] =
                step[3];
            break;
        case 7:
            mock_poke(0, (uint16_t)(step[1] << 8 | step[2]), step[3]);
            break;
        }
    }
    mock_queues[0]->ring.used[1] += 1000;
    reap(0); /* sees that it is broken */
    while (out_count > 0)
        reap(7);
    if (out_count != 0 || mock_log_lines > 1)
        abort();
    mock_end();
    return 0;
}
