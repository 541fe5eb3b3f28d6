/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packet sockets with PACKET_VNET_HDR: who may have it; large frames come
 * whole, whichever way they are asked for, and say what they are; what is to be
 * cut and summed goes to the device as it is, or in parts where the device does
 * not cut (any more); headers that say what is not so are refused.
 */
#include <netpacket/packet.h>

#include "core/net/cut.h"
#include "core/net/offload.h"

#include "net_cut_make.h"

#define VNET_HDR 15 /* PACKET_VNET_HDR */
#define FEATURES                                                               \
    (BASE_NET_RX_CHECKSUM | BASE_NET_RX_LARGE | BASE_NET_TX_CHECKSUM |         \
     BASE_NET_TX_TCP4 | BASE_NET_TX_TCP6)

struct message {
    struct net_offload header;
    unsigned char frame[LIMIT_FRAME_LARGE];
};
static struct message in, out;

static int packet_open(void)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = 2};
    int packet = s_socket(AF_PACKET, SOCK_RAW);

    CHECK(packet >= 0);
    s_nonblock(packet);
    CHECK(s_set(packet, SOL_PACKET, VNET_HDR, 1) == -EINVAL);
    CHECK(s_bind(packet, &address, sizeof(address)) == 0);
    return packet;
}

/* The pseudo header's sum, as it is before somebody adds the data's. */
static unsigned begun(const unsigned char *frame, const struct headers *at)
{
    uint32_t sum = sum16(at->protocol + at->end - at->transport,
                         frame + at->ip + (at->six ? 8 : 12), at->six ? 32 : 8);

    return fold(sum) ^ 0xffff;
}

static void arrives(unsigned size, unsigned flags)
{
    frame_arrives(whole, size);
    mock_arriving[mock_arriving_count - 1]->flags = flags;
}

/* Gets the frame in whole[], asked for in one of three ways. */
static void hear(int packet, unsigned size, unsigned how)
{
    unsigned room = how == 2 ? size + 9 : sizeof(in);

    memset(&in, 0xee, sizeof(in));
    if (how == 1)
        CHECK(s_poll(packet) & POLLIN);
    CHECK(s_recv(packet, &in, room, 0) == (long)(how == 2 ? room : size + 10));
}

static void test_receive(int packet)
{
    for (unsigned i = 0; i < KINDS * 3; i++) {
        const struct kind *kind = &kinds[i / 3];
        unsigned headers = make(kind, 0, 0);
        unsigned size = make(kind, i % 2 ? 60000 : 3000, ACK | PSH);
        struct headers at;

        arrives(size, BASE_NET_CHECKSUM_GOOD);
        hear(packet, size, i % 3);
        CHECK(headers_find(whole, size, &at));
        CHECK(in.header.flags == NET_OFFLOAD_CHECKSUM);
        CHECK(in.header.gso_type ==
              (kind->six ? NET_OFFLOAD_TCP6 : NET_OFFLOAD_TCP4));
        CHECK(in.header.header_size == headers);
        CHECK(in.header.gso_size == 1500 - (headers - at.ip));
        CHECK(in.header.checksum_start == at.transport);
        CHECK(in.header.checksum_offset == 16);
        CHECK(get16(in.frame + at.transport + 16) == begun(whole, &at));
        memcpy(in.frame + at.transport + 16, whole + at.transport + 16, 2);
        CHECK(memcmp(in.frame, whole, i % 3 == 2 ? size - 1 : size) == 0);
    }
    /* One that is wrong is as if it had not come. */
    arrives(make(&kinds[0], 20000, ACK | SYN), BASE_NET_CHECKSUM_GOOD);
    arrives(make(&kinds[0], 20000, ACK), 0);
    CHECK(s_recv(packet, &in, sizeof(in), 0) == -EAGAIN);
    core_net_ready();
}

static void test_receive_small(int packet)
{
    unsigned size = make(&kinds[0], 100, ACK);
    struct headers at;

    CHECK(headers_find(whole, size, &at));
    arrives(size, 0);
    hear(packet, size, 0);
    CHECK(in.header.flags == 0 && in.header.gso_type == 0);
    CHECK(memcmp(in.frame, whole, size) == 0);
    arrives(size, BASE_NET_CHECKSUM_GOOD);
    hear(packet, size, 0);
    CHECK(in.header.flags == NET_OFFLOAD_CHECKSUM && in.header.gso_type == 0);
    CHECK(get16(in.frame + at.transport + 16) == begun(whole, &at));
    /* Without a checksum there is nothing to begin. */
    whole[at.ip + 9] = 47;
    arrives(size, BASE_NET_CHECKSUM_GOOD);
    hear(packet, size, 0);
    CHECK(in.header.flags == NET_OFFLOAD_GOOD);
    CHECK(memcmp(in.frame, whole, size) == 0);
}

/* Sends whole[] with what a stack says of it; the device's word. */
static long say(int packet, const struct kind *kind, unsigned size)
{
    struct headers at;
    unsigned headers = make(kind, 0, 0);

    CHECK(make(kind, size - headers, ACK | PSH) == size);
    CHECK(headers_find(whole, size, &at));
    memcpy(out.frame, whole, size);
    put16(out.frame + at.transport + 16, begun(whole, &at));
    out.header = (struct net_offload){
        .flags = NET_OFFLOAD_CHECKSUM,
        .gso_type = kind->six ? NET_OFFLOAD_TCP6 : NET_OFFLOAD_TCP4,
        .header_size = (uint16_t)headers,
        .gso_size = (uint16_t)(1500 - (headers - at.ip)),
        .checksum_start = (uint16_t)at.transport,
        .checksum_offset = 16,
    };
    return s_send(packet, &out, size + 10, 0);
}

static void test_send(int packet)
{
    for (unsigned k = 0; k < KINDS; k++) {
        unsigned size = make(&kinds[k], 20000, ACK | PSH);
        struct mock_frame *frame;

        CHECK(say(packet, &kinds[k], size) == (long)size + 10);
        frame = mock_frame_take(mock_sent, &mock_sent_count);
        CHECK(frame && mock_sent_count == 0 && frame->size == size);
        CHECK(frame->flags == (BASE_NET_CUT | BASE_NET_CHECKSUM_NEEDED));
        CHECK(frame->header_size == out.header.header_size);
        CHECK(frame->cut_size == out.header.gso_size);
        CHECK(memcmp(frame->data, out.frame, size) == 0);
        free(frame);
    }
}

/* The device cuts no more, and has not said so: the same in parts. */
static void test_send_parts(int packet)
{
    unsigned size = make(&kinds[0], 20000, ACK | PSH);
    struct cut_check check = {whole, size, 1500, 0, 0};
    struct mock_frame *frame;
    bool last = false;

    mock_nic_features &= ~(BASE_NET_TX_TCP4 | BASE_NET_TX_TCP6);
    for (int twice = 0; twice < 2; twice++, last = false) {
        check = (struct cut_check){whole, size, 1500, 0, 0};
        CHECK(say(packet, &kinds[0], size) == (long)size + 10);
        while ((frame = mock_frame_take(mock_sent, &mock_sent_count))) {
            CHECK(!last && frame->flags == 0);
            last = cut_check(&check, frame->data, frame->size);
            free(frame);
        }
        CHECK(last);
    }
    mock_nic_features = FEATURES;
}

static long changed(int packet, struct net_offload header, unsigned size)
{
    out.header = header;
    return s_send(packet, &out, size + 10, 0);
}

static void test_send_refused(int packet)
{
    unsigned size = make(&kinds[0], 5000, ACK);
    struct net_offload good, h;

    CHECK(say(packet, &kinds[0], size) == (long)size + 10);
    free(mock_frame_take(mock_sent, &mock_sent_count));
    good = h = out.header;
    h.gso_type = 3; /* UDP */
    CHECK(changed(packet, h, size) == -EINVAL);
    h.gso_type = NET_OFFLOAD_TCP6;
    CHECK(changed(packet, h, size) == -EINVAL);
    h = good;
    h.flags = 0;
    CHECK(changed(packet, h, size) == -EINVAL);
    h = good;
    h.gso_size = 0;
    CHECK(changed(packet, h, size) == -EINVAL);
    h.gso_size = (uint16_t)(good.gso_size + 1);
    CHECK(changed(packet, h, size) == -EMSGSIZE);
    h = good;
    h.checksum_start++;
    CHECK(changed(packet, h, size) == -EINVAL);
    CHECK(changed(packet, good, size - 1) == -EINVAL);
    h = (struct net_offload){0};
    CHECK(changed(packet, h, size) == -EMSGSIZE);
    h.flags = NET_OFFLOAD_CHECKSUM;
    h.checksum_start = 90;
    h.checksum_offset = 9;
    CHECK(changed(packet, h, 100) == -EINVAL);
    h.checksum_offset = 8;
    CHECK(changed(packet, h, 100) == 110);
    CHECK(mock_sent[0]->flags == BASE_NET_CHECKSUM_NEEDED);
    free(mock_frame_take(mock_sent, &mock_sent_count));
    CHECK(changed(packet, h, 13) == -EINVAL);
    CHECK(s_send(packet, &out, 9, 0) == -EINVAL);
    CHECK(s_recv(packet, &in, 9, 0) == -EINVAL);
    CHECK(mock_sent_count == 0);
}

int main(void)
{
    int packet;

    mock_nic = true;
    mock_nic_features = FEATURES;
    mock_options[0][0] = "ip";
    mock_options[0][1] = "10.0.2.15/24";
    packet = packet_open();
    CHECK(s_set(packet, SOL_PACKET, VNET_HDR, 1) == 0);
    CHECK(s_get(packet, SOL_PACKET, VNET_HDR) == 1);
    test_receive(packet);
    test_receive_small(packet);
    while (mock_sent_count > 0) /* what lwIP said before it was taken */
        free(mock_frame_take(mock_sent, &mock_sent_count));
    test_send(packet);
    test_send_refused(packet);
    test_send_parts(packet);
    s_close(packet);
    return 0;
}
