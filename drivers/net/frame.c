/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames from the pieces that a device gives into the rooms that core gives,
 * and from core's entries into what a device takes: see frame.h.
 */
#include "drivers/net/frame.h"

unsigned net_frame_fill(struct base_net_frame *rooms, unsigned room_count,
                        const struct net_piece *pieces, unsigned count,
                        uint32_t size, uint32_t flags)
{
    unsigned needed = 0, room = 0;
    uint32_t in_room = 0;

    for (uint32_t left = size; left > 0; needed++) {
        if (needed == room_count)
            return 0;
        left -= left < rooms[needed].size ? left : rooms[needed].size;
    }
    for (unsigned i = 0; i < count; i++) {
        for (uint32_t done = 0, part; done < pieces[i].size; done += part) {
            if (in_room == rooms[room].size) {
                rooms[room++].flags = flags | BASE_NET_MORE;
                flags = 0;
                in_room = 0;
            }
            part = pieces[i].size - done;
            if (part > rooms[room].size - in_room)
                part = rooms[room].size - in_room;
            memcpy((uint8_t *)rooms[room].data + in_room, pieces[i].data + done,
                   part);
            in_room += part;
        }
    }
    rooms[room].size = in_room;
    rooms[room].flags = flags;
    return needed;
}

unsigned net_frame_measure(const struct base_net_frame *frames, unsigned count,
                           uint32_t cut_size_max, uint32_t *size)
{
    const struct base_net_frame *first = frames;
    unsigned used = 1;

    *size = first->size;
    while ((frames[used - 1].flags & BASE_NET_MORE) != 0) {
        if (used == count || *size > cut_size_max)
            hw_base.abort("net_send: a frame without an end");
        *size += frames[used++].size;
    }
    if (*size > cut_size_max)
        hw_base.abort("net_send: a frame of impossible size");
    if ((first->flags & BASE_NET_CUT) == 0 || first->cut_size == 0 ||
        first->header_size < NET_FRAME_SIZE_MIN ||
        first->header_size > first->size ||
        (first->flags & BASE_NET_CHECKSUM_NEEDED) == 0)
        hw_base.abort("net_send: a frame that cannot be cut");
    return used;
}

void net_frame_take(const struct base_net_frame *frames, unsigned *entry,
                    uint32_t *at, uint8_t *to, uint32_t size)
{
    while (size > 0) {
        uint32_t part = frames[*entry].size - *at;

        if (part == 0) {
            ++*entry;
            *at = 0;
            continue;
        }
        if (part > size)
            part = size;
        memcpy(to, (const uint8_t *)frames[*entry].data + *at, part);
        to += part;
        *at += part;
        size -= part;
    }
}
