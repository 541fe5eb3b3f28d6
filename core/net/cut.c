/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Large frames cut into segments, and checksums that were left out: see cut.h.
 *
 * What a device does that cuts (RFC 9293, RFC 791; CWR: RFC 3168, section
 * 6.1.2): each segment has the large frame's headers, with its own length,
 * sequence number, IPv4 identification and checksums. FIN and PSH are the
 * last's, CWR is the first's.
 */
#include "core/net/cut.h"

#include "lwip/prot/ip.h"
#include "lwip/prot/tcp.h"

#define MAC_SIZE          12u /* the addresses, before Ethernet's type */
#define TAG_SIZE          4u
#define TAGS_MAX          2
#define ETHERNET_SIZE_MAX (MAC_SIZE + TAGS_MAX * TAG_SIZE + 2)
#define IP4_SIZE          20u
#define IP6_SIZE          40u
#define TCP_SIZE          20u
#define TYPE_IP4          0x0800
#define TYPE_IP6          0x86dd
#define TYPE_TAG          0x8100 /* 802.1Q */
#define TYPE_TAG2         0x88a8 /* 802.1ad */
/* Of an IPv4 header. */
#define AT_ID          4
#define AT_IP_CHECKSUM 10
/* Of a TCP header; of UDP's. */
#define AT_SEQUENCE     4
#define AT_FLAGS        13
#define AT_CHECKSUM     16
#define AT_UDP_CHECKSUM 6

/* Where things are in a frame, of which is there what its headers say. */
struct packet {
    uint8_t *ip;
    uint8_t *data;      /* after IP's header */
    uint32_t data_size; /* bytes */
    uint8_t protocol;
    bool is_ip6;
};

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void add32(uint8_t *at, uint32_t value)
{
    value += get16(at) << 16 | get16(at + 2);
    put16(at, value >> 16);
    put16(at + 2, value);
}

/* False: it is no IP, not whole, or a fragment. */
static bool packet_of(uint8_t *frame, size_t size, struct packet *out)
{
    uint32_t at = MAC_SIZE, type, ip_size, total, left;
    uint8_t *ip;

    for (unsigned tags = 0; tags < TAGS_MAX && size >= at + 2; tags++) {
        type = get16(frame + at);
        if (type != TYPE_TAG && type != TYPE_TAG2)
            break;
        at += TAG_SIZE;
    }
    if (size < at + 2 + IP4_SIZE)
        return false;
    type = get16(frame + at);
    ip = frame + at + 2;
    left = (uint32_t)size - at - 2;
    if (type == TYPE_IP4 && ip[0] >> 4 == 4) {
        ip_size = (ip[0] & 15u) * 4u;
        total = get16(ip + 2);
        if (ip_size < IP4_SIZE || (get16(ip + 6) & 0x3fff) != 0)
            return false;
        out->protocol = ip[9];
    } else if (type == TYPE_IP6 && ip[0] >> 4 == 6 && left >= IP6_SIZE) {
        ip_size = IP6_SIZE;
        total = ip_size + get16(ip + 4);
        out->protocol = ip[6];
    } else {
        return false;
    }
    if (total > left || total < ip_size)
        return false;
    out->ip = ip;
    out->data = ip + ip_size;
    out->data_size = total - ip_size;
    out->is_ip6 = type == TYPE_IP6;
    return true;
}

/* In 16 bits: a sum of so many bytes' 16-bit words, big-endian, and of `sum`.
 * They are added eight bytes at a time in our own byte order, which comes to
 * the same when the result is turned (RFC 1071, section 2). */
static uint32_t sum_of(const uint8_t *data, size_t size, uint32_t sum)
{
    uint64_t wide = 0, word;
    size_t i = 0;

    for (; i + 8 <= size; i += 8) {
        memcpy(&word, data + i, 8);
        wide += (word & 0xffffffff) + (word >> 32);
    }
    word = 0;
    memcpy(&word, data + i, size - i);
    wide += (word & 0xffffffff) + (word >> 32);
    wide = (wide & 0xffffffff) + (wide >> 32);
    wide = (wide & 0xffff) + (wide >> 16);
    wide = (wide & 0xffff) + (wide >> 16);
    wide = (wide & 0xffff) + (wide >> 16);
    sum = (sum & 0xffff) + (sum >> 16) + __builtin_bswap16((uint16_t)wide);
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

/* Of the pseudo header, in 16 bits. */
static uint32_t pseudo_sum(const struct packet *packet)
{
    return sum_of(packet->ip + (packet->is_ip6 ? 8 : 12),
                  packet->is_ip6 ? 32 : 8,
                  packet->protocol + packet->data_size);
}

/* Of the pseudo header and the packet's data, in 16 bits. */
static uint32_t packet_sum(const struct packet *packet)
{
    return sum_of(packet->data, packet->data_size, pseudo_sum(packet));
}

/* `at`: the field's offset in the packet's data, which has it. */
static void checksum_set(const struct packet *packet, uint32_t at)
{
    uint32_t checksum;

    put16(packet->data + at, 0);
    checksum = packet_sum(packet) ^ 0xffff;
    if (checksum == 0 && packet->protocol == IP_PROTO_UDP)
        checksum = 0xffff;
    put16(packet->data + at, checksum);
}

/* Where the packet's data have the checksum of TCP or UDP; 0: they have none.
 */
static uint32_t checksum_at(const struct packet *packet)
{
    uint32_t at = 0;

    if (packet->protocol == IP_PROTO_TCP)
        at = AT_CHECKSUM;
    else if (packet->protocol == IP_PROTO_UDP)
        at = AT_UDP_CHECKSUM;
    return packet->data_size >= at + 2 ? at : 0;
}

void net_checksum_make(uint8_t *frame, size_t size)
{
    struct packet packet;
    uint32_t at;

    if (!packet_of(frame, size, &packet))
        return;
    at = checksum_at(&packet);
    if (at > 0)
        checksum_set(&packet, at);
}

bool net_checksum_begin(uint8_t *frame, size_t size, uint32_t *start,
                        uint32_t *offset)
{
    struct packet packet;

    if (!packet_of(frame, size, &packet))
        return false;
    *start = (uint32_t)(packet.data - frame);
    *offset = checksum_at(&packet);
    if (*offset == 0)
        return false;
    put16(packet.data + *offset, pseudo_sum(&packet));
    return true;
}

/* A large frame: its headers are looked at here, and never again. */
static bool segments_of(struct net_cut *cut, uint8_t *frame, size_t size,
                        uint32_t flags, uint32_t mtu)
{
    const uint8_t odd = TCP_SYN | TCP_RST | TCP_URG;
    struct packet packet;
    uint32_t tcp_size, headers;

    if (!packet_of(frame, size, &packet) || packet.protocol != IP_PROTO_TCP ||
        packet.data_size < TCP_SIZE)
        return false;
    tcp_size = (packet.data[12] >> 4) * 4u;
    if (tcp_size < TCP_SIZE || tcp_size >= packet.data_size ||
        (packet.data[AT_FLAGS] & odd) != 0)
        return false;
    headers = (uint32_t)(packet.data - packet.ip) + tcp_size; /* IP's and its */
    if (mtu <= headers)
        return false;
    if (!packet.is_ip6 &&
        sum_of(packet.ip, (size_t)(packet.data - packet.ip), 0) != 0xffff)
        return false;
    if (!(flags & BASE_NET_CHECKSUM_GOOD) && packet_sum(&packet) != 0xffff)
        return false;
    cut->ip_at = (uint32_t)(packet.ip - frame);
    cut->tcp_at = (uint32_t)(packet.data - frame);
    cut->is_ip6 = packet.is_ip6;
    cut->header_size = cut->at = cut->tcp_at + tcp_size;
    cut->size = cut->tcp_at + packet.data_size;
    cut->part_size = mtu - headers;
    return true;
}

bool net_cut_begin_any(struct net_cut *cut, uint8_t *frame, size_t size,
                       uint32_t flags, uint32_t mtu)
{
    ASSERT(size <= LIMIT_FRAME_LARGE);
    ASSERT(mtu <= LIMIT_FRAME_SIZE - ETHERNET_SIZE_MAX);
    memset(cut, 0, sizeof(*cut));
    cut->frame = frame;
    return segments_of(cut, frame, size, flags, mtu);
}

bool net_cut_begin(struct net_cut *cut, uint8_t *frame, size_t size,
                   uint32_t flags, uint32_t mtu)
{
    if (size > LIMIT_FRAME_SIZE)
        return net_cut_begin_any(cut, frame, size, flags, mtu);
    memset(cut, 0, sizeof(*cut));
    cut->frame = frame;
    if (flags & BASE_NET_CHECKSUM_GOOD)
        net_checksum_make(frame, size);
    cut->size = cut->part_size = (uint32_t)size;
    return true;
}

/* The large frame's headers become those of the part of `size` bytes that
 * begins at cut->at and is behind them already. */
static void headers_set(const struct net_cut *cut, uint8_t *out, uint32_t size)
{
    uint32_t offset = cut->at - cut->header_size;
    const struct packet packet = {
        .ip = out + cut->ip_at,
        .data = out + cut->tcp_at,
        .data_size = cut->header_size - cut->tcp_at + size,
        .protocol = IP_PROTO_TCP,
        .is_ip6 = cut->is_ip6,
    };
    uint32_t ip_size = cut->tcp_at - cut->ip_at;

    if (cut->is_ip6) {
        put16(packet.ip + 4, packet.data_size);
    } else {
        put16(packet.ip + 2, ip_size + packet.data_size);
        put16(packet.ip + AT_ID,
              get16(packet.ip + AT_ID) + offset / cut->part_size);
        put16(packet.ip + AT_IP_CHECKSUM, 0);
        put16(packet.ip + AT_IP_CHECKSUM,
              sum_of(packet.ip, ip_size, 0) ^ 0xffff);
    }
    add32(packet.data + AT_SEQUENCE, offset);
    if (offset > 0)
        packet.data[AT_FLAGS] &= (uint8_t)~TCP_CWR;
    if (cut->at + size < cut->size)
        packet.data[AT_FLAGS] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    checksum_set(&packet, AT_CHECKSUM);
}

size_t net_cut_next(struct net_cut *cut, uint8_t *out)
{
    uint32_t size = cut->size - cut->at;

    if (size == 0)
        return 0;
    if (size > cut->part_size)
        size = cut->part_size;
    memcpy(out, cut->frame, cut->header_size);
    memcpy(out + cut->header_size, cut->frame + cut->at, size);
    if (cut->header_size > 0)
        headers_set(cut, out, size);
    cut->at += size;
    ASSERT(cut->header_size + size <= LIMIT_FRAME_SIZE);
    return cut->header_size + size;
}
