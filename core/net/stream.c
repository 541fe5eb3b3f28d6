/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP sockets: from socket() to close, and lwIP's callbacks.
 *
 * bind and connect are in stream_connect.c, data in stream_io.c. Half-open
 * connections are counted by each listener and bounded (net_half_open_max): one
 * more puts the oldest out, silently, so that a flood of SYNs costs an honest
 * client nothing as long as it answers within the time that net_half_open_max
 * SYNs take. When the accept queue is full further SYNs are ignored, as Linux
 * does.
 */
#include <limits.h>

#include "core/net/stream.h"
#include "core/time/time.h"

static const struct file_ops stream_ops;
static const struct tcp_ext_arg_callbacks extension;
#define EXTENSION 0 /* the only one: LWIP_TCP_PCB_NUM_EXT_ARGS is 1 */

/* The first wait for an answer, in lwIP's ticks: RFC 6298 says one second,
 * lwIP three. */
#define RTO_FIRST (1000 / TCP_SLOW_INTERVAL)

static unsigned stream_count; /* sockets with a file or waiting for one */

static struct stream *stream_new(int domain)
{
    struct stream *stream;

    if (stream_count >= LIMIT_SOCKETS)
        return NULL;
    stream = net_alloc(sizeof(*stream));
    if (!stream)
        return NULL;
    memset(stream, 0, sizeof(*stream));
    stream_count++;
    net_socket_init(&stream->socket, domain, SOCK_STREAM, IPPROTO_TCP,
                    net_tcp_window, net_tcp_window);
    stream->socket.apply = stream_apply;
    list_init(&stream->node);
    list_init(&stream->half_open);
    list_init(&stream->queue);
    stream->keep_idle_ms = TCP_KEEPIDLE_DEFAULT;
    stream->keep_interval_ms = TCP_KEEPINTVL_DEFAULT;
    stream->keep_count = TCP_KEEPCNT_DEFAULT;
    return stream;
}

static void stream_free(struct stream *stream)
{
    ASSERT(!stream->pcb && list_empty(&stream->node));
    stream_discard(stream);
    stream_count--;
    net_free(stream);
    if (stream_count == 0)
        net_memory_trim();
}

void stream_note_ends(struct stream *stream)
{
    struct tcp_pcb *pcb = stream->pcb;

    if (!pcb)
        return;
    ip_addr_copy(stream->local, pcb->local_ip);
    stream->local_port = pcb->local_port;
    if (stream->state == STREAM_LISTENING)
        return;
    ip_addr_copy(stream->remote, pcb->remote_ip);
    stream->remote_port = pcb->remote_port;
}

/* The stream and its pcb part: no callback comes any more. */
struct tcp_pcb *stream_detach(struct stream *stream)
{
    struct tcp_pcb *pcb = stream->pcb;

    stream_note_ends(stream);
    stream->pcb = NULL;
    pcb->ext_args[EXTENSION].callbacks = NULL;
    pcb->ext_args[EXTENSION].data = NULL;
    pcb->callback_arg = NULL;
    if (pcb->state != LISTEN) {
        pcb->recv = NULL;
        pcb->sent = NULL;
        pcb->errf = NULL;
        pcb->connected = NULL;
        pcb->poll = NULL;
    }
    return pcb;
}

/* -- lwIP's callbacks -- */

static void leave_listener(struct stream *stream)
{
    if (!stream->listener)
        return;
    if (stream->state == STREAM_HALF_OPEN)
        stream->listener->half_open_count--;
    else
        stream->listener->queue_count--;
    list_remove(&stream->node);
    stream->listener = NULL;
}

static void on_destroyed(u8_t id, void *data)
{
    struct stream *stream = data;

    stream_note_ends(stream);
    stream->pcb = NULL;
}

static void on_error(void *arg, err_t error)
{
    struct stream *stream = arg;

    if (stream->pcb)
        stream_detach(stream); /* lwIP frees it after this */
    if (stream->state == STREAM_HALF_OPEN) {
        leave_listener(stream);
        stream_free(stream);
        return;
    }
    if (stream->state == STREAM_CONNECTING) {
        if (!stream->socket.error)
            stream->socket.error = error == ERR_RST ? ECONNREFUSED : ETIMEDOUT;
        stream->state = STREAM_NEW;
    } else if (error != ERR_CLSD) {
        if (!stream->socket.error)
            stream->socket.error = error == ERR_RST ? ECONNRESET : ETIMEDOUT;
        stream->socket.shut_write = true;
    }
    stream->fin_received = true;
    wait_wake(&stream->socket.wait,
              POLLIN | POLLRDNORM | POLLRDHUP | POLLOUT | POLLWRNORM | POLLERR |
                  POLLHUP,
              UINT_MAX);
}

static void announce(struct stream *listener)
{
    wait_wake(&listener->socket.wait, POLLIN | POLLRDNORM, 1);
}

/* Data or the peer's FIN. TCP_DEFER_ACCEPT waits for the first of them. */
static void announce_data(struct stream *stream)
{
    if (stream->state != STREAM_QUEUED) {
        wait_wake(&stream->socket.wait,
                  stream->fin_received ? POLLIN | POLLRDNORM | POLLRDHUP
                                       : POLLIN | POLLRDNORM,
                  UINT_MAX);
    } else if (stream->listener->defer_accept && !stream->told) {
        stream->told = true;
        announce(stream->listener);
    }
}

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p,
                         err_t error)
{
    struct stream *stream = arg;
    bool joined; /* more than a segment of the peer's at once */

    if (!p) {
        stream->fin_received = true;
        announce_data(stream);
        return ERR_OK;
    }
    if (stream->socket.shut_read) {
        tcp_recved(pcb, p->tot_len);
        pbuf_free(p);
        return ERR_OK;
    }
    /* Refused data stays with lwIP, one segment of it, and is offered again;
     * what comes after it is dropped and sent again by the peer. */
    if (stream->first && net_memory_tight())
        return ERR_MEM;
    joined = p->tot_len > pcb->mss;
    stream->bytes += p->tot_len;
    stream->uncredited += p->tot_len;
    if (stream->first)
        stream->last->next = p;
    else
        stream->first = p;
    while (p->next)
        p = p->next;
    stream->last = p;
    /* Every second segment has to be acknowledged at once (RFC 1122,
     * 4.2.3.2), and lwIP counts what the device has joined as one. */
    if (stream->quick_ack || joined)
        tcp_ack_now(pcb);
    if (stream->bytes >= stream->socket.receive_low ||
        stream->state == STREAM_QUEUED)
        announce_data(stream);
    return ERR_OK;
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t size)
{
    struct stream *stream = arg;

    if (stream->user_timeout_ms)
        stream->progress_ns = time_now_ns();
    stream->refused = false;
    if (stream->starved && stream_writable(stream)) {
        stream->starved = false;
        wait_wake(&stream->socket.wait, POLLOUT | POLLWRNORM, UINT_MAX);
    }
    return ERR_OK;
}

err_t stream_on_connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
    struct stream *stream = arg;

    stream->state = STREAM_CONNECTED;
    stream_apply(&stream->socket);
    wait_wake(&stream->socket.wait, POLLOUT | POLLWRNORM, UINT_MAX);
    return ERR_OK;
}

/* Every slow tick while connecting, or while TCP_USER_TIMEOUT is set. */
err_t stream_on_poll(void *arg, struct tcp_pcb *pcb)
{
    struct stream *stream = arg;

    /* lwIP sends SYNs at one pace; we wait twice as long each time. */
    if (pcb->state == SYN_SENT)
        pcb->rto = (s16_t)(RTO_FIRST << pcb->nrtx);
    if (!stream || !stream->user_timeout_ms)
        return ERR_OK;
    if (!pcb->unacked && !pcb->unsent) {
        stream->progress_ns = time_now_ns();
        return ERR_OK;
    }
    if (time_now_ns() - stream->progress_ns <
        stream->user_timeout_ms * 1000000ull)
        return ERR_OK;
    tcp_abort(pcb);
    return ERR_ABRT;
}

void stream_attach(struct stream *stream, struct tcp_pcb *pcb)
{
    stream->pcb = pcb;
    pcb->callback_arg = stream;
    pcb->ext_args[EXTENSION].callbacks = &extension;
    pcb->ext_args[EXTENSION].data = stream;
    pcb->recv = on_received;
    pcb->sent = on_sent;
    pcb->errf = on_error;
    pcb->rto = pcb->sv = RTO_FIRST;
}

/* A SYN has come: lwIP made a pcb and is about to answer. */
static err_t on_half_open(u8_t id, struct tcp_pcb_listen *lpcb,
                          struct tcp_pcb *pcb)
{
    struct stream *listener = lpcb->ext_args[EXTENSION].data;
    struct stream *stream;

    pcb->ext_args[EXTENSION].callbacks = NULL;
    pcb->ext_args[EXTENSION].data = NULL;
    if (listener->queue_count > listener->backlog || net_memory_tight())
        return ERR_MEM;
    if (listener->half_open_count >= net_half_open_max) {
        struct stream *oldest =
            container_of(listener->half_open.next, struct stream, node);

        tcp_abandon(oldest->pcb, 0); /* frees it, through on_error */
    }
    stream = stream_new(listener->socket.domain);
    if (!stream)
        return ERR_MEM;
    stream_attach(stream, pcb);
    stream->state = STREAM_HALF_OPEN;
    stream->listener = listener;
    listener->half_open_count++;
    list_append(&listener->half_open, &stream->node);
    return ERR_OK;
}

/* The options that Linux lets an accepted socket have from its listener. */
static void inherit(struct stream *stream, const struct stream *listener)
{
    struct net_socket *to = &stream->socket;
    const struct net_socket *from = &listener->socket;

    to->receive_limit = from->receive_limit;
    to->receive_reported = from->receive_reported;
    to->send_limit = from->send_limit;
    to->send_reported = from->send_reported;
    to->receive_timeout_ns = from->receive_timeout_ns;
    to->send_timeout_ns = from->send_timeout_ns;
    to->receive_low = from->receive_low;
    to->linger = from->linger;
    to->keepalive = from->keepalive;
    to->reuse_address = from->reuse_address;
    to->tos = from->tos;
    to->ttl = from->ttl;
    to->v6only = from->v6only;
    stream->keep_idle_ms = listener->keep_idle_ms;
    stream->keep_interval_ms = listener->keep_interval_ms;
    stream->keep_count = listener->keep_count;
    stream->user_timeout_ms = listener->user_timeout_ms;
    stream->segment_max = listener->segment_max;
    stream->no_delay = listener->no_delay;
}

/* The handshake is done; or, with an error, there was no memory for a SYN. */
static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
    struct stream *stream = arg, *listener;

    if (error != ERR_OK || !pcb)
        return ERR_OK;
    ASSERT(stream->state == STREAM_HALF_OPEN && stream->pcb == pcb);
    listener = stream->listener;
    listener->half_open_count--;
    list_remove(&stream->node);
    stream->state = STREAM_QUEUED;
    stream->told = false;
    listener->queue_count++;
    list_append(&listener->queue, &stream->node);
    inherit(stream, listener);
    stream_apply(&stream->socket);
    if (!listener->defer_accept)
        announce(listener);
    return ERR_OK;
}

static const struct tcp_ext_arg_callbacks extension = {
    .destroy = on_destroyed, .passive_open = on_half_open};

/* -- socket -- */

int net_stream_create(int domain, int protocol, int flags, struct file **out)
{
    struct stream *stream = stream_new(domain);

    if (!stream)
        return -ENOBUFS;
    *out = file_new(&stream_ops, O_RDWR | flags, stream);
    if (!*out) {
        stream_free(stream);
        return file_new_error();
    }
    return 0;
}

/* -- listen, accept -- */

static int stream_listen(struct file *file, int backlog)
{
    struct stream *stream = stream_of(file);
    struct tcp_pcb *pcb;
    err_t error;
    int result;

    if (stream->state == STREAM_LISTENING) {
        stream->backlog = (unsigned)backlog;
        return 0;
    }
    if (stream->state != STREAM_NEW && stream->state != STREAM_BOUND)
        return -EINVAL;
    net_enter();
    if (stream->state == STREAM_NEW) {
        ip_addr_t any = IPADDR4_INIT(IPADDR_ANY);

        if (stream->socket.domain == AF_INET6)
            ip_addr_set_any(true, &any);
        stream_widen_any(stream, &any);
        result = stream_bind_to(stream, &any, 0);
        if (result != 0)
            return result;
    }
    /* lwIP frees the pcb for a smaller one. */
    pcb = stream_detach(stream);
    pcb = tcp_listen_with_backlog_and_err(pcb, 0, &error);
    if (!pcb)
        return error == ERR_USE ? -EADDRINUSE : -ENOBUFS;
    stream->pcb = pcb;
    stream->state = STREAM_LISTENING;
    stream->backlog = (unsigned)backlog;
    pcb->callback_arg = stream;
    pcb->ext_args[EXTENSION].callbacks = &extension;
    pcb->ext_args[EXTENSION].data = stream;
    tcp_accept(pcb, on_accept);
    return 0;
}

/* The next connection, or with TCP_DEFER_ACCEPT the next that has data. */
struct stream *stream_accept_next(struct stream *listener)
{
    list_for_each (item, &listener->queue) {
        struct stream *stream = container_of(item, struct stream, node);

        if (!listener->defer_accept || stream->first || stream->fin_received)
            return stream;
    }
    return NULL;
}

static struct file *stream_accept(struct file *file, int flags, int *error)
{
    struct stream *listener = stream_of(file), *stream;
    uint64_t deadline = net_receive_deadline(file, 0, &listener->socket);
    struct file *accepted;

    for (;;) {
        if (listener->state != STREAM_LISTENING) {
            *error = -EINVAL;
            return NULL;
        }
        stream = stream_accept_next(listener);
        if (stream)
            break;
        *error = net_socket_wait(&listener->socket, deadline);
        if (*error != 0)
            return NULL;
    }
    accepted = file_new(
        &stream_ops, O_RDWR | (flags & SOCK_NONBLOCK ? O_NONBLOCK : 0), stream);
    if (!accepted) {
        *error = file_new_error();
        return NULL;
    }
    leave_listener(stream);
    stream->state = STREAM_CONNECTED;
    stream->told = true;
    return accepted;
}

/* -- names -- */

static int stream_getsockname(struct file *file, void *address)
{
    struct stream *stream = stream_of(file);

    stream_note_ends(stream);
    return net_address_out(stream->socket.domain, &stream->local,
                           stream->local_port, address);
}

static int stream_getpeername(struct file *file, void *address)
{
    struct stream *stream = stream_of(file);

    if (stream->state != STREAM_CONNECTED ||
        (!stream->pcb && stream->socket.shut_write))
        return -ENOTCONN;
    stream_note_ends(stream);
    return net_address_out(stream->socket.domain, &stream->remote,
                           stream->remote_port, address);
}

/* -- shutdown and close -- */

/* Connections that nobody accepted are reset. The other end of one that is
 * half open, where nobody may be, is not told, as in Linux. */
static void stop_listening(struct stream *listener)
{
    if (listener->pcb)
        tcp_close(stream_detach(listener));
    for (unsigned i = 0; i < 2; i++) {
        struct list *head = i ? &listener->queue : &listener->half_open;

        list_for_each (item, head) {
            struct stream *stream = container_of(item, struct stream, node);

            leave_listener(stream);
            if (stream->pcb)
                tcp_abandon(stream_detach(stream), i);
            stream_free(stream);
        }
    }
}

static int stream_shutdown(struct file *file, int how)
{
    struct stream *stream = stream_of(file);
    struct net_socket *socket = &stream->socket;

    net_enter();
    if (stream->state == STREAM_LISTENING && how != SHUT_WR) {
        stop_listening(stream);
        stream->state = STREAM_BOUND;
    } else if (stream->state != STREAM_CONNECTED) {
        return -ENOTCONN;
    } else {
        if (how != SHUT_WR)
            socket->shut_read = true;
        if (how != SHUT_RD && !socket->shut_write) {
            socket->shut_write = true;
            if (stream->pcb)
                tcp_shutdown(stream->pcb, 0, 1);
        }
    }
    net_leave();
    wait_wake(&socket->wait,
              POLLIN | POLLRDNORM | POLLRDHUP | POLLOUT | POLLWRNORM | POLLHUP,
              UINT_MAX);
    return 0;
}

/* Data that was not read, or SO_LINGER with no time, means a reset. */
static void close_connection(struct stream *stream)
{
    bool reset =
        stream->bytes > 0 || stream->pcb->refused_data ||
        (stream->socket.linger.l_onoff && stream->socket.linger.l_linger == 0);
    struct tcp_pcb *pcb = stream_detach(stream);

    if (reset && pcb->state != TIME_WAIT) {
        tcp_abort(pcb);
        return;
    }
    /* All was read; lwIP judges that by the window, which a small SO_RCVBUF
     * keeps closed. */
    pcb->rcv_wnd = TCP_WND_MAX(pcb);
    tcp_close(pcb);
}

static void stream_release(struct file *file)
{
    struct stream *stream = stream_of(file);

    net_enter();
    if (stream->state == STREAM_LISTENING)
        stop_listening(stream);
    else if (stream->pcb && stream->state == STREAM_CONNECTED)
        close_connection(stream);
    else if (stream->pcb)
        tcp_close(stream_detach(stream));
    stream_free(stream);
    net_leave();
}

static const struct socket_ops stream_socket_ops = {
    .bind = stream_bind,
    .connect = stream_connect,
    .listen = stream_listen,
    .accept = stream_accept,
    .getsockname = stream_getsockname,
    .getpeername = stream_getpeername,
    .shutdown = stream_shutdown,
    .setsockopt = stream_setsockopt,
    .getsockopt = stream_getsockopt,
    .sendmsg = stream_sendmsg,
    .recvmsg = stream_recvmsg,
};

static const struct file_ops stream_ops = {
    .name = "socket:[tcp]",
    .readv = stream_readv,
    .writev = stream_writev,
    .poll = stream_poll,
    .ioctl = stream_ioctl,
    .stat = net_socket_stat,
    .socket = &stream_socket_ops,
    .release = stream_release,
};

/* -- options that live in the pcb -- */

void stream_apply(struct net_socket *socket)
{
    struct stream *stream = container_of(socket, struct stream, socket);
    struct tcp_pcb *pcb = stream->pcb;

    if (!pcb)
        return;
    if (socket->reuse_address)
        ip_set_option(pcb, SOF_REUSEADDR);
    else
        ip_reset_option(pcb, SOF_REUSEADDR);
    if (socket->keepalive)
        ip_set_option(pcb, SOF_KEEPALIVE);
    else
        ip_reset_option(pcb, SOF_KEEPALIVE);
    pcb->tos = socket->domain == AF_INET6 && socket->traffic_class
                   ? socket->traffic_class
                   : socket->tos;
    if (socket->ttl > 0)
        pcb->ttl = (u8_t)socket->ttl;
    else if (socket->hop_limit > 0)
        pcb->ttl = (u8_t)socket->hop_limit;
    pcb->netif_idx = (u8_t)socket->device;
    if (pcb->state == LISTEN)
        return;
    if (stream->no_delay)
        tcp_nagle_disable(pcb);
    else
        tcp_nagle_enable(pcb);
    pcb->keep_idle = stream->keep_idle_ms;
    pcb->keep_intvl = stream->keep_interval_ms;
    pcb->keep_cnt = stream->keep_count;
    if (stream->segment_max && stream->segment_max < pcb->mss)
        pcb->mss = stream->segment_max;
    pcb->poll = stream->user_timeout_ms || stream->state == STREAM_CONNECTING
                    ? stream_on_poll
                    : NULL;
    pcb->pollinterval = 1;
    if (stream->user_timeout_ms)
        stream->progress_ns = time_now_ns();
}
