/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The interface: a fixed address from the command line, ARP, a burst of SYNs
 * before the neighbour is known, a flood of half-open connections, a device
 * without room, and TCP's retransmission by our timers.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "net_frames.h"

#include "core/net/net.h"
#include "lwip/etharp.h"
#include "lwip/udp.h"

static int listener(unsigned port)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    int fd = s_socket(AF_INET, SOCK_STREAM);

    in.sin_port = (uint16_t)(port << 8 | port >> 8);
    CHECK(fd >= 0);
    CHECK(s_bind(fd, &in, sizeof(in)) == 0);
    CHECK(s_listen(fd, 128) == 0);
    s_nonblock(fd);
    return fd;
}

/* Until all that arrived is taken: one round has a budget of frames. */
static void receive(void)
{
    unsigned rounds = 0;

    do {
        core_net_ready();
    } while (mock_arriving_count > 0 && !mock_alloc_fails && ++rounds < 100);
}

static void resolve(void)
{
    struct mock_frame *frame;

    while ((frame = mock_frame_take(mock_sent, &mock_sent_count))) {
        if (is_arp_request(frame))
            arp_answer(frame);
        free(frame);
    }
    receive();
}

static bool peer_known(void)
{
    const ip_addr_t peer = IPADDR4_INIT_BYTES(10, 0, 2, 2);
    const ip4_addr_t *its;
    struct netif *netif = net_interface_by_index(2);
    struct eth_addr *mac;

    CHECK(netif != NULL);
    return etharp_find_addr(netif, ip_2_ip4(&peer), &mac, &its) >= 0;
}

/* Sixty SYNs before the neighbour's address is known: all are answered at
 * once, where they came from; and again when nothing comes back. */
static void test_burst(void)
{
    int fd = listener(80);

    sent_with(0);
    for (unsigned i = 0; i < 60; i++)
        tcp_arrives(PEER_IP, 20000 + i, 80, 1000, 0, SYN, NULL, 0);
    receive();
    CHECK(memcmp(mock_sent[0]->data, peer_mac, 6) == 0);
    CHECK(sent_with(SYN | ACK) == 60);
    mock_run_ms(800);
    CHECK(sent_with(SYN | ACK) == 0);
    mock_run_ms(700);
    resolve();
    CHECK(sent_with(SYN | ACK) == 60);
    s_close(fd);
    sent_with(0);
}

/* A thousand half-open connections, then an honest one. */
static void test_flood(void)
{
    int fd = listener(81), peer;
    struct mock_frame *frame;
    char buffer[16];
    uint32_t seq = 0;

    for (unsigned i = 0; i < 1000; i++)
        tcp_arrives(PEER_IP + 1 + i % 200, 20000 + i, 81, 1, 0, SYN, NULL, 0);
    receive();
    resolve();
    sent_with(0);
    tcp_arrives(PEER_IP, 30000, 81, 5000, 0, SYN, NULL, 0);
    receive();
    while ((frame = mock_frame_take(mock_sent, &mock_sent_count))) {
        if (is_arp_request(frame)) {
            arp_answer(frame);
            receive();
        } else if (is_tcp(frame) && get16(frame->data + 36) == 30000 &&
                   (frame->data[47] & (SYN | ACK)) == (SYN | ACK)) {
            seq = get32(frame->data + 38);
        }
        free(frame);
    }
    CHECK(seq != 0);
    for (unsigned i = 0; i < 100; i++)
        tcp_arrives(PEER_IP + 1, 40000 + i, 81, 1, 0, SYN, NULL, 0);
    tcp_arrives(PEER_IP, 30000, 81, 5001, seq + 1, ACK, NULL, 0);
    tcp_arrives(PEER_IP, 30000, 81, 5001, seq + 1, ACK | PSH, "hello", 5);
    receive();
    peer = s_accept(fd, 0);
    CHECK(peer >= 0);
    CHECK(s_recv(peer, buffer, sizeof(buffer), 0) == 5);
    CHECK(s_accept(fd, 0) == -EAGAIN);
    sent_with(0);
    /* The answer carries the acknowledgement: one frame. */
    CHECK(s_send(peer, "world", 5, 0) == 5);
    CHECK(mock_sent_count == 1);
    CHECK(get32(mock_sent[0]->data + 42) == 5006);
    s_close(peer);
    s_close(fd);
    sent_with(0);
}

/* The same from addresses of the subnet at which nobody is, more than there is
 * room for in the table of neighbours: known ones stay there. */
static void test_flood_unused(void)
{
    int fd = listener(84);
    struct mock_frame *frame;
    unsigned requests = 0;

    mock_run_ms(10000);
    sent_with(0);
    CHECK(peer_known());
    for (unsigned i = 0; i < 2000; i++)
        tcp_arrives(PEER_IP + 256 + i, 20000, 84, 1, 0, SYN, NULL, 0);
    receive();
    while ((frame = mock_frame_take(mock_sent, &mock_sent_count))) {
        requests += is_arp_request(frame);
        free(frame);
    }
    CHECK(requests == 0 && peer_known());
    tcp_arrives(PEER_IP, 30001, 84, 1, 0, SYN, NULL, 0);
    receive();
    CHECK(sent_with(SYN | ACK) == 1);
    /* Nor does sending again, for those that are still half open. */
    mock_run_ms(20000);
    CHECK(peer_known());
    s_close(fd);
    sent_with(0);
}

/* Two ends that answer each other long, through two interfaces: the program
 * gets its turn meanwhile. */
#define ECHOES 20000
static struct udp_pcb *echoes[2];
static unsigned echoed;

static void echo(void *argument, struct udp_pcb *pcb, struct pbuf *p,
                 const ip_addr_t *from, u16_t port)
{
    if (++echoed < ECHOES)
        CHECK(udp_sendto(pcb, p, argument, port) == ERR_OK);
    pbuf_free(p);
}

static void test_loop(void)
{
    ip_addr_t addresses[2] = {IPADDR4_INIT_BYTES(127, 0, 0, 1),
                              IPADDR4_INIT_BYTES(10, 0, 2, 15)};
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, 10, PBUF_RAM);

    for (unsigned i = 0; i < 2; i++) {
        echoes[i] = udp_new();
        CHECK(udp_bind(echoes[i], IP4_ADDR_ANY, (u16_t)(700 + i)) == ERR_OK);
        udp_recv(echoes[i], echo, &addresses[1 - i]);
    }
    memset(p->payload, 0, 10);
    CHECK(udp_sendto(echoes[0], p, &addresses[1], 701) == ERR_OK);
    pbuf_free(p);
    net_leave();
    CHECK(echoed > 10 && echoed < ECHOES / 2);
    mock_run_ms(0); /* it goes on by itself */
    CHECK(echoed == ECHOES);
    for (unsigned i = 0; i < 2; i++)
        udp_remove(echoes[i]);
}

/* What the device had no room for leaves as soon as it has. */
static void test_full(void)
{
    int fd = listener(82);

    tcp_arrives(PEER_IP, 20000, 9, 1, 0, SYN, NULL, 0);
    receive();
    resolve();
    sent_with(0);
    mock_send_room = 0;
    for (unsigned i = 0; i < 200; i++)
        tcp_arrives(PEER_IP, 20000 + i, 82, 1, 0, SYN, NULL, 0);
    receive();
    CHECK(mock_sent_count == 0);
    mock_send_room = 150;
    receive();
    CHECK(mock_sent_count == 150);
    mock_send_room = ~0u;
    receive();
    CHECK(sent_with(SYN | ACK) == 200);
    s_close(fd);
    sent_with(0);
}

/* Frames that came while there was no memory to receive into are taken later,
 * though the device has nothing new to say. */
static void test_no_memory(void)
{
    int fd = listener(83);

    tcp_arrives(PEER_IP, 20000, 9, 1, 0, SYN, NULL, 0);
    receive();
    resolve();
    sent_with(0);
    mock_alloc_fails = true;
    for (unsigned i = 0; i < 40; i++)
        tcp_arrives(PEER_IP, 20000 + i, 83, 1, 0, SYN, NULL, 0);
    receive();
    CHECK(sent_with(SYN | ACK) == 0);
    mock_alloc_fails = false;
    mock_run_ms(50);
    CHECK(sent_with(SYN | ACK) >= 24);
    s_close(fd);
    sent_with(0);
}

/* Nobody answers a connection attempt: RFC 6298's second, then doubled. */
static void test_retransmit(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = 0x5000};
    int fd = s_socket(AF_INET, SOCK_STREAM);
    uint64_t start = mock_now_ns;

    put32((unsigned char *)&in.sin_addr, PEER_IP);
    CHECK(s_connect(fd, &in, sizeof(in)) == -ETIMEDOUT);
    CHECK(mock_now_ns - start > 60 * TIME_SECOND);
    CHECK(mock_now_ns - start < 300 * TIME_SECOND);
    CHECK(sent_with(SYN) == 7);
    s_close(fd);
}

int main(void)
{
    size_t objects;

    mock_nic = true;
    mock_options[0][0] = "ip";
    mock_options[0][1] = "10.0.2.15/16";
    mock_options[1][0] = "gw";
    mock_options[1][1] = "10.0.2.2";
    mock_options[2][0] = "dns";
    mock_options[2][1] = "10.0.2.3,fec0::3";
    s_close(s_socket(AF_INET, SOCK_STREAM));
    CHECK(strcmp(mock_resolv, "nameserver 10.0.2.3\nnameserver FEC0::3\n") ==
          0);
    receive();
    mock_run_ms(10000);
    objects = mock_objects;
    test_burst();
    test_flood();
    test_flood_unused();
    test_loop();
    test_full();
    test_no_memory();
    test_retransmit();
    mock_run_ms(120000);
    sent_with(0);
    /* All is back but buffers to receive into, and neighbours. */
    CHECK(mock_objects <= objects + 16);
    CHECK(mock_file_count == 0);
    puts("net_interface: ok");
    return 0;
}
