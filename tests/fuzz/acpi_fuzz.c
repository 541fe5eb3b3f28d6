/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/acpi/{tables,parse}.c over hostile memory. The input is physical
 * memory from 0 on, its first bytes the RSDP; what is mapped is copied to a
 * block of exactly the size asked for, so that a byte read past it is seen.
 * Since random bytes have no good checksum, that of a table that is mapped is
 * made good first.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/acpi/tables.c"

#define MAPS_MAX 4096

static const uint8_t *memory;
static size_t memory_size;
static void *maps[MAPS_MAX];
static unsigned map_count;

struct hw_platform hw_platform = {.acpi_rsdp = 1};
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

volatile void *hw_mmio_map(uint64_t physical, size_t size)
{
    uint8_t *block = calloc(1, size);

    physical--; /* 0 means "no table" */
    if (map_count == MAPS_MAX)
        abort();
    maps[map_count++] = block;
    if (physical < memory_size) {
        size_t have = memory_size - (size_t)physical;

        memcpy(block, memory + physical, have < size ? have : size);
    }
    if (size > HEADER_SIZE) {
        uint8_t sum = 0;

        for (size_t i = 0; i < size; i++)
            sum = (uint8_t)(sum + block[i]);
        block[9] = (uint8_t)(block[9] - sum);
    }
    return block;
}

static void read_dsdt(const struct acpi_table *table)
{
    struct acpi_resource resource;
    uint64_t address;

    for (unsigned i = 0; i < 4; i++)
        acpi_dsdt_device(table, "LNRO0005", i, &resource);
    acpi_dsdt_device(table, "ACPI0013", 0, &resource);
    acpi_dsdt_event_register(table, &address);
    if (acpi_dsdt_s5(table) > 7)
        abort();
}

static void read_madt(const struct acpi_table *table)
{
    struct acpi_ioapic ioapics[4];
    struct acpi_interrupt interrupt;

    if (acpi_madt_ioapics(table, ioapics, 4) > 4)
        abort();
    for (unsigned irq = 0; irq < 16; irq++)
        acpi_madt_isa(table, irq, &interrupt);
}

/* The input itself as a table, in a block of its size. */
static void read_raw(void)
{
    struct acpi_table table = {.size = (uint32_t)memory_size};
    struct acpi_power power;
    uint8_t *copy = malloc(memory_size + 1);

    memcpy(copy, memory, memory_size);
    copy = realloc(copy, memory_size > 0 ? memory_size : 1);
    table.data = copy;
    read_dsdt(&table);
    read_madt(&table);
    acpi_fadt_power(&table, &power);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct acpi_table table;
    struct acpi_power power;

    memory = data;
    memory_size = size;
    root.size = 0;
    root_sought = false;
    dsdt.size = 0;
    read_raw();
    if (acpi_table("FACP", &table))
        acpi_fadt_power(&table, &power);
    if (acpi_table("APIC", &table))
        read_madt(&table);
    if (acpi_dsdt(&table))
        read_dsdt(&table);
    while (map_count > 0)
        free(maps[--map_count]);
    return 0;
}
