/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PV kernel mode: where Xen calls back for traps, events and `syscall`, and
 * the ways from there to user mode, in which the application, core and nearly
 * all of the base run.
 *
 * Xen switches to the kernel stack when it comes from user mode and pushes
 * rcx, r11, the error code if the trap has one, and what iretq takes. Popping
 * the first two leaves the stack as bare hardware would. To user mode goes the
 * iret hypercall only: struct iret_context of <xen/arch-x86/xen-x86_64.h>.
 * Events are masked in here (TI_SET_IF, CALLBACKF_mask_events), and iret sets
 * the mask as the flags it loads say.
 */
#include "base/hw/boot.h"
#include "base/hw/registers.inc"
#include "base/xenpv/entry.h"
#include "offsets.h"

#define HYPERCALL_IRET  23
#define HYPERCALL_NONE  0xffffffff
#define VGCF_IN_SYSCALL 0x100
#define FLAGS_START     0x202 /* IF and the bit that is always set */
#define FLAGS_IF        0x200
#define FLAGS_DF_TF     0x500

    /* Stack: rip cs rflags rsp ss. Goes there with all registers as they are;
     * flags says what becomes of rcx and r11. */
    .macro iret flags
    push $\flags
    push %rcx
    push %r11
    push %rax
    mov $HYPERCALL_IRET, %eax
    syscall
    ud2
    .endm

    .section .text.xenpv_entry, "ax", @progbits
    .globl xenpv_traps, xenpv_event, xenpv_failsafe, xenpv_syscall

    /* XENPV_TRAP_SIZE bytes each. */
    .balign XENPV_TRAP_SIZE
xenpv_traps:
    .set vector, 0
    .rept XENPV_TRAPS
    .balign XENPV_TRAP_SIZE
    pop %rcx
    pop %r11
    .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
    .else
    push $0
    .endif
    push $vector
    jmp trap
    .set vector, vector + 1
    .endr

trap:
    save_registers
    mov %rsp, %rdi
    call xenpv_trap
return:
    restore_registers
    add $16, %rsp
    iret 0

xenpv_event:
    pop %rcx
    pop %r11
    push $0
    push $0
    save_registers
    mov %rsp, %rdi
    call xenpv_interrupt
    jmp return

    /* Returning with a segment register that cannot be loaded, which nothing
     * here ever asks for: ds, es, fs, gs come before rcx and r11. */
xenpv_failsafe:
    add $32, %rsp
    pop %rcx
    pop %r11
    push $0
    push $13
    jmp trap

    /*
     * `syscall` in user mode; rcx says behind which instruction: that of
     * xen_hypercall(), of xenpv_resume(), of xenpv_guest_frame_read(), or the
     * application's own.
     */
xenpv_syscall:
    pop %rcx
    pop %r11
    cmp $xen_hypercall_done, %rcx
    jne 1f
    syscall /* in kernel mode this is the hypercall */
    iret VGCF_IN_SYSCALL
1:  cmp $xenpv_resume_done, %rcx
    jne 2f
    sub $8, %rsp
    call xenpv_resume_try
    add $8, %rsp
    iret VGCF_IN_SYSCALL
2:  cmp $guest_frame_read_done, %rcx
    jne 3f
    movabs $XENPV_GUEST_FRAMES, %rax
    mov (%rax,%rdi,8), %rax
    iret VGCF_IN_SYSCALL
3:  movq $hw_syscall_entry, (%rsp)
    andq $~FLAGS_DF_TF, 16(%rsp)
    iret 0

    /* Leaves kernel mode for fn(rdi, rsi), which does not return, on the
     * stack that ends at stack_top: xenpv_user_call(rdi, rsi, fn, stack_top) */
    .globl xenpv_user_call
xenpv_user_call:
    and $-16, %rcx
    sub $8, %rcx
    push $XENPV_SS
    push %rcx
    push $FLAGS_START
    push $XENPV_CS_USER
    push %rdx
    xor %ebp, %ebp
    iret 0

    /* xenpv_frame_resume(frame): loads frame and goes on in it. What iret takes
     * is put where the kernel stack begins, to be found without a register. */
    .globl xenpv_frame_resume
xenpv_frame_resume:
    mov $XENPV_STACK_TOP, %esp
    push $XENPV_SS
    push ARCH_FRAME_RSP(%rdi)
    mov ARCH_FRAME_RFLAGS(%rdi), %rax
    or $FLAGS_IF, %rax
    push %rax
    push $XENPV_CS_USER
    push ARCH_FRAME_RIP(%rdi)
    mov %rdi, %rsp
    restore_registers
    mov $XENPV_STACK_TOP - 40, %esp
    iret 0

    /* xenpv_resume(context), in user mode: see hw_resume(). */
    .section .text.xenpv_resume, "ax", @progbits
    .globl xenpv_resume
xenpv_resume:
    syscall
xenpv_resume_done:
    ret

    /* xenpv_guest_frame_read(machine_frame): see xenpv.h. In kernel mode this
     * is a hypercall that Xen does not have. */
    .globl xenpv_guest_frame_read
xenpv_guest_frame_read:
    mov $HYPERCALL_NONE, %eax
    syscall
guest_frame_read_done:
    ret

    .section .note.GNU-stack, "", @progbits
