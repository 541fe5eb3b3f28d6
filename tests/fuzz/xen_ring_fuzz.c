/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ring of System.HaLVM.Xen.Channel with a hostile other side: the input is
 * what that writes into the shared memory, indices and all, between our calls.
 * Nothing is read or written outside of the memory and of the room that is
 * given; and between two honest sides every byte arrives, in order.
 */
#include <stdlib.h>
#include <string.h>

#include "haskell/halvm/cbits/xen_ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input, *input_end;

static uint8_t next(void)
{
    return input < input_end ? *input++ : 0;
}

static uint32_t any32(void)
{
    uint32_t value = next();

    return value | (uint32_t)next() << 8 | (uint32_t)next() << 16 |
           (uint32_t)next() << 24;
}

static void hostile(uint8_t *memory, size_t size, uint32_t pages)
{
    struct xen_ring ring;
    int notify;

    if (next() % 2) {
        hs_xen_ring_make(&ring, memory, pages);
    } else {
        struct xen_ring_control *control = (void *)memory;

        control->magic = next() % 4 ? XEN_RING_MAGIC : any32();
        control->pages = next() % 4 ? pages : any32();
        if (hs_xen_ring_join(&ring, memory, pages) != 0)
            return;
    }
    while (input < input_end) {
        size_t room = any32() % 20000;
        uint8_t *mine = malloc(room + 1);

        memset(mine, 1, room + 1);
        switch (next() % 5) {
        case 0:
            *(uint32_t *)(memory + any32() % (XEN_RING_PAGE / 4) * 4) = any32();
            break;
        case 1:
            memory[any32() % size] = next();
            break;
        case 2:
            if (hs_xen_ring_put(&ring, mine, room, &notify) > (long)room)
                abort();
            break;
        case 3:
            if (hs_xen_ring_get(&ring, mine, room, &notify) > (long)room)
                abort();
            break;
        case 4:
            hs_xen_ring_state_set(&ring, next() % 3);
            if ((unsigned)hs_xen_ring_state(&ring) > XEN_RING_CLOSED)
                abort();
            break;
        }
        free(mine);
    }
}

/* Both sides put and get a known sequence; who waits must have been told. */
static void honest(uint8_t *memory, uint32_t pages)
{
    struct xen_ring sides[2];
    uint32_t put[2] = {0, 0}, got[2] = {0, 0};
    uint8_t *bytes = malloc(70000);
    int notify;

    hs_xen_ring_make(&sides[0], memory, pages);
    if (hs_xen_ring_join(&sides[1], memory, pages) != 0)
        abort();
    while (input < input_end) {
        unsigned who = next() % 2;
        size_t size = any32() % 70000;
        long n;

        if (next() % 2) {
            for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t)((put[who] + i) * 167 >> 3);
            n = hs_xen_ring_put(&sides[who], bytes, size, &notify);
            if (n < 0 || (n > 0 && put[who] == got[!who] && !notify))
                abort();
            put[who] += (uint32_t)n;
        } else {
            int full = put[!who] - got[who] == sides[who].size;
            n = hs_xen_ring_get(&sides[who], bytes, size, &notify);
            if (n < 0 || (n > 0 && full && !notify))
                abort();
            for (long i = 0; i < n; i++)
                if (bytes[i] != (uint8_t)((got[who] + i) * 167 >> 3))
                    abort();
            got[who] += (uint32_t)n;
        }
    }
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t pages;
    uint8_t *memory;

    input = data;
    input_end = data + size;
    pages = 1u << next() % 4;
    if (hs_xen_ring_memory(0) != 0 || hs_xen_ring_memory(3) != 0 ||
        hs_xen_ring_memory(2 * XEN_RING_PAGES_MAX) != 0)
        abort();
    memory = aligned_alloc(4096, hs_xen_ring_memory(pages));
    memset(memory, 0, hs_xen_ring_memory(pages));
    if (next() % 2)
        hostile(memory, hs_xen_ring_memory(pages), pages);
    else
        honest(memory, pages);
    free(memory);
    return 0;
}
