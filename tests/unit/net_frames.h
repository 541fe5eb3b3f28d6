/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ethernet frames made and taken apart by the tests of core/net: the machine
 * at the other end of the mock's device, 10.0.2.2 to our 10.0.2.15.
 */
#ifndef HALVM_UNIT_NET_FRAMES_H
#define HALVM_UNIT_NET_FRAMES_H

#include "net_mock.h"

#define PEER_IP 0x0a000202u
#define OUR_IP  0x0a00020fu

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static const unsigned char our_mac[6] = {0x52, 0x54, 0, 1, 2, 3};
static const unsigned char peer_mac[6] = {2, 0, 0, 0, 0, 2};

static inline void put16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

static inline void put32(unsigned char *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

static inline unsigned get16(const unsigned char *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static inline uint32_t get32(const unsigned char *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static inline uint32_t sum16(uint32_t sum, const unsigned char *at,
                             unsigned size)
{
    for (unsigned i = 0; i + 1 < size; i += 2)
        sum += get16(at + i);
    return size & 1 ? sum + ((uint32_t)at[size - 1] << 8) : sum;
}

static inline unsigned fold(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

static inline void frame_arrives(const void *data, unsigned size)
{
    mock_frame_put(mock_arriving, &mock_arriving_count, data, size);
}

/* Ethernet and IPv4 headers around size bytes that are in place already. */
static inline unsigned ip_wrap(unsigned char *frame, unsigned protocol,
                               uint32_t source, unsigned size)
{
    unsigned char *ip = frame + 14;

    memcpy(frame, our_mac, 6);
    memcpy(frame + 6, peer_mac, 6);
    put16(frame + 12, 0x0800);
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, 20 + size);
    ip[8] = 64;
    ip[9] = (unsigned char)protocol;
    put32(ip + 12, source);
    put32(ip + 16, OUR_IP);
    put16(ip + 10, fold(sum16(0, ip, 20)));
    return 34 + size;
}

static inline void tcp_arrives(uint32_t source, unsigned from, unsigned to,
                               uint32_t seq, uint32_t ack, unsigned flags,
                               const void *data, unsigned size)
{
    unsigned char frame[1514] = {0}, *tcp = frame + 34;
    uint32_t sum;

    put16(tcp, from);
    put16(tcp + 2, to);
    put32(tcp + 4, seq);
    put32(tcp + 8, ack);
    tcp[12] = 0x50;
    tcp[13] = (unsigned char)flags;
    put16(tcp + 14, 65535);
    if (size)
        memcpy(tcp + 20, data, size);
    sum = (source >> 16) + (source & 0xffff) + (OUR_IP >> 16) +
          (OUR_IP & 0xffff) + 6 + 20 + size;
    put16(tcp + 16, fold(sum16(sum, tcp, 20 + size)));
    frame_arrives(frame, ip_wrap(frame, 6, source, 20 + size));
}

/* Whoever asks for the peer's (or any other) address is told its MAC. */
static inline void arp_answer(const struct mock_frame *request)
{
    unsigned char frame[60] = {0};

    memcpy(frame, our_mac, 6);
    memcpy(frame + 6, peer_mac, 6);
    put16(frame + 12, 0x0806);
    memcpy(frame + 14, request->data + 14, 8);
    put16(frame + 20, 2);
    memcpy(frame + 22, peer_mac, 6);
    memcpy(frame + 28, request->data + 38, 4);
    memcpy(frame + 32, our_mac, 6);
    put32(frame + 38, OUR_IP);
    frame_arrives(frame, sizeof(frame));
}

static inline bool is_arp_request(const struct mock_frame *frame)
{
    return get16(frame->data + 12) == 0x0806 && get16(frame->data + 20) == 1;
}

static inline bool is_tcp(const struct mock_frame *frame)
{
    return get16(frame->data + 12) == 0x0800 && frame->data[23] == 6;
}

/* Counts what was sent with all of these TCP flags, and forgets the rest. */
static inline unsigned sent_with(unsigned flags)
{
    struct mock_frame *frame;
    unsigned count = 0;

    while ((frame = mock_frame_take(mock_sent, &mock_sent_count))) {
        if (is_tcp(frame) && (frame->data[47] & flags) == flags)
            count++;
        free(frame);
    }
    return count;
}

#endif
