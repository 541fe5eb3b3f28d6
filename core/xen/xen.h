/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /dev/xen: what Linux offers there to programs that talk to other domains of
 * Xen, with Linux's own interfaces, so that one program is both: xenbus
 * (XenStore's wire protocol), evtchn, gntalloc and gntdev. Why so:
 * docs/decisions/0011-xen-for-programs.md.
 *
 * Internal to core/xen. Monitor held in every function here.
 */
#ifndef HALVM_CORE_XEN_H
#define HALVM_CORE_XEN_H

#include "base_xen.h"
#include "core/file/node.h"
#include "core/file/table.h"
#include "core/mem/mem.h"

/* Linux's request numbers: no direction, a type, a number, a size. */
#define XEN_IOCTL(type, number, size)                                          \
    ((unsigned long)(size) << 16 | (unsigned long)(type) << 8 | (number))

/* The base's table, or NULL: this is no guest of Xen. device.c. */
const struct base_xen *xen_base(void);

/* The directory /dev/xen as a node with a reference; or NULL, with *error
 * changed to -ENOMEM if that is why. For core/file/device.c, which sets the
 * parent. */
struct file_node *xen_directory(int *error);

/* Open files; NULL with *error. */
struct file *xen_store_open(int flags, int *error); /* store.c */
struct file *xen_event_open(int flags, int *error); /* event.c */
struct file *xen_share_open(int flags, int *error); /* share.c */
struct file *xen_map_open(int flags, int *error);   /* map.c */

/* BASE_READY_XEN. */
void xen_store_ready(void);
void xen_event_ready(void);

/* munmap of what these files have mapped: false if it is none of it, else
 * *result is 0 or -errno. */
bool xen_share_unmap(uint64_t start, uint64_t size, long *result);
bool xen_map_unmap(uint64_t start, uint64_t size, long *result);

#endif
