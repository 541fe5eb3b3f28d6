/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The upper half: all RAM at HW_DIRECT, the initrd read-only, device
 * registers; and the image in the lower half with its real protection.
 *
 * Called at boot, and by drivers for their registers. Nothing mapped here is
 * ever unmapped.
 */
#include <elf.h>

#include "parts.h"

#define HW_INITRD 0xffffc00000000000ull
#define HUGE      (1ull << 30) /* a page of the third level */
#define SPARES    2

struct hw_range hw_text;

extern const Elf64_Ehdr __ehdr_start;

static uint8_t spare_tables[SPARES][HW_PAGE] __attribute__((aligned(4096)));
static uint64_t image_table[512] __attribute__((aligned(4096)));
static unsigned spares_used;
static bool frames_ready;

/*
 * A page for a table: before the RAM is known from the image (enough for
 * loader data in two gigabytes besides the first), then from RAM itself.
 */
static uint64_t table_new(void)
{
    uint64_t table;

    if (spares_used < SPARES)
        return (uint64_t)spare_tables[spares_used++];
    if (frames_ready)
        return hw_table_get();
    if (hw_machine.ram_count == 0)
        hw_crash("loader data are scattered too widely", NULL, 0, 134);
    table = hw_machine_carve(HW_PAGE);
    hw_page_zero(hw_physical(table));
    return table;
}

static uint64_t *table_below(uint64_t *entry)
{
    if (*entry == 0)
        *entry = table_new() | PTE_PRESENT | PTE_WRITE;
    return hw_table(*entry);
}

/* The second-level entry of an address of the upper half, or NULL if it is
 * inside a page of 1 GiB. */
static uint64_t *large_entry(uint64_t address)
{
    uint64_t *entry = &hw_pml4[hw_index(address, 4)];

    entry = &table_below(entry)[hw_index(address, 3)];
    if (*entry & PTE_LARGE)
        return NULL;
    return &table_below(entry)[hw_index(address, 2)];
}

/* Maps what is not mapped yet of [physical, physical + size). */
static void large_map(uint64_t window, uint64_t physical, uint64_t size,
                      uint64_t bits)
{
    uint64_t at = physical & ~(HW_LARGE - 1);

    for (; at < physical + size; at += HW_LARGE) {
        uint64_t *entry = large_entry(window + at);
        if (entry && *entry == 0)
            *entry = at | bits | PTE_LARGE | PTE_PRESENT | PTE_NX;
    }
}

const void *hw_boot_map(uint64_t physical, size_t size)
{
    large_map(HW_DIRECT, physical, size, PTE_WRITE);
    return hw_physical(physical);
}

volatile void *hw_mmio_map(uint64_t physical, size_t size)
{
    large_map(HW_DIRECT, physical, size, PTE_WRITE | PTE_UNCACHED);
    return hw_physical(physical);
}

static void ram_map(const struct hw_range *ram)
{
    uint64_t at = ram->start;

    while (at < ram->end) {
        uint64_t next = (at | (HUGE - 1)) + 1;
        uint64_t *entry;

        if (next > ram->end)
            next = ram->end;
        entry = &hw_pml4[hw_index(HW_DIRECT + at, 4)];
        entry = &table_below(entry)[hw_index(at, 3)];
        if (next - at == HUGE && hw_cpu.page_1g && *entry == 0)
            *entry = at | PTE_LARGE | PTE_PRESENT | PTE_WRITE | PTE_NX;
        else
            large_map(HW_DIRECT, at, next - at, PTE_WRITE);
        at = next;
    }
}

/* Where two headers share a page it has the rights of both. */
uint64_t hw_image_bits(uint64_t page, uint64_t *end)
{
    const Elf64_Phdr *header =
        (const void *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
    uint64_t bits = 0;
    unsigned i;

    *end = hw_info.image_end;
    for (i = 0; i < __ehdr_start.e_phnum; i++, header++) {
        uint64_t start = header->p_vaddr & ~(HW_PAGE - 1);
        uint64_t stop = header->p_vaddr + header->p_memsz;

        if (header->p_type != PT_LOAD || page >= stop)
            continue;
        if (page < start)
            stop = start;
        if (stop < *end)
            *end = (stop + HW_PAGE - 1) & ~(HW_PAGE - 1);
        if (page < start)
            continue;
        if (bits == 0)
            bits = PTE_PRESENT | PTE_NX;
        if (header->p_flags & PF_W)
            bits |= PTE_WRITE;
        if (header->p_flags & PF_X) {
            bits &= ~PTE_NX;
            hw_text.start = header->p_vaddr;
            hw_text.end = header->p_vaddr + header->p_memsz;
        }
    }
    return bits;
}

#define IMAGE_PIECES 64 /* 128 MiB of image */

static void image_protect(void)
{
    uint64_t *tables[IMAGE_PIECES], page = hw_info.image_start, bits, end;
    unsigned count = (hw_info.image_end + HW_LARGE - 1) / HW_LARGE;
    unsigned i;

    if (count > IMAGE_PIECES)
        hw_crash("the image is too large", NULL, hw_info.image_end, 134);
    tables[0] = image_table;
    for (i = 1; i < count; i++)
        tables[i] = hw_physical(table_new());
    while (page < hw_info.image_end) {
        bits = hw_image_bits(page, &end);
        for (; page < end; page += HW_PAGE)
            if (bits != 0)
                tables[page / HW_LARGE][hw_index(page, 1)] = page | bits;
    }
    hw_pd_low[0] = (uint64_t)image_table | PTE_PRESENT | PTE_WRITE;
    for (i = 1; i < count; i++)
        hw_pd_low[i] =
            ((uint64_t)tables[i] - HW_DIRECT) | PTE_PRESENT | PTE_WRITE;
    hw_tlb_flush();
}

void hw_direct_init(void)
{
    const struct hw_range *initrd = &hw_machine.initrd;
    unsigned i;

    for (i = 0; i < hw_machine.ram_count; i++)
        ram_map(&hw_machine.ram[i]);
    if (initrd->end != 0) {
        /* Read-only, and so are its neighbours in this view of them. */
        large_map(HW_INITRD, initrd->start, initrd->end - initrd->start, 0);
        hw_info.initrd = (const void *)(HW_INITRD + initrd->start);
        hw_info.initrd_size = initrd->end - initrd->start;
        if (initrd->start % HW_PAGE != 0)
            hw_crash("the initrd is not page-aligned", NULL, initrd->start,
                     134);
    }
    image_protect();
    frames_ready = true;
}
