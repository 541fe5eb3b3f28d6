/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Proof that offsets.h says what arch.h does. No code.
 */
#include "arch.h"
#include "offsets.h"

#define SAME(offset, member)                                                   \
    _Static_assert((offset) == offsetof(struct arch_frame, member), #member)

SAME(ARCH_FRAME_R15, r15);
SAME(ARCH_FRAME_R14, r14);
SAME(ARCH_FRAME_R13, r13);
SAME(ARCH_FRAME_R12, r12);
SAME(ARCH_FRAME_RBP, rbp);
SAME(ARCH_FRAME_RBX, rbx);
SAME(ARCH_FRAME_RAX, rax);
SAME(ARCH_FRAME_RIP, rip);
SAME(ARCH_FRAME_RFLAGS, rflags);
SAME(ARCH_FRAME_RSP, rsp);
_Static_assert(ARCH_FRAME_SIZE == sizeof(struct arch_frame), "frame");
_Static_assert(ARCH_CONTEXT_FRAME == offsetof(struct arch_context, frame),
               "context");
