/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The entropy device by the driver's own door, since entropy() of base.h asks
 * the processor first: 1,000 bytes, twice, that are neither equal nor poor.
 *
 * skip: xen a virtio device that Xen does not have; see entropy
 * device: virtio-rng
 * qemu: -global virtio-mmio.force-legacy=false
 */
#include <string.h>

#include "check.h"
#include "wait.h"
#include "drivers/virtio/virtio.h"

void test_main(void)
{
    static uint8_t first[1000], second[1000];
    unsigned counts[256] = {0};

    CHECK(virtio_rng_read(first, sizeof(first)) == sizeof(first));
    CHECK(virtio_rng_read(second, sizeof(second)) == sizeof(second));
    CHECK(memcmp(first, second, sizeof(first)) != 0);
    for (unsigned i = 0; i < sizeof(first); i++)
        counts[first[i]]++;
    for (unsigned i = 0; i < 256; i++)
        CHECK(counts[i] < 40); /* 4 are to be expected */
    pass();
}
