/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * musl reads /etc/resolv.conf before it makes its first socket. Where there is
 * no host, that file is written when the network is configured, which begins
 * with the first socket: so the resolver waits for that first. musl's own
 * function is __musl_get_resolv_conf by then (see the Makefile).
 */
#include "network/lookup.h"
#include "syscall.h"

#include "gate/gate.h"

void __halvm_resolver(void); /* gate/stubs.S */
hidden int __musl_get_resolv_conf(struct resolvconf *, char *, size_t);

int __get_resolv_conf(struct resolvconf *conf, char *search, size_t size)
{
    if (!(gate_state[SYS_socket] & GATE_HOST))
        __halvm_resolver();
    return __musl_get_resolv_conf(conf, search, size);
}
