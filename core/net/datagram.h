/* SPDX-License-Identifier: BSD-3-Clause */
/* A UDP socket: shared by datagram.c and datagram_options.c. */
#ifndef HALVM_NET_DATAGRAM_H
#define HALVM_NET_DATAGRAM_H

#include "core/net/socket.h"

#include "lwip/udp.h"

struct packet;

struct group {
    ip_addr_t address;
    uint8_t interface; /* 0: free, or any */
    bool used;
};

struct datagram {
    struct net_socket socket;
    struct udp_pcb *pcb;
    struct packet *first, *last;
    uint32_t cost; /* bytes of buffers that wait */
    bool packet_info, packet_info6, want_ttl, want_hops, want_tos, want_class;
    struct group *groups; /* GROUPS_MAX, once there is one */
};

static inline struct datagram *datagram_of(const struct file *file)
{
    return file->private;
}

/* -- datagram_options.c -- */
void datagram_leave_groups(struct datagram *datagram);
int datagram_setsockopt(struct file *file, int level, int name,
                        const void *value, unsigned size);
int datagram_getsockopt(struct file *file, int level, int name, void *value,
                        unsigned *size);

#endif
