/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of the machine.
 *
 * The status goes to the console in a record of its own, which the host tool
 * takes out and makes its exit status: "\x1e" "halvm:exit=N\n". Then the power
 * goes off by ACPI; where there is none the processor resets itself, which
 * ends a virtual machine that was started not to reboot.
 */
#include "drivers/acpi/acpi.h"
#include "drivers/xen/xen.h"
#include "parts.h"

#define KEYBOARD_COMMAND 0x64
#define KEYBOARD_RESET   0xfe

static void reset(void) __attribute__((noreturn));
static void reset(void)
{
    static const struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};

    hw_out8(KEYBOARD_COMMAND, KEYBOARD_RESET);
    /* A triple fault resets whatever is left. */
    __asm__ volatile("lidt %0; int3" ::"m"(none));
    for (;;)
        __asm__ volatile("cli; hlt");
}

void hw_exit(int status)
{
    hw_interrupts_off();
    hw_print("\x1ehalvm:exit=%d\n", (uint64_t)(status & 255));
    if (xen_present)
        xen_exit(status);
    hw_late_init();
    acpi_power_off();
    reset();
}
