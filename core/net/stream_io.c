/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP sockets: data in both directions, readiness.
 *
 * Received segments stay in lwIP's buffers until they are read, from where
 * they are copied once, to the application. What is sent is copied once, from
 * the application into the segment: tcp_write reads the application's memory
 * itself, after net_readable() has touched every page of it. With the monitor
 * held nothing can unmap it in between.
 */
#include <sys/ioctl.h>

#include "core/net/stream.h"
#include "core/time/time.h"

#define WRITE_MAX 0xffff /* bytes that tcp_write takes in one call */
/* Kept free in lwIP's queue of segments for one more write. */
#define QUEUE_MARGIN 64

/* -- receiving -- */

void stream_discard(struct stream *stream)
{
    while (stream->first) {
        struct pbuf *p = stream->first;

        stream->first = p->next;
        p->next = NULL;
        pbuf_free(p);
    }
    stream->last = NULL;
    stream->bytes = stream->uncredited = 0;
}

void stream_credit(struct stream *stream)
{
    struct tcp_pcb *pcb = stream->pcb;
    uint32_t credit = stream->uncredited - stream->bytes;

    if (!pcb || stream->state != STREAM_CONNECTED)
        return;
    if (stream->socket.receive_limit < net_tcp_window) {
        /* A smaller SO_RCVBUF: the window opens no further than that. */
        uint32_t target = stream->socket.receive_limit > stream->bytes
                              ? stream->socket.receive_limit - stream->bytes
                              : 0;
        uint32_t open = target > pcb->rcv_wnd ? target - pcb->rcv_wnd : 0;

        if (credit > open)
            credit = open;
    }
    stream->uncredited -= credit;
    while (credit > 0) {
        u16_t part = credit < 0xffff ? (u16_t)credit : 0xffff;

        tcp_recved(pcb, part);
        credit -= part;
    }
    if (pcb->refused_data && stream->bytes == 0)
        tcp_process_refused_data(pcb);
}

/* Moves at most size bytes from the queue to the application (or nowhere,
 * with MSG_TRUNC). Returns bytes, or -EFAULT if not even one went. */
static long take(struct stream *stream, const struct iovec *iov, int count,
                 size_t skip, size_t size, int flags)
{
    struct pbuf *p = stream->first;
    size_t done = 0;

    while (p && done < size) {
        size_t part = p->len < size - done ? p->len : size - done;

        if (!(flags & MSG_TRUNC) &&
            file_iov_copy_out(iov, count, skip + done, p->payload, part) != 0)
            return done ? (long)done : -EFAULT;
        done += part;
        if (flags & MSG_PEEK) {
            p = p->next;
            continue;
        }
        stream->bytes -= (uint32_t)part;
        p->payload = (char *)p->payload + part;
        p->len = (u16_t)(p->len - part);
        if (p->len == 0) {
            stream->first = p->next;
            p->next = NULL;
            pbuf_free(p);
            p = stream->first;
        }
    }
    if (!stream->first)
        stream->last = NULL;
    return (long)done;
}

/* Why there is nothing to read: 0 is the end, -EAGAIN "not yet". */
static int nothing(struct stream *stream)
{
    int error;

    if (stream->state == STREAM_NEW || stream->state == STREAM_BOUND) {
        error = net_socket_error(&stream->socket);
        return error ? error : -ENOTCONN;
    }
    if (stream->state == STREAM_LISTENING)
        return -ENOTCONN;
    error = net_socket_error(&stream->socket);
    if (error)
        return error;
    if (stream->fin_received || stream->socket.shut_read)
        return 0;
    return -EAGAIN;
}

static long receive(struct file *file, const struct iovec *iov, int count,
                    size_t size, int flags)
{
    struct stream *stream = stream_of(file);
    size_t target = flags & MSG_WAITALL ? size : stream->socket.receive_low;
    uint64_t deadline = 0;
    bool started = false;
    size_t done = 0;
    long result;

    if (flags & MSG_OOB)
        return -EINVAL;
    if (flags & MSG_ERRQUEUE)
        return -EAGAIN;
    if (target > size)
        target = size;
    net_enter();
    for (;;) {
        /* Peeking starts from the front every time. */
        if (flags & MSG_PEEK)
            done = 0;
        result = take(stream, iov, count, done, size - done, flags);
        if (result < 0)
            break;
        done += (size_t)result;
        if (result > 0 && !(flags & MSG_PEEK))
            stream_credit(stream);
        if (size > 0 && done >= target)
            break;
        result = done && stream->socket.error ? 0 : nothing(stream);
        if (size == 0 && result == -EAGAIN)
            result = 0;
        if (result != -EAGAIN)
            break;
        net_leave();
        if (!started) {
            deadline = net_receive_deadline(file, flags, &stream->socket);
            started = true;
        }
        result = net_socket_wait(&stream->socket, deadline);
        net_enter();
        if (result != 0)
            break;
    }
    net_leave();
    return done ? (long)done : result;
}

/* -- sending -- */

uint32_t stream_room(const struct stream *stream)
{
    const struct tcp_pcb *pcb = stream->pcb;
    uint32_t queued;

    if (!pcb || stream->refused ||
        pcb->snd_queuelen + QUEUE_MARGIN >= TCP_SND_QUEUELEN)
        return 0;
    queued = TCP_SND_BUF - pcb->snd_buf;
    if (queued >= stream->socket.send_limit ||
        (queued > 0 && net_memory_tight()))
        return 0;
    return stream->socket.send_limit - queued;
}

bool stream_writable(const struct stream *stream)
{
    const struct tcp_pcb *pcb = stream->pcb;

    if (stream_room(stream) * 3 < stream->socket.send_limit)
        return false;
    return !stream->not_sent_low ||
           pcb->snd_lbb - pcb->snd_nxt < stream->not_sent_low;
}

/* Whether sending can go on: 0, -EAGAIN (still connecting), or why not. */
static int sendable(struct stream *stream, int flags)
{
    int error = net_socket_error(&stream->socket);

    if (error)
        return error;
    if (stream->state == STREAM_CONNECTING)
        return -EAGAIN;
    if (stream->state != STREAM_CONNECTED || !stream->pcb ||
        stream->socket.shut_write)
        return net_broken_pipe(flags);
    return 0;
}

/* Queues what there is room for from one buffer. Returns bytes, or -EFAULT,
 * -ENOBUFS if not one went. */
static long put(struct stream *stream, const char *from, size_t size, bool more)
{
    size_t done = 0;

    while (done < size) {
        uint32_t room = stream_room(stream);
        size_t part = size - done < room ? size - done : room;
        err_t error;

        if (part > WRITE_MAX)
            part = WRITE_MAX;
        if (part == 0)
            break;
        if (!net_readable(from + done, part))
            return done ? (long)done : -EFAULT;
        error = tcp_write(
            stream->pcb, from + done, (u16_t)part,
            TCP_WRITE_FLAG_COPY |
                (more || done + part < size ? TCP_WRITE_FLAG_MORE : 0));
        if (error != ERR_OK) {
            /* Out of memory with something under way: that will free some. */
            if (stream->pcb->unacked || stream->pcb->unsent)
                stream->refused = true;
            else if (done == 0)
                return -ENOBUFS;
            break;
        }
        done += part;
    }
    return (long)done;
}

/* As put, over vectors, from byte skip of them. */
static long put_vectors(struct stream *stream, const struct iovec *iov,
                        int count, size_t skip, bool more)
{
    size_t done = 0;

    for (int i = 0; i < count; i++) {
        size_t size = iov[i].iov_len;
        long result;

        if (skip >= size) {
            skip -= size;
            continue;
        }
        result = put(stream, (const char *)iov[i].iov_base + skip, size - skip,
                     more || i + 1 < count);
        if (result < 0)
            return done ? (long)done : result;
        done += (size_t)result;
        if ((size_t)result < size - skip)
            break;
        skip = 0;
    }
    return (long)done;
}

static long send_vectors(struct file *file, const struct iovec *iov, int count,
                         size_t size, int flags)
{
    struct stream *stream = stream_of(file);
    bool more = stream->cork || (flags & MSG_MORE);
    uint64_t deadline = 0;
    bool started = false;
    size_t done = 0;
    long result;

    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    net_enter();
    for (;;) {
        result = sendable(stream, done ? flags | MSG_NOSIGNAL : flags);
        if (result == 0) {
            result = put_vectors(stream, iov, count, done, more);
            if (result < 0)
                break;
            done += (size_t)result;
            if (!more || done < size)
                tcp_output(stream->pcb);
            if (done == size) {
                result = 0;
                break;
            }
            stream->starved = true;
        } else if (result != -EAGAIN) {
            break;
        }
        net_leave();
        if (stream->starved && stream_room(stream) > 0)
            continue; /* loopback has taken it already */
        if (!started) {
            deadline = net_send_deadline(file, flags, &stream->socket);
            started = true;
        }
        result = net_socket_wait(&stream->socket, deadline);
        net_enter();
        if (result != 0)
            break;
    }
    net_leave();
    return done ? (long)done : result;
}

/* -- the operations -- */

static size_t total(const struct iovec *iov, int count)
{
    size_t size = 0;

    for (int i = 0; i < count; i++)
        size += iov[i].iov_len;
    return size;
}

long stream_readv(struct file *file, const struct iovec *iov, int count,
                  off_t *offset)
{
    return receive(file, iov, count, total(iov, count), 0);
}

long stream_writev(struct file *file, const struct iovec *iov, int count,
                   off_t *offset)
{
    return send_vectors(file, iov, count, total(iov, count), 0);
}

long stream_sendmsg(struct file *file, struct msghdr *message, int flags)
{
    if (message->msg_name && stream_of(file)->state == STREAM_CONNECTED)
        message->msg_name = NULL; /* Linux ignores it */
    return send_vectors(file, message->msg_iov, message->msg_iovlen,
                        total(message->msg_iov, message->msg_iovlen), flags);
}

long stream_recvmsg(struct file *file, struct msghdr *message, int flags)
{
    message->msg_namelen = 0;
    message->msg_controllen = 0;
    message->msg_flags = 0;
    return receive(file, message->msg_iov, message->msg_iovlen,
                   total(message->msg_iov, message->msg_iovlen), flags);
}

/* As Linux's tcp_poll. */
uint32_t stream_poll(struct file *file, struct file_poller *poller)
{
    struct stream *stream = stream_of(file);
    struct net_socket *socket = &stream->socket;
    bool read_end = stream->fin_received || socket->shut_read;
    bool closed =
        stream->state == STREAM_CONNECTED
            ? (read_end && socket->shut_write) || !stream->pcb
            : stream->state == STREAM_NEW || stream->state == STREAM_BOUND;
    uint32_t events = 0;

    file_poll_wait(poller, &socket->wait);
    if (stream->state == STREAM_LISTENING)
        return stream_accept_next(stream) ? POLLIN | POLLRDNORM : 0;
    if (socket->error)
        events |= POLLERR;
    if (closed)
        events |= POLLHUP;
    if (stream->state == STREAM_CONNECTING)
        return events;
    if (read_end)
        events |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (stream->bytes >= socket->receive_low && stream->bytes > 0)
        events |= POLLIN | POLLRDNORM;
    if (socket->shut_write || !stream->pcb ||
        stream->state != STREAM_CONNECTED || stream_writable(stream))
        events |= POLLOUT | POLLWRNORM;
    else
        stream->starved = true;
    return events;
}

long stream_ioctl(struct file *file, unsigned long request, long argument)
{
    struct stream *stream = stream_of(file);
    int value;

    switch (request) {
    case FIONREAD:
        if (stream->state == STREAM_LISTENING)
            return -EINVAL;
        value = (int)stream->bytes;
        break;
    case TIOCOUTQ:
        value = stream->pcb && stream->state == STREAM_CONNECTED
                    ? (int)(TCP_SND_BUF - stream->pcb->snd_buf)
                    : 0;
        break;
    case SIOCATMARK:
        value = 0;
        break;
    default:
        return net_interface_ioctl(request, argument);
    }
    return core_copy_out((void *)argument, &value, sizeof(value));
}
