/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets of a provider: bind, connect, listen, accept, and the names. All is
 * answered here, from the addresses that the provider has told and the ports
 * of its sockets; the provider hears of it.
 *
 * AF_INET and AF_INET6 addresses are understood; those of other families are
 * passed on and compared, byte for byte.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reroute/net.h"

#define PORT_FIRST 49152 /* IANA's ephemeral range, to its end */
#define PORT_COUNT 16384

_Static_assert(offsetof(struct sockaddr_in, sin_port) ==
                   offsetof(struct sockaddr_in6, sin6_port),
               "one place for both");

static bool is_inet(int domain)
{
    return domain == AF_INET || domain == AF_INET6;
}

static uint16_t *port_of(struct net_address *address)
{
    return (uint16_t *)(void *)(address->data +
                                offsetof(struct sockaddr_in, sin_port));
}

/* Where the address itself is, and how long it is. */
static const void *host_of(const void *address, int domain, size_t *size)
{
    *size = domain == AF_INET ? 4 : 16;
    return (const char *)address +
           (domain == AF_INET ? offsetof(struct sockaddr_in, sin_addr)
                              : offsetof(struct sockaddr_in6, sin6_addr));
}

static size_t address_size(int domain)
{
    return domain == AF_INET ? sizeof(struct sockaddr_in)
                             : sizeof(struct sockaddr_in6);
}

static bool is_any(const void *address, int domain)
{
    static const char zero[16];
    size_t size;
    const void *host = host_of(address, domain, &size);

    return memcmp(host, zero, size) == 0;
}

/* All of a struct sockaddr_storage, as Linux takes it, of which an address of
 * the internet has no more than the beginning. */
int net_check_address(const struct net_socket *s, const void *address,
                      size_t size, struct net_address *out)
{
    sa_family_t family;

    if (size > sizeof(struct sockaddr_storage) ||
        (size > HALVM_NET_ADDRESS_SIZE && !is_inet(s->domain)))
        return -EINVAL;
    if (size > HALVM_NET_ADDRESS_SIZE)
        size = HALVM_NET_ADDRESS_SIZE;
    memset(out->data, 0, sizeof out->data);
    if (halvm_copy_in(out->data, address, size) < 0)
        return -EFAULT;
    if (size < sizeof family)
        return -EINVAL;
    memcpy(&family, out->data, sizeof family);
    if (is_inet(s->domain)) {
        size_t least = s->domain == AF_INET ? sizeof(struct sockaddr_in) : 24;
        if (size < least)
            return -EINVAL;
    }
    if (family != s->domain)
        return -EAFNOSUPPORT;
    out->size =
        is_inet(s->domain) ? (unsigned)address_size(s->domain) : (unsigned)size;
    return 0;
}

/* How far an address reaches (RFC 4007). */
enum scope { SCOPE_HOST, SCOPE_LINK, SCOPE_WIDE, SCOPE_MAPPED, SCOPE_ANY };

static enum scope scope_of(const void *address, int domain)
{
    static const unsigned char one[16] = {[15] = 1};
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    size_t size;
    const unsigned char *host = host_of(address, domain, &size);

    if (domain == AF_INET)
        return host[0] == 127                     ? SCOPE_HOST
               : host[0] == 169 && host[1] == 254 ? SCOPE_LINK
                                                  : SCOPE_WIDE;
    if (memcmp(host, one, sizeof one) == 0)
        return SCOPE_HOST;
    if (memcmp(host, mapped, sizeof mapped) == 0)
        return SCOPE_MAPPED;
    return host[0] == 0xfe && (host[1] & 0xc0) == 0x80 ? SCOPE_LINK
                                                       : SCOPE_WIDE;
}

/* The first address of the domain, with this scope, that the provider has
 * told; if same is given, the one that is the same. With the lock. */
static const void *told(const struct net_service *owner, int domain,
                        enum scope scope, const void *same)
{
    size_t at = 0, size;

    while (at + sizeof(struct sockaddr_in) <= owner->addresses_size) {
        const unsigned char *address = owner->addresses + at;
        sa_family_t family;

        memcpy(&family, address, sizeof family);
        if (!is_inet(family))
            return NULL; /* garbage: the rest cannot be told apart */
        at += address_size(family);
        if (family != domain || at > owner->addresses_size ||
            (scope != SCOPE_ANY && scope_of(address, domain) != scope))
            continue;
        const void *host = host_of(address, domain, &size);
        size_t same_size;
        if (!same || memcmp(host, host_of(same, domain, &same_size), size) == 0)
            return address;
    }
    return NULL;
}

static bool share(const struct net_socket *a, const struct net_socket *b)
{
    if (a->reuse_port && b->reuse_port)
        return true;
    return a->reuse_address && b->reuse_address && a->phase != NET_LISTENING &&
           b->phase != NET_LISTENING;
}

/* Whether another socket has the port at this address. With the lock. */
static bool in_use(const struct net_socket *s, struct net_address *address)
{
    for (struct net_socket *other = s->owner->sockets; other;
         other = other->next) {
        if (other == s || other->type != s->type ||
            other->domain != s->domain || !other->bound || share(s, other))
            continue;
        if (!is_inet(s->domain)) {
            if (other->local.size == address->size &&
                memcmp(other->local.data, address->data, address->size) == 0)
                return true;
            continue;
        }
        size_t size;
        const void *host = host_of(address->data, s->domain, &size);
        if (*port_of(&other->local) == *port_of(address) &&
            (is_any(address->data, s->domain) ||
             is_any(other->local.data, s->domain) ||
             memcmp(host, host_of(other->local.data, s->domain, &size), size) ==
                 0))
            return true;
    }
    return false;
}

static int pick_port(struct net_socket *s, struct net_address *address)
{
    for (int tries = 0; tries < PORT_COUNT; tries++) {
        *port_of(address) =
            htons((uint16_t)(PORT_FIRST + s->owner->next_port++ % PORT_COUNT));
        if (!in_use(s, address))
            return 0;
    }
    return -EADDRINUSE;
}

/* With the lock. */
static int take_name(struct net_socket *s, struct net_address *address)
{
    if (is_inet(s->domain) && *port_of(address) == 0) {
        int result = pick_port(s, address);
        if (result < 0)
            return result;
    } else if (in_use(s, address)) {
        return -EADDRINUSE;
    }
    s->local = *address;
    s->bound = true;
    return 0;
}

int net_bind_any(struct net_socket *s)
{
    struct net_address any = {0};
    sa_family_t family = (sa_family_t)s->domain;

    if (s->bound || !is_inet(s->domain))
        return 0;
    memcpy(any.data, &family, sizeof family);
    any.size = (unsigned)address_size(s->domain);
    return take_name(s, &any);
}

long net_bind(struct net_socket *s, const void *address, size_t size)
{
    struct net_address local;
    int result = net_check_address(s, address, size, &local);

    if (result < 0)
        return result;
    pthread_mutex_lock(&net_lock);
    if (s->phase == NET_ENDED)
        result = -ENETDOWN;
    else if (s->bound || s->phase != NET_NEW)
        result = -EINVAL;
    else if (is_inet(s->domain) && s->owner->addresses_size > 0 &&
             !is_any(local.data, s->domain) &&
             !told(s->owner, s->domain, SCOPE_ANY, local.data))
        result = -EADDRNOTAVAIL;
    else
        result = take_name(s, &local);
    pthread_mutex_unlock(&net_lock);
    if (result == 0)
        result =
            net_post(s, HALVM_NET_BIND, 0, 0, s->local.data, s->local.size);
    return result;
}

/* The address that a connection leaves from, if bind left it open: one that
 * reaches as far as the peer's, or it stays open. */
static void choose_source(struct net_socket *s, const void *peer)
{
    const void *source =
        told(s->owner, s->domain, scope_of(peer, s->domain), NULL);
    size_t size;

    if (!source || !is_any(s->local.data, s->domain))
        return;
    const void *host = host_of(source, s->domain, &size);
    memcpy(s->local.data + ((const char *)host - (const char *)source), host,
           size);
}

static int post_connect(struct net_socket *s)
{
    unsigned char both[2 * HALVM_NET_ADDRESS_SIZE];

    memcpy(both, s->remote.data, s->remote.size);
    memcpy(both + s->remote.size, s->local.data, s->local.size);
    return net_post(s, HALVM_NET_CONNECT, (int64_t)s->remote.size, 0, both,
                    s->remote.size + s->local.size);
}

/* AF_UNSPEC: a datagram socket loses its peer. */
static long disconnect(struct net_socket *s)
{
    if (net_is_stream(s))
        return -EAFNOSUPPORT;
    pthread_mutex_lock(&net_lock);
    s->remote.size = 0;
    s->phase = NET_NEW;
    pthread_mutex_unlock(&net_lock);
    return 0;
}

static int begin_connect(struct net_socket *s, int fd,
                         const struct net_address *remote)
{
    int result;

    switch (net_is_stream(s) ? s->phase : NET_NEW) {
    case NET_NEW:
        if (s->broken) /* its pair is shut down */
            return s->error ? net_take_error(s) : -EINVAL;
        break;
    case NET_CONNECTING:
        return -EALREADY;
    case NET_ENDED:
        return -ENETDOWN;
    default:
        return -EISCONN;
    }
    result = net_bind_any(s);
    if (result < 0)
        return result == -EADDRINUSE ? -EADDRNOTAVAIL : result;
    if (is_inet(s->domain))
        choose_source(s, remote->data);
    s->remote = *remote;
    if (net_is_stream(s)) {
        net_fill(s, fd, true);
        s->error = 0;
        s->phase = NET_CONNECTING;
    } else {
        s->phase = NET_CONNECTED;
    }
    return 0;
}

static long wait_connected(struct net_socket *s)
{
    long result = service_wait(s->owner->service);

    if (result == -EAGAIN)
        return -EINPROGRESS;
    if (result < 0)
        return result;
    result = service_sleep(&s->phase, NET_CONNECTING);
    service_waited(s->owner->service);
    if (result < 0)
        return result;
    if (s->phase == NET_ENDED)
        return -ENETDOWN;
    /* One that is broken again already says so when it is read. */
    return s->phase == NET_CONNECTED ? 0 : net_take_error(s);
}

long net_connect(struct net_socket *s, int fd, const void *address, size_t size)
{
    struct net_address remote;
    sa_family_t family = AF_UNSPEC;
    long result;

    if (size >= sizeof family &&
        halvm_copy_in(&family, address, sizeof family) < 0)
        return -EFAULT;
    if (family == AF_UNSPEC && size >= sizeof family)
        return disconnect(s);
    result = net_check_address(s, address, size, &remote);
    if (result < 0)
        return result;
    pthread_mutex_lock(&net_lock);
    result = begin_connect(s, fd, &remote);
    pthread_mutex_unlock(&net_lock);
    if (result == 0) {
        result = post_connect(s);
        if (result < 0 && net_is_stream(s)) {
            halvm_net_failed(s->owner->service, s->id, (int)-result);
            net_take_error(s);
        }
        if (result == 0 && net_is_stream(s))
            result = -EINPROGRESS;
    }
    /* A second call for one that was interrupted waits for it, too. */
    if ((result == -EINPROGRESS || result == -EALREADY) &&
        net_may_wait(s, fd, 0))
        result = wait_connected(s);
    return result;
}

long net_listen(struct net_socket *s, int fd, int backlog)
{
    int result = 0;
    bool first;

    if (!net_is_stream(s))
        return -EOPNOTSUPP;
    if (backlog < 1)
        backlog = backlog < 0 ? NET_BACKLOG_MAX : 1;
    if (backlog > NET_BACKLOG_MAX)
        backlog = NET_BACKLOG_MAX;
    pthread_mutex_lock(&net_lock);
    first = s->phase == NET_NEW;
    if (s->phase == NET_ENDED)
        result = -ENETDOWN;
    else if (!first && s->phase != NET_LISTENING)
        result = -EINVAL;
    else if (s->broken)
        result = s->error ? net_take_error(s) : -EINVAL;
    else
        result = net_bind_any(s);
    if (result == 0) {
        s->phase = NET_LISTENING;
        if (first && in_use(s, &s->local)) {
            s->phase = NET_NEW;
            result = -EADDRINUSE;
        }
    }
    if (result == 0) {
        s->backlog = (unsigned)backlog;
        if (first)
            net_fill(s, fd, false); /* a listening socket is never writable */
    }
    pthread_mutex_unlock(&net_lock);
    if (result == 0)
        result = net_post(s, HALVM_NET_LISTEN, backlog, 0, s->local.data,
                          s->local.size);
    return result;
}

/* Takes the wake-up of a connection: waits for it if the socket blocks. */
static long accept_token(struct net_socket *s, int fd)
{
    char token;
    long result = s->broken ? net_take_error(s) : 0;

    if (result < 0)
        return result;
    result = object_result(recv(fd, &token, 1, MSG_DONTWAIT));
    if (result == -EAGAIN && net_may_wait(s, fd, 0)) {
        result = service_wait(s->owner->service);
        if (result == 0) {
            result = object_result(recv(fd, &token, 1, 0));
            service_waited(s->owner->service);
        }
    }
    if (s->phase == NET_ENDED)
        return -ENETDOWN;
    if (result == 0) { /* the provider has closed its end, or broken it */
        result = net_take_error(s);
        return result < 0 ? result : -ENETDOWN;
    }
    return result;
}

long net_accept(struct net_socket *s, int fd, void *address, socklen_t *size,
                int flags)
{
    struct net_waiting *waiting;
    long result;
    int named = 0;

    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    if (!net_is_stream(s))
        return -EOPNOTSUPP;
    if (s->phase != NET_LISTENING)
        return s->phase == NET_ENDED ? -ENETDOWN : -EINVAL;
    result = accept_token(s, fd);
    if (result < 0)
        return result;
    pthread_mutex_lock(&net_lock);
    waiting = s->queue;
    if (waiting) {
        s->queue = waiting->next;
        s->queue_count--;
    }
    pthread_mutex_unlock(&net_lock);
    if (!waiting)
        return -EAGAIN;
    result = waiting->fd;
    /* It was made with neither flag, whoever accepts it being unknown. */
    if (flags & SOCK_NONBLOCK)
        fcntl(waiting->fd, F_SETFL, O_NONBLOCK);
    if (flags & SOCK_CLOEXEC)
        fcntl(waiting->fd, F_SETFD, FD_CLOEXEC);
    if (address)
        named = net_give_address(&waiting->socket->remote, address, size);
    if (named == 0 && object_install(waiting->fd, &waiting->socket->object) < 0)
        named = -ENFILE;
    if (named < 0) { /* the connection is lost, as with Linux */
        net_discard(waiting->socket, waiting->fd);
        result = named;
    }
    free(waiting);
    return result;
}

int net_give_address(const struct net_address *from, void *address,
                     socklen_t *size)
{
    socklen_t room;

    if (halvm_copy_in(&room, size, sizeof room) < 0)
        return -EFAULT;
    if ((int)room < 0)
        return -EINVAL;
    if (room > from->size)
        room = from->size;
    if (halvm_copy_out(address, from->data, room) < 0 ||
        halvm_copy_out(size, &from->size, sizeof *size) < 0)
        return -EFAULT;
    return 0;
}

long net_get_name(const struct net_socket *s, bool peer, void *address,
                  socklen_t *size)
{
    struct net_address name;
    sa_family_t family = (sa_family_t)s->domain;

    if (peer && (s->phase != NET_CONNECTED || s->remote.size == 0))
        return -ENOTCONN;
    name = peer ? s->remote : s->local;
    if (name.size == 0) { /* not bound yet */
        memcpy(name.data, &family, sizeof family);
        name.size = is_inet(s->domain) ? (unsigned)address_size(s->domain)
                                       : (unsigned)sizeof family;
    }
    return net_give_address(&name, address, size);
}
