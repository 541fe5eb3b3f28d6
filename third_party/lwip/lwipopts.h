/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How lwIP is built for HaLVM: raw API only, no threads of its own, all
 * memory from core/net/memory.c, all timers from core/net/timers.c.
 *
 * lwIP's opt.h includes this first and fills in the rest. Values that
 * depend on the machine's memory are variables of core/net/memory.c. lwIP's
 * init.c compares them in #if, where a variable counts as 0, so it is not
 * built: core/net/net.c calls what it would.
 */
#ifndef HALVM_LWIPOPTS_H
#define HALVM_LWIPOPTS_H

#include <stdint.h>

/* -- environment -- */
#define NO_SYS                                1
#define SYS_LIGHTWEIGHT_PROT                  0
#define LWIP_SOCKET                           0
#define LWIP_NETCONN                          0
#define LWIP_TIMERS                           1
#define LWIP_TIMERS_CUSTOM                    1
#define LWIP_STATS                            0
#define LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS 1

/* -- memory -- */
#define MEM_ALIGNMENT                   16
#define MEM_LIBC_MALLOC                 1
#define MEMP_MEM_MALLOC                 1
#define LWIP_DISABLE_TCP_SANITY_CHECKS  1
#define LWIP_DISABLE_MEMP_SANITY_CHECKS 1
/* The numbers below bound core/net/lwip_memory.c; TCP's control blocks and
 * segments have no number here but the machine's. */
#define MEMP_NUM_RAW_PCB        64
#define MEMP_NUM_UDP_PCB        16384
#define MEMP_NUM_TCP_PCB_LISTEN 1024
#define MEMP_NUM_REASSDATA      16
#define MEMP_NUM_FRAG_PBUF      256
#define MEMP_NUM_ARP_QUEUE      512
#define MEMP_NUM_IGMP_GROUP     64
#define MEMP_NUM_MLD6_GROUP     64
#define MEMP_NUM_ND6_QUEUE      128
#define MEMP_NUM_PBUF           4096
#define PBUF_POOL_SIZE          4096
#define PBUF_POOL_BUFSIZE       1536

/* -- links -- */
#define LWIP_ETHERNET 1
#define LWIP_ARP      1
/* A /24 at once; core/net/interface.c bounds what of it answers to frames may
 * take. */
#define ARP_TABLE_SIZE                256
#define ARP_QUEUEING                  1
#define ARP_QUEUE_LEN                 64
#define ETHARP_SUPPORT_STATIC_ENTRIES 0
#define LWIP_NETIF_HWADDRHINT         1
#define LWIP_NETIF_HOSTNAME           1
#define LWIP_NETIF_STATUS_CALLBACK    1
#define LWIP_NETIF_TX_SINGLE_PBUF     0
#define LWIP_HAVE_LOOPIF              1
#define LWIP_NETIF_LOOPBACK           1
/* Loopback is emptied after every operation (net_leave), so it needs no bound
 * of its own; a drop there would cost a retransmission. */
#define LWIP_LOOPBACK_MAX_PBUFS      0
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1

/* -- IP -- */
#define LWIP_IPV4                      1
#define LWIP_IPV6                      1
#define IP_FORWARD                     0
#define IP_REASSEMBLY                  1
#define IP_REASS_MAX_PBUFS             192
#define IP_FRAG                        1
#define IP_SOF_BROADCAST               1
#define IP_SOF_BROADCAST_RECV          0
#define LWIP_ICMP                      1
#define LWIP_BROADCAST_PING            0
#define LWIP_MULTICAST_PING            0
#define LWIP_RAW                       1
#define LWIP_IGMP                      1
#define LWIP_MULTICAST_TX_OPTIONS      1
#define LWIP_IPV6_NUM_ADDRESSES        4
#define LWIP_IPV6_AUTOCONFIG           1
#define LWIP_IPV6_MLD                  1
#define LWIP_IPV6_FRAG                 1
#define LWIP_IPV6_REASS                1
#define IPV6_FRAG_COPYHEADER           1 /* pointers have 64 bits */
#define LWIP_IPV6_SCOPES               1
#define LWIP_IPV6_DHCP6                0
#define LWIP_ICMP6                     1
#define LWIP_ND6_NUM_NEIGHBORS         32
#define LWIP_ND6_NUM_DESTINATIONS      64
#define LWIP_ND6_NUM_PREFIXES          5
#define LWIP_ND6_NUM_ROUTERS           3
#define LWIP_ND6_QUEUEING              1
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 3

/* -- configuration by the network --
 * LWIP_DNS only makes DHCP and router advertisements report name servers to
 * dns_setserver(), which is ours (core/net/config.c); dns.c is not built,
 * since names are resolved by the C library. */
#define LWIP_DHCP                 1
#define LWIP_DHCP_MAX_DNS_SERVERS 3
#define DHCP_DOES_ARP_CHECK       0
#define LWIP_DHCP_DOES_ACD_CHECK  0
#define LWIP_AUTOIP               0
#define LWIP_DNS                  1
#define DNS_MAX_SERVERS           3

/* -- UDP -- */
#define LWIP_UDP         1
#define LWIP_UDPLITE     0
#define SO_REUSE         1
#define SO_REUSE_RXTOALL 1

/* -- TCP -- */
extern uint32_t net_tcp_window; /* bytes, each way */
#define LWIP_TCP                 1
#define TCP_MSS                  1460
#define TCP_WND                  net_tcp_window
#define TCP_SND_BUF              net_tcp_window
#define TCP_SND_QUEUELEN         4096
#define TCP_WND_UPDATE_THRESHOLD LWIP_MIN((TCP_WND / 4), (TCP_MSS * 16))
#define LWIP_WND_SCALE           1
#define TCP_RCV_SCALE            3
#define LWIP_TCP_SACK_OUT        1
#define LWIP_TCP_MAX_SACK_NUM    4
#define LWIP_TCP_TIMESTAMPS      1
#define LWIP_TCP_KEEPALIVE       1
#define TCP_QUEUE_OOSEQ          1
#define TCP_OOSEQ_MAX_PBUFS      128
#define TCP_OVERSIZE             TCP_MSS
/* The backlog is ours (core/net/stream.c): lwIP's counts half-open
 * connections in eight bits and stops at the first flood. */
#define TCP_LISTEN_BACKLOG        0
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1
/* Delayed acknowledgements leave after 40 to 80 ms, and retransmission is
 * timed in steps of 80 ms (lwIP's default of 500 ms is from slower days). */
#define TCP_TMR_INTERVAL 40
#define TCP_MAXRTX       12
#define TCP_SYNMAXRTX    6
/* lwIP also ends a connection in LAST_ACK after 2 MSL of silence, so this is
 * long; core/net/timers.c ends TIME_WAIT sooner. */
#define TCP_MSL                    10000
#define TCP_DEFAULT_LISTEN_BACKLOG 128

/* Ephemeral ports as Linux's; picked at random in core/net/address.c. */
#define TCP_LOCAL_PORT_RANGE_START 32768
#define TCP_LOCAL_PORT_RANGE_END   60999
#define TCP_ENSURE_LOCAL_PORT_RANGE(port)                                      \
    ((u16_t)(TCP_LOCAL_PORT_RANGE_START +                                      \
             (port) %                                                          \
                 (TCP_LOCAL_PORT_RANGE_END - TCP_LOCAL_PORT_RANGE_START)))

/* -- hooks -- */
#define LWIP_HOOK_FILENAME "arch/hooks.h"

#endif
