/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The block devices of base.h: dev_get, blk_submit and blk_reap. They are
 * Xen's or virtio's, and linked where base_uses_block() is: as net.c.
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

static const struct driver *driver, *driver_of_xen;

void base_uses_block(void)
{
    if (driver != NULL)
        return; /* it is said again for every device */
    driver = &virtio_blk;
    driver_of_xen = &xen_blk;
}

enum base_status hw_blk_get(unsigned index, struct base_device *out)
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
