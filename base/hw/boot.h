/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Constants that start.S and the C files of base/hw share.
 */
#ifndef HALVM_HW_BOOT_H
#define HALVM_HW_BOOT_H

/* Which loader came in, for hw_boot(). */
#define HW_LOADER_PVH        0
#define HW_LOADER_MULTIBOOT2 1
#define HW_LOADER_XENPV      2

#define HW_DIRECT_SLOT 272 /* of the top table: HW_DIRECT (hw.h) */

#define HW_SELECTOR_CODE 0x08
#define HW_SELECTOR_DATA 0x10
#define HW_SELECTOR_TSS  0x18

#define HW_STACK_SIZE      16384 /* boot, then core_main */
#define HW_TRAP_STACK_SIZE 4096  /* each of the IST stacks below */

/* IST indices. A page fault may come while an interrupt is handled, any other
 * exception while either is, and a machine check at any time. */
#define HW_IST_INTERRUPT  1
#define HW_IST_PAGE_FAULT 2
#define HW_IST_EXCEPTION  3
#define HW_IST_MACHINE    4
#define HW_IST_COUNT      4

#define HW_VECTORS_EXCEPTION 32
#define HW_VECTORS_DEVICE    48
#define HW_VECTORS           (HW_VECTORS_EXCEPTION + HW_VECTORS_DEVICE)

#endif
