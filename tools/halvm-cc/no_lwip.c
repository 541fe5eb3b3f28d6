/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Not part of halvm-cc: the object that -mhalvm-no-lwip links into a program.
 * With this definition that of libhalvm.a, which brings lwIP along, is not
 * taken (core/net/stack.h). Weak, since the Haskell package halvm has one, too.
 */
extern const void *const __halvm_net_stack;
__attribute__((weak)) const void *const __halvm_net_stack = 0;
