/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that no honest peer sends, for tests/net/run:
 *
 *   frames DEVICE GUEST PORT WHAT COUNT [SEED]
 *
 * DEVICE is the host's end of the guest's cable (a tap), GUEST its IPv4
 * address in a /24; its MAC is QEMU's default. WHAT is
 *
 *   syn       COUNT SYNs from addresses of the subnet at which nobody is
 *   half      COUNT SYNs from one address, which answers ARP and nothing
 *             more: prints how many were answered by a SYN with an ACK
 *   segments  opens connections and sends COUNT segments with random flags,
 *             numbers, options and data in and around their windows
 *   garbage   COUNT frames of every kind with random contents, many with
 *             headers and sums that are right
 *   router    COUNT router advertisements of fd00:9::/64, to all nodes
 *
 * All is drawn from SEED (1), so a failure can be sent again. The sender
 * takes about COUNT / 5000 seconds and ends by itself.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH = 25,         /* frames between two waits of BATCH_MS */
    BATCH_MS = 5,       /* so that the tap's queue does not overflow */
    CONNECTIONS = 32,   /* of segments */
    ATTACKER = 250,     /* last byte of the address that answers ARP */
    FIRST_PORT = 20000, /* of the attacker's */
    ETHER = 14,
    IP4 = 20,
    IP6 = 40,
    TCP = 20,
    FRAME_MAX = 1514
};

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static const uint8_t guest_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, ATTACKER};

static int cable = -1;
static uint32_t guest; /* host order, as all numbers here */
static uint16_t port;
static uint64_t seed = 1;

struct connection {
    uint32_t sequence;    /* our next byte's */
    uint32_t acknowledge; /* the guest's next byte's; 0: no answer yet */
};
static struct connection connections[65536 - FIRST_PORT];
static unsigned answered;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "frames: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* xorshift64*: the same numbers everywhere. */
static uint32_t draw(void)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return (uint32_t)((seed * 0x2545F4914F6CDD1Du) >> 32);
}

static uint32_t below(uint32_t bound)
{
    return draw() % bound;
}

static void fill(uint8_t *to, size_t size)
{
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)draw();
}

static void put16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, uint32_t value)
{
    put16(to, value >> 16);
    put16(to + 2, value & 0xffff);
}

static uint32_t get16(const uint8_t *from)
{
    return (uint32_t)from[0] << 8 | from[1];
}

static uint32_t get32(const uint8_t *from)
{
    return get16(from) << 16 | get16(from + 2);
}

/* The internet's sum over data, and over what was summed before. */
static uint32_t sum(const uint8_t *data, size_t size, uint32_t total)
{
    for (size_t i = 0; i + 1 < size; i += 2)
        total += get16(data + i);
    if (size & 1)
        total += (uint32_t)data[size - 1] << 8;
    return total;
}

static uint32_t sum_end(uint32_t total)
{
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return ~total & 0xffff;
}

static void transmit(const uint8_t *frame, size_t size)
{
    for (int tries = 0; send(cable, frame, size, 0) < 0; tries++) {
        if ((errno != ENOBUFS && errno != EAGAIN) || tries > 1000)
            die("send");
        usleep(1000);
    }
}

static void ether(uint8_t *frame, uint32_t type)
{
    memcpy(frame, guest_mac, 6);
    memcpy(frame + 6, our_mac, 6);
    put16(frame + 12, type);
}

/* An IPv4 header before payload_size bytes that are there already. */
static void ip4(uint8_t *frame, uint32_t source, uint8_t protocol,
                size_t payload_size)
{
    uint8_t *ip = frame + ETHER;

    ether(frame, ETHERTYPE_IP);
    memset(ip, 0, IP4);
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)(IP4 + payload_size));
    put16(ip + 4, draw() & 0xffff);
    ip[8] = 64;
    ip[9] = protocol;
    put32(ip + 12, source);
    put32(ip + 16, guest);
    put16(ip + 10, sum_end(sum(ip, IP4, 0)));
}

/* The sum of TCP (at 16), UDP (6), ICMP (2) with the pseudo header. */
static void transport_sum(uint8_t *frame, size_t size, size_t at)
{
    uint8_t *ip = frame + ETHER, *data = ip + IP4;
    uint32_t total =
        ip[9] == IPPROTO_ICMP ? 0 : sum(ip + 12, 8, ip[9] + (uint32_t)size);

    put16(data + at, 0);
    put16(data + at, sum_end(sum(data, size, total)));
}

/* A segment without options; data of it is at frame + ETHER + IP4 + TCP. */
static void tcp(uint32_t source, uint32_t source_port, uint32_t sequence,
                uint32_t acknowledge, uint8_t flags)
{
    uint8_t frame[64] = {0}, *segment = frame + ETHER + IP4;

    put16(segment, source_port);
    put16(segment + 2, port);
    put32(segment + 4, sequence);
    put32(segment + 8, acknowledge);
    segment[12] = TCP / 4 << 4;
    segment[13] = flags;
    put16(segment + 14, 65535);
    ip4(frame, source, IPPROTO_TCP, TCP);
    transport_sum(frame, TCP, 16);
    transmit(frame, ETHER + IP4 + TCP);
}

static uint32_t attacker(void)
{
    return (guest & ~255u) | ATTACKER;
}

static void arp_answer(const uint8_t *asked)
{
    uint8_t frame[60] = {0}, *arp = frame + ETHER;

    ether(frame, ETHERTYPE_ARP);
    memcpy(arp, "\0\1\10\0\6\4\0\2", 8);
    memcpy(arp + 8, our_mac, 6);
    put32(arp + 14, attacker());
    memcpy(arp + 18, asked + 8, 10); /* who asked */
    transmit(frame, sizeof(frame));
}

static void segment_take(const uint8_t *segment)
{
    uint32_t to = get16(segment + 2);

    if (to < FIRST_PORT || (segment[13] & (SYN | ACK)) != (SYN | ACK) ||
        connections[to - FIRST_PORT].acknowledge)
        return;
    connections[to - FIRST_PORT].acknowledge = get32(segment + 4) + 1;
    answered++;
}

/* Takes what comes for BATCH_MS: ARP requests for the attacker, and the
 * answers to its SYNs. */
static void listen_a_while(void)
{
    uint8_t frame[FRAME_MAX];
    struct timespec now, end;
    ssize_t size;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += BATCH_MS * 1000000;
    for (;;) {
        while ((size = recv(cable, frame, sizeof(frame), MSG_DONTWAIT)) > 0) {
            const uint8_t *ip = frame + ETHER;
            uint32_t type = get16(frame + 12);

            if (type == ETHERTYPE_ARP && size >= ETHER + 28 && ip[7] == 1 &&
                get32(ip + 24) == attacker())
                arp_answer(ip);
            else if (type == ETHERTYPE_IP && size >= ETHER + IP4 + TCP &&
                     ip[9] == IPPROTO_TCP && get32(ip + 16) == attacker())
                segment_take(ip + IP4);
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
        long left = (end.tv_sec - now.tv_sec) * 1000 +
                    (end.tv_nsec - now.tv_nsec) / 1000000;
        if (left <= 0)
            return;
        struct pollfd event = {.fd = cable, .events = POLLIN};
        poll(&event, 1, (int)left);
    }
}

static void pace(unsigned i)
{
    if (i % BATCH == BATCH - 1)
        listen_a_while();
}

/* -- what is sent -- */

static void syn_flood(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint32_t last;
        do
            last = 10 + below(230); /* nobody's */
        while (last == (guest & 255));
        tcp((guest & ~255u) | last, 1024 + below(64000), draw(), 0, SYN);
        pace(i);
    }
}

static void half_open(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        connections[i].sequence = draw();
        tcp(attacker(), FIRST_PORT + i, connections[i].sequence++, 0, SYN);
        pace(i);
    }
    for (unsigned i = 0; i < 1000 / BATCH_MS && answered < count; i++)
        listen_a_while();
}

static void segment_random(unsigned i)
{
    struct connection *c = &connections[i];
    uint8_t frame[FRAME_MAX], *segment = frame + ETHER + IP4;
    size_t options = below(4) ? 0 : 4 * below(11), size = below(4) ? 0 : 1;
    static const uint8_t flags[] = {ACK, ACK,       ACK | PSH, ACK | FIN,
                                    SYN, SYN | ACK, ACK | RST, RST,
                                    FIN, 0,         63,        ACK | 32};

    if (size)
        size = below(1000);
    fill(segment, TCP + options + size);
    put16(segment, FIRST_PORT + i);
    put16(segment + 2, port);
    if (below(8))
        put32(segment + 4, c->sequence + below(3000) - 1000);
    if (below(8))
        put32(segment + 8, c->acknowledge + below(3000) - 1000);
    segment[12] = (uint8_t)((TCP + options) / 4 << 4);
    if (below(30) == 0)
        segment[12] = (uint8_t)draw(); /* a header of a wrong length */
    segment[13] = flags[below(sizeof(flags))];
    if (below(3) && (segment[13] & (RST | SYN)))
        segment[13] = ACK; /* else the connections end too soon */
    ip4(frame, attacker(), IPPROTO_TCP, TCP + options + size);
    transport_sum(frame, TCP + options + size, 16);
    transmit(frame, ETHER + IP4 + TCP + options + size);
}

static void segments(unsigned count)
{
    unsigned sent = 0;

    while (sent < count) {
        answered = 0;
        memset(connections, 0, sizeof(connections));
        half_open(CONNECTIONS);
        for (unsigned i = 0; i < CONNECTIONS; i++)
            if (connections[i].acknowledge)
                tcp(attacker(), FIRST_PORT + i, connections[i].sequence,
                    connections[i].acknowledge, ACK);
        for (unsigned i = 0; i < 1000; i++, sent++) {
            segment_random(below(CONNECTIONS));
            pace(i);
        }
        for (unsigned i = 0; i < CONNECTIONS; i++) /* the ports are for reuse */
            tcp(attacker(), FIRST_PORT + i, connections[i].sequence,
                connections[i].acknowledge, RST);
    }
}

static void garbage_ip4(uint8_t *frame, size_t size)
{
    static const uint8_t protocols[] = {IPPROTO_ICMP, IPPROTO_IGMP, IPPROTO_TCP,
                                        IPPROTO_UDP, IPPROTO_TCP};
    uint8_t *ip = frame + ETHER, *data = ip + IP4;
    uint8_t protocol = protocols[below(sizeof(protocols))];

    if (size < ETHER + IP4 + TCP)
        size = ETHER + IP4 + TCP;
    if (protocol == IPPROTO_ICMP) {
        data[0] = (uint8_t)below(20);
        data[1] = (uint8_t)below(6);
    } else if (protocol == IPPROTO_UDP) {
        static const uint16_t ports[] = {68, 7, 53, 5353, 67};
        put16(data + 2, ports[below(5)]);
        if (below(4))
            put16(data + 4, (uint32_t)(size - ETHER - IP4));
    } else if (protocol == IPPROTO_TCP) {
        put16(data + 2, port);
        if (below(4))
            data[12] = (uint8_t)(TCP / 4 << 4);
    }
    ip4(frame, (guest & ~255u) | (10 + below(230)), protocol,
        size - ETHER - IP4);
    transport_sum(frame, size - ETHER - IP4,
                  protocol == IPPROTO_TCP   ? 16
                  : protocol == IPPROTO_UDP ? 6
                                            : 2);
    if (below(3) == 0) { /* a fragment, or a header that is wrong */
        uint32_t at = below(3);
        if (at == 0)
            put16(ip + 6, below(200) | (below(2) ? 0x2000 : 0));
        else if (at == 1)
            put16(ip + 2, below(1600));
        else
            ip[0] = (uint8_t)(0x40 | below(16));
        put16(ip + 4, below(8)); /* few, so that fragments meet */
        put16(ip + 10, 0);
        put16(ip + 10, sum_end(sum(ip, IP4, 0)));
    }
    transmit(frame, size);
}

static void garbage_ip6(uint8_t *frame, size_t size)
{
    static const uint8_t next[] = {58, 58, 6, 17, 0, 43, 44, 60};
    uint8_t *ip = frame + ETHER, *data = ip + IP6;
    size_t payload;

    if (size < ETHER + IP6 + TCP)
        size = ETHER + IP6 + TCP;
    payload = size - ETHER - IP6;
    ether(frame, ETHERTYPE_IPV6);
    ip[0] = 0x60;
    put16(ip + 4, below(8) ? (uint32_t)payload : below(1600));
    ip[6] = next[below(sizeof(next))];
    ip[7] = below(4) ? 255 : 1;
    memcpy(ip + 8, "\xfe\x80\0\0\0\0\0\0\0\0\0\xff\xfe\0", 14);
    if (below(2)) /* to the guest, made of its MAC; or to all nodes */
        memcpy(ip + 24, "\xfe\x80\0\0\0\0\0\0\x50\x54\0\xff\xfe\x12\x34\x56",
               16);
    else
        memcpy(ip + 24, "\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    if (ip[6] == 58) {
        data[0] = (uint8_t)(below(2) ? 128 + below(10) : draw());
        data[1] = below(4) ? 0 : data[1];
        put16(data + 2, 0);
        put16(data + 2, sum_end(sum(data, payload,
                                    sum(ip + 8, 32, 58 + (uint32_t)payload))));
    } else {
        data[0] = next[below(sizeof(next))];
        data[1] = (uint8_t)below(5);
    }
    transmit(frame, size);
}

static void garbage(unsigned count)
{
    uint8_t frame[FRAME_MAX];

    for (unsigned i = 0; i < count; i++) {
        size_t size = ETHER + below(below(4) ? 120 : FRAME_MAX - ETHER + 1);

        fill(frame, sizeof(frame));
        switch (below(6)) {
        case 0:
            memcpy(frame, guest_mac, 6); /* a type of any kind */
            transmit(frame, size);
            break;
        case 1:
            ether(frame, below(2) ? ETHERTYPE_IP : ETHERTYPE_IPV6);
            transmit(frame, size);
            break;
        case 2:
            ether(frame, ETHERTYPE_ARP);
            memcpy(frame + ETHER, "\0\1\10\0\6\4\0", 7);
            frame[ETHER + 7] = (uint8_t)below(4);
            transmit(frame, size);
            break;
        case 3:
            garbage_ip6(frame, size);
            break;
        default:
            garbage_ip4(frame, size);
        }
        pace(i);
    }
}

static void router(unsigned count)
{
    uint8_t frame[FRAME_MAX] = {0}, *ip = frame + ETHER, *data = ip + IP6;
    enum { SIZE = 16 + 32 };

    ether(frame, ETHERTYPE_IPV6);
    memcpy(frame, "\x33\x33\0\0\0\1", 6);
    ip[0] = 0x60;
    put16(ip + 4, SIZE);
    ip[6] = 58;
    ip[7] = 255;
    memcpy(ip + 8, "\xfe\x80\0\0\0\0\0\0\0\0\0\xff\xfe\0\0\xfa", 16);
    memcpy(ip + 24, "\xff\2\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    data[0] = 134;
    data[4] = 64;           /* hops */
    put16(data + 6, 1800);  /* seconds as a default router */
    data[16] = 3;           /* a prefix */
    data[17] = 4;           /* of 4 times 8 bytes */
    data[18] = 64;          /* its bits */
    data[19] = 0xc0;        /* on this link, and for addresses */
    put32(data + 20, 3600); /* valid, preferred */
    put32(data + 24, 3600);
    memcpy(data + 32, "\xfd\0\0\x09", 4);
    put16(data + 2,
          sum_end(sum(data, SIZE, sum(ip + 8, 32, 58 + (uint32_t)SIZE))));
    for (unsigned i = 0; i < count; i++) {
        transmit(frame, ETHER + IP6 + SIZE);
        listen_a_while();
    }
}

static void cable_open(const char *device)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)if_nametoindex(device)};

    if (address.sll_ifindex == 0)
        die(device);
    cable = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (cable < 0)
        die("socket");
    if (bind(cable, (struct sockaddr *)&address, sizeof(address)) < 0)
        die("bind");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*send)(unsigned);
    } kinds[] = {{"syn", syn_flood},
                 {"half", half_open},
                 {"segments", segments},
                 {"garbage", garbage},
                 {"router", router}};
    struct in_addr address;
    unsigned count;

    if (argc < 6 || inet_pton(AF_INET, argv[2], &address) != 1) {
        fprintf(stderr, "usage: frames DEVICE GUEST PORT WHAT COUNT [SEED]\n");
        return 2;
    }
    cable_open(argv[1]);
    guest = ntohl(address.s_addr);
    port = (uint16_t)atoi(argv[3]);
    count = (unsigned)atoi(argv[5]);
    if (argc > 6)
        seed = strtoull(argv[6], NULL, 0) | 1;
    if (count > sizeof(connections) / sizeof(connections[0]))
        count = sizeof(connections) / sizeof(connections[0]);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, argv[4]) == 0) {
            kinds[i].send(count);
            printf("%u\n", answered);
            return 0;
        }
    }
    fprintf(stderr, "frames: %s: no such kind\n", argv[4]);
    return 2;
}
