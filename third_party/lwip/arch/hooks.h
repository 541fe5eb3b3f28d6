/* SPDX-License-Identifier: BSD-3-Clause */
/* lwIP's hooks that core/net takes. Included by lwIP as LWIP_HOOK_FILENAME. */
#ifndef HALVM_LWIP_HOOKS_H
#define HALVM_LWIP_HOOKS_H

#include "lwip/ip_addr.h"
#include "lwip/tcp.h"

/* nd6.c uses the name that LWIP_DONT_PROVIDE_BYTEORDER_FUNCTIONS takes away. */
#define htonl(x) lwip_htonl(x)

struct tcp_hdr;

/* Initial sequence numbers, RFC 6528: core/net/secret.c. */
u32_t net_isn(const ip_addr_t *local_ip, u16_t local_port,
              const ip_addr_t *remote_ip, u16_t remote_port);
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port)        \
    net_isn(local_ip, local_port, remote_ip, remote_port)

/* A segment for a connection in TIME_WAIT: core/net/time_wait.c. Returns
 * ERR_OK if lwIP is to go on with it. */
err_t net_time_wait_input(struct tcp_pcb *pcb, struct tcp_hdr *header,
                          u16_t options_size, struct pbuf *p);
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, options_size, first_size,      \
                                   second, p)                                  \
    ((pcb)->state == TIME_WAIT                                                 \
         ? net_time_wait_input(pcb, header, options_size, p)                   \
         : ERR_OK)

#endif
