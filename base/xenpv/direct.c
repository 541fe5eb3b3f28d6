/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The direct map of RAM (HW_DIRECT) and the image's protection, in a PV guest.
 *
 * Xen has mapped the image and what it put behind it at their physical
 * addresses. Here all of that gets its second mapping, in which a frame may be
 * a page table; then everything but the image goes from the first. The rest of
 * RAM enters the direct map 2 MiB at a time, when its frames are first wanted
 * (frames.c). A table of the direct map is a frame like others: the next one
 * is always kept ready, since getting a frame may be what needs it.
 */
#include "base/hw/parts.h"
#include "drivers/xen/guest.h"

#define SPARES_MIN 2u

/* Boot takes the frames behind the stack for tables, in this order: the third
 * level, second levels (one a GiB), first levels of what is mapped, the user
 * mode's top level, spares. */
static uint64_t boot_tables, boot_tables_end;
static uint64_t spare_next, spare_end; /* of boot's */
static uint64_t spare;                 /* once those are used up */
static uint64_t chunks_mapped;

static uint64_t ram_end(void)
{
    return XENPV_PHYSICAL_START + xenpv_start.frame_max * HW_PAGE;
}

/* Pages that may not be writable: page tables, and the initrd as a promise. */
static bool sealed(uint64_t physical)
{
    const struct hw_range *initrd = &hw_machine.initrd;

    return (physical >= xenpv_start.tables &&
            physical < xenpv_start.tables_end) ||
           (physical >= boot_tables && physical < boot_tables_end) ||
           (physical >= initrd->start && physical < initrd->end);
}

static bool there(uint64_t physical)
{
    uint64_t frame = (physical - XENPV_PHYSICAL_START) / HW_PAGE;

    return physical >= XENPV_PHYSICAL_START &&
           frame < xenpv_start.frame_count &&
           xenpv_start.frames[frame] != XENPV_NO_FRAME;
}

/* Fills a first-level table for the 2 MiB at physical. */
static void table_fill(uint64_t *table, uint64_t physical)
{
    unsigned i;

    for (i = 0; i < 512; i++, physical += HW_PAGE) {
        if (!there(physical))
            table[i] = 0;
        else
            table[i] = xenpv_machine_of(physical) | PTE_PRESENT | PTE_NX |
                       PTE_ACCESSED | PTE_DIRTY |
                       (sealed(physical) ? 0 : PTE_WRITE);
    }
    chunks_mapped++;
}

/* Physical address of the second-level entry for a physical address. */
static uint64_t second_entry(uint64_t physical)
{
    return boot_tables + HW_PAGE + (physical >> 30) * HW_PAGE +
           hw_index(physical, 2) * 8;
}

static uint64_t machine_entry(uint64_t physical)
{
    return xenpv_machine_of(physical) + physical % HW_PAGE;
}

void xenpv_direct_need(uint64_t start, uint64_t end)
{
    uint64_t at, table;

    for (at = start & ~(HW_LARGE - 1); at < end; at += HW_LARGE) {
        if (*(uint64_t *)hw_physical(second_entry(at)) & PTE_PRESENT)
            continue;
        if (spare_next < spare_end) {
            table = spare_next;
            spare_next += HW_PAGE;
        } else {
            table = spare;
            spare = 0;
        }
        HW_ASSERT(table != 0);
        table_fill(hw_physical(table), at);
        xenpv_address_map((uint64_t)hw_physical(table),
                          xenpv_machine_of(table) | PTE_PRESENT | PTE_NX);
        xenpv_entry_write(machine_entry(second_entry(at)),
                          xenpv_machine_of(table) | XENPV_TABLE);
    }
}

void xenpv_direct_remove(uint64_t physical)
{
    xenpv_address_map((uint64_t)hw_physical(physical), 0);
}

void xenpv_direct_restore(uint64_t physical)
{
    xenpv_address_map((uint64_t)hw_physical(physical),
                      xenpv_machine_of(physical) | PTE_PRESENT | PTE_WRITE |
                          PTE_NX);
}

void xenpv_direct_spare(void)
{
    if (spare_next == spare_end && spare == 0)
        spare = hw_frame_get(0);
}

uint64_t xenpv_direct_tables(void)
{
    uint64_t chunks = (ram_end() + HW_LARGE - 1) / HW_LARGE;

    /* Those of what is mapped, and the spares that boot took, are counted with
     * the image. */
    return chunks - chunks_mapped - (spare_end - spare_next) / HW_PAGE + 1;
}

/* -- at boot: addresses below mapped_end are mapped as they are -- */

#define XEN_SLOTS     256u /* of a top table: Xen's own, which it fills in */
#define XEN_SLOTS_END 272u
_Static_assert(HW_DIRECT_SLOT >= XEN_SLOTS_END, "above what Xen keeps");

/* The top table of user mode: the entries of the kernel's. */
static void user_table_fill(uint64_t *table, uint64_t direct_entry)
{
    const uint64_t *kernel = (const uint64_t *)xenpv_start.tables;
    unsigned i;

    for (i = 0; i < 512; i++)
        table[i] = i >= XEN_SLOTS && i < XEN_SLOTS_END ? 0 : kernel[i];
    table[HW_DIRECT_SLOT] = direct_entry;
}

static void user_table_use(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_NEW_USER_BASEPTR};

    op.arg1.mfn = xenpv_machine_of(xenpv_start.user_table) / HW_PAGE;
    if (xen_hypercall(__HYPERVISOR_mmuext_op, (uint64_t)&op, 1, 0, DOMID_SELF,
                      0) != 0)
        hw_crash("Xen refused the user mode's table", NULL, 0, 134);
}

static void boot_direct(void)
{
    uint64_t seconds = (ram_end() + (1ull << 30) - 1) >> 30;
    uint64_t firsts = (xenpv_start.mapped_end + HW_LARGE - 1) / HW_LARGE;
    /* Nine bytes a frame are carved before there are frames: in two pieces, by
     * xenpv_frames_extend() and hw_frames_init(). */
    uint64_t spares = xenpv_start.frame_max * 9 / HW_LARGE + 2 + SPARES_MIN;
    uint64_t *third, *second, i, at, direct_entry;

    boot_tables = xenpv_start.free;
    xenpv_start.user_table = boot_tables + (1 + seconds + firsts) * HW_PAGE;
    boot_tables_end = xenpv_start.user_table + HW_PAGE;
    direct_entry = xenpv_machine_of(boot_tables) | XENPV_TABLE;
    spare_next = boot_tables_end;
    spare_end = spare_next + spares * HW_PAGE;
    if (spare_end > xenpv_start.mapped_end)
        hw_crash("too much memory for this image to map", NULL, ram_end(), 134);
    hw_machine_take(boot_tables, spare_end);
    for (at = boot_tables; at < boot_tables_end; at += HW_PAGE)
        hw_page_zero((void *)at);
    third = (uint64_t *)boot_tables;
    second = third + 512;
    for (i = 0; i < seconds; i++)
        third[i] = xenpv_machine_of((uint64_t)(second + i * 512)) | XENPV_TABLE;
    for (i = 0; i < firsts; i++) {
        at = boot_tables + (1 + seconds + i) * HW_PAGE;
        table_fill((uint64_t *)at, i * HW_LARGE);
        second[i] = xenpv_machine_of(at) | XENPV_TABLE;
    }
    user_table_fill((uint64_t *)xenpv_start.user_table, direct_entry);
    for (at = boot_tables; at < boot_tables_end; at += HW_PAGE)
        xenpv_address_map(at, xenpv_machine_of(at) | PTE_PRESENT | PTE_NX);
    xenpv_entry_write(xenpv_machine_of(xenpv_start.tables) + HW_DIRECT_SLOT * 8,
                      direct_entry);
    user_table_use();
}

/* The first mapping: of the image what its program headers say, of the rest
 * nothing. */
static void image_protect(void)
{
    uint64_t at = XENPV_PHYSICAL_START, bits, end;

    for (; at < hw_info.image_end; at = end) {
        bits = hw_image_bits(at, &end);
        xenpv_image_map(at, end, bits);
    }
    xenpv_image_map(at, xenpv_start.mapped_end, 0);
}

void xenpv_direct_init(void)
{
    struct hw_range *initrd = &hw_machine.initrd;

    boot_direct();
    xenpv_start.frames = hw_physical((uint64_t)xenpv_start.frames);
    xenpv_start.info = hw_physical((uint64_t)xenpv_start.info);
    hw_info.command_line = hw_physical((uint64_t)hw_info.command_line);
    if (initrd->end != 0) {
        hw_info.initrd = hw_physical(initrd->start);
        hw_info.initrd_size = initrd->end - initrd->start;
    }
    hw_pml4[0] = (uint64_t)hw_pdpt_low | PTE_PRESENT | PTE_WRITE;
    image_protect();
    /* Now that no spare is writable twice. */
    xenpv_frames_extend();
}
