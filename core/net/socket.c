/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * socket(2) and socketpair(2), the providers, and what all sockets share:
 * errors, waiting, SIGPIPE.
 *
 * The calls on a socket's descriptor are in core/file, which goes through
 * struct socket_ops.
 */
#include "core/net/socket.h"
#include "core/calls.h"
#include "core/net/provider.h"
#include "core/net/stack.h"
#include "core/time/time.h"

static struct net_provider *providers;

void net_provider_register(struct net_provider *provider)
{
    provider->next = providers;
    providers = provider;
}

/* A program without lwIP (stack.h) whose provider is not there yet, or no
 * more. */
static void say_no_stack(void)
{
    static bool said;

    if (!said)
        core_log("halvm: net: no IP sockets: lwIP was left out of this program "
                 "(-mhalvm-no-lwip), and no provider is installed\n");
    said = true;
}

static struct net_provider *provider_find(int domain)
{
    if (!providers) {
        net_provider_register(&net_provider_packet);
        net_provider_register(&net_provider_netlink);
        net_provider_register(&net_provider_unix);
        if (net_stack)
            net_provider_register(net_stack->provider);
    }
    for (struct net_provider *p = providers; p; p = p->next) {
        if (p->has(domain))
            return p;
    }
    if (!net_stack && (domain == AF_INET || domain == AF_INET6))
        say_no_stack();
    return NULL;
}

#define TYPE_MASK 0xf /* of SOCK_STREAM and its like; above are flags */

static bool type_valid(long type)
{
    return !(type & ~(long)(TYPE_MASK | SOCK_NONBLOCK | SOCK_CLOEXEC));
}

long core_socket(long domain, long type, long protocol)
{
    struct net_provider *provider;
    struct file *file;
    int result;

    if (!type_valid((int)type))
        return -EINVAL;
    provider = provider_find((int)domain);
    if (!provider)
        return -EAFNOSUPPORT;
    result = provider->create((int)domain, (int)type & TYPE_MASK, (int)protocol,
                              type & SOCK_NONBLOCK ? O_NONBLOCK : 0, &file);
    if (result != 0)
        return result;
    return file_install(file, 0, type & SOCK_CLOEXEC ? O_CLOEXEC : 0);
}

long core_socketpair(long domain, long type, long protocol, long user_fds)
{
    int flags = type & SOCK_CLOEXEC ? O_CLOEXEC : 0;
    struct net_provider *provider;
    struct file *files[2];
    int fds[2], result;

    if (!type_valid((int)type))
        return -EINVAL;
    provider = provider_find((int)domain);
    if (!provider)
        return -EAFNOSUPPORT;
    if (!provider->create_pair)
        return -EOPNOTSUPP;
    result =
        provider->create_pair((int)domain, (int)type & TYPE_MASK, (int)protocol,
                              type & SOCK_NONBLOCK ? O_NONBLOCK : 0, files);
    if (result != 0)
        return result;
    fds[0] = file_install(files[0], 0, flags);
    if (fds[0] < 0) {
        file_put(files[1]);
        return fds[0];
    }
    fds[1] = file_install(files[1], 0, flags);
    if (fds[1] < 0) {
        core_close(fds[0]);
        return fds[1];
    }
    if (core_copy_out((void *)user_fds, fds, sizeof(fds)) != 0) {
        core_close(fds[0]);
        core_close(fds[1]);
        return -EFAULT;
    }
    return 0;
}

/* -- what all sockets share -- */

void net_socket_init(struct net_socket *socket, int domain, int type,
                     int protocol, uint32_t receive_limit, uint32_t send_limit)
{
    wait_queue_init(&socket->wait);
    socket->domain = domain;
    socket->type = type;
    socket->protocol = protocol;
    socket->receive_timeout_ns = TIME_NEVER;
    socket->send_timeout_ns = TIME_NEVER;
    socket->receive_limit = socket->receive_reported = receive_limit;
    socket->send_limit = socket->send_reported = send_limit;
    socket->receive_low = 1;
    socket->ttl = socket->hop_limit = -1;
}

int net_socket_error(struct net_socket *socket)
{
    int error = socket->error;

    socket->error = 0;
    return -error;
}

static uint64_t deadline(const struct file *file, int flags, uint64_t timeout)
{
    if ((file->flags & O_NONBLOCK) || (flags & MSG_DONTWAIT))
        return 0;
    return timeout == TIME_NEVER ? TIME_NEVER : time_deadline(timeout);
}

uint64_t net_receive_deadline(const struct file *file, int flags,
                              const struct net_socket *socket)
{
    return deadline(file, flags, socket->receive_timeout_ns);
}

uint64_t net_send_deadline(const struct file *file, int flags,
                           const struct net_socket *socket)
{
    return deadline(file, flags, socket->send_timeout_ns);
}

int net_socket_wait(struct net_socket *socket, uint64_t deadline_ns)
{
    int result;

    if (deadline_ns == 0)
        return -EAGAIN;
    result = wait_on(&socket->wait, deadline_ns, true);
    if (result == -ETIMEDOUT)
        return -EAGAIN;
    /* As Linux: a call with a time limit is not restarted. */
    if (result == -EINTR)
        return deadline_ns == TIME_NEVER ? -CORE_RESTART : -EINTR;
    return result;
}

int net_broken_pipe(int flags)
{
    if (!(flags & MSG_NOSIGNAL))
        signal_send_thread(thread_current, SIGPIPE, NULL);
    return -EPIPE;
}

bool net_readable(const void *user, size_t size)
{
    uintptr_t at = (uintptr_t)user, end = at + size;
    char byte;

    if (size == 0)
        return true;
    if (end < at)
        return false;
    for (; at < end; at = (at | (LIMIT_PAGE_SIZE - 1)) + 1) {
        if (core_copy_in(&byte, (const void *)at, 1) != 0)
            return false;
    }
    return true;
}

int net_socket_stat(struct file *file, struct stat *out)
{
    memset(out, 0, sizeof(*out));
    out->st_mode = S_IFSOCK | 0777;
    out->st_nlink = 1;
    out->st_blksize = LIMIT_PAGE_SIZE;
    out->st_ino = (ino_t)((uintptr_t)file >> 4);
    return 0;
}
