/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * As memory_end, in a larger machine: on Linux there is nothing to add.
 *
 * skip: linux is the same for any machine
 * memory: 64M
 * cc: -pthread
 * timeout: 30
 */
#include "memory_end.c"
