/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where Xen enters a paravirtual guest (XEN_ELFNOTE_ENTRY): 64 bits, PV kernel
 * mode, events masked, rsi = struct start_info, a small stack, the image and
 * what was built behind it mapped from VIRT_BASE on. bss is zero.
 */
#include "base/hw/boot.h"

    .section .text.xenpv_start, "ax", @progbits
    .globl __halvm_start_xenpv
__halvm_start_xenpv:
    cld
    /* From here on no call goes to a host kernel. */
    mov $__halvm_gate_state, %edi
    mov $512 / 8, %ecx
    xor %eax, %eax
    rep stosq
    mov %rsi, %rdi
    mov %rsp, %rsi
    mov $hw_stack + HW_STACK_SIZE, %esp
    xor %ebp, %ebp
    call xenpv_boot
    ud2

    .section .note.GNU-stack, "", @progbits
