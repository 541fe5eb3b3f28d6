/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network devices of base.h: dev_get, net_send and net_recv. In Xen's
 * guests they are Xen's, else virtio's. The driver is reached through
 * base_uses_net() alone, so that an image without sockets is linked without it.
 */
#include "drivers/virtio/virtio.h"
#include "drivers/xen/xen.h"
#include "parts.h"

static const struct driver {
    enum base_status (*get)(unsigned, struct base_device *);
    unsigned (*send)(unsigned, const struct base_net_frame *, unsigned);
    unsigned (*recv)(unsigned, struct base_net_frame *, unsigned);
} virtio_net = {virtio_net_get, virtio_net_send, virtio_net_recv},
  xen_net = {xen_net_get, xen_net_send, xen_net_recv};

static const struct driver *driver;

void base_uses_net(void)
{
    driver = xen_present ? &xen_net : &virtio_net;
}

enum base_status hw_net_get(unsigned index, struct base_device *out)
{
    return driver != NULL ? driver->get(index, out) : BASE_NODEV;
}

unsigned hw_net_send(unsigned index, const struct base_net_frame *frames,
                     unsigned count)
{
    return driver->send(index, frames, count);
}

unsigned hw_net_recv(unsigned index, struct base_net_frame *frames,
                     unsigned count)
{
    return driver->recv(index, frames, count);
}
