/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The power button and the way off. Two kinds of machine:
 *   PC (q35, pc): the button is a fixed event, told in PM1 status by the SCI;
 *     off is a sleep type written to PM1 control (ACPI 6.4, section 4.8).
 *   Hardware-reduced (microvm): the button is an event of QEMU's generic
 *     event device; off is a sleep type in the sleep control register.
 */

#include "drivers/acpi/acpi.h"
#include "base/hw/hw.h"

#define PM1_POWER_BUTTON (1u << 8) /* in status and in enable */
#define PM1_SCI_ENABLED  (1u << 0) /* in control */
#define PM1_TYPE_SHIFT   10
#define PM1_SLEEP        (1u << 13)
#define SLEEP_TYPE_SHIFT 2 /* sleep control register, section 4.8.3.7 */
#define SLEEP_ENABLE     (1u << 5)
#define EVENT_POWER_DOWN (1u << 1) /* QEMU: ACPI_GED_PWR_DOWN_EVT */
#define ENABLE_TRIES     100000    /* reads until SMI has enabled ACPI */

static uint16_t status_port; /* PM1a status; enable is in enable_port */
static uint16_t enable_port;
static volatile uint32_t *event_register; /* of the generic event device */

static void on_fixed_event(void *argument)
{
    if ((hw_in16(status_port) & PM1_POWER_BUTTON) == 0)
        return;
    hw_out16(status_port, PM1_POWER_BUTTON); /* writing 1 clears it */
    hw_ready(BASE_READY_POWER);
}

static void on_generic_event(void *argument)
{
    if (*event_register & EVENT_POWER_DOWN) /* reading clears it */
        hw_ready(BASE_READY_POWER);
}

static void arm_generic_event(const struct acpi_table *dsdt)
{
    struct acpi_resource device;
    uint64_t address;

    if (!acpi_dsdt_device(dsdt, "ACPI0013", 0, &device) ||
        !device.has_interrupt || !acpi_dsdt_event_register(dsdt, &address))
        return;
    event_register = (volatile void *)hw_mmio_map(address, 4);
    hw_irq_line(device.interrupt.gsi, device.interrupt.level,
                device.interrupt.active_low, on_generic_event, NULL);
}

/* Takes the machine out of the BIOS's hands, if it still is there. */
static void enable_acpi(const struct acpi_power *power)
{
    uint16_t control = (uint16_t)power->control.address;

    if (power->smi_command == 0 || power->smi_command > 0xffff ||
        power->acpi_enable == 0 || (hw_in16(control) & PM1_SCI_ENABLED) != 0)
        return;
    hw_out8((uint16_t)power->smi_command, power->acpi_enable);
    for (unsigned i = 0; i < ENABLE_TRIES; i++)
        if ((hw_in16(control) & PM1_SCI_ENABLED) != 0)
            break;
}

static void arm_fixed_event(const struct acpi_power *power)
{
    /* What holds where MADT says nothing (section 5.2.9, SCI_INT). */
    struct acpi_interrupt interrupt = {
        .gsi = power->sci, .level = true, .active_low = true};
    struct acpi_table madt;

    if (!power->fixed_button || !power->event.is_port ||
        power->event.address == 0 || power->event_size < 4 ||
        !power->control.is_port || power->control.address == 0)
        return;
    if (acpi_table("APIC", &madt))
        acpi_madt_isa(&madt, power->sci, &interrupt);
    enable_acpi(power);
    status_port = (uint16_t)power->event.address;
    enable_port = (uint16_t)(status_port + power->event_size / 2);
    hw_out16(enable_port, 0);
    hw_out16(status_port, 0xffff);
    if (hw_irq_line(interrupt.gsi, interrupt.level, interrupt.active_low,
                    on_fixed_event, NULL) == BASE_OK)
        hw_out16(enable_port, PM1_POWER_BUTTON);
}

void acpi_power_arm(void)
{
    static bool armed;
    struct acpi_table fadt, dsdt;
    struct acpi_power power;

    if (armed)
        return;
    armed = true;
    if (!acpi_table("FACP", &fadt) || !acpi_fadt_power(&fadt, &power))
        return;
    if (!power.reduced)
        arm_fixed_event(&power);
    else if (acpi_dsdt(&dsdt))
        arm_generic_event(&dsdt);
}

void acpi_power_off(void)
{
    struct acpi_table fadt, dsdt;
    struct acpi_power power;
    int type;

    if (!acpi_table("FACP", &fadt) || !acpi_fadt_power(&fadt, &power) ||
        !acpi_dsdt(&dsdt))
        return;
    type = acpi_dsdt_s5(&dsdt);
    if (type < 0)
        return;
    if (power.reduced) {
        uint8_t value = (uint8_t)(type << SLEEP_TYPE_SHIFT | SLEEP_ENABLE);

        if (power.sleep.address == 0)
            return;
        if (power.sleep.is_port)
            hw_out8((uint16_t)power.sleep.address, value);
        else
            *(volatile uint8_t *)hw_mmio_map(power.sleep.address, 1) = value;
    } else if (power.control.is_port && power.control.address != 0) {
        hw_out16((uint16_t)power.control.address,
                 (uint16_t)((unsigned)type << PM1_TYPE_SHIFT | PM1_SLEEP));
    }
}
