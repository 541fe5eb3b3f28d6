/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A provider of sockets: a family of sockets, say AF_INET, served by the
 * program itself, under connect, sendmsg, poll, epoll and all the rest, for
 * every library in it. For applications; halvm/service.h first.
 *
 *     int domain = AF_INET;
 *     struct halvm_service *service = halvm_service_new("mine");
 *     halvm_net_install(service, &domain, 1);
 *
 * A socket is one end of a socket pair: what the application writes comes out
 * of the other end, the provider's, and what the provider writes there, the
 * application reads; so a full buffer holds either of them up, and either sees
 * that the other has closed its side (shutdown). The provider must not read
 * from a stream's end before it has called halvm_net_connected. Of a stream
 * socket it is a stream (SOCK_STREAM); of a datagram socket packets
 * (SOCK_SEQPACKET), each with struct halvm_net_packet in front. The provider's
 * end does not block.
 *
 * What can be answered at once is: bind and getsockname know the ports in use,
 * options are kept and given back. The provider hears of it by events:
 *
 *   HALVM_NET_OPEN     a socket: id, fd the provider's end, number[0..2]
 *                      domain, type, protocol
 *   HALVM_NET_BIND     id; data: struct sockaddr_in, ...
 *   HALVM_NET_LISTEN   id, number[0] the backlog; data: the local address
 *   HALVM_NET_CONNECT  id; number[0] the bytes of the remote address, at
 *                      data; the local address follows. To be answered with
 *                      halvm_net_connected or halvm_net_failed; for a
 *                      datagram socket, to be noted
 *   HALVM_NET_OPTION   id, number[0] level, number[1] name; data: value
 *   HALVM_NET_CLOSE    id: its last descriptor is closed. What it wrote may
 *                      still wait at the provider's end. To be answered with
 *                      halvm_net_close
 */
#ifndef HALVM_NET_PROVIDERS_H
#define HALVM_NET_PROVIDERS_H

#include <stdint.h>

#include "halvm/service.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HALVM_NET_ADDRESS_SIZE 126

/*
 * In front of a datagram, both ways: where to, or from where. What is said of
 * one that came in over IP is for the control messages that a socket may ask
 * for (IP_PKTINFO, IPV6_RECVHOPLIMIT, ...); with a hop limit of 0 there are
 * none. A provider that takes events and datagrams in different threads knows
 * by the order whether it has missed what came before, a bind for example.
 */
struct halvm_net_packet {
    uint16_t address_size;   /* bytes */
    uint8_t hop_limit;       /* in: the TTL of IPv4, as it arrived */
    uint8_t traffic_class;   /* in: the type of service of IPv4 */
    uint32_t interface;      /* in: a number, 1 the loopback's */
    uint64_t order;          /* out: events of the service before it, ever */
    unsigned char local[16]; /* in: the IP address that it was sent to */
    unsigned char address[HALVM_NET_ADDRESS_SIZE];
};

/* Sockets of these domains are the service's from now on. 0 or -errno. */
int halvm_net_install(struct halvm_service *service, const int domains[],
                      int count);

/* The addresses that bind accepts beside "any"; each is a struct sockaddr_in
 * or sockaddr_in6 whose port is not looked at, one after the other. None, as
 * in the beginning: any address. Takes the place of those before. Where a
 * socket is connected without being bound, its address is the first of its
 * family that reaches as far as the peer's: the loopback's, the link's, any. 0,
 * -EINVAL, -ENOMEM. */
int halvm_net_addresses(struct halvm_service *service, const void *addresses,
                        size_t size);

/* Of the following: 0 or a result, -ESRCH (no such socket), -EINVAL (it is not
 * in the state for it). */

/* A connect has come to its end. */
int halvm_net_connected(struct halvm_service *service, uint64_t id);
/* error: ECONNREFUSED, ... */
int halvm_net_failed(struct halvm_service *service, uint64_t id, int error);
/* A connection came in for a listening socket. Returns the provider's end of
 * it and its id through *connection, which accept then finds; -ECONNREFUSED:
 * the backlog is full, or as many wait as fit (a few hundred). */
int halvm_net_incoming(struct halvm_service *service, uint64_t listener,
                       const void *remote, size_t remote_size,
                       const void *local, size_t local_size,
                       uint64_t *connection);
/* The connection is broken: what the application has not read is lost, and
 * its next call says error (ECONNRESET, ...). The same for a socket that
 * listens, whose accept says it; for one that is not connected yet, whose
 * connect or listen does; and for one of datagrams. It is of no more use. */
int halvm_net_broken(struct halvm_service *service, uint64_t id, int error);
/* The provider has done with the socket: closes its end. When the service has
 * ended the ends of its sockets are shut down, and stay open until this or
 * halvm_service_end. */
int halvm_net_close(struct halvm_service *service, uint64_t id);

#ifdef __cplusplus
}
#endif
#endif
