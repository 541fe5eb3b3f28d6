/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of base/hw and the drivers under it share: bare x86-64.
 *
 * Addresses. The image runs at its physical addresses. All RAM is also mapped
 * at HW_DIRECT (read, write, no execute), which is how frames are zeroed and
 * page tables edited. The arena of base.h is above the image in the lower
 * half. Page 0 is mapped nowhere in the lower half.
 *
 * Interrupts are on (IF=1) nearly always, in core too; every vector has a
 * stack of its own (IST). Handlers registered here run on the interrupt stack
 * with interrupts off, use general registers only, and do no more than
 * acknowledge their device and call hw_ready().
 */
#ifndef HALVM_HW_H
#define HALVM_HW_H

#include "base.h"
#include "halvm_limits.h"

/* Xen keeps what is below this in the upper half to itself. */
#define HW_DIRECT 0xffff880000000000ull

extern struct base hw_base; /* not changed after boot */
extern struct base_info hw_info;

/* A paravirtual guest of Xen, where what would be privileged instructions is
 * done by base/xenpv (xen.c). */
extern bool xen_pv;
extern bool xen_present; /* that, or Xen's guest of another kind */
void xenpv_interrupts_off(void);
void xenpv_interrupts_on(void);

static inline void hw_interrupts_off(void)
{
    if (xen_pv)
        xenpv_interrupts_off();
    else
        __asm__ volatile("cli" ::: "memory");
}
static inline void hw_interrupts_on(void)
{
    if (xen_pv)
        xenpv_interrupts_on();
    else
        __asm__ volatile("sti" ::: "memory");
}

/* -- physical memory (memory.c, direct.c) -- */

/* The direct map's address of a physical one. */
static inline void *hw_physical(uint64_t physical)
{
    return (void *)(HW_DIRECT + physical);
}
/* The physical address behind any mapped one (image, direct map, arena),
 * touching it first if it was only promised. */
uint64_t hw_physical_of(const void *address);
/* count contiguous zeroed frames for the base itself (rings, buffers), in the
 * direct map; NULL if there are none. Accounted as tables. */
void *hw_pages_get(size_t count);
void hw_pages_put(void *pages, size_t count);
/* Device registers, uncached; and firmware's tables: what the direct map has
 * already is returned as it is there. Never fails but for want of page tables,
 * which ends the machine. */
volatile void *hw_mmio_map(uint64_t physical, size_t size);

/* -- interrupts (interrupt.c) -- */

/* Routes an I/O APIC line to handler(argument). */
enum base_status hw_irq_line(unsigned gsi, bool level, bool active_low,
                             void (*handler)(void *), void *argument);
/* A message-signalled interrupt: what to write into the device. */
enum base_status hw_irq_message(void (*handler)(void *), void *argument,
                                uint64_t *address, uint32_t *data);
/* From a handler: something is ready (enum base_ready). */
void hw_ready(uint32_t ready);
/* Sees to it that the base gets to work (xen_store_work()) at that time of
 * clock_monotonic() or before, also if the program only computes. Monitor
 * held; once: an earlier one takes its place. */
void hw_work_at(uint64_t deadline_ns);

/* -- what the loader said (machine.c, option.c) -- */

struct hw_platform {
    uint64_t acpi_rsdp; /* from the loader, or 0: then it is searched for */
};
extern struct hw_platform hw_platform;

/* The value of "halvm.NAME=" on the command line, or NULL. It stays until the
 * next call. */
const char *hw_option(const char *name);

/* -- what base.h says of devices (devices.c, net.c, blk.c, xen_programs.c) --
 */

/* Whether there are pages enough to make a device ready; BASE_NOMEM if not. */
bool hw_device_room(void);

enum base_status hw_dev_get(enum base_device_kind kind, unsigned index,
                            struct base_device *out);
enum base_status hw_net_get(unsigned index, struct base_device *out);
unsigned hw_net_send(unsigned index, const struct base_net_frame *frames,
                     unsigned count);
unsigned hw_net_recv(unsigned index, struct base_net_frame *frames,
                     unsigned count);
enum base_status hw_blk_get(unsigned index, struct base_device *out);
enum base_status hw_blk_submit(unsigned index,
                               const struct base_block_request *request);
unsigned hw_blk_reap(unsigned index, struct base_block_done *done,
                     unsigned count);

const struct base_xen *hw_xen_get(void); /* xen_programs.c */

/* Whether a disk that is so can do what core asks: the drivers' first check. */
static inline bool hw_blk_request_is_good(const struct base_device *about,
                                          const struct base_block_request *r)
{
    if (r->op == BASE_BLOCK_FLUSH)
        return true;
    if (r->op != BASE_BLOCK_READ && about->read_only)
        return false;
    if ((r->op == BASE_BLOCK_DISCARD && !about->discards) ||
        (r->op == BASE_BLOCK_ZERO && !about->zeroes))
        return false;
    return r->count > 0 && r->sector <= about->sector_count &&
           about->sector_count - r->sector >= r->count;
}

/* -- words to the console (devices.c) -- */

/* Writes the strings up to a NULL as one line, in one console_write: what an
 * operator must know, such as a device that lies. At most 160 bytes. */
void hw_log(const char *first, ...) __attribute__((sentinel));

/* -- ports -- */

static inline void hw_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}
static inline void hw_out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}
static inline void hw_out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port));
}
static inline uint8_t hw_in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline uint16_t hw_in16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline uint32_t hw_in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

#endif
