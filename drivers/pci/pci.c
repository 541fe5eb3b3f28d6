/* SPDX-License-Identifier: BSD-3-Clause */
/* PCI (Local Bus 3.0, chapters 3.2.2.3 and 6): see pci.h. */

#include "drivers/pci/pci.h"
#include "base/hw/hw.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc
#define ADDRESS_ON   0x80000000u

#define REG_ID           0x00
#define REG_COMMAND      0x04
#define REG_STATUS       0x06
#define REG_HEADER_TYPE  0x0e
#define REG_BAR_0        0x10
#define REG_BUSES        0x18 /* bridge: primary, secondary, subordinate */
#define REG_CAPABILITIES 0x34
#define REG_LINE         0x3c

#define COMMAND_MEMORY       (1u << 1)
#define COMMAND_MASTER       (1u << 2)
#define COMMAND_NO_LINE      (1u << 10)
#define STATUS_CAPABILITIES  (1u << 4)
#define HEADER_MULTIFUNCTION 0x80
#define HEADER_TYPE_MASK     0x7f
#define HEADER_TYPE_BRIDGE   1
#define BAR_COUNT            6
#define BAR_PORT             1u
#define BAR_TYPE_MASK        6u
#define BAR_TYPE_64          4u
#define CAPABILITIES_MAX     48 /* (256 - 64) / 4: more is a loop */
#define NO_DEVICE            0xffffffffu
#define LINE_NONE            24 /* 0xff, or past any line of a PC */

#define MSIX_CONTROL      2
#define MSIX_TABLE        4
#define MSIX_CONTROL_ON   0x8000u
#define MSIX_CONTROL_MASK 0x4000u
#define MSIX_CONTROL_SIZE 0x07ffu
#define MSIX_ENTRY_WORDS  4 /* address low, high, data, control */

static void select(uint16_t place, uint8_t offset)
{
    hw_out32(PORT_ADDRESS,
             ADDRESS_ON | (uint32_t)place << 8 | (offset & 0xfcu));
}

uint32_t pci_read32(uint16_t place, uint8_t offset)
{
    select(place, offset);
    return hw_in32(PORT_DATA);
}

uint16_t pci_read16(uint16_t place, uint8_t offset)
{
    return (uint16_t)(pci_read32(place, offset) >> 8 * (offset & 2u));
}

uint8_t pci_read8(uint16_t place, uint8_t offset)
{
    return (uint8_t)(pci_read32(place, offset) >> 8 * (offset & 3u));
}

void pci_write32(uint16_t place, uint8_t offset, uint32_t value)
{
    select(place, offset);
    hw_out32(PORT_DATA, value);
}

void pci_write16(uint16_t place, uint8_t offset, uint16_t value)
{
    select(place, offset);
    hw_out16((uint16_t)(PORT_DATA + (offset & 2u)), value);
}

static bool pci_present(void)
{
    /* The address register holds what was written where it exists. */
    hw_out32(PORT_ADDRESS, ADDRESS_ON);
    return hw_in32(PORT_ADDRESS) == ADDRESS_ON;
}

void pci_scan(void (*found)(uint16_t place, uint32_t id))
{
    /* Bridges name the bus behind them. A bus is looked at once, whatever
     * they say, so that this ends. */
    uint8_t buses[256];
    unsigned known = 1;
    uint32_t seen[8] = {1};

    if (!pci_present())
        return;
    buses[0] = 0;
    for (unsigned at = 0; at < known; at++)
        for (unsigned slot = 0; slot < 256; slot++) {
            uint16_t place = (uint16_t)(buses[at] << 8 | slot);
            uint32_t id = pci_read32(place, REG_ID);
            uint8_t header, bus;

            if (id == NO_DEVICE || (id & 0xffff) == 0xffff) {
                if ((slot & 7) == 0)
                    slot |= 7; /* without function 0 there is no other */
                continue;
            }
            found(place, id);
            header = pci_read8(place, REG_HEADER_TYPE);
            if ((header & HEADER_TYPE_MASK) == HEADER_TYPE_BRIDGE) {
                bus = (uint8_t)(pci_read32(place, REG_BUSES) >> 8);
                if ((seen[bus / 32] >> bus % 32 & 1) == 0) {
                    seen[bus / 32] |= 1u << bus % 32;
                    buses[known++] = bus;
                }
            }
            if ((slot & 7) == 0 && (header & HEADER_MULTIFUNCTION) == 0)
                slot |= 7;
        }
}

uint8_t pci_capability(uint16_t place, uint8_t id, uint8_t previous)
{
    uint8_t at;

    if ((pci_read16(place, REG_STATUS) & STATUS_CAPABILITIES) == 0)
        return 0;
    at = previous == 0 ? REG_CAPABILITIES : (uint8_t)(previous + 1);
    for (unsigned i = 0; i < CAPABILITIES_MAX; i++) {
        at = pci_read8(place, at) & 0xfc;
        if (at < 0x40)
            return 0;
        if (pci_read8(place, at) == id)
            return at;
        at++; /* its pointer to the next */
    }
    return 0;
}

void pci_enable(uint16_t place)
{
    uint16_t command = pci_read16(place, REG_COMMAND);

    pci_write16(place, REG_COMMAND,
                (uint16_t)(command | COMMAND_MEMORY | COMMAND_MASTER));
}

/* Finds a memory BAR's size by what of it can be written (section 6.2.5.1). */
static uint64_t bar_size(uint16_t place, uint8_t offset, uint32_t low,
                         uint32_t high, bool wide)
{
    uint16_t command = pci_read16(place, REG_COMMAND);
    uint64_t mask;

    /* Not decoded meanwhile: it would answer at an address of ones. */
    pci_write16(place, REG_COMMAND, (uint16_t)(command & ~COMMAND_MEMORY));
    pci_write32(place, offset, 0xffffffff);
    mask = pci_read32(place, offset) & ~0xfu;
    pci_write32(place, offset, low);
    if (wide) {
        pci_write32(place, (uint8_t)(offset + 4), 0xffffffff);
        mask |= (uint64_t)pci_read32(place, (uint8_t)(offset + 4)) << 32;
        pci_write32(place, (uint8_t)(offset + 4), high);
    } else {
        mask |= 0xffffffffull << 32;
    }
    pci_write16(place, REG_COMMAND, command);
    return mask & -mask; /* the lowest bit that can be written */
}

volatile void *pci_bar_map(uint16_t place, unsigned bar, uint32_t offset,
                           uint32_t size)
{
    uint8_t at = (uint8_t)(REG_BAR_0 + 4 * bar);
    uint32_t low, high = 0;
    uint64_t address, length;
    bool wide;

    if (bar >= BAR_COUNT)
        return NULL;
    low = pci_read32(place, at);
    wide = (low & BAR_TYPE_MASK) == BAR_TYPE_64;
    if ((low & BAR_PORT) != 0 || (wide && bar + 1 == BAR_COUNT))
        return NULL;
    if (wide)
        high = pci_read32(place, (uint8_t)(at + 4));
    address = (uint64_t)high << 32 | (low & ~0xfu);
    length = bar_size(place, at, low, high, wide);
    if (address == 0 || offset > length || length - offset < size)
        return NULL;
    return hw_mmio_map(address + offset, size);
}

enum base_status pci_msix(uint16_t place, void (*handler)(void *),
                          void *argument)
{
    uint8_t at = pci_capability(place, PCI_CAPABILITY_MSIX, 0);
    volatile uint32_t *table;
    uint32_t where, data;
    uint16_t control, count;
    uint64_t address;
    enum base_status status;

    if (at == 0)
        return BASE_NODEV;
    control = pci_read16(place, (uint8_t)(at + MSIX_CONTROL));
    count = (uint16_t)((control & MSIX_CONTROL_SIZE) + 1);
    where = pci_read32(place, (uint8_t)(at + MSIX_TABLE));
    table = pci_bar_map(place, where & 7, where & ~7u,
                        count * MSIX_ENTRY_WORDS * (uint32_t)sizeof(*table));
    if (table == NULL)
        return BASE_NODEV;
    status = hw_irq_message(handler, argument, &address, &data);
    if (status != BASE_OK)
        return status;
    control |= MSIX_CONTROL_ON | MSIX_CONTROL_MASK;
    pci_write16(place, (uint8_t)(at + MSIX_CONTROL), control);
    for (unsigned i = 1; i < count; i++)
        table[i * MSIX_ENTRY_WORDS + 3] = 1; /* masked */
    table[0] = (uint32_t)address;
    table[1] = (uint32_t)(address >> 32);
    table[2] = data;
    table[3] = 0;
    control &= (uint16_t)~MSIX_CONTROL_MASK;
    pci_write16(place, (uint8_t)(at + MSIX_CONTROL), control);
    pci_write16(place, REG_COMMAND,
                (uint16_t)(pci_read16(place, REG_COMMAND) | COMMAND_NO_LINE));
    return BASE_OK;
}

enum base_status pci_line(uint16_t place, void (*handler)(void *),
                          void *argument)
{
    uint8_t line = pci_read8(place, REG_LINE);

    if (line == 0 || line >= LINE_NONE)
        return BASE_NODEV;
    /* The firmware's routing to one of 16 lines of a PC, which the I/O APIC
     * shows too. Polarity: low on a real PC's, but routed lines are told as
     * active high by QEMU's tables, and it looks at neither. */
    return hw_irq_line(line, true, false, handler, argument);
}
