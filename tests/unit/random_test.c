/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The random generator: RFC 8439's vectors for its block function; seeding
 * from jitter where the base has too little, and from the base again later;
 * output that does not repeat; getrandom's arguments.
 */
#include <sys/random.h>

#include "check.h"
#include "core/calls.h"
#include "core/random/random.h"
#include "core/time/time.h"

static size_t entropy_good;
static uint8_t entropy_next = 1;

static size_t entropy(void *data, size_t size)
{
    memset(data, entropy_next++, size);
    return entropy_good < size ? entropy_good : size;
}

static uint64_t now;
static uint64_t clock_now(void)
{
    return now;
}

static struct base base = {
    .entropy = entropy, .clock_monotonic = clock_now, .clock_wall = clock_now};
const struct base *core_base = &base;

uint64_t time_now_ns(void)
{
    return now;
}

int core_copy_out(void *user_to, const void *from, size_t size)
{
    if (user_to == NULL)
        return -EFAULT;
    memcpy(user_to, from, size);
    return 0;
}

void core_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: ASSERT(%s)\n", file, line, condition);
    abort();
}

/* RFC 8439, 2.3.2 and its appendix A.1, test vector 2. */
static void test_vectors(void)
{
    uint32_t input[12];
    uint8_t out[64];
    for (unsigned i = 0; i < 8; i++)
        input[i] = 0x03020100u + i * 0x04040404u;
    input[8] = 1;
    input[9] = 0x09000000;
    input[10] = 0x4a000000;
    input[11] = 0;
    static const uint8_t expected[64] = {
        0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd,
        0x1f, 0xa3, 0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0,
        0x68, 0x03, 0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2,
        0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05,
        0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1, 0xde, 0x16, 0x4e,
        0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
    random_chacha_block(input, out);
    CHECK(memcmp(out, expected, sizeof(out)) == 0);
    memset(input, 0, sizeof(input));
    input[8] = 1;
    static const uint8_t expected_zero[16] = {
        0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a,
        0x98, 0xba, 0x97, 0x7c, 0x73, 0x2d, 0x08, 0x0d};
    random_chacha_block(input, out);
    CHECK(memcmp(out, expected_zero, sizeof(expected_zero)) == 0);
}

static void test_output(void)
{
    static uint8_t bytes[1 << 16];
    unsigned counts[256] = {0};
    CHECK(random_bytes(bytes, sizeof(bytes)) == 0);
    for (unsigned i = 0; i < sizeof(bytes); i++)
        counts[bytes[i]]++;
    for (unsigned i = 0; i < 256; i++) /* 256 each, standard deviation 16 */
        CHECK(counts[i] > 150 && counts[i] < 370);
    uint8_t a[16], b[16];
    CHECK(random_bytes(a, 16) == 0 && random_bytes(b, 16) == 0);
    CHECK(memcmp(a, b, 16) != 0);
}

static void test_call(void)
{
    uint8_t bytes[1000] = {0};
    CHECK(core_getrandom((long)bytes, 999, 0) == 999);
    CHECK(bytes[999] == 0);
    CHECK(core_getrandom((long)bytes, 0, GRND_RANDOM) == 0);
    CHECK(core_getrandom((long)bytes, 1, 8) == -EINVAL);
    CHECK(core_getrandom((long)bytes, 1, GRND_RANDOM | 4) == -EINVAL);
    CHECK(core_getrandom(0, 1, 0) == -EFAULT);
}

int main(void)
{
    uint8_t bytes[16];
    test_vectors();
    /* Too little from the base; jitter then decides (this machine's clock
     * does vary). */
    entropy_good = 4;
    CHECK(random_bytes(bytes, sizeof(bytes)) == 0);
    test_output();
    entropy_good = 32;
    now = 1000 * TIME_SECOND; /* time to take new entropy */
    uint8_t before = entropy_next;
    CHECK(random_bytes(bytes, sizeof(bytes)) == 0);
    CHECK(entropy_next == before + 1);
    CHECK(random_bytes(bytes, sizeof(bytes)) == 0);
    CHECK(entropy_next == before + 1);
    random_mix("abc", 3, 0);
    test_output();
    test_call();
    return 0;
}
