/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP sockets; their options are in datagram_options.c.
 *
 * A received datagram waits in lwIP's buffers with a record of where it came
 * from, bounded by SO_RCVBUF in bytes of buffer, not of payload. One that is
 * too many is dropped, as UDP allows.
 */
#include <limits.h>
#include <sys/ioctl.h>

#include "core/net/control.h"
#include "core/net/datagram.h"
#include "core/time/time.h"

#include "lwip/ip.h"
#include "lwip/udp.h"

#define PAYLOAD_MAX   65507 /* 65535, less the headers of IPv4 and UDP */
#define LIMIT_DEFAULT 212992
#define PORT_TRIES    128

struct packet {
    struct packet *next;
    struct pbuf *p;
    ip_addr_t from, to;
    uint16_t port;
    uint8_t interface, ttl, tos;
    uint32_t cost;
    uint64_t wall_ns;
};

static const struct file_ops datagram_ops;
static unsigned datagram_count;

/* -- receiving, from lwIP's side -- */

static void header_fields(struct packet *packet)
{
    if (IP_IS_V6(ip_current_dest_addr())) {
        const struct ip6_hdr *header = ip6_current_header();

        packet->ttl = IP6H_HOPLIM(header);
        packet->tos = IP6H_TC(header);
    } else {
        const struct ip_hdr *header = ip4_current_header();

        packet->ttl = IPH_TTL(header);
        packet->tos = IPH_TOS(header);
    }
}

static void on_received(void *arg, struct udp_pcb *pcb, struct pbuf *p,
                        const ip_addr_t *from, u16_t port)
{
    struct datagram *datagram = arg;
    uint32_t cost = sizeof(struct packet);
    struct packet *packet;

    for (struct pbuf *q = p; q; q = q->next)
        cost += q->len > 1024 ? 2048u : 256u + q->len;
    packet = NULL;
    if (!datagram->socket.shut_read &&
        (!datagram->first ||
         datagram->cost + cost <= datagram->socket.receive_limit) &&
        !net_memory_tight())
        packet = net_alloc(sizeof(*packet));
    if (!packet) {
        pbuf_free(p);
        return;
    }
    packet->next = NULL;
    packet->p = p;
    ip_addr_copy(packet->from, *from);
    ip_addr_copy(packet->to, *ip_current_dest_addr());
    packet->port = port;
    packet->interface = netif_get_index(ip_current_input_netif());
    packet->cost = cost;
    packet->wall_ns = datagram->socket.timestamp ? time_wall_ns() : 0;
    header_fields(packet);
    datagram->cost += cost;
    if (datagram->first)
        datagram->last->next = packet;
    else
        datagram->first = packet;
    datagram->last = packet;
    wait_wake(&datagram->socket.wait, POLLIN | POLLRDNORM, UINT_MAX);
}

static void drop_first(struct datagram *datagram)
{
    struct packet *packet = datagram->first;

    datagram->first = packet->next;
    datagram->cost -= packet->cost;
    pbuf_free(packet->p);
    net_free(packet);
}

/* -- life -- */

static void datagram_apply(struct net_socket *socket)
{
    struct datagram *datagram = container_of(socket, struct datagram, socket);
    struct udp_pcb *pcb = datagram->pcb;

    /* SO_REUSEPORT too: lwIP then gives unicast to the newest socket. */
    if (socket->reuse_address || socket->reuse_port)
        ip_set_option(pcb, SOF_REUSEADDR);
    else
        ip_reset_option(pcb, SOF_REUSEADDR);
    if (socket->broadcast)
        ip_set_option(pcb, SOF_BROADCAST);
    else
        ip_reset_option(pcb, SOF_BROADCAST);
    pcb->tos = socket->domain == AF_INET6 && socket->traffic_class
                   ? socket->traffic_class
                   : socket->tos;
    pcb->ttl = UDP_TTL;
    if (socket->ttl > 0)
        pcb->ttl = (u8_t)socket->ttl;
    else if (socket->hop_limit >= 0)
        pcb->ttl = (u8_t)socket->hop_limit;
    pcb->netif_idx = (u8_t)socket->device;
    if (socket->domain == AF_INET6 && pcb->local_port == 0)
        IP_SET_TYPE_VAL(pcb->local_ip,
                        socket->v6only ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY);
}

int net_datagram_create(int domain, int protocol, int flags, struct file **out)
{
    struct datagram *datagram;

    if (datagram_count >= LIMIT_SOCKETS)
        return -ENOBUFS;
    datagram = net_alloc(sizeof(*datagram));
    if (!datagram)
        return -ENOBUFS;
    memset(datagram, 0, sizeof(*datagram));
    net_socket_init(&datagram->socket, domain, SOCK_DGRAM, protocol,
                    LIMIT_DEFAULT, LIMIT_DEFAULT);
    datagram->socket.apply = datagram_apply;
    datagram->pcb =
        udp_new_ip_type(domain == AF_INET6 ? IPADDR_TYPE_ANY : IPADDR_TYPE_V4);
    if (!datagram->pcb) {
        net_free(datagram);
        return -ENOBUFS;
    }
    *out = file_new(&datagram_ops, O_RDWR | flags, datagram);
    if (!*out) {
        udp_remove(datagram->pcb);
        net_free(datagram);
        return file_new_error();
    }
    datagram_count++;
    udp_recv(datagram->pcb, on_received, datagram);
    /* Multicast comes back to this machine unless switched off. */
    udp_set_flags(datagram->pcb, UDP_FLAGS_MULTICAST_LOOP);
    udp_set_multicast_ttl(datagram->pcb, 1);
    return 0;
}

static void datagram_release(struct file *file)
{
    struct datagram *datagram = datagram_of(file);

    net_enter();
    datagram_leave_groups(datagram);
    udp_remove(datagram->pcb);
    while (datagram->first)
        drop_first(datagram);
    net_free(datagram);
    if (--datagram_count == 0)
        net_memory_trim();
    net_leave();
}

/* -- bind and connect -- */

static int bind_to(struct datagram *datagram, const ip_addr_t *ip,
                   uint16_t port)
{
    err_t error = ERR_USE;

    if (port != 0)
        return net_errno(udp_bind(datagram->pcb, ip, port));
    for (unsigned i = 0; i < PORT_TRIES && error == ERR_USE; i++)
        error = udp_bind(datagram->pcb, ip, net_port_random());
    return net_errno(error);
}

/* A port of its own, before the first datagram leaves. */
static int bind_somewhere(struct datagram *datagram)
{
    ip_addr_t any;

    if (datagram->pcb->local_port != 0)
        return 0;
    ip_addr_copy(any, datagram->pcb->local_ip);
    return bind_to(datagram, &any, 0);
}

static int datagram_bind(struct file *file, const void *address, unsigned size)
{
    struct datagram *datagram = datagram_of(file);
    uint16_t port;
    ip_addr_t ip;
    int result = net_address_in(&datagram->socket, address, size, &ip, &port);

    if (result != 0)
        return result;
    if (datagram->pcb->local_port != 0)
        return -EINVAL;
    if (!net_address_ours(&ip, true) &&
        !(IP_IS_V4(&ip) && ip_2_ip4(&ip)->addr == IPADDR_BROADCAST))
        return -EADDRNOTAVAIL;
    if (datagram->socket.domain == AF_INET6 && !datagram->socket.v6only &&
        IP_IS_V6_VAL(ip) && ip6_addr_isany(ip_2_ip6(&ip)))
        IP_SET_TYPE(&ip, IPADDR_TYPE_ANY);
    return bind_to(datagram, &ip, port);
}

static void disconnect(struct datagram *datagram)
{
    udp_disconnect(datagram->pcb);
}

static int datagram_connect(struct file *file, const void *address,
                            unsigned size)
{
    struct datagram *datagram = datagram_of(file);
    sa_family_t family;
    uint16_t port;
    ip_addr_t ip, source;
    int result;

    if (size < sizeof(family))
        return -EINVAL;
    memcpy(&family, address, sizeof(family));
    if (family == AF_UNSPEC) {
        disconnect(datagram);
        return 0;
    }
    result = net_address_in(&datagram->socket, address, size, &ip, &port);
    if (result != 0)
        return result;
    result = net_wait_address(&ip);
    if (result != 0)
        return result;
    if (ip_addr_isany(&ip))
        ip_addr_set_loopback(IP_IS_V6(&ip), &ip);
    net_address_source(&ip, &source);
    if (ip_addr_isany(&source))
        return -ENETUNREACH;
    result = bind_somewhere(datagram);
    if (result != 0)
        return result;
    return net_errno(udp_connect(datagram->pcb, &ip, port));
}

static bool connected(const struct datagram *datagram)
{
    return datagram->pcb->flags & UDP_FLAGS_CONNECTED;
}

static int datagram_getsockname(struct file *file, void *address)
{
    struct datagram *datagram = datagram_of(file);
    ip_addr_t ip;

    ip_addr_copy(ip, datagram->pcb->local_ip);
    /* Connected, Linux names the address that will be the source: musl's
     * getaddrinfo sorts by that. */
    if (connected(datagram) && ip_addr_isany(&ip))
        net_address_source(&datagram->pcb->remote_ip, &ip);
    return net_address_out(datagram->socket.domain, &ip,
                           datagram->pcb->local_port, address);
}

static int datagram_getpeername(struct file *file, void *address)
{
    struct datagram *datagram = datagram_of(file);

    if (!connected(datagram))
        return -ENOTCONN;
    return net_address_out(datagram->socket.domain, &datagram->pcb->remote_ip,
                           datagram->pcb->remote_port, address);
}

static int datagram_shutdown(struct file *file, int how)
{
    struct datagram *datagram = datagram_of(file);

    if (!connected(datagram))
        return -ENOTCONN;
    if (how != SHUT_WR)
        datagram->socket.shut_read = true;
    if (how != SHUT_RD)
        datagram->socket.shut_write = true;
    wait_wake(&datagram->socket.wait, POLLIN | POLLOUT | POLLHUP | POLLRDHUP,
              UINT_MAX);
    return 0;
}

/* -- sending -- */

struct destination {
    ip_addr_t ip, source;
    uint16_t port;
    bool has_source;
    uint8_t interface;
};

/* IP_PKTINFO and IPV6_PKTINFO choose source and interface. */
static int destination_control(const struct msghdr *message,
                               struct destination *to)
{
    struct in6_pktinfo info6;
    struct in_pktinfo info;
    struct cmsghdr header;
    size_t offset = 0;
    const void *data;
    bool bad = false;

    while (control_next(message, &offset, &header, &data, &bad)) {
        if (header.cmsg_level == IPPROTO_IP && header.cmsg_type == IP_PKTINFO) {
            if (header.cmsg_len < CMSG_LEN(sizeof(info)))
                return -EINVAL;
            memcpy(&info, data, sizeof(info));
            to->interface = (uint8_t)info.ipi_ifindex;
            ip_addr_set_ip4_u32(&to->source, info.ipi_spec_dst.s_addr);
            to->has_source = info.ipi_spec_dst.s_addr != 0;
        } else if (header.cmsg_level == IPPROTO_IPV6 &&
                   header.cmsg_type == IPV6_PKTINFO) {
            if (header.cmsg_len < CMSG_LEN(sizeof(info6)))
                return -EINVAL;
            memcpy(&info6, data, sizeof(info6));
            to->interface = (uint8_t)info6.ipi6_ifindex;
            IP_SET_TYPE(&to->source, IPADDR_TYPE_V6);
            memcpy(ip_2_ip6(&to->source)->addr, &info6.ipi6_addr, 16);
            ip6_addr_clear_zone(ip_2_ip6(&to->source));
            to->has_source = !ip6_addr_isany(ip_2_ip6(&to->source));
        }
    }
    return bad ? -EINVAL : 0;
}

static int destination_find(struct datagram *datagram,
                            const struct msghdr *message,
                            struct destination *to)
{
    int result;

    memset(to, 0, sizeof(*to));
    if (message->msg_name && message->msg_namelen) {
        result = net_address_in(&datagram->socket, message->msg_name,
                                message->msg_namelen, &to->ip, &to->port);
        if (result != 0)
            return result;
        if (to->port == 0)
            return -EINVAL;
    } else if (connected(datagram)) {
        ip_addr_copy(to->ip, datagram->pcb->remote_ip);
        to->port = datagram->pcb->remote_port;
    } else {
        return -EDESTADDRREQ;
    }
    if (datagram->socket.v6only && !IP_IS_V6(&to->ip))
        return -ENETUNREACH;
    if (ip_addr_isany(&to->ip))
        ip_addr_set_loopback(IP_IS_V6(&to->ip), &to->ip);
    return destination_control(message, to);
}

static int send_pbuf(struct datagram *datagram, struct pbuf *p,
                     struct destination *to)
{
    struct udp_pcb *pcb = datagram->pcb;
    struct netif *netif;
    err_t error;

    if (IP_IS_V4(&to->ip) && !datagram->socket.broadcast) {
        netif = ip_route(IP4_ADDR_ANY, &to->ip);
        if (netif && ip4_addr_isbroadcast(ip_2_ip4(&to->ip), netif))
            return -EACCES;
    }
    if (to->interface || to->has_source) {
        netif = to->interface ? net_interface_by_index(to->interface)
                              : ip_route(&to->source, &to->ip);
        if (!netif)
            return to->interface ? -ENODEV : -ENETUNREACH;
        if (!to->has_source) {
            const ip_addr_t *source = ip_netif_get_local_ip(netif, &to->ip);

            if (!source)
                return -ENETUNREACH;
            ip_addr_copy(to->source, *source);
        }
        error =
            udp_sendto_if_src(pcb, p, &to->ip, to->port, netif, &to->source);
    } else {
        error = udp_sendto(pcb, p, &to->ip, to->port);
    }
    return net_errno(error);
}

static long datagram_send(struct file *file, struct msghdr *message, int flags)
{
    struct datagram *datagram = datagram_of(file);
    struct destination to;
    size_t size = 0;
    struct pbuf *p;
    int result;

    for (int i = 0; i < message->msg_iovlen; i++)
        size += message->msg_iov[i].iov_len;
    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (size > PAYLOAD_MAX)
        return -EMSGSIZE;
    result = net_socket_error(&datagram->socket);
    if (result != 0)
        return result;
    if (datagram->socket.shut_write)
        return net_broken_pipe(flags);
    result = destination_find(datagram, message, &to);
    if (result == 0)
        result = net_wait_address(&to.ip);
    if (result == 0)
        result = bind_somewhere(datagram);
    if (result != 0)
        return result;
    p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)size, PBUF_RAM);
    if (!p)
        return (file->flags & O_NONBLOCK) || (flags & MSG_DONTWAIT) ? -EAGAIN
                                                                    : -ENOBUFS;
    result = file_iov_copy_in(p->payload, message->msg_iov, message->msg_iovlen,
                              0, size);
    if (result == 0) {
        net_enter();
        result = send_pbuf(datagram, p, &to);
        net_leave();
    }
    pbuf_free(p);
    return result == 0 ? (long)size : result;
}

/* -- receiving -- */

static void put_info(struct datagram *datagram, struct control_out *out,
                     const struct packet *packet)
{
    if (datagram->packet_info && IP_IS_V4(&packet->to)) {
        struct in_pktinfo info = {0};

        info.ipi_ifindex = packet->interface;
        info.ipi_addr.s_addr = ip_2_ip4(&packet->to)->addr;
        info.ipi_spec_dst.s_addr = ip_2_ip4(&packet->to)->addr;
        control_put(out, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    }
    if (datagram->packet_info6 && datagram->socket.domain == AF_INET6) {
        struct sockaddr_in6 in6;
        struct in6_pktinfo info = {0};

        net_address_out(AF_INET6, &packet->to, 0, &in6);
        info.ipi6_addr = in6.sin6_addr;
        info.ipi6_ifindex = packet->interface;
        control_put(out, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    }
}

static void put_control(struct datagram *datagram, struct msghdr *message,
                        const struct packet *packet)
{
    bool v6 = IP_IS_V6(&packet->to);
    struct control_out out;
    int ttl = packet->ttl, tos = packet->tos;

    control_start(&out, message);
    if (packet->wall_ns) {
        struct timeval tv;

        tv.tv_sec = (time_t)(packet->wall_ns / TIME_SECOND);
        tv.tv_usec = (suseconds_t)(packet->wall_ns % TIME_SECOND / 1000);
        control_put(&out, SOL_SOCKET, SO_TIMESTAMP, &tv, sizeof(tv));
    }
    put_info(datagram, &out, packet);
    if (datagram->want_ttl && !v6)
        control_put(&out, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
    if (datagram->want_tos && !v6)
        control_put(&out, IPPROTO_IP, IP_TOS, &packet->tos, 1);
    if (datagram->want_hops && v6)
        control_put(&out, IPPROTO_IPV6, IPV6_HOPLIMIT, &ttl, sizeof(ttl));
    if (datagram->want_class && v6)
        control_put(&out, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
}

/* Copies a packet to the application; its bytes, or -EFAULT. */
static long packet_out(const struct packet *packet, struct msghdr *message,
                       size_t room)
{
    size_t done = 0;

    for (struct pbuf *p = packet->p; p && done < room; p = p->next) {
        size_t part = p->len < room - done ? p->len : room - done;

        if (file_iov_copy_out(message->msg_iov, message->msg_iovlen, done,
                              p->payload, part) != 0)
            return -EFAULT;
        done += part;
    }
    return (long)done;
}

static long datagram_receive(struct file *file, struct msghdr *message,
                             int flags)
{
    struct datagram *datagram = datagram_of(file);
    uint64_t deadline = net_receive_deadline(file, flags, &datagram->socket);
    struct packet *packet;
    size_t room = 0;
    long result;

    if (flags & MSG_ERRQUEUE)
        return -EAGAIN;
    if (flags & MSG_OOB)
        return -EINVAL;
    for (int i = 0; i < message->msg_iovlen; i++)
        room += message->msg_iov[i].iov_len;
    for (;;) {
        result = net_socket_error(&datagram->socket);
        if (result != 0)
            return result;
        if (datagram->first)
            break;
        if (datagram->socket.shut_read) {
            message->msg_namelen = 0;
            message->msg_controllen = 0;
            return 0;
        }
        result = net_socket_wait(&datagram->socket, deadline);
        if (result != 0)
            return result;
    }
    packet = datagram->first;
    message->msg_flags = 0;
    result = packet_out(packet, message, room);
    if (result < 0)
        return result;
    if (message->msg_name)
        message->msg_namelen =
            (socklen_t)net_address_out(datagram->socket.domain, &packet->from,
                                       packet->port, message->msg_name);
    put_control(datagram, message, packet);
    if (packet->p->tot_len > room) {
        message->msg_flags |= MSG_TRUNC;
        if (flags & MSG_TRUNC)
            result = packet->p->tot_len;
    }
    if (!(flags & MSG_PEEK))
        drop_first(datagram);
    return result;
}

static long datagram_readv(struct file *file, const struct iovec *iov,
                           int count, off_t *offset)
{
    struct msghdr message = {0};

    message.msg_iov = (struct iovec *)(uintptr_t)iov;
    message.msg_iovlen = count;
    return datagram_receive(file, &message, 0);
}

static long datagram_writev(struct file *file, const struct iovec *iov,
                            int count, off_t *offset)
{
    struct msghdr message = {0};

    message.msg_iov = (struct iovec *)(uintptr_t)iov;
    message.msg_iovlen = count;
    return datagram_send(file, &message, 0);
}

static uint32_t datagram_poll(struct file *file, struct file_poller *poller)
{
    struct datagram *datagram = datagram_of(file);
    struct net_socket *socket = &datagram->socket;
    uint32_t events = POLLOUT | POLLWRNORM;

    file_poll_wait(poller, &socket->wait);
    if (socket->error)
        events |= POLLERR;
    if (socket->shut_read && socket->shut_write)
        events |= POLLHUP;
    if (socket->shut_read)
        events |= POLLRDHUP | POLLIN | POLLRDNORM;
    if (datagram->first)
        events |= POLLIN | POLLRDNORM;
    return events;
}

static long datagram_ioctl(struct file *file, unsigned long request,
                           long argument)
{
    struct datagram *datagram = datagram_of(file);
    int value;

    if (request == FIONREAD)
        value = datagram->first ? datagram->first->p->tot_len : 0;
    else if (request == TIOCOUTQ)
        value = 0;
    else
        return net_interface_ioctl(request, argument);
    return core_copy_out((void *)argument, &value, sizeof(value));
}

/* -- errors from afar -- */

void net_datagram_unreachable(const ip_addr_t *local, uint16_t local_port,
                              const ip_addr_t *remote, uint16_t remote_port,
                              int error)
{
    for (struct udp_pcb *pcb = udp_pcbs; pcb; pcb = pcb->next) {
        struct datagram *datagram = pcb->recv_arg;

        if (pcb->recv != on_received || pcb->local_port != local_port)
            continue;
        /* Linux tells a socket that is not connected only if it asked. */
        if (pcb->flags & UDP_FLAGS_CONNECTED) {
            if (pcb->remote_port != remote_port ||
                !ip_addr_cmp(&pcb->remote_ip, remote))
                continue;
        } else if (!datagram->socket.receive_errors) {
            continue;
        }
        datagram->socket.error = error;
        wait_wake(&datagram->socket.wait, POLLERR | POLLIN | POLLOUT, UINT_MAX);
    }
}

static const struct socket_ops datagram_socket_ops = {
    .bind = datagram_bind,
    .connect = datagram_connect,
    .getsockname = datagram_getsockname,
    .getpeername = datagram_getpeername,
    .shutdown = datagram_shutdown,
    .setsockopt = datagram_setsockopt,
    .getsockopt = datagram_getsockopt,
    .sendmsg = datagram_send,
    .recvmsg = datagram_receive,
};

static const struct file_ops datagram_ops = {
    .name = "socket:[udp]",
    .readv = datagram_readv,
    .writev = datagram_writev,
    .poll = datagram_poll,
    .ioctl = datagram_ioctl,
    .stat = net_socket_stat,
    .socket = &datagram_socket_ops,
    .release = datagram_release,
};
