/* SPDX-License-Identifier: BSD-3-Clause */
/* blk_submit and blk_reap of base.h. The devices are virtio's. */
#include "drivers/virtio/virtio.h"
#include "parts.h"

enum base_status hw_blk_submit(unsigned index,
                               const struct base_block_request *request)
{
    return virtio_blk_submit(index, request);
}

unsigned hw_blk_reap(unsigned index, struct base_block_done *done,
                     unsigned count)
{
    return virtio_blk_reap(index, done, count);
}
