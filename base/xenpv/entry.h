/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Constants that entry.S and the C files of base/xenpv share.
 */
#ifndef HALVM_XENPV_ENTRY_H
#define HALVM_XENPV_ENTRY_H

#define XENPV_TRAPS     20
#define XENPV_TRAP_SIZE 16

/* Selectors of Xen's own GDT: FLAT_KERNEL_CS64, FLAT_RING3_SS64. In a frame
 * for the iret hypercall the privilege of cs tells kernel mode (0) from user
 * mode (3). */
#define XENPV_CS_KERNEL 0xe030
#define XENPV_CS_USER   0xe033
#define XENPV_SS        0xe02b

/* machine_to_phys_mapping of Xen's headers. */
#define XENPV_GUEST_FRAMES 0xffff800000000000

/* The kernel stack: the stacks that vectors have on bare hardware, as one. */
#define XENPV_STACK_TOP hw_trap_stacks + HW_IST_COUNT *HW_TRAP_STACK_SIZE

#endif
