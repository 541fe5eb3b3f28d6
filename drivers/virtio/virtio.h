/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtio devices (virtio 1.0) as the drivers in this directory see them,
 * whatever bus they are on. A legacy device (before 1.0) is refused in one
 * line on the console.
 *
 * Context: the monitor is held, except in interrupt handlers, which do no more
 * than acknowledge and call hw_ready(). Devices are looked for at the first
 * virtio_open(), never at boot.
 *
 * The order of calls for a driver, section 3.1.1:
 *   virtio_open, virtio_config (what it decides on), virtio_negotiate,
 *   virtio_queue_init for each queue, virtio_start; virtio_fail if it gives up.
 */
#ifndef HALVM_VIRTIO_H
#define HALVM_VIRTIO_H

#include "base.h"
#include "drivers/virtio/ring.h"

enum virtio_kind {
    VIRTIO_NET = 1,
    VIRTIO_BLOCK = 2,
    VIRTIO_CONSOLE = 3,
    VIRTIO_RNG = 4,
};

#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)

struct virtio_queue {
    struct virtio_ring ring;
    volatile void *notify; /* the register that wakes the device */
    uint16_t index;
    bool notify_wide; /* it takes 32 bits, else 16 */
};

struct virtio_device {
    const struct virtio_transport *transport;
    volatile uint8_t *registers; /* MMIO: all; PCI: the common part */
    volatile uint8_t *config;    /* what the kind of device defines */
    uint32_t config_size;        /* bytes */
    volatile uint8_t *notify;    /* PCI: where the queues' registers are */
    uint32_t notify_size;
    uint32_t notify_multiplier;
    volatile uint8_t *interrupt; /* PCI without MSI-X: the status register */
    uint64_t features;           /* negotiated */
    uint32_t ready;              /* enum base_ready that an interrupt means */
    const char *name;
};

/* Registers of a bus: mmio.c, pci.c. */
struct virtio_transport {
    uint64_t (*features)(struct virtio_device *device);
    void (*features_set)(struct virtio_device *device, uint64_t features);
    uint8_t (*status)(struct virtio_device *device);
    void (*status_set)(struct virtio_device *device, uint8_t status);
    uint32_t (*generation)(struct virtio_device *device);
    /* Selects a queue; its largest size, 0 if there is none. */
    uint32_t (*queue_select)(struct virtio_device *device, uint16_t index);
    /* Switches the selected queue on; false if the device's words make no
     * sense. The ring's parts are at these physical addresses. */
    bool (*queue_on)(struct virtio_device *device, struct virtio_queue *queue,
                     uint64_t descriptors, uint64_t avail, uint64_t used);
};

/* A device that a bus has, not opened yet. */
struct virtio_place {
    bool (*open)(const struct virtio_place *place,
                 struct virtio_device *device);
    uint64_t address; /* MMIO: physical, 0 on PCI */
    uint32_t gsi;     /* MMIO */
    bool level, active_low;
    uint16_t pci;
    uint16_t kind; /* enum virtio_kind or another number; 0: none */
};

/* Buses call this for what they find. */
void virtio_found(const struct virtio_place *place);
void virtio_mmio_scan(void);
void virtio_pci_scan(void);

/* Opens the index-th device of a kind: it is reset and knows of a driver.
 * ready is what its interrupts report. name is for messages.
 * BASE_NODEV: there are not so many. BASE_IO: it cannot be used. */
enum base_status virtio_open(enum virtio_kind kind, unsigned index,
                             uint32_t ready, const char *name,
                             struct virtio_device *device);
/* What the device offers. */
uint64_t virtio_features(struct virtio_device *device);
/* Agrees on those of `wanted` (and EVENT_IDX, VERSION_1) that it offers. */
enum base_status virtio_negotiate(struct virtio_device *device,
                                  uint64_t wanted);
/* A field of the device's configuration: 1, 2, 4 or 8 bytes; 0 past its end. */
uint64_t virtio_config(struct virtio_device *device, uint32_t offset,
                       unsigned bytes);
/* The largest size that queue index may have; 0 if there is none. */
uint32_t virtio_queue_size(struct virtio_device *device, uint16_t index);
/* Makes queue index, with at most size_max descriptors (a power of two). */
enum base_status virtio_queue_init(struct virtio_device *device,
                                   struct virtio_queue *queue, uint16_t index,
                                   uint16_t size_max);
void virtio_start(struct virtio_device *device);
/* Gives up: the device is reset, so that it touches our memory no more. */
void virtio_fail(struct virtio_device *device);

/* A ring size that suits the machine's memory, from 16 to the limit. */
uint16_t virtio_size_for_memory(void);

/* Shows what was added to the ring, and wakes the device if it wants that. */
static inline void virtio_queue_push(struct virtio_queue *queue)
{
    if (!virtio_ring_publish(&queue->ring))
        return;
    if (queue->notify_wide)
        *(volatile uint32_t *)queue->notify = queue->index;
    else
        *(volatile uint16_t *)queue->notify = queue->index;
}

/* -- the drivers -- */

/* net.c, blk.c: as in base.h; index is one that ..._get said BASE_OK to. */
enum base_status virtio_net_get(unsigned index, struct base_device *out);
unsigned virtio_net_send(unsigned index, const struct base_net_frame *frames,
                         unsigned count);
unsigned virtio_net_recv(unsigned index, struct base_net_frame *frames,
                         unsigned count);
enum base_status virtio_blk_get(unsigned index, struct base_device *out);
enum base_status virtio_blk_submit(unsigned index,
                                   const struct base_block_request *request);
unsigned virtio_blk_reap(unsigned index, struct base_block_done *done,
                         unsigned count);

/* rng.c: random bytes from the host; waits at most 100 ms and returns how many
 * came, 0 where there is no such device. */
size_t virtio_rng_read(void *data, size_t size);

/* console.c: the first port. The first call looks for the device; false, and
 * nothing written, where there is none. */
bool virtio_console_write(const void *data, size_t size);
/* Returns the bytes that came in, at most size. BASE_READY_CONSOLE is
 * reported once virtio_console_read() or _write() has been called. */
size_t virtio_console_read(void *data, size_t size);

#endif
