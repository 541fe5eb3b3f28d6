/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The system calls on sockets, whatever their family: arguments are copied
 * and checked here, the work is done by the file's socket_ops.
 *
 * A message's address and control data go through one page, got only if the
 * call has them; the stack is the application's and may be small.
 * Monitor held.
 */
#include <sys/socket.h>

#include "core/calls.h"
#include "core/file/table.h"
#include "core/mem/mem.h"
#include "core/signal/signal.h"
#include "core/time/time.h"

#define ADDRESS_SIZE sizeof(struct sockaddr_storage)
/* Control data in one call; Linux's net.core.optmem_max is 20480. */
#define CONTROL_MAX  2048
#define OPTION_MAX   512
#define MESSAGES_MAX LIMIT_IOV /* of one sendmmsg or recvmmsg, as in Linux */

/* The socket behind a descriptor, with a reference; NULL and *error. */
static struct file *socket_get(long fd, long *error)
{
    struct file *file = file_get((int)fd);

    *error = -EBADF;
    if (!file)
        return NULL;
    if (file->ops->socket)
        return file;
    file_unref(file);
    *error = -ENOTSOCK;
    return NULL;
}

static int address_in(void *to, long user, long size)
{
    if ((int)size < 0 || (size_t)(int)size > ADDRESS_SIZE)
        return -EINVAL;
    return core_copy_in(to, (const void *)user, (size_t)(int)size);
}

/* Gives an address of size bytes to the application, cut to its room. */
static int address_out(long user, long user_size, const void *from, int size)
{
    int room;

    if (core_copy_in(&room, (const void *)user_size, sizeof(room)) < 0)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    int part = room < size ? room : size;
    if (part > 0 && core_copy_out((void *)user, from, (size_t)part) < 0)
        return -EFAULT;
    return core_copy_out((void *)user_size, &size, sizeof(size));
}

static long with_address(long fd, long user, long size, bool connect)
{
    struct sockaddr_storage address;
    long result;
    struct file *file = socket_get(fd, &result);

    if (!file)
        return result;
    result = address_in(&address, user, size);
    if (result == 0) {
        int (*act)(struct file *, const void *, unsigned) =
            connect ? file->ops->socket->connect : file->ops->socket->bind;
        result = act ? act(file, &address, (unsigned)size) : -EOPNOTSUPP;
    }
    file_unref(file);
    return result;
}

long core_bind(long a, long b, long c)
{
    return with_address(a, b, c, false);
}

long core_connect(long a, long b, long c)
{
    return with_address(a, b, c, true);
}

long core_listen(long a, long b)
{
    long result;
    struct file *file = socket_get(a, &result);
    if (!file)
        return result;
    int backlog = (int)b;
    /* Negative or too much means as much as there may be, as in Linux. */
    if (backlog < 0 || backlog > LIMIT_BACKLOG)
        backlog = LIMIT_BACKLOG;
    result = file->ops->socket->listen
                 ? file->ops->socket->listen(file, backlog)
                 : -EOPNOTSUPP;
    file_unref(file);
    return result;
}

/* The peer's address to the application, if it asks. */
static long accept_address(struct file *peer, long user, long user_size)
{
    struct sockaddr_storage address;

    if (!user)
        return 0;
    int size = peer->ops->socket->getpeername
                   ? peer->ops->socket->getpeername(peer, &address)
                   : 0;
    if (size < 0)
        return -ECONNABORTED; /* gone again already */
    return address_out(user, user_size, &address, size);
}

long core_accept4(long a, long b, long c, long d)
{
    int flags = (int)d, error = -EOPNOTSUPP;
    long result;

    if (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
        return -EINVAL;
    struct file *file = socket_get(a, &result);
    if (!file)
        return result;
    struct file *peer = NULL;
    /* Without a descriptor for it the connection stays in the backlog. */
    if (file->ops->socket->accept && file_room() < 0)
        error = -EMFILE;
    else if (file->ops->socket->accept)
        peer = file->ops->socket->accept(file, flags & SOCK_NONBLOCK, &error);
    file_unref(file);
    if (!peer)
        return error;
    result = accept_address(peer, b, c);
    if (result < 0) {
        file_put(peer);
        return result;
    }
    return file_install(peer, 0, flags & SOCK_CLOEXEC ? O_CLOEXEC : 0);
}

long core_accept(long a, long b, long c)
{
    return core_accept4(a, b, c, 0);
}

static long get_name(long fd, long user, long user_size, bool peer)
{
    struct sockaddr_storage address;
    long result;
    struct file *file = socket_get(fd, &result);

    if (!file)
        return result;
    int (*act)(struct file *, void *) =
        peer ? file->ops->socket->getpeername : file->ops->socket->getsockname;
    result = act ? act(file, &address) : -EOPNOTSUPP;
    file_unref(file);
    if (result < 0)
        return result;
    return address_out(user, user_size, &address, (int)result);
}

long core_getsockname(long a, long b, long c)
{
    return get_name(a, b, c, false);
}

long core_getpeername(long a, long b, long c)
{
    return get_name(a, b, c, true);
}

long core_shutdown(long a, long b)
{
    long result;
    if ((unsigned)b > SHUT_RDWR)
        return -EINVAL;
    struct file *file = socket_get(a, &result);
    if (!file)
        return result;
    result = file->ops->socket->shutdown
                 ? file->ops->socket->shutdown(file, (int)b)
                 : -EOPNOTSUPP;
    file_unref(file);
    return result;
}

/* Option values are small: what is longer is cut, as Linux does for those
 * of fixed size. */
long core_setsockopt(long a, long b, long c, long d, long e)
{
    uint64_t value[OPTION_MAX / 8];
    long result;

    if ((int)e < 0)
        return -EINVAL;
    struct file *file = socket_get(a, &result);
    if (!file)
        return result;
    unsigned size = (unsigned)e < OPTION_MAX ? (unsigned)e : OPTION_MAX;
    result = core_copy_in(value, (const void *)d, size);
    if (result == 0)
        result = file->ops->socket->setsockopt
                     ? file->ops->socket->setsockopt(file, (int)b, (int)c,
                                                     value, size)
                     : -ENOPROTOOPT;
    file_unref(file);
    return result;
}

long core_getsockopt(long a, long b, long c, long d, long e)
{
    uint64_t value[OPTION_MAX / 8];
    int room;
    long result;

    struct file *file = socket_get(a, &result);
    if (!file)
        return result;
    result = core_copy_in(&room, (const void *)e, sizeof(room));
    if (result == 0 && room < 0)
        result = -EINVAL;
    if (result == 0) {
        unsigned size =
            (unsigned)room < OPTION_MAX ? (unsigned)room : OPTION_MAX;
        result = file->ops->socket->getsockopt
                     ? file->ops->socket->getsockopt(file, (int)b, (int)c,
                                                     value, &size)
                     : -ENOPROTOOPT;
        if (result == 0)
            result = core_copy_out((void *)d, value, size);
        if (result == 0)
            result = core_copy_out((void *)e, &size, sizeof(size));
    }
    file_unref(file);
    return result;
}

/* -- sendto and recvfrom: one buffer, perhaps an address -- */

long core_sendto(long a, long b, long c, long d, long e, long f)
{
    struct sockaddr_storage address;
    struct iovec one = file_iov_one(b, c);
    struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1};
    long result;

    struct file *file = socket_get(a, &result);
    if (!file)
        return result;
    result = 0;
    if (e) {
        result = address_in(&address, e, f);
        message.msg_name = &address;
        message.msg_namelen = (socklen_t)f;
    }
    if (result == 0)
        result = file->ops->socket->sendmsg
                     ? file->ops->socket->sendmsg(file, &message, (int)d)
                     : -EOPNOTSUPP;
    file_unref(file);
    return result;
}

long core_recvfrom(long a, long b, long c, long d, long e, long f)
{
    struct sockaddr_storage address;
    struct iovec one = file_iov_one(b, c);
    struct msghdr message = {.msg_iov = &one, .msg_iovlen = 1};
    long result;

    struct file *file = socket_get(a, &result);
    if (!file)
        return result;
    if (e) {
        message.msg_name = &address;
        message.msg_namelen = ADDRESS_SIZE;
    }
    result = file->ops->socket->recvmsg
                 ? file->ops->socket->recvmsg(file, &message, (int)d)
                 : -EOPNOTSUPP;
    file_unref(file);
    if (result >= 0 && e) {
        int error = address_out(e, f, &address, (int)message.msg_namelen);
        if (error < 0)
            return error;
    }
    return result;
}

/* -- sendmsg and recvmsg -- */

/* Core's copy of a message: what socket_ops work on. */
struct message {
    struct msghdr user; /* as the application has it */
    struct msghdr core;
    struct file_iov iov;
    void *page; /* address, then control; NULL: has neither */
};

_Static_assert(ADDRESS_SIZE + CONTROL_MAX <= LIMIT_PAGE_SIZE, "one page");

static void message_free(struct message *message)
{
    file_iov_put(&message->iov);
    if (message->page)
        mem_pages_put(MEM_CORE, message->page, 1);
}

/* Copies the header and vectors and makes room for the rest. */
static int message_in(struct message *message, long user)
{
    struct msghdr *from = &message->user, *to = &message->core;

    message->page = NULL;
    if (core_copy_in(from, (const void *)user, sizeof(*from)) < 0)
        return -EFAULT;
    /* musl pads what Linux has as one size_t each: only the low halves
     * count, msg_iovlen and msg_controllen being int and socklen_t. */
    if ((unsigned)from->msg_iovlen > LIMIT_IOV)
        return -EMSGSIZE;
    if ((int)from->msg_namelen < 0)
        return -EINVAL;
    int result = file_iov_get(&message->iov, from->msg_iov, from->msg_iovlen);
    if (result < 0)
        return result;
    memset(to, 0, sizeof(*to));
    to->msg_iov = message->iov.iov;
    to->msg_iovlen = message->iov.count;
    to->msg_flags = from->msg_flags;
    if (!from->msg_name && !(from->msg_control && from->msg_controllen))
        return 0;
    message->page = mem_pages_get(MEM_CORE, 1);
    if (!message->page) {
        file_iov_put(&message->iov);
        return -ENOBUFS;
    }
    if (from->msg_name) {
        to->msg_name = message->page;
        to->msg_namelen = from->msg_namelen < ADDRESS_SIZE
                              ? from->msg_namelen
                              : (socklen_t)ADDRESS_SIZE;
    }
    if (from->msg_control && from->msg_controllen) {
        to->msg_control = (char *)message->page + ADDRESS_SIZE;
        to->msg_controllen = from->msg_controllen;
    }
    return 0;
}

static long message_send(struct file *file, long user, int flags)
{
    struct message message;
    struct msghdr *core = &message.core;
    long result = message_in(&message, user);

    if (result < 0)
        return result;
    if (core->msg_name)
        result = core_copy_in(core->msg_name, message.user.msg_name,
                              core->msg_namelen);
    if (result >= 0 && core->msg_control) {
        result = -ENOBUFS;
        if (core->msg_controllen <= CONTROL_MAX)
            result = core_copy_in(core->msg_control, message.user.msg_control,
                                  core->msg_controllen);
    }
    if (result >= 0)
        result = file->ops->socket->sendmsg
                     ? file->ops->socket->sendmsg(file, core, flags)
                     : -EOPNOTSUPP;
    message_free(&message);
    return result;
}

/* Gives back what recvmsg filled: address, control data, lengths, flags. */
static int message_out(const struct message *message, long user)
{
    const struct msghdr *core = &message->core, *to = &message->user;
    struct msghdr *at = (struct msghdr *)user;
    socklen_t part = core->msg_namelen < to->msg_namelen ? core->msg_namelen
                                                         : to->msg_namelen;

    if (core->msg_name &&
        (core_copy_out(to->msg_name, core->msg_name, part) < 0 ||
         core_copy_out(&at->msg_namelen, &core->msg_namelen,
                       sizeof(at->msg_namelen)) < 0))
        return -EFAULT;
    if (core->msg_control && core_copy_out(to->msg_control, core->msg_control,
                                           core->msg_controllen) < 0)
        return -EFAULT;
    /* The field is 64 bits wide in Linux, whatever libc makes of it. */
    uint64_t control = core->msg_control ? core->msg_controllen : 0;
    if (core_copy_out(&at->msg_controllen, &control, sizeof(control)) < 0)
        return -EFAULT;
    return core_copy_out(&at->msg_flags, &core->msg_flags,
                         sizeof(at->msg_flags));
}

static long message_receive(struct file *file, long user, int flags)
{
    struct message message;
    struct msghdr *core = &message.core;
    long result = message_in(&message, user);

    if (result < 0)
        return result;
    if (core->msg_name)
        core->msg_namelen = ADDRESS_SIZE;
    if (core->msg_controllen > CONTROL_MAX)
        core->msg_controllen = CONTROL_MAX;
    core->msg_flags = 0;
    result = file->ops->socket->recvmsg
                 ? file->ops->socket->recvmsg(file, core, flags)
                 : -EOPNOTSUPP;
    if (result >= 0) {
        int error = message_out(&message, user);
        if (error < 0)
            result = error;
    }
    message_free(&message);
    return result;
}

long core_sendmsg(long a, long b, long c)
{
    long result;
    struct file *file = socket_get(a, &result);
    if (!file)
        return result;
    result = message_send(file, b, (int)c);
    file_unref(file);
    return result;
}

long core_recvmsg(long a, long b, long c)
{
    long result;
    struct file *file = socket_get(a, &result);
    if (!file)
        return result;
    result = message_receive(file, b, (int)c);
    file_unref(file);
    return result;
}

/* -- sendmmsg and recvmmsg -- */

struct many {
    struct msghdr header;
    unsigned size;
};
_Static_assert(sizeof(struct many) == 64, "struct mmsghdr of Linux");

/* An error after the first message is said by the next call, as far as the
 * socket still has it. */
static int many_size(struct many *user, long result)
{
    unsigned size = (unsigned)result;
    return core_copy_out(&user->size, &size, sizeof(size));
}

/* Sends or receives one after the other, until an error, or the deadline. */
static long many(long fd, long messages, long messages_count, int flags,
                 long (*one)(struct file *file, long user, int flags),
                 int flags_later, uint64_t deadline)
{
    struct many *user = (struct many *)messages;
    unsigned count = (unsigned)messages_count < MESSAGES_MAX
                         ? (unsigned)messages_count
                         : MESSAGES_MAX;
    long result, done = 0;

    struct file *file = socket_get(fd, &result);
    if (!file)
        return result;
    for (result = 0; (unsigned long)done < count;) {
        result = one(file, (long)&user[done], flags);
        if (result >= 0)
            result = many_size(&user[done], result);
        if (result < 0)
            break;
        done++;
        flags |= flags_later;
        /* Linux, too, looks at the clock only after a message. */
        if (deadline != TIME_NEVER && time_now_ns() >= deadline)
            break;
    }
    file_unref(file);
    return done ? done : result;
}

long core_sendmmsg(long a, long b, long c, long d)
{
    return many(a, b, c, (int)d, message_send, 0, TIME_NEVER);
}

long core_recvmmsg(long a, long b, long c, long d, long e)
{
    int flags = (int)d & ~MSG_WAITFORONE;
    uint64_t deadline = TIME_NEVER, duration;
    struct timespec ts;

    if (e) {
        if (core_copy_in(&ts, (const void *)e, sizeof(ts)) < 0)
            return -EFAULT;
        if (time_from_timespec(&ts, &duration) < 0)
            return -EINVAL;
        deadline = time_deadline(duration);
    }
    return many(a, b, c, flags, message_receive,
                (int)d & MSG_WAITFORONE ? MSG_DONTWAIT : 0, deadline);
}
