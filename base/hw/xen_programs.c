/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What programs have of Xen: the table of base_xen.h, and pages of other
 * domains in a window of the address space. Reached through base_uses_xen()
 * alone, so that an image which does not open /dev/xen is linked without it.
 *
 * The window (HW_FOREIGN) is outside of the arena: what is in it is no memory
 * of ours, is in no account, and no operation on the arena comes near it. Its
 * page tables are made as they are needed, accounted, and kept. In a PV guest
 * Xen writes the entry itself when it maps a page; elsewhere it puts the page
 * at a guest frame where there is no RAM, to which an entry of ours points.
 *
 * Monitor held.
 */
#include <errno.h>
#include <string.h>
#include <xen/arch-x86/cpuid.h>

#include "drivers/xen/guest.h"
#include "parts.h"

#define HANDLES_PAGES                                                          \
    ((LIMIT_XEN_MAPPED_PAGES * sizeof(grant_handle_t) + HW_PAGE - 1) / HW_PAGE)
/* Of a request: it may lie across a piece of the window. */
#define TABLES_MAX 6u

/* Of base_uses_xen(); and the table once it was asked for and is ready. */
static const struct base_xen *offered, *table;
static bool (*make_ready)(void);

static uint32_t generation_count;
static grant_handle_t *handles; /* by slot, plus 1; 0: the slot is free */
static unsigned mapped_count;

static uint32_t generation(void)
{
    return generation_count;
}

static void resumed(void)
{
    generation_count++;
    xen_programs_event_resume();
    hw_ready(BASE_READY_XEN);
}

static bool can_suspend(void)
{
    return mapped_count == 0;
}

/* -- grants -- */

static enum base_status grant(uint32_t domain, const void *page, bool read_only,
                              uint32_t *reference)
{
    if (domain >= DOMID_FIRST_RESERVED)
        return BASE_NODEV;
    *reference = xen_grant((domid_t)domain, page, read_only);
    return *reference != XEN_GRANT_NONE ? BASE_OK : BASE_NOMEM;
}

static enum base_status grant_end(uint32_t reference)
{
    return xen_grant_end(reference) ? BASE_OK : BASE_AGAIN;
}

/* The window's entry for a slot of it, in tables of base/hw. */
static uint64_t *entry_of(uint64_t address)
{
    uint64_t *entry = &hw_pml4[hw_index(address, 4)];

    for (unsigned level = 3; level >= 1; level--) {
        if (*entry == 0)
            *entry = hw_table_get() | PTE_PRESENT | PTE_WRITE;
        entry = &hw_table(*entry)[hw_index(address, level)];
    }
    return entry;
}

static uint64_t slot_address(unsigned slot)
{
    return HW_FOREIGN + slot * HW_PAGE;
}

/* Where Xen is to put the page of a slot: see GNTMAP_host_map. */
static uint64_t slot_place(unsigned slot)
{
    return xen_pv ? xenpv_foreign_entry(slot_address(slot))
                  : xen_foreign_physical(slot);
}

/*
 * Whether a page is this domain's own, which can be mapped a second time in a
 * PV guest only: elsewhere Xen would take it from where it is. A Xen that does
 * not tell a guest its number by CPUID does so by XenStore.
 */
static bool would_move(uint32_t domain)
{
    uint32_t regs[4];
    uint64_t number;

    if (xen_pv)
        return false;
    arch_cpuid(hw_cpu.hypervisor_leaf + 4, 0, regs);
    if (regs[0] & XEN_HVM_CPUID_DOMID_PRESENT)
        return regs[2] == domain;
    return xen_store_read_number("domid", &number) != 0 || number == domain;
}

static bool slot_map(unsigned slot, const struct base_xen_grant *wish,
                     bool read_only)
{
    struct gnttab_map_grant_ref op = {.host_addr = slot_place(slot),
                                      .flags = GNTMAP_host_map,
                                      .ref = wish->reference,
                                      .dom = (domid_t)wish->domain};

    if (wish->domain >= DOMID_FIRST_RESERVED || would_move(wish->domain))
        return false;
    if (xen_pv)
        op.flags |= GNTMAP_application_map | GNTMAP_contains_pte;
    if (read_only)
        op.flags |= GNTMAP_readonly;
    if (xen_grant_op(GNTTABOP_map_grant_ref, &op, 1) != 0 ||
        op.status != GNTST_okay)
        return false;
    if (!xen_pv)
        *entry_of(slot_address(slot)) = xen_foreign_physical(slot) |
                                        PTE_PRESENT | PTE_NX |
                                        (read_only ? 0 : PTE_WRITE);
    handles[slot] = op.handle + 1;
    mapped_count++;
    return true;
}

static void slot_unmap(unsigned slot)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = slot_place(slot),
                                        .handle = handles[slot] - 1};

    if (!xen_pv) {
        *entry_of(slot_address(slot)) = 0;
        hw_tlb_flush_page(slot_address(slot));
    }
    if (xen_grant_op(GNTTABOP_unmap_grant_ref, &op, 1) != 0 ||
        op.status != GNTST_okay)
        hw_crash("Xen keeps a page of another domain", NULL, slot, 134);
    handles[slot] = 0;
    mapped_count--;
}

/* The first of count free slots; LIMIT_XEN_MAPPED_PAGES: there are none. */
static unsigned slots_find(unsigned count)
{
    unsigned free = 0;

    for (unsigned slot = 0; slot < LIMIT_XEN_MAPPED_PAGES; slot++) {
        free = handles[slot] == 0 ? free + 1 : 0;
        if (free == count)
            return slot + 1 - count;
    }
    return LIMIT_XEN_MAPPED_PAGES;
}

static enum base_status map(const struct base_xen_grant *grants, unsigned count,
                            bool read_only, void **address)
{
    unsigned first, done = 0;

    HW_ASSERT(count > 0 && count <= LIMIT_XEN_GRANT_BATCH);
    hw_stack_touch();
    first = slots_find(count);
    if (first == LIMIT_XEN_MAPPED_PAGES ||
        hw_memory_free() < TABLES_MAX * hw_table_frames)
        return BASE_NOMEM;
    while (done < count && slot_map(first + done, &grants[done], read_only))
        done++;
    if (done == count) {
        *address = (void *)slot_address(first);
        return BASE_OK;
    }
    while (done > 0)
        slot_unmap(first + --done);
    return BASE_IO;
}

static void unmap(void *address, unsigned count)
{
    unsigned first = (unsigned)(((uint64_t)address - HW_FOREIGN) / HW_PAGE);

    HW_ASSERT(first < LIMIT_XEN_MAPPED_PAGES &&
              count <= LIMIT_XEN_MAPPED_PAGES - first);
    hw_stack_touch();
    for (unsigned i = 0; i < count; i++) {
        HW_ASSERT(handles[first + i] != 0);
        slot_unmap(first + i);
    }
}

/* -- the table -- */

static const struct base_xen xen = {
    .generation = generation,
    .store_send = xen_programs_store_send,
    .store_receive = xen_programs_store_receive,
    .event_alloc = xen_programs_event_alloc,
    .event_bind = xen_programs_event_bind,
    .event_close = xen_programs_event_close,
    .event_notify = xen_programs_event_notify,
    .event_take = xen_programs_event_take,
    .grant = grant,
    .grant_end = grant_end,
    .map = map,
    .unmap = unmap,
};

static bool parts_make_ready(void)
{
    if (handles == NULL)
        handles = hw_pages_get(HANDLES_PAGES);
    if (handles == NULL || !xen_programs_event_init() ||
        !xen_programs_store_init())
        return false;
    xen_resume_programs = resumed;
    xen_programs_can_suspend = can_suspend;
    return true;
}

void base_uses_xen(void)
{
    offered = &xen;
    make_ready = parts_make_ready;
}

const struct base_xen *hw_xen_get(void)
{
    if (table != NULL || offered == NULL || !xen_present)
        return table;
    hw_late_init(); /* XenStore is awake */
    if (make_ready())
        table = offered;
    return table;
}
