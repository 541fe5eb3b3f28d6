/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stack of a program that names none (stack.h): lwIP. A member of its own
 * of libhalvm.a, which is not taken if the symbol is defined already.
 */
#include "core/net/stack.h"

const struct net_stack *const net_stack = &net_lwip;
