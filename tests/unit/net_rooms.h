/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a network driver's receive operation, ROOMS_RECEIVE, puts what came
 * for the tests of large frames: rooms, and a frame's bytes to compare.
 */
#ifndef HALVM_UNIT_NET_ROOMS_H
#define HALVM_UNIT_NET_ROOMS_H

#include "check.h"

#define ROOMS 48

static uint8_t large[2 * LIMIT_FRAME_LARGE]; /* what is sent is its beginning */
static uint8_t rooms_data[ROOMS][LIMIT_FRAME_SIZE];
static struct base_net_frame rooms[ROOMS];

static void fill_large(unsigned seed)
{
    for (unsigned i = 0; i < sizeof(large); i++)
        large[i] = (uint8_t)((i * 2654435761u + seed) >> 24);
}

static unsigned listen_in(unsigned count)
{
    for (unsigned i = 0; i < ROOMS; i++)
        rooms[i] = (struct base_net_frame){
            .data = rooms_data[i], .size = LIMIT_FRAME_SIZE, .flags = 0xff};
    return ROOMS_RECEIVE(0, rooms, count);
}

/* Two rooms, the second for all that does not fit into the first: packet.c's.
 * No frame is lost for want of more, and none joins one that has begun. */
static unsigned listen_in_two(void)
{
    for (unsigned i = 0; i < 2; i++)
        rooms[i] = (struct base_net_frame){
            .data = rooms_data[i],
            .size = i ? LIMIT_FRAME_LARGE - LIMIT_FRAME_SIZE : LIMIT_FRAME_SIZE,
            .flags = 0xff};
    return ROOMS_RECEIVE(0, rooms, 2);
}

/* Whether rooms from `at` on hold the first `size` bytes of the frame; returns
 * how many do. */
static unsigned check_rooms(unsigned at, uint32_t size, uint32_t flags)
{
    uint32_t done = 0;
    unsigned first = at;

    for (bool more = true; more; at++) {
        more = rooms[at].flags & BASE_NET_MORE;
        CHECK((rooms[at].flags & ~BASE_NET_MORE) == (at == first ? flags : 0));
        CHECK(rooms[at].size > 0 && done + rooms[at].size <= size);
        CHECK(memcmp(rooms[at].data, large + done, rooms[at].size) == 0);
        done += rooms[at].size;
    }
    CHECK(done == size);
    return at - first;
}

#endif
