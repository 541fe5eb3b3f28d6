/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_PACKET sockets: a network interface in the program's own hands, for a
 * stack of its own (System.HaLVM.NIC of the Haskell package, or packet(7)).
 *
 * bind to an interface takes it from lwIP, which sees it go down, until the
 * socket is closed. (Linux gives each such socket a copy of every frame.) A
 * message is a whole Ethernet frame. Frames stay in the device until they are
 * asked for, and are copied once, between the device and the application; but
 * for the one that poll looks for, which is held here, and for those of a
 * device that joins segments, which are copied twice and cut again.
 *
 * Monitor held.
 */
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>

#include "core/net/provider.h"
#include "core/net/socket.h"

/* What the largest frame takes, in rooms as net_recv wants them. */
#define ROOMS ((LIMIT_FRAME_LARGE + LIMIT_FRAME_SIZE - 1) / LIMIT_FRAME_SIZE)

/* Where the device joins segments of TCP (BASE_NET_RX_LARGE), or a neighbour
 * never cut them: they are cut here, as the program's stack expects frames. */
struct large {
    struct base_net_frame rooms[ROOMS];
    unsigned count, next; /* rooms that are filled, and the next to be given */
    uint8_t *frame;       /* the one that is being cut, if payload > 0 */
    size_t header, payload, done; /* of it: bytes */
    uint8_t data[ROOMS * LIMIT_FRAME_SIZE];
};

struct packet {
    struct net_socket socket;
    struct large *large; /* NULL: the device has no large frames */
    struct netif *netif; /* NULL: not bound */
    uint16_t protocol;   /* as it was asked for; all frames are given */
    bool asked;          /* the device has nothing since the last news */
    bool full;           /* it had no room since the last news */
    size_t held_size;    /* 0: no frame is held */
    uint8_t held[LIMIT_FRAME_SIZE];
};

static struct packet *packet_of(const struct file *file)
{
    return file->private;
}

static size_t total_of(const struct msghdr *message)
{
    size_t size = 0;

    for (int i = 0; i < message->msg_iovlen; i++)
        size += message->msg_iov[i].iov_len;
    return size;
}

/* The device has news: frames, room, or nothing. */
static void ready(void *context)
{
    struct packet *packet = context;

    packet->asked = packet->full = false;
    wait_wake(&packet->socket.wait, POLLIN | POLLOUT, 1);
}

static int packet_bind(struct file *file, const void *address, unsigned size)
{
    struct packet *packet = packet_of(file);
    struct sockaddr_ll in;
    struct netif *netif;
    int result;

    if (size < offsetof(struct sockaddr_ll, sll_addr))
        return -EINVAL;
    memset(&in, 0, sizeof(in));
    memcpy(&in, address, size < sizeof(in) ? size : sizeof(in));
    if (in.sll_family != AF_PACKET || packet->netif)
        return -EINVAL;
    netif = net_interface_by_index((unsigned)in.sll_ifindex);
    if (!netif || in.sll_ifindex < 2)
        return -ENODEV; /* there is nothing to take of the loopback */
    if (net_interface_features(netif) & BASE_NET_RX_LARGE) {
        packet->large = net_alloc(sizeof(*packet->large));
        if (!packet->large)
            return -ENOBUFS;
        packet->large->count = packet->large->next = 0;
        packet->large->payload = 0;
    }
    result = net_interface_take(netif, ready, packet);
    if (result != 0) {
        if (packet->large)
            net_free(packet->large);
        packet->large = NULL;
        return result;
    }
    packet->netif = netif;
    packet->protocol = in.sll_protocol;
    return 0;
}

static int packet_getsockname(struct file *file, void *address)
{
    struct packet *packet = packet_of(file);
    struct sockaddr_ll out = {.sll_family = AF_PACKET,
                              .sll_protocol = packet->protocol};

    if (packet->netif) {
        out.sll_ifindex = netif_get_index(packet->netif);
        out.sll_hatype = ARPHRD_ETHER;
        out.sll_halen = 6;
        memcpy(out.sll_addr, packet->netif->hwaddr, 6);
    }
    memcpy(address, &out, sizeof(out));
    return sizeof(out);
}

/* -- receiving -- */

/* Of big-endian 16-bit words, added to sum; not folded. */
static uint32_t sum_of(const uint8_t *data, size_t size, uint32_t sum)
{
    uint64_t wide = 0, word; /* in our byte order, which RFC 1071 allows */
    size_t i = 0;

    for (; i + 8 <= size; i += 8) {
        memcpy(&word, data + i, 8);
        wide += (word & 0xffffffff) + (word >> 32);
    }
    wide = (wide & 0xffffffff) + (wide >> 32);
    wide = (wide & 0xffff) + (wide >> 16);
    wide = (wide & 0xffff) + (wide >> 16);
    wide = (wide & 0xffff) + (wide >> 16);
    sum += __builtin_bswap16((uint16_t)wide);
    for (; i + 1 < size; i += 2)
        sum += (uint32_t)(data[i] << 8 | data[i + 1]);
    if (size & 1)
        sum += (uint32_t)(data[size - 1] << 8);
    return sum;
}

/*
 * A frame of a neighbour on the same host may come without its TCP or UDP
 * checksum, which the device then calls good. The program's own stack wants to
 * check it: so it is made. Fragments never come so.
 */
static void checksum_make(uint8_t *frame, size_t size)
{
    uint8_t *ip = frame + ETH_HLEN;
    size_t header = 40, total, address = 8, addresses = 32, at;
    uint8_t protocol = ip[6];
    uint32_t sum;

    if (size < ETH_HLEN + 40)
        return;
    if (frame[12] == 0x08 && frame[13] == 0x00) {
        header = (ip[0] & 15u) * 4u;
        total = (size_t)(ip[2] << 8 | ip[3]);
        protocol = ip[9];
        address = 12;
        addresses = 8;
        if (header < 20 || (ip[6] & 0x3f) != 0 || ip[7] != 0)
            return;
    } else if (frame[12] == 0x86 && frame[13] == 0xdd) {
        total = 40 + (size_t)(ip[4] << 8 | ip[5]);
    } else {
        return;
    }
    at = protocol == IPPROTO_TCP ? 16 : protocol == IPPROTO_UDP ? 6 : 0;
    if (at == 0 || total > size - ETH_HLEN || total < header + at + 2)
        return;
    total -= header;
    ip[header + at] = ip[header + at + 1] = 0;
    sum = sum_of(ip + address, addresses, protocol + (uint32_t)total);
    sum = sum_of(ip + header, total, sum);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
    if (sum == 0 && protocol == IPPROTO_UDP)
        sum = 0xffff;
    ip[header + at] = (uint8_t)(sum >> 8);
    ip[header + at + 1] = (uint8_t)sum;
}

/* -- large frames -- */

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, size_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* Whether a frame is TCP that can be cut; else it is dropped. */
static bool cut_begin(struct large *large, uint8_t *frame, size_t size,
                      size_t mtu)
{
    const uint8_t *ip = frame + ETH_HLEN;
    size_t header, total;
    bool tcp;

    if (size < ETH_HLEN + 60)
        return false;
    if (get16(frame + 12) == ETHERTYPE_IP) {
        header = (ip[0] & 15u) * 4u;
        total = get16(ip + 2);
        tcp = ip[9] == IPPROTO_TCP && header >= 20;
    } else {
        header = 40;
        total = 40u + get16(ip + 4);
        tcp = get16(frame + 12) == ETHERTYPE_IPV6 && ip[6] == IPPROTO_TCP;
    }
    if (!tcp || total > size - ETH_HLEN || total < header + 20)
        return false;
    header += (ip[header + 12] >> 4) * 4u;
    if (header < 40 || header >= total || header >= mtu)
        return false;
    large->frame = frame;
    large->header = ETH_HLEN + header;
    large->payload = total - header;
    large->done = 0;
    return true;
}

/* The headers of a segment: lengths, number, flags, checksums. */
static void cut_headers(const struct large *large, uint8_t *out, size_t part,
                        size_t segment)
{
    uint8_t *ip = out + ETH_HLEN, *tcp;
    size_t total = large->header - ETH_HLEN + part, header = 40;
    bool last = large->done + part == large->payload;
    uint32_t sum, sequence;

    if (get16(out + 12) == ETHERTYPE_IP) {
        header = (ip[0] & 15u) * 4u;
        put16(ip + 2, total);
        put16(ip + 4, get16(ip + 4) + segment);
        put16(ip + 10, 0);
        sum = sum_of(ip, header, 0);
        sum = (sum & 0xffff) + (sum >> 16);
        put16(ip + 10, ~((sum & 0xffff) + (sum >> 16)) & 0xffff);
    } else {
        put16(ip + 4, total - 40);
    }
    tcp = ip + header;
    sequence = ((uint32_t)get16(tcp + 4) << 16 | get16(tcp + 6)) +
               (uint32_t)large->done;
    put16(tcp + 4, sequence >> 16);
    put16(tcp + 6, sequence);
    if (!last)
        tcp[13] &= (uint8_t)~0x09; /* FIN, PSH */
    if (large->done > 0)
        tcp[13] &= 0x7f; /* CWR */
    checksum_make(out, large->header + part);
}

static size_t cut_next(struct packet *packet, uint8_t *out)
{
    struct large *large = packet->large;
    size_t most = packet->netif->mtu + ETH_HLEN - large->header;
    size_t part = large->payload - large->done;

    if (part > most)
        part = most;
    memcpy(out, large->frame, large->header);
    memcpy(out + large->header, large->frame + large->header + large->done,
           part);
    cut_headers(large, out, part, large->done / most);
    large->done += part;
    if (large->done == large->payload)
        large->payload = 0;
    return large->header + part;
}

/* The next frame that came, its parts joined; 0: none. */
static size_t join_next(struct packet *packet, struct base_net_frame *out)
{
    struct large *large = packet->large;

    if (large->next == large->count) {
        for (unsigned i = 0; i < ROOMS; i++)
            large->rooms[i] = (struct base_net_frame){
                .data = large->data + i * LIMIT_FRAME_SIZE,
                .size = LIMIT_FRAME_SIZE};
        large->next = 0;
        large->count =
            packet->asked
                ? 0
                : net_interface_receive(packet->netif, large->rooms, ROOMS);
        packet->asked = packet->asked || large->count == 0;
    }
    if (large->next == large->count)
        return 0;
    *out = large->rooms[large->next];
    while ((large->rooms[large->next++].flags & BASE_NET_MORE) &&
           large->next < large->count) {
        const struct base_net_frame *more = &large->rooms[large->next];

        memmove((uint8_t *)out->data + out->size, more->data, more->size);
        out->size += more->size;
    }
    return out->size;
}

static size_t take_large(struct packet *packet, uint8_t *data)
{
    struct base_net_frame frame;

    while (packet->large->payload == 0) {
        if (join_next(packet, &frame) == 0)
            return 0;
        if (frame.size > LIMIT_FRAME_SIZE) {
            cut_begin(packet->large, frame.data, frame.size,
                      packet->netif->mtu);
            continue;
        }
        memcpy(data, frame.data, frame.size);
        if (frame.flags & BASE_NET_CHECKSUM_GOOD)
            checksum_make(data, frame.size);
        return frame.size;
    }
    return cut_next(packet, data);
}

/* A frame into memory of core's, or of the application's that was looked at. */
static size_t take_frame(struct packet *packet, void *data, size_t room)
{
    struct base_net_frame frame = {.data = data, .size = (uint32_t)room};

    if (packet->large)
        return take_large(packet, data);
    if (packet->asked)
        return 0;
    if (net_interface_receive(packet->netif, &frame, 1) == 1) {
        if (frame.flags & BASE_NET_CHECKSUM_GOOD)
            checksum_make(data, frame.size);
        return frame.size;
    }
    packet->asked = true;
    return 0;
}

/* Whether the application can have size bytes written there. */
static bool writable(char *user, size_t size)
{
    uintptr_t at = (uintptr_t)user, end = at + size;
    char byte;

    for (; at < end; at = (at | (LIMIT_PAGE_SIZE - 1)) + 1)
        if (core_copy_in(&byte, (const void *)at, 1) != 0 ||
            core_copy_out((void *)at, &byte, 1) != 0)
            return false;
    return true;
}

static long give_held(struct packet *packet, struct msghdr *message, int flags)
{
    size_t room = total_of(message);
    size_t size = packet->held_size, part = size < room ? size : room;

    if (file_iov_copy_out(message->msg_iov, message->msg_iovlen, 0,
                          packet->held, part) != 0)
        return -EFAULT;
    if (!(flags & MSG_PEEK))
        packet->held_size = 0;
    if (part < size)
        message->msg_flags |= MSG_TRUNC;
    return (long)(flags & MSG_TRUNC ? size : part);
}

static void give_name(struct packet *packet, struct msghdr *message)
{
    struct sockaddr_ll from = {.sll_family = AF_PACKET,
                               .sll_hatype = ARPHRD_ETHER};

    if (message->msg_name) {
        from.sll_ifindex = netif_get_index(packet->netif);
        memcpy(message->msg_name, &from, sizeof(from));
        message->msg_namelen = sizeof(from);
    }
    message->msg_controllen = 0;
}

static long packet_recvmsg(struct file *file, struct msghdr *message, int flags)
{
    struct packet *packet = packet_of(file);
    uint64_t deadline = net_receive_deadline(file, flags, &packet->socket);
    const struct iovec *iov = message->msg_iov;
    int result;

    if (!packet->netif)
        return -ENOTCONN;
    for (;;) {
        /* A buffer that any frame fits into gets it from the device. */
        bool direct = packet->held_size == 0 && message->msg_iovlen == 1 &&
                      iov->iov_len >= LIMIT_FRAME_SIZE && !(flags & MSG_PEEK);
        size_t size;

        if (direct) {
            if (!writable(iov->iov_base, LIMIT_FRAME_SIZE))
                return -EFAULT;
            size = take_frame(packet, iov->iov_base, LIMIT_FRAME_SIZE);
        } else {
            if (packet->held_size == 0)
                packet->held_size =
                    take_frame(packet, packet->held, sizeof(packet->held));
            size = packet->held_size;
        }
        if (size > 0) {
            give_name(packet, message);
            return direct ? (long)size : give_held(packet, message, flags);
        }
        result = net_socket_wait(&packet->socket, deadline);
        if (result != 0)
            return result;
    }
}

/* -- sending -- */

static bool send_frame(struct packet *packet, void *data, size_t size)
{
    const struct base_net_frame frame = {.data = data, .size = (uint32_t)size};

    if (packet->full)
        return false;
    packet->full = net_interface_send(packet->netif, &frame, 1) == 0;
    return !packet->full;
}

static long packet_sendmsg(struct file *file, struct msghdr *message, int flags)
{
    struct packet *packet = packet_of(file);
    uint64_t deadline = net_send_deadline(file, flags, &packet->socket);
    const struct iovec *iov = message->msg_iov;
    size_t size = total_of(message);
    void *data = message->msg_iovlen == 1 ? iov->iov_base : NULL;
    void *copy = NULL;
    long result = 0;

    if (!packet->netif)
        return -ENXIO;
    if (size < ETH_HLEN)
        return -EINVAL;
    if (size > (size_t)packet->netif->mtu + ETH_HLEN)
        return -EMSGSIZE;
    if (data && !net_readable(data, size))
        return -EFAULT;
    if (!data) { /* in pieces */
        data = copy = net_alloc(size);
        if (!copy)
            return -ENOBUFS;
        if (file_iov_copy_in(copy, iov, message->msg_iovlen, 0, size) != 0)
            result = -EFAULT;
    }
    while (result == 0 && !send_frame(packet, data, size))
        result = net_socket_wait(&packet->socket, deadline);
    if (copy)
        net_free(copy);
    return result < 0 ? result : (long)size;
}

/* -- the rest -- */

static long packet_readv(struct file *file, const struct iovec *iov, int count,
                         off_t *offset)
{
    struct msghdr message = {0};

    message.msg_iov = (struct iovec *)(uintptr_t)iov;
    message.msg_iovlen = count;
    return packet_recvmsg(file, &message, 0);
}

static long packet_writev(struct file *file, const struct iovec *iov, int count,
                          off_t *offset)
{
    struct msghdr message = {0};

    message.msg_iov = (struct iovec *)(uintptr_t)iov;
    message.msg_iovlen = count;
    return packet_sendmsg(file, &message, 0);
}

static int packet_setsockopt(struct file *file, int level, int name,
                             const void *value, unsigned size)
{
    if (level != SOL_SOCKET)
        return -ENOPROTOOPT;
    return net_option_set(&packet_of(file)->socket, level, name, value, size);
}

static int packet_getsockopt(struct file *file, int level, int name,
                             void *value, unsigned *size)
{
    if (level != SOL_SOCKET)
        return -ENOPROTOOPT;
    return net_option_get(&packet_of(file)->socket, level, name, value, size);
}

static uint32_t packet_poll(struct file *file, struct file_poller *poller)
{
    struct packet *packet = packet_of(file);
    uint32_t events = 0;

    file_poll_wait(poller, &packet->socket.wait);
    if (!packet->netif)
        return POLLOUT | POLLWRNORM;
    if (packet->held_size == 0)
        packet->held_size =
            take_frame(packet, packet->held, sizeof(packet->held));
    if (packet->held_size > 0)
        events |= POLLIN | POLLRDNORM;
    if (!packet->full)
        events |= POLLOUT | POLLWRNORM;
    return events;
}

static long packet_ioctl(struct file *file, unsigned long request,
                         long argument)
{
    return net_interface_ioctl(request, argument);
}

static void packet_release(struct file *file)
{
    struct packet *packet = packet_of(file);

    if (packet->netif)
        net_interface_give_back(packet->netif);
    if (packet->large)
        net_free(packet->large);
    net_free(packet);
    net_memory_trim();
}

static const struct socket_ops packet_socket_ops = {
    .bind = packet_bind,
    .getsockname = packet_getsockname,
    .setsockopt = packet_setsockopt,
    .getsockopt = packet_getsockopt,
    .sendmsg = packet_sendmsg,
    .recvmsg = packet_recvmsg,
};

static const struct file_ops packet_ops = {
    .name = "socket:[packet]",
    .readv = packet_readv,
    .writev = packet_writev,
    .poll = packet_poll,
    .ioctl = packet_ioctl,
    .stat = net_socket_stat,
    .socket = &packet_socket_ops,
    .release = packet_release,
};

static bool packet_has(int domain)
{
    return domain == AF_PACKET;
}

static int packet_create(int domain, int type, int protocol, int flags,
                         struct file **out)
{
    struct packet *packet;
    int result;

    if (type != SOCK_RAW)
        return -ESOCKTNOSUPPORT;
    result = net_start();
    if (result != 0)
        return result;
    packet = net_alloc(sizeof(*packet));
    if (!packet)
        return -ENOBUFS;
    memset(packet, 0, sizeof(*packet));
    net_socket_init(&packet->socket, domain, type, protocol, 65536, 65536);
    *out = file_new(&packet_ops, O_RDWR | flags, packet);
    if (!*out) {
        net_free(packet);
        return -ENFILE;
    }
    return 0;
}

struct net_provider net_provider_packet = {
    .name = "packet", .has = packet_has, .create = packet_create};
