/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The least PVH image: prints the time stamp counter at its entry as eight
 * hexadecimal digits and halts. What it prints is the share of QEMU's firmware
 * in the start of any image (bench/run boot).
 */
    .section .note.Xen, "a", @note
    .long 4, 8, 18 /* name size, value size, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad start
    .text
    .code32
    .globl start
start:
    rdtsc
    mov %eax, %ebx
    mov $8, %ecx
1:  rol $4, %ebx
    mov %ebx, %eax
    and $15, %al
    cmp $10, %al
    jb 2f
    add $39, %al
2:  add $48, %al
    mov $0x3f8, %dx
    out %al, %dx
    dec %ecx
    jnz 1b
    mov $10, %al
    out %al, %dx
    hlt
    .section .note.GNU-stack, "", @progbits
