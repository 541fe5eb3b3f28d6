/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options of a provider's sockets: kept here, given back, and told to the
 * provider. Those that the pair itself understands (time-outs, buffer sizes)
 * go to it, too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reroute/net.h"

static struct net_option *find(struct net_socket *s, int level, int name)
{
    for (unsigned i = 0; i < s->option_count; i++)
        if (s->options[i].level == level && s->options[i].name == name)
            return &s->options[i];
    return NULL;
}

bool net_option_is_on(struct net_socket *s, int level, int name)
{
    struct net_option *option;
    int number = 0;

    if (s->option_count == 0)
        return false;
    pthread_mutex_lock(&net_lock);
    option = find(s, level, name);
    if (option)
        memcpy(&number, option->value,
               option->size < sizeof number ? option->size : sizeof number);
    pthread_mutex_unlock(&net_lock);
    return number != 0;
}

/* With the lock. */
static int keep(struct net_socket *s, int level, int name, const void *value,
                unsigned size)
{
    struct net_option *option = find(s, level, name);

    if (!option) {
        if (!s->options)
            s->options = calloc(NET_OPTIONS_MAX, sizeof *s->options);
        if (!s->options || s->option_count == NET_OPTIONS_MAX)
            return -ENOBUFS;
        option = &s->options[s->option_count++];
        option->level = level;
        option->name = name;
    }
    option->size = size;
    memcpy(option->value, value, size);
    return 0;
}

/* What the other end of a pair obeys as any socket does. */
static bool of_pair(int level, int name)
{
    return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO ||
                                   name == SO_SNDBUF || name == SO_RCVBUF);
}

long net_option_set(struct net_socket *s, const struct halvm_call *call)
{
    int level = (int)call->args[1], name = (int)call->args[2], number = 0;
    unsigned size = (unsigned)call->args[4];
    char value[NET_OPTION_SIZE];
    long result = 0;

    if (s->phase == NET_ENDED)
        return -ENETDOWN;
    if (size > NET_OPTION_SIZE)
        return -EINVAL;
    if (level == SOL_SOCKET && size < sizeof(int))
        return -EINVAL;
    if (halvm_copy_in(value, (const void *)call->args[3], size) < 0)
        return -EFAULT;
    if (size >= sizeof number)
        memcpy(&number, value, sizeof number);
    if (of_pair(level, name))
        result = halvm_call_previous(call);
    if (result < 0)
        return result;
    pthread_mutex_lock(&net_lock);
    if (level == SOL_SOCKET && name == SO_REUSEADDR)
        s->reuse_address = number != 0;
    if (level == SOL_SOCKET && name == SO_REUSEPORT)
        s->reuse_port = number != 0;
    result = keep(s, level, name, value, size);
    pthread_mutex_unlock(&net_lock);
    if (result == 0)
        result = net_post(s, HALVM_NET_OPTION, level, name, value, size);
    return result;
}

/* What the socket itself knows. */
static bool known(struct net_socket *s, int name, int *out)
{
    switch (name) {
    case SO_ERROR:
        *out = -net_take_error(s);
        if (*out == 0 && s->phase == NET_ENDED)
            *out = ENETDOWN;
        return true;
    case SO_TYPE:
        *out = s->type;
        return true;
    case SO_DOMAIN:
        *out = s->domain;
        return true;
    case SO_PROTOCOL:
        *out = s->protocol;
        return true;
    case SO_ACCEPTCONN:
        *out = s->phase == NET_LISTENING;
        return true;
    }
    return false;
}

long net_option_get(struct net_socket *s, const struct halvm_call *call)
{
    int level = (int)call->args[1], name = (int)call->args[2], number = 0;
    void *out = (void *)call->args[3];
    socklen_t *size = (socklen_t *)call->args[4], room;
    const void *value = &number;
    unsigned have = sizeof number;
    struct net_option kept;

    if (halvm_copy_in(&room, size, sizeof room) < 0)
        return -EFAULT;
    if ((int)room < 0)
        return -EINVAL;
    if (of_pair(level, name))
        return OBJECT_PASS;
    if (level != SOL_SOCKET || !known(s, name, &number)) {
        pthread_mutex_lock(&net_lock);
        struct net_option *option = find(s, level, name);
        if (option) {
            kept = *option;
            value = kept.value;
            have = kept.size;
        }
        pthread_mutex_unlock(&net_lock);
    }
    if (have > room)
        have = room;
    if (halvm_copy_out(out, value, have) < 0 ||
        halvm_copy_out(size, &have, sizeof have) < 0)
        return -EFAULT;
    return 0;
}
