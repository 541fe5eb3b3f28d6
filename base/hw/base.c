/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Base hw: the table of base.h, and the way from start.S to core_main.
 */
#include "drivers/xen/guest.h"
#include "parts.h"

struct base_info hw_info;

struct base hw_base = {
    .version = BASE_VERSION,
    .name = "hw",
    .exit = hw_exit,
    .abort = hw_abort,
    .console_write = hw_console_write,
    .console_read = hw_console_read,
    .clock_monotonic = hw_clock_monotonic,
    .clock_wall = hw_clock_wall,
    .wait = hw_wait,
    .timer_set = hw_timer_set,
    .upcall_set = hw_upcall_set,
    .resume = hw_resume,
    .tp_set = hw_tp_set,
    .mem_map = hw_mem_map,
    .mem_unmap = hw_mem_unmap,
    .mem_move = hw_mem_move,
    .mem_stats = hw_mem_stats,
    .mem_resident = hw_mem_resident,
    .entropy = hw_entropy,
    .dev_get = hw_dev_get,
    .net_send = hw_net_send,
    .net_recv = hw_net_recv,
    .blk_submit = hw_blk_submit,
    .blk_reap = hw_blk_reap,
    .xen = hw_xen_get,
};

/* Nothing may print before the console, fault (with a report) before the
 * vectors, or map before the loader's data were read. */
void hw_boot(unsigned loader, uint64_t info)
{
    hw_console_init();
    hw_cpu_init();
    if (hw_cpu.xen)
        xen_hvm_init();
    hw_machine_init(loader, info);
    hw_memory_init();
    hw_apic_init();
    if (xen_present)
        xen_hvm_events_init();
    hw_clock_init();
    if (xen_present)
        xen_rings_init();
    hw_console_devices();
    hw_interrupts_on();
    core_main(&hw_base, &hw_info);
}
