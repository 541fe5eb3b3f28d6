/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the network drivers share: frames that arrive in pieces. Called with
 * the monitor held.
 */
#ifndef HALVM_DRIVERS_NET_FRAME_H
#define HALVM_DRIVERS_NET_FRAME_H

#include <string.h>

#include "base.h"
#include "base/hw/hw.h"
#include "halvm_limits.h"

#define NET_FRAME_SIZE_MIN 14u /* Ethernet's header */

/* A part of a frame that has arrived, in memory of the driver's. */
struct net_piece {
    const uint8_t *data;
    uint32_t size;
};

/* Copies the `count` pieces of a frame of `size` bytes (the sum of theirs, not
 * 0) into the first of rooms[], and fills in their sizes and flags; `flags` are
 * the frame's. Returns how many it takes, 0 if room_count are too few: then
 * nothing is changed. */
unsigned net_frame_fill(struct base_net_frame *rooms, unsigned room_count,
                        const struct net_piece *pieces, unsigned count,
                        uint32_t size, uint32_t flags);

/* The same, inline for what is mostly so: one piece for one room. */
static inline unsigned net_frame_hand_up(struct base_net_frame *rooms,
                                         unsigned room_count,
                                         const struct net_piece *pieces,
                                         unsigned count, uint32_t size,
                                         uint32_t flags)
{
    if (count > 1 || size > rooms[0].size)
        return net_frame_fill(rooms, room_count, pieces, count, size, flags);
    memcpy(rooms[0].data, pieces[0].data, size);
    rooms[0].size = size;
    rooms[0].flags = flags;
    return 1;
}

/* Whether a frame that is sent is one entry, and nothing else is to be done
 * about it but a checksum. Aborts if its size is none of a frame. */
static inline bool net_frame_is_plain(const struct base_net_frame *frame)
{
    if ((frame->flags & (BASE_NET_MORE | BASE_NET_CUT)) != 0)
        return false;
    if (frame->size < NET_FRAME_SIZE_MIN || frame->size > LIMIT_FRAME_SIZE)
        hw_base.abort("net_send: a frame of impossible size");
    return true;
}

/* How many entries, of the `count` there are, the first frame has, which is not
 * plain, and *size its bytes. Aborts if it is against the rules of base.h, of a
 * device that says cut_size_max. */
unsigned net_frame_measure(const struct base_net_frame *frames, unsigned count,
                           uint32_t cut_size_max, uint32_t *size);

/* Copies `size` bytes of a frame that is sent, from *at of entry *entry on, and
 * moves both on. */
void net_frame_take(const struct base_net_frame *frames, unsigned *entry,
                    uint32_t *at, uint8_t *to, uint32_t size);

static inline bool net_frame_is_ip6(const struct base_net_frame *frame)
{
    const uint8_t *data = frame->data;

    return data[12] == 0x86 && data[13] == 0xdd;
}

/* Whether a frame of `size` bytes may be handed up; joined: the device says
 * that it is segments of TCP. */
static inline bool net_frame_is_good(uint32_t size, bool joined)
{
    return size >= NET_FRAME_SIZE_MIN &&
           size <= (joined ? LIMIT_FRAME_LARGE : LIMIT_FRAME_SIZE);
}

#endif
