/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The base's network devices, and the interfaces as which the program knows
 * them: 1 is "lo", and 2 is "eth0", the first device, as in Linux.
 *
 * A device is the stack's, or the program has taken it (packet.c). Monitor
 * held.
 */
#ifndef HALVM_NET_DEVICE_H
#define HALVM_NET_DEVICE_H

#include "core/core.h"

#define NET_LOOPBACK     1 /* its interface's number */
#define NET_FIRST_DEVICE 2
#define NET_NAME_SIZE    16
/* The last number that an interface may have. */
#define NET_INTERFACE_MAX (LIMIT_NICS + NET_FIRST_DEVICE - 1)

struct net_device {
    unsigned index;    /* of the base; its interface is 2 more */
    uint32_t features; /* BASE_NET_*, as the device had them last */
    uint32_t cut_size_max;
    uint16_t mtu; /* 1500 at most */
    uint8_t mac[6];
    /* It is the program's own: who hears of its news. */
    void (*taken)(void *context);
    void *taken_context;
};

/* Finds the devices. -ENOMEM, or how many there are; harmless again. */
int net_devices_init(void);
/* The index-th device; NULL: there is none, or nobody has looked yet. */
struct net_device *net_device(unsigned index);
/* That of an interface; NULL, too, for the loopback. */
struct net_device *net_device_of(unsigned interface);

/* core_net_ready: tells those who have a device that there is news. */
void net_devices_ready(void);
/* The same after delay_ns, 0: as soon as the program had its turn. */
void net_devices_later(uint64_t delay_ns);

/* Takes a device from the stack, which sees it go down: ready is called for
 * whatever it announces. 0 or -EBUSY. */
int net_device_take(struct net_device *device, void (*ready)(void *context),
                    void *context);
void net_device_give_back(struct net_device *device);

/* The device did not take a frame: is it that it cuts such no more (it is
 * another after a migration)? */
bool net_device_cuts_less(struct net_device *device,
                          const struct base_net_frame *frame);

/* Whether there is such an interface. */
bool net_interface_exists(unsigned interface);
/* IFF_*. To the stack's sockets one that is taken does not run. Without a
 * stack (stack.h) the loopback is down. */
unsigned net_interface_flags(unsigned interface);
void net_interface_name(unsigned interface, char out[NET_NAME_SIZE]);
/* 0: there is none of this name. */
unsigned net_interface_number(const char *name);
/* As the stack says it (stack.h); false without one. */
bool net_interface_address4(unsigned interface, uint32_t *address,
                            uint32_t *mask);
bool net_interface_address6(unsigned interface, unsigned n,
                            uint8_t address[16]);

#endif
