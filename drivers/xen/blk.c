/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Block front end (<xen/io/blkif.h>): the operations of base.h over one ring.
 * Called by the bases, monitor held.
 *
 * Data is copied through pages of our own, which stay granted (the header's
 * "persistent grants") while the disk is connected. So the memory of a request
 * may lie anywhere and begin at any byte, the backend never sees what stands
 * beside it, and a page that a backend does not give back is none of the
 * program's.
 *
 * A request of base.h has any size; it is done in pieces of as many segments
 * as the backend takes and pages are free, one piece in flight at a time. A
 * request keeps its place (struct job), whose number is the id on the ring,
 * until blk_reap() hands it out, and always ends: when the disk is lost, with
 * BASE_IO. A discard has no data, and is one piece whatever its size: the
 * backend splits it as its device wants (blkif.h's discard-granularity and
 * discard-alignment are about what of it has an effect).
 */
#include "drivers/xen/ring.h"
#include <xen/io/blkif.h>
#include <xen/io/protocols.h>

#include "drivers/xen/bus.h"
#include "drivers/xen/text.h"
#include "halvm_limits.h"

#define SECTOR_SIZE      512u
#define SECTORS_PER_PAGE (LIMIT_PAGE_SIZE / SECTOR_SIZE)
#define JOBS             __CONST_RING_SIZE(blkif, LIMIT_PAGE_SIZE)
#define SEGMENTS_MAX     64u /* of a piece: 256 KiB */
#define POOL_MAX         255u
#define POOL_MIN         12u /* a plain piece, and one more */
#define MEMORY_SHARE     64  /* pool: free memory / this at most */
#define POOL_NONE        0xffffu
_Static_assert(JOBS == 32, "Xen's ABI");
_Static_assert(SEGMENTS_MAX * sizeof(struct blkif_request_segment) <=
                   LIMIT_PAGE_SIZE,
               "one indirect page will do");

enum job_state {
    JOB_FREE = 0,
    JOB_WAITING, /* with more to do, for room or the backend */
    JOB_FLIGHT,  /* a piece of it is the backend's */
    JOB_DONE,
};

struct job {
    void *tag;
    uint8_t *data;   /* where the next piece begins */
    uint64_t sector; /* where on the disk */
    uint32_t count;  /* sectors to do, from there on */
    uint32_t piece;  /* sectors in flight */
    uint16_t first;  /* pool page of the piece, and on by next */
    uint16_t indirect;
    enum base_block_op op;
    enum job_state state;
    enum base_status status;
};
_Static_assert(JOBS * sizeof(struct job) <= LIMIT_PAGE_SIZE, "one page");

/* A page that data goes through. */
struct pool_page {
    uint8_t *page;
    grant_ref_t ref;
    uint16_t next; /* in a piece or in the free list */
};
_Static_assert(POOL_MAX * sizeof(struct pool_page) <= LIMIT_PAGE_SIZE, "");

static struct disk {
    bool tried;
    enum base_status status;
    struct xen_bus_device bus; /* pages[0] is the ring */
    struct base_device about;
    blkif_front_ring_t ring;
    struct job *jobs;       /* JOBS of them */
    struct pool_page *pool; /* pool_count of them */
    unsigned pool_count, pool_free_count;
    uint16_t pool_free;
    uint16_t handle; /* "virtual-device", for requests */
    uint8_t flush_op;
    uint32_t segments_max;
} disks[LIMIT_BLOCK_DEVICES];

static struct disk *disk_of_bus(struct xen_bus_device *device)
{
    return (struct disk *)(void *)((char *)device - offsetof(struct disk, bus));
}

/* -- pages for data -- */

static uint16_t page_get(struct disk *disk)
{
    uint16_t page = disk->pool_free;

    disk->pool_free = disk->pool[page].next;
    disk->pool_free_count--;
    return page;
}

static void page_put(struct disk *disk, uint16_t page)
{
    disk->pool[page].next = disk->pool_free;
    disk->pool_free = page;
    disk->pool_free_count++;
}

/* Gives the pages of a job's piece back. */
static void piece_free(struct disk *disk, struct job *job)
{
    while (job->first != POOL_NONE) {
        uint16_t page = job->first;

        job->first = disk->pool[page].next;
        page_put(disk, page);
    }
    if (job->indirect != POOL_NONE)
        page_put(disk, job->indirect);
    job->indirect = POOL_NONE;
}

static bool pool_get(struct disk *disk)
{
    struct base_memory memory;
    unsigned wanted = POOL_MAX;

    if (disk->pool != NULL)
        return disk->pool_count >= POOL_MIN;
    disk->jobs = hw_pages_get(1);
    disk->pool = hw_pages_get(1);
    if (disk->jobs == NULL || disk->pool == NULL)
        return false;
    hw_base.mem_stats(&memory);
    while (wanted / 2 > POOL_MIN && wanted > memory.pages_free / MEMORY_SHARE)
        wanted /= 2;
    while (disk->pool_count < wanted) {
        uint8_t *page = hw_pages_get(1);

        if (page == NULL)
            break;
        disk->pool[disk->pool_count++].page = page;
    }
    return disk->pool_count >= POOL_MIN;
}

/* Grants all pages; they are all free then. */
static bool pool_grant(struct disk *disk)
{
    disk->pool_free = POOL_NONE;
    disk->pool_free_count = 0;
    for (unsigned i = 0; i < disk->pool_count; i++) {
        struct pool_page *page = &disk->pool[i];

        /* Writable even for what is written to the disk: backends that keep a
         * grant mapped use it for either. */
        page->ref = xen_bus_grant(&disk->bus, page->page, false);
        if (page->ref == XEN_GRANT_NONE)
            return false;
        page_put(disk, (uint16_t)i);
    }
    return true;
}

/* -- connecting -- */

static bool disk_offer(struct xen_bus_device *device)
{
    struct disk *disk = disk_of_bus(device);
    uint64_t most =
        xen_bus_backend_number(device, "feature-max-indirect-segments", 0);
    char text[XEN_NUMBER_SIZE];
    uint64_t handle;

    xen_bus_text(device, "virtual-device", text, sizeof(text));
    if (xen_text_number(text, &handle))
        disk->handle = (uint16_t)handle;
    if (!pool_get(disk) || !pool_grant(disk)) {
        xen_bus_break(device, "cannot be given buffers: no memory or grants");
        return false;
    }
    disk->segments_max = BLKIF_MAX_SEGMENTS_PER_REQUEST;
    if (most > disk->segments_max)
        disk->segments_max =
            most < SEGMENTS_MAX ? (uint32_t)most : SEGMENTS_MAX;
    XEN_FRONT_RING_INIT(&disk->ring, (blkif_sring_t *)device->pages[0],
                        LIMIT_PAGE_SIZE);
    return true;
}

static long disk_publish(struct xen_bus_device *device, xen_store_transaction t)
{
    long result = xen_bus_write(device, t, "protocol", XEN_IO_PROTO_ABI_NATIVE);

    if (result == 0)
        result = xen_bus_write(device, t, "feature-persistent", "1");
    return result;
}

static bool disk_connected(struct xen_bus_device *device)
{
    struct disk *disk = disk_of_bus(device);
    uint64_t sectors = xen_bus_backend_number(device, "sectors", 0);
    uint64_t info = xen_bus_backend_number(device, "info", 0);

    if (xen_bus_backend_number(device, "sector-size", SECTOR_SIZE) !=
        SECTOR_SIZE) {
        xen_bus_break(device, "has sectors of another size than 512 bytes");
        return false;
    }
    if (sectors == 0 || sectors > UINT64_MAX / SECTOR_SIZE ||
        (disk->about.sector_count != 0 &&
         disk->about.sector_count != sectors)) {
        xen_bus_break(device, "gives no size, or another one than before");
        return false;
    }
    disk->about.sector_count = sectors;
    disk->about.read_only = (info & VDISK_READONLY) != 0;
    disk->about.discards =
        !disk->about.read_only &&
        xen_bus_backend_number(device, "feature-discard", 0) == 1;
    disk->about.flushes = true;
    /* An empty barrier waits for what is before it, and flushes. */
    if (xen_bus_backend_number(device, "feature-flush-cache", 0) == 1)
        disk->flush_op = BLKIF_OP_FLUSH_DISKCACHE;
    else if (xen_bus_backend_number(device, "feature-barrier", 0) == 1)
        disk->flush_op = BLKIF_OP_WRITE_BARRIER;
    else
        disk->about.flushes = false;
    return true;
}

static void disk_lost(struct xen_bus_device *device)
{
    struct disk *disk = disk_of_bus(device);

    for (unsigned i = 0; disk->jobs != NULL && i < JOBS; i++) {
        struct job *job = &disk->jobs[i];

        if (job->state != JOB_WAITING && job->state != JOB_FLIGHT)
            continue;
        job->state = JOB_DONE;
        job->status = BASE_IO;
        job->first = job->indirect = POOL_NONE; /* pool_grant() begins anew */
    }
}

static bool disk_release(struct xen_bus_device *device)
{
    struct disk *disk = disk_of_bus(device);
    bool all = true;

    for (unsigned i = 0; i < disk->pool_count; i++)
        all = xen_bus_grant_end(&disk->pool[i].ref) && all;
    return all;
}

/* The pieces in flight are done again: the same data to the same place. */
static void disk_resumed(struct xen_bus_device *device)
{
    struct disk *disk = disk_of_bus(device);

    for (unsigned i = 0; i < disk->pool_count; i++)
        disk->pool[i].ref = XEN_GRANT_NONE;
    for (unsigned i = 0; disk->jobs != NULL && i < JOBS; i++)
        if (disk->jobs[i].state == JOB_FLIGHT) {
            disk->jobs[i].state = JOB_WAITING;
            disk->jobs[i].first = disk->jobs[i].indirect = POOL_NONE;
        }
}

static const struct xen_bus_driver vbd = {
    .kind = "vbd",
    .rings = {"ring-ref", NULL},
    .ready = BASE_READY_BLOCK,
    .offered = XenbusStateInitialised,
    .offer = disk_offer,
    .publish = disk_publish,
    .connected = disk_connected,
    .lost = disk_lost,
    .release = disk_release,
    .resumed = disk_resumed,
};

enum base_status xen_blk_get(unsigned index, struct base_device *out)
{
    struct disk *disk;

    if (index >= LIMIT_BLOCK_DEVICES)
        return BASE_NODEV;
    disk = &disks[index];
    if (!disk->tried) {
        disk->status = xen_bus_get(&disk->bus, &vbd, index);
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

/* -- requests -- */

static void segment_fill(struct blkif_request_segment *segment, grant_ref_t ref,
                         uint32_t sectors)
{
    *segment = (struct blkif_request_segment){
        .gref = ref, .first_sect = 0, .last_sect = (uint8_t)(sectors - 1)};
}

/* Takes pages for the next piece of a job, with its data in them if it is
 * written, and describes them in segments[]. Returns the number of pages. */
static uint32_t piece_make(struct disk *disk, struct job *job, uint32_t pages,
                           struct blkif_request_segment *segments)
{
    uint16_t *link = &job->first;
    uint32_t done = 0, used = 0;

    for (; used < pages && done < job->count; used++) {
        uint32_t sectors = job->count - done;
        uint16_t number = page_get(disk);
        struct pool_page *page = &disk->pool[number];

        if (sectors > SECTORS_PER_PAGE)
            sectors = SECTORS_PER_PAGE;
        if (job->op == BASE_BLOCK_WRITE)
            memcpy(page->page, job->data + (size_t)done * SECTOR_SIZE,
                   (size_t)sectors * SECTOR_SIZE);
        segment_fill(&segments[used], page->ref, sectors);
        done += sectors;
        *link = number;
        link = &page->next;
    }
    *link = POOL_NONE;
    job->piece = done;
    return used;
}

static void request_plain(struct disk *disk, unsigned number, uint8_t op,
                          uint32_t pages)
{
    struct job *job = &disk->jobs[number];
    struct blkif_request *request =
        RING_GET_REQUEST(&disk->ring, disk->ring.req_prod_pvt);

    *request = (struct blkif_request){
        .operation = op,
        .handle = disk->handle,
        .id = number,
        .sector_number = job->sector,
    };
    if (pages > 0)
        request->nr_segments =
            (uint8_t)piece_make(disk, job, pages, request->seg);
}

static void request_discard(struct disk *disk, unsigned number)
{
    struct job *job = &disk->jobs[number];
    struct blkif_request_discard *request =
        (void *)RING_GET_REQUEST(&disk->ring, disk->ring.req_prod_pvt);

    *request = (struct blkif_request_discard){
        .operation = BLKIF_OP_DISCARD,
        .handle = disk->handle,
        .id = number,
        .sector_number = job->sector,
        .nr_sectors = job->count,
    };
    job->piece = job->count;
}

static void request_indirect(struct disk *disk, unsigned number, uint8_t op,
                             uint32_t pages)
{
    struct job *job = &disk->jobs[number];
    struct blkif_request_indirect *request =
        (void *)RING_GET_REQUEST(&disk->ring, disk->ring.req_prod_pvt);
    uint16_t page = page_get(disk);

    job->indirect = page;
    *request = (struct blkif_request_indirect){
        .operation = BLKIF_OP_INDIRECT,
        .indirect_op = op,
        .id = number,
        .sector_number = job->sector,
        .handle = disk->handle,
    };
    request->indirect_grefs[0] = disk->pool[page].ref;
    request->nr_segments =
        (uint16_t)piece_make(disk, job, pages, (void *)disk->pool[page].page);
}

/* A read, a write or a flush; false: no pages for it. */
static bool request_data(struct disk *disk, unsigned number)
{
    struct job *job = &disk->jobs[number];
    uint8_t op = job->op == BASE_BLOCK_READ    ? BLKIF_OP_READ
                 : job->op == BASE_BLOCK_WRITE ? BLKIF_OP_WRITE
                                               : disk->flush_op;
    uint32_t pages = (job->count + SECTORS_PER_PAGE - 1) / SECTORS_PER_PAGE;

    if (pages > disk->segments_max)
        pages = disk->segments_max;
    /* An indirect piece takes a page for its segments. */
    if (pages > BLKIF_MAX_SEGMENTS_PER_REQUEST &&
        pages + 1 > disk->pool_free_count)
        pages = disk->pool_free_count > 0 ? disk->pool_free_count - 1 : 0;
    if (pages > disk->pool_free_count)
        pages = disk->pool_free_count;
    if (pages == 0 && job->op != BASE_BLOCK_FLUSH)
        return false;
    if (pages > BLKIF_MAX_SEGMENTS_PER_REQUEST)
        request_indirect(disk, number, op, pages);
    else
        request_plain(disk, number, op, pages);
    return true;
}

/* Gives the backend the next piece of a job; false: no room. */
static bool job_push(struct disk *disk, unsigned number)
{
    struct job *job = &disk->jobs[number];

    if (disk->bus.link != XEN_LINK_UP || RING_FULL(&disk->ring))
        return false;
    job->first = job->indirect = POOL_NONE;
    job->piece = 0;
    if (job->op == BASE_BLOCK_DISCARD)
        request_discard(disk, number);
    else if (!request_data(disk, number))
        return false;
    disk->ring.req_prod_pvt++;
    job->state = JOB_FLIGHT;
    return true;
}

static void ring_push(struct disk *disk)
{
    int notify;

    RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&disk->ring, notify);
    if (notify)
        xen_event_notify(disk->bus.port);
}

enum base_status xen_blk_submit(unsigned index,
                                const struct base_block_request *request)
{
    struct disk *disk = disk_of(index);
    bool flush = request->op == BASE_BLOCK_FLUSH;
    unsigned number = 0;
    struct job *job;

    /* While a domain resumes its requests wait; a lost disk takes none. */
    if (disk->bus.link == XEN_LINK_LOST || disk->bus.link == XEN_LINK_BROKEN ||
        !hw_blk_request_is_good(&disk->about, request))
        return BASE_IO;
    while (number < JOBS && disk->jobs[number].state != JOB_FREE)
        number++;
    if (number == JOBS)
        return BASE_AGAIN;
    job = &disk->jobs[number];
    *job = (struct job){
        .tag = request->tag,
        .data = request->data,
        .sector = flush ? 0 : request->sector,
        .count = flush ? 0 : request->count,
        .op = request->op,
        .first = POOL_NONE,
        .indirect = POOL_NONE,
    };
    if (flush && !disk->about.flushes) {
        /* Nothing is cached where there is nothing to flush. */
        job->state = JOB_DONE;
        hw_ready(BASE_READY_BLOCK);
        return BASE_OK;
    }
    job->state = JOB_WAITING;
    if (job_push(disk, number))
        ring_push(disk);
    return BASE_OK;
}

/* Takes the result of a job's piece. */
static void job_step(struct disk *disk, struct job *job, int16_t status)
{
    uint32_t left = job->piece;
    uint8_t *to = job->data;

    if (status == BLKIF_RSP_OKAY && job->op == BASE_BLOCK_READ)
        for (uint16_t page = job->first; page != POOL_NONE;
             page = disk->pool[page].next) {
            uint32_t sectors =
                left < SECTORS_PER_PAGE ? left : SECTORS_PER_PAGE;

            memcpy(to, disk->pool[page].page, (size_t)sectors * SECTOR_SIZE);
            to += (size_t)sectors * SECTOR_SIZE;
            left -= sectors;
        }
    piece_free(disk, job);
    job->state = JOB_DONE;
    if (status == BLKIF_RSP_EOPNOTSUPP && job->op == BASE_BLOCK_FLUSH) {
        /* As if it had not been offered: see xen_blk_submit(). */
        disk->about.flushes = false;
        return;
    }
    if (status == BLKIF_RSP_EOPNOTSUPP && job->op == BASE_BLOCK_DISCARD)
        disk->about.discards = false;
    if (status != BLKIF_RSP_OKAY) {
        job->status = BASE_IO;
        return;
    }
    job->count -= job->piece;
    job->sector += job->piece;
    if (job->data != NULL)
        job->data += (size_t)job->piece * SECTOR_SIZE;
    if (job->count > 0)
        job->state = JOB_WAITING;
}

/* Takes what is finished; false: the backend lies. */
static bool ring_take(struct disk *disk)
{
    RING_IDX end = XEN_READ_ONCE(disk->ring.sring->rsp_prod);

    if (end - disk->ring.rsp_cons >
        disk->ring.req_prod_pvt - disk->ring.rsp_cons) {
        xen_bus_break(&disk->bus, "finished more than it was given");
        return false;
    }
    xen_rmb();
    while (disk->ring.rsp_cons != end) {
        const struct blkif_response *response =
            RING_GET_RESPONSE(&disk->ring, disk->ring.rsp_cons);
        uint64_t id = XEN_READ_ONCE(response->id);
        int16_t status = XEN_READ_ONCE(response->status);

        disk->ring.rsp_cons++;
        if (id >= JOBS || disk->jobs[id].state != JOB_FLIGHT) {
            xen_bus_break(&disk->bus, "finished what it was not given");
            return false;
        }
        job_step(disk, &disk->jobs[id], status);
    }
    return true;
}

/* Moves everything on that can move. */
static void disk_step(struct disk *disk)
{
    int more;

    do {
        if (disk->bus.link != XEN_LINK_UP || !ring_take(disk))
            return;
        for (unsigned i = 0; i < JOBS; i++)
            if (disk->jobs[i].state == JOB_WAITING)
                job_push(disk, i);
        ring_push(disk);
        RING_FINAL_CHECK_FOR_RESPONSES(&disk->ring, more);
    } while (more);
}

unsigned xen_blk_reap(unsigned index, struct base_block_done *done,
                      unsigned count)
{
    struct disk *disk = disk_of(index);
    struct job *jobs = disk->jobs;
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
