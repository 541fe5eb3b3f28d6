/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The descriptor table, for the calls of core/file that every transfer goes
 * through: a look-up is a bound, a load and a mask.
 *
 * A slot holds the file's address; its lowest bit is FD_CLOEXEC, which core
 * only remembers, as there is no exec.
 *
 * Monitor held.
 */
#ifndef HALVM_FILE_TABLE_H
#define HALVM_FILE_TABLE_H

#include "core/file/file.h"

/* At most this much is moved in one call: Linux's MAX_RW_COUNT. */
#define FILE_TRANSFER_MAX 0x7ffff000u

#define FILE_SLOT_CLOEXEC 1u

extern uintptr_t *file_slots;
extern uint32_t file_slot_count;

/* musl's O_ACCMODE includes O_PATH; Linux's is these two bits. An O_PATH file
 * has both set, which makes it neither readable nor writable. */
#define FILE_ACCESS_MASK 3

static inline bool file_readable(const struct file *file)
{
    return (file->flags + 1) & 1;
}

static inline bool file_writable(const struct file *file)
{
    return (file->flags + 1) & 2;
}

/* The file behind a descriptor, without a reference; NULL if there is none.
 * Includes O_PATH files. */
static inline struct file *file_slot(long fd)
{
    if ((unsigned)fd >= file_slot_count)
        return NULL;
    return (struct file *)(file_slots[(unsigned)fd] &
                           ~(uintptr_t)FILE_SLOT_CLOEXEC);
}

void file_release(struct file *file);

static inline void file_unref(struct file *file)
{
    ASSERT(file->references > 0);
    if (--file->references == 0)
        file_release(file);
}

/* Set when the first of their kind is made, so that a program without epoll
 * or paths links neither. */
extern void (*file_epoll_forget)(struct file *file);
extern void (*file_node_drop)(struct file_node *node);
/* F_SETPIPE_SZ (size > 0) and F_GETPIPE_SZ (0); -EBADF if it is no pipe. */
extern long (*file_pipe_size)(struct file *file, long size);
/* F_ADD_SEALS (seals >= 0) and F_GET_SEALS (-1); -EINVAL if it has none. */
extern long (*file_seals)(struct file *file, long seals);

/* What a poll operation registers with (file_poll_wait). */
struct file_poller {
    void (*add)(struct file_poller *poller, struct wait_queue *queue);
};

/* Waits until one of events (or an error) holds; 0 or -EINTR. */
int file_poll_block(struct file *file, uint32_t events);

/* Wakes whoever waits, if anyone does. */
static inline void file_wake(struct wait_queue *queue, uint32_t events)
{
    if (!list_empty(&queue->entries))
        wait_wake(queue, events, 1);
}

/* One vector of the application's, bounded. */
static inline struct iovec file_iov_one(long buffer, long size)
{
    struct iovec one = {(void *)buffer, (unsigned long)size};
    if (one.iov_len > FILE_TRANSFER_MAX)
        one.iov_len = FILE_TRANSFER_MAX;
    return one;
}

/* The same as file_iov_copy_out and its like, with the usual case of one
 * vector done here. */
size_t file_iov_total_many(const struct iovec *iov, int count);

static inline size_t file_iov_total(const struct iovec *iov, int count)
{
    return count == 1 ? iov->iov_len : file_iov_total_many(iov, count);
}

static inline int file_copy_out(const struct iovec *iov, int count, size_t skip,
                                const void *from, size_t size)
{
    if (count == 1)
        return core_copy_out((char *)iov->iov_base + skip, from, size);
    return file_iov_copy_out(iov, count, skip, from, size);
}

static inline int file_copy_in(void *to, const struct iovec *iov, int count,
                               size_t skip, size_t size)
{
    if (count == 1)
        return core_copy_in(to, (const char *)iov->iov_base + skip, size);
    return file_iov_copy_in(to, iov, count, skip, size);
}

#endif
