/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The processor's page tables for the arena.
 *
 * In a PV guest page tables hold machine frames, are read-only to us, and are
 * changed by hypercall, about 700 instructions an entry. So base/hw's tables
 * (pagetable.c there) stay what they are, ordinary memory that says what is
 * promised and touched, and those of the processor follow them: a page fault
 * publishes the page, and every change of a range publishes what it changed.
 * A whole second-level piece (2 MiB) that the processor has no table for yet
 * gets one filled while it is ordinary memory, at 200 instructions an entry.
 *
 * There are two top tables, of kernel mode and of user mode, with the same
 * entries: one would do, but a Xen that follows the tables of a guest with its
 * own (shadow mode, which is how it notes what a live migration has still to
 * send) takes a change of mode that changes no table for a failure, and dies.
 *
 * The frames of these tables were reserved with those of base/hw's
 * (hw_table_frames), so that publishing cannot fail. Monitor held, or the page
 * fault of code that does not hold it; user mode or kernel mode.
 */
#include <errno.h>

#include "base/hw/parts.h"
#include "drivers/xen/guest.h"

#define UPDATES     128 /* of one hypercall */
#define AROUND_MASK 15u /* a fault publishes an aligned 16 pages */

#define FRAMES_KNOWN 1024u /* a table maps 2 MiB */

#define ENTRY_SAME (PTE_PRESENT | PTE_WRITE | PTE_NX | PTE_ADDRESS)

static struct mmu_update updates[UPDATES];
static unsigned update_count;
static uint64_t tables_made;
static bool flush_wanted; /* the processor may remember what is no more so */

/* -- frames -- */

uint64_t xenpv_machine_of(uint64_t physical)
{
    uint64_t frame = (physical - XENPV_PHYSICAL_START) / HW_PAGE;

    HW_ASSERT(frame < xenpv_start.frame_count);
    return xenpv_start.frames[frame] * HW_PAGE;
}

/* Asking Xen costs a change of mode, so what it said last is remembered, and
 * holds as long as the list of frames says so, too. */
uint64_t xenpv_physical_of(uint64_t machine)
{
    static uint32_t known[FRAMES_KNOWN];
    uint64_t machine_frame = machine / HW_PAGE;
    uint32_t *place = &known[machine_frame % FRAMES_KNOWN];
    uint64_t frame = *place;

    if (frame >= xenpv_start.frame_count ||
        xenpv_start.frames[frame] != machine_frame) {
        frame = xenpv_guest_frame_read(machine_frame);
        if (frame == (uint64_t)-ENOSYS)
            frame = machine_to_phys_mapping[machine_frame];
        *place = (uint32_t)frame;
    }
    return frame * HW_PAGE + XENPV_PHYSICAL_START;
}

void xenpv_frame_set(uint64_t physical, uint64_t machine_frame)
{
    xenpv_start.frames[(physical - XENPV_PHYSICAL_START) / HW_PAGE] =
        machine_frame;
}

static uint64_t *real_table(uint64_t entry)
{
    return hw_physical(xenpv_physical_of(entry & PTE_ADDRESS));
}

/* -- hypercalls -- */

static void updates_send(void)
{
    long status;

    if (update_count == 0)
        return;
    status = xen_hypercall(__HYPERVISOR_mmu_update, (uint64_t)updates,
                           update_count, 0, DOMID_SELF, 0);
    if (status != 0)
        hw_crash("Xen refused a page table", NULL, updates[0].val, 134);
    update_count = 0;
}

static void update_add(uint64_t machine, uint64_t value)
{
    if (update_count == UPDATES)
        updates_send();
    updates[update_count].ptr = machine | MMU_NORMAL_PT_UPDATE;
    updates[update_count++].val = value;
}

void xenpv_entry_write(uint64_t machine, uint64_t value)
{
    update_add(machine, value);
    updates_send();
}

void xenpv_address_map(uint64_t address, uint64_t entry)
{
    if (xen_hypercall(__HYPERVISOR_update_va_mapping, address, entry,
                      UVMF_INVLPG, 0, 0) != 0)
        hw_crash("Xen refused a mapping", NULL, address, 134);
}

static void flush(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_TLB_FLUSH_LOCAL};

    if (!flush_wanted)
        return;
    flush_wanted = false;
    xen_hypercall(__HYPERVISOR_mmuext_op, (uint64_t)&op, 1, 0, DOMID_SELF, 0);
}

/* -- tables -- */

/* Makes a frame read-only in the direct map, its only mapping, as a table has
 * to be; or writable again. */
static void direct_protect(uint64_t physical, uint64_t write)
{
    xenpv_address_map((uint64_t)hw_physical(physical),
                      xenpv_machine_of(physical) | PTE_PRESENT | PTE_NX |
                          write);
}

/* Points an entry to a table that was filled. */
static void table_hook(uint64_t entry_machine, uint64_t physical)
{
    direct_protect(physical, 0);
    xenpv_entry_write(entry_machine, xenpv_machine_of(physical) | XENPV_TABLE);
}

static uint64_t table_new(void)
{
    uint64_t physical = hw_frame_get(0);

    HW_ASSERT(physical != 0);
    hw_page_zero(hw_physical(physical));
    tables_made++;
    return physical;
}

/* An entry of the kernel's top table has changed: the user's follows. */
static void top_changed(uint64_t address)
{
    const uint64_t *kernel = hw_physical(xenpv_start.tables);
    unsigned index = hw_index(address, 4);

    xenpv_entry_write(xenpv_machine_of(xenpv_start.user_table) +
                          index * sizeof(*kernel),
                      kernel[index]);
}

/*
 * Walks down to the entry of a level for address, and returns its machine
 * address, through *entry where it can be read. Where a table is missing: 0,
 * and *next is where that hole ends; or with make the table is made.
 */
static uint64_t walk(uint64_t address, unsigned level, bool make,
                     uint64_t **entry, uint64_t *next)
{
    uint64_t physical = xenpv_start.tables, at;
    uint64_t *table = hw_physical(physical);
    unsigned here = 4;

    for (;; here--) {
        *entry = &table[hw_index(address, here)];
        at = xenpv_machine_of(physical) + hw_index(address, here) * 8;
        if (here == level)
            return at;
        if (!(**entry & PTE_PRESENT)) {
            if (!make) {
                *next = (address | ((1ull << (12 + 9 * (here - 1))) - 1)) + 1;
                return 0;
            }
            table_hook(at, table_new());
            if (here == 4)
                top_changed(address);
        }
        physical = xenpv_physical_of(**entry & PTE_ADDRESS);
        table = hw_physical(physical);
    }
}

void xenpv_table_drop(uint64_t address, unsigned level)
{
    uint64_t *entry, next, physical;
    uint64_t at = walk(address, level, false, &entry, &next);

    if (at == 0 || !(*entry & PTE_PRESENT))
        return;
    physical = xenpv_physical_of(*entry & PTE_ADDRESS);
    xenpv_entry_write(at, 0);
    if (level == 4)
        top_changed(address);
    direct_protect(physical, PTE_WRITE);
    hw_frame_put(physical, 0);
    flush_wanted = true;
}

/* Tables that the window needs are accounted as they are made. */
void xenpv_window_map(unsigned index, uint64_t machine)
{
    uint64_t before = tables_made, *entry, next;
    uint64_t at = walk(XENPV_WINDOW + index * HW_PAGE, 1, true, &entry, &next);

    hw_accounts.tables += tables_made - before;
    xenpv_entry_write(at, machine | PTE_PRESENT | PTE_WRITE | PTE_NX);
}

uint64_t xenpv_foreign_entry(uint64_t address)
{
    uint64_t before = tables_made, *entry, next;
    uint64_t at = walk(address, 1, true, &entry, &next);

    hw_accounts.tables += tables_made - before;
    return at;
}

void xenpv_window_unmap(unsigned index)
{
    xenpv_address_map(XENPV_WINDOW + index * HW_PAGE, 0);
}

/* -- publishing -- */

/* What the processor's entry for the page at address has to be. */
static uint64_t wanted(uint64_t address)
{
    uint64_t size, entry = hw_arena_entry(address, &size), physical;

    if (!(entry & PTE_PRESENT))
        return 0;
    physical = (entry & PTE_ADDRESS & ~(size - 1)) |
               (address & (size - 1) & ~(HW_PAGE - 1));
    return xenpv_machine_of(physical) | PTE_PRESENT | PTE_USER | PTE_ACCESSED |
           PTE_DIRTY | (entry & (PTE_WRITE | PTE_NX));
}

/* Brings the entries for [start, end), all in the table at `table` (its
 * machine address: machine), up to date. */
static void entries_update(const uint64_t *table, uint64_t machine,
                           uint64_t start, uint64_t end)
{
    for (; start < end; start += HW_PAGE) {
        unsigned index = hw_index(start, 1);
        uint64_t value = wanted(start), old = table[index];

        if ((old & ENTRY_SAME) == (value & ENTRY_SAME))
            continue;
        if (old & PTE_PRESENT)
            flush_wanted = true;
        update_add(machine + index * 8, value);
    }
}

void xenpv_page_publish(uint64_t address)
{
    uint64_t *entry, next, start = address & ~(HW_LARGE - 1), physical, *table;
    uint64_t at = walk(address, 2, true, &entry, &next);
    unsigned i;

    if (*entry & PTE_PRESENT) {
        table = real_table(*entry);
        start = address & ~(uint64_t)(AROUND_MASK * HW_PAGE | (HW_PAGE - 1));
        if ((table[hw_index(address, 1)] & ENTRY_SAME) !=
            (wanted(address) & ENTRY_SAME))
            entries_update(table, *entry & PTE_ADDRESS, start,
                           start + (AROUND_MASK + 1) * HW_PAGE);
        updates_send();
    } else {
        physical = table_new();
        table = hw_physical(physical);
        for (i = 0; i < 512; i++)
            table[i] = wanted(start + i * HW_PAGE);
        table_hook(at, physical);
    }
    flush();
}

void xenpv_image_map(uint64_t start, uint64_t end, uint64_t bits)
{
    uint64_t *entry, next, at, piece;

    for (; start < end; start = next) {
        piece = (start | (HW_LARGE - 1)) + 1;
        next = piece < end ? piece : end;
        /* What nothing is left of goes with its table. */
        if (bits == 0 && start % HW_LARGE == 0) {
            at = walk(start, 2, false, &entry, &piece);
            xenpv_entry_write(at, 0);
            continue;
        }
        at = walk(start, 1, false, &entry, &piece);
        for (; start < next; start += HW_PAGE, at += sizeof(*entry))
            if (start != (uint64_t)xen_shared_page)
                update_add(at, bits != 0 ? xenpv_machine_of(start) | bits : 0);
    }
    updates_send();
    flush_wanted = true;
    flush();
}

void xenpv_range_publish(uint64_t start, uint64_t size)
{
    uint64_t at, next, piece, *entry, end = start + size;

    for (at = start; at < end; at = next) {
        if (walk(at, 2, false, &entry, &next) == 0)
            continue;
        piece = (at | (HW_LARGE - 1)) + 1;
        next = piece < end ? piece : end;
        if (*entry & PTE_PRESENT)
            entries_update(real_table(*entry), *entry & PTE_ADDRESS, at, next);
    }
    updates_send();
    flush();
}
