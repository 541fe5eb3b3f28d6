/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The random generator: ChaCha20 with fast key erasure.
 *
 * The state is one 256-bit key. To give bytes, ChaCha20 runs under the key
 * with a counter; the first 32 bytes it makes are the next key, at once, so
 * that whoever reads the state later cannot tell what was given before. What
 * comes in (random_mix) is XORed into the key 32 bytes at a time, each time
 * followed by a block whose first half is the new key: nobody who does not
 * know the key can steer it, and whoever knows it no longer does once 256 bits
 * unknown to him have come in.
 *
 * Nothing is given before 256 bits of entropy were credited. They come from
 * the base (RDSEED, RDRAND or the hypervisor's device), which is asked first
 * and again after each RESEED_BLOCKS or RESEED_NS; else from jitter: the time
 * stamp counter around work whose duration depends on caches, pipelines and
 * the host. One bit is credited for JITTER_SAMPLES_PER_BIT samples, of which
 * only those count whose duration differs from the two before it; a clock that
 * never varies earns nothing and the generator stays shut.
 */
#include <sys/random.h>

#include "core/calls.h"
#include "core/random/random.h"
#include "core/time/time.h"

#define KEY_BYTES              32u
#define SEED_BITS              256u
#define RESEED_BLOCKS          (1u << 20) /* 64 MiB */
#define RESEED_NS              (300 * TIME_SECOND)
#define JITTER_SAMPLES_PER_BIT 16u
#define JITTER_SAMPLES_MAX     (1u << 17) /* then we give up, for now */

static uint32_t key[KEY_BYTES / 4];
static uint64_t mixed; /* how often; also the nonce of mixing */
static uint32_t credited_bits;
static uint32_t blocks_since_seed;
static uint64_t seeded_ns;

/* One block under the key; the nonce tells uses apart. */
static void block(uint32_t counter, uint64_t nonce, uint8_t out[64])
{
    uint32_t input[12];
    memcpy(input, key, sizeof(key));
    input[8] = counter;
    input[9] = 0;
    memcpy(input + 10, &nonce, sizeof(nonce));
    random_chacha_block(input, out);
}

/* Writes zeros that the compiler may not leave out. */
static void erase(void *data, size_t size)
{
    memset(data, 0, size);
    __asm__ volatile("" ::"r"(data) : "memory");
}

void random_mix(const void *data, size_t size, uint32_t good_bits)
{
    const uint8_t *bytes = data;
    uint8_t out[64];
    while (size > 0) {
        size_t count = size < KEY_BYTES ? size : KEY_BYTES;
        uint8_t *target = (uint8_t *)key;
        for (size_t i = 0; i < count; i++)
            target[i] ^= bytes[i];
        block(0, ++mixed, out);
        memcpy(key, out, KEY_BYTES);
        bytes += count;
        size -= count;
    }
    erase(out, sizeof(out));
    if (credited_bits < SEED_BITS)
        credited_bits += good_bits < SEED_BITS ? good_bits : SEED_BITS;
}

/* -- sources -- */

static void mix_base(void)
{
    uint8_t data[KEY_BYTES];
    size_t good = core_base->entropy(data, sizeof(data));
    if (good > 0 && good <= sizeof(data))
        random_mix(data, good, (uint32_t)good * 8);
    erase(data, sizeof(data));
}

/* Some work whose duration depends on more than its instructions. */
static void jitter_work(uint8_t *memory, size_t size, uint64_t seed)
{
    for (unsigned i = 0; i < 16; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        volatile uint8_t *at = memory + (seed >> 33) % size;
        *at = (uint8_t)(*at + seed);
    }
}

static void mix_jitter(void)
{
    uint8_t memory[1024] = {0};
    uint64_t samples[KEY_BYTES / 8];
    uint64_t last = arch_tsc(), delta[3] = {0, 0, 0};
    uint32_t counted = 0, filled = 0;
    for (uint32_t i = 0; i < JITTER_SAMPLES_MAX && credited_bits < SEED_BITS;
         i++) {
        jitter_work(memory, sizeof(memory), last);
        uint64_t now = arch_tsc();
        delta[2] = delta[1];
        delta[1] = delta[0];
        delta[0] = now - last;
        last = now;
        counted += delta[0] != delta[1] && delta[0] != delta[2] &&
                   delta[0] - delta[1] != delta[1] - delta[2];
        samples[filled++] = now ^ delta[0] << 32;
        if (filled < KEY_BYTES / 8)
            continue;
        filled = 0;
        random_mix(samples, sizeof(samples), counted / JITTER_SAMPLES_PER_BIT);
        counted %= JITTER_SAMPLES_PER_BIT;
    }
}

/* Boot and clock are known to others at least in part: no credit. */
static void mix_clocks(void)
{
    uint64_t data[3] = {arch_tsc(), core_base->clock_wall(),
                        core_base->clock_monotonic()};
    random_mix(data, sizeof(data), 0);
}

static bool seed(void)
{
    bool first = credited_bits < SEED_BITS;
    if (!first && blocks_since_seed < RESEED_BLOCKS &&
        time_now_ns() - seeded_ns < RESEED_NS)
        return true;
    mix_base();
    if (credited_bits < SEED_BITS) {
        mix_clocks();
        mix_jitter();
    }
    if (credited_bits < SEED_BITS)
        return false;
    blocks_since_seed = 0;
    seeded_ns = time_now_ns();
    return true;
}

/* -- giving -- */

/* Makes the next key and up to 32 bytes in one block: the usual request. */
static size_t give_first(uint8_t out[KEY_BYTES])
{
    uint8_t bytes[64];
    block(0, 0, bytes);
    memcpy(key, bytes, KEY_BYTES);
    memcpy(out, bytes + KEY_BYTES, KEY_BYTES);
    erase(bytes, sizeof(bytes));
    blocks_since_seed++;
    return KEY_BYTES;
}

int random_bytes(void *data, size_t size)
{
    uint8_t *to = data;
    uint8_t bytes[KEY_BYTES];
    if (!seed())
        return -EIO;
    while (size > 0) {
        size_t count = give_first(bytes);
        if (count > size)
            count = size;
        memcpy(to, bytes, count);
        to += count;
        size -= count;
    }
    erase(bytes, sizeof(bytes));
    return 0;
}

#ifndef GRND_INSECURE
#define GRND_INSECURE 4 /* linux/random.h, since 5.6 */
#endif

long core_getrandom(long a, long b, long c)
{
    uint8_t *to = (uint8_t *)a;
    uint64_t size = (uint64_t)b, done = 0;
    uint8_t bytes[256];
    if ((c & ~(long)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) != 0 ||
        (c & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
        return -EINVAL;
    if (size > 0x1ffffff) /* as Linux: one call gives so much at most */
        size = 0x1ffffff;
    if (!seed())
        return c & GRND_NONBLOCK ? -EAGAIN : -EIO;
    while (done < size) {
        size_t count =
            size - done < sizeof(bytes) ? (size_t)(size - done) : sizeof(bytes);
        if (random_bytes(bytes, count) < 0)
            return -EIO;
        if (core_copy_out(to + done, bytes, count) < 0)
            return done > 0 ? (long)done : -EFAULT;
        done += count;
    }
    erase(bytes, sizeof(bytes));
    return (long)done;
}
