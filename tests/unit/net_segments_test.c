/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Segments of TCP that a device joins, and those that it is to cut: in a
 * connection with a peer in software, large frames arrive in order and not, are
 * acknowledged at once, and are dropped where they make no sense; what is sent
 * is joined, its headers say what a device needs, it is sent again when lost,
 * and whole when the device cuts no more.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "net_frames.h"

#include "core/net/net.h"
#include "core/net/segments.h"

#define PEER_PORT 20000
#define MSS       1448
#define BYTES     300000

static unsigned char data[BYTES], got[BYTES];
static int listening, fd;
static uint32_t peer_seq, our_seq; /* of the next byte */
static uint32_t our_start;

/* A segment of any size from the peer; checked: as a device would say it. */
static void arrives(uint32_t seq, unsigned flags, const void *payload,
                    unsigned size, bool checked)
{
    static unsigned char frame[LIMIT_FRAME_LARGE];
    unsigned char *tcp = frame + 34;
    unsigned header = flags & SYN ? 24 : 20;

    memset(frame, 0, 58);
    put16(tcp, PEER_PORT);
    put16(tcp + 2, 80);
    put32(tcp + 4, seq);
    put32(tcp + 8, flags & ACK ? our_seq : 0);
    tcp[12] = (unsigned char)(header << 2);
    tcp[13] = (unsigned char)flags;
    put16(tcp + 14, 65535);
    if (flags & SYN)
        memcpy(tcp + 20, "\x02\x04\x05\xb4", 4);
    if (size)
        memcpy(tcp + header, payload, size);
    if (!checked)
        put16(tcp + 16,
              fold(sum16(sum16(6 + header + size,
                               (const unsigned char *)"\n\0\2\2\n\0\2\x0f", 8),
                         tcp, header + size)));
    frame_arrives(frame, ip_wrap(frame, 6, PEER_IP, header + size));
    if (checked)
        mock_arriving[mock_arriving_count - 1]->flags = BASE_NET_CHECKSUM_GOOD;
}

static void hear(void)
{
    for (unsigned i = 0; i < 50; i++)
        core_net_ready();
}

static void forget_sent(void)
{
    struct mock_frame *frame;

    while ((frame = mock_frame_take(mock_sent, &mock_sent_count))) {
        if (is_arp_request(frame))
            arp_answer(frame);
        free(frame);
    }
}

/* The last acknowledgement among what was sent; 0: none. */
static uint32_t acknowledged(void)
{
    struct mock_frame *frame;
    uint32_t last = 0;

    while ((frame = mock_frame_take(mock_sent, &mock_sent_count))) {
        if (is_tcp(frame))
            last = get32(frame->data + 42);
        free(frame);
    }
    return last;
}

static void open_connection(void)
{
    struct mock_frame *frame;

    our_seq = 0;
    peer_seq = 1000;
    arrives(peer_seq++, SYN, NULL, 0, true);
    hear();
    while ((frame = mock_frame_take(mock_sent, &mock_sent_count))) {
        if (is_tcp(frame) && (frame->data[47] & (SYN | ACK)) == (SYN | ACK))
            our_seq = our_start = get32(frame->data + 38) + 1;
        free(frame);
    }
    CHECK(our_seq != 0);
    arrives(peer_seq, ACK, NULL, 0, true);
    hear();
    fd = s_accept(listening, 0);
    CHECK(fd >= 0);
    s_nonblock(fd);
}

static void close_connection(void)
{
    arrives(peer_seq, RST | ACK, NULL, 0, true);
    hear();
    s_close(fd);
    forget_sent();
}

/* -- receiving -- */

static void check_received(unsigned size)
{
    unsigned done = 0;
    long n;

    while ((n = s_recv(fd, got + done, sizeof(got) - done, 0)) > 0)
        done += (unsigned)n;
    CHECK(n == -EAGAIN && done == size);
    CHECK(memcmp(got, data, size) == 0);
}

static void test_receive(void)
{
    static const unsigned sizes[] = {1,     MSS,       MSS + 1, 2 * MSS,
                                     20000, 45 * 1400, 65481,   60000};

    open_connection();
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        forget_sent();
        arrives(peer_seq, ACK | PSH, data, sizes[i], true);
        peer_seq += sizes[i];
        hear();
        /* More than a segment is acknowledged at once. */
        if (sizes[i] > 1460)
            CHECK(acknowledged() == peer_seq);
        check_received(sizes[i]);
        mock_run_ms(200);
    }
    /* Not checked by the device: then by us, all of it. */
    arrives(peer_seq, ACK, data, 30000, false);
    hear();
    check_received(30000);
    peer_seq += 30000;
    arrives(peer_seq, ACK, data, 30000, false);
    mock_arriving[0]->data[20000] ^= 1;
    hear();
    check_received(0);
    close_connection();
}

/* A gap, what fills it, and what is there already in part. */
static void test_order(void)
{
    open_connection();
    arrives(peer_seq + 20000, ACK, data + 20000, 15000, true);
    arrives(peer_seq + 35000, ACK, data + 35000, 5000, true);
    hear();
    check_received(0);
    CHECK(acknowledged() == peer_seq);
    arrives(peer_seq, ACK, data, 5000, true);
    arrives(peer_seq + 1000, ACK, data + 1000, 30000, true);
    hear();
    CHECK(acknowledged() == peer_seq + 40000);
    check_received(40000);
    peer_seq += 40000;
    /* Of more than the window takes, what it takes. */
    unsigned total = 0;
    for (; total < BYTES; total += 60000)
        arrives(peer_seq + total, ACK, data + total, 60000, true);
    hear();
    uint32_t taken = acknowledged() - peer_seq;
    CHECK(taken > 0 && taken <= net_tcp_window);
    check_received(taken);
    peer_seq += taken;
    close_connection();
}

/* Large frames that are no TCP, or end before their headers say. */
static void test_nonsense(void)
{
    static unsigned char frame[60000];

    open_connection();
    for (unsigned i = 0; i < 2000; i++) {
        unsigned size = 60 + i * 29 % (sizeof(frame) - 60);

        memset(frame, (int)i, sizeof(frame));
        ip_wrap(frame,
                i % 5 == 0   ? 6
                : i % 7 == 0 ? 17
                             : i,
                PEER_IP, i % 3 == 0 ? size : size - 34);
        if (i % 11 == 0)
            put16(frame + 12, 0x86dd);
        if (i % 13 == 0)
            put16(frame + 12, 0x0806);
        frame_arrives(frame, size);
        mock_arriving[mock_arriving_count - 1]->flags = BASE_NET_CHECKSUM_GOOD;
        if (i % 16 == 0)
            hear();
    }
    hear();
    forget_sent();
    arrives(peer_seq, ACK, data, 9000, true);
    hear();
    peer_seq += 9000;
    check_received(9000);
    close_connection();
}

/* -- sending -- */

static unsigned large_count, frame_count, segment_count;

/* What the field says must be the sum of the pseudo header of it all. */
static void check_headers(const struct mock_frame *frame)
{
    const unsigned char *ip = frame->data + 14, *tcp = ip + 20;
    uint32_t size = frame->size - 34;

    CHECK(frame->flags & BASE_NET_CHECKSUM_NEEDED);
    CHECK(get16(ip + 2) == frame->size - 14);
    CHECK(fold(sum16(0, ip, 20)) == 0);
    CHECK((fold(sum16(6 + size, ip + 12, 8)) ^ 0xffff) == get16(tcp + 16));
    if (!(frame->flags & BASE_NET_CUT))
        return;
    CHECK(frame->header_size == 34u + (tcp[12] >> 4) * 4u);
    CHECK(frame->cut_size > 0 &&
          frame->size > frame->header_size + frame->cut_size);
    CHECK((tcp[13] & ~PSH) == ACK);
    large_count++;
}

/* Collects what leaves; returns how many bytes are new in the stream. */
static uint32_t collect(bool acknowledge)
{
    struct mock_frame *frame;
    uint32_t before = our_seq;

    while ((frame = mock_frame_take(mock_sent, &mock_sent_count))) {
        if (is_tcp(frame) && frame->size > 54) {
            unsigned header = 34u + (frame->data[46] >> 4) * 4u;
            uint32_t at = get32(frame->data + 38) - our_start;
            uint32_t size = frame->size - header;

            check_headers(frame);
            frame_count++;
            segment_count +=
                frame->flags & BASE_NET_CUT
                    ? (size + frame->cut_size - 1) / frame->cut_size
                    : 1;
            CHECK(at + size <= BYTES);
            CHECK(memcmp(frame->data + header, data + at, size) == 0);
            if (acknowledge && our_start + at == our_seq)
                our_seq += size;
        }
        free(frame);
    }
    if (our_seq != before)
        arrives(peer_seq, ACK, NULL, 0, true);
    return our_seq - before;
}

static void send_all(unsigned *sent)
{
    while (*sent < BYTES) {
        long n = s_send(fd, data + *sent, BYTES - *sent, 0);

        if (n < 0)
            break;
        *sent += (unsigned)n;
    }
}

static void test_send(void)
{
    unsigned sent = 0;

    open_connection();
    large_count = frame_count = segment_count = 0;
    while (our_seq - our_start < BYTES) {
        send_all(&sent);
        CHECK(collect(true) > 0);
        hear();
    }
    CHECK(large_count > 5 && segment_count > BYTES / 1460);
    CHECK(frame_count < segment_count / 4);
    close_connection();
}

/* The same when a burst is lost: sent again, with the right headers. */
static void test_lost(void)
{
    unsigned sent = 0, rounds = 0;

    open_connection();
    while (our_seq - our_start < BYTES) {
        send_all(&sent);
        bool lost = ++rounds % 5 == 4;
        uint32_t new = collect(!lost);
        if (lost || new == 0)
            mock_run_ms(3000);
        hear();
        CHECK(rounds < 1000);
    }
    close_connection();
}

/* No room for a large frame, then for some; and a device that is another. */
static void test_room(void)
{
    unsigned sent = 0;
    uint32_t features = mock_nic_features;

    open_connection();
    for (unsigned i = 0; our_seq - our_start < BYTES / 2; i++) {
        mock_send_room = i % 3;
        send_all(&sent);
        mock_send_room = ~0u;
        hear();
        collect(true);
        hear();
        CHECK(i < 1000);
    }
    mock_send_room = 0; /* joined, and not taken */
    CHECK(collect(true) > 0);
    hear();
    send_all(&sent);
    mock_nic_features &= ~(BASE_NET_TX_TCP4 | BASE_NET_TX_TCP6);
    mock_send_room = ~0u;
    large_count = 0;
    core_net_ready(); /* it may be the last time that it is said */
    CHECK(mock_sent_count > 0);
    while (our_seq - our_start < BYTES) {
        send_all(&sent);
        CHECK(collect(true) > 0);
        hear();
    }
    CHECK(large_count == 0);
    close_connection();
    mock_nic_features = features;
}

/* What may not be one frame, in pairs made by hand. */
static unsigned char pair[3][1600];

static unsigned joined(const unsigned *sizes, bool is_ip6)
{
    struct base_net_frame frames[3];
    unsigned entries = 1;

    for (unsigned i = 0; i < 3; i++)
        frames[i] = (struct base_net_frame){.data = pair[i], .size = sizes[i]};
    net_segments_prepare(frames, 3, mock_nic_features, MOCK_CUT_SIZE_MAX);
    while (entries <= 3 && (frames[entries - 1].flags & BASE_NET_MORE))
        entries++;
    CHECK(entries <= 3);
    for (unsigned i = 0; i < entries; i++) {
        CHECK(frames[i].data == pair[i] + (i ? (is_ip6 ? 86 : 66) : 0));
        CHECK(!(frames[i].flags & BASE_NET_CUT) == !(i == 0 && entries > 1));
    }
    return entries;
}

static void pairs_make(const unsigned *sizes, bool is_ip6)
{
    uint32_t seq = 0xfffffff0u; /* it turns */

    for (unsigned i = 0; i < 3; i++) {
        unsigned char *ip = pair[i] + 14, *tcp = ip + (is_ip6 ? 40 : 20);
        unsigned headers = is_ip6 ? 86 : 66;

        memset(pair[i], 0x11, sizeof(pair[i]));
        put16(pair[i] + 12, is_ip6 ? 0x86dd : 0x0800);
        if (is_ip6) {
            ip[0] = 0x60;
            put16(ip + 4, sizes[i] - 54);
            ip[6] = 6;
        } else {
            ip[0] = 0x45;
            put16(ip + 2, sizes[i] - 14);
            put16(ip + 4, i);
            put16(ip + 6, 0x4000);
            ip[9] = 6;
            put16(ip + 10, 0);
            put16(ip + 10, fold(sum16(0, ip, 20)));
        }
        put32(tcp + 4, seq);
        tcp[12] = 0x80;
        tcp[13] = ACK;
        seq += sizes[i] - headers;
    }
}

static void test_pairs(void)
{
    for (unsigned six = 0; six < 2; six++) {
        unsigned headers = six ? 86 : 66, tcp = headers - 32;
        unsigned sizes[3] = {headers + 1448, headers + 1448, headers + 100};

        pairs_make(sizes, six);
        CHECK(joined(sizes, six) == 3);
        CHECK(joined(sizes, six) == 3); /* and again, as it stands now */
        /* A byte of the second that has to be as in the first. */
        for (unsigned at = 0; at < headers; at++) {
            bool may_differ = (!six && (at == 16 || at == 17 || at == 18 ||
                                        at == 19 || at == 24 || at == 25)) ||
                              (six && (at == 18 || at == 19)) ||
                              at == tcp + 16 || at == tcp + 17;

            pairs_make(sizes, six);
            pair[1][at] ^= 0x40;
            /* That it is TCP of this kind, and where its data is. */
            if (at == 12 || at == 13 || (six ? at == 20 : at == 23) ||
                at == tcp + 12 || (!six && at == 14))
                continue;
            CHECK(joined(sizes, six) == (may_differ ? 3u : 1u));
        }
        pairs_make(sizes, six);
        pair[1][tcp + 13] |= PSH;
        CHECK(joined(sizes, six) == 3 && (pair[0][tcp + 13] & PSH));
        pairs_make(sizes, six);
        pair[2][tcp + 13] |= FIN;
        CHECK(joined(sizes, six) == 2);
        pairs_make(sizes, six);
        pair[0][tcp + 13] |= RST;
        CHECK(joined(sizes, six) == 1);
        /* Only the last is shorter, and none is longer, or empty. */
        sizes[1] = headers + 1447;
        pairs_make(sizes, six);
        CHECK(joined(sizes, six) == 2);
        sizes[1] = headers + 1449;
        pairs_make(sizes, six);
        CHECK(joined(sizes, six) == 1);
        sizes[1] = headers;
        pairs_make(sizes, six);
        CHECK(joined(sizes, six) == 1);
        /* Of the other kind of IP it does not. */
        sizes[1] = headers + 1448;
        pairs_make(sizes, six);
        mock_nic_features &= ~(six ? BASE_NET_TX_TCP6 : BASE_NET_TX_TCP4);
        CHECK(joined(sizes, six) == 1);
        mock_nic_features |= BASE_NET_TX_TCP4 | BASE_NET_TX_TCP6;
    }
}

int main(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = 0x5000};
    size_t objects;

    mock_nic = true;
    mock_nic_features = BASE_NET_TX_CHECKSUM | BASE_NET_RX_CHECKSUM |
                        BASE_NET_RX_LARGE | BASE_NET_TX_TCP4 | BASE_NET_TX_TCP6;
    mock_options[0][0] = "ip";
    mock_options[0][1] = "10.0.2.15/24";
    for (unsigned i = 0; i < BYTES; i++)
        data[i] = (unsigned char)((i * 2654435761u) >> 24);
    listening = s_socket(AF_INET, SOCK_STREAM);
    CHECK(s_bind(listening, &in, sizeof(in)) == 0);
    CHECK(s_listen(listening, 8) == 0);
    s_nonblock(listening);
    mock_run_ms(5000);
    open_connection();
    close_connection(); /* hears of the neighbour's address */
    hear();
    objects = mock_objects;
    test_receive();
    test_order();
    test_nonsense();
    test_send();
    test_lost();
    test_room();
    test_pairs();
    s_close(listening);
    mock_run_ms(120000);
    forget_sent();
    CHECK(mock_objects <= objects);
    CHECK(mock_file_count == 0);
    puts("net_segments: ok");
    return 0;
}
