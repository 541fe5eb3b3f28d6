/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The console device's first port (virtio 1.0, section 5.3), where it stands
 * in for a serial line. Called by base/hw's console, from any context that may
 * write there: output waits until the device has taken it, so that a crash
 * report is out before the machine ends.
 */

#include <string.h>

#include "drivers/virtio/virtio.h"
#include "base/hw/hw.h"

#define QUEUE_RECEIVE  0
#define QUEUE_TRANSMIT 1
#define BUFFER_SIZE    2048u /* two in a page: one each way */
#define WAIT_TRIES     100000000u

static struct console {
    bool tried;
    bool usable;
    struct virtio_device device;
    struct virtio_queue receive, transmit;
    uint8_t *input, *output;
    uint32_t input_size, input_taken; /* of the bytes in input */
} console;

static void input_post(void)
{
    struct virtio_buffer buffer = {hw_physical_of(console.input), BUFFER_SIZE};

    virtio_ring_add(&console.receive.ring, &buffer, 0, 1);
    virtio_queue_push(&console.receive);
}

static bool console_init(void)
{
    struct virtio_device *device = &console.device;

    if (virtio_open(VIRTIO_CONSOLE, 0, BASE_READY_CONSOLE, "console", device) !=
            BASE_OK ||
        virtio_negotiate(device, 0) != BASE_OK)
        return false;
    console.input = hw_pages_get(1);
    if (console.input == NULL ||
        virtio_queue_init(device, &console.receive, QUEUE_RECEIVE, 2) !=
            BASE_OK ||
        virtio_queue_init(device, &console.transmit, QUEUE_TRANSMIT, 2) !=
            BASE_OK) {
        virtio_fail(device);
        return false;
    }
    console.output = console.input + BUFFER_SIZE;
    virtio_ring_wake_never(&console.transmit.ring);
    virtio_start(device);
    input_post();
    return true;
}

static bool console_ready(void)
{
    if (!console.tried) {
        /* Set first: what goes wrong below is told on a console. */
        console.tried = true;
        console.usable = console_init();
    }
    return console.usable;
}

bool virtio_console_write(const void *data, size_t size)
{
    struct virtio_ring *ring = &console.transmit.ring;
    const uint8_t *at = data;
    uint16_t id;
    uint32_t written;

    if (!console_ready())
        return false;
    while (size > 0) {
        uint32_t piece = size < BUFFER_SIZE ? (uint32_t)size : BUFFER_SIZE;
        struct virtio_buffer buffer = {hw_physical_of(console.output), piece};
        int taken = 0;

        memcpy(console.output, at, piece);
        if (virtio_ring_add(ring, &buffer, 1, 0) < 0)
            return false;
        virtio_queue_push(&console.transmit);
        for (unsigned i = 0; taken == 0 && i < WAIT_TRIES; i++)
            taken = virtio_ring_take(ring, &id, &written);
        if (taken != 1) {
            console.usable = false;
            return false;
        }
        at += piece;
        size -= piece;
    }
    return true;
}

size_t virtio_console_read(void *data, size_t size)
{
    struct virtio_ring *ring = &console.receive.ring;
    size_t count;
    uint16_t id;

    if (!console_ready())
        return 0;
    if (console.input_taken == console.input_size) {
        do {
            if (virtio_ring_take(ring, &id, &console.input_size) == 1) {
                console.input_taken = 0;
                break;
            }
        } while (virtio_ring_wake_after(ring, 1));
    }
    count = console.input_size - console.input_taken;
    if (count > size)
        count = size;
    memcpy(data, console.input + console.input_taken, count);
    console.input_taken += (uint32_t)count;
    if (count > 0 && console.input_taken == console.input_size) {
        /* All of it is read: the buffer is the device's again. */
        console.input_taken = console.input_size = 0;
        input_post();
        if (virtio_ring_wake_after(ring, 1))
            hw_ready(BASE_READY_CONSOLE);
    }
    return count;
}
