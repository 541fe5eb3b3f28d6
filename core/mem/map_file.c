/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mmap of a file, and msync.
 *
 * A file mapping is a copy made when it is mapped: files are in memory or
 * behind a driver, and a page fault must not fail or wait. MAP_PRIVATE is then
 * exactly what Linux gives, but for changes to the file that come later.
 * MAP_SHARED keeps the file and writes the pages back at msync, munmap and
 * when it is mapped over; two shared mappings of a file do not see each other
 * before that.
 */
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "core/calls.h"
#include "core/file/file.h"
#include "core/mem/mem.h"
#include "core/mem/vma.h"
#include "core/thread/thread.h"

static struct wait_queue settled = WAIT_QUEUE_INIT(settled);

static void busy_begin(struct vma *vma)
{
    ASSERT(!(vma->flags & VMA_BUSY));
    vma->flags |= VMA_BUSY;
}

static void busy_end(struct vma *vma)
{
    vma->flags &= (uint8_t)~VMA_BUSY;
    wait_wake(&settled, 0, ~0u);
}

static const struct vma *find_busy(uint64_t start, uint64_t end)
{
    const struct vma *vma = vma_find(start);
    while (vma != NULL && vma->start < end) {
        if (vma->flags & VMA_BUSY)
            return vma;
        vma = vma_next(vma);
    }
    return NULL;
}

void mem_file_settle(uint64_t start, uint64_t end)
{
    while (find_busy(start, end) != NULL)
        (void)wait_on(&settled, TIME_NEVER, false);
}

static int load(struct file *file, uint64_t start, uint64_t size,
                int64_t offset)
{
    uint64_t done = 0;
    while (done < size) {
        char *to = (char *)(uintptr_t)(start + done);
        off_t at = offset + (off_t)done;
        long count;
        if (file->ops->data_at != NULL) {
            const void *data;
            count = file->ops->data_at(file, at, &data);
            if (count > 0 && (uint64_t)count > size - done)
                count = (long)(size - done);
            if (count > 0)
                memcpy(to, data, (size_t)count);
        } else {
            struct iovec iov = {.iov_base = to, .iov_len = size - done};
            count = file->ops->readv(file, &iov, 1, &at);
        }
        if (count < 0)
            return (int)count;
        if (count == 0)
            return 0; /* the end of the file; what is beyond stays zero */
        done += (uint64_t)count;
    }
    return 0;
}

int mem_file_load(struct vma *vma, struct file *file, uint64_t start,
                  uint64_t size, int64_t offset)
{
    busy_begin(vma);
    int error = load(file, start, size, offset);
    busy_end(vma);
    return error;
}

int mem_file_store(struct vma *vma, uint64_t start, uint64_t end)
{
    struct file *file = vma->file;
    struct stat stat;
    if (file == NULL || (vma->flags & VMA_READ_ONLY) ||
        file->ops->writev == NULL || file->ops->stat == NULL)
        return 0;
    int error = file->ops->stat(file, &stat);
    if (error < 0)
        return error;
    if (start < vma->start)
        start = vma->start;
    if (end > vma->end)
        end = vma->end;
    off_t at = vma->offset + (off_t)(start - vma->start);
    uint64_t size = end - start;
    /* A mapping never makes its file longer. */
    if (at >= stat.st_size)
        return 0;
    if ((uint64_t)(stat.st_size - at) < size)
        size = (uint64_t)(stat.st_size - at);
    struct iovec iov = {.iov_base = (void *)(uintptr_t)start, .iov_len = size};
    busy_begin(vma);
    long count = file->ops->writev(file, &iov, 1, &at);
    busy_end(vma);
    return count < 0 ? (int)count : 0;
}

void mem_file_store_range(uint64_t start, uint64_t end)
{
    struct vma *vma;
    mem_file_settle(start, end);
    for (uint64_t at = start;
         (vma = vma_find(at)) != NULL && vma->start < end;) {
        at = vma->end;
        if (!(vma->flags & VMA_SHARED))
            continue;
        (void)mem_file_store(vma, start, end); /* as munmap: no error */
        mem_file_settle(start, end);
    }
}

/* Whether a file may be mapped so; *zero: it is /dev/zero. */
static int check_file(struct file *file, long prot, bool shared, bool *zero)
{
    struct stat stat;
    int mode = file->flags & O_ACCMODE;
    *zero = false;
    if (mode == O_WRONLY || (file->flags & O_PATH))
        return file->flags & O_PATH ? -EBADF : -EACCES;
    if (shared && (prot & PROT_WRITE) && mode != O_RDWR)
        return -EACCES;
    if (file->ops->stat == NULL || file->ops->stat(file, &stat) < 0)
        return -ENODEV;
    if (S_ISCHR(stat.st_mode) && stat.st_rdev == makedev(1, 5)) {
        *zero = true;
        return 0;
    }
    if (!S_ISREG(stat.st_mode) && !S_ISBLK(stat.st_mode))
        return -ENODEV;
    if (file->ops->data_at == NULL && file->ops->readv == NULL)
        return -ENODEV;
    return 0;
}

/* Fills the mapping at start, then gives it its protection. */
static int fill(struct file *file, uint64_t start, uint64_t size, uint32_t prot,
                uint32_t flags, int64_t offset)
{
    struct vma *vma = vma_find(start);
    ASSERT(vma->start == start && vma->end == start + size);
    int error = mem_file_load(vma, file, start, size, offset);
    if (error == 0 && prot != (BASE_PROT_READ | BASE_PROT_WRITE) &&
        mem_base_map(start, size, prot) != BASE_OK)
        error = -ENOMEM;
    vma->prot = (uint8_t)prot;
    if (error == 0 && (flags & VMA_SHARED)) {
        vma->file = file_ref(file);
        vma->offset = offset;
    }
    return error;
}

static long map_checked(struct file *file, uint64_t hint, uint64_t size,
                        long prot, long flags, int64_t offset)
{
    uint32_t base_prot, vma_flags = VMA_FILE;
    bool zero, shared = (flags & MAP_TYPE) != MAP_PRIVATE;
    int error = check_file(file, prot, shared, &zero);
    if (error == 0)
        error = mem_prot(prot, &base_prot);
    if (error < 0)
        return error;
    if (zero)
        return core_mmap((long)hint, (long)size, prot, flags | MAP_ANON, -1, 0);
    if (shared)
        vma_flags |= VMA_SHARED;
    if (shared && (file->flags & O_ACCMODE) != O_RDWR)
        vma_flags |= VMA_READ_ONLY;
    long start =
        mem_map_range(hint, size, PROT_READ | PROT_WRITE,
                      flags & ~(long)(MAP_POPULATE | MAP_LOCKED), vma_flags);
    if (start < 0)
        return start;
    error = fill(file, (uint64_t)start, size, base_prot, vma_flags, offset);
    if (error < 0) {
        (void)mem_clear((uint64_t)start, (uint64_t)start + size);
        return error;
    }
    return start;
}

/* Its address is not to be chosen: see file_ops.map. */
static long map_device(struct file *file, uint64_t size, long prot, long flags,
                       int64_t offset)
{
    int mode = file->flags & O_ACCMODE;
    if (file->flags & O_PATH)
        return -EBADF;
    if (mode == O_WRONLY || ((prot & PROT_WRITE) && mode != O_RDWR))
        return -EACCES;
    if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))
        return -EINVAL;
    return file->ops->map(file, size, prot, (flags & MAP_TYPE) != MAP_PRIVATE,
                          offset);
}

long mem_file_map(uint64_t hint, uint64_t size, long prot, long flags, int fd,
                  int64_t offset)
{
    int type = (int)(flags & MAP_TYPE);
    struct file *file = file_get(fd);
    if (file == NULL)
        return -EBADF;
    long result;
    if (type != MAP_SHARED && type != MAP_PRIVATE &&
        type != MAP_SHARED_VALIDATE)
        result = -EINVAL;
    else if (size == 0)
        result = -EINVAL;
    else if (offset < 0 || (uint64_t)offset + size < size)
        result = -EOVERFLOW;
    else if (file->ops->map != NULL)
        result = map_device(file, size, prot, flags, offset);
    else
        result = map_checked(file, hint, size, prot, flags, offset);
    file_put(file);
    return result;
}

long core_msync(long address, long length, long flags)
{
    uint64_t start = (uint64_t)address, size = mem_round_up((uint64_t)length);
    if ((flags & ~(long)(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) != 0 ||
        ((flags & MS_ASYNC) && (flags & MS_SYNC)) ||
        (start & MEM_PAGE_MASK) != 0)
        return -EINVAL;
    if (size < (uint64_t)length)
        return -ENOMEM;
    if (size == 0)
        return 0;
    if (!mem_is_mapped(start, size, BASE_PROT_NONE))
        return -ENOMEM;
    for (uint64_t at = start; at < start + size;) {
        mem_file_settle(at, start + size);
        struct vma *vma = vma_find(at);
        if (vma == NULL || vma->start >= start + size)
            break;
        at = vma->end;
        int error = 0;
        if (vma->flags & VMA_SHARED)
            error = mem_file_store(vma, start, start + size);
        if (error < 0)
            return error;
    }
    return 0;
}
