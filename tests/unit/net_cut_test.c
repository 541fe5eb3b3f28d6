/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * core/net/cut.c: large frames, of IPv4 and IPv6, with options and VLAN tags,
 * cut for some MTUs; what cannot be cut; headers of all kinds in memory that
 * ends where the frame does. And through a packet socket: large frames and
 * small ones come in order, what is dropped is counted, and without memory the
 * interface is not taken.
 */
#include <netpacket/packet.h>

#include "core/net/cut.h"

#include "net_cut_check.h"
#include "net_cut_make.h"

static unsigned ethernet_size(const struct kind *kind)
{
    return 14 + 4 * kind->tags;
}

/* Cuts whole[] and checks all of it; how many parts. */
static unsigned cut_all(unsigned size, unsigned flags, unsigned mtu)
{
    struct cut_check check = {whole, size, mtu, 0, 0};
    unsigned char *out;
    struct net_cut cut;
    unsigned part;
    bool last = false;

    CHECK(cut_is_due(whole, size, flags & BASE_NET_CHECKSUM_GOOD, mtu));
    CHECK(net_cut_begin(&cut, whole, size, flags, mtu));
    for (;;) {
        out = malloc(LIMIT_FRAME_SIZE);
        part = (unsigned)net_cut_next(&cut, out);
        if (part > 0) {
            CHECK(!last);
            last = cut_check(&check, out, part);
        }
        free(out);
        if (part == 0)
            break;
    }
    CHECK(last);
    return check.parts;
}

static void test_cut(void)
{
    static const unsigned mtus[] = {1500, 1280, 576, 160};

    for (unsigned k = 0; k < KINDS; k++) {
        for (unsigned m = 0; m < 4; m++) {
            unsigned header = make(&kinds[k], 0, 0);
            unsigned part = mtus[m] - (header - ethernet_size(&kinds[k]));
            unsigned max = LIMIT_FRAME_LARGE - header;
            unsigned even = part * (2000 / part + 1);
            unsigned sizes[] = {1600, 2 * 1448, even, even + 1, max};

            for (unsigned i = 0; i < 5; i++) {
                unsigned flags = ACK | PSH | ECE | (i & 1 ? FIN | CWR : 0);
                unsigned size = make(&kinds[k], sizes[i], flags);

                CHECK(cut_all(size, BASE_NET_CHECKSUM_GOOD, mtus[m]) ==
                      (sizes[i] + part - 1) / part);
                /* Bytes that pad it belong to nobody. */
                if (size + 7 <= LIMIT_FRAME_LARGE)
                    cut_all(size + 7, BASE_NET_CHECKSUM_GOOD, mtus[m]);
                /* Nobody vouches for the checksum: it is looked at. */
                checksum_fill(whole, size);
                cut_all(size, 0, mtus[m]);
            }
        }
    }
}

static bool is_refused(unsigned size, unsigned flags, unsigned mtu)
{
    struct net_cut cut;
    bool due = cut_is_due(whole, size, flags & BASE_NET_CHECKSUM_GOOD, mtu);

    CHECK(net_cut_begin(&cut, whole, size, flags, mtu) == due);
    return !due;
}

static void test_refused(void)
{
    const unsigned good = BASE_NET_CHECKSUM_GOOD;

    for (unsigned k = 0; k < KINDS; k++) {
        const struct kind *kind = &kinds[k];
        unsigned headers = make(kind, 0, 0), ip = ethernet_size(kind), size;

        for (unsigned flags = 0; flags < 256; flags++) {
            size = make(kind, 5000, flags);
            CHECK(is_refused(size, good, 1500) ==
                  ((flags & (SYN | RST | URG)) != 0));
        }
        size = make(kind, 5000, ACK);
        /* Headers and nothing else fit into these; then a byte of data. */
        CHECK(is_refused(size, good, headers - ip));
        CHECK(!is_refused(size, good, headers - ip + 1));
        CHECK(cut_all(size, good, headers - ip + 1) == 5000);
        CHECK(is_refused(size - 1, good, 1500)); /* not whole */
        make(kind, 0, ACK);
        CHECK(is_refused(size, good, 1500)); /* no data, but padding */
        make(kind, 5000, ACK);
        checksum_fill(whole, size);
        whole[size - 1] ^= 1;
        CHECK(is_refused(size, 0, 1500));
        make(kind, 5000, ACK);
        whole[ip + (kind->six ? 6 : 9)] = 17;
        CHECK(is_refused(size, good, 1500));
        if (kind->six)
            continue;
        make(kind, 5000, ACK);
        whole[ip + 10] ^= 1; /* IPv4's checksum */
        CHECK(is_refused(size, good, 1500));
    }
}

/* Each byte of the headers has each value: it is cut as it should be, or not,
 * in memory that has no byte more. */
static void test_headers(void)
{
    for (unsigned k = 0; k < KINDS; k++) {
        unsigned headers = make(&kinds[k], 0, 0);
        unsigned size = make(&kinds[k], 1600, ACK | PSH);
        unsigned char *exact = malloc(size), out[LIMIT_FRAME_SIZE];
        struct net_cut cut;

        for (unsigned at = 12; at < headers; at++) {
            for (unsigned value = 0; value < 256; value++) {
                bool due;

                memcpy(exact, whole, size);
                exact[at] = (unsigned char)value;
                due = cut_is_due(exact, size, true, 1500);
                CHECK(net_cut_begin(&cut, exact, size, BASE_NET_CHECKSUM_GOOD,
                                    1500) == due);
                struct cut_check check = {exact, size, 1500, 0, 0};
                while (due) {
                    unsigned part = (unsigned)net_cut_next(&cut, out);
                    due = !cut_check(&check, out, part);
                }
            }
        }
        free(exact);
    }
}

/* A small frame is as it came, but for a checksum that was left out, however
 * little of it there is. */
static void test_small(void)
{
    unsigned char out[LIMIT_FRAME_SIZE];
    struct net_cut cut;

    for (unsigned k = 0; k < KINDS; k++) {
        unsigned size = make(&kinds[k], 777, ACK | SYN);
        struct headers at;

        CHECK(net_cut_begin(&cut, whole, size, 0, 1500));
        CHECK(net_cut_next(&cut, out) == size);
        CHECK(memcmp(out, whole, size) == 0 && net_cut_next(&cut, out) == 0);
        CHECK(net_cut_begin(&cut, whole, size, BASE_NET_CHECKSUM_GOOD, 1500));
        CHECK(net_cut_next(&cut, out) == size);
        CHECK(headers_find(out, size, &at) && transport_sum(out, &at) == 0);
        for (unsigned part = 14; part < size; part++) {
            unsigned char *exact = malloc(part);

            memcpy(exact, whole, part);
            net_checksum_make(exact, part);
            CHECK(memcmp(exact, whole, part) == 0);
            free(exact);
        }
    }
    /* The smallest of UDP: a frame of a neighbour has no padding. */
    make(&kinds[2], 0, 0);
    put16(whole + 16, 28);
    whole[23] = 17;
    struct headers at;
    net_checksum_make(whole, 42);
    CHECK(headers_find(whole, 42, &at) && transport_sum(whole, &at) == 0);
}

/* -- a packet socket -- */

static void arrives(unsigned size)
{
    frame_arrives(whole, size);
    mock_arriving[mock_arriving_count - 1]->flags = BASE_NET_CHECKSUM_GOOD;
}

static void statistics(int packet, uint32_t received, uint32_t dropped)
{
    uint32_t counted[2] = {0};
    unsigned size = sizeof(counted);

    CHECK(mock_ops(packet)->getsockopt(mock_files[packet], SOL_PACKET,
                                       PACKET_STATISTICS, counted, &size) == 0);
    CHECK(size == 8 && counted[0] == received && counted[1] == dropped);
}

/* A large frame of `data` bytes as the program gets it, asked for in one of
 * three ways. */
static unsigned hear(int packet, unsigned size, unsigned how)
{
    struct cut_check check = {whole, size, 1500, 0, 0};
    unsigned char out[2048];
    bool last = false;

    while (!last) {
        if (how == 1)
            CHECK(s_poll(packet) & POLLIN);
        long got = s_recv(packet, out, how == 2 ? 1525 : sizeof(out), 0);
        CHECK(got > 0);
        last = cut_check(&check, out, (unsigned)got);
    }
    return check.parts;
}

static void hear_small(int packet, unsigned char mark)
{
    unsigned char out[2048];

    CHECK(s_recv(packet, out, sizeof(out), 0) == 60);
    for (unsigned i = 0; i < 60; i++)
        CHECK(out[i] == mark);
}

static void small_arrives(unsigned char mark)
{
    unsigned char frame[60];

    memset(frame, mark, sizeof(frame));
    frame_arrives(frame, sizeof(frame));
}

static void test_socket(int packet)
{
    unsigned parts, size, after = 0;

    for (unsigned i = 0; i < KINDS * 3; i++) {
        /* The large one is the first, the second, the third. */
        size = make(&kinds[i / 3], i % 2 ? 60000 : 3000, ACK | PSH | FIN);
        for (unsigned j = 0; j < i % 3; j++)
            small_arrives((unsigned char)j);
        arrives(size);
        small_arrives(77);
        for (unsigned j = 0; j < i % 3; j++)
            hear_small(packet, (unsigned char)j);
        parts = hear(packet, size, i % 3);
        hear_small(packet, 77);
        statistics(packet, i % 3 + parts + 1, 0);
    }
    /* What cannot be cut is as if it had not come. */
    size = make(&kinds[0], 20000, ACK | SYN);
    for (unsigned i = 0; i < 10; i++) {
        arrives(size);
        arrives(size);
        small_arrives((unsigned char)i);
        small_arrives((unsigned char)i);
        arrives(size);
    }
    for (unsigned i = 0; i < 20; i++)
        hear_small(packet, (unsigned char)(i / 2));
    CHECK(s_recv(packet, whole, sizeof(whole), 0) == -EAGAIN);
    statistics(packet, 50, 30);
    core_net_ready();
    /* Of a thousand of these somebody else has a turn. */
    for (unsigned i = 0; i < 1000; i++)
        arrives(size);
    small_arrives(5);
    CHECK(s_recv(packet, whole, sizeof(whole), 0) == -EAGAIN);
    while (!(s_poll(packet) & POLLIN)) {
        CHECK(mock_run_ms(1) > 0);
        CHECK(++after < 1000);
    }
    CHECK(after > 10);
    hear_small(packet, 5);
    statistics(packet, 1001, 1000);
}

static int packet_open(int *result)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = 2};
    int packet = s_socket(AF_PACKET, SOCK_RAW);

    CHECK(packet >= 0);
    s_nonblock(packet);
    mock_alloc_fails = *result == -ENOMEM;
    *result = s_bind(packet, &address, sizeof(address));
    mock_alloc_fails = false;
    return packet;
}

int main(void)
{
    int result = 0, first, second;
    unsigned char out[2048];
    size_t objects;

    test_cut();
    test_refused();
    test_headers();
    test_small();
    mock_nic = true;
    mock_nic_features = BASE_NET_RX_CHECKSUM | BASE_NET_RX_LARGE;
    mock_options[0][0] = "ip";
    mock_options[0][1] = "10.0.2.15/24";
    s_close(s_socket(AF_PACKET, SOCK_RAW));
    objects = mock_objects;
    result = -ENOMEM;
    first = packet_open(&result);
    CHECK(result == -ENOMEM);
    s_close(first);
    first = packet_open(&(int){0});
    test_socket(first);
    /* It is taken: nothing is kept by one that does not get it. */
    result = 0;
    second = packet_open(&result);
    CHECK(result == -EBUSY);
    s_close(second);
    /* Closed with a frame that is cut in part: gone, with its memory. */
    arrives(make(&kinds[0], 20000, ACK));
    core_net_ready();
    CHECK(s_recv(first, out, sizeof(out), 0) == 1514);
    s_close(first);
    CHECK(mock_objects == objects);
    first = packet_open(&(int){0});
    CHECK(s_recv(first, out, sizeof(out), 0) == -EAGAIN);
    s_close(first);
    return 0;
}
