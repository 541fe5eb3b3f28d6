/* SPDX-License-Identifier: BSD-3-Clause */
/* Split virtqueues: see ring.h. */

#include <errno.h>

#include "drivers/virtio/ring.h"
#include "base/hw/hw.h"

#define DESCRIPTOR_NEXT    1u
#define DESCRIPTOR_WRITE   2u
#define AVAIL_NO_INTERRUPT 1u
#define USED_NO_NOTIFY     1u
#define RING_HEADER        2 /* uint16_t before ring[]: flags and index */
#define USED_ELEMENT       (sizeof(struct virtio_ring_used) / 2) /* uint16_t */

_Static_assert(sizeof(struct virtio_ring_descriptor) == 16, "section 2.4.5");
_Static_assert(sizeof(struct virtio_ring_used) == 8, "section 2.4.8");
_Static_assert((LIMIT_VIRTQUEUE_SIZE & (LIMIT_VIRTQUEUE_SIZE - 1)) == 0,
               "ring sizes are powers of two");

/*
 * Orders our earlier stores before our later loads, as seen by the device.
 * x86 keeps every other order by itself, but this one it does not keep, and
 * without it both sides can miss each other's last word and sleep for ever.
 *
 * The fence alone is not enough: before 8.1, QEMU's TCG leaves fences and lock
 * prefixes out of what it makes for a machine of one processor, though the
 * device runs beside it in another thread, and a queue stalls within seconds
 * of load. Reading the time stamp makes TCG take a lock, which is a fence of
 * the host's, and costs little where processors are real.
 */
static inline void barrier_full(void)
{
    __sync_synchronize();
    __asm__ volatile("rdtsc" ::: "eax", "edx", "memory");
}

/* Loads and stores stay in the order written: enough on x86 for the rest. */
static inline void barrier_compiler(void)
{
    __asm__ volatile("" ::: "memory");
}

size_t virtio_ring_avail_offset(uint16_t size)
{
    return sizeof(struct virtio_ring_descriptor) * size;
}

size_t virtio_ring_used_offset(uint16_t size)
{
    /* The available ring: header, entries, used_event. */
    size_t end = virtio_ring_avail_offset(size) + 2 * (size + RING_HEADER + 1u);

    return (end + 7) & ~(size_t)7;
}

static size_t slots_offset(uint16_t size)
{
    /* The used ring: header, entries, avail_event. */
    size_t end = virtio_ring_used_offset(size) + 2 * (RING_HEADER + 1u) +
                 sizeof(struct virtio_ring_used) * size;

    return (end + 7) & ~(size_t)7;
}

size_t virtio_ring_bytes(uint16_t size)
{
    return slots_offset(size) + sizeof(struct virtio_slot) * size;
}

void virtio_ring_init(struct virtio_ring *ring, void *memory, uint16_t size,
                      bool event_index, const char *name)
{
    unsigned char *bytes = memory;

    *ring = (struct virtio_ring){
        .descriptors = memory,
        .avail = (void *)(bytes + virtio_ring_avail_offset(size)),
        .used = (void *)(bytes + virtio_ring_used_offset(size)),
        .slots = (void *)(bytes + slots_offset(size)),
        .name = name,
        .size = size,
        .free_count = size,
        .event_index = event_index,
    };
    for (uint16_t i = 0; i < size; i++)
        ring->slots[i].next = (uint16_t)(i + 1);
}

static int ring_break(struct virtio_ring *ring, const char *why)
{
    ring->broken = true;
    hw_log("virtio: ", ring->name, ": the device ", why,
           "; it is not used any more", NULL);
    return -EIO;
}

int virtio_ring_add(struct virtio_ring *ring,
                    const struct virtio_buffer *buffers, unsigned readable,
                    unsigned writable)
{
    unsigned count = readable + writable;
    uint16_t head = ring->free_head, at = head;
    uint32_t writable_size = 0;

    if (ring->broken)
        return -EIO;
    if (count > ring->free_count)
        return -EAGAIN;
    for (unsigned i = 0;; i++) {
        struct virtio_ring_descriptor *descriptor = &ring->descriptors[at];
        uint16_t flags = 0;

        if (i >= readable) {
            flags |= DESCRIPTOR_WRITE;
            writable_size += buffers[i].size;
        }
        if (i + 1 < count)
            flags |= DESCRIPTOR_NEXT;
        descriptor->physical = buffers[i].physical;
        descriptor->size = buffers[i].size;
        descriptor->flags = flags;
        descriptor->next = ring->slots[at].next;
        if (i + 1 == count)
            break;
        at = ring->slots[at].next;
    }
    ring->free_head = ring->slots[at].next;
    ring->free_count = (uint16_t)(ring->free_count - count);
    ring->slots[head].count = (uint16_t)count;
    ring->slots[head].writable = writable_size;
    ring->avail[RING_HEADER + (ring->avail_index & (ring->size - 1u))] = head;
    ring->avail_index++;
    return head;
}

/* Section 2.4.7.1: whether an index that moves from old to now passes event.
 * All three wrap at 65536. */
static bool event_passed(uint16_t event, uint16_t now, uint16_t old)
{
    return (uint16_t)(now - event - 1u) < (uint16_t)(now - old);
}

bool virtio_ring_publish(struct virtio_ring *ring)
{
    uint16_t old = ring->published_index, now = ring->avail_index;

    if (old == now || ring->broken)
        return false;
    barrier_compiler();
    ring->avail[1] = now;
    ring->published_index = now;
    barrier_full();
    if (ring->event_index) {
        uint16_t event = ring->used[RING_HEADER + USED_ELEMENT * ring->size];

        return event_passed(event, now, old);
    }
    return (ring->used[0] & USED_NO_NOTIFY) == 0;
}

/* Gives the descriptors of a chain back. */
static void chain_free(struct virtio_ring *ring, uint16_t head)
{
    uint16_t count = ring->slots[head].count, last = head;

    for (uint16_t i = 1; i < count; i++)
        last = ring->slots[last].next;
    ring->slots[last].next = ring->free_head;
    ring->slots[head].count = 0;
    ring->free_head = head;
    ring->free_count = (uint16_t)(ring->free_count + count);
}

int virtio_ring_take(struct virtio_ring *ring, uint16_t *id, uint32_t *written)
{
    uint16_t index, pending, in_flight;
    volatile struct virtio_ring_used *element;
    uint32_t head, size;

    if (ring->broken)
        return -EIO;
    index = ring->used[1];
    pending = (uint16_t)(index - ring->used_index);
    if (pending == 0)
        return 0;
    /* No more chains can be finished than descriptors are in flight. */
    in_flight = (uint16_t)(ring->size - ring->free_count);
    if (pending > in_flight)
        return ring_break(ring, "finished more than it was given");
    barrier_compiler();
    element = (volatile void *)&ring->used[RING_HEADER];
    element += ring->used_index & (ring->size - 1u);
    head = element->id; /* once each: they may change under our eyes */
    size = element->size;
    if (head >= ring->size || ring->slots[head].count == 0)
        return ring_break(ring, "finished what it was not given");
    if (size > ring->slots[head].writable)
        return ring_break(ring, "says it wrote past a buffer");
    chain_free(ring, (uint16_t)head);
    ring->used_index++;
    *id = (uint16_t)head;
    *written = size;
    return 1;
}

bool virtio_ring_wake_after(struct virtio_ring *ring, uint16_t more)
{
    uint16_t event = (uint16_t)(ring->used_index + more - 1u);

    if (ring->broken)
        return false;
    if (ring->event_index) {
        ring->avail[RING_HEADER + ring->size] = event;
    } else {
        ring->avail[0] = 0;
        /* Without EVENT_IDX an interrupt comes at the next one. */
        more = 1;
    }
    barrier_full();
    return (uint16_t)(ring->used[1] - ring->used_index) >= more;
}

void virtio_ring_wake_never(struct virtio_ring *ring)
{
    if (ring->event_index) /* half of the circle away */
        ring->avail[RING_HEADER + ring->size] =
            (uint16_t)(ring->used_index + 0x8000u);
    else
        ring->avail[0] = AVAIL_NO_INTERRUPT;
}
