/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receive path of core/net and lwIP: the input is a series of frames (two
 * bytes of size, then the frame, to which zeros may be added until it is a
 * large one, as of joined segments), and the program has a listening TCP
 * socket, a connection under way, and UDP sockets of both families. Checksums
 * are put right where a frame is IP, so that the input reaches what is behind
 * them. Whatever arrives: no fault, and no more memory than the network's
 * share.
 *
 * Links what tests/unit/net_mock.h says.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "../unit/net_frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fragments that wait are linked by pointers inside received headers, where
 * they are not aligned and the leak detector does not look. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

static int listening, connecting, datagram4, datagram6;

static void start(void)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = 0x3500};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = 0x5000};

    mock_nic = true;
    mock_nic_features = BASE_NET_TX_CHECKSUM | BASE_NET_RX_CHECKSUM |
                        BASE_NET_RX_LARGE | BASE_NET_TX_TCP4;
    mock_memory_bytes = 16u << 20;
    mock_options[0][0] = "ip";
    mock_options[0][1] = "10.0.2.15/24";
    listening = s_socket(AF_INET, SOCK_STREAM);
    CHECK(s_bind(listening, &in, sizeof(in)) == 0);
    CHECK(s_listen(listening, 16) == 0);
    s_nonblock(listening);
    datagram4 = s_socket(AF_INET, SOCK_DGRAM);
    CHECK(s_bind(datagram4, &in, sizeof(in)) == 0);
    s_nonblock(datagram4);
    datagram6 = s_socket(AF_INET6, SOCK_DGRAM);
    CHECK(s_bind(datagram6, &in6, sizeof(in6)) == 0);
    s_nonblock(datagram6);
    connecting = s_socket(AF_INET, SOCK_STREAM);
    s_nonblock(connecting);
    put32((unsigned char *)&in.sin_addr, PEER_IP);
    CHECK(s_connect(connecting, &in, sizeof(in)) == -EINPROGRESS);
}

/* Puts right the checksums that a fuzzer would hardly guess. */
static void checksums(unsigned char *frame, unsigned size)
{
    unsigned char *ip = frame + 14, *payload;
    unsigned header, rest, offset;

    if (size < 34 || get16(frame + 12) != 0x0800)
        return;
    header = (ip[0] & 15u) * 4;
    rest = get16(ip + 2);
    if (header < 20 || rest < header || rest > size - 14)
        return;
    put16(ip + 10, 0);
    put16(ip + 10, fold(sum16(0, ip, header)));
    payload = ip + header;
    rest -= header;
    offset = ip[9] == 6 ? 16 : ip[9] == 17 ? 6 : ip[9] == 1 ? 2 : 0;
    if (offset == 0 || rest < offset + 2)
        return;
    put16(payload + offset, 0);
    put16(payload + offset,
          fold(sum16(ip[9] == 1 ? 0 : sum16(ip[9] + rest, ip + 12, 8), payload,
                     rest)));
}

static void drain(void)
{
    static unsigned char buffer[65536];
    struct mock_frame *frame;
    int fd;

    while ((fd = s_accept(listening, 0)) >= 0) {
        s_recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        s_send(fd, "answer", 6, MSG_DONTWAIT | MSG_NOSIGNAL);
        s_close(fd);
    }
    while (s_recv(datagram4, buffer, sizeof(buffer), 0) >= 0)
        ;
    while (s_recv(datagram6, buffer, sizeof(buffer), 0) >= 0)
        ;
    s_recv(connecting, buffer, sizeof(buffer), 0);
    while ((frame = mock_frame_take(mock_sent, &mock_sent_count)))
        free(frame);
}

/* What is left after a minute of silence: sockets, neighbours, buffers to
 * receive into. */
#define OBJECTS_MAX 400

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    static unsigned turn;

    if (!started)
        start();
    started = true;
    while (size > 2) {
        static unsigned char frame[LIMIT_FRAME_LARGE];
        unsigned word = get16(data), part = word % LIMIT_FRAME_SIZE, whole;

        data += 2;
        size -= 2;
        if (part > size)
            part = (unsigned)size;
        whole = word & 0x8000 ? part + word % 2000 * 31 : part;
        memset(frame, 0, whole);
        memcpy(frame, data, part);
        /* To us, most of the time. */
        if (part >= 6 && !(frame[0] & 0x80))
            memcpy(frame, our_mac, 6);
        checksums(frame, whole);
        frame_arrives(frame, whole);
        if (whole > part)
            mock_arriving[mock_arriving_count - 1]->flags =
                word & 1 ? BASE_NET_CHECKSUM_GOOD : 0;
        core_net_ready();
        data += part;
        size -= part;
    }
    drain();
    mock_run_ms(200);
    drain();
    if (++turn % 256 == 0) {
        mock_run_ms(60000);
        drain();
        CHECK(mock_objects < OBJECTS_MAX);
    }
    CHECK(net_memory_pages() <= mock_memory_bytes / LIMIT_NET_SHARE / 4096);
    return 0;
}
