/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Core's side of a network driver, for the fuzz targets: frames to send, plain
 * and to be cut, and rooms to receive into, the last of which may be a large
 * one (packet.c's), of which what was filled is checked against base.h.
 * Included once, after the driver's own source.
 */
#ifndef HALVM_FUZZ_NET_DRIVER_H
#define HALVM_FUZZ_NET_DRIVER_H

#include <stdlib.h>

#define ROOMS_MAX 64

/* Sends count % 8 + 1 plain frames, or one to be cut of as many entries. */
static void
driver_send(unsigned (*send)(unsigned, const struct base_net_frame *, unsigned),
            const struct base_device *device, uint8_t count, uint32_t flags)
{
    static uint8_t frame[LIMIT_FRAME_SIZE];
    struct base_net_frame frames[8];
    bool cut = (flags & BASE_NET_CUT) &&
               (device->features & (BASE_NET_TX_TCP4 | BASE_NET_TX_TCP6));
    unsigned sent;

    count = count % 8 + 1;
    frame[12] = flags & 1 ? 0x86 : 0x08;
    frame[13] = flags & 1 ? 0xdd : 0x00;
    for (unsigned i = 0; i < count; i++)
        frames[i] =
            (struct base_net_frame){.data = frame,
                                    .size = i % 2 ? sizeof(frame) : 80,
                                    .flags = flags & BASE_NET_CHECKSUM_NEEDED,
                                    .checksum_start = 34,
                                    .checksum_offset = 16};
    for (unsigned i = 0; cut && i + 1 < count; i++)
        frames[i].flags = BASE_NET_MORE;
    if (cut) {
        frames[0].flags |= BASE_NET_CUT | BASE_NET_CHECKSUM_NEEDED;
        frames[0].header_size = 66;
        frames[0].cut_size = 1448;
    }
    sent = send(0, frames, count);
    if (sent > count || (cut && sent != 0 && sent != count))
        abort();
}

static void driver_receive(unsigned (*recv)(unsigned, struct base_net_frame *,
                                            unsigned),
                           uint8_t count, uint32_t room)
{
    struct base_net_frame frames[ROOMS_MAX];
    uint32_t size = 0, last = count & 0x80 ? LIMIT_FRAME_LARGE : room;
    uint8_t *block;
    unsigned got;

    count = count % ROOMS_MAX + 1;
    block = malloc((count - 1) * room + last + 1);
    for (unsigned i = 0; i < count; i++)
        frames[i] = (struct base_net_frame){
            .data = block + i * room, .size = i == count - 1u ? last : room};
    got = recv(0, frames, count);
    if (got > count || (got > 0 && frames[got - 1].flags & BASE_NET_MORE))
        abort();
    for (unsigned i = 0; i < got; i++) {
        if (frames[i].size > (i == count - 1u ? last : room) ||
            (frames[i].flags & ~(BASE_NET_MORE | BASE_NET_CHECKSUM_GOOD)))
            abort();
        size += frames[i].size;
        if (frames[i].flags & BASE_NET_MORE)
            continue;
        if (size < 14 || size > LIMIT_FRAME_LARGE)
            abort();
        size = 0;
    }
    free(block);
}

#endif
