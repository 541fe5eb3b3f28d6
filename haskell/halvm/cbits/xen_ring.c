/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rings of a channel between two domains: see xen_ring.h.
 *
 * Who gives up since there is nothing, or no room, looks at the indices after
 * it has published its own; and who changes an index looks afterwards whether
 * the other side had come to that point. With a full barrier in between one of
 * the two sees the other, so no wake-up is lost, and most need none.
 */
#include "xen_ring.h"

#include <errno.h>
#include <string.h>

static uint32_t look(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void publish(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

size_t hs_xen_ring_memory(uint32_t pages)
{
    if (pages == 0 || pages > XEN_RING_PAGES_MAX || (pages & (pages - 1)) != 0)
        return 0;
    return XEN_RING_PAGE * (1 + 2 * (size_t)pages);
}

static void begin(struct xen_ring *ring, void *memory, uint32_t pages,
                  uint32_t server)
{
    uint8_t *to_server = (uint8_t *)memory + XEN_RING_PAGE;
    uint8_t *to_client = to_server + XEN_RING_PAGE * (size_t)pages;

    memset(ring, 0, sizeof(*ring));
    ring->control = memory;
    ring->size = XEN_RING_PAGE * pages;
    ring->server = server;
    ring->put_data = server ? to_client : to_server;
    ring->get_data = server ? to_server : to_client;
}

void hs_xen_ring_make(struct xen_ring *ring, void *memory, uint32_t pages)
{
    begin(ring, memory, pages, 0);
    ring->control->pages = pages;
    ring->control->magic = XEN_RING_MAGIC;
    publish(&ring->control->state[0].value, XEN_RING_OPEN);
}

int hs_xen_ring_join(struct xen_ring *ring, void *memory, uint32_t pages)
{
    begin(ring, memory, pages, 1);
    if (look(&ring->control->magic) != XEN_RING_MAGIC ||
        look(&ring->control->pages) != pages)
        return -EPROTO;
    publish(&ring->control->state[1].value, XEN_RING_OPEN);
    return 0;
}

long hs_xen_ring_put(struct xen_ring *ring, const void *from, size_t size,
                     int *notify)
{
    struct xen_ring_control *control = ring->control;
    unsigned way = ring->server;
    uint32_t before = ring->put, at = before & (ring->size - 1), first;
    uint32_t used = before - look(&control->consumed[way].value);

    *notify = 0;
    if (used > ring->size)
        return -EPROTO;
    if (size > ring->size - used)
        size = ring->size - used;
    if (size == 0)
        return 0;
    first = ring->size - at < size ? ring->size - at : (uint32_t)size;
    memcpy(ring->put_data + at, from, first);
    memcpy(ring->put_data, (const uint8_t *)from + first, size - first);
    ring->put += (uint32_t)size;
    publish(&control->produced[way].value, ring->put);
    *notify = look(&control->consumed[way].value) == before;
    return (long)size;
}

long hs_xen_ring_get(struct xen_ring *ring, void *to, size_t size, int *notify)
{
    struct xen_ring_control *control = ring->control;
    unsigned way = !ring->server;
    uint32_t before = ring->got, at = before & (ring->size - 1), first;
    uint32_t there = look(&control->produced[way].value) - before;

    *notify = 0;
    if (there > ring->size)
        return -EPROTO;
    if (size > there)
        size = there;
    if (size == 0)
        return 0;
    first = ring->size - at < size ? ring->size - at : (uint32_t)size;
    memcpy(to, ring->get_data + at, first);
    memcpy((uint8_t *)to + first, ring->get_data, size - first);
    ring->got += (uint32_t)size;
    publish(&control->consumed[way].value, ring->got);
    *notify = look(&control->produced[way].value) - before == ring->size;
    return (long)size;
}

void hs_xen_ring_state_set(struct xen_ring *ring, int state)
{
    publish(&ring->control->state[ring->server].value, (uint32_t)state);
}

int hs_xen_ring_state(const struct xen_ring *ring)
{
    uint32_t state = look(&ring->control->state[!ring->server].value);

    return state == XEN_RING_WAITING || state == XEN_RING_OPEN
               ? (int)state
               : XEN_RING_CLOSED;
}
