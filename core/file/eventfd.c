/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eventfd: a counter behind a descriptor (eventfd(2)). The counter is the
 * file's private word, its queue a pool object. Monitor held.
 */
#include <sys/eventfd.h>

#include "core/calls.h"
#include "core/file/table.h"
#include "core/mem/mem.h"

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
    uint64_t count;
    bool semaphore;
    struct wait_queue wait;
};

static struct mem_pool pool =
    MEM_POOL(struct eventfd, MEM_CORE, LIMIT_DESCRIPTORS);

static long eventfd_readv(struct file *file, const struct iovec *iov,
                          int iov_count, off_t *offset)
{
    struct eventfd *event = file->private;

    if (file_iov_total(iov, iov_count) < sizeof(event->count))
        return -EINVAL;
    while (event->count == 0) {
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_on(&event->wait, UINT64_MAX, true) == -EINTR)
            return -CORE_RESTART;
    }
    uint64_t value = event->semaphore ? 1 : event->count;
    if (file_copy_out(iov, iov_count, 0, &value, sizeof(value)) < 0)
        return -EFAULT;
    event->count -= value;
    file_wake(&event->wait, POLLOUT | POLLWRNORM);
    return sizeof(value);
}

static long eventfd_writev(struct file *file, const struct iovec *iov,
                           int iov_count, off_t *offset)
{
    struct eventfd *event = file->private;
    uint64_t value;

    if (file_iov_total(iov, iov_count) < sizeof(value))
        return -EINVAL;
    if (file_copy_in(&value, iov, iov_count, 0, sizeof(value)) < 0)
        return -EFAULT;
    if (value == UINT64_MAX)
        return -EINVAL;
    while (value > COUNT_MAX - event->count) {
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_on(&event->wait, UINT64_MAX, true) == -EINTR)
            return -CORE_RESTART;
    }
    event->count += value;
    file_wake(&event->wait, POLLIN | POLLRDNORM);
    return sizeof(value);
}

static uint32_t eventfd_poll(struct file *file, struct file_poller *poller)
{
    struct eventfd *event = file->private;
    uint32_t events = 0;

    file_poll_wait(poller, &event->wait);
    if (event->count > 0)
        events |= POLLIN | POLLRDNORM;
    if (event->count < COUNT_MAX)
        events |= POLLOUT | POLLWRNORM;
    return events;
}

static void eventfd_release(struct file *file)
{
    mem_pool_put(&pool, file->private);
}

static const struct file_ops eventfd_ops = {
    .name = "[eventfd]",
    .readv = eventfd_readv,
    .writev = eventfd_writev,
    .poll = eventfd_poll,
    .release = eventfd_release,
};

long core_eventfd2(long a, long b)
{
    int flags = (int)b;

    if (flags & ~(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
        return -EINVAL;
    struct eventfd *event = mem_pool_get(&pool);
    if (!event)
        return -ENOMEM;
    event->count = (uint32_t)a;
    event->semaphore = flags & EFD_SEMAPHORE;
    wait_queue_init(&event->wait);
    struct file *file =
        file_new(&eventfd_ops, O_RDWR | (flags & EFD_NONBLOCK), event);
    if (!file) {
        mem_pool_put(&pool, event);
        return file_new_error();
    }
    return file_install(file, 0, flags & EFD_CLOEXEC);
}

long core_eventfd(long a)
{
    return core_eventfd2(a, 0);
}
