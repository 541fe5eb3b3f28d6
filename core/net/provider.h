/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Providers of socket families.
 *
 * socket(2) asks the providers in turn, newest first, for the one that has
 * the domain. The stack's is one (stack.h: AF_INET, AF_INET6), AF_UNIX another;
 * an application's own stack takes a family over by registering. Whatever a
 * provider returns is a struct file whose ops have a struct socket_ops; from
 * there on the calls go to it and nobody else.
 *
 * Monitor held in every function here.
 */
#ifndef HALVM_NET_PROVIDER_H
#define HALVM_NET_PROVIDER_H

#include "core/file/file.h"

struct net_provider {
    const char *name;
    /* Whether it has the domain (AF_*). */
    bool (*has)(int domain);
    /* A new socket with one reference through *out. type without SOCK_NONBLOCK
     * and SOCK_CLOEXEC; flags: O_NONBLOCK or 0. 0 or -errno. */
    int (*create)(int domain, int type, int protocol, int flags,
                  struct file **out);
    /* Two connected sockets. NULL: EOPNOTSUPP. */
    int (*create_pair)(int domain, int type, int protocol, int flags,
                       struct file *out[2]);
    struct net_provider *next;
};

/* Takes precedence over those registered before. Never freed. */
void net_provider_register(struct net_provider *provider);

extern struct net_provider net_provider_unix;
extern struct net_provider net_provider_netlink;
extern struct net_provider net_provider_packet;

#endif
