/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * abort() says why, and from where.
 *
 * status: 134
 * says: halvm: crash: no reason at all
 */
#include "check.h"

void test_main(void)
{
    base->abort("no reason at all");
}
