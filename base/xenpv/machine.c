/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Xen says of a paravirtual guest (struct start_info), and the way from
 * start.S to core_main.
 *
 * Xen has built, from 1 MiB up and one behind the other: the image, the
 * initrd, the list of machine frames, start_info, the pages of XenStore and
 * console (not in dom0), the first page tables, a stack; and mapped all that
 * up to the next 4 MiB, with 512 KiB to spare at least (<xen/xen.h>, "start of
 * day"). Boot runs in kernel mode and leaves it for core_main.
 */
#include <stdint.h>
#include <xen/memory.h>
#include <xen/sched.h>

#include "base/hw/parts.h"
#include "drivers/xen/guest.h"

#define MAPPED_UNIT  (4ull << 20)
#define MAPPED_SPARE (512ull << 10)

#define FRAMES_GROWTH_MAX (16ull << 30 >> 12) /* 16 GiB */

struct xenpv_start xenpv_start;

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return (value + unit - 1) & ~(unit - 1);
}

/* A page that Xen or the toolstack knows by its machine frame. */
static void machine_page_take(uint64_t frame)
{
    uint64_t physical = xenpv_physical_of(frame * HW_PAGE);

    hw_machine_take(physical, physical + HW_PAGE);
}

static void rings_read(const struct start_info *start)
{
    xen_rings.store_frame = start->store_mfn;
    xen_rings.store_port = start->store_evtchn;
    xen_rings.console_frame = start->console.domU.mfn;
    xen_rings.console_port = start->console.domU.evtchn;
}

void xenpv_machine_read(const struct start_info *start)
{
    struct xenpv_start *s = &xenpv_start;
    uint64_t list = (uint64_t)s->frames;

    hw_machine_ram(XENPV_PHYSICAL_START, s->frame_count * HW_PAGE);
    /* In order behind the image, so that they are joined there. */
    if (start->mod_len != 0)
        hw_machine_initrd(start->mod_start, start->mod_len);
    hw_machine_take(list, list + s->frame_count * sizeof(uint64_t));
    hw_machine_take((uint64_t)start, (uint64_t)start + HW_PAGE);
    hw_machine_take(s->tables, s->free);
    if (!xen_dom0) {
        rings_read(start);
        machine_page_take(start->store_mfn);
        machine_page_take(start->console.domU.mfn);
    }
    hw_machine_command_line((const char *)start->cmd_line,
                            (uint64_t)start->cmd_line);
}

/* Where the toolstack finds the list of frames when it saves the domain, as
 * struct arch_shared_info has it. */
static void frames_tell(void)
{
    volatile struct arch_shared_info *arch = &xen_shared->arch;

    arch->max_pfn = xenpv_start.frame_count;
    arch->pfn_to_mfn_frame_list_list = ~0ul;
    arch->p2m_vaddr = (uint64_t)xenpv_start.frames;
    arch->p2m_generation = 0;
    arch->p2m_cr3 =
        xen_pfn_to_cr3(xenpv_machine_of(xenpv_start.tables) / HW_PAGE);
}

static void shared_map(const struct start_info *start)
{
    xenpv_address_map((uint64_t)xen_shared_page,
                      start->shared_info | PTE_PRESENT | PTE_WRITE | PTE_NX);
}

/*
 * A saved domain has guest frames where there were machine frames, and only
 * its own: the page shared with Xen goes, and start_info names the rings so.
 * The toolstack of the new domain fills in start_info anew.
 */
long xenpv_suspend(void)
{
    struct start_info *start = xenpv_start.info;
    struct sched_shutdown how = {.reason = SHUTDOWN_suspend};
    struct xen_rings rings = xen_rings;
    long status;

    start->store_mfn = xenpv_physical_of(rings.store_frame * HW_PAGE);
    start->store_mfn = xen_guest_frame(start->store_mfn);
    start->console.domU.mfn = (uint32_t)xen_guest_frame(
        xenpv_physical_of(rings.console_frame * HW_PAGE));
    xenpv_address_map((uint64_t)xen_shared_page, 0);
    status = xen_hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown,
                           (uint64_t)&how, xen_frame_of(start), 0, 0);
    if (status != 0) {
        start->store_mfn = rings.store_frame;
        start->console.domU.mfn = (uint32_t)rings.console_frame;
    }
    shared_map(start);
    frames_tell();
    rings_read(start);
    return status;
}

/* How large the operator may make the guest (maxmem of xl): what its memory
 * map says. Not more than there are bookkeeping pages for at boot. */
static uint64_t frame_max_read(uint64_t frame_count)
{
    struct {
        uint64_t address, size;
        uint32_t type;
    } __attribute__((packed)) range;
    struct xen_memory_map op = {.nr_entries = 1};
    uint64_t max = 0;

    set_xen_guest_handle(op.buffer, &range);
    if (!xen_dom0 && xen_memory_op(XENMEM_memory_map, &op) == 0)
        max = (range.address + range.size) / HW_PAGE;
    if (max > FRAMES_GROWTH_MAX)
        max = FRAMES_GROWTH_MAX;
    return max > frame_count ? max : frame_count;
}

void xenpv_frames_extend(void)
{
    struct xenpv_start *s = &xenpv_start;
    uint64_t *frames, i;

    if (s->frame_max == s->frame_count)
        return;
    frames = hw_physical(hw_machine_carve(s->frame_max * sizeof(*frames)));
    for (i = 0; i < s->frame_max; i++)
        frames[i] = i < s->frame_count ? s->frames[i] : XENPV_NO_FRAME;
    s->frames = frames;
    s->frame_count = s->frame_max;
    hw_machine.growth_end = XENPV_PHYSICAL_START + s->frame_max * HW_PAGE;
}

static void start_read(struct start_info *start, uint64_t stack)
{
    struct xenpv_start *s = &xenpv_start;

    s->info = start;
    s->frames = (uint64_t *)start->mfn_list;
    s->frame_count = start->nr_pages;
    s->tables = start->pt_base;
    s->tables_end = s->tables + start->nr_pt_frames * HW_PAGE;
    s->free = round_up(stack, HW_PAGE);
    if (s->free < s->tables_end)
        s->free = s->tables_end;
    s->mapped_end = round_up(s->free + MAPPED_SPARE, MAPPED_UNIT);
    if (s->mapped_end > XENPV_PHYSICAL_START + s->frame_count * HW_PAGE)
        s->mapped_end = XENPV_PHYSICAL_START + s->frame_count * HW_PAGE;
    xen_dom0 = (start->flags & SIF_INITDOMAIN) != 0;
    s->frame_max = frame_max_read(s->frame_count);
}

/* In user mode, events on. */
static void main_enter(void) __attribute__((noreturn));
static void main_enter(void)
{
    core_main(&hw_base, &hw_info);
}

void xenpv_boot(struct start_info *start, uint64_t stack)
{
    xen_present = true;
    xen_pv = true;
    hw_base.name = "xenpv";
    hw_table_frames = 2;
    start_read(start, stack);
    shared_map(start);
    xen_event_init();
    xen_console_init(
        xen_dom0 ? NULL
                 : (void *)xenpv_physical_of(start->console.domU.mfn * HW_PAGE),
        xen_dom0 ? 0 : start->console.domU.evtchn);
    xenpv_interrupt_init();
    hw_cpu_init();
    hw_machine_init(HW_LOADER_XENPV, (uint64_t)start);
    hw_memory_init();
    frames_tell();
    hw_clock_init();
    xen_rings_init();
    hw_console_devices();
    xenpv_user_call(0, 0, (uint64_t)main_enter, hw_stack + HW_STACK_SIZE);
}
