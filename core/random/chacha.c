/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ChaCha20 block function, RFC 8439 section 2.3. Used by random.c; tested
 * with the RFC's vectors in tests/unit/random_test.c.
 */
#include "core/random/random.h"

static inline uint32_t rotate(uint32_t value, unsigned count)
{
    return value << count | value >> (32 - count);
}

/* Section 2.1. */
static inline void quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b;
    *d = rotate(*d ^ *a, 16);
    *c += *d;
    *b = rotate(*b ^ *c, 12);
    *a += *b;
    *d = rotate(*d ^ *a, 8);
    *c += *d;
    *b = rotate(*b ^ *c, 7);
}

void random_chacha_block(const uint32_t input[12], uint8_t out[64])
{
    /* "expand 32-byte k" */
    uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    uint32_t x[16];
    memcpy(start + 4, input, 12 * sizeof(uint32_t));
    memcpy(x, start, sizeof(x));
    /* Written out, so that no index is computed: this runs at every boot. */
    for (unsigned round = 0; round < 20; round += 2) {
        quarter(&x[0], &x[4], &x[8], &x[12]);
        quarter(&x[1], &x[5], &x[9], &x[13]);
        quarter(&x[2], &x[6], &x[10], &x[14]);
        quarter(&x[3], &x[7], &x[11], &x[15]);
        quarter(&x[0], &x[5], &x[10], &x[15]);
        quarter(&x[1], &x[6], &x[11], &x[12]);
        quarter(&x[2], &x[7], &x[8], &x[13]);
        quarter(&x[3], &x[4], &x[9], &x[14]);
    }
    for (unsigned i = 0; i < 16; i++)
        x[i] += start[i];
    memcpy(out, x, sizeof(x)); /* x86 is little-endian, as the RFC wants */
}
