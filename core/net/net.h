/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network below the sockets: its start, and lwIP, its memory, timers and
 * interfaces.
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

/* Starts the network at the first call: the stack that is linked in
 * (stack.h), or else the devices only. 0 or -ENOMEM. */
int net_start(void);
extern bool net_started;

/* -- lwip.c and config.c -- */

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

/* Makes the network devices interfaces; -errno or how many. */
int net_interfaces_init(void);
/* Takes what arrived and sends what waited. */
void net_interfaces_ready(void);
void net_interfaces_flush(void);
/* A device is the program's, and down for lwIP; or lwIP's again. */
void net_interfaces_taken(unsigned device, bool is_taken);
/* By their numbers in device.h; NULL if there is none. */
struct netif *net_interface_by_index(unsigned index);
/* For the fuzzer and the tests: one frame as if it had arrived. */
void net_interface_input(struct netif *netif, const void *frame, size_t size);

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
