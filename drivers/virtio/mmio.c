/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Virtio devices at fixed addresses (virtio 1.0, section 4.2). Where they are
 * is told by the command line (virtio_mmio.device=SIZE@ADDRESS:GSI, as QEMU's
 * microvm without ACPI and Firecracker do) or by ACPI's DSDT; a machine that
 * does neither has none. Called by device.c.
 */

#include <string.h>

#include "drivers/acpi/acpi.h"
#include "drivers/virtio/virtio.h"
#include "base/hw/hw.h"

#define MAGIC   0x74726976u /* "virt" */
#define VERSION 2u
#define SIZE    0x200u /* bytes of registers, configuration included */

#define REG_MAGIC            0x000
#define REG_VERSION          0x004
#define REG_KIND             0x008
#define REG_FEATURES         0x010
#define REG_FEATURES_SELECT  0x014
#define REG_DRIVER           0x020
#define REG_DRIVER_SELECT    0x024
#define REG_QUEUE_SELECT     0x030
#define REG_QUEUE_SIZE_MAX   0x034
#define REG_QUEUE_SIZE       0x038
#define REG_QUEUE_READY      0x044
#define REG_NOTIFY           0x050
#define REG_INTERRUPT        0x060
#define REG_INTERRUPT_ACK    0x064
#define REG_STATUS           0x070
#define REG_QUEUE_DESCRIPTOR 0x080
#define REG_QUEUE_AVAIL      0x090
#define REG_QUEUE_USED       0x0a0
#define REG_GENERATION       0x0fc
#define REG_CONFIG           0x100

#define INTERRUPT_QUEUE 1u

static volatile uint32_t *reg(const struct virtio_device *device,
                              unsigned offset)
{
    return (volatile void *)(device->registers + offset);
}

static uint64_t features(struct virtio_device *device)
{
    uint64_t value;

    *reg(device, REG_FEATURES_SELECT) = 1;
    value = (uint64_t)*reg(device, REG_FEATURES) << 32;
    *reg(device, REG_FEATURES_SELECT) = 0;
    return value | *reg(device, REG_FEATURES);
}

static void features_set(struct virtio_device *device, uint64_t value)
{
    *reg(device, REG_DRIVER_SELECT) = 0;
    *reg(device, REG_DRIVER) = (uint32_t)value;
    *reg(device, REG_DRIVER_SELECT) = 1;
    *reg(device, REG_DRIVER) = (uint32_t)(value >> 32);
}

static uint8_t status(struct virtio_device *device)
{
    return (uint8_t)*reg(device, REG_STATUS);
}

static void status_set(struct virtio_device *device, uint8_t value)
{
    *reg(device, REG_STATUS) = value;
}

static uint32_t generation(struct virtio_device *device)
{
    return *reg(device, REG_GENERATION);
}

static uint32_t queue_select(struct virtio_device *device, uint16_t index)
{
    *reg(device, REG_QUEUE_SELECT) = index;
    if (*reg(device, REG_QUEUE_READY) != 0)
        return 0;
    return *reg(device, REG_QUEUE_SIZE_MAX);
}

static void write_address(struct virtio_device *device, unsigned offset,
                          uint64_t physical)
{
    *reg(device, offset) = (uint32_t)physical;
    *reg(device, offset + 4) = (uint32_t)(physical >> 32);
}

static bool queue_on(struct virtio_device *device, struct virtio_queue *queue,
                     uint64_t descriptors, uint64_t avail, uint64_t used)
{
    *reg(device, REG_QUEUE_SIZE) = queue->ring.size;
    write_address(device, REG_QUEUE_DESCRIPTOR, descriptors);
    write_address(device, REG_QUEUE_AVAIL, avail);
    write_address(device, REG_QUEUE_USED, used);
    *reg(device, REG_QUEUE_READY) = 1;
    queue->notify = reg(device, REG_NOTIFY);
    queue->notify_wide = true;
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

static void on_interrupt(void *argument)
{
    struct virtio_device *device = argument;
    uint32_t why = *reg(device, REG_INTERRUPT);

    /* Acknowledged before the rings are looked at, so that what comes after
     * the look calls again. */
    *reg(device, REG_INTERRUPT_ACK) = why;
    if (why & INTERRUPT_QUEUE)
        hw_ready(device->ready);
}

static bool open(const struct virtio_place *place, struct virtio_device *device)
{
    device->registers = hw_mmio_map(place->address, SIZE);
    if (*reg(device, REG_VERSION) != VERSION) {
        hw_log("virtio: ", device->name,
               ": a legacy virtio-mmio device; it is not used"
               " (QEMU: -global virtio-mmio.force-legacy=false)",
               NULL);
        return false;
    }
    device->transport = &transport;
    device->config = device->registers + REG_CONFIG;
    device->config_size = SIZE - REG_CONFIG;
    status_set(device, 0); /* no interrupts until it is set up */
    return hw_irq_line(place->gsi, place->level, place->active_low,
                       on_interrupt, device) == BASE_OK;
}

static void probe(struct virtio_place *place)
{
    volatile uint32_t *registers;

    if (place->address == 0 || place->address % 4 != 0)
        return;
    registers = hw_mmio_map(place->address, SIZE);
    if (registers[REG_MAGIC / 4] != MAGIC)
        return;
    place->open = open;
    place->kind = (uint16_t)registers[REG_KIND / 4];
    virtio_found(place);
}

/* Reads a number (0x: base 16) and moves *text past it; false: there is none,
 * or it is too large. */
static bool number(const char **text, uint64_t *value)
{
    unsigned base = 10, digits = 0;

    if ((*text)[0] == '0' && (*text)[1] == 'x') {
        base = 16;
        *text += 2;
    }
    *value = 0;
    for (;; (*text)++, digits++) {
        unsigned digit = (unsigned char)**text;

        if (digit >= '0' && digit <= '9')
            digit -= '0';
        else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f')
            digit = (digit | 0x20) - 'a' + 10;
        else
            digit = base;
        if (digit >= base)
            break;
        *value = *value * base + digit;
    }
    return digits > 0 && digits <= 16;
}

/* SIZE@ADDRESS:GSI; the size may have a K or M after it and is not needed. */
static bool parse(const char *text, struct virtio_place *place)
{
    uint64_t size, gsi;

    if (!number(&text, &size))
        return false;
    if (*text == 'K' || *text == 'M')
        text++;
    if (*text++ != '@' || !number(&text, &place->address) || *text++ != ':' ||
        !number(&text, &gsi) || gsi > 255)
        return false;
    place->gsi = (uint32_t)gsi;
    return true;
}

void virtio_mmio_scan(void)
{
    static const char key[] = "virtio_mmio.device=";
    struct acpi_resource resource;
    bool told = false;

    for (const char *at = hw_info.command_line; *at != 0; at++) {
        /* Edge-triggered, as Linux takes these lines: what a level would lose
         * between our acknowledgement and the end of the interrupt, with a
         * VMM that only pulses the line, an edge does not. */
        struct virtio_place place = {.level = false};

        if (strncmp(at, key, sizeof(key) - 1) == 0 &&
            parse(at + sizeof(key) - 1, &place)) {
            told = true;
            probe(&place);
        }
    }
    if (told)
        return;
    for (unsigned i = 0; acpi_virtio_mmio(i, &resource); i++)
        if (resource.size >= SIZE && resource.has_interrupt) {
            struct virtio_place place = {
                .address = resource.address,
                .gsi = resource.interrupt.gsi,
                .level = resource.interrupt.level,
                .active_low = resource.interrupt.active_low,
            };

            probe(&place);
        }
}
