/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * blk_submit and blk_reap of base.h, on a disk whose content does not matter:
 * writes and reads of every size and alignment, in memory of the arena whose
 * frames are scattered, with the queue full; past the end; flush; discards and
 * zeroing, in pieces, too.
 *
 * The disk is a folder as QEMU shows it; what is written goes elsewhere, to
 * where sectors that were discarded read as zeros.
 *
 * Xen's disks have no zeroing, and discard only over some backends: on QEMU
 * both must be there.
 *
 * memory: 32M
 * says: ranges: discard zero
 * skip: xen tests/xen/t-base runs it, over blkfront
 * device: virtio-blk,drive=d
 * qemu: -drive if=none,id=d,format=raw,file=fat:tests/base,snapshot=on
 * qemu: -set drive.d.discard=unmap
 * qemu: -global virtio-blk-device.discard_granularity=65536
 * qemu: -global virtio-blk-device.max-discard-sectors=1000
 * qemu: -global virtio-blk-device.max-write-zeroes-sectors=700
 * qemu: -global virtio-mmio.force-legacy=false
 */
#include <string.h>

#include "check.h"
#include "wait.h"

#define SECTOR   512u
#define AREA     (6u << 20) /* bytes: more than one chain can carry */
#define REQUESTS 200

static struct base_device device;
static uint8_t *out, *in;

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % bound;
}

/* Maps a range whose pages get frames in an order of their own. */
static uint8_t *area(uint64_t at, uint32_t size)
{
    uint32_t pages = size / 4096;

    CHECK(base->mem_map(at, size, BASE_PROT_READ | BASE_PROT_WRITE) == BASE_OK);
    for (uint32_t i = 0; i < pages; i++)
        *(volatile uint8_t *)(at + (uint64_t)(i * 7 % pages) * 4096) = 0;
    for (uint32_t i = 0; i < pages; i++)
        *(volatile uint8_t *)(at + (uint64_t)i * 4096) = 0;
    return (uint8_t *)at;
}

/* Submits and waits for the one request there is. */
static enum base_status do_one(enum base_block_op op, uint64_t sector,
                               uint32_t count, void *data)
{
    struct base_block_request request = {op, sector, count, data, &request};
    struct base_block_done done;
    enum base_status status = base->blk_submit(0, &request);

    if (status != BASE_OK)
        return status;
    while (base->blk_reap(0, &done, 1) == 0)
        wait_for(BASE_READY_BLOCK);
    CHECK(done.tag == &request);
    CHECK(base->blk_reap(0, &done, 1) == 0);
    return done.status;
}

static void fill(uint8_t *at, uint32_t size, uint32_t seed)
{
    for (uint32_t i = 0; i < size; i++)
        at[i] = (uint8_t)((i + seed) * 2654435761u >> 24);
}

static void test_sizes(void)
{
    static const uint32_t counts[] = {1, 2, 7, 8, 9, 64, 500, 1025, 8000};

    for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        for (uint32_t shift = 0; shift < 4096; shift += 1300) {
            uint32_t size = counts[i] * SECTOR;

            fill(out + shift, size, counts[i] + shift);
            memset(in, 0, size + 8192);
            CHECK(do_one(BASE_BLOCK_WRITE, 3, counts[i], out + shift) ==
                  BASE_OK);
            CHECK(do_one(BASE_BLOCK_READ, 3, counts[i], in + 4096 - shift) ==
                  BASE_OK);
            CHECK(memcmp(out + shift, in + 4096 - shift, size) == 0);
            CHECK(in[4095 - shift] == 0 && in[4096 - shift + size] == 0);
        }
    say("sizes\n");
}

static void test_bounds(void)
{
    uint64_t end = device.sector_count;

    CHECK(do_one(BASE_BLOCK_READ, end - 1, 1, in) == BASE_OK);
    CHECK(do_one(BASE_BLOCK_READ, end, 1, in) == BASE_IO);
    CHECK(do_one(BASE_BLOCK_READ, end - 1, 2, in) == BASE_IO);
    CHECK(do_one(BASE_BLOCK_READ, UINT64_MAX, 2, in) == BASE_IO);
    CHECK(do_one(BASE_BLOCK_FLUSH, 0, 0, NULL) == BASE_OK);
    say("bounds\n");
}

/* Sectors [from, to) are zero in a copy of the first `count` of the disk, and
 * the others as they were written. */
static void check_zeros(uint32_t count, uint32_t from, uint32_t to)
{
    memset(out + from * SECTOR, 0, (to - from) * SECTOR);
    CHECK(do_one(BASE_BLOCK_READ, 0, count, in) == BASE_OK);
    CHECK(memcmp(in, out, count * SECTOR) == 0);
}

static void test_ranges(void)
{
    const uint32_t count = 8192;

    if (!device.discards || !device.zeroes) {
        say("ranges: not both\n");
        return;
    }
    fill(out, count * SECTOR, 5);
    CHECK(do_one(BASE_BLOCK_WRITE, 0, count, out) == BASE_OK);
    CHECK(do_one(BASE_BLOCK_ZERO, 7, 1, NULL) == BASE_OK);
    check_zeros(count, 7, 8);
    CHECK(do_one(BASE_BLOCK_ZERO, 1001, 3333, NULL) == BASE_OK);
    check_zeros(count, 1001, 4334);
    /* Whole clusters of 64 KiB, in pieces that end where one ends. */
    CHECK(do_one(BASE_BLOCK_DISCARD, 5120, 2560, NULL) == BASE_OK);
    check_zeros(count, 5120, 7680);
    CHECK(do_one(BASE_BLOCK_DISCARD, device.sector_count, 1, NULL) == BASE_IO);
    CHECK(do_one(BASE_BLOCK_DISCARD, device.sector_count - 1, 2, NULL) ==
          BASE_IO);
    CHECK(do_one(BASE_BLOCK_ZERO, 0, 0, NULL) == BASE_IO);
    check_zeros(count, 0, 0);
    say("ranges: discard zero\n");
}

/* Many at once, until BASE_AGAIN; every tag comes back exactly once. */
static void test_load(void)
{
    static bool back[REQUESTS];
    unsigned sent = 0, done_count = 0, refused = 0;

    while (done_count < REQUESTS) {
        struct base_block_done done[5];
        unsigned count;

        while (sent < REQUESTS) {
            struct base_block_request request = {
                .op = BASE_BLOCK_READ,
                .sector = random_below(4000),
                .count = 1 + random_below(300),
                .data = in + random_below(1u << 20),
                .tag = &back[sent],
            };
            enum base_status status = base->blk_submit(0, &request);

            if (status == BASE_AGAIN) {
                refused++;
                break;
            }
            CHECK(status == BASE_OK);
            sent++;
        }
        wait_for(BASE_READY_BLOCK);
        do {
            count = base->blk_reap(0, done, 5);
            for (unsigned i = 0; i < count; i++) {
                bool *tag = done[i].tag;

                CHECK(done[i].status == BASE_OK && !*tag);
                *tag = true;
                done_count++;
            }
        } while (count == 5);
    }
    CHECK(refused > 0);
    say("load\n");
}

void test_main(void)
{
    base_uses_block();
    CHECK(base->dev_get(BASE_DEVICE_BLOCK, 0, &device) == BASE_OK);
    say("sectors ");
    say_number(device.sector_count);
    say("\n");
    out = area(info->arena_start, AREA);
    in = area(info->arena_start + 2 * AREA, AREA);
    if (device.read_only) {
        CHECK(do_one(BASE_BLOCK_WRITE, 0, 1, out) == BASE_IO);
        CHECK(do_one(BASE_BLOCK_READ, 0, 1, in) == BASE_OK);
        say("read-only\n");
        pass();
    }
    test_sizes();
    test_bounds();
    test_ranges();
    test_load();
    say(device.flushes ? "flushes\n" : "does not flush\n");
    pass();
}
