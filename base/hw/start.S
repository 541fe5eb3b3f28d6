/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a loader's 32-bit entry to hw_boot() in long mode.
 *
 * Both loaders enter in flat 32-bit protected mode without paging: PVH with
 * ebx = struct hvm_start_info, multiboot2 with eax = its magic and ebx = the
 * information block. bss is zero, as with any ELF loader.
 *
 * The first tables map the image, in 2 MiB pages, at its own address and in
 * the direct map. hw_pagetable_init() puts the real protection there.
 */
#include "boot.h"

#define CR0_START 0x80010033 /* PG WP NE ET MP PE */
#define CR4_START 0x00000620 /* PAE OSFXSR OSXMMEXCPT */
#define MSR_EFER   0xc0000080
#define EFER_START 0x901 /* NXE LME SCE */
#define PTE_TABLE  3     /* present, writable */
#define PTE_2M     0x83  /* present, writable, large */

    .section .text.hw_start, "ax", @progbits
    .code32
    .globl __halvm_start_pvh, __halvm_start_multiboot2
__halvm_start_multiboot2:
    mov $HW_LOADER_MULTIBOOT2, %ebp
    jmp 1f
__halvm_start_pvh:
    xor %ebp, %ebp
1:  cld
    /* From here on no call goes to a host kernel. */
    xor %eax, %eax
    mov $__halvm_gate_state, %edi
    mov $512 / 4, %ecx
    rep stosl

    movl $hw_pdpt_low + PTE_TABLE, hw_pml4
    movl $hw_pdpt_direct + PTE_TABLE, hw_pml4 + HW_DIRECT_SLOT * 8
    movl $hw_pd_low + PTE_TABLE, hw_pdpt_low
    movl $hw_pd_direct + PTE_TABLE, hw_pdpt_direct
    mov $PTE_2M, %eax
    xor %ecx, %ecx
2:  mov %eax, hw_pd_low(, %ecx, 8)
    mov %eax, hw_pd_direct(, %ecx, 8)
    inc %ecx
    add $1 << 21, %eax
    cmp $_end, %eax
    jb 2b

    mov $CR4_START, %eax
    mov %eax, %cr4
    mov $hw_pml4, %eax
    mov %eax, %cr3
    mov $MSR_EFER, %ecx
    mov $EFER_START, %eax
    xor %edx, %edx
    wrmsr
    mov $CR0_START, %eax
    mov %eax, %cr0
    lgdt hw_gdt_pointer
    ljmp $HW_SELECTOR_CODE, $3f

    .code64
3:  mov $HW_SELECTOR_DATA, %eax
    mov %eax, %ss
    mov %eax, %ds
    mov %eax, %es
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $hw_stack + HW_STACK_SIZE, %esp
    mov %ebp, %edi
    mov %ebx, %esi
    xor %ebp, %ebp
    call hw_boot
    ud2

    .section .data.hw_gdt, "aw", @progbits
    .balign 8
    .globl hw_gdt
hw_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* HW_SELECTOR_CODE: 64-bit, ring 0 */
    .quad 0x00cf93000000ffff /* HW_SELECTOR_DATA */
    .quad 0, 0               /* HW_SELECTOR_TSS, by hw_cpu_init() */
hw_gdt_end:
    .balign 4
hw_gdt_pointer:
    .short hw_gdt_end - hw_gdt - 1
    .quad hw_gdt

    .section .bss.hw_tables, "aw", @nobits
    .balign 4096
    .globl hw_pml4, hw_pdpt_low, hw_pd_low, hw_pdpt_direct, hw_pd_direct
hw_pml4:        .skip 4096
hw_pdpt_low:    .skip 4096
hw_pd_low:      .skip 4096
hw_pdpt_direct: .skip 4096
hw_pd_direct:   .skip 4096

    .section .bss.hw_stack, "aw", @nobits
    .balign 16
    .globl hw_stack
hw_stack: .skip HW_STACK_SIZE

    .section .note.GNU-stack, "", @progbits
