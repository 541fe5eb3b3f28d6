/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/xen/blk.c and bus.c against a backend in software that keeps a disk
 * in memory: the handshake, requests of all sizes and alignments, plain and
 * indirect, flushes, a backend that goes, a domain that resumes, and each of
 * the lies it can tell.
 */
#include "check.h"

#include "drivers/xen/bus.c"
#include "drivers/xen/blk.c"

#include "xen_front_mock.h"

#define FRONT   "device/vbd/51712"
#define BACK    "/local/domain/0/backend/vbd/3/51712"
#define SECTORS 4096u

static struct {
    blkif_back_ring_t ring;
    unsigned port;
    int16_t status; /* of the answers */
    unsigned flushes, barriers, indirect, plain, segments_most, discards;
} b;

static uint8_t store_bytes[SECTORS * 512];
static _Alignas(4096) uint8_t data[SECTORS * 512 + 4096];

static void backend_sees(const char *path, const char *value)
{
    if (strcmp(path, FRONT "/state") != 0)
        return;
    if (strcmp(value, "3") == 0) {
        blkif_sring_t *ring =
            mock_page((grant_ref_t)mock_number(FRONT "/ring-ref"), true);

        BACK_RING_INIT(&b.ring, ring, 4096);
        b.port = (unsigned)mock_number(FRONT "/event-channel");
        mock_set(BACK "/state", "4");
    }
    if (strcmp(value, "1") == 0 && mock_number(BACK "/state") == 6)
        mock_set(BACK "/state", "2");
}

static void prepare(void)
{
    mock_front_end();
    memset(&b, 0, sizeof(b));
    memset(disks, 0, sizeof(disks));
    device_count = 0;
    mock_on_write = backend_sees;
    mock_set(FRONT "/backend", BACK);
    mock_set(FRONT "/backend-id", "0");
    mock_set(FRONT "/virtual-device", "51712");
    mock_set(BACK "/state", "2");
    mock_set(BACK "/sectors", "4096");
    mock_set(BACK "/sector-size", "512");
    mock_set(BACK "/info", "0");
}

static struct base_device device;

static void start(void)
{
    prepare();
    mock_set(BACK "/feature-flush-cache", "1");
    CHECK(xen_blk_get(0, &device) == BASE_OK);
    CHECK(mock_log_lines == 0);
}

/* -- the backend -- */

static void transfer(uint8_t op, uint64_t sector,
                     const struct blkif_request_segment *segments,
                     unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned first = segments[i].first_sect, last = segments[i].last_sect;
        uint8_t *page = mock_page(segments[i].gref, op == BLKIF_OP_READ);
        size_t size = (last - first + 1) * 512u;

        CHECK(first <= last && last < 8);
        CHECK(sector + (last - first + 1) <= SECTORS);
        if (op == BLKIF_OP_READ)
            memcpy(page + first * 512, store_bytes + sector * 512, size);
        else
            memcpy(store_bytes + sector * 512, page + first * 512, size);
        sector += last - first + 1;
    }
    if (count > b.segments_most)
        b.segments_most = count;
}

static void backend_answer(uint64_t id, int16_t status)
{
    struct blkif_response response = {.id = id, .status = status};
    int notify;

    *RING_GET_RESPONSE(&b.ring, b.ring.rsp_prod_pvt) = response;
    b.ring.rsp_prod_pvt++;
    RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&b.ring, notify);
    if (notify)
        mock_event(b.port);
}

/* Does the next request; false: there is none. */
static bool backend_one(bool answer, uint64_t *id)
{
    struct blkif_request request;
    struct blkif_request_indirect *indirect = (void *)&request;
    const struct blkif_request_discard *discard = (void *)&request;
    int more;

    RING_FINAL_CHECK_FOR_REQUESTS(&b.ring, more);
    if (!more)
        return false;
    request = *RING_GET_REQUEST(&b.ring, b.ring.req_cons);
    b.ring.req_cons++;
    *id = request.id;
    if (request.operation == BLKIF_OP_INDIRECT) {
        CHECK(indirect->nr_segments > 11 && indirect->handle == 51712);
        transfer(indirect->indirect_op, indirect->sector_number,
                 mock_page(indirect->indirect_grefs[0], true),
                 indirect->nr_segments);
        *id = indirect->id;
        b.indirect++;
    } else if (request.operation == BLKIF_OP_DISCARD) {
        CHECK(discard->flag == 0 && discard->handle == 51712);
        CHECK(discard->nr_sectors > 0 && discard->nr_sectors <= SECTORS &&
              discard->sector_number <= SECTORS - discard->nr_sectors);
        *id = discard->id;
        if (b.status == BLKIF_RSP_OKAY)
            memset(store_bytes + discard->sector_number * 512, 0xdd,
                   discard->nr_sectors * 512);
        b.discards++;
    } else if (request.operation == BLKIF_OP_FLUSH_DISKCACHE) {
        CHECK(request.nr_segments == 0);
        b.flushes++;
    } else if (request.operation == BLKIF_OP_WRITE_BARRIER) {
        CHECK(request.nr_segments == 0);
        b.barriers++;
    } else {
        CHECK(request.operation <= BLKIF_OP_WRITE && request.handle == 51712);
        CHECK(request.nr_segments > 0 && request.nr_segments <= 11);
        transfer(request.operation, request.sector_number, request.seg,
                 request.nr_segments);
        b.plain++;
    }
    if (answer)
        backend_answer(*id, b.status);
    return true;
}

/* -- core's side -- */

static enum base_status submit(enum base_block_op op, uint64_t sector,
                               uint32_t count, void *where, void *tag)
{
    struct base_block_request request = {op, sector, count, where, tag};

    return xen_blk_submit(0, &request);
}

/* Lets all go on until nothing moves; returns what came back. */
static unsigned settle(struct base_block_done *done, unsigned room)
{
    unsigned count = xen_blk_reap(0, done, room), more;
    uint64_t id;
    bool moved;

    do {
        moved = false;
        while (backend_one(true, &id))
            moved = true;
        more = xen_blk_reap(0, done + count, room - count);
        count += more;
    } while (moved || more > 0);
    return count;
}

static void fill(uint8_t *at, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(seed = seed * 1103515245 + 12345, seed >> 16);
}

static void check_idle(void)
{
    CHECK(disks[0].pool_free_count == disks[0].pool_count);
    CHECK(RING_FREE_REQUESTS(&disks[0].ring) == JOBS);
}

/* -- the tests -- */

static void test_handshake(void)
{
    prepare();
    mock_set(BACK "/info", "4");
    CHECK(xen_blk_get(0, &device) == BASE_OK);
    CHECK(device.sector_count == SECTORS && device.read_only);
    CHECK(!device.flushes);
    CHECK(mock_number(FRONT "/state") == XenbusStateConnected);
    CHECK(strcmp(mock_get(FRONT "/protocol"), "x86_64-abi") == 0);
    CHECK(submit(BASE_BLOCK_WRITE, 0, 1, data, NULL) == BASE_IO);
    CHECK(submit(BASE_BLOCK_READ, 0, 1, data, NULL) == BASE_OK);
    CHECK(xen_blk_get(1, &device) == BASE_NODEV);
    prepare();
    mock_set(BACK "/sector-size", "4096");
    CHECK(xen_blk_get(0, &device) == BASE_IO && mock_log_lines == 1);
    prepare();
    mock_set(BACK "/sectors", "0");
    CHECK(xen_blk_get(0, &device) == BASE_IO && mock_log_lines == 1);
    prepare();
    mock_set(BACK "/sectors", "18446744073709551615");
    CHECK(xen_blk_get(0, &device) == BASE_IO && mock_log_lines == 1);
    prepare();
    mock_pages_max = 12;
    CHECK(xen_blk_get(0, &device) == BASE_IO && mock_log_lines == 1);
}

/* Writes and reads of all sizes, at all alignments of memory. */
static void test_data(unsigned indirect, unsigned pages_free)
{
    static uint8_t expected[SECTORS * 512];
    static const unsigned counts[] = {1,  7,  8,   9,   88,  89,
                                      96, 97, 512, 513, 2047};
    struct base_block_done done[2];
    char text[XEN_NUMBER_SIZE];

    prepare();
    xen_text_of_number(indirect, text);
    mock_set(BACK "/feature-max-indirect-segments", text);
    mock_pages_free = pages_free;
    CHECK(xen_blk_get(0, &device) == BASE_OK);
    fill(store_bytes, sizeof(store_bytes), 3);
    memcpy(expected, store_bytes, sizeof(expected));
    for (unsigned round = 0; round < 200; round++) {
        unsigned count = counts[round % 11], sector = round * 97 % 2048;
        uint8_t *at = data + round * 37 % 4096;
        int tag;

        fill(data, sizeof(data), round);
        if (round % 2) {
            memcpy(expected + sector * 512, at, count * 512u);
            CHECK(submit(BASE_BLOCK_WRITE, sector, count, at, &tag) == BASE_OK);
            CHECK(settle(done, 2) == 1);
        } else {
            CHECK(submit(BASE_BLOCK_READ, sector, count, at, &tag) == BASE_OK);
            CHECK(settle(done, 2) == 1);
            CHECK(memcmp(at, expected + sector * 512, count * 512u) == 0);
        }
        CHECK(done[0].tag == &tag && done[0].status == BASE_OK);
        CHECK(memcmp(store_bytes, expected, sizeof(expected)) == 0);
        check_idle();
    }
    if (indirect <= 11)
        CHECK(b.indirect == 0 && b.segments_most <= 11);
    else
        CHECK(b.segments_most <= (indirect < 64 ? indirect : 64));
    if (indirect >= 64 && pages_free > 100000)
        CHECK(b.segments_most == 64);
    CHECK(mock_log_lines == 0);
}

/* Many at once: all come back once, though the ring and the pages are few. */
static void test_many(void)
{
    struct base_block_done done[JOBS + 1];
    bool back[JOBS] = {false};
    unsigned count;

    start();
    for (unsigned i = 0; i < JOBS; i++)
        CHECK(submit(BASE_BLOCK_READ, i, 100, data + i * 51200, &back[i]) ==
              BASE_OK);
    CHECK(submit(BASE_BLOCK_READ, 0, 1, data, NULL) == BASE_AGAIN);
    fill(store_bytes, sizeof(store_bytes), 9);
    mock_ready = 0;
    count = settle(done, JOBS + 1);
    CHECK(mock_ready & BASE_READY_BLOCK);
    CHECK(count == JOBS);
    for (unsigned i = 0; i < count; i++) {
        CHECK(!*(bool *)done[i].tag && done[i].status == BASE_OK);
        *(bool *)done[i].tag = true;
    }
    for (unsigned i = 0; i < JOBS; i++)
        CHECK(memcmp(data + i * 51200, store_bytes + i * 512, 51200) == 0);
    check_idle();
    /* The index far beyond its turn. */
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t one;

        CHECK(submit(BASE_BLOCK_READ, 0, 1, data, &back[0]) == BASE_OK);
        mock_ready = 0;
        CHECK(backend_one(true, &one));
        CHECK(mock_ready & BASE_READY_BLOCK); /* asked for every time */
        CHECK(settle(done, 2) == 1);
    }
    /* More is done than is asked for: it is said that there is more. */
    submit(BASE_BLOCK_READ, 0, 1, data, &back[0]);
    submit(BASE_BLOCK_READ, 0, 1, data, &back[1]);
    uint64_t id;
    while (backend_one(true, &id))
        ;
    mock_ready = 0;
    CHECK(xen_blk_reap(0, done, 1) == 1 && (mock_ready & BASE_READY_BLOCK));
    CHECK(xen_blk_reap(0, done, 1) == 1 && xen_blk_reap(0, done, 1) == 0);
    /* Outside of the disk. */
    CHECK(submit(BASE_BLOCK_READ, SECTORS, 1, data, NULL) == BASE_IO);
    CHECK(submit(BASE_BLOCK_READ, SECTORS - 1, 2, data, NULL) == BASE_IO);
    CHECK(submit(BASE_BLOCK_READ, UINT64_MAX, 1, data, NULL) == BASE_IO);
    CHECK(submit(BASE_BLOCK_READ, 0, 0, data, NULL) == BASE_IO);
    /* A failure is the request's, not the disk's. */
    b.status = BLKIF_RSP_ERROR;
    CHECK(submit(BASE_BLOCK_READ, 0, 1, data, NULL) == BASE_OK);
    CHECK(settle(done, 2) == 1 && done[0].status == BASE_IO);
    check_idle();
    CHECK(mock_log_lines == 0);
}

static void test_flush(void)
{
    struct base_block_done done[2];

    start();
    CHECK(device.flushes);
    CHECK(submit(BASE_BLOCK_FLUSH, 0, 0, NULL, NULL) == BASE_OK);
    CHECK(settle(done, 2) == 1 && done[0].status == BASE_OK && b.flushes == 1);
    /* Offered, and not supported when it comes to it. */
    b.status = BLKIF_RSP_EOPNOTSUPP;
    CHECK(submit(BASE_BLOCK_FLUSH, 0, 0, NULL, NULL) == BASE_OK);
    CHECK(settle(done, 2) == 1 && done[0].status == BASE_OK && b.flushes == 2);
    CHECK(submit(BASE_BLOCK_FLUSH, 0, 0, NULL, NULL) == BASE_OK);
    CHECK(settle(done, 2) == 1 && done[0].status == BASE_OK && b.flushes == 2);
    prepare();
    mock_set(BACK "/feature-barrier", "1");
    CHECK(xen_blk_get(0, &device) == BASE_OK && device.flushes);
    CHECK(submit(BASE_BLOCK_FLUSH, 0, 0, NULL, NULL) == BASE_OK);
    CHECK(settle(done, 2) == 1 && b.barriers == 1);
    prepare();
    CHECK(xen_blk_get(0, &device) == BASE_OK && !device.flushes);
    mock_ready = 0;
    CHECK(submit(BASE_BLOCK_FLUSH, 0, 0, NULL, NULL) == BASE_OK);
    CHECK(mock_ready & BASE_READY_BLOCK);
    CHECK(settle(done, 2) == 1 && done[0].status == BASE_OK);
    CHECK(b.flushes + b.barriers == 0);
}

/* A range of any size is one request; nothing else is touched. */
static void test_discard(void)
{
    struct base_block_done done[2];
    uint64_t id;

    start();
    CHECK(!device.discards && !device.zeroes);
    CHECK(submit(BASE_BLOCK_DISCARD, 0, 1, NULL, NULL) == BASE_IO);
    CHECK(submit(BASE_BLOCK_ZERO, 0, 1, NULL, NULL) == BASE_IO);
    prepare();
    mock_set(BACK "/feature-discard", "1");
    mock_set(BACK "/discard-granularity", "4096");
    mock_set(BACK "/discard-secure", "1");
    CHECK(xen_blk_get(0, &device) == BASE_OK && device.discards);
    CHECK(submit(BASE_BLOCK_ZERO, 0, 1, NULL, NULL) == BASE_IO);
    fill(store_bytes, sizeof(store_bytes), 6);
    memcpy(data, store_bytes, sizeof(store_bytes));
    CHECK(submit(BASE_BLOCK_DISCARD, 3, 2000, NULL, data) == BASE_OK);
    CHECK(settle(done, 2) == 1 && b.discards == 1);
    CHECK(done[0].tag == data && done[0].status == BASE_OK);
    memset(data + 3 * 512, 0xdd, 2000 * 512);
    CHECK(memcmp(data, store_bytes, sizeof(store_bytes)) == 0);
    CHECK(submit(BASE_BLOCK_DISCARD, 0, SECTORS, NULL, NULL) == BASE_OK);
    CHECK(settle(done, 2) == 1 && b.discards == 2);
    CHECK(submit(BASE_BLOCK_DISCARD, 1, SECTORS, NULL, NULL) == BASE_IO);
    CHECK(submit(BASE_BLOCK_DISCARD, 0, 0, NULL, NULL) == BASE_IO);
    check_idle();
    /* Answered twice. */
    CHECK(submit(BASE_BLOCK_DISCARD, 0, 8, NULL, NULL) == BASE_OK);
    CHECK(submit(BASE_BLOCK_DISCARD, 8, 8, NULL, NULL) == BASE_OK);
    CHECK(backend_one(true, &id));
    backend_answer(id, 0);
    CHECK(xen_blk_reap(0, done, 2) == 2);
    CHECK(done[0].status == BASE_OK && done[1].status == BASE_IO);
    CHECK(disks[0].bus.link == XEN_LINK_BROKEN && mock_log_lines == 1);
    /* It was interrupted by a suspension: done again. */
    prepare();
    mock_set(BACK "/feature-discard", "1");
    CHECK(xen_blk_get(0, &device) == BASE_OK);
    CHECK(submit(BASE_BLOCK_DISCARD, 0, 8, NULL, NULL) == BASE_OK);
    disk_resumed(&disks[0].bus);
    CHECK(disks[0].jobs[0].state == JOB_WAITING && disks[0].jobs[0].count == 8);
    /* A failure is the request's; not supported after all is for ever. */
    prepare();
    mock_set(BACK "/feature-discard", "1");
    CHECK(xen_blk_get(0, &device) == BASE_OK);
    b.status = BLKIF_RSP_ERROR;
    CHECK(submit(BASE_BLOCK_DISCARD, 0, 8, NULL, NULL) == BASE_OK);
    CHECK(settle(done, 2) == 1 && done[0].status == BASE_IO);
    CHECK(xen_blk_get(0, &device) == BASE_OK && device.discards);
    b.status = BLKIF_RSP_EOPNOTSUPP;
    CHECK(submit(BASE_BLOCK_DISCARD, 0, 8, NULL, NULL) == BASE_OK);
    CHECK(settle(done, 2) == 1 && done[0].status == BASE_IO);
    CHECK(xen_blk_get(0, &device) == BASE_OK && !device.discards);
    CHECK(submit(BASE_BLOCK_DISCARD, 0, 8, NULL, NULL) == BASE_IO);
    check_idle();
    /* Not of a disk that is only read. */
    prepare();
    mock_set(BACK "/feature-discard", "1");
    mock_set(BACK "/info", "4");
    CHECK(xen_blk_get(0, &device) == BASE_OK && !device.discards);
}

/* After a lie: one line, every request ends, BASE_IO from then on. */
static void check_broken(unsigned under_way)
{
    struct base_block_done done[JOBS];

    CHECK(xen_blk_reap(0, done, JOBS) == under_way);
    for (unsigned i = 0; i < under_way; i++)
        CHECK(done[i].status == BASE_IO);
    CHECK(submit(BASE_BLOCK_READ, 0, 1, data, NULL) == BASE_IO);
    CHECK(xen_blk_reap(0, done, JOBS) == 0);
    CHECK(mock_log_lines == 1);
    mock_set(BACK "/state", "6");
    xen_store_work();
    CHECK(mock_grant_count == 0);
    CHECK(disks[0].bus.link == XEN_LINK_BROKEN && mock_log_lines == 1);
}

static void test_lies(void)
{
    uint64_t id;

    start(); /* the index jumps */
    submit(BASE_BLOCK_READ, 0, 1, data, NULL);
    b.ring.sring->rsp_prod = 2;
    check_broken(1);
    start();
    b.ring.sring->rsp_prod = 1;
    check_broken(0);
    start(); /* an id out of the table, though its low bits are good */
    submit(BASE_BLOCK_READ, 0, 1, data, NULL);
    CHECK(backend_one(false, &id));
    backend_answer(id + (1ull << 32), 0);
    check_broken(1);
    start(); /* one that is not under way */
    submit(BASE_BLOCK_READ, 0, 1, data, NULL);
    CHECK(backend_one(false, &id));
    backend_answer(id + 1, 0);
    check_broken(1);
    start(); /* twice; the first is good */
    submit(BASE_BLOCK_READ, 0, 500, data, NULL);
    submit(BASE_BLOCK_WRITE, 0, 1, data, NULL);
    CHECK(backend_one(false, &id));
    backend_answer(id, 0);
    backend_answer(id, 0);
    check_broken(2);
}

static void test_goes_and_comes(void)
{
    struct base_block_done done[4];

    start();
    mock_set(BACK "/online", "1");
    unsigned grants = mock_grant_count;
    submit(BASE_BLOCK_READ, 0, 500, data, NULL);
    submit(BASE_BLOCK_WRITE, 0, 1, data, NULL);
    mock_grants[disks[0].pool[5].ref].mapped = true;
    mock_ready = 0;
    mock_set(BACK "/state", "5");
    xen_store_work();
    CHECK(mock_ready & BASE_READY_BLOCK);
    CHECK(submit(BASE_BLOCK_READ, 0, 1, data, NULL) == BASE_IO);
    CHECK(xen_blk_reap(0, done, 4) == 2 && done[0].status == BASE_IO);
    mock_set(BACK "/state", "6");
    xen_store_work();
    CHECK(disks[0].bus.link == XEN_LINK_LOST && mock_grant_count == 1);
    mock_grants[disks[0].pool[5].ref].mapped = false;
    for (unsigned i = 0; i < 3; i++) {
        mock_fire(BACK "/state");
        xen_store_work();
    }
    CHECK(disks[0].bus.link == XEN_LINK_UP && mock_grant_count == grants);
    check_idle();
    fill(store_bytes, sizeof(store_bytes), 4);
    CHECK(submit(BASE_BLOCK_READ, 0, 500, data, NULL) == BASE_OK);
    CHECK(settle(done, 4) == 1 && done[0].status == BASE_OK);
    CHECK(memcmp(data, store_bytes, 500 * 512) == 0);
    /* It comes back as another disk. */
    mock_set(BACK "/sectors", "4095");
    mock_set(BACK "/state", "6");
    for (unsigned i = 0; i < 3; i++)
        xen_store_work();
    CHECK(disks[0].bus.link == XEN_LINK_BROKEN && mock_log_lines == 3);
}

static void test_resume(void)
{
    struct base_block_done done[4];
    uint64_t id;

    start();
    fill(store_bytes, sizeof(store_bytes), 5);
    memset(data, 0x11, 512);
    submit(BASE_BLOCK_READ, 1, 500, data + 4096, NULL);
    submit(BASE_BLOCK_WRITE, 0, 1, data, NULL);
    CHECK(backend_one(false, &id)); /* its answer is lost */
    memset(mock_grants, 0, sizeof(mock_grants));
    memset(mock_ports, 0, sizeof(mock_ports));
    mock_grant_count = 0;
    mock_set(BACK "/state", "2");
    xen_resume_devices();
    CHECK(submit(BASE_BLOCK_READ, 2, 1, data + 512, NULL) == BASE_OK);
    CHECK(xen_blk_reap(0, done, 4) == 0);
    mock_ready = 0;
    xen_store_work();
    xen_store_work();
    CHECK(disks[0].bus.link == XEN_LINK_UP && (mock_ready & BASE_READY_BLOCK));
    CHECK(settle(done, 4) == 3);
    for (unsigned i = 0; i < 3; i++)
        CHECK(done[i].status == BASE_OK);
    CHECK(memcmp(data + 4096, store_bytes + 512, 500 * 512) == 0);
    CHECK(memcmp(data + 512, store_bytes + 1024, 512) == 0);
    CHECK(memcmp(data, store_bytes, 512) == 0);
    check_idle();
    CHECK(mock_log_lines == 0);
}

int main(void)
{
    test_handshake();
    test_data(0, 1u << 20);
    test_data(32, 1u << 20);
    test_data(256, 1u << 20);
    test_data(256, 1000); /* pages for a piece, and few more */
    test_many();
    test_flush();
    test_discard();
    test_lies();
    test_goes_and_comes();
    test_resume();
    mock_front_end();
    return 0;
}
