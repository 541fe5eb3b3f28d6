/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of the system, for uname, /proc and DHCP: core/system/names.c.
 */
#ifndef HALVM_SYSTEM_H
#define HALVM_SYSTEM_H

#define SYSTEM_NAME    "Linux" /* what programs and configure scripts expect */
#define SYSTEM_RELEASE "5.10.0-halvm"

/* As sethostname set it; at first halvm.hostname=, or "halvm". */
const char *system_hostname(void);

#endif
