/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding ACPI tables in physical memory: RSDP, then XSDT or RSDT, then the
 * table by its signature. Called by base/hw and the drivers that need a
 * table; nothing is looked for before that, and what is found is kept.
 */

#include <string.h>

#include "drivers/acpi/acpi.h"
#include "base/hw/hw.h"

#define HEADER_SIZE    36
#define TABLE_SIZE_MAX (1u << 20) /* bytes; real DSDTs are below 400 KiB */
#define TABLES_MAX     64         /* entries of XSDT that are looked at */
#define ROM_START      0xe0000u   /* where the BIOS leaves RSDP */
#define ROM_END        0x100000u

/* RSDP, section 5.2.5.3 */
#define RSDP_SIZE_1   20 /* the part that the first checksum covers */
#define RSDP_SIZE_2   36
#define RSDP_REVISION 15
#define RSDP_RSDT     16
#define RSDP_XSDT     24

/* The table of tables. */
static struct acpi_table root;
static unsigned root_entry_size; /* bytes: 8 in XSDT, 4 in RSDT */
static bool root_sought;
static struct acpi_table dsdt; /* size 0: not found yet */

/* Firmware keeps its tables in memory that may not be ours. */
static const uint8_t *map(uint64_t physical, uint32_t size)
{
    return (const uint8_t *)(uintptr_t)hw_mmio_map(physical, size);
}

static uint64_t read_field(const uint8_t *data, uint32_t offset, unsigned bytes)
{
    const struct acpi_table whole = {.data = data, .size = UINT32_MAX};

    return acpi_read(&whole, offset, bytes);
}

/* Maps the table at an address: NULL signature takes any. */
static bool table_at(uint64_t physical, const char *signature,
                     struct acpi_table *out)
{
    const uint8_t *header;
    uint32_t size;

    if (physical == 0)
        return false;
    header = map(physical, HEADER_SIZE);
    if (memcmp(header, signature, 4) != 0)
        return false;
    size = (uint32_t)read_field(header, 4, 4);
    if (size < HEADER_SIZE || size > TABLE_SIZE_MAX)
        return false;
    out->data = map(physical, size);
    out->size = size;
    return acpi_checksum(out->data, size);
}

static bool rsdp_is_good(const uint8_t *rsdp)
{
    return memcmp(rsdp, "RSD PTR ", 8) == 0 && acpi_checksum(rsdp, RSDP_SIZE_1);
}

static const uint8_t *rsdp_find(void)
{
    const uint8_t *rom;

    if (hw_platform.acpi_rsdp != 0) {
        const uint8_t *rsdp = map(hw_platform.acpi_rsdp, RSDP_SIZE_2);

        return rsdp_is_good(rsdp) ? rsdp : NULL;
    }
    rom = map(ROM_START, ROM_END - ROM_START);
    for (uint32_t at = 0; at < ROM_END - ROM_START - RSDP_SIZE_2; at += 16)
        if (rom[at] == 'R' && rsdp_is_good(rom + at))
            return rom + at;
    return NULL;
}

static void root_find(void)
{
    const uint8_t *rsdp;

    root_sought = true;
    rsdp = rsdp_find();
    if (rsdp == NULL)
        return;
    root_entry_size = 8;
    if (rsdp[RSDP_REVISION] >= 2 && acpi_checksum(rsdp, RSDP_SIZE_2) &&
        table_at(read_field(rsdp, RSDP_XSDT, 8), "XSDT", &root))
        return;
    root_entry_size = 4;
    if (!table_at(read_field(rsdp, RSDP_RSDT, 4), "RSDT", &root))
        root.size = 0;
}

bool acpi_table(const char *signature, struct acpi_table *out)
{
    uint32_t at = HEADER_SIZE;

    if (!root_sought)
        root_find();
    for (unsigned i = 0; i < TABLES_MAX; i++, at += root_entry_size) {
        if (at >= root.size || root.size - at < root_entry_size)
            break;
        if (table_at(acpi_read(&root, at, root_entry_size), signature, out))
            return true;
    }
    return false;
}

bool acpi_dsdt(struct acpi_table *out)
{
    struct acpi_table fadt;

    if (dsdt.size == 0) {
        struct acpi_table found;
        uint64_t address;

        if (!acpi_table("FACP", &fadt))
            return false;
        address = acpi_read(&fadt, 140, 8); /* X_DSDT */
        if (address == 0)
            address = acpi_read(&fadt, 40, 4);
        if (!table_at(address, "DSDT", &found))
            return false;
        dsdt = found;
    }
    *out = dsdt;
    return true;
}

unsigned acpi_ioapics(struct acpi_ioapic *out, unsigned count)
{
    struct acpi_table madt;

    if (!acpi_table("APIC", &madt))
        return 0;
    return acpi_madt_ioapics(&madt, out, count);
}

bool acpi_virtio_mmio(unsigned index, struct acpi_resource *out)
{
    struct acpi_table table;

    return acpi_dsdt(&table) &&
           acpi_dsdt_device(&table, "LNRO0005", index, out);
}
