/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a program may get of a frame whose segments of TCP were joined, seen
 * from outside: used by tests/unit/net_cut_test.c and by the fuzz target.
 */
#ifndef HALVM_UNIT_NET_CUT_CHECK_H
#define HALVM_UNIT_NET_CUT_CHECK_H

#include "net_frames.h"

/* Bytes from the frame's begin. */
struct headers {
    unsigned ip, transport, end, protocol;
    bool six;
};

/* Whether a frame is IP, whole, and no fragment. */
static inline bool headers_find(const unsigned char *frame, unsigned size,
                                struct headers *out)
{
    unsigned at = 12, type;

    for (unsigned tags = 0;; tags++, at += 4) {
        if (at + 2 > size)
            return false;
        type = get16(frame + at);
        if (tags == 2 || (type != 0x8100 && type != 0x88a8))
            break;
    }
    at += 2;
    out->ip = at;
    out->six = type == 0x86dd;
    if ((type != 0x0800 && !out->six) || at + (out->six ? 40 : 20) > size ||
        frame[at] >> 4 != (out->six ? 6 : 4))
        return false;
    out->transport = at + (out->six ? 40 : (frame[at] & 15u) * 4);
    out->end =
        at + get16(frame + at + (out->six ? 4 : 2)) + (out->six ? 40 : 0);
    out->protocol = frame[at + (out->six ? 6 : 9)];
    return out->transport >= at + 20 && out->end >= out->transport &&
           out->end <= size && (out->six || !(get16(frame + at + 6) & 0x3fff));
}

/* 0: the checksum of TCP or UDP is right. */
static inline unsigned transport_sum(const unsigned char *frame,
                                     const struct headers *at)
{
    unsigned size = at->end - at->transport;
    uint32_t sum = sum16(at->protocol + size,
                         frame + at->ip + (at->six ? 8 : 12), at->six ? 32 : 8);

    return fold(sum16(sum, frame + at->transport, size));
}

/* Whether a large frame can be cut for this MTU. */
static inline bool cut_is_due(const unsigned char *frame, unsigned size,
                              bool good, unsigned mtu)
{
    const unsigned char *tcp;
    struct headers at;
    unsigned header;

    if (!headers_find(frame, size, &at) || at.protocol != 6 ||
        at.end < at.transport + 20)
        return false;
    tcp = frame + at.transport;
    header = (tcp[12] >> 4) * 4u;
    return header >= 20 && at.transport + header < at.end &&
           !(tcp[13] & (SYN | RST | 32)) &&
           mtu > at.transport - at.ip + header &&
           (at.six ||
            fold(sum16(0, frame + at.ip, at.transport - at.ip)) == 0) &&
           (good || transport_sum(frame, &at) == 0);
}

/* A large frame of which `done` bytes of data and so many parts were there. */
struct cut_check {
    const unsigned char *frame;
    unsigned size, mtu, done, parts;
};

/* The next part: checks each of its bytes. True: it is the last. */
static inline bool cut_check(struct cut_check *check, const unsigned char *part,
                             unsigned size)
{
    const unsigned char *frame = check->frame, *tcp, *its;
    struct headers at, in;
    unsigned header, data, flags;
    bool last;

    CHECK(headers_find(frame, check->size, &at));
    CHECK(headers_find(part, size, &in));
    CHECK(in.ip == at.ip && in.transport == at.transport && in.end == size);
    tcp = frame + at.transport;
    its = part + in.transport;
    header = at.transport + (tcp[12] >> 4) * 4u;
    CHECK(size > header && size - in.ip <= check->mtu);
    data = size - header;
    CHECK(memcmp(part + header, frame + header + check->done, data) == 0);
    CHECK(transport_sum(part, &in) == 0);
    last = header + check->done + data == at.end;
    CHECK(last || size - in.ip == check->mtu);
    /* The headers: what may differ, and nothing else. */
    CHECK(memcmp(part, frame, at.ip) == 0);
    if (at.six) {
        CHECK(memcmp(part + at.ip, frame + at.ip, 4) == 0);
        CHECK(memcmp(part + at.ip + 6, frame + at.ip + 6, 34) == 0);
    } else {
        CHECK(memcmp(part + at.ip, frame + at.ip, 2) == 0);
        CHECK(get16(part + at.ip + 4) ==
              ((get16(frame + at.ip + 4) + check->parts) & 0xffff));
        CHECK(memcmp(part + at.ip + 6, frame + at.ip + 6, 4) == 0);
        CHECK(memcmp(part + at.ip + 12, frame + at.ip + 12,
                     at.transport - at.ip - 12) == 0);
        CHECK(fold(sum16(0, part + at.ip, at.transport - at.ip)) == 0);
    }
    CHECK(memcmp(its, tcp, 4) == 0);
    CHECK(get32(its + 4) == get32(tcp + 4) + check->done);
    CHECK(memcmp(its + 8, tcp + 8, 5) == 0);
    flags = tcp[13];
    if (!last)
        flags &= ~(unsigned)(FIN | PSH);
    if (check->parts > 0)
        flags &= ~0x80u; /* CWR */
    CHECK(its[13] == flags);
    CHECK(memcmp(its + 14, tcp + 14, 2) == 0);
    CHECK(memcmp(its + 18, tcp + 18, header - at.transport - 18) == 0);
    check->done += data;
    check->parts++;
    return last;
}

#endif
