/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets of a provider: what reads and writes. Streams go through the pair as
 * they are. A datagram has its address in front (struct halvm_net_packet),
 * which is put there and taken off here; whole messages only. Control messages
 * are made for what comes in; those of what goes out are not looked at.
 *
 * A call first tries without waiting. What would wait is then left to the
 * ordinary blocking call, on the pair, so that signals, time-outs and flags
 * do what they always do.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "reroute/net.h"

#define IOV_MAX_HERE 1024 /* UIO_MAXIOV */

/* One message of a call, whatever the call is. */
struct transfer {
    struct msghdr header; /* as recvmsg's; msg_iov the application's, or one */
    struct iovec one;
    int flags;
    bool send;
};

typedef long transfer_function(struct net_socket *s, int fd,
                               struct transfer *transfer, int flags);

static long stream_once(struct net_socket *s, int fd, struct transfer *transfer,
                        int flags)
{
    struct msghdr header = {.msg_iov = transfer->header.msg_iov,
                            .msg_iovlen = transfer->header.msg_iovlen};
    long result =
        transfer->send
            ? object_result(sendmsg(fd, &header, flags | MSG_NOSIGNAL))
            : object_result(recvmsg(fd, &header, flags));

    (void)s;
    if (!transfer->send) {
        transfer->header.msg_flags = header.msg_flags;
        transfer->header.msg_namelen = 0;
        transfer->header.msg_controllen = 0;
    }
    return result;
}

/* -- datagrams -- */

/* In front of the message's vectors one for the packet's address; for iov_put
 * in any case. 0 or -errno. */
static long with_packet(const struct transfer *transfer,
                        struct halvm_net_packet *packet, struct iovec **out,
                        struct iovec small[8])
{
    size_t count = (size_t)transfer->header.msg_iovlen;
    struct iovec *iov =
        count < 8 ? small : malloc((count + 1) * sizeof(struct iovec));

    *out = iov;
    if (!iov)
        return -ENOBUFS;
    iov[0] = (struct iovec){packet, sizeof *packet};
    if (transfer->header.msg_iov == &transfer->one)
        iov[1] = transfer->one;
    else
        return halvm_copy_in(iov + 1, transfer->header.msg_iov,
                             count * sizeof(struct iovec));
    return 0;
}

static void iov_put(struct iovec *iov, const struct iovec *small)
{
    if (iov != small)
        free(iov);
}

static int destination(struct net_socket *s, const struct msghdr *header,
                       struct halvm_net_packet *packet)
{
    const struct net_address *to = &s->remote;
    struct net_address named;
    int result = 0;

    memset(packet, 0, sizeof *packet);
    if (header->msg_name && header->msg_namelen > 0) {
        result =
            net_check_address(s, header->msg_name, header->msg_namelen, &named);
        to = &named;
    } else if (to->size == 0) {
        result = -EDESTADDRREQ;
    }
    if (result < 0)
        return result;
    packet->address_size = (uint16_t)to->size;
    memcpy(packet->address, to->data, to->size);
    if (!s->bound) {
        pthread_mutex_lock(&net_lock);
        result = net_bind_any(s);
        struct net_address local = s->local;
        pthread_mutex_unlock(&net_lock);
        if (result == 0 && local.size > 0)
            result = net_post(s, HALVM_NET_BIND, 0, 0, local.data, local.size);
    }
    return result;
}

static long datagram_send(struct net_socket *s, int fd,
                          struct transfer *transfer, int flags)
{
    struct halvm_net_packet packet;
    struct iovec small[8], *iov;
    struct msghdr header = {0};
    long result = destination(s, &transfer->header, &packet);

    if (result < 0)
        return result;
    result = with_packet(transfer, &packet, &iov, small);
    if (result == 0) {
        packet.order = service_posted(s->owner->service);
        header.msg_iov = iov;
        header.msg_iovlen = transfer->header.msg_iovlen + 1;
        result = object_result(sendmsg(fd, &header, flags | MSG_NOSIGNAL));
    }
    iov_put(iov, small);
    if (result == -EPIPE)
        result = -ENETDOWN; /* the provider has closed its end */
    return result < 0 ? result : result - (long)sizeof packet;
}

/* Whether a connected socket is to see what comes from there. */
static bool wanted(const struct net_socket *s,
                   const struct halvm_net_packet *packet)
{
    size_t part = s->remote.size;

    if (part == 0)
        return true;
    if (s->domain == AF_INET) /* family, port, address */
        part = 8;
    return packet->address_size >= part &&
           memcmp(packet->address, s->remote.data, part) == 0;
}

static long fill_name(struct msghdr *header,
                      const struct halvm_net_packet *packet)
{
    unsigned size = packet->address_size, room = header->msg_namelen;

    if (size > HALVM_NET_ADDRESS_SIZE)
        size = 0; /* garbage of the provider's */
    header->msg_namelen = header->msg_name ? size : 0;
    if (!header->msg_name)
        return 0;
    return halvm_copy_out(header->msg_name, packet->address,
                          room < size ? room : size);
}

static long datagram_receive(struct net_socket *s, int fd,
                             struct transfer *transfer, int flags)
{
    struct halvm_net_packet packet;
    struct iovec small[8], *iov;
    struct msghdr header = {0};
    long result;
    bool drop;

    result = with_packet(transfer, &packet, &iov, small);
    if (result < 0) {
        iov_put(iov, small);
        return result;
    }
    do {
        header.msg_iov = iov;
        header.msg_iovlen = transfer->header.msg_iovlen + 1;
        result = object_result(recvmsg(fd, &header, flags));
        drop =
            result > 0 && (result < (long)sizeof packet || !wanted(s, &packet));
        /* A look at what is not wanted takes it away. */
        if (drop && (flags & MSG_PEEK) &&
            recv(fd, &packet, 1, MSG_DONTWAIT) < 0)
            break;
    } while (drop);
    iov_put(iov, small);
    if (result == 0)
        return -ENETDOWN;
    if (result < 0)
        return result;
    transfer->header.msg_flags = header.msg_flags;
    if (fill_name(&transfer->header, &packet) < 0 ||
        net_fill_control(s, &transfer->header, &packet) < 0)
        return -EFAULT;
    return result - (long)sizeof packet;
}

/* -- one message, with waiting -- */

static long state_error(struct net_socket *s, const struct transfer *transfer)
{
    if (s->phase == NET_ENDED)
        return -ENETDOWN;
    if (s->broken && s->error)
        return net_take_error(s);
    if (!net_is_stream(s))
        return 0;
    if (s->phase == NET_CONNECTED || s->phase == NET_CONNECTING)
        return 0;
    return transfer->send ? -EPIPE : -ENOTCONN;
}

/* A write to a socket that still connects waits for that. */
static long wait_connecting(struct net_socket *s, int fd, int flags)
{
    long result = -EAGAIN;

    if (net_may_wait(s, fd, flags))
        result = service_wait(s->owner->service);
    if (result < 0)
        return result;
    result = service_sleep(&s->phase, NET_CONNECTING);
    service_waited(s->owner->service);
    if (result == 0 && s->phase != NET_CONNECTED)
        result = s->error ? net_take_error(s) : -ENOTCONN;
    return result;
}

static transfer_function *function_of(const struct net_socket *s, bool send)
{
    if (net_is_stream(s))
        return stream_once;
    return send ? datagram_send : datagram_receive;
}

/* Without waiting if it can be; but what is to move all of it, a blocking
 * write to a stream or MSG_WAITALL, must not begin with a part. */
static long move_or_wait(struct net_socket *s, int fd,
                         struct transfer *transfer)
{
    transfer_function *once = function_of(s, transfer->send);
    bool all =
        net_is_stream(s) && (transfer->send || (transfer->flags & MSG_WAITALL));
    long result = -EAGAIN;

    if (!all)
        result = once(s, fd, transfer, transfer->flags | MSG_DONTWAIT);
    if (result != -EAGAIN)
        return result;
    if (net_may_wait(s, fd, transfer->flags)) {
        result = service_wait(s->owner->service);
        if (result == 0) {
            result = once(s, fd, transfer, transfer->flags);
            service_waited(s->owner->service);
            return result;
        }
    }
    if (all && result == -EAGAIN)
        result = once(s, fd, transfer, transfer->flags | MSG_DONTWAIT);
    return result;
}

static long move(struct net_socket *s, int fd, struct transfer *transfer)
{
    long result = state_error(s, transfer);

    if (result == 0 && s->phase == NET_CONNECTING)
        result = wait_connecting(s, fd, transfer->flags);
    if (result < 0)
        return result;
    result = move_or_wait(s, fd, transfer);
    /* The end of a stream may be that of the connection, or the service. */
    if (result == 0 || result == -EPIPE || result == -ECONNRESET) {
        if (s->error)
            return net_take_error(s);
        if (s->phase == NET_ENDED)
            return -ENETDOWN;
    }
    if (result == -EPIPE && !(transfer->flags & MSG_NOSIGNAL))
        raise(SIGPIPE);
    return result;
}

/* -- the calls -- */

static long move_buffer(struct net_socket *s, int fd,
                        const struct halvm_call *call, bool send, int flags)
{
    struct transfer transfer = {.flags = flags, .send = send};

    transfer.one = (struct iovec){(void *)call->args[1], (size_t)call->args[2]};
    transfer.header.msg_iov = &transfer.one;
    transfer.header.msg_iovlen = 1;
    return move(s, fd, &transfer);
}

/* sendto and recvfrom: with an address, perhaps. */
static long move_named(struct net_socket *s, int fd,
                       const struct halvm_call *call, bool send)
{
    struct transfer transfer = {.flags = (int)call->args[3], .send = send};
    socklen_t *size = (socklen_t *)call->args[5];
    bool named = call->args[4] && size;
    long result;

    transfer.one = (struct iovec){(void *)call->args[1], (size_t)call->args[2]};
    transfer.header.msg_iov = &transfer.one;
    transfer.header.msg_iovlen = 1;
    transfer.header.msg_name = (void *)call->args[4];
    if (send)
        transfer.header.msg_namelen = (socklen_t)call->args[5];
    else if (named && halvm_copy_in(&transfer.header.msg_namelen, size,
                                    sizeof *size) < 0)
        return -EFAULT;
    result = move(s, fd, &transfer);
    if (!send && result >= 0 && named &&
        halvm_copy_out(size, &transfer.header.msg_namelen, sizeof *size) < 0)
        return -EFAULT;
    return result;
}

static long move_vectors(struct net_socket *s, int fd,
                         const struct halvm_call *call, bool send)
{
    struct transfer transfer = {.send = send};

    if (call->args[2] < 0 || call->args[2] > IOV_MAX_HERE)
        return -EINVAL;
    transfer.header.msg_iov = (struct iovec *)call->args[1];
    transfer.header.msg_iovlen = (int)call->args[2];
    return move(s, fd, &transfer);
}

static long move_message(struct net_socket *s, int fd, struct msghdr *user,
                         int flags, bool send)
{
    struct transfer transfer = {.flags = flags, .send = send};
    struct msghdr *header = &transfer.header;
    long result;

    if (halvm_copy_in(header, user, sizeof *header) < 0)
        return -EFAULT;
    if ((unsigned)header->msg_iovlen > IOV_MAX_HERE)
        return -EMSGSIZE;
    result = move(s, fd, &transfer);
    if (!send && result >= 0) {
        if (halvm_copy_out(user, header, sizeof *header) < 0)
            return -EFAULT;
    }
    return result;
}

/* sendmmsg and recvmmsg: an error after the first message ends them, and is not
 * told, as that of Linux's sendmmsg. */
static long move_many(struct net_socket *s, int fd,
                      const struct halvm_call *call, bool send)
{
    struct mmsghdr *messages = (struct mmsghdr *)call->args[1];
    unsigned count = (unsigned)call->args[2], done = 0;
    int flags = (int)call->args[3];
    long result = 0;

    while (done < count && done < IOV_MAX_HERE) {
        result = move_message(s, fd, &messages[done].msg_hdr, flags, send);
        if (result >= 0) {
            unsigned size = (unsigned)result;
            result =
                halvm_copy_out(&messages[done].msg_len, &size, sizeof size);
        }
        if (result < 0)
            break;
        done++;
        if (!send)
            flags |= MSG_DONTWAIT;
    }
    return done > 0 ? (long)done : result;
}

/* FIONREAD of a datagram: without what is in front of it. */
static long bytes_waiting(struct net_socket *s, const struct halvm_call *call)
{
    long result;

    if ((unsigned long)call->args[1] != FIONREAD || net_is_stream(s))
        return OBJECT_PASS;
    result = halvm_call_previous(call);
    int *user = (int *)call->args[2], size;
    if (result < 0 || halvm_copy_in(&size, user, sizeof size) < 0 ||
        size < (int)sizeof(struct halvm_net_packet))
        return result;
    size -= (int)sizeof(struct halvm_net_packet);
    return halvm_copy_out(user, &size, sizeof size);
}

long net_transfer(struct net_socket *s, int fd, const struct halvm_call *call)
{
    switch (call->number) {
    case SYS_read:
        return move_buffer(s, fd, call, false, 0);
    case SYS_write:
        return move_buffer(s, fd, call, true, 0);
    case SYS_readv:
        return move_vectors(s, fd, call, false);
    case SYS_writev:
        return move_vectors(s, fd, call, true);
    case SYS_recvfrom:
        return move_named(s, fd, call, false);
    case SYS_sendto:
        return move_named(s, fd, call, true);
    case SYS_recvmsg:
        return move_message(s, fd, (struct msghdr *)call->args[1],
                            (int)call->args[2], false);
    case SYS_sendmsg:
        return move_message(s, fd, (struct msghdr *)call->args[1],
                            (int)call->args[2], true);
    case SYS_recvmmsg:
        return move_many(s, fd, call, false);
    case SYS_sendmmsg:
        return move_many(s, fd, call, true);
    case SYS_ioctl:
        return bytes_waiting(s, call);
    default:
        return OBJECT_PASS;
    }
}
