/* SPDX-License-Identifier: BSD-3-Clause */
/* lwIP's hooks that core/net takes. Included by lwIP as LWIP_HOOK_FILENAME. */
#ifndef HALVM_LWIP_HOOKS_H
#define HALVM_LWIP_HOOKS_H

#include "lwip/ip_addr.h"

/* Initial sequence numbers, RFC 6528: core/net/secret.c. */
u32_t net_isn(const ip_addr_t *local_ip, u16_t local_port,
              const ip_addr_t *remote_ip, u16_t remote_port);
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port)        \
    net_isn(local_ip, local_port, remote_ip, remote_port)

#endif
