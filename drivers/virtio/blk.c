/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Block devices (virtio 1.1, section 5.2): the operations of base.h over one
 * queue. Called by base/hw/blk.c, monitor held.
 *
 * A request of base.h has any size and its memory is contiguous in addresses
 * only, so it is done in pieces of as many segments as a chain may have, one
 * piece in flight at a time. A request keeps its place (struct job) until
 * blk_reap() hands it out, and always ends: when the device breaks, with
 * BASE_IO. Discards and zeroing have a range in place of data, whose size the
 * device bounds.
 */

#include <string.h>

#include "drivers/virtio/virtio.h"
#include "base/hw/hw.h"

#define F_SIZE_MAX (1ull << 1) /* bytes of a segment */
#define F_SEG_MAX  (1ull << 2) /* segments of a request */
#define F_RO       (1ull << 5)
#define F_FLUSH    (1ull << 9)
#define F_DISCARD  (1ull << 13)
#define F_ZEROES   (1ull << 14)

#define CONFIG_CAPACITY          0
#define CONFIG_SIZE_MAX          8
#define CONFIG_SEG_MAX           12
#define CONFIG_DISCARD_MAX       36 /* sectors of a range */
#define CONFIG_DISCARD_ALIGNMENT 44 /* sectors */
#define CONFIG_ZEROES_MAX        48 /* sectors of a range */

#define TYPE_READ          0
#define TYPE_WRITE         1
#define TYPE_FLUSH         4
#define TYPE_DISCARD       11
#define TYPE_ZEROES        13
#define STATUS_OK          0
#define STATUS_UNSUPPORTED 2
#define RANGE_UNMAP        1u /* zeroes: the space may be given back */

#define SECTOR_SIZE    512u
#define JOBS           64
#define SEGMENTS_MAX   64u
#define SEGMENTS_EXTRA 2u /* the header and the status */
/* A sector may lie across two pages. */
#define SEGMENTS_MIN 2u

/* What the device shares with us of a job. */
struct shared {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
    struct {
        uint64_t sector;
        uint32_t count;
        uint32_t flags;
    } range; /* discard, zeroes */
    uint8_t status;
    uint8_t fill[15];
};
#define HEADER_SIZE offsetof(struct shared, range)
#define RANGE_SIZE  sizeof(((struct shared *)0)->range)
_Static_assert(HEADER_SIZE == 16 && RANGE_SIZE == 16, "section 5.2.6");
_Static_assert(JOBS * sizeof(struct shared) <= LIMIT_PAGE_SIZE, "one page");

enum job_state {
    JOB_FREE = 0,
    JOB_WAITING, /* for descriptors, with more to do */
    JOB_FLIGHT,  /* a piece of it is the device's */
    JOB_DONE,
};

struct job {
    void *tag;
    uint8_t *data;   /* where the next piece begins */
    uint64_t sector; /* where on the disk */
    uint32_t count;  /* sectors to do, from there on */
    uint32_t piece;  /* sectors in flight */
    enum base_block_op op;
    enum job_state state;
    enum base_status status;
};

/* A disk's own page. */
struct book {
    struct job jobs[JOBS];
    uint8_t job_of_id[LIMIT_VIRTQUEUE_SIZE];
};
_Static_assert(sizeof(struct book) <= LIMIT_PAGE_SIZE, "one page");

static struct disk {
    bool tried;
    enum base_status status;
    struct virtio_device device;
    struct virtio_queue queue;
    struct base_device about;
    struct book *book;
    struct shared *shared; /* by job */
    uint64_t shared_physical;
    uint32_t segments_max;
    uint32_t segment_size_max;
    uint32_t discard_max, zeroes_max; /* sectors of a piece */
    uint32_t discard_alignment;       /* sectors; pieces better end there */
} disks[LIMIT_BLOCK_DEVICES];

static void describe(struct disk *disk)
{
    struct virtio_device *device = &disk->device;

    disk->about.sector_count = virtio_config(device, CONFIG_CAPACITY, 8);
    disk->about.read_only = (device->features & F_RO) != 0;
    disk->about.flushes = (device->features & F_FLUSH) != 0;
    disk->segments_max = SEGMENTS_MAX;
    if (device->features & F_SEG_MAX) {
        uint32_t most = (uint32_t)virtio_config(device, CONFIG_SEG_MAX, 4);

        if (most < disk->segments_max)
            disk->segments_max = most;
    }
    disk->discard_max = (uint32_t)virtio_config(device, CONFIG_DISCARD_MAX, 4);
    disk->discard_alignment =
        (uint32_t)virtio_config(device, CONFIG_DISCARD_ALIGNMENT, 4);
    disk->zeroes_max = (uint32_t)virtio_config(device, CONFIG_ZEROES_MAX, 4);
    disk->about.discards = (device->features & F_DISCARD) &&
                           disk->discard_max > 0 && !disk->about.read_only;
    disk->about.zeroes = (device->features & F_ZEROES) &&
                         disk->zeroes_max > 0 && !disk->about.read_only;
    disk->segment_size_max = 1u << 30;
    if (device->features & F_SIZE_MAX) {
        uint32_t most = (uint32_t)virtio_config(device, CONFIG_SIZE_MAX, 4);

        if (most < disk->segment_size_max)
            disk->segment_size_max = most;
    }
}

static enum base_status disk_init(struct disk *disk, unsigned index)
{
    struct virtio_device *device = &disk->device;
    enum base_status status =
        virtio_open(VIRTIO_BLOCK, index, BASE_READY_BLOCK, "disk", device);

    if (status == BASE_OK)
        status = virtio_negotiate(device, F_SIZE_MAX | F_SEG_MAX | F_RO |
                                              F_FLUSH | F_DISCARD | F_ZEROES);
    if (status != BASE_OK)
        return status;
    describe(disk);
    disk->book = hw_pages_get(1);
    disk->shared = hw_pages_get(1);
    status = BASE_NOMEM;
    if (disk->book == NULL || disk->shared == NULL)
        goto out;
    disk->shared_physical = hw_physical_of(disk->shared);
    status =
        virtio_queue_init(device, &disk->queue, 0, virtio_size_for_memory());
    if (status != BASE_OK)
        goto out;
    if (disk->segments_max > disk->queue.ring.size - SEGMENTS_EXTRA)
        disk->segments_max = disk->queue.ring.size - SEGMENTS_EXTRA;
    status = BASE_IO;
    if (disk->segments_max < SEGMENTS_MIN ||
        disk->segment_size_max < SECTOR_SIZE) {
        hw_log("virtio: disk: the device takes too little at once", NULL);
        goto out;
    }
    virtio_start(device);
    return BASE_OK;
out:
    virtio_fail(device);
    if (disk->shared != NULL)
        hw_pages_put(disk->shared, 1);
    if (disk->book != NULL)
        hw_pages_put(disk->book, 1);
    return status;
}

enum base_status virtio_blk_get(unsigned index, struct base_device *out)
{
    struct disk *disk;

    if (index >= LIMIT_BLOCK_DEVICES)
        return BASE_NODEV;
    disk = &disks[index];
    if (!disk->tried) {
        disk->status = disk_init(disk, index);
        disk->tried = disk->status != BASE_NOMEM;
    }
    if (disk->status == BASE_OK)
        *out = disk->about;
    return disk->status;
}

static struct disk *disk_of(unsigned index)
{
    if (index >= LIMIT_BLOCK_DEVICES || !disks[index].tried ||
        disks[index].status != BASE_OK)
        hw_base.abort("a disk is used that dev_get did not give");
    return &disks[index];
}

/* Puts the physical segments of the next piece into segments[] (at most
 * most), and returns its size: whole sectors, 0 if it takes more segments. */
static uint32_t segments_make(const struct disk *disk, const struct job *job,
                              struct virtio_buffer *segments, uint32_t most,
                              uint32_t *count)
{
    uint64_t left = (uint64_t)job->count * SECTOR_SIZE;
    const uint8_t *at = job->data;
    uint32_t total = 0, used = 0, excess;

    /* A piece stays far below 4 GiB: descriptors count in 32 bits. */
    if (left > disk->segment_size_max)
        left = disk->segment_size_max & ~(SECTOR_SIZE - 1);
    while (left > 0) {
        uint64_t physical = hw_physical_of(at);
        uint32_t size =
            LIMIT_PAGE_SIZE - ((uint32_t)(uintptr_t)at & (LIMIT_PAGE_SIZE - 1));

        if (size > left)
            size = (uint32_t)left;
        if (used > 0 &&
            segments[used - 1].physical + segments[used - 1].size == physical) {
            segments[used - 1].size += size;
        } else {
            if (used == most)
                break;
            segments[used++] = (struct virtio_buffer){physical, size};
        }
        at += size;
        left -= size;
        total += size;
    }
    for (excess = total % SECTOR_SIZE; excess > 0;) {
        struct virtio_buffer *last = &segments[used - 1];
        uint32_t size = last->size < excess ? last->size : excess;

        last->size -= size;
        excess -= size;
        if (last->size == 0)
            used--;
    }
    *count = used;
    return total - total % SECTOR_SIZE;
}

static bool is_data(const struct job *job)
{
    return job->op == BASE_BLOCK_READ || job->op == BASE_BLOCK_WRITE;
}

/* How many sectors the next piece of a discard or of zeroing has. */
static uint32_t range_next(const struct disk *disk, const struct job *job)
{
    bool discard = job->op == BASE_BLOCK_DISCARD;
    uint32_t most = discard ? disk->discard_max : disk->zeroes_max;

    if (job->count <= most)
        return job->count;
    if (discard && disk->discard_alignment > 1) {
        uint32_t past =
            (uint32_t)((job->sector + most) % disk->discard_alignment);

        if (past < most)
            most -= past;
    }
    return most;
}

/* Puts what goes between header and status into chain[1], and on. Returns the
 * count of sectors of the piece; 0 with *segments 0: there is no room. */
static uint32_t piece_make(struct disk *disk, unsigned number,
                           struct virtio_buffer *chain, uint32_t most,
                           uint32_t *segments)
{
    struct job *job = &disk->book->jobs[number];
    struct shared *shared = &disk->shared[number];
    uint64_t physical = disk->shared_physical + number * sizeof(*shared);

    *segments = 0;
    if (is_data(job))
        return segments_make(disk, job, chain + 1, most, segments) /
               SECTOR_SIZE;
    if (most == 0)
        return 0;
    shared->range.sector = job->sector;
    shared->range.count = range_next(disk, job);
    shared->range.flags = job->op == BASE_BLOCK_ZERO ? RANGE_UNMAP : 0;
    chain[1] = (struct virtio_buffer){physical + offsetof(struct shared, range),
                                      RANGE_SIZE};
    *segments = 1;
    return range_next(disk, job);
}

/* Gives the device the next piece of a job; false: no room, or broken. */
static bool job_push(struct disk *disk, unsigned number)
{
    static const uint32_t types[] = {
        [BASE_BLOCK_READ] = TYPE_READ,   [BASE_BLOCK_WRITE] = TYPE_WRITE,
        [BASE_BLOCK_FLUSH] = TYPE_FLUSH, [BASE_BLOCK_DISCARD] = TYPE_DISCARD,
        [BASE_BLOCK_ZERO] = TYPE_ZEROES,
    };
    struct virtio_buffer chain[SEGMENTS_MAX + SEGMENTS_EXTRA];
    struct virtio_ring *ring = &disk->queue.ring;
    struct job *job = &disk->book->jobs[number];
    struct shared *shared = &disk->shared[number];
    uint64_t physical = disk->shared_physical + number * sizeof(*shared);
    uint32_t most = disk->segments_max, segments = 0, count = 0;
    int id;

    if (ring->free_count < SEGMENTS_EXTRA)
        return false;
    if (most > ring->free_count - SEGMENTS_EXTRA)
        most = ring->free_count - SEGMENTS_EXTRA;
    if (job->op != BASE_BLOCK_FLUSH) {
        count = piece_make(disk, number, chain, most, &segments);
        if (count == 0)
            return false;
    }
    shared->type = types[job->op];
    shared->reserved = 0;
    shared->sector = is_data(job) ? job->sector : 0;
    shared->status = 0xff;
    chain[0] = (struct virtio_buffer){physical, HEADER_SIZE};
    chain[1 + segments] =
        (struct virtio_buffer){physical + offsetof(struct shared, status), 1};
    id = job->op == BASE_BLOCK_READ
             ? virtio_ring_add(ring, chain, 1, segments + 1)
             : virtio_ring_add(ring, chain, 1 + segments, 1);
    if (id < 0)
        return false;
    disk->book->job_of_id[id] = (uint8_t)number;
    job->piece = count;
    job->state = JOB_FLIGHT;
    return true;
}

enum base_status virtio_blk_submit(unsigned index,
                                   const struct base_block_request *request)
{
    struct disk *disk = disk_of(index);
    unsigned number = 0;
    struct job *job;

    if (disk->queue.ring.broken ||
        !hw_blk_request_is_good(&disk->about, request))
        return BASE_IO;
    while (number < JOBS && disk->book->jobs[number].state != JOB_FREE)
        number++;
    if (number == JOBS)
        return BASE_AGAIN;
    job = &disk->book->jobs[number];
    *job = (struct job){
        .tag = request->tag,
        .data = request->data,
        .sector = request->sector,
        .count = request->count,
        .op = request->op,
    };
    if (request->op == BASE_BLOCK_FLUSH && !disk->about.flushes) {
        /* Nothing is cached where there is nothing to flush. */
        job->sector = job->count = 0;
        job->state = JOB_DONE;
        hw_ready(BASE_READY_BLOCK);
        return BASE_OK;
    }
    if (request->op == BASE_BLOCK_FLUSH)
        job->sector = job->count = 0;
    if (!job_push(disk, number))
        return BASE_AGAIN;
    virtio_queue_push(&disk->queue);
    return BASE_OK;
}

/* Takes the result of a job's piece. */
static void job_step(struct disk *disk, unsigned number, uint32_t written)
{
    struct job *job = &disk->book->jobs[number];
    uint32_t expected = 1; /* the status */
    uint8_t status = *(volatile uint8_t *)&disk->shared[number].status;

    if (job->op == BASE_BLOCK_READ)
        expected += job->piece * SECTOR_SIZE;
    job->state = JOB_DONE;
    if (status == STATUS_UNSUPPORTED && job->op == BASE_BLOCK_DISCARD)
        disk->about.discards = false;
    if (status == STATUS_UNSUPPORTED && job->op == BASE_BLOCK_ZERO)
        disk->about.zeroes = false;
    if (status != STATUS_OK || written < expected) {
        job->status = BASE_IO;
        return;
    }
    job->count -= job->piece;
    job->sector += job->piece;
    if (job->data != NULL)
        job->data += (uint64_t)job->piece * SECTOR_SIZE;
    if (job->count > 0)
        job->state = JOB_WAITING;
}

/* Moves everything on that can move. */
static void disk_step(struct disk *disk)
{
    struct virtio_ring *ring = &disk->queue.ring;
    struct job *jobs = disk->book->jobs;
    uint16_t id;
    uint32_t written;

    do {
        while (virtio_ring_take(ring, &id, &written) == 1)
            job_step(disk, disk->book->job_of_id[id], written);
        for (unsigned i = 0; i < JOBS; i++)
            if (jobs[i].state == JOB_WAITING)
                job_push(disk, i);
        virtio_queue_push(&disk->queue);
    } while (virtio_ring_wake_after(ring, 1));
    if (!ring->broken)
        return;
    virtio_fail(&disk->device);
    for (unsigned i = 0; i < JOBS; i++)
        if (jobs[i].state == JOB_WAITING || jobs[i].state == JOB_FLIGHT) {
            jobs[i].state = JOB_DONE;
            jobs[i].status = BASE_IO;
        }
}

unsigned virtio_blk_reap(unsigned index, struct base_block_done *done,
                         unsigned count)
{
    struct disk *disk = disk_of(index);
    struct job *jobs = disk->book->jobs;
    unsigned finished = 0;

    disk_step(disk);
    for (unsigned i = 0; i < JOBS; i++) {
        if (jobs[i].state != JOB_DONE)
            continue;
        if (finished == count) {
            hw_ready(BASE_READY_BLOCK); /* more than the caller asked for */
            break;
        }
        done[finished++] =
            (struct base_block_done){jobs[i].tag, jobs[i].status};
        jobs[i].state = JOB_FREE;
    }
    return finished;
}
