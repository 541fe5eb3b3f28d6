/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether this is a Xen guest and of which kind, and the page shared with Xen.
 */
#include "drivers/xen/guest.h"

#include "halvm_limits.h"

bool xen_present, xen_pv, xen_dom0;
bool xen_vmmcall;

uint8_t xen_shared_page[LIMIT_PAGE_SIZE] __attribute__((aligned(4096)));
volatile struct shared_info *const xen_shared = (void *)xen_shared_page;
