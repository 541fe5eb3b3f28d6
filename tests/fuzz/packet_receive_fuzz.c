/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for a packet socket, whose checksums the device left out and called
 * good: the input is a frame. What the program gets is what came, but for a TCP
 * or UDP checksum, which is then right.
 *
 * Links what tests/unit/net_mock.h says.
 */
#include <netpacket/packet.h>

#include "../unit/net_frames.h"

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
    mock_memory_bytes = 16u << 20;
    packet = s_socket(AF_PACKET, SOCK_RAW);
    CHECK(packet >= 0);
    CHECK(s_bind(packet, &address, sizeof(address)) == 0);
    s_nonblock(packet);
}

/* Where the checksum of a frame that is whole is, or 0. */
static unsigned checksum_at(const unsigned char *frame, unsigned size,
                            unsigned *begin, unsigned *end)
{
    const unsigned char *ip = frame + 14;
    unsigned header, protocol, at;

    if (size < 54)
        return 0;
    if (get16(frame + 12) == 0x0800) {
        header = (ip[0] & 15u) * 4;
        *end = 14 + get16(ip + 2);
        protocol = ip[9];
        if (header < 20 || (get16(ip + 6) & 0x3fff))
            return 0;
    } else if (get16(frame + 12) == 0x86dd) {
        header = 40;
        *end = 54 + get16(ip + 4);
        protocol = ip[6];
    } else {
        return 0;
    }
    at = protocol == 6 ? 16 : protocol == 17 ? 6 : 0;
    *begin = 14 + header;
    return at == 0 || *end > size || *begin + at + 2 > *end ? 0 : *begin + at;
}

static void check_sum(const unsigned char *frame, unsigned begin, unsigned end)
{
    bool four = get16(frame + 12) == 0x0800;
    unsigned protocol = four ? frame[23] : frame[20];

    CHECK(fold(sum16(sum16(protocol + end - begin, frame + (four ? 26 : 22),
                           four ? 8 : 32),
                     frame + begin, end - begin)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char out[2048], frame[LIMIT_FRAME_SIZE];
    static bool started;
    unsigned begin = 0, end = 0, at;

    if (!started)
        start();
    started = true;
    if (size < 15 || size > LIMIT_FRAME_SIZE)
        return 0;
    memcpy(frame, data + 1, size - 1);
    size--;
    mock_arriving_flags = data[0] & 1 ? BASE_NET_CHECKSUM_GOOD : 0;
    frame_arrives(frame, (unsigned)size);
    core_net_ready();
    if (data[0] & 2) /* held by poll */
        CHECK(s_poll(packet) & POLLIN);
    CHECK(s_recv(packet, out, data[0] & 4 ? 1500 : sizeof(out), MSG_TRUNC) ==
          (long)size);
    at = data[0] & 1 ? checksum_at(frame, (unsigned)size, &begin, &end) : 0;
    if (at && end <= 1500) {
        check_sum(out, begin, end);
        memcpy(frame + at, out + at, 2);
    }
    CHECK(memcmp(out, frame, size < 1500 ? size : 1500) == 0);
    CHECK(s_recv(packet, out, sizeof(out), 0) == -EAGAIN);
    return 0;
}
