/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all virtio devices have in common: being found, agreeing on features,
 * getting queues. Called by the drivers beside this file; see virtio.h.
 */

#include "drivers/virtio/virtio.h"
#include "base/hw/hw.h"

/* Device status, section 2.1 */
#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER      2u
#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u
#define STATUS_FAILED      128u

#define PLACES_MAX       (LIMIT_NICS + LIMIT_BLOCK_DEVICES + 8)
#define RESET_TRIES      100000 /* reads of the status until it is 0 */
#define GENERATION_TRIES 64     /* reads of a configuration that changes */
#define SIZE_MIN         16
/* Of the free pages, what one device may take for each of its queues. */
#define MEMORY_SHARE 64

static struct virtio_place places[PLACES_MAX];
static unsigned place_count;

void virtio_found(const struct virtio_place *place)
{
    if (place->kind == 0)
        return;
    if (place_count == PLACES_MAX) {
        hw_log("virtio: too many devices, the last ones are not used", NULL);
        return;
    }
    places[place_count++] = *place;
}

static void scan(void)
{
    static bool scanned;

    if (scanned)
        return;
    scanned = true;
    if (xen_present)
        return; /* neither registers nor firmware's tables are ours to see */
    virtio_mmio_scan();
    virtio_pci_scan();
}

static void status_add(struct virtio_device *device, uint8_t bits)
{
    uint8_t status = device->transport->status(device);

    device->transport->status_set(device, (uint8_t)(status | bits));
}

static enum base_status refuse(struct virtio_device *device, const char *why)
{
    hw_log("virtio: ", device->name, ": ", why, "; it is not used", NULL);
    if (device->transport != NULL)
        virtio_fail(device);
    return BASE_IO;
}

enum base_status virtio_open(enum virtio_kind kind, unsigned index,
                             uint32_t ready, const char *name,
                             struct virtio_device *device)
{
    unsigned at;

    scan();
    for (at = 0; at < place_count; at++)
        if (places[at].kind == kind && index-- == 0)
            break;
    if (at == place_count)
        return BASE_NODEV;
    if (!hw_device_room())
        return BASE_NOMEM;
    *device = (struct virtio_device){.name = name, .ready = ready};
    if (!places[at].open(&places[at], device))
        return BASE_IO;
    device->transport->status_set(device, 0);
    for (unsigned i = 0; device->transport->status(device) != 0; i++)
        if (i == RESET_TRIES)
            return refuse(device, "the device does not reset");
    status_add(device, STATUS_ACKNOWLEDGE);
    status_add(device, STATUS_DRIVER);
    return BASE_OK;
}

uint64_t virtio_features(struct virtio_device *device)
{
    return device->transport->features(device);
}

enum base_status virtio_negotiate(struct virtio_device *device, uint64_t wanted)
{
    uint64_t offered = virtio_features(device);

    if ((offered & VIRTIO_F_VERSION_1) == 0)
        return refuse(device, "the device is older than virtio 1.0");
    wanted |= VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX;
    device->features = offered & wanted;
    device->transport->features_set(device, device->features);
    status_add(device, STATUS_FEATURES_OK);
    if ((device->transport->status(device) & STATUS_FEATURES_OK) == 0)
        return refuse(device, "the device does not take our features");
    return BASE_OK;
}

static uint64_t config_once(struct virtio_device *device, uint32_t offset,
                            unsigned bytes)
{
    volatile uint8_t *at = device->config + offset;

    /* Section 4.2.2.2: fields are read in their own width, 64 bits in two. */
    switch (bytes) {
    case 1:
        return *at;
    case 2:
        return *(volatile uint16_t *)at;
    case 4:
        return *(volatile uint32_t *)at;
    default:
        return *(volatile uint32_t *)at |
               (uint64_t) * (volatile uint32_t *)(at + 4) << 32;
    }
}

uint64_t virtio_config(struct virtio_device *device, uint32_t offset,
                       unsigned bytes)
{
    uint64_t value = 0;

    if (offset + bytes > device->config_size)
        return 0;
    for (unsigned i = 0; i < GENERATION_TRIES; i++) {
        uint32_t before = device->transport->generation(device);

        value = config_once(device, offset, bytes);
        if (device->transport->generation(device) == before)
            break;
    }
    return value;
}

uint32_t virtio_queue_size(struct virtio_device *device, uint16_t index)
{
    return device->transport->queue_select(device, index);
}

enum base_status virtio_queue_init(struct virtio_device *device,
                                   struct virtio_queue *queue, uint16_t index,
                                   uint16_t size_max)
{
    uint32_t offered = device->transport->queue_select(device, index);
    uint16_t size = size_max;
    uint64_t physical;
    void *memory;
    size_t pages;

    if (offered < 2)
        return refuse(device, "a queue is missing");
    while (size > offered)
        size /= 2;
    pages = (virtio_ring_bytes(size) + LIMIT_PAGE_SIZE - 1) / LIMIT_PAGE_SIZE;
    memory = hw_pages_get(pages);
    if (memory == NULL) {
        virtio_fail(device);
        return BASE_NOMEM;
    }
    queue->index = index;
    virtio_ring_init(&queue->ring, memory, size,
                     (device->features & VIRTIO_F_EVENT_IDX) != 0,
                     device->name);
    physical = hw_physical_of(memory);
    if (!device->transport->queue_on(
            device, queue, physical, physical + virtio_ring_avail_offset(size),
            physical + virtio_ring_used_offset(size))) {
        hw_pages_put(memory, pages);
        return refuse(device, "a queue does not start");
    }
    return BASE_OK;
}

void virtio_start(struct virtio_device *device)
{
    status_add(device, STATUS_DRIVER_OK);
}

void virtio_fail(struct virtio_device *device)
{
    device->transport->status_set(device, 0);
    device->transport->status_set(device, STATUS_FAILED);
}

uint16_t virtio_size_for_memory(void)
{
    struct base_memory memory;
    uint16_t size = LIMIT_VIRTQUEUE_SIZE;

    hw_base.mem_stats(&memory);
    while (size > SIZE_MIN && size > memory.pages_free / MEMORY_SHARE)
        size /= 2;
    return size;
}
