/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP errors for what our sockets sent: core/net/icmp.c. */
#ifndef HALVM_NET_ICMP_H
#define HALVM_NET_ICMP_H

/* Listens for them; 0 or -ENOMEM. Called once, by net_start(). */
int net_icmp_start(void);

#endif
