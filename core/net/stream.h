/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TCP socket: shared by stream.c (life), stream_io.c (data), and
 * stream_options.c.
 *
 * Who owns what. A stream belongs to its struct file, or to its listener while
 * it is half open or not yet accepted. The pcb belongs to lwIP once it is
 * connected, and may vanish in any callback: lwIP tells so through the
 * "destroyed" callback of its extension argument, which clears stream->pcb.
 */
#ifndef HALVM_NET_STREAM_H
#define HALVM_NET_STREAM_H

#include "core/net/socket.h"

#include "lwip/priv/tcp_priv.h"

enum stream_state {
    STREAM_NEW,
    STREAM_BOUND,
    STREAM_CONNECTING,
    STREAM_CONNECTED, /* until the file is closed, whatever the peer did */
    STREAM_LISTENING,
    STREAM_HALF_OPEN, /* a listener's, before the handshake is done */
    STREAM_QUEUED,    /* a listener's, waiting for accept */
};

struct stream {
    struct net_socket socket;
    struct tcp_pcb *pcb; /* NULL: none yet, or gone; listening: its pcb */
    enum stream_state state;
    bool fin_received;
    bool told;    /* connect's result has been told */
    bool starved; /* somebody saw that there is no room to send */
    bool refused; /* lwIP had no memory: until something is acknowledged */
    bool cork, quick_ack, no_delay;

    /* Received and not read: pbufs linked by next, payload moved on as it is
     * read. uncredited bytes are not yet back in the receive window. */
    struct pbuf *first, *last;
    uint32_t bytes, uncredited;

    /* As long as there is no pcb to ask, or for ever. */
    ip_addr_t local, remote;
    uint16_t local_port, remote_port;

    struct list node; /* in one of the listener's lists */
    struct stream *listener;
    struct list half_open, queue; /* of a listener */
    unsigned half_open_count, queue_count, backlog;

    uint32_t keep_idle_ms, keep_interval_ms, keep_count;
    uint32_t user_timeout_ms, not_sent_low;
    uint32_t defer_accept;
    uint16_t segment_max; /* TCP_MAXSEG, or 0 */
    uint64_t progress_ns; /* when the peer last acknowledged (user_timeout) */
};

static inline struct stream *stream_of(const struct file *file)
{
    return file->private;
}

/* Bytes that may be queued for sending now. */
uint32_t stream_room(const struct stream *stream);
/* What POLLOUT means: a third of it is free, as in Linux. */
bool stream_writable(const struct stream *stream);
/* Gives back window for what was read. */
void stream_credit(struct stream *stream);
void stream_discard(struct stream *stream);
/* Records what the pcb knows of its ends before it goes. */
void stream_note_ends(struct stream *stream);
void stream_apply(struct net_socket *socket);

/* Ties a pcb to its stream, and unties it: then no callback comes. */
void stream_attach(struct stream *stream, struct tcp_pcb *pcb);
struct tcp_pcb *stream_detach(struct stream *stream);
/* The next connection, or with TCP_DEFER_ACCEPT the next that has data. */
struct stream *stream_accept_next(struct stream *listener);
/* Callbacks of lwIP. */
err_t stream_on_connected(void *arg, struct tcp_pcb *pcb, err_t error);
err_t stream_on_poll(void *arg, struct tcp_pcb *pcb);

/* -- stream_connect.c -- */
/* Port 0: one of our choice. */
int stream_bind_to(struct stream *stream, const ip_addr_t *ip, uint16_t port);
/* Makes :: "any type" to lwIP, unless IPV6_V6ONLY. */
void stream_widen_any(const struct stream *stream, ip_addr_t *ip);
int stream_bind(struct file *file, const void *address, unsigned size);
int stream_connect(struct file *file, const void *address, unsigned size);

/* -- stream_io.c -- */
long stream_readv(struct file *file, const struct iovec *iov, int count,
                  off_t *offset);
long stream_writev(struct file *file, const struct iovec *iov, int count,
                   off_t *offset);
long stream_sendmsg(struct file *file, struct msghdr *message, int flags);
long stream_recvmsg(struct file *file, struct msghdr *message, int flags);
uint32_t stream_poll(struct file *file, struct file_poller *poller);
long stream_ioctl(struct file *file, unsigned long request, long argument);

/* -- stream_options.c -- */
int stream_setsockopt(struct file *file, int level, int name, const void *value,
                      unsigned size);
int stream_getsockopt(struct file *file, int level, int name, void *value,
                      unsigned *size);

#endif
