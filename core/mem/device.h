/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mappings of devices: pages that are not the application's, at addresses where
 * its own mappings never are, which a file's map operation has given out
 * (core/xen). They are no vma: no call but munmap of the whole changes them.
 */
#ifndef HALVM_MEM_DEVICE_H
#define HALVM_MEM_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

/* munmap asks this first: false if the range is no such mapping, else *result
 * is 0 or -errno. NULL until a device is opened that maps. */
extern bool (*mem_device_unmap)(uint64_t start, uint64_t size, long *result);

#endif
