/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of base/hw call of each other. Drivers need hw.h only.
 */
#ifndef HALVM_HW_PARTS_H
#define HALVM_HW_PARTS_H

#include "base/xenpv/xenpv.h"
#include "boot.h"
#include "hw.h"

#define HW_PAGE         4096ull
#define HW_LARGE        (1ull << 21) /* a page of the second level */
#define HW_FRAMES_LARGE 512u         /* frames in it */

#define HW_NEVER UINT64_MAX

/* Below 2 GiB, for MAP_32BIT; above any image. */
#define HW_ARENA_START 0x40000000ull     /* 1 GiB */
#define HW_ARENA_END   0x400000000000ull /* 64 TiB */
/* Pages of other domains (xen_programs.c): nothing else is near. */
#define HW_FOREIGN 0x500000000000ull

/* -- assertions: our bugs, and core's -- */

void hw_assert_failed(const char *file, int line)
    __attribute__((noreturn, cold));
#define HW_ASSERT(condition)                                                   \
    do {                                                                       \
        if (__builtin_expect(!(condition), 0))                                 \
            hw_assert_failed(__FILE__, __LINE__);                              \
    } while (0)

/* -- the machine as the loader described it (machine.c) -- */

#define HW_RAM_RANGES   16 /* pieces of RAM; what is beyond is not used */
#define HW_TAKEN_RANGES 24

struct hw_range {
    uint64_t start, end; /* physical; multiples of HW_PAGE */
};

struct hw_machine {
    struct hw_range ram[HW_RAM_RANGES]; /* ascending, disjoint */
    unsigned ram_count;
    struct hw_range taken[HW_TAKEN_RANGES]; /* ascending after ..._sort */
    unsigned taken_count;
    uint64_t growth_end;    /* the last piece may grow so far; 0: it may not */
    uint64_t carved;        /* pages that hw_machine_carve() took */
    struct hw_range initrd; /* bytes, not pages; empty if none */
};
extern struct hw_machine hw_machine;

/* Reads what the loader left at info (physical; xenpv: an address). */
void hw_machine_init(unsigned loader, uint64_t info);
/* What the parts that know a loader say: a piece of RAM, the initrd (only the
 * first is taken), the command line where it is mapped. */
void hw_machine_ram(uint64_t start, uint64_t size);
void hw_machine_initrd(uint64_t start, uint64_t size);
void hw_machine_command_line(const char *line, uint64_t physical);
/* Keeps [start, end) out of the allocator. */
void hw_machine_take(uint64_t start, uint64_t end);
/* Finds size bytes of RAM below 1 GiB, takes and returns them. */
uint64_t hw_machine_carve(uint64_t size);
void hw_machine_sort_taken(void);

/* -- frames (frames.c) -- */

#define HW_ORDER_LARGE 9u

/* Returns the number of frames that are taken, through *taken, and of all. */
uint64_t hw_frames_init(uint64_t *taken);
/* 2^order contiguous frames, not zeroed; 0 if there are none. */
uint64_t hw_frame_get(unsigned order);
void hw_frame_put(uint64_t physical, unsigned order);
/* A frame that was got and is now the hypervisor's: notes it, or that it is
 * back, to be put; and the first such at or above physical, 0 if none. */
void hw_frame_absent_set(uint64_t physical, bool absent);
uint64_t hw_frame_absent_next(uint64_t physical);

/* -- the direct map, device registers, the image (direct.c) -- */

/* Maps loader data, before there are frames. */
const void *hw_boot_map(uint64_t physical, size_t size);
/* All of RAM, the initrd, and the image with its real protection. */
void hw_direct_init(void);
/* What the program headers want of a page of the image, and of those behind it
 * up to *end: PTE_* bits, 0 if they do not have it. */
uint64_t hw_image_bits(uint64_t page, uint64_t *end);
/* The program's text, for backtraces. */
extern struct hw_range hw_text;

/* -- the arena (pagetable.c) -- */

extern uint64_t hw_pml4[512], hw_pdpt_low[512], hw_pd_low[512];
extern uint64_t hw_pdpt_direct[512], hw_pd_direct[512];

#define PTE_PRESENT  (1ull << 0)
#define PTE_WRITE    (1ull << 1)
#define PTE_USER     (1ull << 2) /* and the next two: in a PV guest only */
#define PTE_ACCESSED (1ull << 5)
#define PTE_DIRTY    (1ull << 6)
#define PTE_UNCACHED (3ull << 3) /* PWT, PCD */
#define PTE_LARGE    (1ull << 7) /* a leaf of the second level, mapped or not */
#define PTE_MAPPED   (1ull << 9) /* ours: promised */
#define PTE_FRAME    (1ull << 10) /* ours: touched, has a frame */
#define PTE_ACCESS   (1ull << 11) /* ours: protection is not NONE */
#define PTE_ADDRESS  0x000ffffffffff000ull
#define PTE_NX       (1ull << 63)
/* Entries in use of the table below, kept in the entry that points to it. */
#define PTE_COUNT_ONE  (1ull << 52)
#define PTE_COUNT_MASK (0x3ffull << 52)

static inline uint64_t *hw_table(uint64_t entry)
{
    return hw_physical(entry & PTE_ADDRESS);
}
static inline unsigned hw_index(uint64_t address, unsigned level)
{
    return address >> (12 + 9 * (level - 1)) & 511;
}

static inline void hw_page_zero(void *page)
{
    size_t count = HW_PAGE / 8;
    __asm__ volatile("rep stosq" : "+D"(page), "+c"(count) : "a"(0) : "memory");
}
/* What a processor remembers of page tables. In a PV guest the software's
 * tables are not the processor's: base/xenpv/pagetable.c. */
static inline void hw_tlb_flush(void)
{
    uint64_t cr3;

    if (xen_pv)
        return;
    __asm__ volatile("mov %%cr3, %0; mov %0, %%cr3" : "=r"(cr3)::"memory");
}
static inline void hw_tlb_flush_page(uint64_t address)
{
    if (!xen_pv)
        __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}

/* Gives the promised page at address a frame, if access (BASE_FAULT_*) is
 * what its protection allows. False: that is a fault. */
bool hw_arena_touch(uint64_t address, uint32_t access);
/* Before anything that changes tables or lists of frames. */
void hw_stack_touch(void);
/* The entry that decides about address, or 0. *size: bytes it decides. */
uint64_t hw_arena_entry(uint64_t address, uint64_t *size);

/* -- memory of base.h (memory.c) -- */

void hw_memory_init(void);
/* A zeroed page for a page table. Never fails if hw_memory_free() counted it
 * beforehand; at boot a failure ends the machine. */
uint64_t hw_table_get(void);
void hw_table_put(uint64_t physical);
uint64_t hw_memory_free(void); /* pages */
/* Frames that stand behind one page table: 1, and 1 more in a PV guest for the
 * processor's own. Tables are counted and reserved by it. */
extern unsigned hw_table_frames;
/* Whether a byte can be read without a fault: for crash reports. */
bool hw_readable(uint64_t address);

/* What pagetable.c keeps up to date. */
struct hw_accounts {
    uint64_t total, image, tables, promised, resident;
};
extern struct hw_accounts hw_accounts;

enum base_status hw_mem_map(uint64_t addr, uint64_t size, uint32_t prot);
void hw_mem_unmap(uint64_t addr, uint64_t size);
enum base_status hw_mem_move(uint64_t from, uint64_t to, uint64_t size);
void hw_mem_stats(struct base_memory *out);
bool hw_mem_resident(uint64_t addr);

/* -- processor (cpu.c, entry.S) -- */

struct hw_cpu {
    bool hypervisor, tcg, kvm, xen;
    bool fsgsbase, x2apic, tsc_deadline, rdrand, rdseed, page_1g;
    uint32_t hypervisor_leaf; /* 0x40000000 or where KVM's leaves begin */
    uint32_t hypervisor_leaf_max;
};
extern struct hw_cpu hw_cpu;

void hw_cpu_init(void);
void hw_tp_set(uint64_t value);

/* What entry.S pushes; the frame of base.h but for what the processor puts
 * in between. */
struct hw_trap {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

extern const char hw_vectors_exception[], hw_vectors_device[];
extern const char hw_syscall_entry[];
extern const char hw_idle_halt[], hw_idle_end[];
/* Interrupts off; returns when there was one. */
void hw_idle(void);
extern uint8_t hw_trap_stacks[HW_IST_COUNT][HW_TRAP_STACK_SIZE];
void hw_interrupt(struct hw_trap *trap);
/* The end of every interrupt: tells core, if anything is ready. */
void hw_interrupt_end(struct hw_trap *trap);
void hw_page_fault(struct hw_trap *trap, uint64_t address);
void hw_exception(struct hw_trap *trap);
/* Calls hw_upcall_main(ready, fault) on the stack that ends at stack_top. */
void hw_upcall_enter(void *stack_top, uint32_t ready,
                     const struct base_fault *fault) __attribute__((noreturn));
void hw_upcall_main(uint32_t ready, const struct base_fault *fault)
    __attribute__((noreturn));
/* Interrupts off: loads frame and goes on in it. */
void hw_frame_resume(const struct arch_frame *frame) __attribute__((noreturn));

static inline void hw_wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value),
                     "d"((uint32_t)(value >> 32)));
}
static inline uint64_t hw_rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

/* -- interrupts and events (interrupt.c, apic.c, event.c) -- */

#define HW_VECTOR_TIMER    HW_VECTORS_EXCEPTION
#define HW_VECTOR_SPURIOUS (HW_VECTORS - 1)

void hw_apic_init(void);
void hw_apic_eoi(void);
uint32_t hw_apic_id(void);
/* The one-shot counter, divided by one; 0 stops it. */
void hw_apic_timer_start(uint32_t count);
uint32_t hw_apic_timer_read(void);
/* Points the timer's interrupt at HW_VECTOR_TIMER, or masks it. */
void hw_apic_timer_mode(bool enabled, bool tsc_deadline);
bool hw_ioapic_route(unsigned gsi, uint8_t vector, bool level, bool active_low);

extern struct base_upcall hw_upcall;
extern bool hw_upcall_known;
/* Bits that were made ready and not yet taken. Interrupts off. */
uint32_t hw_ready_take(void);
uint32_t hw_wait(uint64_t deadline_ns);
void hw_timer_set(uint64_t deadline_ns);
void hw_timer_interrupt(void);
/* The hardware has forgotten its alarm. */
void hw_timer_resume(void);
void hw_upcall_set(const struct base_upcall *upcall);
void hw_resume(struct arch_context *context);

/* What is not needed before a program first waits or opens a device: ACPI,
 * console input, the power button. Cheap when done. */
void hw_late_init(void);
/* Interrupts off: sees to it that this is called, if nothing else does. */
void hw_late_arm(void);

/* -- clock (clock.c) -- */

void hw_clock_init(void);
uint64_t hw_clock_monotonic(void);
uint64_t hw_clock_wall(void);
/* Makes the processor's timer fire delta_ns from now at the earliest. */
void hw_clock_alarm(uint64_t deadline_ns, uint64_t now_ns);

/* -- console, entropy, the end (console.c, entropy.c, crash.c, exit.c) -- */

void hw_console_init(void);
/* Memory and interrupts work: without a serial port, look for virtio's. */
void hw_console_devices(void);
void hw_console_input_init(void);
void hw_console_write(const void *data, size_t size);
size_t hw_console_read(void *data, size_t size);
/* For reports: understands %s, %x (16 digits) and %d, all 64 bits wide. */
void hw_print(const char *format, ...) __attribute__((cold));

size_t hw_entropy(void *data, size_t size);

void hw_exit(int status) __attribute__((noreturn));
void hw_abort(const char *why) __attribute__((noreturn));
/* Reports and ends the machine; trap may be NULL. */
void hw_crash(const char *why, const struct hw_trap *trap, uint64_t address,
              int status) __attribute__((noreturn, cold));

/* start.S: boot's and core_main's; HW_STACK_SIZE bytes. */
extern uint8_t hw_stack[];
void hw_boot(unsigned loader, uint64_t info) __attribute__((noreturn));

#endif
