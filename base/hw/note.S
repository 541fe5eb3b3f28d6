/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where loaders find the entries of this image.
 *
 * Linked as an explicit object into every program: it is the one root that
 * pulls the kernel in, and --gc-sections keeps notes and what they name. For
 * Linux these are notes like any other.
 *
 * PVH: Xen's public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY. Multiboot2: a header
 * in the first 32 KiB, aligned to 8, which is where the linker puts notes; the
 * entry-address tag is needed since e_entry belongs to Linux. There is no
 * multiboot1 header: QEMU would prefer it to PVH and then refuse 64 bits.
 */
#include "boot.h"

#define XEN_ELFNOTE_PHYS32_ENTRY 18

#define MULTIBOOT2_MAGIC         0xe85250d6
#define MULTIBOOT2_ARCH_I386     0
#define MULTIBOOT2_TAG_END       0
#define MULTIBOOT2_TAG_ENTRY     3
#define MULTIBOOT2_TAG_MODULE_ALIGN 6

    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad __halvm_start_pvh

    /* A name of 12 bytes puts the header at 24, a multiple of 8. */
    .section .note.multiboot2, "a", @note
    .balign 8
    .long 12, multiboot2_end - multiboot2, 1
    .ascii "multiboot2\0\0"
multiboot2:
    .long MULTIBOOT2_MAGIC, MULTIBOOT2_ARCH_I386
    .long multiboot2_end - multiboot2
    .long -(MULTIBOOT2_MAGIC + MULTIBOOT2_ARCH_I386 + (multiboot2_end - multiboot2))
    .balign 8
    .short MULTIBOOT2_TAG_ENTRY, 0
    .long 12, __halvm_start_multiboot2
    .balign 8
    .short MULTIBOOT2_TAG_MODULE_ALIGN, 0
    .long 8
    .balign 8
    .short MULTIBOOT2_TAG_END, 0
    .long 8
multiboot2_end:

    .section .note.GNU-stack, "", @progbits
