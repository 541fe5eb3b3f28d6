/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is left to a device, or was by one, as Linux says it to programs: the
 * header that packet(7) puts before each frame with PACKET_VNET_HDR. Functions
 * of buffers and nothing else; packet.c calls them.
 */
#ifndef HALVM_NET_OFFLOAD_H
#define HALVM_NET_OFFLOAD_H

#include "core/core.h"

/* virtio 1.0, section 5.1.6, without the count of buffers; linux/virtio_net.h:
 * struct virtio_net_hdr. In our own byte order. */
struct net_offload {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t header_size;     /* Ethernet's, IP's and TCP's, in bytes */
    uint16_t gso_size;        /* of TCP's data in a segment, in bytes */
    uint16_t checksum_start;  /* bytes from the frame's begin */
    uint16_t checksum_offset; /* bytes from there to the field */
};
_Static_assert(sizeof(struct net_offload) == 10, "linux/virtio_net.h");
#define NET_OFFLOAD_CHECKSUM 1u /* NEEDS_CSUM */
#define NET_OFFLOAD_GOOD     2u /* DATA_VALID */
#define NET_OFFLOAD_TCP4     1u
#define NET_OFFLOAD_TCP6     4u

/*
 * Says of a frame that net_recv gave with `flags`, in one piece, what it is. A
 * large one is segments that were joined, of which each had what fits into
 * `mtu` bytes. If the device has checked the checksum of TCP or UDP, or there
 * never was one, the frame gets what a device is to complete, so that it can be
 * sent on. False: a large one that is not in order (net_cut_begin).
 */
bool net_offload_say(struct net_offload *out, uint8_t *frame, size_t size,
                     uint32_t flags, uint32_t mtu);

/*
 * Of what a program wants sent: fills in all but data and size of `frame`, of
 * which data is in one piece and size at most LIMIT_FRAME_LARGE. Returns 0, or
 * -EINVAL: the header asks for what there is not, or does not fit the frame,
 * which is to be cut but not TCP in order, or -EMSGSIZE: it is larger than
 * `mtu` bytes after Ethernet's header, or in segments that are.
 */
int net_offload_obey(const struct net_offload *in, struct base_net_frame *frame,
                     uint32_t mtu);

#endif
