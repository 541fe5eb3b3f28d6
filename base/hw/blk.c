/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The block devices of base.h, Xen's or virtio's: dev_get, blk_submit and
 * blk_reap. As with net.c, the driver is linked where base_uses_block() is.
 */
#include "drivers/virtio/virtio.h"
#include "drivers/xen/xen.h"
#include "parts.h"

static const struct driver {
    enum base_status (*get)(unsigned, struct base_device *);
    enum base_status (*submit)(unsigned, const struct base_block_request *);
    unsigned (*reap)(unsigned, struct base_block_done *, unsigned);
} virtio_blk = {virtio_blk_get, virtio_blk_submit, virtio_blk_reap},
  xen_blk = {xen_blk_get, xen_blk_submit, xen_blk_reap};

static const struct driver *driver;

void base_uses_block(void)
{
    driver = xen_present ? &xen_blk : &virtio_blk;
}

enum base_status hw_blk_get(unsigned index, struct base_device *out)
{
    return driver != NULL ? driver->get(index, out) : BASE_NODEV;
}

enum base_status hw_blk_submit(unsigned index,
                               const struct base_block_request *request)
{
    return driver->submit(index, request);
}

unsigned hw_blk_reap(unsigned index, struct base_block_done *done,
                     unsigned count)
{
    return driver->reap(index, done, count);
}
