/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a virtio driver stands on, for the fuzz targets: a device that is
 * nothing but the memory it shares, and the few bytes it is asked for.
 * Included once, after the driver's own source.
 */
#ifndef HALVM_FUZZ_VIRTIO_MOCK_H
#define HALVM_FUZZ_VIRTIO_MOCK_H

#include <stdlib.h>
#include <string.h>

#ifndef MOCK_RING_SIZE
#define MOCK_RING_SIZE 16 /* what fits a page, and is told by 8 bits */
#endif
#define MOCK_BLOCKS_MAX 16

static void *mock_blocks[MOCK_BLOCKS_MAX];
static unsigned mock_block_count;
static struct virtio_queue *mock_queues[2];
static unsigned mock_queue_count;
static unsigned mock_log_lines;
static uint64_t mock_config; /* what every field of the configuration says */
static uint64_t mock_features = ~0ull; /* what the device offers */
static uint32_t mock_notify;

void hw_log(const char *first, ...)
{
    mock_log_lines++;
}

void hw_ready(uint32_t ready)
{
}

bool hw_device_room(void)
{
    return true;
}

void *hw_pages_get(size_t count)
{
    void *block = aligned_alloc(4096, count * 4096);

    if (mock_block_count == MOCK_BLOCKS_MAX)
        abort();
    memset(block, 0, count * 4096);
    mock_blocks[mock_block_count++] = block;
    return block;
}

void hw_pages_put(void *pages, size_t count)
{
}

uint64_t hw_physical_of(const void *address)
{
    return (uint64_t)address;
}

static void mock_abort(const char *why) __attribute__((noreturn));
static void mock_abort(const char *why)
{
    abort();
}

static size_t mock_entropy(void *data, size_t size)
{
    return 0;
}

struct base hw_base = {.abort = mock_abort, .entropy = mock_entropy};

enum base_status virtio_open(enum virtio_kind kind, unsigned index,
                             uint32_t ready, const char *name,
                             struct virtio_device *device)
{
    device->name = name;
    return BASE_OK;
}

uint64_t virtio_features(struct virtio_device *device)
{
    return mock_features;
}

uint32_t virtio_queue_size(struct virtio_device *device, uint16_t index)
{
    return MOCK_RING_SIZE;
}

enum base_status virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
    device->features = wanted & mock_features;
    return BASE_OK;
}

uint64_t virtio_config(struct virtio_device *device, uint32_t offset,
                       unsigned bytes)
{
    return bytes == 8 ? mock_config : mock_config & ((1ull << 8 * bytes) - 1);
}

enum base_status virtio_queue_init(struct virtio_device *device,
                                   struct virtio_queue *queue, uint16_t index,
                                   uint16_t size_max)
{
    virtio_ring_init(&queue->ring, hw_pages_get(1), MOCK_RING_SIZE, true,
                     device->name);
    queue->notify = &mock_notify;
    queue->notify_wide = true;
    mock_queues[mock_queue_count++] = queue;
    return BASE_OK;
}

void virtio_start(struct virtio_device *device)
{
}

void virtio_fail(struct virtio_device *device)
{
}

uint16_t virtio_size_for_memory(void)
{
    return MOCK_RING_SIZE;
}

/* The device finishes a chain: true words and lies alike. */
static void mock_finish(unsigned queue, uint8_t id, uint32_t size)
{
    struct virtio_ring *ring = &mock_queues[queue % mock_queue_count]->ring;
    volatile struct virtio_ring_used *element = (volatile void *)&ring->used[2];

    element += ring->used[1] % MOCK_RING_SIZE;
    element->id = id;
    element->size = size;
    ring->used[1]++;
}

/* The device writes a byte anywhere in what a ring shares with it. */
static inline void mock_poke(unsigned queue, uint16_t at, uint8_t value)
{
    struct virtio_ring *ring = &mock_queues[queue % mock_queue_count]->ring;
    size_t shared = virtio_ring_bytes(MOCK_RING_SIZE) -
                    MOCK_RING_SIZE * sizeof(struct virtio_slot);

    ((volatile uint8_t *)ring->descriptors)[at % shared] = value;
}

static void mock_end(void)
{
    while (mock_block_count > 0)
        free(mock_blocks[--mock_block_count]);
    mock_queue_count = 0;
    mock_log_lines = 0;
}

#endif
