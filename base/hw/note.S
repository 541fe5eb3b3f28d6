/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where loaders find the entries of this image.
 *
 * Linked as an explicit object into every program: it is the one root that
 * pulls the kernel in, and --gc-sections keeps notes and what they name. For
 * Linux these are notes like any other.
 *
 * PVH and Xen PV: <xen/elfnote.h>. Multiboot2: a header
 * in the first 32 KiB, aligned to 8, which is where the linker puts notes; the
 * entry-address tag is needed since e_entry belongs to Linux. There is no
 * multiboot1 header: QEMU would prefer it to PVH and then refuse 64 bits.
 */
#include <xen/elfnote.h>

#include "boot.h"


#define MULTIBOOT2_MAGIC         0xe85250d6
#define MULTIBOOT2_ARCH_I386     0
#define MULTIBOOT2_TAG_END       0
#define MULTIBOOT2_TAG_ENTRY     3
#define MULTIBOOT2_TAG_MODULE_ALIGN 6

    .macro note type, value:vararg
    .balign 4
    .long 4, 2f - 1f, \type
    .asciz "Xen"
1:  \value
2:
    .endm

    .section .note.Xen, "a", @note
    note XEN_ELFNOTE_PHYS32_ENTRY, .quad __halvm_start_pvh

    /* Where addresses of the image begin: XENPV_PHYSICAL_START. */
    note XEN_ELFNOTE_ENTRY, .quad __halvm_start_xenpv
    note XEN_ELFNOTE_VIRT_BASE, .quad 0x100000
    note XEN_ELFNOTE_PADDR_OFFSET, .quad 0x100000
    note XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
    note XEN_ELFNOTE_LOADER, .asciz "generic"
    note XEN_ELFNOTE_PAE_MODE, .asciz "yes"
    note XEN_ELFNOTE_GUEST_OS, .asciz "HaLVM"

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
