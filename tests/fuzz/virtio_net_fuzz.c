/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/virtio/net.c with a hostile device: the input is what the device
 * does between the calls of core. Frames that are handed up lie in the room
 * that was given, and each queue is given up with one line at most.
 *
 * Links drivers/virtio/ring.c.
 */
#include "drivers/virtio/net.c"

#include "virtio_mock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void send(unsigned count)
{
    static uint8_t frame[LIMIT_FRAME_SIZE];
    struct base_net_frame frames[8];

    count = count % 8 + 1;
    for (unsigned i = 0; i < count; i++)
        frames[i] = (struct base_net_frame){.data = frame,
                                            .size = i % 2 ? sizeof(frame) : 14};
    if (virtio_net_send(0, frames, count) > count)
        abort();
}

static void receive(unsigned count, uint32_t room)
{
    struct base_net_frame frames[8];
    uint8_t *block = malloc(8 * room + 1);

    count = count % 8 + 1;
    for (unsigned i = 0; i < count; i++)
        frames[i] =
            (struct base_net_frame){.data = block + i * room, .size = room};
    unsigned got = virtio_net_recv(0, frames, count);
    if (got > count)
        abort();
    for (unsigned i = 0; i < got; i++)
        if (frames[i].size > room || frames[i].size < 14)
            abort();
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct base_device device;

    if (size < 8)
        return 0;
    memset(nics, 0, sizeof(nics));
    memcpy(&mock_config, data, 8);
    if (virtio_net_get(0, &device) != BASE_OK)
        abort();
    for (size_t i = 8; i + 4 <= size; i += 4) {
        const uint8_t *step = data + i;

        switch (step[0] % 8) {
        case 0:
        case 1:
            send(step[1]);
            break;
        case 2:
        case 3:
            receive(step[1], step[2] * 8u);
            break;
        case 4:
        case 5:
            mock_finish(step[1], step[2], step[3] * 9u);
            break;
        case 6:
            mock_finish(step[1], step[2], (uint32_t)step[3] << 24 | step[3]);
            break;
        case 7:
            mock_poke(step[1] & 1, (uint16_t)(step[1] << 7 | step[2]), step[3]);
            break;
        }
    }
    if (mock_log_lines > 2)
        abort();
    mock_end();
    return 0;
}
