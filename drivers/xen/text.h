/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Texts of XenStore: numbers, names of errors, hardware addresses, paths.
 * Pure functions over what another domain may have written; callers are the
 * files of this folder, in any context.
 */
#ifndef HALVM_XEN_TEXT_H
#define HALVM_XEN_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XEN_NUMBER_SIZE 21 /* bytes: 2^64 in decimal, and its 0 */

/* All of text as a number, decimal or 0x...; false if it is none, or does not
 * fit into 64 bits. */
bool xen_text_number(const char *text, uint64_t *out);
void xen_text_of_number(uint64_t number, char out[XEN_NUMBER_SIZE]);
/* The errno that a name such as "ENOENT" means; EIO for unknown ones. */
int xen_text_error(const char *name);
/* Six bytes in hexadecimal with colons in between, and no more. */
bool xen_text_mac(const char *text, uint8_t mac[6]);
/* Joins the strings up to a NULL; false, and out is "", if they do not fit. */
bool xen_text_join(char *out, size_t size, const char *first, ...)
    __attribute__((sentinel));

#endif
