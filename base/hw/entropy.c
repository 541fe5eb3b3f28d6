/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random bytes from the processor, or from the hypervisor's device.
 *
 * Called by core's generator to seed itself. Instructions may fail for a
 * while (Intel SDM volume 1, 7.3.17); what is then missing is not made up.
 */
#include "drivers/virtio/virtio.h"
#include "parts.h"

#define TRIES 16

static bool random_word(uint64_t *out)
{
    unsigned tries;
    uint8_t ok = 0;

    for (tries = 0; tries < TRIES && !ok; tries++) {
        if (hw_cpu.rdseed)
            __asm__ volatile("rdseed %0; setc %1" : "=r"(*out), "=qm"(ok));
        if (!ok && hw_cpu.rdrand)
            __asm__ volatile("rdrand %0; setc %1" : "=r"(*out), "=qm"(ok));
    }
    return ok;
}

size_t hw_entropy(void *data, size_t size)
{
    uint8_t *out = data;
    size_t done = 0, i;
    uint64_t word;

    while (done < size && random_word(&word))
        for (i = 0; i < 8 && done < size; i++, word >>= 8)
            out[done++] = (uint8_t)word;
    if (done < size)
        done += virtio_rng_read(out + done, size - done);
    return done;
}
