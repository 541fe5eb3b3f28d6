/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtio devices on PCI (virtio 1.0, section 4.1): the structures that vendor
 * capabilities point to, MSI-X with one message for all queues, or the line
 * of the firmware where there is no MSI-X. Called by device.c.
 */

#include "drivers/pci/pci.h"
#include "drivers/virtio/virtio.h"
#include "base/hw/hw.h"

#define VENDOR       0x1af4
#define ID_OLD       0x1000 /* to 0x103f; the kind is the subsystem's id */
#define ID_MODERN    0x1040 /* plus the kind */
#define ID_END       0x1080
#define NO_VECTOR    0xffff
#define VECTOR       0
#define STATUS_QUEUE 1u /* of the interrupt status register */

/* The vendor capability, section 4.1.4 */
#define CAP_TYPE       3
#define CAP_BAR        4
#define CAP_OFFSET     8
#define CAP_SIZE       12
#define CAP_MULTIPLIER 16
#define TYPE_COMMON    1
#define TYPE_NOTIFY    2
#define TYPE_INTERRUPT 3
#define TYPE_CONFIG    4
#define CONFIG_MAX     0x1000u /* bytes that we would map of it */
#define NOTIFY_MAX     0x10000u

/* The common configuration, section 4.1.4.3 */
#define REG_FEATURES_SELECT  0x00
#define REG_FEATURES         0x04
#define REG_DRIVER_SELECT    0x08
#define REG_DRIVER           0x0c
#define REG_CONFIG_VECTOR    0x10
#define REG_STATUS           0x14
#define REG_GENERATION       0x15
#define REG_QUEUE_SELECT     0x16
#define REG_QUEUE_SIZE       0x18
#define REG_QUEUE_VECTOR     0x1a
#define REG_QUEUE_ENABLE     0x1c
#define REG_QUEUE_NOTIFY     0x1e
#define REG_QUEUE_DESCRIPTOR 0x20
#define REG_QUEUE_AVAIL      0x28
#define REG_QUEUE_USED       0x30
#define COMMON_SIZE          0x38

static volatile uint32_t *reg32(const struct virtio_device *device,
                                unsigned offset)
{
    return (volatile void *)(device->registers + offset);
}

static volatile uint16_t *reg16(const struct virtio_device *device,
                                unsigned offset)
{
    return (volatile void *)(device->registers + offset);
}

static uint64_t features(struct virtio_device *device)
{
    uint64_t value;

    *reg32(device, REG_FEATURES_SELECT) = 1;
    value = (uint64_t)*reg32(device, REG_FEATURES) << 32;
    *reg32(device, REG_FEATURES_SELECT) = 0;
    return value | *reg32(device, REG_FEATURES);
}

static void features_set(struct virtio_device *device, uint64_t value)
{
    *reg32(device, REG_DRIVER_SELECT) = 0;
    *reg32(device, REG_DRIVER) = (uint32_t)value;
    *reg32(device, REG_DRIVER_SELECT) = 1;
    *reg32(device, REG_DRIVER) = (uint32_t)(value >> 32);
    *reg16(device, REG_CONFIG_VECTOR) = NO_VECTOR;
}

static uint8_t status(struct virtio_device *device)
{
    return device->registers[REG_STATUS];
}

static void status_set(struct virtio_device *device, uint8_t value)
{
    device->registers[REG_STATUS] = value;
}

static uint32_t generation(struct virtio_device *device)
{
    return device->registers[REG_GENERATION];
}

static uint32_t queue_select(struct virtio_device *device, uint16_t index)
{
    *reg16(device, REG_QUEUE_SELECT) = index;
    return *reg16(device, REG_QUEUE_SIZE);
}

static void write_address(struct virtio_device *device, unsigned offset,
                          uint64_t physical)
{
    *reg32(device, offset) = (uint32_t)physical;
    *reg32(device, offset + 4) = (uint32_t)(physical >> 32);
}

static bool queue_on(struct virtio_device *device, struct virtio_queue *queue,
                     uint64_t descriptors, uint64_t avail, uint64_t used)
{
    uint64_t notify =
        (uint64_t)*reg16(device, REG_QUEUE_NOTIFY) * device->notify_multiplier;

    if (notify + 2 > device->notify_size)
        return false;
    queue->notify = device->notify + notify;
    queue->notify_wide = false;
    *reg16(device, REG_QUEUE_SIZE) = queue->ring.size;
    if (device->interrupt == NULL) {
        *reg16(device, REG_QUEUE_VECTOR) = VECTOR;
        if (*reg16(device, REG_QUEUE_VECTOR) != VECTOR)
            return false; /* section 4.1.5.1.2: it has no room for it */
    }
    write_address(device, REG_QUEUE_DESCRIPTOR, descriptors);
    write_address(device, REG_QUEUE_AVAIL, avail);
    write_address(device, REG_QUEUE_USED, used);
    *reg16(device, REG_QUEUE_ENABLE) = 1;
    return true;
}

static const struct virtio_transport transport = {
    .features = features,
    .features_set = features_set,
    .status = status,
    .status_set = status_set,
    .generation = generation,
    .queue_select = queue_select,
    .queue_on = queue_on,
};

static void on_message(void *argument)
{
    const struct virtio_device *device = argument;

    hw_ready(device->ready);
}

static void on_line(void *argument)
{
    const struct virtio_device *device = argument;

    /* Reading acknowledges. */
    if (*device->interrupt & STATUS_QUEUE)
        hw_ready(device->ready);
}

/* Maps the structure of a type; *offset_of_capability for its own fields. */
static volatile uint8_t *map(uint16_t place, uint8_t type, uint32_t size_min,
                             uint32_t size_max, uint32_t *size,
                             uint8_t *capability)
{
    uint8_t at = 0;

    while ((at = pci_capability(place, PCI_CAPABILITY_VENDOR, at)) != 0) {
        volatile void *mapped;

        if (pci_read8(place, (uint8_t)(at + CAP_TYPE)) != type)
            continue;
        *capability = at;
        *size = pci_read32(place, (uint8_t)(at + CAP_SIZE));
        if (*size < size_min)
            continue;
        if (*size > size_max)
            *size = size_max;
        mapped =
            pci_bar_map(place, pci_read8(place, (uint8_t)(at + CAP_BAR)),
                        pci_read32(place, (uint8_t)(at + CAP_OFFSET)), *size);
        if (mapped != NULL)
            return mapped;
    }
    return NULL;
}

static bool open(const struct virtio_place *place, struct virtio_device *device)
{
    uint16_t pci = place->pci;
    uint32_t size;
    uint8_t capability;

    pci_enable(pci);
    device->registers =
        map(pci, TYPE_COMMON, COMMON_SIZE, COMMON_SIZE, &size, &capability);
    device->notify =
        map(pci, TYPE_NOTIFY, 2, NOTIFY_MAX, &device->notify_size, &capability);
    if (device->registers == NULL || device->notify == NULL) {
        hw_log("virtio: ", device->name,
               ": a legacy virtio-pci device; it is not used"
               " (QEMU: disable-modern=off)",
               NULL);
        return false;
    }
    device->notify_multiplier =
        pci_read32(pci, (uint8_t)(capability + CAP_MULTIPLIER));
    /* Not every kind of device has one (rng). */
    device->config =
        map(pci, TYPE_CONFIG, 1, CONFIG_MAX, &device->config_size, &capability);
    if (device->config == NULL)
        device->config_size = 0;
    device->transport = &transport;
    status_set(device, 0); /* no interrupts until it is set up */
    if (pci_msix(pci, on_message, device) == BASE_OK)
        return true;
    device->interrupt = map(pci, TYPE_INTERRUPT, 1, 1, &size, &capability);
    if (device->interrupt != NULL && pci_line(pci, on_line, device) == BASE_OK)
        return true;
    hw_log("virtio: ", device->name,
           ": the device has no way to interrupt; it is not used", NULL);
    return false;
}

static void found(uint16_t pci, uint32_t id)
{
    uint16_t vendor = (uint16_t)id, number = (uint16_t)(id >> 16);
    struct virtio_place place = {.open = open, .pci = pci};

    if (vendor != VENDOR || number < ID_OLD || number >= ID_END)
        return;
    if (number >= ID_MODERN)
        place.kind = (uint16_t)(number - ID_MODERN);
    else
        place.kind = (uint16_t)(pci_read32(pci, PCI_SUBSYSTEM) >> 16);
    virtio_found(&place);
}

void virtio_pci_scan(void)
{
    pci_scan(found);
}
