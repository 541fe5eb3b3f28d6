/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/acpi/parse.c on the tables of two machines: QEMU 7.2's microvm
 * (hardware-reduced, two I/O APICs, virtio-mmio devices in the DSDT) and its
 * q35, and on every shorter piece of them.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "drivers/acpi/acpi.h"

#include "acpi_tables.h"

/* A copy that ends where the table ends, so that a read past it is seen. */
static struct acpi_table copy(const uint8_t *data, size_t size)
{
    struct acpi_table table = {.size = (uint32_t)size};
    uint8_t *block = malloc(size > 0 ? size : 1);

    memcpy(block, data, size);
    table.data = block;
    return table;
}

static void drop(struct acpi_table *table)
{
    free((void *)(uintptr_t)table->data);
}

static void test_microvm(void)
{
    struct acpi_table dsdt = copy(microvm_dsdt, sizeof(microvm_dsdt));
    struct acpi_table fadt = copy(microvm_fadt, sizeof(microvm_fadt));
    struct acpi_table madt = copy(microvm_madt, sizeof(microvm_madt));
    struct acpi_ioapic ioapics[4];
    struct acpi_resource device;
    struct acpi_power power;
    uint64_t address;

    CHECK(acpi_checksum(dsdt.data, dsdt.size));
    CHECK(acpi_checksum(fadt.data, fadt.size));
    CHECK(acpi_checksum(madt.data, madt.size));
    CHECK(acpi_madt_ioapics(&madt, ioapics, 1) == 1);
    CHECK(acpi_madt_ioapics(&madt, ioapics, 4) == 2);
    CHECK(ioapics[0].address == 0xfec00000 && ioapics[0].gsi_base == 0);
    CHECK(ioapics[1].address == 0xfec10000 && ioapics[1].gsi_base == 24);
    CHECK(acpi_fadt_power(&fadt, &power) && power.reduced);
    CHECK(power.sleep.address == 0xfea00200 && !power.sleep.is_port);
    CHECK(acpi_dsdt_s5(&dsdt) == 5);
    CHECK(acpi_dsdt_device(&dsdt, "LNRO0005", 0, &device));
    CHECK(device.address == 0xfeb02e00 && device.size == 512);
    CHECK(device.has_interrupt && device.interrupt.gsi == 47);
    CHECK(device.interrupt.level && !device.interrupt.active_low);
    CHECK(acpi_dsdt_device(&dsdt, "LNRO0005", 1, &device));
    CHECK(device.address == 0xfeb02c00 && device.interrupt.gsi == 46);
    CHECK(!acpi_dsdt_device(&dsdt, "LNRO0005", 2, &device));
    CHECK(acpi_dsdt_device(&dsdt, "ACPI0013", 0, &device));
    CHECK(device.size == 0 && device.has_interrupt);
    CHECK(device.interrupt.gsi == 9 && !device.interrupt.level);
    CHECK(acpi_dsdt_event_register(&dsdt, &address) && address == 0xfea00000);
    drop(&dsdt);
    drop(&fadt);
    drop(&madt);
}

static void test_q35(void)
{
    struct acpi_table fadt = copy(q35_fadt, sizeof(q35_fadt));
    struct acpi_table madt = copy(q35_madt, sizeof(q35_madt));
    struct acpi_interrupt interrupt = {.gsi = 9, .active_low = true};
    struct acpi_ioapic ioapic;
    struct acpi_power power;

    CHECK(acpi_fadt_power(&fadt, &power) && !power.reduced);
    CHECK(power.fixed_button && power.sci == 9);
    CHECK(power.smi_command == 0xb2 && power.acpi_enable == 2);
    CHECK(power.event.is_port && power.event.address == 0x600);
    CHECK(power.event_size == 4);
    CHECK(power.control.is_port && power.control.address == 0x604);
    CHECK(acpi_madt_ioapics(&madt, &ioapic, 1) == 1);
    acpi_madt_isa(&madt, 9, &interrupt);
    CHECK(interrupt.gsi == 9 && interrupt.level && !interrupt.active_low);
    interrupt.gsi = 4;
    interrupt.active_low = true;
    acpi_madt_isa(&madt, 4, &interrupt); /* no override: as it was */
    CHECK(interrupt.gsi == 4 && interrupt.active_low);
    acpi_madt_isa(&madt, 0, &interrupt);
    CHECK(interrupt.gsi == 2 && !interrupt.level);
    drop(&fadt);
    drop(&madt);
}

/* Every table cut off at every place: no answer, but no read past it. */
static void test_cut(const uint8_t *data, size_t size)
{
    for (size_t cut = 0; cut < size; cut++) {
        struct acpi_table table = copy(data, cut);
        struct acpi_ioapic ioapics[4];
        struct acpi_interrupt interrupt;
        struct acpi_resource device;
        struct acpi_power power;
        uint64_t address;

        acpi_madt_ioapics(&table, ioapics, 4);
        acpi_madt_isa(&table, 9, &interrupt);
        acpi_fadt_power(&table, &power);
        acpi_dsdt_s5(&table);
        acpi_dsdt_device(&table, "LNRO0005", 1, &device);
        acpi_dsdt_device(&table, "ACPI0013", 0, &device);
        acpi_dsdt_event_register(&table, &address);
        drop(&table);
    }
}

int main(void)
{
    test_microvm();
    test_q35();
    test_cut(microvm_dsdt, sizeof(microvm_dsdt));
    test_cut(microvm_fadt, sizeof(microvm_fadt));
    test_cut(microvm_madt, sizeof(microvm_madt));
    test_cut(q35_fadt, sizeof(q35_fadt));
    test_cut(q35_madt, sizeof(q35_madt));
    return 0;
}
