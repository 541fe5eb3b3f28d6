/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must not be guessed from outside: initial sequence numbers, ports,
 * transaction numbers.
 *
 * Sequence numbers follow RFC 6528: a clock plus a keyed hash (SipHash-2-4) of
 * the connection's ends, so that they rise within one connection's ends and
 * tell nothing about another's. Ports and lwIP's own random numbers come from
 * the same function over a counter.
 */
#include "core/net/net.h"
#include "core/random/random.h"
#include "core/time/time.h"

#include "arch/hooks.h"

static uint64_t key[2];
static uint64_t counter;

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

static void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    sip_round(v);
    v[0] ^= word;
}

static uint64_t hash(const uint64_t *words, unsigned count)
{
    uint64_t v[4];

    v[0] = key[0] ^ 0x736f6d6570736575ull;
    v[1] = key[1] ^ 0x646f72616e646f6dull;
    v[2] = key[0] ^ 0x6c7967656e657261ull;
    v[3] = key[1] ^ 0x7465646279746573ull;
    for (unsigned i = 0; i < count; i++)
        sip_word(v, words[i]);
    sip_word(v, (uint64_t)count * 8 << 56);
    v[2] ^= 0xff;
    for (unsigned i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int net_secret_init(void)
{
    return random_bytes(key, sizeof(key));
}

uint32_t net_random32(void)
{
    uint64_t words[2] = {counter++, 0x706f7274};

    return (uint32_t)hash(words, 2);
}

static void address_words(const ip_addr_t *ip, uint64_t out[2])
{
    if (IP_IS_V6(ip)) {
        out[0] = (uint64_t)ip_2_ip6(ip)->addr[0] << 32 | ip_2_ip6(ip)->addr[1];
        out[1] = (uint64_t)ip_2_ip6(ip)->addr[2] << 32 | ip_2_ip6(ip)->addr[3];
    } else {
        out[0] = 0;
        out[1] = ip_2_ip4(ip)->addr;
    }
}

u32_t net_isn(const ip_addr_t *local_ip, u16_t local_port,
              const ip_addr_t *remote_ip, u16_t remote_port)
{
    uint64_t words[5];

    address_words(local_ip, words);
    address_words(remote_ip, words + 2);
    words[4] = (uint64_t)local_port << 16 | remote_port;
    /* One step every 4.1 microseconds, as the RFC's M. */
    return (u32_t)hash(words, 5) + (u32_t)(time_now_ns() >> 12);
}
