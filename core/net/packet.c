/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_PACKET sockets: a network interface in the program's own hands, for a
 * stack of its own (System.HaLVM.NIC of the Haskell package, or packet(7)).
 *
 * bind to an interface takes it from lwIP, which sees it go down, until the
 * socket is closed. (Linux gives each such socket a copy of every frame.) A
 * message is a whole Ethernet frame. Frames stay in the device until they are
 * asked for, and are copied once, between the device and the application; but
 * for the one that poll looks for, which is held here. From a device that joins
 * segments of TCP two are asked for, the second into memory of the socket's,
 * from where it is copied again: the joined ones have room then, and are cut
 * (cut.c).
 *
 * With PACKET_VNET_HDR (packet(7)), which a device has to offer checksums and
 * cutting for, a message has a header in front that says what is left to the
 * device, or was by one: large frames go through uncut, both ways (offload.c).
 *
 * Monitor held.
 */
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>

#include "core/net/cut.h"
#include "core/net/device.h"
#include "core/net/offload.h"
#include "core/net/provider.h"
#include "core/net/socket.h"

/* Frames that cannot be cut, one after the other, before others have a turn. */
#define LOST_MAX 64

/* linux/if_packet.h; musl has it not. */
#ifndef PACKET_VNET_HDR
#define PACKET_VNET_HDR 15
#endif

/* linux/if_packet.h: struct tpacket_stats */
struct packet_statistics {
    uint32_t received, dropped;
};

struct packet {
    struct net_socket socket;
    struct net_device *device; /* NULL: not bound */
    uint16_t protocol;         /* as it was asked for; all frames are given */
    bool asked;                /* the device has nothing since the last news */
    bool full;                 /* it had no room since the last news */
    uint8_t *large;            /* LIMIT_FRAME_LARGE bytes; NULL: never needed */
    struct net_cut cut;        /* what is there of it that was not given yet */
    uint32_t received; /* frames since they were asked for, the lost too */
    uint32_t dropped;  /* of them, what could not be cut */
    bool has_header;   /* PACKET_VNET_HDR */
    /* With it, what is told of the frame that is taken last. */
    struct net_offload offload;
    size_t held_size; /* 0: no frame is held */
    uint8_t held[LIMIT_FRAME_SIZE];
};

static struct packet *packet_of(const struct file *file)
{
    return file->private;
}

static int interface_of(const struct packet *packet)
{
    return (int)(packet->device->index + NET_FIRST_DEVICE);
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
    struct net_device *device;
    uint8_t *large = NULL;
    int result;

    if (size < offsetof(struct sockaddr_ll, sll_addr))
        return -EINVAL;
    memset(&in, 0, sizeof(in));
    memcpy(&in, address, size < sizeof(in) ? size : sizeof(in));
    if (in.sll_family != AF_PACKET || packet->device)
        return -EINVAL;
    device = net_device_of((unsigned)in.sll_ifindex);
    if (!device)
        return -ENODEV; /* there is nothing to take of the loopback */
    if (device->features & BASE_NET_RX_LARGE) {
        large = net_alloc(LIMIT_FRAME_LARGE);
        if (!large)
            return -ENOMEM;
    }
    result = net_device_take(device, ready, packet);
    if (result != 0) {
        if (large)
            net_free(large);
        return result;
    }
    packet->large = large;
    packet->device = device;
    packet->protocol = in.sll_protocol;
    return 0;
}

static int packet_getsockname(struct file *file, void *address)
{
    struct packet *packet = packet_of(file);
    struct sockaddr_ll out = {.sll_family = AF_PACKET,
                              .sll_protocol = packet->protocol};

    if (packet->device) {
        out.sll_ifindex = interface_of(packet);
        out.sll_hatype = ARPHRD_ETHER;
        out.sll_halen = 6;
        memcpy(out.sll_addr, packet->device->mac, 6);
    }
    memcpy(address, &out, sizeof(out));
    return sizeof(out);
}

/* -- receiving -- */

/* What any frame fits into, in bytes. */
static uint32_t frame_room(const struct packet *packet)
{
    return packet->has_header && packet->large ? LIMIT_FRAME_LARGE
                                               : LIMIT_FRAME_SIZE;
}

static size_t header_size(const struct packet *packet)
{
    return packet->has_header ? sizeof(packet->offload) : 0;
}

/* Where poll puts a frame. */
static uint8_t *held_of(struct packet *packet)
{
    return packet->has_header && packet->large ? packet->large : packet->held;
}

/* What came behind the frame that was asked for; a large one is cut. */
static bool large_begin(struct packet *packet, uint8_t *frame, size_t size,
                        uint32_t flags)
{
    bool is_good =
        net_cut_begin(&packet->cut, frame, size, flags, packet->device->mtu);

    if (!is_good) {
        memset(&packet->cut, 0, sizeof(packet->cut));
        packet->received++;
        packet->dropped++;
    }
    return is_good;
}

/*
 * The next frame of the device's into LIMIT_FRAME_SIZE bytes at data; its size,
 * 0: there is none, or *lost: one that could not be cut. A device that joins
 * segments needs more room, which is ours, behind what data has. So a frame
 * that needs it is in one piece in ours as soon as its beginning is moved
 * there; one that does not is where it belongs, and the next one, which the
 * device may have put into ours, stays there until it is asked for.
 */
static size_t take_from_device(struct packet *packet, void *data, bool *lost)
{
    const uint32_t room = LIMIT_FRAME_SIZE;
    struct base_net_frame frames[2] = {{.data = data, .size = room}};
    unsigned count = 1;

    if (packet->large) {
        frames[count++] = (struct base_net_frame){
            .data = packet->large + room, .size = LIMIT_FRAME_LARGE - room};
    }
    count = core_base->net_recv(packet->device->index, frames, count);
    packet->asked = count == 0;
    if (count == 0)
        return 0;
    if (frames[0].flags & BASE_NET_MORE) {
        ASSERT(count == 2 && frames[0].size == room);
        memcpy(packet->large, data, room);
        *lost = !large_begin(packet, packet->large, room + frames[1].size,
                             frames[0].flags);
        return net_cut_next(&packet->cut, data);
    }
    if (count == 2)
        large_begin(packet, packet->large + room, frames[1].size,
                    frames[1].flags);
    if (frames[0].flags & BASE_NET_CHECKSUM_GOOD)
        net_checksum_make(data, frames[0].size);
    return frames[0].size;
}

/* With a header: any frame, as it is, into frame_room() bytes; else the same.
 */
static size_t take_uncut(struct packet *packet, void *data, bool *lost)
{
    struct base_net_frame frame = {.data = data, .size = frame_room(packet)};
    unsigned count = core_base->net_recv(packet->device->index, &frame, 1);

    packet->asked = count == 0;
    if (count == 0)
        return 0;
    ASSERT(!(frame.flags & BASE_NET_MORE));
    if (net_offload_say(&packet->offload, data, frame.size, frame.flags,
                        packet->device->mtu))
        return frame.size;
    packet->received++;
    packet->dropped++;
    *lost = true;
    return 0;
}

/* A frame into frame_room() bytes of core's, or of the application's that
 * were looked at. Its size; 0: none, and news will come. */
static size_t take_frame(struct packet *packet, void *data)
{
    size_t size = net_cut_next(&packet->cut, data);

    for (unsigned i = 0; size == 0 && !packet->asked; i++) {
        bool lost = false;

        /* Nobody sends so many on purpose: the others run first. */
        if (i == LOST_MAX) {
            net_devices_later(0);
            return 0;
        }
        size = packet->has_header ? take_uncut(packet, data, &lost)
                                  : take_from_device(packet, data, &lost);
        ASSERT(size > 0 || lost || packet->asked);
    }
    if (size > 0)
        packet->received++;
    return size;
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
    size_t header = header_size(packet);
    size_t room = total_of(message) - header;
    size_t size = packet->held_size, part = size < room ? size : room;

    if (file_iov_copy_out(message->msg_iov, message->msg_iovlen, 0,
                          &packet->offload, header) != 0 ||
        file_iov_copy_out(message->msg_iov, message->msg_iovlen, header,
                          held_of(packet), part) != 0)
        return -EFAULT;
    if (!(flags & MSG_PEEK))
        packet->held_size = 0;
    if (part < size)
        message->msg_flags |= MSG_TRUNC;
    return (long)(header + (flags & MSG_TRUNC ? size : part));
}

/* Straight from the device into a buffer that any frame fits into. */
static long take_direct(struct packet *packet, uint8_t *to)
{
    size_t header = header_size(packet), size;

    /* Not to look at all of it for nothing. */
    if (packet->asked && packet->cut.at == packet->cut.size)
        return 0;
    if (!writable((char *)to, header + frame_room(packet)))
        return -EFAULT;
    size = take_frame(packet, to + header);
    if (size == 0)
        return 0;
    memcpy(to, &packet->offload, header);
    return (long)(header + size);
}

static void give_name(struct packet *packet, struct msghdr *message)
{
    struct sockaddr_ll from = {.sll_family = AF_PACKET,
                               .sll_hatype = ARPHRD_ETHER};

    if (message->msg_name) {
        from.sll_ifindex = interface_of(packet);
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
    size_t header = header_size(packet);
    int result;

    if (!packet->device)
        return -ENOTCONN;
    if (total_of(message) < header)
        return -EINVAL;
    for (;;) {
        bool direct = packet->held_size == 0 && message->msg_iovlen == 1 &&
                      iov->iov_len >= header + frame_room(packet) &&
                      !(flags & MSG_PEEK);
        long size;

        if (direct) {
            size = take_direct(packet, iov->iov_base);
        } else {
            if (packet->held_size == 0)
                packet->held_size = take_frame(packet, held_of(packet));
            size =
                packet->held_size == 0 ? 0 : give_held(packet, message, flags);
        }
        if (size > 0)
            give_name(packet, message);
        if (size != 0)
            return size;
        result = net_socket_wait(&packet->socket, deadline);
        if (result != 0)
            return result;
    }
}

/* -- sending -- */

/* Cuts what the device does not: it has a smaller ring than most, or is another
 * after a migration. What it has no room for is lost, as on a wire. */
static void send_in_parts(struct packet *packet,
                          const struct base_net_frame *frame)
{
    uint8_t part[LIMIT_FRAME_SIZE];
    struct base_net_frame small = {.data = part};
    struct net_cut cut;

    if (!net_cut_begin_any(&cut, frame->data, frame->size,
                           BASE_NET_CHECKSUM_GOOD, packet->device->mtu))
        return;
    ASSERT(frame->cut_size <= cut.part_size);
    cut.part_size = frame->cut_size;
    do {
        small.size = (uint32_t)net_cut_next(&cut, part);
        if (small.size > 0)
            packet->full =
                core_base->net_send(packet->device->index, &small, 1) == 0;
    } while (small.size > 0 && !packet->full);
}

/* What the device has to have for it, BASE_NET_TX_*; 0: nothing. */
static uint32_t feature_for(const struct net_offload *offload)
{
    switch (offload->gso_type) {
    case NET_OFFLOAD_TCP4:
        return BASE_NET_TX_TCP4;
    case NET_OFFLOAD_TCP6:
        return BASE_NET_TX_TCP6;
    default:
        return 0;
    }
}

/* False: the device has no room. */
static bool send_frame(struct packet *packet,
                       const struct base_net_frame *frame, uint32_t needed)
{
    struct net_device *device = packet->device;

    if (packet->full)
        return false;
    if ((device->features & needed) == needed &&
        (needed == 0 || frame->size <= device->cut_size_max)) {
        if (core_base->net_send(device->index, frame, 1) == 1)
            return true;
        if (!net_device_cuts_less(device, frame)) {
            packet->full = true;
            return false;
        }
    }
    send_in_parts(packet, frame);
    return true;
}

/* Fills in all of the frame but its data. 0 or -errno. */
static int send_check(const struct packet *packet, struct base_net_frame *frame,
                      const struct net_offload *offload)
{
    if (frame->size < ETH_HLEN)
        return -EINVAL;
    if (!packet->has_header)
        return frame->size > (uint32_t)packet->device->mtu + ETH_HLEN
                   ? -EMSGSIZE
                   : 0;
    return net_offload_obey(offload, frame, packet->device->mtu);
}

static long packet_sendmsg(struct file *file, struct msghdr *message, int flags)
{
    struct packet *packet = packet_of(file);
    uint64_t deadline = net_send_deadline(file, flags, &packet->socket);
    const struct iovec *iov = message->msg_iov;
    size_t size = total_of(message), header = header_size(packet);
    struct net_offload offload = {0};
    struct base_net_frame frame = {0};
    void *copy = NULL;
    long result = 0;

    if (!packet->device)
        return -ENXIO;
    if (size < header)
        return -EINVAL;
    if (size - header > LIMIT_FRAME_LARGE)
        return -EMSGSIZE;
    if (file_iov_copy_in(&offload, iov, message->msg_iovlen, 0, header) != 0)
        return -EFAULT;
    frame.size = (uint32_t)(size - header);
    if (message->msg_iovlen == 1) {
        frame.data = (uint8_t *)iov->iov_base + header;
        if (!net_readable(frame.data, frame.size))
            return -EFAULT;
    } else {
        frame.data = copy = net_alloc(frame.size);
        if (!copy)
            return -ENOBUFS;
        if (file_iov_copy_in(copy, iov, message->msg_iovlen, header,
                             frame.size) != 0)
            result = -EFAULT;
    }
    if (result == 0)
        result = send_check(packet, &frame, &offload);
    while (result == 0 && !send_frame(packet, &frame, feature_for(&offload)))
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

/* Only where the device does what a header may ask for. */
static int header_set(struct packet *packet, const void *value, unsigned size)
{
    const uint32_t needed = BASE_NET_TX_CHECKSUM | BASE_NET_TX_TCP4;
    int on, result = net_option_int(value, size, &on);

    if (result != 0)
        return result;
    if (!packet->device)
        return -EINVAL;
    if ((packet->device->features & needed) != needed)
        return -EOPNOTSUPP;
    /* Of what is held already nobody knows any more what it was. */
    if (packet->has_header != (on != 0)) {
        packet->held_size = 0;
        memset(&packet->cut, 0, sizeof(packet->cut));
    }
    packet->has_header = on != 0;
    return 0;
}

static int packet_setsockopt(struct file *file, int level, int name,
                             const void *value, unsigned size)
{
    if (level == SOL_PACKET && name == PACKET_VNET_HDR)
        return header_set(packet_of(file), value, size);
    if (level != SOL_SOCKET)
        return -ENOPROTOOPT;
    return net_option_set(&packet_of(file)->socket, level, name, value, size);
}

/* Counts from the last time that it was asked for, as on Linux. */
static int statistics_get(struct packet *packet, void *value, unsigned *size)
{
    const struct packet_statistics counted = {packet->received,
                                              packet->dropped};

    if (*size > sizeof(counted))
        *size = sizeof(counted);
    memcpy(value, &counted, *size);
    packet->received = packet->dropped = 0;
    return 0;
}

static int packet_getsockopt(struct file *file, int level, int name,
                             void *value, unsigned *size)
{
    if (level == SOL_PACKET && name == PACKET_STATISTICS)
        return statistics_get(packet_of(file), value, size);
    if (level == SOL_PACKET && name == PACKET_VNET_HDR)
        return net_option_put(value, size, packet_of(file)->has_header);
    if (level != SOL_SOCKET)
        return -ENOPROTOOPT;
    return net_option_get(&packet_of(file)->socket, level, name, value, size);
}

static uint32_t packet_poll(struct file *file, struct file_poller *poller)
{
    struct packet *packet = packet_of(file);
    uint32_t events = 0;

    file_poll_wait(poller, &packet->socket.wait);
    if (!packet->device)
        return POLLOUT | POLLWRNORM;
    if (packet->held_size == 0)
        packet->held_size = take_frame(packet, held_of(packet));
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

    if (packet->device)
        net_device_give_back(packet->device);
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
