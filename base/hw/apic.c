/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The local APIC (its timer, end of interrupt) and the I/O APICs.
 *
 * Called by interrupt.c and clock.c. Intel SDM volume 3, chapter 11; 82093AA
 * data sheet. Registers are MSRs in x2APIC mode, else memory.
 */
#include "drivers/acpi/acpi.h"
#include "parts.h"

#define MSR_APIC_BASE    0x1b
#define APIC_BASE_ENABLE (1u << 11)
#define APIC_BASE_X2APIC (1u << 10)
#define MSR_X2APIC       0x800

/* Offsets in memory; a sixteenth of them is the MSR's. */
enum apic_register {
    APIC_ID = 0x20,
    APIC_EOI = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_TIMER_COUNT = 0x380,
    APIC_TIMER_NOW = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
};

#define APIC_SOFTWARE_ENABLE 0x100
#define LVT_MASKED           0x10000
#define LVT_TSC_DEADLINE     0x40000
#define LVT_NMI              0x400
#define DIVIDE_BY_ONE        0xb

#define PIC_MASTER_DATA 0x21
#define PIC_SLAVE_DATA  0xa1

#define IOAPIC_DEFAULT    0xfec00000
#define IOAPICS_MAX       8
#define IOAPIC_SELECT     (0x00 / 4)
#define IOAPIC_WINDOW     (0x10 / 4)
#define IOAPIC_VERSION    1
#define IOAPIC_ROUTE      0x10
#define IOAPIC_ACTIVE_LOW (1u << 13)
#define IOAPIC_LEVEL      (1u << 15)

static volatile uint32_t *registers; /* NULL: x2APIC */

static uint32_t apic_read(enum apic_register which)
{
    return registers ? registers[which / 4]
                     : (uint32_t)hw_rdmsr(MSR_X2APIC + which / 16);
}

static void apic_write(enum apic_register which, uint32_t value)
{
    if (registers)
        registers[which / 4] = value;
    else
        hw_wrmsr(MSR_X2APIC + which / 16, value);
}

void hw_apic_init(void)
{
    uint64_t base = hw_rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

    if (hw_cpu.x2apic)
        base |= APIC_BASE_X2APIC;
    else
        registers = hw_mmio_map(base & PTE_ADDRESS, HW_PAGE);
    hw_wrmsr(MSR_APIC_BASE, base);

    hw_out8(PIC_MASTER_DATA, 0xff);
    hw_out8(PIC_SLAVE_DATA, 0xff);
    apic_write(APIC_SPURIOUS, APIC_SOFTWARE_ENABLE | HW_VECTOR_SPURIOUS);
    apic_write(APIC_LVT_LINT0, LVT_MASKED);
    apic_write(APIC_LVT_LINT1, LVT_NMI);
    apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_ONE);
    hw_apic_timer_mode(false, false);
}

void hw_apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

uint32_t hw_apic_id(void)
{
    return registers ? apic_read(APIC_ID) >> 24 : apic_read(APIC_ID);
}

void hw_apic_timer_start(uint32_t count)
{
    apic_write(APIC_TIMER_COUNT, count);
}

uint32_t hw_apic_timer_read(void)
{
    return apic_read(APIC_TIMER_NOW);
}

void hw_apic_timer_mode(bool enabled, bool tsc_deadline)
{
    apic_write(APIC_LVT_TIMER, HW_VECTOR_TIMER | (enabled ? 0 : LVT_MASKED) |
                                   (tsc_deadline ? LVT_TSC_DEADLINE : 0));
}

static uint32_t ioapic_read(volatile uint32_t *ioapic, uint32_t which)
{
    ioapic[IOAPIC_SELECT] = which;
    return ioapic[IOAPIC_WINDOW];
}

static void ioapic_write(volatile uint32_t *ioapic, uint32_t which,
                         uint32_t value)
{
    ioapic[IOAPIC_SELECT] = which;
    ioapic[IOAPIC_WINDOW] = value;
}

bool hw_ioapic_route(unsigned gsi, uint8_t vector, bool level, bool active_low)
{
    struct acpi_ioapic found[IOAPICS_MAX] = {{IOAPIC_DEFAULT, 0}};
    unsigned count = acpi_ioapics(found, IOAPICS_MAX), i;

    for (i = 0; i < (count > 0 ? count : 1); i++) {
        volatile uint32_t *ioapic = hw_mmio_map(found[i].address, HW_PAGE);
        uint32_t version = ioapic_read(ioapic, IOAPIC_VERSION);
        unsigned line = gsi - found[i].gsi_base;

        /* All ones: nothing answers at that address. */
        if (version == UINT32_MAX || gsi < found[i].gsi_base ||
            line > (version >> 16 & 0xff))
            continue;
        ioapic_write(ioapic, IOAPIC_ROUTE + 2 * line + 1, hw_apic_id() << 24);
        ioapic_write(ioapic, IOAPIC_ROUTE + 2 * line,
                     vector | (level ? IOAPIC_LEVEL : 0) |
                         (active_low ? IOAPIC_ACTIVE_LOW : 0));
        return true;
    }
    return false;
}
