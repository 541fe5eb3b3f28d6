/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/virtio/ring.c with a hostile device: the input is what the device
 * writes and when. Whatever it does, the driver's own table stays whole: every
 * descriptor is free once or in one chain in flight.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/virtio/ring.h"
#include "base/hw/hw.h"

#define SIZE 8

static unsigned log_lines;
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void hw_log(const char *first, ...)
{
    log_lines++;
}

static void check_whole(const struct virtio_ring *ring)
{
    bool seen[SIZE] = {false};
    unsigned total = ring->free_count;
    uint16_t at = ring->free_head;

    for (unsigned i = 0; i < ring->free_count; i++) {
        if (at >= SIZE || seen[at])
            abort();
        seen[at] = true;
        at = ring->slots[at].next;
    }
    for (unsigned head = 0; head < SIZE; head++) {
        at = (uint16_t)head;
        for (unsigned i = 0; i < ring->slots[head].count; i++) {
            if (at >= SIZE || seen[at])
                abort();
            seen[at] = true;
            total++;
            at = ring->slots[at].next;
        }
    }
    if (total != SIZE || log_lines > 1)
        abort();
}

static void driver_take(struct virtio_ring *ring)
{
    uint16_t id;
    uint32_t written;

    if (virtio_ring_take(ring, &id, &written) != 1)
        return;
    if (id >= SIZE || written > 3 * 64)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct virtio_buffer buffers[3] = {
        {0x1000, 64}, {0x2000, 64}, {0x3000, 64}};
    struct virtio_ring ring;
    size_t shared = virtio_ring_bytes(SIZE) - SIZE * sizeof(struct virtio_slot);
    unsigned char *memory = aligned_alloc(16, 512);

    if (virtio_ring_bytes(SIZE) > 512)
        abort();
    memset(memory, 0, 512);
    log_lines = 0;
    virtio_ring_init(&ring, memory, SIZE, size > 0 && data[0] & 1, "fuzz");
    for (size_t i = 1; i + 2 < size; i += 3) {
        uint8_t a = data[i + 1], b = data[i + 2];

        switch (data[i] % 6) {
        case 0:
            virtio_ring_add(&ring, buffers, a % 2, 1 + b % 2);
            break;
        case 1:
            virtio_ring_publish(&ring);
            break;
        case 2:
            driver_take(&ring);
            break;
        case 3:
            virtio_ring_wake_after(&ring, a);
            break;
        case 4: /* the device finishes something */
            memory[virtio_ring_used_offset(SIZE) + 4 +
                   8 * (ring.used[1] % SIZE)] = a;
            memory[virtio_ring_used_offset(SIZE) + 8 +
                   8 * (ring.used[1] % SIZE)] = b;
            ring.used[1]++;
            break;
        case 5: /* the device writes anywhere in what it is shown */
            memory[a * 2u % shared] = b;
            break;
        }
        check_whole(&ring);
    }
    free(memory);
    return 0;
}
