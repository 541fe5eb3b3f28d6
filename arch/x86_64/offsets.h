/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Offsets of arch.h and base.h for assembler. arch.c asserts each of them.
 */
#ifndef HALVM_ARCH_OFFSETS_H
#define HALVM_ARCH_OFFSETS_H

#define ARCH_FRAME_R15    0
#define ARCH_FRAME_R14    8
#define ARCH_FRAME_R13    16
#define ARCH_FRAME_R12    24
#define ARCH_FRAME_RBP    32
#define ARCH_FRAME_RBX    40
#define ARCH_FRAME_RAX    80
#define ARCH_FRAME_RIP    120
#define ARCH_FRAME_RFLAGS 128
#define ARCH_FRAME_RSP    136
#define ARCH_FRAME_SIZE   144

#define ARCH_CONTEXT_FRAME 2816

#endif
