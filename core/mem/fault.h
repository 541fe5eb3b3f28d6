/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that fails when it is told to: halvm.fault (docs/command-line.md).
 *
 * Every way in which core takes memory can be made to fail, one call after
 * another, so that a test sees each error path once (tests/fault). Where the
 * option is not given, two counters that stand at 0 are all that is left of it.
 */
#ifndef HALVM_MEM_FAULT_H
#define HALVM_MEM_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Calls until one is made to fail; 0: none will. */
extern uint32_t mem_fault_pages;   /* of mem_pages_get */
extern uint32_t mem_fault_objects; /* of mem_pool_get */

static inline bool mem_fault_due(uint32_t *left)
{
    return __builtin_expect(*left != 0, 0) && --*left == 0;
}

/* Once, from core_main: reads the option. 0, or -EINVAL if it is not one of
 * those that are known; *on: it was given. */
int mem_fault_init(bool *on);
/* "off", or KIND:N with N > 0; what was set before is off then. 0 or -EINVAL;
 * -EPERM if the machine was started without the option. */
int mem_fault_set(const char *text);
/* What is set, as KIND:LEFT; LEFT is 0 once the failure has happened, and of
 * commit the period. */
int mem_fault_text(char *out, size_t size);

#endif
