/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Received frames made into what a network would have brought: for a program
 * with a stack of its own (packet.c), which knows nothing of devices that join
 * segments and leave checksums out. Functions of buffers and nothing else.
 */
#ifndef HALVM_NET_CUT_H
#define HALVM_NET_CUT_H

#include "core/core.h"

/* A frame that is being given away, in parts. All zeros: none. */
struct net_cut {
    uint8_t *frame;
    uint32_t header_size;   /* of a large one: up to TCP's data, in bytes */
    uint32_t ip_at, tcp_at; /* bytes from the frame's begin */
    bool is_ip6;
    uint32_t part_size; /* of the data that a part has, but for the last */
    uint32_t at, size;  /* bytes of the frame: given already, all there are */
};

/*
 * A frame of a neighbour on the same host may come without its TCP or UDP
 * checksum, which the device then calls good. A stack wants to check it: so it
 * is made, where there is one (IPv4 and IPv6, no fragments, no extension
 * headers, VLAN tags or none).
 */
void net_checksum_make(uint8_t *frame, size_t size);

/*
 * The opposite: the field gets what a device is to complete, the sum of the
 * pseudo header. True: the checksum is over all from *start of the frame on,
 * and its field *offset after that, in bytes. False: there is none.
 */
bool net_checksum_begin(uint8_t *frame, size_t size, uint32_t *start,
                        uint32_t *offset);

/*
 * Takes a frame of `size` bytes as net_recv gave it with `flags`, but in one
 * piece, which stays the caller's and as it is until all is given. One of more
 * than LIMIT_FRAME_SIZE bytes (base.h: joined segments of TCP) is to be cut
 * into frames of `mtu` bytes after Ethernet's header; another is given as it
 * is. False, and nothing is to be given: a large one that is not TCP without
 * SYN, RST and URG, is not whole, whose checksums are wrong, or whose headers
 * leave no room.
 */
bool net_cut_begin(struct net_cut *cut, uint8_t *frame, size_t size,
                   uint32_t flags, uint32_t mtu);

/* The same of a frame that is to be cut whatever its size. */
bool net_cut_begin_any(struct net_cut *cut, uint8_t *frame, size_t size,
                       uint32_t flags, uint32_t mtu);

/* Writes the next frame, with its checksums, to out, which has
 * LIMIT_FRAME_SIZE bytes. Its size; 0: there is nothing left. */
size_t net_cut_next(struct net_cut *cut, uint8_t *out);

#endif
