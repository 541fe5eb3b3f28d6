/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * long xen_hypercall(unsigned number, a, b, c, d, e)
 *
 * In a PV guest a hypercall is a `syscall` instruction in kernel mode. In user
 * mode the same instruction goes to our own call-back (base/xenpv/entry.S),
 * which knows it by its address and makes the hypercall for it, so this one
 * place serves both modes. Elsewhere it is vmcall or vmmcall, by processor.
 */
    .section .text.xen_hypercall, "ax", @progbits
    .globl xen_hypercall, xen_hypercall_done
    .type xen_hypercall, @function
xen_hypercall:
    mov %edi, %eax
    mov %rsi, %rdi
    mov %rdx, %rsi
    mov %rcx, %rdx
    mov %r8, %r10
    mov %r9, %r8
    cmpb $0, xen_pv(%rip)
    je 1f
    syscall
xen_hypercall_done:
    ret
1:  cmpb $0, xen_vmmcall(%rip)
    je 2f
    vmmcall
    ret
2:  vmcall
    ret
    .size xen_hypercall, . - xen_hypercall

    .section .note.GNU-stack, "", @progbits
