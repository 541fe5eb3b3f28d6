/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Base xenpv: a paravirtual guest of Xen. It is base hw with another ground
 * under it: memory, interrupts, events, clocks and crash reports are base/hw's
 * files, which call the functions below where xen_pv says so; and core, the
 * application and most of the base run in PV user mode (entry.S says why).
 */
#ifndef HALVM_XENPV_H
#define HALVM_XENPV_H

#include <stdint.h>
#include <xen/xen.h>

#include "base.h"
#include "drivers/xen/xen.h"
#include "halvm_limits.h"

struct hw_trap;

/* Physical addresses here are guest frames' with the offset that the notes
 * give the image (XEN_ELFNOTE_PADDR_OFFSET), so that the image is, as on bare
 * hardware, at its own physical addresses, and frame 0 at this one. */
#define XENPV_PHYSICAL_START 0x100000ull

/* The number of a physical page as the guest counts: what populate_physmap
 * wants. */
static inline uint64_t xen_guest_frame(uint64_t physical)
{
    return (physical - (xen_pv ? XENPV_PHYSICAL_START : 0)) / LIMIT_PAGE_SIZE;
}

/* -- at boot -- */

/* From start.S, in PV kernel mode; stack is the one that Xen gave. */
void xenpv_boot(struct start_info *start, uint64_t stack)
    __attribute__((noreturn));
/* What struct start_info says, for hw_machine_init() (machine.c). */
void xenpv_machine_read(const struct start_info *start);
/* As hw_direct_init(): the direct map of what is mapped already, the image's
 * protection (direct.c). */
void xenpv_direct_init(void);
/* Room in the list of frames for what the guest may grow to (machine.c). */
void xenpv_frames_extend(void);
/* Frames to be kept for tables of the direct map; called once. */
uint64_t xenpv_direct_tables(void);
/* Sees to it that [start, end) is in the direct map. */
void xenpv_direct_need(uint64_t start, uint64_t end);
/* After it, once there are frames: takes one for the next time. */
void xenpv_direct_spare(void);

/* For a frame that goes to Xen, and comes from it: out of the direct map and
 * back, and which machine frame it is. */
#define XENPV_NO_FRAME UINT64_MAX
void xenpv_direct_remove(uint64_t physical);
void xenpv_direct_restore(uint64_t physical);
void xenpv_frame_set(uint64_t physical, uint64_t machine_frame);

/* Pages of Xen's own, by index. */
#define XENPV_WINDOW 0xffffc00000000000ull
void xenpv_window_map(unsigned index, uint64_t machine);
void xenpv_window_unmap(unsigned index);
/* The machine address of the processor's entry for an address outside of all
 * that is mapped here, for Xen to write: its tables are made, and accounted. */
uint64_t xenpv_foreign_entry(uint64_t address);

struct xenpv_start {
    uint64_t tables, tables_end; /* what Xen built, top table first */
    uint64_t user_table;         /* the top table of user mode: a copy */
    uint64_t mapped_end;         /* of what it mapped, from 1 MiB on */
    uint64_t free;               /* first byte that nothing uses */
    uint64_t frame_count;        /* of the guest: entries of frames */
    uint64_t frame_max;          /* that it may come to have */
    struct start_info *info;
    uint64_t *frames; /* guest frame -> machine frame */
};
extern struct xenpv_start xenpv_start;

/* -- the processor's own page tables (pagetable.c) -- */

/* Machine address of a physical one, and back. */
uint64_t xenpv_machine_of(uint64_t physical);
uint64_t xenpv_physical_of(uint64_t machine);
/* Xen's word for which frame of the guest's a machine frame is: -ENOSYS in
 * kernel mode, where its list (machine_to_phys_mapping) can be read. In user
 * mode it cannot. */
uint64_t xenpv_guest_frame_read(uint64_t machine_frame);
/* Tells the processor of the page at address, and its neighbours. */
void xenpv_page_publish(uint64_t address);
/* Tells it of all that changed in [start, start + size). */
void xenpv_range_publish(uint64_t start, uint64_t size);
/* Frees the table that the entry of this level for address points to: it has
 * no entries left in ours. */
void xenpv_table_drop(uint64_t address, unsigned level);
/* Writes one entry of the processor's tables, at a machine address. */
void xenpv_entry_write(uint64_t machine, uint64_t value);
/* At boot: gives the pages of [start, end), which are mapped at their physical
 * addresses, these rights, or with 0 unmaps them. */
void xenpv_image_map(uint64_t start, uint64_t end, uint64_t bits);
/* Maps one page at an address whose table is there already. */
void xenpv_address_map(uint64_t address, uint64_t entry);
/* What an entry of a higher level has besides an address. */
#define XENPV_TABLE 0x67ull /* present, writable, user, accessed, dirty */

/* -- traps and events (interrupt.c, entry.S) -- */

void xenpv_interrupt_init(void);
void xenpv_trap(struct hw_trap *trap);
void xenpv_interrupt(struct hw_trap *trap);
void xenpv_resume_try(struct arch_context *context);
/* As hw_upcall_enter(), from kernel mode. */
void xenpv_upcall_enter(void *stack_top, uint32_t ready,
                        const struct base_fault *fault)
    __attribute__((noreturn));
void xenpv_resume(struct arch_context *context);
void xenpv_frame_resume(const struct arch_frame *frame)
    __attribute__((noreturn));
void xenpv_user_call(uint64_t first, uint64_t second, uint64_t function,
                     void *stack_top) __attribute__((noreturn));
/* Sleeps until there is an event. Called with them masked, returns so. */
void xenpv_idle(void);
void xenpv_tp_set(uint64_t value);

#endif
