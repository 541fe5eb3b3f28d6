/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for a packet socket, whose checksums the device left out and called
 * good: the input is two bytes of what to do, then a frame, which may be made a
 * large one, of joined segments. What the program gets is what came, but for a
 * TCP or UDP checksum, which is then right; a large one as frames that are cut
 * as they should be, or nothing of it.
 *
 * Links what tests/unit/net_mock.h says.
 */
#include <netpacket/packet.h>

#include "../unit/net_cut_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static int packet;

static void start(void)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = 2};

    mock_nic = true;
    mock_nic_features = BASE_NET_RX_CHECKSUM | BASE_NET_RX_LARGE;
    mock_memory_bytes = 16u << 20;
    packet = s_socket(AF_PACKET, SOCK_RAW);
    CHECK(packet >= 0);
    CHECK(s_bind(packet, &address, sizeof(address)) == 0);
    s_nonblock(packet);
}

/* Bits of the first byte, and of the second, whose others are the size. */
enum { GOOD = 1, POLL = 2, LITTLE_ROOM = 4, LARGE = 8 };
enum { FIX_SIZE = 16, FIX_SUM = 32, ANOTHER = 64 };

/* Where the checksum of a frame that is whole is, or 0. */
static unsigned checksum_at(const unsigned char *frame, unsigned size,
                            struct headers *at)
{
    unsigned field;

    if (!headers_find(frame, size, at))
        return 0;
    field = at->transport + (at->protocol == 6 ? 16 : 6);
    return (at->protocol == 6 || at->protocol == 17) && field + 2 <= at->end
               ? field
               : 0;
}

static void small(const unsigned char *frame, unsigned size, unsigned how)
{
    static unsigned char out[2048], expected[LIMIT_FRAME_SIZE];
    unsigned part = how & LITTLE_ROOM && size > 1500 ? 1500 : size, field;
    struct headers at;

    if (how & POLL) /* held by poll */
        CHECK(s_poll(packet) & POLLIN);
    CHECK(s_recv(packet, out, how & LITTLE_ROOM ? 1500 : sizeof(out),
                 MSG_TRUNC) == (long)size);
    memcpy(expected, frame, size);
    field = how & GOOD ? checksum_at(frame, size, &at) : 0;
    if (field && at.end <= part) {
        CHECK(transport_sum(out, &at) == 0);
        memcpy(expected + field, out + field, 2);
    } else if (field && field + 2 <= part) {
        memcpy(expected + field, out + field, 2);
    }
    CHECK(memcmp(out, expected, part) == 0);
}

/* What a fuzzer would hardly guess. */
static void put_right(unsigned char *frame, unsigned size, unsigned what)
{
    unsigned at = get16(frame + 12) == 0x8100 ? 18 : 14, field;
    unsigned char *ip = frame + at;
    struct headers headers;

    if ((what & FIX_SIZE) && get16(ip - 2) == 0x86dd) {
        put16(ip + 4, size - at - 40);
    } else if ((what & FIX_SIZE) && get16(ip - 2) == 0x0800) {
        put16(ip + 2, size - at);
        put16(ip + 10, 0);
        put16(ip + 10, fold(sum16(0, ip, (ip[0] & 15u) * 4)));
    }
    field = what & FIX_SUM ? checksum_at(frame, size, &headers) : 0;
    if (field) {
        put16(frame + field, 0);
        put16(frame + field, transport_sum(frame, &headers));
    }
}

static void large(const unsigned char *frame, unsigned size, unsigned how)
{
    struct cut_check check = {frame, size, 1500, 0, 0};
    static unsigned char out[2048];
    bool due = cut_is_due(frame, size, how & GOOD, 1500);

    while (due) {
        if (how & POLL)
            CHECK(s_poll(packet) & POLLIN);
        long got =
            s_recv(packet, out, how & LITTLE_ROOM ? 1525 : sizeof(out), 0);
        CHECK(got > 0);
        due = !cut_check(&check, out, (unsigned)got);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char frame[LIMIT_FRAME_LARGE], out[2048];
    static bool started;
    unsigned whole = (unsigned)size - 2, how, more;

    if (!started)
        start();
    started = true;
    if (size < 16 || whole > LIMIT_FRAME_SIZE)
        return 0;
    how = data[0];
    more = data[1];
    memset(frame, 0x5a, sizeof(frame));
    memcpy(frame, data + 2, whole);
    if (how & LARGE) {
        whole = LIMIT_FRAME_SIZE + 1 + (more & 15) * 4267;
        put_right(frame, whole, more);
    }
    mock_arriving_flags = how & GOOD ? BASE_NET_CHECKSUM_GOOD : 0;
    frame_arrives(frame, whole);
    if (more & ANOTHER)
        frame_arrives(data + 2, (unsigned)size - 2);
    core_net_ready();
    if (how & LARGE)
        large(frame, whole, how);
    else
        small(frame, whole, how);
    if (more & ANOTHER)
        small(data + 2, (unsigned)size - 2, how);
    CHECK(s_recv(packet, out, sizeof(out), 0) == -EAGAIN);
    return 0;
}
