/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AF_UNIX: socket pairs, and sockets found by name within the program.
 *
 * Names are kept in a table of their own, abstract ones and paths alike: a
 * path appears in no directory, and is free again when its socket is closed.
 * There is one process, so peer credentials are its own.
 */
#include <limits.h>

#include "core/calls.h"
#include "core/net/provider.h"
#include "core/net/unix.h"
#include "core/time/time.h"

#define LIMIT_DEFAULT 212992 /* Linux's net.core.wmem_default */

static const struct file_ops unix_ops;
static struct list names = LIST_INIT(names);
static unsigned unix_count;

void unix_wake(struct unix_socket *s, uint32_t events)
{
    wait_wake(&s->socket.wait, events, UINT_MAX);
}

static struct unix_socket *unix_new(int type)
{
    struct unix_socket *s;

    if (unix_count >= LIMIT_SOCKETS)
        return NULL;
    net_memory_init();
    s = net_alloc(sizeof(*s));
    if (!s)
        return NULL;
    memset(s, 0, sizeof(*s));
    net_socket_init(&s->socket, AF_UNIX, type, 0, LIMIT_DEFAULT, LIMIT_DEFAULT);
    list_init(&s->pointing);
    list_init(&s->point);
    list_init(&s->messages);
    list_init(&s->queue);
    list_init(&s->node);
    list_init(&s->bound);
    unix_count++;
    return s;
}

/* Unlinks it from everything and frees it. Who waits for it is woken and
 * taken off its queue. */
static void unix_free(struct unix_socket *s)
{
    uint32_t gone = POLLIN | POLLOUT | POLLHUP | POLLRDHUP;

    list_remove(&s->bound);
    list_remove(&s->point);
    list_for_each (item, &s->pointing) {
        struct unix_socket *other =
            container_of(item, struct unix_socket, point);

        list_remove(item);
        other->peer = NULL;
        unix_wake(other, gone);
    }
    if (!unix_is_datagram(s) && s->peer) {
        /* Linux: the other end's unread data was lost. */
        if (!list_empty(&s->messages))
            s->peer->socket.error = ECONNRESET;
        s->peer->peer = NULL;
        unix_wake(s->peer, gone);
    }
    unix_discard(s);
    unix_wake(s, gone);
    list_for_each (entry, &s->socket.wait.entries)
        list_remove(entry);
    unix_count--;
    net_free(s);
    if (unix_count == 0)
        net_memory_trim();
}

static void unix_release(struct file *file)
{
    struct unix_socket *s = unix_of(file);

    list_for_each (item, &s->queue) {
        struct unix_socket *waiting =
            container_of(item, struct unix_socket, node);

        list_remove(item);
        if (waiting->peer) /* it may be closed already */
            waiting->peer->socket.error = ECONNRESET;
        unix_free(waiting);
    }
    unix_free(s);
}

static int unix_file(struct unix_socket *s, int flags, struct file **out)
{
    *out = file_new(&unix_ops, O_RDWR | flags, s);
    if (*out)
        return 0;
    unix_free(s);
    return file_new_error();
}

static int type_check(int type, int protocol)
{
    if (protocol != 0 && protocol != AF_UNIX)
        return -EPROTONOSUPPORT;
    if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        return -ESOCKTNOSUPPORT;
    return 0;
}

static int unix_create(int domain, int type, int protocol, int flags,
                       struct file **out)
{
    int result = type_check(type, protocol);
    struct unix_socket *s;

    if (result != 0)
        return result;
    s = unix_new(type);
    return s ? unix_file(s, flags, out) : -ENOBUFS;
}

static void point_at(struct unix_socket *s, struct unix_socket *peer)
{
    list_remove(&s->point);
    s->peer = peer;
    s->had_peer = true;
    if (unix_is_datagram(s))
        list_append(&peer->pointing, &s->point);
    else
        s->state = UNIX_CONNECTED;
}

static int unix_create_pair(int domain, int type, int protocol, int flags,
                            struct file *out[2])
{
    int result = type_check(type, protocol);
    struct unix_socket *a, *b;

    if (result != 0)
        return result;
    a = unix_new(type);
    if (!a)
        return -ENOBUFS;
    b = unix_new(type);
    if (!b) {
        unix_free(a);
        return -ENOBUFS;
    }
    result = unix_file(a, flags, &out[0]);
    if (result != 0) {
        unix_free(b);
        return result;
    }
    result = unix_file(b, flags, &out[1]);
    if (result != 0) {
        file_put(out[0]);
        return result;
    }
    point_at(a, b);
    point_at(b, a);
    return 0;
}

/* -- names -- */

/* The name in a sockaddr_un: paths without their end, abstract ones whole. */
static int name_of(const void *address, unsigned size, const char **name,
                   size_t *name_size)
{
    const struct sockaddr_un *un = address;
    size_t room = size - offsetof(struct sockaddr_un, sun_path);

    if (size < offsetof(struct sockaddr_un, sun_path) || size > sizeof(*un))
        return -EINVAL;
    if (un->sun_family != AF_UNIX)
        return -EINVAL;
    *name = un->sun_path;
    *name_size =
        room > 0 && un->sun_path[0] ? strnlen(un->sun_path, room) : room;
    return 0;
}

static struct unix_socket *name_find(const char *name, size_t size)
{
    list_for_each (item, &names) {
        struct unix_socket *s = container_of(item, struct unix_socket, bound);

        if (s->name_size == size && memcmp(s->name, name, size) == 0)
            return s;
    }
    return NULL;
}

int unix_find(const void *address, unsigned size, struct unix_socket **out)
{
    const char *name;
    size_t name_size;
    int result = name_of(address, size, &name, &name_size);

    if (result != 0)
        return result;
    if (name_size == 0)
        return -EINVAL;
    *out = name_find(name, name_size);
    if (*out)
        return 0;
    return name[0] ? -ENOENT : -ECONNREFUSED;
}

static void name_set(struct unix_socket *s, const char *name, size_t size)
{
    memcpy(s->name, name, size);
    s->name_size = size;
    list_append(&names, &s->bound);
}

/* Linux: an abstract name of five hexadecimal digits. */
static int autobind(struct unix_socket *s)
{
    char name[8];

    for (unsigned tries = 0; tries < 1u << 20; tries++) {
        core_format(name + 1, sizeof(name) - 1, "%05x",
                    net_random32() & 0xfffff);
        name[0] = '\0';
        if (!name_find(name, 6)) {
            name_set(s, name, 6);
            return 0;
        }
    }
    return -ENOSPC;
}

static int unix_bind(struct file *file, const void *address, unsigned size)
{
    struct unix_socket *s = unix_of(file);
    const char *name;
    size_t name_size;
    int result = name_of(address, size, &name, &name_size);

    if (result != 0)
        return result;
    if (s->name_size)
        return -EINVAL;
    if (name_size == 0)
        return autobind(s);
    if (name_find(name, name_size))
        return -EADDRINUSE;
    name_set(s, name, name_size);
    return 0;
}

static int name_out(const struct unix_socket *s, void *address)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    size_t size = s ? s->name_size : 0;

    if (size)
        memcpy(un.sun_path, s->name, size);
    size += offsetof(struct sockaddr_un, sun_path);
    /* A path is told with its end, if there is room for it. */
    if (s && s->name_size && s->name[0] && size < sizeof(un))
        size++;
    memcpy(address, &un, size);
    return (int)size;
}

static int unix_getsockname(struct file *file, void *address)
{
    return name_out(unix_of(file), address);
}

static int unix_getpeername(struct file *file, void *address)
{
    struct unix_socket *s = unix_of(file);

    if (!s->peer)
        return -ENOTCONN;
    /* An accepted end has its listener's name, on its behalf. */
    return name_out(s->peer, address);
}

/* -- connections -- */

static int unix_listen(struct file *file, int backlog)
{
    struct unix_socket *s = unix_of(file);

    if (unix_is_datagram(s))
        return -EOPNOTSUPP;
    if (!s->name_size || s->state == UNIX_CONNECTED)
        return -EINVAL;
    s->state = UNIX_LISTENING;
    s->backlog = (unsigned)backlog;
    return 0;
}

static int connect_datagram(struct unix_socket *s, const void *address,
                            unsigned size)
{
    struct unix_socket *to;
    sa_family_t family;
    int result;

    if (size < sizeof(family))
        return -EINVAL;
    memcpy(&family, address, sizeof(family));
    if (family == AF_UNSPEC) {
        list_remove(&s->point);
        s->peer = NULL;
        return 0;
    }
    result = unix_find(address, size, &to);
    if (result != 0)
        return result;
    if (!unix_is_datagram(to))
        return -EPROTOTYPE;
    point_at(s, to);
    return 0;
}

/* A listener with room in its queue; waits for the room. */
static int listener_find(struct file *file, const void *address, unsigned size,
                         struct unix_socket **out)
{
    struct unix_socket *s = unix_of(file);
    uint64_t deadline = net_send_deadline(file, 0, &s->socket);
    struct unix_socket *to;
    int result;

    for (;;) {
        result = unix_find(address, size, &to);
        if (result != 0)
            return result;
        if (to->socket.type != s->socket.type)
            return -EPROTOTYPE;
        if (to->state != UNIX_LISTENING || to->socket.shut_read)
            return -ECONNREFUSED;
        if (to->queue_count <= to->backlog) {
            *out = to;
            return 0;
        }
        result = net_socket_wait(&to->socket, deadline);
        if (result != 0)
            return result;
    }
}

static int unix_connect(struct file *file, const void *address, unsigned size)
{
    struct unix_socket *s = unix_of(file), *listener, *end;
    int result;

    if (unix_is_datagram(s))
        return connect_datagram(s, address, size);
    if (s->state == UNIX_CONNECTED)
        return -EISCONN;
    if (s->state == UNIX_LISTENING)
        return -EINVAL;
    result = listener_find(file, address, size, &listener);
    if (result != 0)
        return result;
    end = unix_new(s->socket.type);
    if (!end)
        return -ENOBUFS;
    memcpy(end->name, listener->name, listener->name_size);
    end->name_size = listener->name_size;
    point_at(s, end);
    point_at(end, s);
    end->listener = listener;
    list_append(&listener->queue, &end->node);
    listener->queue_count++;
    unix_wake(listener, POLLIN | POLLRDNORM);
    return 0;
}

static struct file *unix_accept(struct file *file, int flags, int *error)
{
    struct unix_socket *s = unix_of(file), *end;
    uint64_t deadline = net_receive_deadline(file, 0, &s->socket);
    struct file *accepted;

    if (unix_is_datagram(s)) {
        *error = -EOPNOTSUPP;
        return NULL;
    }
    for (;;) {
        if (s->state != UNIX_LISTENING || s->socket.shut_read) {
            *error = -EINVAL;
            return NULL;
        }
        if (!list_empty(&s->queue))
            break;
        *error = net_socket_wait(&s->socket, deadline);
        if (*error != 0)
            return NULL;
    }
    end = container_of(s->queue.next, struct unix_socket, node);
    accepted = file_new(&unix_ops,
                        O_RDWR | (flags & SOCK_NONBLOCK ? O_NONBLOCK : 0), end);
    if (!accepted) {
        *error = file_new_error();
        return NULL;
    }
    list_remove(&end->node);
    end->listener = NULL;
    s->queue_count--;
    unix_wake(s, POLLOUT); /* who waits in connect */
    return accepted;
}

static int unix_shutdown(struct file *file, int how)
{
    struct unix_socket *s = unix_of(file);
    uint32_t events = POLLIN | POLLOUT | POLLRDHUP | POLLHUP;

    if (s->state == UNIX_LISTENING) {
        if (how != SHUT_WR)
            s->socket.shut_read = true;
        unix_wake(s, events);
        return 0;
    }
    if (!s->had_peer)
        return -ENOTCONN;
    if (how != SHUT_WR) {
        s->socket.shut_read = true;
        if (s->peer && !unix_is_datagram(s))
            s->peer->socket.shut_write = true;
    }
    if (how != SHUT_RD) {
        s->socket.shut_write = true;
        if (s->peer && !unix_is_datagram(s))
            s->peer->socket.shut_read = true;
    }
    unix_wake(s, events);
    if (s->peer)
        unix_wake(s->peer, events);
    return 0;
}

/* -- options -- */

static int unix_setsockopt(struct file *file, int level, int name,
                           const void *value, unsigned size)
{
    if (level != SOL_SOCKET)
        return -EOPNOTSUPP;
    return net_option_set(&unix_of(file)->socket, level, name, value, size);
}

static int unix_getsockopt(struct file *file, int level, int name, void *value,
                           unsigned *size)
{
    struct unix_socket *s = unix_of(file);
    struct ucred none = {0, (uid_t)-1, (gid_t)-1}, self = {0};

    if (level != SOL_SOCKET)
        return -EOPNOTSUPP;
    if (name == SO_ACCEPTCONN)
        return net_option_put(value, size, s->state == UNIX_LISTENING);
    if (name == SO_PEERCRED) {
        self.pid = (pid_t)core_getpid();
        if (*size > sizeof(self))
            *size = sizeof(self);
        memcpy(value, s->had_peer || s->state == UNIX_LISTENING ? &self : &none,
               *size);
        return 0;
    }
    return net_option_get(&s->socket, level, name, value, size);
}

static const struct socket_ops unix_socket_ops = {
    .bind = unix_bind,
    .connect = unix_connect,
    .listen = unix_listen,
    .accept = unix_accept,
    .getsockname = unix_getsockname,
    .getpeername = unix_getpeername,
    .shutdown = unix_shutdown,
    .setsockopt = unix_setsockopt,
    .getsockopt = unix_getsockopt,
    .sendmsg = unix_sendmsg,
    .recvmsg = unix_recvmsg,
};

static const struct file_ops unix_ops = {
    .name = "socket:[unix]",
    .readv = unix_readv,
    .writev = unix_writev,
    .poll = unix_poll,
    .ioctl = unix_ioctl,
    .stat = net_socket_stat,
    .socket = &unix_socket_ops,
    .release = unix_release,
};

static bool unix_has(int domain)
{
    return domain == AF_UNIX;
}

struct net_provider net_provider_unix = {.name = "unix",
                                         .has = unix_has,
                                         .create = unix_create,
                                         .create_pair = unix_create_pair};
