/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The entropy device (virtio 1.0, section 5.4). Called by base/hw for
 * entropy, monitor held, on processors without an instruction for it. It is
 * asked seldom and in small pieces, so one buffer is polled.
 */

#include <string.h>

#include "drivers/virtio/virtio.h"
#include "base/hw/hw.h"

#define PIECE_SIZE 64u        /* bytes asked for at once */
#define WAIT_NS    100000000u /* in all: the host may be short of entropy */

static struct rng {
    bool tried;
    bool usable;
    bool asked; /* the buffer is the device's */
    struct virtio_device device;
    struct virtio_queue queue;
    uint8_t *buffer;
} rng;

static bool rng_init(void)
{
    if (virtio_open(VIRTIO_RNG, 0, 0, "rng", &rng.device) != BASE_OK ||
        virtio_negotiate(&rng.device, 0) != BASE_OK)
        return false;
    rng.buffer = hw_pages_get(1);
    if (rng.buffer == NULL ||
        virtio_queue_init(&rng.device, &rng.queue, 0, 2) != BASE_OK) {
        virtio_fail(&rng.device);
        return false;
    }
    virtio_ring_wake_never(&rng.queue.ring);
    virtio_start(&rng.device);
    return true;
}

/* Waits for a piece; returns its size, 0 at the deadline. */
static uint32_t piece_get(uint64_t deadline_ns)
{
    struct virtio_buffer buffer = {hw_physical_of(rng.buffer), PIECE_SIZE};
    uint16_t id;
    uint32_t written;

    if (!rng.asked) {
        if (virtio_ring_add(&rng.queue.ring, &buffer, 0, 1) < 0)
            return 0;
        rng.asked = true;
        virtio_queue_push(&rng.queue);
    }
    for (;;) {
        int taken = virtio_ring_take(&rng.queue.ring, &id, &written);

        if (taken == 1) {
            rng.asked = false;
            return written;
        }
        if (taken < 0 || hw_base.clock_monotonic() >= deadline_ns)
            return 0;
        __asm__ volatile("pause");
    }
}

size_t virtio_rng_read(void *data, size_t size)
{
    uint64_t deadline_ns;
    size_t done = 0;

    if (!rng.tried) {
        rng.tried = true;
        rng.usable = rng_init();
    }
    if (!rng.usable)
        return 0;
    deadline_ns = hw_base.clock_monotonic() + WAIT_NS;
    while (done < size) {
        size_t piece = piece_get(deadline_ns);

        if (piece == 0)
            break;
        if (piece > size - done)
            piece = size - done;
        memcpy((uint8_t *)data + done, rng.buffer, piece);
        memset(rng.buffer, 0, PIECE_SIZE); /* nobody is to read it again */
        done += piece;
    }
    return done;
}
