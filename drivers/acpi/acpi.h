/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What little of ACPI a unikernel needs: where the I/O APICs are, where
 * virtio-mmio devices are, that the power button was pressed, and how to
 * switch the machine off. There is no AML interpreter: in the DSDT we look for
 * a few fixed patterns and believe nothing else.
 *
 * Everything is done at the first call that needs it, since a boot without
 * devices has no instructions to spare for it. Callers: base/hw and the
 * drivers, at any time after memory and interrupts work, never from an
 * interrupt handler (acpi_power_off may be called from anywhere).
 */
#ifndef HALVM_ACPI_H
#define HALVM_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A whole table, its length and checksum found good. */
struct acpi_table {
    const uint8_t *data;
    uint32_t size;
};

struct acpi_ioapic {
    uint64_t address;
    uint32_t gsi_base;
};

struct acpi_interrupt {
    uint32_t gsi;
    bool level;
    bool active_low;
};

/* The first memory range and interrupt of a device's _CRS. */
struct acpi_resource {
    uint64_t address;
    uint32_t size; /* 0: no memory range */
    bool has_interrupt;
    struct acpi_interrupt interrupt;
};

/* A register in a port or in memory (the Generic Address Structure). */
struct acpi_register {
    uint64_t address; /* 0: there is none */
    bool is_port;
};

/* What power.c wants of FADT and DSDT. */
struct acpi_power {
    bool reduced;                 /* hardware-reduced ACPI: no fixed events */
    bool fixed_button;            /* the power button is a fixed event */
    uint16_t sci;                 /* ISA interrupt of the fixed events */
    uint32_t smi_command;         /* port, or 0 */
    uint8_t acpi_enable;          /* to be written there */
    struct acpi_register event;   /* PM1a: status, then enable */
    uint8_t event_size;           /* bytes of both together */
    struct acpi_register control; /* PM1a */
    struct acpi_register sleep;   /* of hardware-reduced ACPI */
};

/* -- tables.c: finding tables -- */

/* The first table with the signature; false: none, or it is damaged. */
bool acpi_table(const char *signature, struct acpi_table *out);
bool acpi_dsdt(struct acpi_table *out);

/* -- parse.c: reading them; all bounds are those of the table -- */

/* Whether size bytes add up to 0 modulo 256. */
bool acpi_checksum(const void *data, size_t size);
uint64_t acpi_read(const struct acpi_table *table, uint32_t offset,
                   unsigned bytes); /* little-endian; 0 where it has ended */
/* Fills out[] and returns how many I/O APICs MADT names, at most count. */
unsigned acpi_madt_ioapics(const struct acpi_table *madt,
                           struct acpi_ioapic *out, unsigned count);
/* Changes *out where MADT says that an ISA interrupt is wired otherwise. */
void acpi_madt_isa(const struct acpi_table *madt, unsigned irq,
                   struct acpi_interrupt *out);
bool acpi_fadt_power(const struct acpi_table *fadt, struct acpi_power *out);
/* The sleep type of \_S5, or -1. */
int acpi_dsdt_s5(const struct acpi_table *dsdt);
/* The resources of the index-th device with a hardware id. */
bool acpi_dsdt_device(const struct acpi_table *dsdt, const char *hardware_id,
                      unsigned index, struct acpi_resource *out);
/* QEMU's generic event device: its event register (reading clears). */
bool acpi_dsdt_event_register(const struct acpi_table *dsdt, uint64_t *address);

/* -- what the rest of base/hw calls -- */

/* The I/O APICs; 0 where there is no ACPI. */
unsigned acpi_ioapics(struct acpi_ioapic *out, unsigned count);
/* The index-th virtio-mmio device that the DSDT names. */
bool acpi_virtio_mmio(unsigned index, struct acpi_resource *out);

/* power.c: lets the power button report BASE_READY_POWER. Does its work at the
 * first call; cheap after that. */
void acpi_power_arm(void);
/* Switches the machine off; returns if ACPI has no way to. */
void acpi_power_off(void);

#endif
