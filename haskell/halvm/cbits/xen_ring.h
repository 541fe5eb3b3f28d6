/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The shared memory of a System.HaLVM.Xen.Channel: a page of indices, and two
 * rings of bytes, one each way. The client grants it, the server maps it.
 *
 * Both sides are in the same memory and neither trusts the other: a side
 * believes its own copies of its own indices only, reads the other's once and
 * checks it, and copies data out before anybody looks at them.
 *
 * Callers see to it that one thread at a time puts, and one gets.
 */
#ifndef HALVM_XEN_RING_H
#define HALVM_XEN_RING_H

#include <stddef.h>
#include <stdint.h>

#define XEN_RING_PAGE      4096u
#define XEN_RING_MAGIC     0x48435831u /* "HCX1": layout and protocol */
#define XEN_RING_PAGES_MAX 64u         /* of one direction */

enum xen_ring_state {
    XEN_RING_WAITING = 0, /* the server has not come yet */
    XEN_RING_OPEN = 1,
    XEN_RING_CLOSED = 2, /* nothing more is put, nothing more is got */
};

/* Each word on a cache line of its own, written by one side. */
struct xen_ring_word {
    uint32_t value;
    uint32_t unused[15];
};

/* The first page. [0] is of the direction to the server, or of the client. */
struct xen_ring_control {
    uint32_t magic;
    uint32_t pages; /* of one direction, a power of two */
    uint32_t unused[14];
    struct xen_ring_word produced[2]; /* bytes ever put: by the producer */
    struct xen_ring_word consumed[2]; /* bytes ever got: by the consumer */
    struct xen_ring_word state[2];    /* enum xen_ring_state: each its own */
};

/* One side. */
struct xen_ring {
    struct xen_ring_control *control;
    uint8_t *put_data, *get_data;
    uint32_t size; /* bytes of one direction */
    uint32_t put, got;
    uint32_t server; /* 0: this is the client */
};

/* Bytes of the memory for so many pages a direction; 0: not so many. */
size_t hs_xen_ring_memory(uint32_t pages);

/* Begins as the client, in zeroed memory; or as the server, which checks what
 * the client has made: 0 or -EPROTO. */
void hs_xen_ring_make(struct xen_ring *ring, void *memory, uint32_t pages);
int hs_xen_ring_join(struct xen_ring *ring, void *memory, uint32_t pages);

/* Puts as many bytes as there is room for, gets as many as there are, at most
 * size: how many, or -EPROTO if the other side's index makes no sense. *notify
 * is set to 1 if the other side may be waiting. */
long hs_xen_ring_put(struct xen_ring *ring, const void *from, size_t size,
                     int *notify);
long hs_xen_ring_get(struct xen_ring *ring, void *to, size_t size, int *notify);

/* Our own state, and the other side's: what is not OPEN or WAITING is CLOSED.
 */
void hs_xen_ring_state_set(struct xen_ring *ring, int state);
int hs_xen_ring_state(const struct xen_ring *ring);

#endif
