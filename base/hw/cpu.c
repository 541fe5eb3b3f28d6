/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The processor: what it has, its control registers, segments and vectors.
 *
 * Called once at boot, before interrupts are on. Intel SDM volume 3; CPUID
 * leaves of hypervisors: Linux's arch/x86/include/asm/{kvm_para,hypervisor}.h.
 */
#include <xen/arch-x86/cpuid.h>

#include "parts.h"

#define CR4_OSFXSR   (1ull << 9)
#define CR4_FSGSBASE (1ull << 16)
#define CR4_OSXSAVE  (1ull << 18)
#define XCR0_WANTED  0xe7 /* x87, SSE, AVX, AVX-512; never AMX */
#define XCR0_AVX     0x06 /* SSE and AVX; AVX-512 needs both */
#define XCR0_AVX512  0xe0
#define MSR_FS_BASE  0xc0000100
#define MSR_STAR     0xc0000081
#define MSR_LSTAR    0xc0000082
#define MSR_FMASK    0xc0000084
#define RFLAGS_DF    0x400
#define RFLAGS_TF    0x100

#define GATE_INTERRUPT 0x8e00ull

struct hw_cpu hw_cpu;

struct gate {
    uint64_t low, high;
};

static struct gate vectors[HW_VECTORS];

static struct {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map;
} __attribute__((packed)) task = {.io_map = 104};
_Static_assert(sizeof(task) == 104, "64-bit TSS");

uint8_t hw_trap_stacks[HW_IST_COUNT][HW_TRAP_STACK_SIZE]
    __attribute__((aligned(16)));
extern uint64_t hw_gdt[];

/* What we may use. In a PV guest the instruction itself may tell what only Xen
 * may: this prefix makes Xen answer (<xen/arch-x86/xen.h>). */
static void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
    if (!xen_pv)
        arch_cpuid(leaf, subleaf, out);
    else
        __asm__ volatile(XEN_EMULATE_PREFIX "cpuid"
                         : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]),
                           "=d"(out[3])
                         : "0"(leaf), "2"(subleaf));
}

static unsigned ist_of(unsigned vector)
{
    switch (vector) {
    case 14: /* #PF */
        return HW_IST_PAGE_FAULT;
    case 2:  /* NMI */
    case 8:  /* #DF */
    case 18: /* #MC */
        return HW_IST_MACHINE;
    default:
        return vector < HW_VECTORS_EXCEPTION ? HW_IST_EXCEPTION
                                             : HW_IST_INTERRUPT;
    }
}

static void vectors_init(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed))
    pointer = {sizeof(vectors) - 1, (uint64_t)vectors};
    unsigned i;

    for (i = 0; i < HW_VECTORS; i++) {
        uint64_t entry =
            i < HW_VECTORS_EXCEPTION
                ? (uint64_t)hw_vectors_exception + 16 * i
                : (uint64_t)hw_vectors_device + 8 * (i - HW_VECTORS_EXCEPTION);
        vectors[i].low = (entry & 0xffff) | HW_SELECTOR_CODE << 16 |
                         (uint64_t)ist_of(i) << 32 | GATE_INTERRUPT << 32 |
                         (entry >> 16 & 0xffff) << 48;
        vectors[i].high = entry >> 32;
    }
    __asm__ volatile("lidt %0" ::"m"(pointer));
}

static void task_init(void)
{
    uint64_t base = (uint64_t)&task;
    unsigned i;

    for (i = 0; i < HW_IST_COUNT; i++)
        task.ist[i] = (uint64_t)hw_trap_stacks[i + 1];
    hw_gdt[HW_SELECTOR_TSS / 8] = (sizeof(task) - 1) | (base & 0xffffff) << 16 |
                                  0x89ull << 40 | (base >> 24 & 0xff) << 56;
    hw_gdt[HW_SELECTOR_TSS / 8 + 1] = base >> 32;
    __asm__ volatile("ltr %w0" ::"r"(HW_SELECTOR_TSS));
}

static void hypervisor_detect(void)
{
    uint32_t regs[4];

    cpuid(0x40000000, 0, regs);
    hw_cpu.hypervisor_leaf = 0x40000000;
    hw_cpu.hypervisor_leaf_max = regs[0];
    hw_cpu.tcg = regs[1] == 0x54474354; /* "TCGT" */
    /* Behind Hyper-V's, if those are offered too, the others' are 0x100 up. */
    if (regs[1] == 0x7263694d) { /* "Micr" */
        cpuid(0x40000100, 0, regs);
        hw_cpu.hypervisor_leaf = 0x40000100;
        hw_cpu.hypervisor_leaf_max = regs[0];
    }
    hw_cpu.kvm = regs[1] == 0x4b4d564b; /* "KVMK" */
    hw_cpu.xen = regs[1] == XEN_CPUID_SIGNATURE_EBX;
}

static void features_detect(uint64_t *cr4, uint32_t *xcr0)
{
    uint32_t regs[4], leaf_max;

    cpuid(0, 0, regs);
    leaf_max = regs[0];
    cpuid(1, 0, regs);
    hw_cpu.x2apic = regs[2] >> 21 & 1;
    hw_cpu.tsc_deadline = regs[2] >> 24 & 1;
    hw_cpu.rdrand = regs[2] >> 30 & 1;
    hw_cpu.hypervisor = regs[2] >> 31 & 1;
    if (regs[2] >> 26 & 1) {
        *cr4 |= CR4_OSXSAVE;
        cpuid(0xd, 0, regs);
        *xcr0 = regs[0] & XCR0_WANTED;
        if ((*xcr0 & XCR0_AVX512) != XCR0_AVX512 ||
            (*xcr0 & XCR0_AVX) != XCR0_AVX)
            *xcr0 &= ~XCR0_AVX512;
    }
    if (leaf_max >= 7) {
        cpuid(7, 0, regs);
        hw_cpu.fsgsbase = regs[1] & 1;
        hw_cpu.rdseed = regs[1] >> 18 & 1;
        if (hw_cpu.fsgsbase)
            *cr4 |= CR4_FSGSBASE;
    }
    cpuid(0x80000001, 0, regs);
    hw_cpu.page_1g = regs[3] >> 26 & 1;
    if (hw_cpu.hypervisor)
        hypervisor_detect();
}

void hw_cpu_init(void)
{
    uint64_t cr4;
    uint32_t xcr0 = 0;

    if (!xen_pv) {
        vectors_init();
        task_init();
    }
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    features_detect(&cr4, &xcr0);
    __asm__ volatile("mov %0, %%cr4" ::"r"(cr4));
    if (xcr0 != 0)
        __asm__ volatile("xsetbv" ::"a"(xcr0), "d"(0), "c"(0));
    arch_fpu_init();
    if (xen_pv)
        return; /* Xen calls back for `syscall`, too */

    /* `syscall` in ring 0 keeps ring 0: both selectors are the ones in use. */
    hw_wrmsr(MSR_STAR, (uint64_t)HW_SELECTOR_CODE << 32);
    hw_wrmsr(MSR_LSTAR, (uint64_t)hw_syscall_entry);
    hw_wrmsr(MSR_FMASK, RFLAGS_DF | RFLAGS_TF);
}

void hw_tp_set(uint64_t value)
{
    if (hw_cpu.fsgsbase)
        __asm__ volatile("wrfsbase %0" ::"r"(value));
    else if (xen_pv)
        xenpv_tp_set(value);
    else
        hw_wrmsr(MSR_FS_BASE, value);
}
