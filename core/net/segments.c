/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP segments on their way out: what the device does for them. Called by
 * interface.c for frames that lwIP has made and the device has not taken yet.
 *
 * Consecutive segments of a connection that leave together become one large
 * frame, which the device cuts again (base.h, BASE_NET_CUT): the first keeps
 * its headers, the others leave theirs out. The headers say then how long the
 * large frame is, and nothing else in them is changed but a checksum and PSH,
 * so a frame that the device had no room for can be joined otherwise the next
 * time: what counts is its own size, not the length that its header has.
 */
#include "core/net/segments.h"

#include "lwip/inet_chksum.h"
#include "lwip/prot/ip.h"
#include "lwip/prot/tcp.h"

#define ETHERNET_SIZE 14u
#define IP6_SIZE      40u
/* Of a TCP header. */
#define AT_SEQUENCE 4
#define AT_FLAGS    13
#define AT_CHECKSUM 16

struct segment {
    uint8_t *ip, *tcp;
    uint32_t header_size; /* all headers */
    uint32_t size;        /* of TCP's data */
    bool is_ip6;
};

/* Whether a frame is TCP, and where things are in it. lwIP made it, so its
 * headers are whole. */
static inline bool segment_of(const struct base_net_frame *frame,
                              struct segment *out)
{
    uint8_t *data = frame->data, *ip = data + ETHERNET_SIZE;
    uint32_t ip_size;

    if (data[12] == 0x08 && data[13] == 0x00 && ip[9] == IP_PROTO_TCP)
        ip_size = (ip[0] & 15u) * 4;
    else if (data[12] == 0x86 && data[13] == 0xdd && ip[6] == IP_PROTO_TCP)
        ip_size = IP6_SIZE;
    else
        return false;
    out->is_ip6 = data[12] == 0x86;
    out->ip = ip;
    out->tcp = ip + ip_size;
    out->header_size = ETHERNET_SIZE + ip_size + (out->tcp[12] >> 4) * 4u;
    out->size = frame->size - out->header_size;
    return frame->size >= out->header_size;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* Says in the headers that TCP has so many bytes of data, and asks for the
 * checksum: its field takes the sum of the pseudo header. */
static void headers_set(struct base_net_frame *frame,
                        const struct segment *segment, uint32_t size)
{
    uint32_t ip_size = (uint32_t)(segment->tcp - segment->ip), address_size = 8;
    uint8_t *ip = segment->ip, *addresses = ip + 12;
    uint32_t sum;

    size += segment->header_size - ETHERNET_SIZE - ip_size; /* with TCP's */
    if (segment->is_ip6) {
        put16(ip + 4, size);
        addresses = ip + 8;
        address_size = 32;
    } else if ((uint32_t)(ip[2] << 8 | ip[3]) != ip_size + size) {
        uint16_t checksum;

        put16(ip + 2, ip_size + size);
        put16(ip + 10, 0);
        checksum = inet_chksum(ip, (u16_t)ip_size);
        memcpy(ip + 10, &checksum, 2);
    }
    sum = IP_PROTO_TCP + size;
    for (uint32_t i = 0; i < address_size; i += 2)
        sum += (uint32_t)(addresses[i] << 8 | addresses[i + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    put16(segment->tcp + AT_CHECKSUM, sum);
    frame->flags = BASE_NET_CHECKSUM_NEEDED;
    frame->checksum_start = (uint16_t)(ETHERNET_SIZE + ip_size);
    frame->checksum_offset = AT_CHECKSUM;
}

/* Whether the headers of b are what a device would make of a's for a segment
 * that comes after `offset` bytes of data. */
static bool headers_match(const struct segment *a, const struct segment *b,
                          uint32_t offset)
{
    const uint8_t *i = a->ip, *j = b->ip, *t = a->tcp, *u = b->tcp;
    const uint8_t plain = TCP_ACK;

    if (a->is_ip6 != b->is_ip6 || a->header_size != b->header_size ||
        get32(u + AT_SEQUENCE) != get32(t + AT_SEQUENCE) + offset ||
        (t[AT_FLAGS] & ~TCP_PSH) != plain || (u[AT_FLAGS] & ~TCP_PSH) != plain)
        return false;
    /* Ethernet's; ports; acknowledgement and sizes; window, options. */
    if (memcmp(i - ETHERNET_SIZE, j - ETHERNET_SIZE, ETHERNET_SIZE) != 0 ||
        memcmp(t, u, 4) != 0 || memcmp(t + 8, u + 8, 5) != 0 ||
        memcmp(t + 14, u + 14, 2) != 0 ||
        memcmp(t + 18, u + 18, (size_t)(t[12] >> 4) * 4 - 18) != 0)
        return false;
    if (a->is_ip6)
        return memcmp(i, j, 4) == 0 && memcmp(i + 6, j + 6, 34) == 0;
    /* Neither is a fragment; but for length, identification, checksum. */
    return (i[6] & 0x3f) == 0 && i[7] == 0 && memcmp(i, j, 2) == 0 &&
           memcmp(i + 6, j + 6, 4) == 0 &&
           memcmp(i + 12, j + 12, (size_t)(t - i) - 12) == 0;
}

/* How many of the frames are one when they are joined; *size: of its data. */
static unsigned run_length(const struct base_net_frame *frames, unsigned count,
                           const struct segment *first, uint32_t size_max,
                           uint32_t *size)
{
    struct segment next;
    unsigned length = 1;

    *size = first->size;
    /* All but the last have the same size. */
    while (length < count && *size == length * first->size &&
           segment_of(&frames[length], &next) && next.size > 0 &&
           next.size <= first->size &&
           first->header_size + *size + next.size <= size_max &&
           headers_match(first, &next, *size)) {
        first->tcp[AT_FLAGS] |= next.tcp[AT_FLAGS]; /* PSH: of the last */
        *size += next.size;
        length++;
    }
    return length;
}

void net_segments_prepare(struct base_net_frame *frames, unsigned count,
                          uint32_t features, uint32_t cut_size_max)
{
    unsigned length;

    if (!(features & BASE_NET_TX_CHECKSUM))
        return;
    for (unsigned i = 0; i < count; i += length) {
        struct segment first;
        uint32_t size;

        length = 1;
        if (!segment_of(&frames[i], &first))
            continue;
        size = first.size;
        if (size > 0 &&
            features & (first.is_ip6 ? BASE_NET_TX_TCP6 : BASE_NET_TX_TCP4))
            length =
                run_length(frames + i, count - i, &first, cut_size_max, &size);
        headers_set(&frames[i], &first, size);
        if (length == 1)
            continue;
        frames[i].flags |= BASE_NET_CUT;
        frames[i].header_size = (uint16_t)first.header_size;
        frames[i].cut_size = (uint16_t)first.size;
        for (unsigned j = 1; j < length; j++) {
            frames[i + j - 1].flags |= BASE_NET_MORE;
            frames[i + j].data =
                (uint8_t *)frames[i + j].data + first.header_size;
            frames[i + j].size -= first.header_size;
        }
    }
}
