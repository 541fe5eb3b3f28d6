/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One split virtqueue (virtio 1.0, section 2.4), driver's side.
 *
 * The memory of a ring is shared with a device that is not believed: whatever
 * is read from the used ring is checked, and what we need to remember (who
 * owns which descriptor, how long a chain is) stands in memory that the device
 * has no business with. A lie is said once and breaks the ring: from then on
 * nothing is added, nothing is taken, and its memory stays as it is, since the
 * device may still write to it.
 *
 * Callers: the drivers beside this file, with core's monitor held. Nothing
 * here allocates, waits or touches a device register, so that it also runs as
 * a host program under test.
 */
#ifndef HALVM_VIRTIO_RING_H
#define HALVM_VIRTIO_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "halvm_limits.h"

#define VIRTIO_RING_ALIGN                                                      \
    16 /* bytes: of the memory given to virtio_ring_init */

/* The layouts that the device sees, all little-endian. */
struct virtio_ring_descriptor {
    uint64_t physical;
    uint32_t size;
    uint16_t flags;
    uint16_t next;
};
struct virtio_ring_used {
    uint32_t id;
    uint32_t size;
};

/* A piece of memory for the device, by its physical address. */
struct virtio_buffer {
    uint64_t physical;
    uint32_t size;
};

/* What we remember of a descriptor. */
struct virtio_slot {
    uint16_t next;     /* in its chain or in the free list */
    uint16_t count;    /* head of a chain in flight: its length; else 0 */
    uint32_t writable; /* head: bytes that the device may write */
};

struct virtio_ring {
    struct virtio_ring_descriptor *descriptors;
    volatile uint16_t *avail; /* flags, index, ring[size], used_event */
    volatile uint16_t *used;  /* flags, index, ring[size] of 8, avail_event */
    struct virtio_slot *slots;
    const char *name;   /* for the line that says what broke */
    uint16_t size;      /* descriptors; a power of two */
    uint16_t free_head; /* meaningful while free_count > 0 */
    uint16_t free_count;
    uint16_t avail_index;     /* added so far */
    uint16_t published_index; /* of these, known to the device */
    uint16_t used_index;      /* taken so far */
    bool event_index;         /* VIRTIO_F_EVENT_IDX was negotiated */
    bool broken;
};

/* Bytes of zeroed, physically contiguous memory that a ring of size needs. */
size_t virtio_ring_bytes(uint16_t size);

/* Lays a ring out in memory, which must be zeroed and aligned. size is a power
 * of two from 2 to LIMIT_VIRTQUEUE_SIZE. The part the device sees comes first;
 * *avail_offset and *used_offset say where in it. */
void virtio_ring_init(struct virtio_ring *ring, void *memory, uint16_t size,
                      bool event_index, const char *name);
/* Bytes from the start of the memory to the two rings. */
size_t virtio_ring_avail_offset(uint16_t size);
size_t virtio_ring_used_offset(uint16_t size);

/* Adds a chain: first `readable` buffers that the device reads, then
 * `writable` ones that it writes; together at least 1. Returns the chain's id
 * (0 to size - 1, free for use as an index until it is taken back), -EAGAIN
 * when there are too few descriptors, -EIO when the ring is broken. The device
 * knows of it after virtio_ring_publish(). */
int virtio_ring_add(struct virtio_ring *ring,
                    const struct virtio_buffer *buffers, unsigned readable,
                    unsigned writable);

/* The id that the next chain gets, for drivers that keep a buffer per id.
 * Meaningful while there are free descriptors. */
static inline uint16_t virtio_ring_next_id(const struct virtio_ring *ring)
{
    return ring->free_head;
}

/* The descriptor that a chain has after descriptor id, if it begins at the next
 * id and has so many. */
static inline uint16_t virtio_ring_id_after(const struct virtio_ring *ring,
                                            uint16_t id)
{
    return ring->slots[id].next;
}

/* Shows all that was added to the device; true: it wants to be notified. */
bool virtio_ring_publish(struct virtio_ring *ring);

/* Takes one finished chain: 1 and its id and the bytes that the device says it
 * wrote (never more than it could); 0: none; -EIO: broken. */
int virtio_ring_take(struct virtio_ring *ring, uint16_t *id, uint32_t *written);

/* Asks for an interrupt when `more` further chains are finished (1: at the
 * next one). True: so many are finished already, no interrupt will say so,
 * and the caller has to look again. */
bool virtio_ring_wake_after(struct virtio_ring *ring, uint16_t more);
/* Asks for no interrupts (the device may still send some). */
void virtio_ring_wake_never(struct virtio_ring *ring);

#endif
