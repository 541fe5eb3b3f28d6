/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Disks: /dev/vda to /dev/vdp over the base's block devices.
 *
 * Requests are whole sectors in pages of core's own, got for the length of a
 * call: a part of a sector is read, changed and written back. One call at a
 * time works on a disk, so that two such changes of one sector do not lose
 * one. Nothing is cached: what write has returned from is on the device, and
 * fsync flushes the device's own cache.
 *
 * BLKDISCARD, BLKZEROOUT and fallocate as in Linux's block/ioctl.c and
 * block/fops.c: a hole reads as zeros, which a device has to promise; zeros
 * that may cost space are written where it does not.
 *
 * Monitor held. Blocks while the device works; not for a signal, since the
 * device still has the pages.
 */
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "core/file/node.h"
#include "core/file/table.h"
#include "core/mem/mem.h"

#define SECTOR 512u
#define MAJOR_VIRTIO                                                           \
    254              /* Linux gives virtio-blk a dynamic one, mostly this      \
                      */
#define PAGES_MAX 16 /* of one request */
/* Sectors of a request without data; more are done in several. */
#define RANGE_MAX (1u << 31)

/* fallocate's modes (linux/falloc.h). */
#define MODE_KEEP_SIZE  1
#define MODE_PUNCH_HOLE 2
#define MODE_ZERO_RANGE 16

#ifndef BLKSSZGET
#define BLKSSZGET _IO(0x12, 104)
#endif
#ifndef BLKGETSIZE64
#define BLKGETSIZE64 _IOR(0x12, 114, size_t)
#endif
#define BLKPBSZGET_       _IO(0x12, 123)
#define BLKDISCARD_       _IO(0x12, 119)
#define BLKDISCARDZEROES_ _IO(0x12, 124)
#define BLKSECDISCARD_    _IO(0x12, 125)
#define BLKZEROOUT_       _IO(0x12, 127)

struct disk {
    bool known;   /* dev_get said so */
    bool checked; /* dev_get was asked */
    bool busy;    /* a call is at work */
    struct base_device device;
    struct wait_queue wait; /* for busy */
};

struct request {
    bool done;
    enum base_status status;
    struct wait_queue wait;
};

static struct disk *disks; /* LIMIT_BLOCK_DEVICES of them, in a page */
_Static_assert(sizeof(struct disk) * LIMIT_BLOCK_DEVICES <= LIMIT_PAGE_SIZE,
               "the disks fit a page");
static struct wait_queue queue_room = WAIT_QUEUE_INIT(queue_room);

static void reap(void)
{
    struct base_block_done done[8];

    for (unsigned index = 0; index < LIMIT_BLOCK_DEVICES; index++) {
        unsigned count;
        if (!disks[index].known)
            continue;
        while ((count = core_base->blk_reap(index, done, 8)) > 0) {
            for (unsigned i = 0; i < count; i++) {
                struct request *request = done[i].tag;
                request->done = true;
                request->status = done[i].status;
                wait_wake(&request->wait, 0, UINT32_MAX);
            }
            wait_wake(&queue_room, 0, UINT32_MAX);
        }
    }
}

/* One request to its end; 0 or -EIO. */
static int transfer(unsigned index, enum base_block_op op, uint64_t sector,
                    uint32_t count, void *data)
{
    struct request request = {.done = false};
    const struct base_block_request wish = {op, sector, count, data, &request};
    enum base_status status;

    wait_queue_init(&request.wait);
    while ((status = core_base->blk_submit(index, &wish)) == BASE_AGAIN)
        wait_on(&queue_room, UINT64_MAX, false);
    if (status != BASE_OK)
        return -EIO;
    reap(); /* an emulated disk may be done at once */
    while (!request.done)
        wait_on(&request.wait, UINT64_MAX, false);
    return request.status == BASE_OK ? 0 : -EIO;
}

/* NULL if there is none, or with *error changed to -ENOMEM. */
static struct disk *disk_get(unsigned index, int *error)
{
    if (!disks)
        disks = mem_pages_get(MEM_CORE, 1);
    if (!disks) {
        *error = -ENOMEM;
        return NULL;
    }
    struct disk *disk = &disks[index];
    if (!disk->checked) {
        base_uses_block();
        enum base_status status =
            core_base->dev_get(BASE_DEVICE_BLOCK, index, &disk->device);
        if (status == BASE_NOMEM) {
            *error = -ENOMEM;
            return NULL;
        }
        disk->checked = true;
        wait_queue_init(&disk->wait);
        disk->known = status == BASE_OK;
        core_block_ready = reap;
    }
    return disk->known ? disk : NULL;
}

static unsigned index_of(const struct file *file)
{
    return (unsigned)file->node->made_number;
}

static uint64_t size_of(const struct disk *disk)
{
    return disk->device.sector_count * SECTOR;
}

static void disk_lock(struct disk *disk)
{
    while (disk->busy)
        wait_on(&disk->wait, UINT64_MAX, false);
    disk->busy = true;
}

static void disk_unlock(struct disk *disk)
{
    disk->busy = false;
    wait_wake(&disk->wait, 0, 1);
}

/* A piece of a transfer: whole sectors around [at, at + size). */
struct piece {
    uint64_t sector;
    uint32_t count;
    size_t skip; /* bytes before at in the first sector */
    size_t size;
};

static struct piece piece_at(uint64_t at, size_t left, size_t room)
{
    struct piece piece = {.sector = at / SECTOR, .skip = at % SECTOR};

    piece.size = left < room - piece.skip ? left : room - piece.skip;
    piece.count = (uint32_t)((piece.skip + piece.size + SECTOR - 1) / SECTOR);
    return piece;
}

static int read_piece(unsigned index, const struct piece *piece, char *pages,
                      const struct iovec *iov, int count, size_t done)
{
    int error =
        transfer(index, BASE_BLOCK_READ, piece->sector, piece->count, pages);
    if (error < 0)
        return error;
    return file_iov_copy_out(iov, count, done, pages + piece->skip,
                             piece->size);
}

static int write_piece(unsigned index, const struct piece *piece, char *pages,
                       const struct iovec *iov, int count, size_t done)
{
    size_t end = piece->skip + piece->size;
    uint32_t last = piece->count - 1;
    int error = 0;

    if (piece->skip || end % SECTOR)
        error = transfer(index, BASE_BLOCK_READ, piece->sector, 1, pages);
    if (error == 0 && end % SECTOR && last > 0)
        error = transfer(index, BASE_BLOCK_READ, piece->sector + last, 1,
                         pages + (size_t)last * SECTOR);
    if (error == 0)
        error = file_iov_copy_in(pages + piece->skip, iov, count, done,
                                 piece->size);
    if (error == 0)
        error = transfer(index, BASE_BLOCK_WRITE, piece->sector, piece->count,
                         pages);
    return error;
}

static long move(struct file *file, bool write, const struct iovec *iov,
                 int count, off_t *offset)
{
    unsigned index = index_of(file);
    struct disk *disk = &disks[index];
    uint64_t at = (uint64_t)*offset, end = size_of(disk);
    size_t size = file_iov_total(iov, count), done = 0;
    int error = 0;

    if (at >= end || size == 0)
        return write && size ? -ENOSPC : 0;
    if (size > end - at)
        size = (size_t)(end - at);
    size_t page_count = size > LIMIT_PAGE_SIZE ? PAGES_MAX : 1;
    char *pages = mem_pages_get(MEM_CORE, page_count);
    if (!pages)
        return -ENOMEM;
    disk_lock(disk);
    while (done < size && error == 0) {
        struct piece piece =
            piece_at(at + done, size - done, page_count * LIMIT_PAGE_SIZE);
        error = write ? write_piece(index, &piece, pages, iov, count, done)
                      : read_piece(index, &piece, pages, iov, count, done);
        if (error == 0)
            done += piece.size;
    }
    disk_unlock(disk);
    mem_pages_put(MEM_CORE, pages, page_count);
    *offset += (off_t)done;
    return done ? (long)done : error;
}

static long block_readv(struct file *file, const struct iovec *iov, int count,
                        off_t *offset)
{
    return move(file, false, iov, count, offset);
}

static long block_writev(struct file *file, const struct iovec *iov, int count,
                         off_t *offset)
{
    return move(file, true, iov, count, offset);
}

static off_t block_lseek(struct file *file, off_t offset, int whence)
{
    off_t size = (off_t)size_of(&disks[index_of(file)]);

    if (whence == SEEK_CUR)
        offset += file->offset;
    else if (whence == SEEK_END)
        offset += size;
    else if (whence != SEEK_SET)
        return -EINVAL;
    if (offset < 0 || offset > size)
        return -EINVAL;
    return file->offset = offset;
}

static int block_sync(struct file *file)
{
    unsigned index = index_of(file);

    if (!disks[index].device.flushes)
        return 0;
    return transfer(index, BASE_BLOCK_FLUSH, 0, 0, NULL);
}

/* -- without data: discards and zeros -- */

/* What a device has taken back of its promises: see base.h. */
static int after_failure(unsigned index, enum base_block_op op)
{
    struct disk *disk = &disks[index];

    core_base->dev_get(BASE_DEVICE_BLOCK, index, &disk->device);
    if (op == BASE_BLOCK_DISCARD ? !disk->device.discards
                                 : !disk->device.zeroes)
        return -EOPNOTSUPP;
    return -EIO;
}

/* Lets the device discard or zero whole sectors of the disk. */
static int range_give(unsigned index, enum base_block_op op, uint64_t sector,
                      uint64_t count)
{
    struct disk *disk = &disks[index];
    int error = 0;

    if (op == BASE_BLOCK_DISCARD ? !disk->device.discards
                                 : !disk->device.zeroes)
        return -EOPNOTSUPP;
    disk_lock(disk);
    while (count > 0 && error == 0) {
        uint32_t part = count < RANGE_MAX ? (uint32_t)count : RANGE_MAX;

        error = transfer(index, op, sector, part, NULL);
        sector += part;
        count -= part;
    }
    if (error != 0)
        error = after_failure(index, op);
    disk_unlock(disk);
    return error;
}

static int zeros_write(unsigned index, uint64_t sector, uint64_t count)
{
    struct disk *disk = &disks[index];
    char *pages = mem_pages_get(MEM_CORE, PAGES_MAX);
    int error = 0;

    if (!pages)
        return -ENOMEM;
    disk_lock(disk);
    while (count > 0 && error == 0) {
        uint32_t part = PAGES_MAX * LIMIT_PAGE_SIZE / SECTOR;

        if (part > count)
            part = (uint32_t)count;
        error = transfer(index, BASE_BLOCK_WRITE, sector, part, pages);
        sector += part;
        count -= part;
    }
    disk_unlock(disk);
    mem_pages_put(MEM_CORE, pages, PAGES_MAX);
    return error;
}

/* The two numbers of BLKDISCARD and BLKZEROOUT: start and size in bytes. */
static long block_range(struct file *file, unsigned long request,
                        const void *user)
{
    unsigned index = index_of(file);
    uint64_t range[2], end;

    if (!file_writable(file))
        return -EBADF;
    if (request == BLKDISCARD_ && !disks[index].device.discards)
        return -EOPNOTSUPP;
    if (core_copy_in(range, user, sizeof(range)) != 0)
        return -EFAULT;
    if (range[0] % SECTOR || range[1] % SECTOR || range[1] == 0 ||
        __builtin_add_overflow(range[0], range[1], &end) ||
        end > size_of(&disks[index]))
        return -EINVAL;
    if (request == BLKDISCARD_)
        return range_give(index, BASE_BLOCK_DISCARD, range[0] / SECTOR,
                          range[1] / SECTOR);
    return zeros_write(index, range[0] / SECTOR, range[1] / SECTOR);
}

static int block_fallocate(struct file *file, int mode, off_t offset,
                           off_t size)
{
    unsigned index = index_of(file);
    off_t end = (off_t)size_of(&disks[index]);
    uint64_t sector = (uint64_t)offset / SECTOR, count;

    if (mode & ~(MODE_KEEP_SIZE | MODE_PUNCH_HOLE | MODE_ZERO_RANGE))
        return -EOPNOTSUPP;
    if (offset >= end)
        return -EINVAL;
    if (size > end - offset) {
        if (!(mode & MODE_KEEP_SIZE))
            return -EINVAL;
        size = end - offset;
    }
    if ((offset | size) % SECTOR)
        return -EINVAL;
    count = (uint64_t)size / SECTOR;
    switch (mode) {
    case MODE_ZERO_RANGE:
    case MODE_ZERO_RANGE | MODE_KEEP_SIZE:
        return zeros_write(index, sector, count);
    case MODE_PUNCH_HOLE | MODE_KEEP_SIZE:
        return range_give(index, BASE_BLOCK_ZERO, sector, count);
    default:
        return -EOPNOTSUPP;
    }
}

static long block_ioctl(struct file *file, unsigned long request, long argument)
{
    const struct disk *disk = &disks[index_of(file)];
    uint64_t size = size_of(disk);
    unsigned long sectors = disk->device.sector_count;
    int sector = (int)SECTOR, read_only = disk->device.read_only;
    unsigned none = 0;
    void *user = (void *)argument;

    switch (request) {
    case BLKGETSIZE64:
        return core_copy_out(user, &size, sizeof(size));
    case BLKGETSIZE:
        return core_copy_out(user, &sectors, sizeof(sectors));
    case BLKSSZGET:
    case BLKPBSZGET_:
        return core_copy_out(user, &sector, sizeof(sector));
    case BLKROGET:
        return core_copy_out(user, &read_only, sizeof(read_only));
    case BLKFLSBUF:
        return block_sync(file);
    case BLKDISCARD_:
    case BLKZEROOUT_:
        return block_range(file, request, user);
    case BLKDISCARDZEROES_: /* says no everywhere, since Linux 4.12 */
        return core_copy_out(user, &none, sizeof(none));
    case BLKSECDISCARD_:
        return file_writable(file) ? -EOPNOTSUPP : -EBADF;
    default:
        return -ENOTTY;
    }
}

static const struct file_ops block_ops = {
    .name = "/dev/vd",
    .readv = block_readv,
    .writev = block_writev,
    .lseek = block_lseek,
    .sync = block_sync,
    .fallocate = block_fallocate,
    .ioctl = block_ioctl,
    .stat = node_file_stat,
};

static struct file *block_open(struct file_node *node, int flags, int *error)
{
    const struct disk *disk = &disks[node->made_number];

    *error = -EROFS;
    if (disk->device.read_only && (flags & FILE_ACCESS_MASK) != O_RDONLY)
        return NULL;
    *error = file_new_error();
    return file_new(&block_ops, flags, NULL);
}

static size_t block_name(struct file_node *node, char *buffer)
{
    memcpy(buffer, "vda", 3);
    buffer[2] = (char)(buffer[2] + node->made_number);
    return 3;
}

static const struct node_ops block_node_ops = {
    .open = block_open,
    .name = block_name,
};

struct file_node *block_node(unsigned index, int *error)
{
    if (!disk_get(index, error))
        return NULL;
    struct file_node *node = node_new(S_IFBLK | 0660);
    if (!node) {
        *error = -ENOMEM;
        return NULL;
    }
    node->ops = &block_node_ops;
    node->links = 1;
    node->made_number = (int)index;
    node->ino = 256 + index;
    node->rdev = makedev(MAJOR_VIRTIO, index * 16);
    return node;
}
