/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether this is a Xen guest and of which kind, the page shared with Xen, how
 * Xen knows our pages, and the rings that the toolstack made for us.
 *
 * A PV guest is told all of it at its start (base/xenpv/machine.c). A PVH or
 * HVM guest finds Xen by CPUID and asks (<xen/arch-x86/cpuid.h>,
 * <xen/hvm/params.h>).
 */
#include <stdint.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>

#include "drivers/xen/guest.h"
#include "parts.h"

#define VENDOR_AMD   0x68747541 /* "Auth", "Hygo" of CPUID 0, EBX */
#define VENDOR_HYGON 0x6f677948

#define CALLBACK_UNUSED 1u /* an interrupt line that we leave masked */

#define RANGES_MAX 64
#define E820_RAM   1u

bool xen_present, xen_pv, xen_dom0;
bool xen_vmmcall;

uint8_t xen_shared_page[LIMIT_PAGE_SIZE] __attribute__((aligned(4096)));
volatile struct shared_info *const xen_shared = (void *)xen_shared_page;
struct xen_rings xen_rings;

uint64_t xen_frame_of(const void *page)
{
    uint64_t physical = hw_physical_of(page);

    return (xen_pv ? xenpv_machine_of(physical) : physical) / HW_PAGE;
}

void *xen_page_of(uint64_t frame)
{
    if (xen_pv)
        return hw_physical(xenpv_physical_of(frame * HW_PAGE));
    /* Not all such pages are RAM, and in the direct map, yet. */
    hw_boot_map(frame * HW_PAGE, HW_PAGE);
    return hw_physical(frame * HW_PAGE);
}

/* -- PVH and HVM -- */

/* 0 if Xen does not know it. */
static uint64_t parameter(uint32_t index)
{
    struct xen_hvm_param op = {.domid = DOMID_SELF, .index = index};

    return xen_hypercall(__HYPERVISOR_hvm_op, HVMOP_get_param, (uint64_t)&op, 0,
                         0, 0) == 0
               ? op.value
               : 0;
}

bool xen_hvm_init(void)
{
    struct xen_add_to_physmap op = {.domid = DOMID_SELF,
                                    .space = XENMAPSPACE_shared_info,
                                    .gpfn =
                                        (uint64_t)xen_shared_page / HW_PAGE};
    uint32_t regs[4];

    arch_cpuid(0, 0, regs);
    xen_vmmcall = regs[1] == VENDOR_AMD || regs[1] == VENDOR_HYGON;
    if (xen_memory_op(XENMEM_add_to_physmap, &op) != 0)
        return false; /* says that it is Xen, but knows no hypercalls */
    xen_present = true;
    return xen_event_init();
}

void xen_hvm_memory_read(void)
{
    struct {
        uint64_t address, size;
        uint32_t type;
    } __attribute__((packed)) ranges[RANGES_MAX];
    struct xen_memory_map op = {.nr_entries = RANGES_MAX};
    unsigned i;

    set_xen_guest_handle(op.buffer, ranges);
    if (xen_memory_op(XENMEM_memory_map, &op) != 0)
        return;
    for (i = 0; i < op.nr_entries; i++)
        if (ranges[i].type == E820_RAM)
            hw_machine_ram(ranges[i].address, ranges[i].size);
}

static void upcall(void *argument)
{
    xen_event_dispatch();
}

void xen_hvm_events_init(void)
{
    static uint32_t vector; /* 0: before the first time */
    struct xen_hvm_evtchn_upcall_vector op = {.vcpu = 0};
    struct xen_hvm_param via = {.domid = DOMID_SELF,
                                .index = HVM_PARAM_CALLBACK_IRQ};
    uint64_t address;

    if (vector == 0 &&
        hw_irq_message(upcall, NULL, &address, &vector) != BASE_OK)
        hw_crash("no vector for Xen's events", NULL, 0, 134);
    op.vector = (uint8_t)vector;
    if (xen_hypercall(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector,
                      (uint64_t)&op, 0, 0, 0) == 0)
        via.value = CALLBACK_UNUSED;
    else
        via.value = (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | vector;
    /* Also where it is not the way that events come: it is what makes Xen write
     * the wall clock into the shared page, and tells the toolstack that
     * somebody minds XenStore here. */
    if (xen_hypercall(__HYPERVISOR_hvm_op, HVMOP_set_param, (uint64_t)&via, 0,
                      0, 0) != 0)
        hw_crash("Xen refused a vector for its events", NULL, vector, 134);
    xen_rings.store_frame = parameter(HVM_PARAM_STORE_PFN);
    xen_rings.store_port = (evtchn_port_t)parameter(HVM_PARAM_STORE_EVTCHN);
    xen_rings.console_frame = parameter(HVM_PARAM_CONSOLE_PFN);
    xen_rings.console_port = (evtchn_port_t)parameter(HVM_PARAM_CONSOLE_EVTCHN);
    xen_dom0 = xen_rings.store_frame == 0;
}

void xen_rings_init(void)
{
    const struct xen_rings *r = &xen_rings;

    xen_console_init(r->console_frame != 0 ? xen_page_of(r->console_frame)
                                           : NULL,
                     r->console_port);
    xen_store_init(r->store_frame != 0 ? xen_page_of(r->store_frame) : NULL,
                   r->store_port);
}
