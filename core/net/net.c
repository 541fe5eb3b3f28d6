/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network's start, with the stack that is linked in or without one.
 *
 * Nothing here runs, and no device is touched, before the program makes its
 * first socket.
 */
#include "core/net/net.h"
#include "core/file/file.h"
#include "core/net/device.h"
#include "core/net/stack.h"

bool net_started;

/* Without a stack: for AF_PACKET, and for what is told of interfaces. */
static int devices_start(void)
{
    net_memory_init();
    return net_devices_init();
}

int net_start(void)
{
    int result;

    if (net_started)
        return 0;
    result = net_stack ? net_stack->start() : devices_start();
    if (result < 0)
        return result;
    net_started = true;
    if (net_stack)
        file_resolver_hook = net_stack->wait_configured;
    if (result > 0)
        core_net_ready = net_devices_ready;
    return 0;
}

/* For libc's resolver, before it reads /etc/resolv.conf: a program's first
 * look-up comes before its first socket. Called as application code; in a
 * Linux process there is no core to ask. */
void net_resolver_wait(void);

void net_resolver_wait(void)
{
    if (!core_base || !net_stack)
        return;
    core_enter();
    net_stack->wait_configured();
    core_leave(0);
}
