/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading ACPI tables (ACPI 6.4): pure functions over bytes that somebody else
 * wrote, with every offset checked, so that they are fuzzed as they stand.
 */

#include <string.h>

#include "drivers/acpi/acpi.h"

#define TABLE_HEADER_SIZE 36
/* From a device's _HID to its _CRS: no more than this (QEMU: 16 bytes). */
#define CRS_DISTANCE_MAX 128

/* MADT, section 5.2.12 */
#define MADT_ENTRIES  44
#define MADT_IOAPIC   1
#define MADT_OVERRIDE 2

/* FADT, section 5.2.9: offsets */
#define FADT_SCI            46
#define FADT_SMI_COMMAND    48
#define FADT_ACPI_ENABLE    52
#define FADT_PM1A_EVENT     56
#define FADT_PM1A_CONTROL   64
#define FADT_PM1_EVENT_SIZE 88
#define FADT_FLAGS          112
#define FADT_X_PM1A_EVENT   148
#define FADT_X_PM1A_CONTROL 172
#define FADT_SLEEP_CONTROL  244
#define FADT_FLAG_NO_BUTTON (1u << 4) /* the button is no fixed event */
#define FADT_FLAG_REDUCED   (1u << 20)

/* AML, section 20.2 */
#define AML_NAME     0x08
#define AML_BYTE     0x0a
#define AML_WORD     0x0b
#define AML_DWORD    0x0c
#define AML_QWORD    0x0e
#define AML_BUFFER   0x11
#define AML_PACKAGE  0x12
#define AML_REGION_0 0x5b
#define AML_REGION_1 0x80

/* Resource descriptors, section 6.4 */
#define RESOURCE_END       0x0f /* small; its number is in bits 3 to 6 */
#define RESOURCE_MEMORY32  0x86
#define RESOURCE_INTERRUPT 0x89

bool acpi_checksum(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

uint64_t acpi_read(const struct acpi_table *table, uint32_t offset,
                   unsigned bytes)
{
    uint64_t value = 0;

    if (offset > table->size || table->size - offset < bytes)
        return 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)table->data[offset + i] << 8 * i;
    return value;
}

/* -- MADT -- */

/* Steps to the next entry of MADT: its offset, or 0 after the last. */
static uint32_t madt_next(const struct acpi_table *madt, uint32_t offset)
{
    uint32_t size;

    if (offset == 0) {
        offset = MADT_ENTRIES;
    } else {
        size = (uint32_t)acpi_read(madt, offset + 1, 1);
        if (size < 2)
            return 0;
        offset += size;
    }
    if (offset > madt->size || madt->size - offset < 2 ||
        madt->size - offset < madt->data[offset + 1])
        return 0;
    return offset;
}

unsigned acpi_madt_ioapics(const struct acpi_table *madt,
                           struct acpi_ioapic *out, unsigned count)
{
    unsigned found = 0;

    for (uint32_t at = 0; found < count && (at = madt_next(madt, at)) != 0;)
        if (madt->data[at] == MADT_IOAPIC && madt->data[at + 1] >= 12) {
            out[found].address = acpi_read(madt, at + 4, 4);
            out[found].gsi_base = (uint32_t)acpi_read(madt, at + 8, 4);
            found++;
        }
    return found;
}

void acpi_madt_isa(const struct acpi_table *madt, unsigned irq,
                   struct acpi_interrupt *out)
{
    for (uint32_t at = 0; (at = madt_next(madt, at)) != 0;)
        if (madt->data[at] == MADT_OVERRIDE && madt->data[at + 1] >= 10 &&
            madt->data[at + 2] == 0 && madt->data[at + 3] == irq) {
            uint64_t flags = acpi_read(madt, at + 8, 2);

            out->gsi = (uint32_t)acpi_read(madt, at + 4, 4);
            /* 00 is "as the bus does", and ISA is edge, active high. */
            out->active_low = (flags & 3) == 3;
            out->level = (flags >> 2 & 3) == 3;
        }
}

/* -- FADT -- */

/* A Generic Address Structure; only ports and memory are known to us. */
static struct acpi_register generic_address(const struct acpi_table *table,
                                            uint32_t offset)
{
    struct acpi_register at = {.address = acpi_read(table, offset + 4, 8)};
    uint64_t space = acpi_read(table, offset, 1);

    at.is_port = space == 1;
    if (space > 1 || (at.is_port && at.address > 0xffff))
        at.address = 0;
    return at;
}

/* A register that has an old field and, in longer tables, a new one. */
static struct acpi_register fixed_register(const struct acpi_table *fadt,
                                           uint32_t old, uint32_t extended)
{
    struct acpi_register at = {.address = acpi_read(fadt, old, 4),
                               .is_port = true};

    if (at.address == 0)
        return generic_address(fadt, extended);
    if (at.address > 0xffff)
        at.address = 0;
    return at;
}

bool acpi_fadt_power(const struct acpi_table *fadt, struct acpi_power *out)
{
    uint32_t flags = (uint32_t)acpi_read(fadt, FADT_FLAGS, 4);

    if (fadt->size < FADT_FLAGS + 4)
        return false;
    *out = (struct acpi_power){
        .reduced = (flags & FADT_FLAG_REDUCED) != 0,
        .fixed_button = (flags & FADT_FLAG_NO_BUTTON) == 0,
        .sci = (uint16_t)acpi_read(fadt, FADT_SCI, 2),
        .smi_command = (uint32_t)acpi_read(fadt, FADT_SMI_COMMAND, 4),
        .acpi_enable = (uint8_t)acpi_read(fadt, FADT_ACPI_ENABLE, 1),
        .event = fixed_register(fadt, FADT_PM1A_EVENT, FADT_X_PM1A_EVENT),
        .event_size = (uint8_t)acpi_read(fadt, FADT_PM1_EVENT_SIZE, 1),
        .control = fixed_register(fadt, FADT_PM1A_CONTROL, FADT_X_PM1A_CONTROL),
        .sleep = generic_address(fadt, FADT_SLEEP_CONTROL),
    };
    return true;
}

/* -- DSDT -- */

/* The offset of a pattern in [from, end), or end. */
static uint32_t find(const struct acpi_table *table, uint32_t from,
                     uint32_t end, const char *pattern, uint32_t size)
{
    if (end > table->size)
        end = table->size;
    for (uint32_t at = from; at < end && end - at >= size; at++)
        if (table->data[at] == (uint8_t)pattern[0] &&
            memcmp(table->data + at, pattern, size) == 0)
            return at;
    return end;
}

/* Reads an integer constant and moves *at past it. */
static bool aml_integer(const struct acpi_table *table, uint32_t *at,
                        uint64_t *value)
{
    unsigned bytes;

    if (*at >= table->size)
        return false;
    switch (table->data[*at]) {
    case 0:
    case 1:
        *value = table->data[(*at)++];
        return true;
    case AML_BYTE:
        bytes = 1;
        break;
    case AML_WORD:
        bytes = 2;
        break;
    case AML_DWORD:
        bytes = 4;
        break;
    case AML_QWORD:
        bytes = 8;
        break;
    default:
        return false;
    }
    if (table->size - *at < 1 + bytes)
        return false;
    *value = acpi_read(table, *at + 1, bytes);
    *at += 1 + bytes;
    return true;
}

/* Moves *at past a package length (1 to 4 bytes, told by the first). */
static bool aml_length(const struct acpi_table *table, uint32_t *at)
{
    if (*at >= table->size)
        return false;
    *at += 1 + (table->data[*at] >> 6);
    return *at < table->size;
}

int acpi_dsdt_s5(const struct acpi_table *dsdt)
{
    uint32_t at = TABLE_HEADER_SIZE;

    while ((at = find(dsdt, at, dsdt->size, "_S5_", 4)) < dsdt->size) {
        uint64_t value;

        at += 4;
        /* Name(_S5_, Package(n) { type, ... }) and no mere reference. */
        if (at >= dsdt->size || dsdt->data[at] != AML_PACKAGE)
            continue;
        at++;
        if (!aml_length(dsdt, &at))
            return -1;
        at++; /* the number of elements */
        if (aml_integer(dsdt, &at, &value) && value <= 7)
            return (int)value;
    }
    return -1;
}

/* Reads resource descriptors in [at, end) up to the end tag. */
static bool read_resources(const struct acpi_table *table, uint32_t at,
                           uint32_t end, struct acpi_resource *out)
{
    while (at < end) {
        uint8_t tag = table->data[at];
        uint32_t size, body;

        if ((tag & 0x80) == 0) {
            if (tag >> 3 == RESOURCE_END)
                return true;
            at += 1 + (tag & 7u);
            continue;
        }
        size = (uint32_t)acpi_read(table, at + 1, 2);
        body = at + 3;
        if (body > end || end - body < size)
            return false;
        if (tag == RESOURCE_MEMORY32 && size >= 9 && out->size == 0) {
            out->address = acpi_read(table, body + 1, 4);
            out->size = (uint32_t)acpi_read(table, body + 5, 4);
        } else if (tag == RESOURCE_INTERRUPT && size >= 6 &&
                   !out->has_interrupt) {
            uint8_t flags = table->data[body];

            out->has_interrupt = true;
            out->interrupt.level = (flags & 2) == 0;
            out->interrupt.active_low = (flags & 4) != 0;
            out->interrupt.gsi = (uint32_t)acpi_read(table, body + 2, 4);
        }
        at = body + size;
    }
    return false;
}

/* Finds _CRS in [from, end) and reads it. */
static bool read_crs(const struct acpi_table *table, uint32_t from,
                     uint32_t end, struct acpi_resource *out)
{
    static const char crs[] = {AML_NAME, '_', 'C', 'R', 'S', AML_BUFFER};
    uint64_t size;
    uint32_t at;

    *out = (struct acpi_resource){.size = 0};
    if (end > table->size)
        end = table->size;
    at = find(table, from, end, crs, sizeof(crs));
    if (at == end)
        return false;
    at += sizeof(crs);
    if (!aml_length(table, &at) || !aml_integer(table, &at, &size) ||
        size > table->size - at)
        return false;
    return read_resources(table, at, at + (uint32_t)size, out);
}

bool acpi_dsdt_device(const struct acpi_table *dsdt, const char *hardware_id,
                      unsigned index, struct acpi_resource *out)
{
    uint32_t size = (uint32_t)strlen(hardware_id) + 1;
    uint32_t at = TABLE_HEADER_SIZE;

    while ((at = find(dsdt, at, dsdt->size, hardware_id, size)) < dsdt->size) {
        uint32_t next;

        at += size;
        if (index-- > 0)
            continue;
        /* Its own _CRS comes before the next device of the kind. */
        next = find(dsdt, at, dsdt->size, hardware_id, size);
        if (next - at > CRS_DISTANCE_MAX)
            next = at + CRS_DISTANCE_MAX;
        return read_crs(dsdt, at, next, out);
    }
    return false;
}

bool acpi_dsdt_event_register(const struct acpi_table *dsdt, uint64_t *address)
{
    /* OperationRegion(EREG, SystemMemory, address, ...): QEMU's name for it,
     * hw/acpi/generic_event_device.c. Another machine's event device has
     * other rules, and is none that we know. */
    static const char region[] = {
        (char)AML_REGION_0, (char)AML_REGION_1, 'E', 'R', 'E', 'G', 0};
    uint32_t at =
        find(dsdt, TABLE_HEADER_SIZE, dsdt->size, region, sizeof(region));

    if (at == dsdt->size)
        return false;
    at += sizeof(region);
    return aml_integer(dsdt, &at, address);
}
