/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A mark: an instruction that does nothing, which bench/count.c finds in the
 * code that QEMU runs, so that the instructions between two marks can be
 * counted. The program is the same with and without anyone counting.
 */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

/* nopl 0x5a5aNNNN(%rax,%rax,1): eight bytes that no compiler makes. */
#define MARK(number)                                                           \
    __asm__ volatile(".byte 0x0f, 0x1f, 0x84, 0x00\n\t.long 0x5a5a0000 + %c0"  \
                     :                                                         \
                     : "i"(number)                                             \
                     : "memory")

#endif
