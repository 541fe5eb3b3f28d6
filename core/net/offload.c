/* SPDX-License-Identifier: BSD-3-Clause */
/* The header of PACKET_VNET_HDR: see offload.h. */
#include "core/net/offload.h"

#include "core/net/cut.h"

#define ETHERNET_SIZE 14u
#define TCP_CHECKSUM  16u /* where TCP has its own */

bool net_offload_say(struct net_offload *out, uint8_t *frame, size_t size,
                     uint32_t flags, uint32_t mtu)
{
    uint32_t start, offset;

    *out = (struct net_offload){0};
    if (size > LIMIT_FRAME_SIZE) {
        struct net_cut cut;

        if (!net_cut_begin(&cut, frame, size, flags, mtu))
            return false;
        out->gso_type = cut.is_ip6 ? NET_OFFLOAD_TCP6 : NET_OFFLOAD_TCP4;
        out->header_size = (uint16_t)cut.header_size;
        out->gso_size = (uint16_t)cut.part_size;
        flags |= BASE_NET_CHECKSUM_GOOD; /* it was looked at, if not before */
    }
    if (!(flags & BASE_NET_CHECKSUM_GOOD))
        return true;
    if (net_checksum_begin(frame, size, &start, &offset)) {
        out->flags = NET_OFFLOAD_CHECKSUM;
        out->checksum_start = (uint16_t)start;
        out->checksum_offset = (uint16_t)offset;
    } else {
        out->flags = NET_OFFLOAD_GOOD;
    }
    return true;
}

/* A frame that the device is to cut. */
static int obey_cut(const struct net_offload *in, struct base_net_frame *frame,
                    uint32_t mtu)
{
    struct net_cut cut;

    if ((in->gso_type != NET_OFFLOAD_TCP4 &&
         in->gso_type != NET_OFFLOAD_TCP6) ||
        !(in->flags & NET_OFFLOAD_CHECKSUM) || in->gso_size == 0)
        return -EINVAL;
    if (!net_cut_begin_any(&cut, frame->data, frame->size,
                           BASE_NET_CHECKSUM_GOOD, mtu) ||
        cut.is_ip6 != (in->gso_type == NET_OFFLOAD_TCP6) ||
        cut.size != frame->size || in->checksum_start != cut.tcp_at ||
        in->checksum_offset != TCP_CHECKSUM)
        return -EINVAL;
    if (in->gso_size > cut.part_size)
        return -EMSGSIZE;
    frame->flags = BASE_NET_CHECKSUM_NEEDED;
    /* One segment is no large frame. */
    if (frame->size > cut.header_size + in->gso_size)
        frame->flags |= BASE_NET_CUT;
    frame->header_size = (uint16_t)cut.header_size;
    frame->cut_size = in->gso_size;
    return 0;
}

int net_offload_obey(const struct net_offload *in, struct base_net_frame *frame,
                     uint32_t mtu)
{
    int result = 0;

    frame->flags = 0;
    frame->checksum_start = in->checksum_start;
    frame->checksum_offset = in->checksum_offset;
    frame->header_size = frame->cut_size = 0;
    if (in->gso_type != 0)
        result = obey_cut(in, frame, mtu);
    else if (frame->size > mtu + ETHERNET_SIZE)
        result = -EMSGSIZE;
    else if (in->flags & NET_OFFLOAD_CHECKSUM)
        frame->flags = BASE_NET_CHECKSUM_NEEDED;
    if (result == 0 && frame->flags != 0 &&
        (uint32_t)frame->checksum_start + frame->checksum_offset + 2 >
            frame->size)
        result = -EINVAL;
    return result;
}
