/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What all sockets of core/net have in common. Included by core/net only.
 *
 * struct net_socket is the first member of each kind of socket. Its wait
 * queue announces every change of readiness, as POLL* bits.
 */
#ifndef HALVM_NET_SOCKET_H
#define HALVM_NET_SOCKET_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "core/file/file.h"
#include "core/net/net.h"

struct net_socket {
    struct wait_queue wait;
    int domain, type, protocol;
    int error; /* SO_ERROR: an errno, taken when told */
    uint64_t receive_timeout_ns, send_timeout_ns; /* TIME_NEVER: none */
    uint32_t receive_limit, send_limit;           /* bytes queued at most */
    uint32_t receive_reported, send_reported;     /* as getsockopt says it */
    uint32_t receive_low;                         /* SO_RCVLOWAT */
    struct linger linger;
    uint32_t device; /* SO_BINDTODEVICE: interface index, or 0 */
    int priority, mark;
    uint8_t tos, traffic_class;
    int16_t ttl, hop_limit; /* -1: the default */
    bool shut_read, shut_write;
    bool reuse_address, reuse_port, keepalive, broadcast, oob_inline, v6only;
    bool dont_route, timestamp;
    bool receive_errors; /* IP_RECVERR, IPV6_RECVERR */
    uint8_t mtu_discover;
    /* Tells lwIP's control block of changed options; may be NULL. */
    void (*apply)(struct net_socket *socket);
};

void net_socket_init(struct net_socket *socket, int domain, int type,
                     int protocol, uint32_t receive_limit, uint32_t send_limit);
/* The pending error as -errno, taken; 0 if there is none. */
int net_socket_error(struct net_socket *socket);
/* Until when a call may wait: 0 if it may not. */
uint64_t net_receive_deadline(const struct file *file, int flags,
                              const struct net_socket *socket);
uint64_t net_send_deadline(const struct file *file, int flags,
                           const struct net_socket *socket);
/* Waits for any change. 0, or what the call returns: -EAGAIN (out of time),
 * -EINTR, -CORE_RESTART. */
int net_socket_wait(struct net_socket *socket, uint64_t deadline_ns);
/* -EPIPE, with SIGPIPE unless MSG_NOSIGNAL. */
int net_broken_pipe(int flags);
/* Whether size bytes of application memory can be read (see stream_io.c). */
bool net_readable(const void *user, size_t size);
/* What stat(2) says of a socket. */
int net_socket_stat(struct file *file, struct stat *out);

/* -- options.c: SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6 -- */

/* -ENOPROTOOPT if not one of those that all sockets share. */
int net_option_set(struct net_socket *socket, int level, int name,
                   const void *value, unsigned size);
int net_option_get(struct net_socket *socket, int level, int name, void *value,
                   unsigned *size);
/* For the other files with options. */
int net_option_int(const void *value, unsigned size, int *out);
int net_option_put(void *value, unsigned *size, int number);

/* -- address.c -- */

/* What a protocol says of an address: 0, -EINVAL, -EAFNOSUPPORT. IPv4-mapped
 * addresses become IPv4. */
int net_address_in(const struct net_socket *socket, const void *address,
                   unsigned size, ip_addr_t *ip, uint16_t *port);
/* Fills a sockaddr of the domain; returns its size. */
int net_address_out(int domain, const ip_addr_t *ip, uint16_t port,
                    void *address);
/* The address that packets to dest leave from, or any. */
void net_address_source(const ip_addr_t *dest, ip_addr_t *out);
/* Whether ip may be bound: any, one of ours, multicast if allowed. */
bool net_address_ours(const ip_addr_t *ip, bool multicast);
/* A port of the ephemeral range, at random. */
uint16_t net_port_random(void);
/* err_t to -errno. */
int net_errno(err_t error);

/* -- ioctl.c -- */

/* SIOCGIF*; -ENOTTY if it is none of them. */
long net_interface_ioctl(unsigned long request, long argument);

/* -- stream.c, datagram.c -- */

int net_stream_create(int domain, int protocol, int flags, struct file **out);
int net_datagram_create(int domain, int protocol, int flags, struct file **out);
/* An ICMP error for what a socket sent; datagram.c, stream.c. */
void net_datagram_unreachable(const ip_addr_t *local, uint16_t local_port,
                              const ip_addr_t *remote, uint16_t remote_port,
                              int error);
void net_stream_unreachable(const ip_addr_t *local, uint16_t local_port,
                            const ip_addr_t *remote, uint16_t remote_port,
                            int error);

#endif
