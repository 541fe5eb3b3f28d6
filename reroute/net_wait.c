/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets of a provider: waits of a thread for itself. The one thread of GHC's
 * non-threaded runtime serves its network between foreign calls only; in a
 * foreign call it may poll sockets of that network, for which nothing can
 * happen then. Without a time that would be for ever, so it is an error.
 *
 * Not seen: select, which that runtime itself waits by, and epoll.
 */
#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "reroute/net.h"

static bool mine(const struct net_service *owner)
{
    return !owner->service->ended && owner->service->owner &&
           owner->service->owner == gettid();
}

/* Whether the thread alone can make something happen to the descriptor. */
static bool is_mine(int fd)
{
    struct object *object = object_get(fd, &net_ops);
    bool result = object && mine(((struct net_socket *)object)->owner);

    if (object)
        object_put(object);
    return result;
}

/* A list without any is a sleep, which signals end. */
static bool all_mine(const struct pollfd *user, unsigned long count)
{
    unsigned long found = 0;

    for (unsigned long i = 0; i < count; i++) {
        struct pollfd one;
        if (halvm_copy_in(&one, user + i, sizeof one) < 0)
            return false; /* the world says so */
        if (one.fd < 0)
            continue;
        if (!is_mine(one.fd))
            return false;
        found++;
    }
    return found > 0;
}

/* poll and ppoll: one look, in place of a wait that has no end. */
static HALVM_HANDLER(on_poll)
{
    static const struct timespec none = {0, 0};
    struct halvm_call look = *call;
    bool endless;
    long result;

    (void)context;
    endless =
        call->number == SYS_poll ? (int)call->args[2] < 0 : call->args[2] == 0;
    if (!endless || !all_mine((const struct pollfd *)call->args[0],
                              (unsigned long)call->args[1]))
        return halvm_call_previous(call);
    look.args[2] = call->number == SYS_poll ? 0 : (long)&none;
    result = halvm_call_previous(&look);
    return result == 0 ? -EDEADLK : result;
}

/* Some network of the calling thread's own: for libc/res_msend.c. */
static int serves_itself(void)
{
    bool found = false;

    pthread_mutex_lock(&net_lock);
    for (struct net_service *owner = net_installed; owner; owner = owner->next)
        found = found || mine(owner);
    pthread_mutex_unlock(&net_lock);
    return found;
}

/* Never given back, as whoever is in it may stay for ever. */
void net_wait_start(void)
{
    static const short numbers[] = {SYS_poll, SYS_ppoll};
    static bool started;

    pthread_mutex_lock(&net_lock);
    if (!started)
        started = halvm_reroute_calls(numbers, 2, on_poll, NULL) > 0;
    pthread_mutex_unlock(&net_lock);
    net_serves_itself = serves_itself;
}
