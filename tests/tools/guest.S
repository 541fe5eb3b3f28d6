/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest of a few instructions, for the tests of halvm run that are about the
 * tool and not about the core: entered by the PVH note it prints its command
 * line, a backtrace and exit record 42 on the first serial port, and switches
 * the machine off. As a Linux process it ends with 9. With -DXEN_PV it says that
 * it is a Xen PV guest, too, with -DNO_PVH that it is nothing else; there is
 * nothing behind that.
 */
        .section .note.pvh, "a", @note
#ifdef XEN_PV
        .align 4
        .long 4, 8, 1 /* XEN_ELFNOTE_ENTRY */
        .asciz "Xen"
        .quad _start
        .long 4, 8, 3 /* XEN_ELFNOTE_VIRT_BASE */
        .asciz "Xen"
        .quad 0x100000
#endif
#ifndef NO_PVH
        .align 4
        .long 4, 8, 18 /* sizes of name and entry, XEN_ELFNOTE_PHYS32_ENTRY */
        .asciz "Xen"
        .quad pvh
#endif

        .text
        .code32
        .globl pvh
        .type pvh, @function
pvh:
        movl 24(%ebx), %esi /* hvm_start_info.cmdline_paddr */
        call puts
        movl $tail, %esi
        call puts
        movl $0xfea00200, %edi /* microvm: sleep register of its GED */
        movb $0x34, (%edi)
        movw $0x604, %dx /* q35: PM1a control */
        movw $0x2000, %ax
        outw %ax, %dx
        lidt zero /* else: a triple fault */
        int3

        .type puts, @function
puts:
        lodsb
        testb %al, %al
        jz 1f
        movw $0x3f8, %dx
        outb %al, %dx
        jmp puts
1:      ret

tail:   .asciz "\n  #0 0x100118\n\036halvm:exit=42\n"
        .align 8
zero:   .quad 0

        .code64
        .globl _start
_start:
        movl $60, %eax /* exit */
        movl $9, %edi
        syscall
