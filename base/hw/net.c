/* SPDX-License-Identifier: BSD-3-Clause */
/* net_send and net_recv of base.h. The devices are virtio's. */
#include "drivers/virtio/virtio.h"
#include "parts.h"

unsigned hw_net_send(unsigned index, const struct base_net_frame *frames,
                     unsigned count)
{
    return virtio_net_send(index, frames, count);
}

unsigned hw_net_recv(unsigned index, struct base_net_frame *frames,
                     unsigned count)
{
    return virtio_net_recv(index, frames, count);
}
