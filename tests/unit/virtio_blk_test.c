/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/virtio/blk.c against a device in software, for what has a range in
 * place of data: discards and zeroing, in pieces of the size that the device
 * takes and that end where it likes; a device that fails, does not know the
 * operation after all, or lies. tests/base/virtio_blk.c has the rest, against
 * QEMU.
 *
 * Links drivers/virtio/ring.c.
 */
#include "check.h"

#include "drivers/virtio/blk.c"

#include "tests/fuzz/virtio_mock.h"

static struct base_device device;
static uint8_t answer; /* the device's status */

static void start(void)
{
    mock_end();
    memset(disks, 0, sizeof(disks));
    /* Every field of the configuration says the same. */
    mock_config = 1000;
    CHECK(virtio_blk_get(0, &device) == BASE_OK);
    /* The mock agrees on all, read-only included. */
    CHECK(device.read_only && !device.discards && !device.zeroes);
    disks[0].about.read_only = false;
    disks[0].about.discards = disks[0].about.zeroes = true;
    disks[0].about.sector_count = 1000;
    disks[0].discard_max = 100;
    disks[0].zeroes_max = 30;
    disks[0].discard_alignment = 32;
    answer = STATUS_OK;
}

static uint16_t seen;

/* The device takes a chain: the range in it, if it is one. */
static bool take(uint32_t *type, uint64_t *sector, uint32_t *count)
{
    struct virtio_ring *ring = &disks[0].queue.ring;
    uint16_t id;

    if (ring->avail[1] == seen)
        return false;
    id = ring->avail[2 + seen++ % MOCK_RING_SIZE];
    const struct virtio_ring_descriptor *one = &ring->descriptors[id];
    const struct virtio_ring_descriptor *two = &ring->descriptors[one->next];
    const struct virtio_ring_descriptor *three = &ring->descriptors[two->next];
    const struct shared *shared = (const void *)one->physical;

    CHECK(one->size == 16 && shared->sector == 0 && shared->reserved == 0);
    CHECK(two->size == 16 && (two->flags & 2) == 0);
    CHECK(three->size == 1 && three->flags == 2);
    CHECK((const void *)two->physical == &shared->range);
    CHECK(shared->range.flags == (shared->type == TYPE_ZEROES));
    CHECK(*(uint8_t *)three->physical == 0xff);
    *type = shared->type;
    *sector = shared->range.sector;
    *count = shared->range.count;
    *(uint8_t *)three->physical = answer;
    mock_finish(0, (uint8_t)id, 1);
    return true;
}

static enum base_status submit(enum base_block_op op, uint64_t sector,
                               uint32_t count)
{
    struct base_block_request request = {op, sector, count, NULL, &answer};

    return virtio_blk_submit(0, &request);
}

/* Does a request to its end; *pieces: how many there were. */
static enum base_status run(enum base_block_op op, uint64_t sector,
                            uint32_t count, uint32_t most, unsigned *pieces)
{
    struct base_block_done done;
    uint64_t from;
    uint32_t type, size;

    *pieces = 0;
    seen = disks[0].queue.ring.avail[1];
    CHECK(submit(op, sector, count) == BASE_OK);
    while (take(&type, &from, &size)) {
        CHECK(type == (op == BASE_BLOCK_ZERO ? TYPE_ZEROES : TYPE_DISCARD));
        CHECK(from == sector && size > 0 && size <= most && size <= count);
        sector += size;
        count -= size;
        if (op == BASE_BLOCK_DISCARD && count > 0)
            CHECK(sector % disks[0].discard_alignment == 0);
        ++*pieces;
        if (virtio_blk_reap(0, &done, 1) == 1) {
            CHECK(done.tag == &answer && (count == 0 || done.status));
            return done.status;
        }
    }
    CHECK(!"it stalls");
    return BASE_IO;
}

static void test_pieces(void)
{
    unsigned pieces;

    start();
    CHECK(run(BASE_BLOCK_ZERO, 5, 30, 30, &pieces) == BASE_OK && pieces == 1);
    CHECK(run(BASE_BLOCK_ZERO, 5, 901, 30, &pieces) == BASE_OK);
    CHECK(pieces == 31);
    CHECK(run(BASE_BLOCK_DISCARD, 7, 100, 100, &pieces) == BASE_OK);
    CHECK(pieces == 1);
    /* 7 to 96, 192, 288, 300 */
    CHECK(run(BASE_BLOCK_DISCARD, 7, 293, 100, &pieces) == BASE_OK);
    CHECK(pieces == 4);
    disks[0].discard_max = 5; /* less than its alignment */
    disks[0].discard_alignment = 1;
    CHECK(run(BASE_BLOCK_DISCARD, 1, 999, 5, &pieces) == BASE_OK);
    CHECK(pieces == 200);
    CHECK(submit(BASE_BLOCK_ZERO, 999, 2) == BASE_IO);
    CHECK(submit(BASE_BLOCK_DISCARD, 0, 0) == BASE_IO);
    CHECK(mock_log_lines == 0);
    /* Never on where it ends by itself: no piece is empty. */
    disks[0].discard_alignment = UINT32_MAX;
    CHECK(range_next(&disks[0], &(struct job){.op = BASE_BLOCK_DISCARD,
                                              .count = 99}) == 5);
    disks[0].discard_max = 64;
    disks[0].discard_alignment = 128;
    CHECK(range_next(&disks[0], &(struct job){.op = BASE_BLOCK_DISCARD,
                                              .sector = 32,
                                              .count = 99}) == 64);
}

static void test_failures(void)
{
    unsigned pieces;

    start();
    answer = 1;
    CHECK(run(BASE_BLOCK_DISCARD, 0, 200, 100, &pieces) == BASE_IO);
    CHECK(pieces == 1 && disks[0].about.discards);
    answer = STATUS_UNSUPPORTED;
    CHECK(run(BASE_BLOCK_DISCARD, 0, 8, 100, &pieces) == BASE_IO);
    CHECK(virtio_blk_get(0, &device) == BASE_OK && !device.discards);
    CHECK(device.zeroes && submit(BASE_BLOCK_DISCARD, 0, 8) == BASE_IO);
    CHECK(run(BASE_BLOCK_ZERO, 0, 8, 30, &pieces) == BASE_IO);
    CHECK(virtio_blk_get(0, &device) == BASE_OK && !device.zeroes);
    CHECK(submit(BASE_BLOCK_ZERO, 0, 8) == BASE_IO);
    /* An answer that it did not write, and then one too many. */
    start();
    struct base_block_done done;
    CHECK(submit(BASE_BLOCK_ZERO, 0, 8) == BASE_OK);
    mock_finish(0, 0, 0);
    CHECK(virtio_blk_reap(0, &done, 1) == 1 && done.status == BASE_IO);
    CHECK(submit(BASE_BLOCK_ZERO, 0, 8) == BASE_OK);
    mock_finish(0, 1, 1);
    CHECK(virtio_blk_reap(0, &done, 1) == 1 && done.status == BASE_IO);
    CHECK(mock_log_lines == 1 && submit(BASE_BLOCK_ZERO, 0, 8) == BASE_IO);
}

int main(void)
{
    test_pieces();
    test_failures();
    mock_end();
    return 0;
}
