/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TCP/IP stack in the image, as the rest of core/net knows it.
 *
 * Which one it is, the linker decides, by the symbol __halvm_net_stack: it
 * takes stack_lwip.c of libhalvm.a, unless the program has a definition of its
 * own. NULL is one (halvm-cc -mhalvm-no-lwip): for a program whose own provider
 * has AF_INET and AF_INET6, lwIP is not linked in then. Nothing but lwIP's own
 * files and its sockets may name a function of lwIP, or all of it stays.
 *
 * Monitor held in every function here.
 */
#ifndef HALVM_NET_STACK_H
#define HALVM_NET_STACK_H

#include "core/core.h"

struct net_provider;

/* IPv6 addresses of an interface, at most. */
#define NET_ADDRESSES6_MAX 4

struct net_stack {
    struct net_provider *provider; /* AF_INET and AF_INET6 */
    /* Starts it on the devices of net_devices_init(). -ENOMEM, -EIO, or how
     * many devices there are; after an error it is called again. */
    int (*start)(void);
    /* A device that is not taken has news. */
    void (*ready)(void);
    /* A device was taken or given back (device.c). */
    void (*taken)(unsigned device, bool is_taken);
    /* Waits, bounded, until there are an address and name servers. */
    void (*wait_configured)(void);
    /* The IPv4 address of an interface (1: the loopback) and its mask, in
     * network byte order; false: it has none. */
    bool (*address4)(unsigned interface, uint32_t *address, uint32_t *mask);
    /* Its n-th address of IPv6, n < NET_ADDRESSES6_MAX; false: not in use. */
    bool (*address6)(unsigned interface, unsigned n, uint8_t address[16]);
};

extern const struct net_stack *const net_stack __asm__("__halvm_net_stack");
extern const struct net_stack net_lwip __asm__("__halvm_net_lwip"); /* lwip.c */

#endif
