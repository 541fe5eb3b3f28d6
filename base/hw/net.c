/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network devices of base.h: dev_get, net_send and net_recv. They are
 * Xen's where it gives the domain any, else virtio's. The drivers are reached
 * through base_uses_net() alone, so that an image without sockets is linked
 * without them.
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

static const struct driver *driver, *driver_of_xen;

void base_uses_net(void)
{
    if (driver != NULL)
        return; /* it is said again for every device */
    driver = &virtio_net;
    driver_of_xen = &xen_net;
}

enum base_status hw_net_get(unsigned index, struct base_device *out)
{
    if (driver == NULL)
        return BASE_NODEV;
    /* All devices are of one driver, which the first decides. A PV guest has
     * no buses that virtio could be on. */
    if (xen_present && driver_of_xen != NULL) {
        if (xen_pv || driver_of_xen->get(0, out) != BASE_NODEV)
            driver = driver_of_xen;
        driver_of_xen = NULL;
    }
    return driver->get(index, out);
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
