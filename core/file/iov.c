/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Vectors of application buffers: copied in once and checked, so that what
 * the file operations see cannot change under them. Monitor held.
 */
#include "core/file/table.h"
#include "core/mem/mem.h"

static size_t iov_pages(int count)
{
    size_t size = (size_t)count * sizeof(struct iovec);
    return (size + LIMIT_PAGE_SIZE - 1) / LIMIT_PAGE_SIZE;
}

size_t file_iov_total_many(const struct iovec *iov, int count)
{
    size_t total = 0;
    for (int i = 0; i < count; i++)
        total += iov[i].iov_len;
    return total;
}

/* Sums the lengths; what goes past FILE_TRANSFER_MAX is cut off, as in Linux.
 * 0, or -EINVAL for a length that is negative as ssize_t. */
static int iov_check(struct file_iov *out)
{
    size_t total = 0;

    for (int i = 0; i < out->count; i++) {
        struct iovec *one = &out->iov[i];
        if ((ssize_t)one->iov_len < 0)
            return -EINVAL;
        if (one->iov_len > FILE_TRANSFER_MAX - total)
            one->iov_len = FILE_TRANSFER_MAX - total;
        total += one->iov_len;
    }
    out->total = total;
    return 0;
}

int file_iov_get(struct file_iov *out, const struct iovec *user, int count)
{
    int result;

    if (count < 0 || count > LIMIT_IOV)
        return -EINVAL;
    out->pages = NULL;
    out->iov = out->fixed;
    out->count = count;
    if (count > (int)(sizeof(out->fixed) / sizeof(out->fixed[0]))) {
        out->pages = mem_pages_get(MEM_CORE, iov_pages(count));
        if (!out->pages)
            return -ENOMEM;
        out->iov = out->pages;
    }
    result = core_copy_in(out->iov, user, (size_t)count * sizeof(*user));
    if (result == 0)
        result = iov_check(out);
    if (result < 0) {
        file_iov_put(out);
        return result;
    }
    return count;
}

void file_iov_put(struct file_iov *iov)
{
    if (iov->pages)
        mem_pages_put(MEM_CORE, iov->pages, iov_pages(iov->count));
    iov->pages = NULL;
}

/* Between core's memory and size bytes of the vectors, from byte skip on. Twice
 * in the machine, as a small program has one of the two only. */
static inline __attribute__((always_inline)) int copy(char *core,
                                                      const struct iovec *iov,
                                                      int count, size_t skip,
                                                      size_t size, bool out)
{
    for (int i = 0; i < count && size > 0; i++) {
        if (skip >= iov[i].iov_len) {
            skip -= iov[i].iov_len;
            continue;
        }
        char *user = (char *)iov[i].iov_base + skip;
        size_t part = iov[i].iov_len - skip;
        if (part > size)
            part = size;
        if ((out ? core_copy_out(user, core, part)
                 : core_copy_in(core, user, part)) < 0)
            return -EFAULT;
        core += part;
        size -= part;
        skip = 0;
    }
    ASSERT(size == 0);
    return 0;
}

int file_iov_copy_out(const struct iovec *iov, int count, size_t skip,
                      const void *from, size_t size)
{
    return copy((char *)(uintptr_t)from, iov, count, skip, size, true);
}

int file_iov_copy_in(void *to, const struct iovec *iov, int count, size_t skip,
                     size_t size)
{
    return copy(to, iov, count, skip, size, false);
}
