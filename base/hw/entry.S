/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the processor enters: exceptions, interrupts, `syscall`.
 *
 * Vectors run on their own stacks with interrupts off (boot.h); what they push
 * is struct hw_trap. The C code they call uses general registers only, so the
 * FPU still holds the interrupted code's state.
 */
#include "boot.h"
#include "registers.inc"
#include "offsets.h"

#define ENOSYS 38

    .section .text.hw_entry, "ax", @progbits
    .globl hw_vectors_exception, hw_vectors_device

    /* 16 bytes each: error code (ours where the processor has none), vector. */
    .balign 16
hw_vectors_exception:
    .set vector, 0
    .rept HW_VECTORS_EXCEPTION
    .balign 16
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21
    .else
    push $0
    .endif
    push $vector
    .if vector == 14
    jmp page_fault
    .else
    jmp exception
    .endif
    .set vector, vector + 1
    .endr

    /* 8 bytes each: the vector only. */
    .balign 16
hw_vectors_device:
    .rept HW_VECTORS_DEVICE
    .balign 8
    push $vector
    jmp interrupt
    .set vector, vector + 1
    .endr

interrupt:
    push (%rsp) /* the vector; what is now in the error's place is not used */
    save_registers
    mov %rsp, %rdi
    call hw_interrupt
    jmp return

exception:
    save_registers
    mov %rsp, %rdi
    call hw_exception
    jmp return

page_fault:
    save_registers
    mov %rsp, %rdi
    mov %cr2, %rsi
    call hw_page_fault
return:
    restore_registers
    add $16, %rsp
    iretq

    /*
     * hw_idle(): interrupts off, before and after; sleeps until one has come.
     * sti lets none in before the next instruction is done, so that none can
     * come after the caller's look and before hlt. Where an emulated SVM
     * forgets that over an exit (QEMU's, seen below Xen), hw_interrupt finds
     * that it has come before hlt, and leaves that out.
     */
    .globl hw_idle, hw_idle_halt, hw_idle_end
hw_idle:
    sti
hw_idle_halt:
    hlt
hw_idle_end:
    cli
    ret

    /* hw_upcall_enter(stack_top, ready, fault) */
    .globl hw_upcall_enter
hw_upcall_enter:
    mov %rdi, %rsp
    and $-16, %rsp
    mov %esi, %edi
    mov %rdx, %rsi
    xor %ebp, %ebp
    sti
    call hw_upcall_main
    ud2

    /*
     * hw_frame_resume(frame), interrupts off. iretq takes its words from a
     * place of our own: there may be nothing free below the frame's stack
     * pointer.
     */
    .globl hw_frame_resume
hw_frame_resume:
    mov $iret_words, %esp
    mov ARCH_FRAME_RIP(%rdi), %rax
    mov %rax, 0(%rsp)
    movq $HW_SELECTOR_CODE, 8(%rsp)
    mov ARCH_FRAME_RFLAGS(%rdi), %rax
    mov %rax, 16(%rsp)
    mov ARCH_FRAME_RSP(%rdi), %rax
    mov %rax, 24(%rsp)
    movq $HW_SELECTOR_DATA, 32(%rsp)
    mov %rdi, %rsp
    restore_registers
    mov $iret_words, %esp
    iretq

    .section .bss.hw_iret_words, "aw", @nobits
    .balign 16
iret_words: .skip 40

    /*
     * A `syscall` instruction of application code: rax the number, rdi rsi rdx
     * r10 r8 r9 the arguments, rcx the return address, r11 the flags. Linux
     * keeps all but rax, rcx and r11, vector registers included, and the
     * caller may be a leaf function with a red zone.
     */
    .section .text.hw_syscall_entry, "ax", @progbits
    .globl hw_syscall_entry
hw_syscall_entry:
    lea -128(%rsp), %rsp
    push %rcx
    push %r11
    push %rbp
    mov %rsp, %rbp
    push %rdi /* -8(%rbp) */
    push %rsi
    push %rdx
    push %r10
    push %r8
    push %r9
    push %rax /* -56(%rbp) */
    sub $ARCH_CONTEXT_FRAME, %rsp
    and $-64, %rsp
    /* XSAVE leaves the rest of its header alone; XRSTOR wants it zero. */
    lea 512(%rsp), %rdi
    mov $8, %ecx
    xor %eax, %eax
    rep stosq
    mov %rsp, %rdi
    call arch_fpu_save

    mov $-ENOSYS, %rax
    .weak __halvm_raw_syscall
    mov $__halvm_raw_syscall, %r10d
    test %r10d, %r10d
    jz 1f
    mov -56(%rbp), %rdi
    mov -8(%rbp), %rsi
    mov -16(%rbp), %rdx
    mov -24(%rbp), %rcx
    mov -32(%rbp), %r8
    mov -40(%rbp), %r9
    push -48(%rbp)
    push -48(%rbp) /* the seventh argument, and alignment above it */
    call *%r10
    add $16, %rsp
1:  mov %rax, -56(%rbp)
    mov %rsp, %rdi
    call arch_fpu_restore

    lea -56(%rbp), %rsp
    pop %rax
    pop %r9
    pop %r8
    pop %r10
    pop %rdx
    pop %rsi
    pop %rdi
    pop %rbp
    pop %r11
    pop %rcx
    push %r11
    popfq
    lea 128(%rsp), %rsp
    jmp *%rcx

    .section .note.GNU-stack, "", @progbits
