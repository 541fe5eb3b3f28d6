/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames of TCP over IPv4 and IPv6 of any size, with options and VLAN tags, for
 * the tests of what cuts them and of what leaves them whole. */
#ifndef HALVM_UNIT_NET_CUT_MAKE_H
#define HALVM_UNIT_NET_CUT_MAKE_H

#include "net_cut_check.h"

enum { URG = 32, ECE = 64, CWR = 128 };

static unsigned char whole[LIMIT_FRAME_LARGE];

struct kind {
    unsigned tags, ip_options, tcp_options;
    bool six;
};

/* The checksum of a whole frame: as on a wire. */
static void checksum_fill(unsigned char *frame, unsigned size)
{
    struct headers at;
    unsigned field;

    CHECK(headers_find(frame, size, &at));
    field = at.transport + (at.protocol == 6 ? 16 : 6);
    put16(frame + field, 0);
    put16(frame + field, transport_sum(frame, &at));
}

/* Makes a frame with `data` bytes of TCP's data in whole[]; its size. */
static unsigned make(const struct kind *kind, unsigned data, unsigned flags)
{
    unsigned at = 12, ip_size = kind->six ? 40 : 20 + kind->ip_options;
    unsigned tcp_size = 20 + kind->tcp_options;
    unsigned char *ip, *tcp;

    for (unsigned i = 0; i < sizeof(whole); i++)
        whole[i] = (unsigned char)((i * 2654435761u + data) >> 24);
    for (unsigned i = 0; i < kind->tags; i++, at += 4)
        put16(whole + at, i + 1 < kind->tags ? 0x88a8 : 0x8100);
    put16(whole + at, kind->six ? 0x86dd : 0x0800);
    ip = whole + at + 2;
    tcp = ip + ip_size;
    if (kind->six) {
        ip[0] = 0x60;
        put16(ip + 4, tcp_size + data);
        ip[6] = 6;
    } else {
        ip[0] = (unsigned char)(0x40 | ip_size / 4);
        put16(ip + 2, ip_size + tcp_size + data);
        put16(ip + 4, 0xfffe); /* it turns */
        put16(ip + 6, 0x4000);
        ip[9] = 6;
        put16(ip + 10, 0);
        put16(ip + 10, fold(sum16(0, ip, ip_size)));
    }
    put32(tcp + 4, 0xfffffc00u); /* it turns, too */
    tcp[12] = (unsigned char)(tcp_size << 2);
    tcp[13] = (unsigned char)flags;
    return at + 2 + ip_size + tcp_size + data;
}

static const struct kind kinds[] = {
    {0, 0, 12, false}, {0, 0, 12, true},  {0, 0, 0, false}, {0, 40, 40, false},
    {1, 0, 12, false}, {2, 0, 12, false}, {2, 0, 40, true}, {0, 0, 0, true},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

#endif
