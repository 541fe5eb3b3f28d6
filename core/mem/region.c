/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Questions about the address space: /proc/self/maps, and whether a range is
 * mapped.
 */
#include "core/mem/mem.h"
#include "core/mem/vma.h"

/* The linker's: where the image's text ends. Weak, since a tender-made or
 * test image need not have it. */
extern const char etext[] __attribute__((weak));

static uint64_t image_text_end(void)
{
    uint64_t start = core_info->image_start, end = core_info->image_end;
    uint64_t text = mem_round_up((uint64_t)(uintptr_t)etext);
    return text > start && text < end ? text : start;
}

/* The image as two regions: text, and all the rest. */
static bool image_region(uint64_t address, struct mem_region *out)
{
    uint64_t start = core_info->image_start & ~MEM_PAGE_MASK;
    uint64_t end = mem_round_up(core_info->image_end);
    uint64_t text = image_text_end();
    if (address >= end)
        return false;
    out->reserve = false;
    out->name = "";
    if (address < text) {
        out->start = start;
        out->end = text;
        out->base_prot = BASE_PROT_READ | BASE_PROT_EXEC;
    } else {
        out->start = text > start ? text : start;
        out->end = end;
        out->base_prot = BASE_PROT_READ | BASE_PROT_WRITE;
    }
    return true;
}

bool mem_region_next(uint64_t address, struct mem_region *out)
{
    if (image_region(address, out))
        return true;
    const struct vma *vma = vma_find(address);
    if (vma == NULL)
        return false;
    out->start = vma->start;
    out->end = vma->end;
    out->base_prot = vma->prot;
    out->reserve = !vma_charged(vma);
    out->name = "";
    if (vma->flags & VMA_STACK)
        out->name = "[stack]";
    else if (vma->start < mem_brk_end && vma->end > mem_brk_start)
        out->name = "[heap]";
    return true;
}

bool mem_is_mapped(uint64_t address, uint64_t size, uint32_t base_prot)
{
    uint64_t end = address + size;
    if (size == 0)
        return true;
    if (end < address)
        return false;
    /* The image: its read-only part is the base's business. */
    uint64_t image_end = mem_round_up(core_info->image_end);
    if (address >= core_info->image_start && address < image_end)
        address = image_end;
    for (const struct vma *vma = vma_find(address); address < end;
         vma = vma_next(vma)) {
        if (vma == NULL || vma->start > address ||
            (vma->prot & base_prot) != base_prot)
            return false;
        address = vma->end;
    }
    return true;
}
