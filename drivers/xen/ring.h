/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Xen's ring macros (<xen/io/ring.h>) leave to the guest: barriers, and
 * reading shared memory once. To be included before the headers of devices.
 */
#ifndef HALVM_XEN_RING_H
#define HALVM_XEN_RING_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* x86 keeps stores in order, and loads; only a load after a store needs more
 * than the compiler's patience. */
#define xen_mb()  __sync_synchronize()
#define xen_rmb() __asm__ volatile("" ::: "memory")
#define xen_wmb() __asm__ volatile("" ::: "memory")

#include <xen/io/ring.h>

/* One access, whatever the other side does meanwhile. */
#define XEN_READ_ONCE(place) (*(const volatile __typeof__(place) *)&(place))
#define XEN_WRITE_ONCE(place, value)                                           \
    (*(volatile __typeof__(place) *)&(place) = (value))

#endif
