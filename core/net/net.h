/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network below the sockets: lwIP, its memory, timers and interfaces.
 *
 * Included by core/net only. Everything here runs with the monitor held. A
 * socket operation that may touch lwIP calls net_enter() first and
 * net_leave() last: the first brings lwIP's clock up to date after a sleep,
 * the second empties the loopback queues and hands frames to the device.
 * lwIP's callbacks into the sockets run between the two and call neither.
 */
#ifndef HALVM_NET_NET_H
#define HALVM_NET_NET_H

#include "core/core.h"
#include "core/thread/thread.h"

#include "lwip/ip_addr.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"

/* -- net.c -- */

/* Starts lwIP and the interfaces at the first call. 0 or -ENOMEM. */
int net_start(void);
/* Before the first packet to dest leaves: waits (bounded) until an interface
 * has an address to send from. 0, or what the call must return. */
int net_wait_address(const ip_addr_t *dest);
/* For core/file, before /etc/resolv.conf is read: starts the network and
 * waits until it is configured or has had its time. */
void net_wait_configured(void);

void net_leave(void);
extern bool net_output_pending; /* frames wait for net_leave */

/* -- timers.c -- */

extern bool net_timers_asleep; /* lwIP's TCP clock has stopped */
void net_timers_start(void);
void net_timers_wake(void);

static inline void net_enter(void)
{
    if (net_timers_asleep)
        net_timers_wake();
}

/* -- time_wait.c -- */
void net_time_wait_expire(void);

/* -- memory.c -- */

void net_memory_init(void); /* harmless again */
/* Uninitialised memory of the network account, aligned to 16; NULL when the
 * network's share of the machine is used up. */
void *net_alloc(size_t size);
void net_free(void *memory);
/* Gives cached pages back. */
void net_memory_trim(void);
/* Whether less than a quarter is left: sockets then stop taking more than
 * one segment each, so that acknowledgements still get through. */
bool net_memory_tight(void);
extern uint32_t net_half_open_max; /* per listening socket */
extern uint32_t net_tcp_pcbs_max;  /* connections, TIME_WAIT included */
uint64_t net_memory_pages(void);   /* held now */

/* -- interface.c -- */

/* What is sent now answers a frame or a timer; no call of the program's. */
extern bool net_unasked;

/* Finds the network devices and makes them interfaces; -errno or how many. */
int net_interfaces_init(void);
/* core_net_ready: takes what arrived and sends what waited. */
void net_interfaces_ready(void);
void net_interfaces_flush(void);
/* The same as soon as the program had its turn. */
void net_interfaces_later(void);
/* "lo" is 1 and "eth0" is 2, as in Linux; NULL if there is none. */
struct netif *net_interface_by_index(unsigned index);
struct netif *net_interface_by_name(const char *name);
void net_interface_name(const struct netif *netif, char out[16]);
/* For the fuzzer and the tests: one frame as if it had arrived. */
void net_interface_input(struct netif *netif, const void *frame, size_t size);

/* BASE_NET_*, as the device had them last; 0: the loopback. */
uint32_t net_interface_features(const struct netif *netif);
/* Takes an interface from lwIP, which sees it go down: ready is called for
 * whatever the device announces. 0, -EBUSY, -ENODEV (the loopback). */
int net_interface_take(struct netif *netif, void (*ready)(void *context),
                       void *context);
void net_interface_give_back(struct netif *netif);
/* Of one that is taken, as the base's net_send and net_recv. */
unsigned net_interface_send(struct netif *netif,
                            const struct base_net_frame *frames,
                            unsigned count);
unsigned net_interface_receive(struct netif *netif,
                               struct base_net_frame *frames, unsigned count);

/* -- config.c -- */

/* Addresses from the command line, else DHCP and router advertisements. */
void net_config_start(struct netif *netif);
/* Whether this interface is configured as far as it will be soon. */
bool net_config_done(void);

/* -- secret.c -- */

/* 0, or -EIO: without entropy there are no sockets. */
int net_secret_init(void);
uint32_t net_random32(void);

#endif
