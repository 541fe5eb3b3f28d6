/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/virtio/net.c with a hostile device: the input is what the device
 * does between the calls of core. Frames that are handed up lie in the room
 * that was given, and each queue is given up with one line at most.
 *
 * Links drivers/virtio/ring.c.
 */
#include "drivers/virtio/net.c"

#define MOCK_RING_SIZE 64 /* enough for large frames */
#include "net_driver.h"
#include "virtio_mock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

        switch (step[0] % 9) {
        case 0:
        case 1:
            driver_send(virtio_net_send, &device, step[1], step[2]);
            break;
        case 2:
        case 3:
            driver_receive(virtio_net_recv, step[1], step[2] * 8u);
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
        case 8: /* the header in a buffer */
            nics[0].receive.buffers[step[1] % MOCK_RING_SIZE * BUFFER_SIZE +
                                    step[2] % sizeof(struct header)] = step[3];
            break;
        }
    }
    if (mock_log_lines > 2)
        abort();
    mock_end();
    return 0;
}
