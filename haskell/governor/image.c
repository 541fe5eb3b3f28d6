/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a governed image declares to core (core/main.c): the size of the main
 * thread's stack, which is charged whole. Haskell's own stacks are in its
 * heap; this one is for the runtime and for C code that it calls, as large as
 * Windows gives a program.
 */
#include <stdint.h>

extern const uint64_t halvm_image_stack_size;
const uint64_t halvm_image_stack_size = 1 << 20;
