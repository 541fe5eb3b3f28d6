/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP sockets: bind and connect.
 */
#include "core/net/stream.h"

static int pcb_make(struct stream *stream)
{
    struct net_socket *socket = &stream->socket;
    u8_t type = IPADDR_TYPE_V4;
    struct tcp_pcb *pcb;

    if (stream->pcb)
        return 0;
    if (socket->domain == AF_INET6)
        type = socket->v6only ? IPADDR_TYPE_V6 : IPADDR_TYPE_ANY;
    pcb = tcp_new_ip_type(type);
    if (!pcb)
        return -ENOBUFS;
    stream_attach(stream, pcb);
    stream_apply(socket);
    return 0;
}

/* Linux refuses a port that somebody listens on even if both ends said
 * SO_REUSEADDR; lwIP only notices at listen(). */
static bool listened(const ip_addr_t *ip, uint16_t port)
{
    for (struct tcp_pcb_listen *pcb = tcp_listen_pcbs.listen_pcbs; pcb;
         pcb = pcb->next) {
        if (pcb->local_port != port)
            continue;
        if (IP_IS_ANY_TYPE_VAL(pcb->local_ip) || IP_IS_ANY_TYPE_VAL(*ip))
            return true;
        if (IP_GET_TYPE(&pcb->local_ip) == IP_GET_TYPE(ip) &&
            (ip_addr_isany(&pcb->local_ip) || ip_addr_isany(ip) ||
             ip_addr_cmp(&pcb->local_ip, ip)))
            return true;
    }
    return false;
}

#define PORT_TRIES 128

int stream_bind_to(struct stream *stream, const ip_addr_t *ip, uint16_t port)
{
    int result = pcb_make(stream);
    err_t error = ERR_USE;

    if (result != 0)
        return result;
    if (port != 0) {
        if (!listened(ip, port))
            error = tcp_bind(stream->pcb, ip, port);
    } else {
        for (unsigned i = 0; i < PORT_TRIES && error == ERR_USE; i++) {
            port = net_port_random();
            if (!listened(ip, port))
                error = tcp_bind(stream->pcb, ip, port);
        }
    }
    if (error == ERR_OK)
        stream->state = STREAM_BOUND;
    return net_errno(error);
}

/* :: of a socket that takes both is "any type" to lwIP. */
void stream_widen_any(const struct stream *stream, ip_addr_t *ip)
{
    if (stream->socket.domain == AF_INET6 && !stream->socket.v6only &&
        IP_IS_V6_VAL(*ip) && ip6_addr_isany(ip_2_ip6(ip)))
        IP_SET_TYPE(ip, IPADDR_TYPE_ANY);
}

int stream_bind(struct file *file, const void *address, unsigned size)
{
    struct stream *stream = stream_of(file);
    uint16_t port;
    ip_addr_t ip;
    int result = net_address_in(&stream->socket, address, size, &ip, &port);

    if (result != 0)
        return result;
    if (stream->state != STREAM_NEW)
        return -EINVAL;
    if (!net_address_ours(&ip, false))
        return -EADDRNOTAVAIL;
    stream_widen_any(stream, &ip);
    net_enter();
    return stream_bind_to(stream, &ip, port);
}

/* Waits for a connection under way. */
static int connect_wait(struct file *file)
{
    struct stream *stream = stream_of(file);
    uint64_t deadline = net_send_deadline(file, 0, &stream->socket);
    int result;

    while (stream->state == STREAM_CONNECTING) {
        if (deadline == 0)
            return -EINPROGRESS;
        result = net_socket_wait(&stream->socket, deadline);
        if (result == -EAGAIN)
            return -EINPROGRESS;
        if (result != 0)
            return result;
    }
    result = net_socket_error(&stream->socket);
    if (result != 0)
        return result;
    if (stream->state != STREAM_CONNECTED)
        return -ECONNABORTED;
    stream->told = true;
    return 0;
}

/* connect() to AF_UNSPEC undoes bind and connect. */
static int disconnect(struct stream *stream)
{
    if (stream->pcb)
        tcp_abort(stream_detach(stream));
    stream_discard(stream);
    stream->state = STREAM_NEW;
    stream->fin_received = false;
    stream->socket.shut_read = stream->socket.shut_write = false;
    return 0;
}

static int connect_start(struct stream *stream, const ip_addr_t *ip,
                         uint16_t port)
{
    ip_addr_t any;
    err_t error;
    int result;

    if (stream->state == STREAM_NEW) {
        /* A port of our choice: lwIP would count up. */
        ip_addr_set_any(IP_IS_V6(ip), &any);
        result = stream_bind_to(stream, &any, 0);
        if (result != 0)
            return result == -EADDRINUSE ? -EADDRNOTAVAIL : result;
    }
    stream->fin_received = false;
    stream->told = false;
    stream->state = STREAM_CONNECTING;
    error = tcp_connect(stream->pcb, ip, port, stream_on_connected);
    if (error != ERR_OK) {
        stream->state = STREAM_BOUND;
        return error == ERR_USE ? -EADDRNOTAVAIL : net_errno(error);
    }
    stream->pcb->poll = stream_on_poll;
    stream->pcb->pollinterval = 1;
    return 0;
}

int stream_connect(struct file *file, const void *address, unsigned size)
{
    struct stream *stream = stream_of(file);
    sa_family_t family;
    uint16_t port;
    ip_addr_t ip;
    int result;

    if (size < sizeof(family))
        return -EINVAL;
    memcpy(&family, address, sizeof(family));
    net_enter();
    if (family == AF_UNSPEC) {
        result = disconnect(stream);
        net_leave();
        return result;
    }
    result = net_address_in(&stream->socket, address, size, &ip, &port);
    if (result != 0)
        return result;
    switch (stream->state) {
    case STREAM_CONNECTING:
        result = connect_wait(file);
        return result == -EINPROGRESS ? -EALREADY : result;
    case STREAM_CONNECTED:
    case STREAM_LISTENING:
        if (stream->state == STREAM_CONNECTED && !stream->told) {
            stream->told = true;
            return 0;
        }
        return -EISCONN;
    default:
        break;
    }
    /* An attempt that failed and was not asked about yet. */
    result = net_socket_error(&stream->socket);
    if (result != 0)
        return result;
    result = net_wait_address(&ip);
    if (result != 0)
        return result;
    if (ip_addr_isany(&ip)) /* Linux: this machine */
        ip_addr_set_loopback(IP_IS_V6(&ip), &ip);
    if (ip_addr_ismulticast(&ip))
        return -ENETUNREACH;
    result = connect_start(stream, &ip, port);
    if (result != 0)
        return result;
    /* As Linux, where the answer, too, comes after the call. */
    bool wait = net_send_deadline(file, 0, &stream->socket) != 0;
    net_leave();
    return wait ? connect_wait(file) : -EINPROGRESS;
}

/* An ICMP "unreachable" for a SYN of ours. Once connected, TCP goes on
 * trying, as RFC 1122 section 4.2.3.9 says. */
void net_stream_unreachable(const ip_addr_t *local, uint16_t local_port,
                            const ip_addr_t *remote, uint16_t remote_port,
                            int error)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        struct stream *stream = pcb->callback_arg;

        if (pcb->state != SYN_SENT || !stream ||
            pcb->local_port != local_port || pcb->remote_port != remote_port ||
            !ip_addr_cmp(&pcb->local_ip, local) ||
            !ip_addr_cmp(&pcb->remote_ip, remote))
            continue;
        stream->socket.error = error;
        tcp_abandon(pcb, 0);
        return;
    }
}
