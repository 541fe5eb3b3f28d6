/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random bytes, fit for keys: getrandom, /dev/urandom, AT_RANDOM, TCP's first
 * sequence numbers. Monitor held.
 */
#ifndef HALVM_RANDOM_H
#define HALVM_RANDOM_H

#include "core/core.h"

/* Fills data. 0, or -EIO if no entropy can be had: then nothing is given. */
int random_bytes(void *data, size_t size);
/* Adds what a device or anybody else knows; it never makes things worse.
 * good_bits: how much of it nobody else can know. */
void random_mix(const void *data, size_t size, uint32_t good_bits);

/* The ChaCha20 block function (RFC 8439, 2.3): key, counter and nonce as
 * state words 4 to 15, 64 bytes out. Here for its test. */
void random_chacha_block(const uint32_t input[12], uint8_t out[64]);

#endif
