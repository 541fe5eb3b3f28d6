/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A call against the rules of base.h ends the machine and names the rule.
 *
 * status: 134
 * says: assertion failed
 */
#include "check.h"

void test_main(void)
{
    base->mem_map(info->arena_start + 1, 4096, BASE_PROT_READ);
}
