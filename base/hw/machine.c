/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the loader says of the machine: RAM, command line, initrd, ACPI.
 *
 * Called once at boot. The loader's data stay where they are: what is needed
 * later (command line, initrd, GRUB's copy of the RSDP) is kept out of the
 * allocator, the rest is read here and forgotten.
 *
 * PVH: Xen's public/arch-x86/hvm/start_info.h. Multiboot2: specification 2.0,
 * section 3.6.
 */
#include "drivers/xen/guest.h"
#include "parts.h"

#define PVH_MAGIC 0x336ec578u

struct pvh_start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp;
    uint64_t memory_map; /* version 1 on */
    uint32_t memory_map_count, reserved;
};
struct pvh_module {
    uint64_t address, size, command_line, reserved;
};
struct pvh_memory {
    uint64_t address, size;
    uint32_t type, reserved;
};

#define MEMORY_RAM 1u

#define STATUS_NOT_STARTED 125 /* docs/exit-status.md */

enum multiboot2_tag_type {
    MULTIBOOT2_END = 0,
    MULTIBOOT2_COMMAND_LINE = 1,
    MULTIBOOT2_MODULE = 3,
    MULTIBOOT2_MEMORY = 6,
    MULTIBOOT2_ACPI_OLD = 14,
    MULTIBOOT2_ACPI_NEW = 15,
};
struct multiboot2_info {
    uint32_t size, reserved;
};
struct multiboot2_tag {
    uint32_t type, size;
};
struct multiboot2_module {
    struct multiboot2_tag tag;
    uint32_t start, end;
};
struct multiboot2_memory {
    struct multiboot2_tag tag;
    uint32_t entry_size, entry_version;
    struct pvh_memory entries[]; /* the same layout */
};
_Static_assert(sizeof(struct pvh_start_info) == 56, "PVH ABI");
_Static_assert(sizeof(struct pvh_memory) == 24, "PVH and multiboot2 ABI");

struct hw_machine hw_machine;
struct hw_platform hw_platform;

extern const char __ehdr_start[], _end[];

static uint64_t page_up(uint64_t address)
{
    return (address + HW_PAGE - 1) & ~(HW_PAGE - 1);
}

static uint64_t page_down(uint64_t address)
{
    return address & ~(HW_PAGE - 1);
}

void hw_machine_take(uint64_t start, uint64_t end)
{
    struct hw_machine *m = &hw_machine;

    if (start >= end)
        return;
    if (m->taken_count == HW_TAKEN_RANGES)
        hw_crash("too many modules", NULL, 0, 134);
    m->taken[m->taken_count].start = page_down(start);
    m->taken[m->taken_count].end = page_up(end);
    m->taken_count++;
}

/* Loaders give the map in ascending order, and some with neighbours split. */
void hw_machine_ram(uint64_t start, uint64_t size)
{
    struct hw_machine *m = &hw_machine;
    uint64_t end = page_down(start + size);
    unsigned i, at;

    start = page_up(start);
    if (start >= end)
        return;
    for (at = m->ram_count; at > 0 && m->ram[at - 1].start > start; at--)
        ;
    if (at > 0 && m->ram[at - 1].end >= start) {
        if (m->ram[at - 1].end < end)
            m->ram[at - 1].end = end;
        return;
    }
    if (m->ram_count == HW_RAM_RANGES)
        return;
    for (i = m->ram_count; i > at; i--)
        m->ram[i] = m->ram[i - 1];
    m->ram[at].start = start;
    m->ram[at].end = end;
    m->ram_count++;
}

void hw_machine_initrd(uint64_t start, uint64_t size)
{
    if (hw_machine.initrd.end != 0 || size == 0)
        return; /* only the first module is ours */
    hw_machine.initrd.start = start;
    hw_machine.initrd.end = start + size;
    hw_machine_take(start, start + size);
}

void hw_machine_command_line(const char *line, uint64_t physical)
{
    size_t size = 0;

    while (size < LIMIT_COMMAND_LINE_SIZE && line[size] != 0)
        size++;
    if (size == LIMIT_COMMAND_LINE_SIZE)
        hw_crash("command line longer than 4095 bytes", NULL, 0, 134);
    hw_machine_take(physical, physical + size + 1);
    hw_info.command_line = line;
}

static void command_line_at(uint64_t physical)
{
    hw_machine_command_line(hw_boot_map(physical, LIMIT_COMMAND_LINE_SIZE),
                            physical);
}

static void pvh_read(uint64_t physical)
{
    const struct pvh_start_info *info = hw_boot_map(physical, sizeof(*info));
    const struct pvh_memory *memory;
    const struct pvh_module *module;
    unsigned i;

    if (info->magic != PVH_MAGIC || (info->version < 1 && !xen_present))
        hw_crash("the PVH loader gave no memory map", NULL, 0, 134);
    hw_platform.acpi_rsdp = info->rsdp;
    if (info->command_line != 0)
        command_line_at(info->command_line);
    if (info->module_count > 0) {
        module = hw_boot_map(info->modules, sizeof(*module));
        hw_machine_initrd(module->address, module->size);
    }
    if (info->version < 1) {
        xen_hvm_memory_read(); /* as Xen itself starts its first domain */
        return;
    }
    memory =
        hw_boot_map(info->memory_map, info->memory_map_count * sizeof(*memory));
    for (i = 0; i < info->memory_map_count; i++)
        if (memory[i].type == MEMORY_RAM)
            hw_machine_ram(memory[i].address, memory[i].size);
}

static void multiboot2_memory_read(const struct multiboot2_memory *tag)
{
    uint32_t offset;

    if (tag->entry_size < sizeof(tag->entries[0]))
        return;
    for (offset = 16; offset + tag->entry_size <= tag->tag.size;
         offset += tag->entry_size) {
        const struct pvh_memory *entry =
            (const void *)((const char *)tag + offset);
        if (entry->type == MEMORY_RAM)
            hw_machine_ram(entry->address, entry->size);
    }
}

static void multiboot2_read(uint64_t physical)
{
    const struct multiboot2_info *info = hw_boot_map(physical, sizeof(*info));
    uint32_t offset = sizeof(*info), size = info->size;

    hw_boot_map(physical, size);
    hw_machine_take(physical, physical + size);
    while (offset + sizeof(struct multiboot2_tag) <= size) {
        const void *here = (const char *)info + offset;
        const struct multiboot2_tag *tag = here;
        const struct multiboot2_module *module = here;

        if (tag->type == MULTIBOOT2_END || tag->size < sizeof(*tag))
            break;
        if (tag->type == MULTIBOOT2_COMMAND_LINE)
            command_line_at(physical + offset + sizeof(*tag));
        else if (tag->type == MULTIBOOT2_MODULE)
            hw_machine_initrd(module->start, module->end - module->start);
        else if (tag->type == MULTIBOOT2_MEMORY)
            multiboot2_memory_read(here);
        else if (tag->type == MULTIBOOT2_ACPI_NEW ||
                 (tag->type == MULTIBOOT2_ACPI_OLD &&
                  hw_platform.acpi_rsdp == 0))
            hw_platform.acpi_rsdp = physical + offset + sizeof(*tag);
        offset += (tag->size + 7) & ~7u;
    }
}

/* The machine was started with less than it takes to come to core, which says
 * the rest (core/main.c). */
static void say_too_small(uint64_t size) __attribute__((noreturn));
static void say_too_small(uint64_t size)
{
    uint64_t total = 0, taken = hw_machine.carved * HW_PAGE;
    unsigned i;

    for (i = 0; i < hw_machine.ram_count; i++)
        total += hw_machine.ram[i].end - hw_machine.ram[i].start;
    hw_print("\nhalvm: error: not enough memory to start\n");
    hw_print("  why: of %d KiB, tables have %d, the image takes %d",
             total / 1024, taken / 1024,
             (hw_info.image_end - hw_info.image_start) / 1024);
    hw_print(" and ends at %d KiB; missing: %d KiB\n", hw_info.image_end / 1024,
             size / 1024);
    hw_print("  fix: give the machine what halvm inspect --memory says\n");
    hw_exit(STATUS_NOT_STARTED);
}

/* All of the image is in one piece of RAM; where the machine ends before the
 * image does, its last variables read as they like. */
static void image_check(void)
{
    uint64_t end = 0;
    unsigned i;

    for (i = 0; i < hw_machine.ram_count; i++) {
        const struct hw_range *ram = &hw_machine.ram[i];
        if (hw_info.image_start < ram->start || hw_info.image_start >= ram->end)
            continue;
        if (hw_info.image_end <= ram->end)
            return;
        end = ram->end;
    }
    say_too_small(hw_info.image_end - (end ? end : hw_info.image_start));
}

void hw_machine_init(unsigned loader, uint64_t info)
{
    hw_info.image_start = (uint64_t)__ehdr_start;
    hw_info.image_end = page_up((uint64_t)_end);
    hw_info.arena_start = HW_ARENA_START;
    hw_info.arena_size = HW_ARENA_END - HW_ARENA_START;
    hw_info.command_line = "";
    hw_machine_take(0, HW_PAGE);
    hw_machine_take(hw_info.image_start, hw_info.image_end);
    switch (loader) {
    case HW_LOADER_PVH:
        pvh_read(info);
        break;
    case HW_LOADER_MULTIBOOT2:
        multiboot2_read(info);
        break;
    case HW_LOADER_XENPV:
        xenpv_machine_read((const void *)info);
        break;
    }
    image_check();
}

/* Downwards from the top of a piece, stepping below whatever is taken. */
static uint64_t carve_from(const struct hw_range *ram, uint64_t size)
{
    const struct hw_machine *m = &hw_machine;
    uint64_t end = ram->end < (1ull << 30) ? ram->end : 1ull << 30;
    unsigned i = 0;

    while (end >= ram->start + size && i < m->taken_count) {
        const struct hw_range *taken = &m->taken[i++];
        if (taken->start < end && taken->end > end - size) {
            end = taken->start;
            i = 0;
        }
    }
    return end >= ram->start + size ? end - size : 0;
}

uint64_t hw_machine_carve(uint64_t size)
{
    unsigned i = hw_machine.ram_count;
    uint64_t found = 0;

    size = page_up(size);
    while (i-- > 0 && found == 0)
        found = carve_from(&hw_machine.ram[i], size);
    if (found == 0)
        say_too_small(size);
    hw_machine_take(found, found + size);
    if (xen_pv)
        xenpv_direct_need(found, found + size);
    hw_machine.carved += size / HW_PAGE;
    return found;
}

/* Sorts and joins, so that each taken page is counted once. */
void hw_machine_sort_taken(void)
{
    struct hw_range *taken = hw_machine.taken;
    unsigned count = 0, i, at;

    for (i = 1; i < hw_machine.taken_count; i++) {
        struct hw_range range = taken[i];
        for (at = i; at > 0 && taken[at - 1].start > range.start; at--)
            taken[at] = taken[at - 1];
        taken[at] = range;
    }
    for (i = 1; i < hw_machine.taken_count; i++) {
        if (taken[i].start > taken[count].end)
            taken[++count] = taken[i];
        else if (taken[i].end > taken[count].end)
            taken[count].end = taken[i].end;
    }
    hw_machine.taken_count = count + 1;
}
