/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets of a provider: how they come and go, and what the provider says of
 * them. halvm/net.h is the contract.
 *
 * A socket has two who hold it: the application, as long as it has a
 * descriptor, or accept may give it one (application); and the provider, until
 * halvm_net_close, or halvm_service_end (provider_fd). The second to go takes
 * it out of its owner's list, under the same hold of net_lock, and frees it.
 * The object's reference count (descriptor.h) is the application's alone.
 *
 * A service's lock is taken with net_lock held, never the other way.
 */
#include "reroute/net.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

pthread_mutex_t net_lock = PTHREAD_MUTEX_INITIALIZER;

struct net_service *net_installed;

/* -- writable or not: while it connects, its buffer is full -- */

#define SEND_BUFFER 106496 /* as setsockopt takes it; Linux's default */

/* What the application asked for, if it did. */
static int send_buffer(const struct net_socket *s)
{
    int size = SEND_BUFFER;

    for (unsigned i = 0; i < s->option_count; i++)
        if (s->options[i].level == SOL_SOCKET &&
            s->options[i].name == SO_SNDBUF)
            memcpy(&size, s->options[i].value, sizeof size);
    return size;
}

/* The smallest buffer there is: it is memory, with junk in it. */
void net_fill(struct net_socket *s, int fd, bool connects)
{
    static const char junk[4096];
    const int least = 0;
    ssize_t sent;

    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    for (size_t size = sizeof junk; size > 0; size /= 16)
        while ((sent = send(fd, junk, size, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
            s->filled += (size_t)sent;
    if (connects && s->own_fd < 0)
        s->own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void close_own(struct net_socket *s)
{
    if (s->own_fd >= 0)
        close(s->own_fd);
    s->own_fd = -1;
}

void net_drain(struct net_socket *s)
{
    int size = send_buffer(s);
    char junk[4096];
    ssize_t got = 1;

    setsockopt(s->own_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    close_own(s);
    while (s->filled > 0 && got > 0) {
        got = recv(s->provider_fd, junk,
                   s->filled < sizeof junk ? s->filled : sizeof junk,
                   MSG_DONTWAIT);
        if (got > 0)
            s->filled -= (size_t)got;
    }
}

/* -- sockets -- */

int net_post(struct net_socket *s, int kind, int64_t first, int64_t second,
             const void *data, size_t size)
{
    struct halvm_event event = {.kind = kind,
                                .fd = s->provider_fd,
                                .id = s->id,
                                .number = {first, second}};

    return service_post(s->owner->service, &event, data, size);
}

struct net_socket *net_find(struct halvm_service *service, uint64_t id)
{
    for (struct net_service *owner = net_installed; owner;
         owner = owner->next) {
        if (owner->service != service)
            continue;
        for (struct net_socket *s = owner->sockets; s; s = s->next)
            if (s->id == id && s->provider_fd >= 0)
                return s;
    }
    return NULL;
}

static void owner_put(struct net_service *owner)
{
    if (__atomic_sub_fetch(&owner->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    service_unref(owner->service);
    free(owner->addresses);
    free(owner);
}

/* The provider's end is closed, once; with the lock. */
static void close_provider(struct net_socket *s)
{
    close_own(s);
    if (s->provider_fd >= 0)
        close(s->provider_fd);
    s->provider_fd = -1;
}

/* Frees it if neither the application nor the provider has it any more; with
 * the lock. */
static void free_unheld(struct net_socket *s)
{
    struct net_service *owner = s->owner;
    struct net_socket **at = &owner->sockets;

    if (s->application || s->provider_fd >= 0)
        return;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    owner->count--;
    free(s->closing);
    free(s->options);
    free(s);
    owner_put(owner);
}

/* The application has it no more, and the provider hears of it; with the lock,
 * as its answer may free the socket. One that has ended does not hear it: the
 * socket then goes with the service. */
static void let_go(struct net_socket *s)
{
    s->application = false;
    close_own(s);
    if (s->provider_fd >= 0 &&
        service_post_event(s->owner->service, s->closing) == 0)
        s->closing = NULL;
    free_unheld(s);
}

/* The last descriptor is closed (descriptor.c). Connections that nobody
 * accepted go with their listener. */
static void release(struct object *object)
{
    struct net_socket *s = (struct net_socket *)object;
    struct net_waiting *waiting, *next;

    pthread_mutex_lock(&net_lock);
    for (waiting = s->queue; waiting; waiting = next) {
        next = waiting->next;
        close(waiting->fd);
        let_go(waiting->socket);
        free(waiting);
    }
    let_go(s);
    pthread_mutex_unlock(&net_lock);
}

static long call(struct object *object, int fd, const struct halvm_call *call);

const struct object_ops net_ops = {.call = call, .release = release};

int net_create(struct net_service *owner, int domain, int type, int protocol,
               int flags, struct net_socket **out, int *fd)
{
    static uint64_t last_id; /* of all services: one that comes later may have
                                the address of one that is gone */
    struct halvm_event closing = {.kind = HALVM_NET_CLOSE};
    int pair[2], kind = type == SOCK_STREAM ? SOCK_STREAM : SOCK_SEQPACKET;
    int result = -ENOBUFS;
    struct net_socket *s = calloc(1, sizeof *s);

    if (!s)
        return result;
    s->closing = service_event_new(&closing, NULL, 0);
    if (s->closing && owner->count >= NET_SOCKETS_MAX)
        result = -ENFILE;
    else if (s->closing)
        result = object_result(
            socketpair(AF_UNIX, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair));
    if (result < 0) {
        free(s->closing);
        free(s);
        return result;
    }
    if (!(flags & SOCK_NONBLOCK))
        fcntl(pair[0], F_SETFL, 0);
    if (!(flags & SOCK_CLOEXEC))
        fcntl(pair[0], F_SETFD, 0);
    s->object.ops = &net_ops;
    s->object.references = 1;
    s->owner = owner;
    s->domain = domain;
    s->type = type;
    s->protocol = protocol;
    s->provider_fd = pair[1];
    s->own_fd = -1;
    s->application = true;
    s->queue_last = &s->queue;
    __atomic_fetch_add(&owner->references, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&net_lock);
    s->id = ++last_id;
    s->closing->event.id = s->id;
    s->closing->event.fd = s->provider_fd;
    s->next = owner->sockets;
    owner->sockets = s;
    owner->count++;
    pthread_mutex_unlock(&net_lock);
    *out = s;
    *fd = pair[0];
    return 0;
}

void net_discard(struct net_socket *s, int fd)
{
    close(fd);
    pthread_mutex_lock(&net_lock);
    if (s->phase == NET_NEW) /* the provider does not know its end */
        close_provider(s);
    let_go(s);
    pthread_mutex_unlock(&net_lock);
}

bool net_may_wait(struct net_socket *s, int fd, int flags)
{
    if (flags & MSG_DONTWAIT)
        return false;
    return !(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

int net_take_error(struct net_socket *s)
{
    return -__atomic_exchange_n(&s->error, 0, __ATOMIC_ACQ_REL);
}

/* -- calls -- */

static long shut(struct net_socket *s, const struct halvm_call *call)
{
    int how = (int)call->args[1];

    if ((unsigned)how > SHUT_RDWR)
        return -EINVAL;
    if (s->phase == NET_LISTENING)
        return 0;
    if (s->phase != NET_CONNECTED)
        return -ENOTCONN;
    return halvm_call_previous(call);
}

static long call(struct object *object, int fd, const struct halvm_call *call)
{
    struct net_socket *s = (struct net_socket *)object;
    void *pointer = (void *)call->args[1];
    socklen_t *size = (socklen_t *)call->args[2];

    switch (call->number) {
    case SYS_bind:
        return net_bind(s, pointer, (socklen_t)call->args[2]);
    case SYS_connect:
        return net_connect(s, fd, pointer, (socklen_t)call->args[2]);
    case SYS_listen:
        return net_listen(s, fd, (int)call->args[1]);
    case SYS_accept:
        return net_accept(s, fd, pointer, size, 0);
    case SYS_accept4:
        return net_accept(s, fd, pointer, size, (int)call->args[3]);
    case SYS_getsockname:
        return net_get_name(s, false, pointer, size);
    case SYS_getpeername:
        return net_get_name(s, true, pointer, size);
    case SYS_setsockopt:
        return net_option_set(s, call);
    case SYS_getsockopt:
        return net_option_get(s, call);
    case SYS_shutdown:
        return shut(s, call);
    default:
        return net_transfer(s, fd, call);
    }
}

/* socket(2) of one of the domains. */
static HALVM_HANDLER(on_socket)
{
    struct net_service *owner = context;
    int domain = (int)call->args[0], type = (int)call->args[1] & 0xf;
    int flags = (int)call->args[1] & (SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct net_socket *s;
    int fd, result;
    bool ours = false;

    for (int i = 0; i < owner->domain_count; i++)
        ours = ours || owner->domains[i] == domain;
    if (!ours || owner->service->ended)
        return halvm_call_previous(call);
    if (((int)call->args[1] & ~0xf) != flags)
        return -EINVAL;
    if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_RAW)
        return -ESOCKTNOSUPPORT;
    result =
        net_create(owner, domain, type, (int)call->args[2], flags, &s, &fd);
    if (result < 0)
        return result;
    result = object_install(fd, &s->object);
    if (result == 0) {
        struct halvm_event event = {.kind = HALVM_NET_OPEN,
                                    .fd = s->provider_fd,
                                    .id = s->id,
                                    .number = {domain, type, s->protocol}};
        result = service_post(owner->service, &event, NULL, 0);
        if (result == 0)
            return fd;
        object_install(fd, NULL);
    }
    net_discard(s, fd);
    return result;
}

/* -- installation -- */

/* The service has ended: every socket fails. The provider's ends stay open, as
 * it may be using their numbers. */
static void ended(struct service_client *client)
{
    struct net_service *owner = (struct net_service *)client;

    pthread_mutex_lock(&net_lock);
    for (struct net_socket *s = owner->sockets; s; s = s->next) {
        s->error = ENETDOWN;
        s->broken = true;
        s->phase = NET_ENDED;
        service_wake(&s->phase);
        close_own(s);
        if (s->provider_fd >= 0)
            shutdown(s->provider_fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&net_lock);
    if (halvm_reroute_end(owner->registration) != 0)
        /* Threads may still be in it (-EDEADLK): these bytes stay. */
        __atomic_fetch_add(&owner->references, 1, __ATOMIC_RELAXED);
}

/* The provider has done with all of them. */
static void given_back(struct service_client *client)
{
    struct net_service *owner = (struct net_service *)client;

    pthread_mutex_lock(&net_lock);
    for (struct net_socket *s = owner->sockets, *next; s; s = next) {
        next = s->next;
        close_provider(s);
        free_unheld(s);
    }
    for (struct net_service **at = &net_installed; *at; at = &(*at)->next)
        if (*at == owner) {
            *at = owner->next;
            break;
        }
    pthread_mutex_unlock(&net_lock);
    owner_put(owner);
}

int halvm_net_install(struct halvm_service *service, const int domains[],
                      int count)
{
    struct net_service *owner;
    int result;

    if (count < 1 || count > NET_DOMAINS_MAX)
        return -EINVAL;
    result = object_start();
    if (result < 0)
        return result;
    owner = calloc(1, sizeof *owner);
    if (!owner)
        return -ENOMEM;
    owner->client.ended = ended;
    owner->client.given_back = given_back;
    owner->service = service;
    owner->references = 1;
    memcpy(owner->domains, domains, (size_t)count * sizeof domains[0]);
    owner->domain_count = count;
    service_ref(service);
    pthread_mutex_lock(&net_lock);
    owner->next = net_installed;
    net_installed = owner;
    pthread_mutex_unlock(&net_lock);
    if (service->owner)
        net_wait_start();
    owner->registration = halvm_reroute(SYS_socket, on_socket, owner);
    result = owner->registration < 0
                 ? (int)owner->registration
                 : service_client_add(service, &owner->client);
    if (result < 0) {
        if (owner->registration > 0)
            ended(&owner->client);
        given_back(&owner->client);
    }
    return result;
}

int halvm_net_addresses(struct halvm_service *service, const void *addresses,
                        size_t size)
{
    struct net_service *owner;
    unsigned char *copy = malloc(size + 1), *old = NULL;
    int result = -EINVAL;

    if (!copy)
        return -ENOMEM;
    memcpy(copy, addresses, size);
    pthread_mutex_lock(&net_lock);
    for (owner = net_installed; owner && owner->service != service;
         owner = owner->next)
        ;
    if (owner) {
        old = owner->addresses;
        owner->addresses = copy;
        owner->addresses_size = size;
        result = 0;
    }
    pthread_mutex_unlock(&net_lock);
    free(owner ? old : copy);
    return result;
}

/* -- what the provider says -- */

static int settle(struct halvm_service *service, uint64_t id, int error)
{
    struct net_socket *s;
    int result = -ESRCH;

    pthread_mutex_lock(&net_lock);
    s = net_find(service, id);
    if (s) {
        result = -EINVAL;
        if (s->phase == NET_CONNECTING) {
            s->error = error;
            s->phase = error ? NET_NEW : NET_CONNECTED;
            net_drain(s);
            service_wake(&s->phase);
            result = 0;
        }
    }
    pthread_mutex_unlock(&net_lock);
    return result;
}

int halvm_net_connected(struct halvm_service *service, uint64_t id)
{
    return settle(service, id, 0);
}

int halvm_net_failed(struct halvm_service *service, uint64_t id, int error)
{
    if (error <= 0 || error > 4095)
        return -EINVAL;
    return settle(service, id, error);
}

int halvm_net_broken(struct halvm_service *service, uint64_t id, int error)
{
    struct net_socket *s;
    int result = -ESRCH;

    if (error <= 0 || error > 4095)
        return -EINVAL;
    pthread_mutex_lock(&net_lock);
    s = net_find(service, id);
    if (s) {
        result = -EINVAL;
        if (s->phase == NET_NEW || s->phase == NET_CONNECTED ||
            s->phase == NET_LISTENING) {
            s->error = error;
            s->broken = true;
            shutdown(s->provider_fd, SHUT_RDWR);
            result = 0;
        }
    }
    pthread_mutex_unlock(&net_lock);
    return result;
}

int halvm_net_close(struct halvm_service *service, uint64_t id)
{
    struct net_socket *s;
    int result = -ESRCH;

    pthread_mutex_lock(&net_lock);
    s = net_find(service, id);
    if (s) {
        if (s->phase == NET_CONNECTING) {
            s->error = ECONNABORTED;
            s->phase = NET_ENDED;
            service_wake(&s->phase);
        }
        close_provider(s);
        free_unheld(s);
        result = 0;
    }
    pthread_mutex_unlock(&net_lock);
    return result;
}

static int queue_connection(struct net_socket *listener, struct net_socket *s,
                            int fd)
{
    struct net_waiting *waiting = malloc(sizeof *waiting);

    if (!waiting)
        return -ENOBUFS;
    /* What accept reads, and poll sees. So many fit, whatever the backlog. */
    if (send(listener->provider_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) {
        free(waiting);
        return -ECONNREFUSED;
    }
    waiting->socket = s;
    waiting->fd = fd;
    waiting->next = NULL;
    if (!listener->queue)
        listener->queue_last = &listener->queue;
    *listener->queue_last = waiting;
    listener->queue_last = &waiting->next;
    listener->queue_count++;
    return 0;
}

int halvm_net_incoming(struct halvm_service *service, uint64_t listener_id,
                       const void *remote, size_t remote_size,
                       const void *local, size_t local_size,
                       uint64_t *connection)
{
    struct net_socket *listener, *s;
    struct net_service *owner = NULL;
    int fd, domain = 0, result = -ESRCH;

    if (remote_size > HALVM_NET_ADDRESS_SIZE ||
        local_size > HALVM_NET_ADDRESS_SIZE)
        return -EINVAL;
    pthread_mutex_lock(&net_lock);
    listener = net_find(service, listener_id);
    if (listener) {
        owner = listener->owner;
        domain = listener->domain;
        result = listener->phase != NET_LISTENING             ? -EINVAL
                 : listener->queue_count >= listener->backlog ? -ECONNREFUSED
                                                              : 0;
    }
    pthread_mutex_unlock(&net_lock);
    if (result == 0)
        result = net_create(owner, domain, SOCK_STREAM, 0, 0, &s, &fd);
    if (result < 0)
        return result;
    memcpy(s->remote.data, remote, remote_size);
    s->remote.size = (unsigned)remote_size;
    memcpy(s->local.data, local, local_size);
    s->local.size = (unsigned)local_size;
    *connection = s->id;
    pthread_mutex_lock(&net_lock);
    result = net_find(service, listener_id) == listener &&
                     listener->application && listener->phase == NET_LISTENING
                 ? queue_connection(listener, s, fd)
                 : -ESRCH;
    if (result == 0) {
        s->phase = NET_CONNECTED;
        result = s->provider_fd;
    }
    pthread_mutex_unlock(&net_lock);
    if (result < 0)
        net_discard(s, fd);
    return result;
}
