/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_UNIX: messages. A stream is a queue of pieces that may be read in parts;
 * the other two types keep each message whole. Descriptors (SCM_RIGHTS)
 * travel with the piece they were sent with.
 */
#include <sys/ioctl.h>

#include "core/net/control.h"
#include "core/net/unix.h"
#include "core/time/time.h"

#define PIECE_MAX 16384 /* bytes of a stream in one message */

static void message_free(struct unix_message *message)
{
    for (unsigned i = 0; i < message->file_count; i++)
        file_put(message->files[i]);
    net_free(message);
}

void unix_discard(struct unix_socket *s)
{
    list_for_each (item, &s->messages) {
        list_remove(item);
        message_free(container_of(item, struct unix_message, node));
    }
    s->bytes = 0;
}

/* -- sending -- */

/* Takes references to the descriptors of SCM_RIGHTS. Returns how many. */
static int files_take(const struct msghdr *header, struct file **files)
{
    struct cmsghdr control;
    size_t offset = 0;
    const void *data;
    bool bad = false;
    int count = 0, result = 0;

    while (result == 0 && header &&
           control_next(header, &offset, &control, &data, &bad)) {
        size_t size = control.cmsg_len - CMSG_LEN(0);

        if (control.cmsg_level != SOL_SOCKET || control.cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i + sizeof(int) <= size; i += sizeof(int)) {
            int fd;

            memcpy(&fd, (const char *)data + i, sizeof(fd));
            files[count] = count < UNIX_FILES_MAX ? file_get(fd) : NULL;
            if (!files[count]) {
                result = count < UNIX_FILES_MAX ? -EBADF : -EINVAL;
                break;
            }
            count++;
        }
    }
    if (bad)
        result = -EINVAL;
    if (result == 0)
        return count;
    while (count > 0)
        file_put(files[--count]);
    return result;
}

/* Where a message goes: 0, or why not. */
static int target(struct unix_socket *s, const struct msghdr *header, int flags,
                  struct unix_socket **out)
{
    int result;

    if (s->socket.shut_write)
        return net_broken_pipe(flags);
    if (unix_is_datagram(s) && header && header->msg_name &&
        header->msg_namelen) {
        result = unix_find(header->msg_name, header->msg_namelen, out);
        if (result != 0)
            return result;
        if (!unix_is_datagram(*out))
            return -EPROTOTYPE;
        return (*out)->socket.shut_read ? -EPIPE : 0;
    }
    *out = s->peer;
    if (s->peer)
        return s->peer->socket.shut_read ? net_broken_pipe(flags) : 0;
    if (unix_is_datagram(s))
        return s->had_peer ? -ECONNREFUSED : -ENOTCONN;
    return s->had_peer ? net_broken_pipe(flags) : -ENOTCONN;
}

/* Makes a message of the next size bytes and queues it. */
static int deliver(struct unix_socket *s, struct unix_socket *to,
                   const struct iovec *iov, int count, size_t skip, size_t size,
                   struct file **files, int file_count)
{
    struct unix_message *message = net_alloc(sizeof(*message) + size);

    if (!message)
        return -ENOBUFS;
    if (file_iov_copy_in(message->data, iov, count, skip, size) != 0) {
        net_free(message);
        return -EFAULT;
    }
    message->size = size;
    message->offset = 0;
    message->file_count = (uint8_t)file_count;
    for (int i = 0; i < file_count; i++)
        message->files[i] = files[i];
    message->name_size = 0;
    if (unix_is_datagram(s)) {
        message->name_size = (uint8_t)s->name_size;
        memcpy(message->name, s->name, s->name_size);
    }
    list_append(&to->messages, &message->node);
    to->bytes += size;
    unix_wake(to, POLLIN | POLLRDNORM);
    return 0;
}

/* How much may be queued at to now, of size bytes. */
static size_t room_at(const struct unix_socket *s, const struct unix_socket *to,
                      size_t size)
{
    size_t limit = s->socket.send_limit;
    size_t room = to->bytes < limit ? limit - to->bytes : 0;

    if (unix_is_stream(s)) {
        if (room > PIECE_MAX)
            room = PIECE_MAX;
        return size < room ? size : room;
    }
    /* A message that could never fit was refused before. */
    return size <= room ? size : 0;
}

static long send_pieces(struct file *file, const struct msghdr *header,
                        const struct iovec *iov, int count, int flags)
{
    struct unix_socket *s = unix_of(file), *to;
    uint64_t deadline = net_send_deadline(file, flags, &s->socket);
    struct file *files[UNIX_FILES_MAX + 1];
    size_t size = 0, done = 0;
    bool first = true;
    int file_count, result;

    for (int i = 0; i < count; i++)
        size += iov[i].iov_len;
    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (!unix_is_stream(s) && size > s->socket.send_limit)
        return -EMSGSIZE;
    file_count = files_take(header, files);
    if (file_count < 0)
        return file_count;
    for (;;) {
        size_t part;

        result = target(s, header, done ? flags | MSG_NOSIGNAL : flags, &to);
        if (result != 0)
            break;
        part = room_at(s, to, size - done);
        if (part > 0 || (size == 0 && !unix_is_stream(s))) {
            result = deliver(s, to, iov, count, done, part, files,
                             first ? file_count : 0);
            if (result != 0)
                break;
            first = false;
            done += part;
        }
        if (done == size)
            break;
        if (part > 0)
            continue;
        /* For room where it goes: reading there wakes its queue too. */
        result = net_socket_wait(&to->socket, deadline);
        if (result != 0)
            break;
    }
    for (int i = 0; first && i < file_count; i++)
        file_put(files[i]);
    return done ? (long)done : result;
}

long unix_writev(struct file *file, const struct iovec *iov, int count,
                 off_t *offset)
{
    return send_pieces(file, NULL, iov, count, 0);
}

long unix_sendmsg(struct file *file, struct msghdr *message, int flags)
{
    return send_pieces(file, message, message->msg_iov, message->msg_iovlen,
                       flags);
}

/* -- receiving -- */

static void files_give(struct unix_message *message, struct msghdr *header,
                       struct control_out *out, int flags)
{
    unsigned count = message->file_count;
    size_t used = CMSG_ALIGN(header->msg_controllen);
    size_t room = out->room > used + CMSG_LEN(0)
                      ? (out->room - used - CMSG_LEN(0)) / sizeof(int)
                      : 0;
    int fds[UNIX_FILES_MAX];
    unsigned given = 0;

    while (given < count && given < room) {
        int fd = file_install(file_ref(message->files[given]), 0,
                              flags & MSG_CMSG_CLOEXEC ? O_CLOEXEC : 0);

        if (fd < 0)
            break;
        fds[given++] = fd;
    }
    if (given > 0)
        control_put(out, SOL_SOCKET, SCM_RIGHTS, fds, given * sizeof(int));
    if (given < count)
        header->msg_flags |= MSG_CTRUNC;
    for (unsigned i = 0; i < count; i++)
        file_put(message->files[i]);
    message->file_count = 0;
}

static void name_give(const struct unix_message *message, struct msghdr *header)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t size = message->name_size;

    if (!header->msg_name)
        return;
    if (size == 0) {
        header->msg_namelen = 0;
        return;
    }
    memcpy(un.sun_path, message->name, size);
    size += offsetof(struct sockaddr_un, sun_path);
    if (message->name[0] && size < sizeof(un))
        size++;
    memcpy(header->msg_name, &un, size);
    header->msg_namelen = (socklen_t)size;
}

/* Copies from the queue to the application what one call may take. Returns
 * bytes or -EFAULT. */
static long take(struct unix_socket *s, struct msghdr *header, size_t skip,
                 size_t room, int flags, struct control_out *out)
{
    bool stream = unix_is_stream(s);
    size_t done = 0;

    list_for_each (item, &s->messages) {
        struct unix_message *message =
            container_of(item, struct unix_message, node);
        size_t left = message->size - message->offset;
        size_t part = left < room - done ? left : room - done;
        bool had_files = message->file_count > 0;

        if (stream && done > 0 && had_files)
            break;
        if (file_iov_copy_out(header->msg_iov, header->msg_iovlen, skip + done,
                              message->data + message->offset, part) != 0)
            return done ? (long)done : -EFAULT;
        done += part;
        if (!stream) {
            name_give(message, header);
            if (part < left)
                header->msg_flags |= MSG_TRUNC;
            if (part < left && (flags & MSG_TRUNC))
                done = left;
        }
        if (!(flags & MSG_PEEK)) {
            if (had_files)
                files_give(message, header, out, flags);
            s->bytes -= stream ? part : left;
            message->offset += part;
            if (!stream || part == left) {
                list_remove(item);
                message_free(message);
            }
        }
        if (!stream || done == room || had_files)
            break;
    }
    return (long)done;
}

static int nothing(struct unix_socket *s)
{
    int error = net_socket_error(&s->socket);

    if (error)
        return error;
    if (s->socket.shut_read)
        return 0;
    if (unix_is_datagram(s))
        return -EAGAIN;
    if (!s->had_peer)
        return s->socket.type == SOCK_STREAM ? -EINVAL : -ENOTCONN;
    return s->peer ? -EAGAIN : 0;
}

/* To all who send here: they wait on their own queue in poll, and on this
 * one's in sendmsg. */
static void announce_room(struct unix_socket *s)
{
    if (!unix_is_datagram(s) && s->peer)
        unix_wake(s->peer, POLLOUT | POLLWRNORM);
    list_for_each (item, &s->pointing)
        unix_wake(container_of(item, struct unix_socket, point),
                  POLLOUT | POLLWRNORM);
    unix_wake(s, POLLOUT);
}

static long receive(struct file *file, struct msghdr *header, int flags)
{
    struct unix_socket *s = unix_of(file);
    uint64_t deadline = net_receive_deadline(file, flags, &s->socket);
    struct control_out out;
    size_t room = 0, done = 0;
    long result;

    for (int i = 0; i < header->msg_iovlen; i++)
        room += header->msg_iov[i].iov_len;
    if (flags & MSG_OOB)
        return -EOPNOTSUPP;
    control_start(&out, header);
    header->msg_flags = 0;
    if (!unix_is_datagram(s))
        header->msg_namelen = 0;
    for (;;) {
        bool any = !list_empty(&s->messages);

        result =
            any ? take(s, header, done, room - done, flags, &out) : nothing(s);
        if (!any && result == -EAGAIN && !(room == 0 && unix_is_stream(s))) {
            if (done && !(flags & MSG_WAITALL))
                break;
            result = net_socket_wait(&s->socket, deadline);
            if (result != 0)
                break;
            continue;
        }
        if (!any || result < 0)
            break;
        done += (size_t)result;
        if (!(flags & MSG_PEEK))
            announce_room(s);
        result = 0;
        if (!unix_is_stream(s) || done == room || !(flags & MSG_WAITALL) ||
            (flags & MSG_PEEK))
            break;
    }
    return done ? (long)done : result;
}

long unix_recvmsg(struct file *file, struct msghdr *message, int flags)
{
    return receive(file, message, flags);
}

long unix_readv(struct file *file, const struct iovec *iov, int count,
                off_t *offset)
{
    struct msghdr header = {0};

    header.msg_iov = (struct iovec *)(uintptr_t)iov;
    header.msg_iovlen = count;
    return receive(file, &header, 0);
}

/* -- readiness -- */

uint32_t unix_poll(struct file *file, struct file_poller *poller)
{
    struct unix_socket *s = unix_of(file);
    uint32_t events = 0;
    bool ended = s->socket.shut_read;

    file_poll_wait(poller, &s->socket.wait);
    if (s->state == UNIX_LISTENING)
        return list_empty(&s->queue) ? 0 : POLLIN | POLLRDNORM;
    if (s->socket.error)
        events |= POLLERR;
    if (!list_empty(&s->messages))
        events |= POLLIN | POLLRDNORM;
    if (!unix_is_datagram(s)) {
        ended = ended || (s->had_peer && !s->peer);
        if (!s->peer || (s->socket.shut_read && s->socket.shut_write))
            events |= POLLHUP;
    }
    if (ended)
        events |= POLLIN | POLLRDNORM | POLLRDHUP;
    if (!s->peer) {
        events |= POLLOUT | POLLWRNORM;
    } else {
        /* Linux: writable while no more than a quarter is queued. */
        if (s->peer->bytes * 4 <= s->socket.send_limit)
            events |= POLLOUT | POLLWRNORM;
    }
    return events;
}

long unix_ioctl(struct file *file, unsigned long request, long argument)
{
    struct unix_socket *s = unix_of(file);
    size_t value;
    int number;

    if (request == FIONREAD) {
        value = s->bytes;
        if (!unix_is_stream(s) && !list_empty(&s->messages))
            value =
                container_of(s->messages.next, struct unix_message, node)->size;
    } else if (request == TIOCOUTQ) {
        value = s->peer ? s->peer->bytes : 0;
    } else {
        return net_interface_ioctl(request, argument);
    }
    number = (int)value;
    return core_copy_out((void *)argument, &number, sizeof(number));
}
