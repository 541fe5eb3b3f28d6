/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pipe, pipe2 and the FIFOs of the tree.
 *
 * A pipe is a ring of page slots. Positions count bytes since the start and
 * never wrap in practice (64 bits); the byte at position p lies in slot
 * p / page size modulo the slots. A page is got when the first byte goes into
 * it and given back when its last was read, but for one that is kept, so that
 * small messages go round without the page allocator.
 *
 * A write of at most PIPE_BUF bytes is whole or does not happen.
 * Monitor held.
 */
#include "core/file/pipe.h"

#include <limits.h>
#include <sys/ioctl.h>

#include "core/calls.h"
#include "core/file/table.h"
#include "core/mem/mem.h"
#include "core/signal/signal.h"

#define PAGE          LIMIT_PAGE_SIZE
#define SLOTS_DEFAULT (LIMIT_PIPE_SIZE / PAGE)
#define SLOTS_MAX     256 /* F_SETPIPE_SZ: 1 MiB, as in Linux */

struct pipe {
    uint64_t head; /* bytes ever written */
    uint64_t tail; /* bytes ever read */
    void **slots;
    uint32_t slot_count; /* a power of two */
    uint32_t readers, writers;
    /* How many were ever opened: an open that waits for the other end looks
     * for a change, since that end may be closed again by then. */
    uint32_t readers_ever, writers_ever;
    void *spare; /* a page */
    struct wait_queue read_wait, write_wait;
    struct pipe **node_slot; /* of a FIFO: set to NULL at the end */
    void *slots_first[SLOTS_DEFAULT];
};

static struct mem_pool pool =
    MEM_POOL(struct pipe, MEM_CORE, LIMIT_DESCRIPTORS);

static inline size_t used(const struct pipe *pipe)
{
    return (size_t)(pipe->head - pipe->tail);
}

/* The page at the tail is not written to until it was read to its end and got
 * anew, so what was read of it is not room yet. */
static inline size_t room(const struct pipe *pipe)
{
    uint64_t start = pipe->tail - pipe->tail % PAGE;
    return (size_t)(start + (uint64_t)pipe->slot_count * PAGE - pipe->head);
}

static inline void **slot_of(const struct pipe *pipe, uint64_t position)
{
    return &pipe->slots[(position / PAGE) & (pipe->slot_count - 1)];
}

static struct pipe *pipe_new(void)
{
    struct pipe *pipe = mem_pool_get(&pool);
    if (!pipe)
        return NULL;
    pipe->slots = pipe->slots_first;
    pipe->slot_count = SLOTS_DEFAULT;
    wait_queue_init(&pipe->read_wait);
    wait_queue_init(&pipe->write_wait);
    return pipe;
}

static void pipe_free(struct pipe *pipe)
{
    for (uint32_t i = 0; i < pipe->slot_count; i++) {
        if (pipe->slots[i])
            mem_pages_put(MEM_CORE, pipe->slots[i], 1);
    }
    if (pipe->spare)
        mem_pages_put(MEM_CORE, pipe->spare, 1);
    if (pipe->slots != pipe->slots_first)
        mem_pages_put(MEM_CORE, pipe->slots, 1);
    if (pipe->node_slot)
        *pipe->node_slot = NULL;
    mem_pool_put(&pool, pipe);
}

/* The page for position is no longer needed. */
static void page_done(struct pipe *pipe, uint64_t position)
{
    void **slot = slot_of(pipe, position);
    if (!pipe->spare)
        pipe->spare = *slot;
    else
        mem_pages_put(MEM_CORE, *slot, 1);
    *slot = NULL;
}

/* The page that the next byte goes to, got if need be; or NULL. */
static char *page_for_head(struct pipe *pipe)
{
    void **slot = slot_of(pipe, pipe->head);
    if (!*slot) {
        *slot = pipe->spare ? pipe->spare : mem_pages_get(MEM_CORE, 1);
        pipe->spare = NULL;
    }
    return *slot;
}

/* Forgets size bytes that lie in the page at the tail. An empty pipe begins
 * anew at the start of its page, so that small messages keep to one page. */
static void advance_tail(struct pipe *pipe, size_t size)
{
    pipe->tail += size;
    if (pipe->tail % PAGE == 0)
        page_done(pipe, pipe->tail - 1);
    else if (pipe->tail == pipe->head)
        pipe->head = pipe->tail -= pipe->tail % PAGE;
}

/* Moves size bytes (all there) out; bytes moved, or -EFAULT if none. */
static long take(struct pipe *pipe, const struct iovec *iov, int count,
                 size_t size)
{
    size_t done = 0;

    while (done < size) {
        size_t in_page = pipe->tail % PAGE;
        size_t part = PAGE - in_page;
        if (part > size - done)
            part = size - done;
        const char *page = *slot_of(pipe, pipe->tail);
        if (file_copy_out(iov, count, done, page + in_page, part) < 0)
            return done ? (long)done : -EFAULT;
        advance_tail(pipe, part);
        done += part;
    }
    return (long)done;
}

/* Moves size bytes (there is room) in, from byte skip of the vectors on;
 * bytes moved, or -EFAULT or -ENOMEM if none. */
static long give(struct pipe *pipe, const struct iovec *iov, int count,
                 size_t skip, size_t size)
{
    size_t done = 0;

    while (done < size) {
        size_t in_page = pipe->head % PAGE;
        size_t part = PAGE - in_page;
        if (part > size - done)
            part = size - done;
        char *page = page_for_head(pipe);
        if (!page)
            return done ? (long)done : -ENOMEM;
        if (file_copy_in(page + in_page, iov, count, skip + done, part) < 0) {
            if (in_page == 0)
                page_done(pipe, pipe->head);
            return done ? (long)done : -EFAULT;
        }
        pipe->head += part;
        done += part;
    }
    return (long)done;
}

static long pipe_readv(struct file *file, const struct iovec *iov, int count,
                       off_t *offset)
{
    struct pipe *pipe = file->private;
    size_t size = file_iov_total(iov, count);

    if (size == 0)
        return 0;
    while (used(pipe) == 0) {
        if (pipe->writers == 0)
            return 0;
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_on(&pipe->read_wait, UINT64_MAX, true) == -EINTR)
            return -CORE_RESTART;
    }
    if (size > used(pipe))
        size = used(pipe);
    long result = take(pipe, iov, count, size);
    file_wake(&pipe->write_wait, POLLOUT | POLLWRNORM);
    /* Another reader may have been passed over by the wake-up. */
    if (used(pipe) > 0)
        file_wake(&pipe->read_wait, POLLIN | POLLRDNORM);
    return result;
}

static long no_reader(size_t done)
{
    if (done)
        return (long)done;
    signal_send_thread(thread_current, SIGPIPE, NULL);
    return -EPIPE;
}

static long pipe_writev(struct file *file, const struct iovec *iov, int count,
                        off_t *offset)
{
    struct pipe *pipe = file->private;
    size_t size = file_iov_total(iov, count);
    size_t done = 0;

    if (size == 0)
        return 0;
    for (;;) {
        if (pipe->readers == 0)
            return no_reader(done);
        size_t part = size - done;
        if (size > PIPE_BUF && part > room(pipe))
            part = room(pipe);
        if (part > 0 && part <= room(pipe)) {
            long result = give(pipe, iov, count, done, part);
            if (result < 0)
                return done ? (long)done : result;
            done += (size_t)result;
            file_wake(&pipe->read_wait, POLLIN | POLLRDNORM);
            if (done == size || (size_t)result < part)
                return (long)done;
        }
        if (file->flags & O_NONBLOCK)
            return done ? (long)done : -EAGAIN;
        if (wait_on(&pipe->write_wait, UINT64_MAX, true) == -EINTR)
            return done ? (long)done : -CORE_RESTART;
    }
}

static uint32_t pipe_poll(struct file *file, struct file_poller *poller)
{
    struct pipe *pipe = file->private;
    uint32_t events = 0;

    if (file_readable(file)) {
        file_poll_wait(poller, &pipe->read_wait);
        if (used(pipe) > 0)
            events |= POLLIN | POLLRDNORM;
        /* A FIFO that never had a writer is not at its end. */
        if (pipe->writers == 0 && pipe->writers_ever > 0)
            events |= POLLHUP;
    }
    if (file_writable(file)) {
        file_poll_wait(poller, &pipe->write_wait);
        if (room(pipe) >= PIPE_BUF)
            events |= POLLOUT | POLLWRNORM;
        if (pipe->readers == 0)
            events |= POLLERR;
    }
    return events;
}

static long pipe_ioctl(struct file *file, unsigned long request, long argument)
{
    if (request != FIONREAD)
        return -ENOTTY;
    int size = (int)used(file->private);
    return core_copy_out((void *)argument, &size, sizeof(size));
}

static int pipe_stat(struct file *file, struct stat *out)
{
    out->st_mode = S_IFIFO | 0600;
    out->st_ino = (ino_t)(uintptr_t)file->private >> 4;
    out->st_blksize = PAGE;
    return 0;
}

static void pipe_release(struct file *file)
{
    struct pipe *pipe = file->private;

    if (file_readable(file))
        pipe->readers--;
    if (file_writable(file))
        pipe->writers--;
    if (pipe->readers == 0 && pipe->writers == 0) {
        pipe_free(pipe);
        return;
    }
    wait_wake(&pipe->read_wait, POLLIN | POLLRDNORM | POLLHUP, UINT32_MAX);
    wait_wake(&pipe->write_wait, POLLOUT | POLLWRNORM | POLLERR, UINT32_MAX);
}

static const struct file_ops pipe_ops = {
    .name = "pipe",
    .readv = pipe_readv,
    .writev = pipe_writev,
    .poll = pipe_poll,
    .ioctl = pipe_ioctl,
    .stat = pipe_stat,
    .release = pipe_release,
};

bool pipe_is(const struct file *file)
{
    return file->ops == &pipe_ops;
}

long pipe_data(struct file *file, const void **data)
{
    struct pipe *pipe = file->private;
    size_t in_page = pipe->tail % PAGE, size = PAGE - in_page;

    if (used(pipe) == 0)
        return pipe->writers ? -EAGAIN : 0;
    *data = (const char *)*slot_of(pipe, pipe->tail) + in_page;
    return (long)(size < used(pipe) ? size : used(pipe));
}

void pipe_consume(struct file *file, size_t size)
{
    struct pipe *pipe = file->private;

    if (size == 0)
        return;
    ASSERT(size <= used(pipe));
    advance_tail(pipe, size);
    file_wake(&pipe->write_wait, POLLOUT | POLLWRNORM);
}

long pipe_space(struct file *file, void **space)
{
    struct pipe *pipe = file->private;
    size_t in_page = pipe->head % PAGE, size = PAGE - in_page;

    if (pipe->readers == 0)
        return no_reader(0);
    if (room(pipe) == 0)
        return -EAGAIN;
    char *page = page_for_head(pipe);
    if (!page)
        return -ENOMEM;
    *space = page + in_page;
    return (long)(size < room(pipe) ? size : room(pipe));
}

void pipe_produce(struct file *file, size_t size)
{
    struct pipe *pipe = file->private;

    if (size == 0)
        return;
    ASSERT(size <= room(pipe));
    pipe->head += size;
    file_wake(&pipe->read_wait, POLLIN | POLLRDNORM);
}

/* Lays the content out anew, from the start of the first slot. */
static int pipe_resize(struct pipe *pipe, uint32_t slot_count)
{
    struct pipe old = *pipe;
    struct pipe fresh = *pipe;

    fresh.head = fresh.tail = 0;
    fresh.slot_count = slot_count;
    fresh.slots = mem_pages_get(MEM_CORE, 1);
    if (!fresh.slots)
        return -ENOMEM;
    _Static_assert(SLOTS_MAX * sizeof(void *) <= PAGE, "slots fit a page");
    for (uint64_t at = old.tail; at < old.head;) {
        size_t part = PAGE - at % PAGE;
        size_t to = fresh.head % PAGE;
        if (part > PAGE - to)
            part = PAGE - to;
        if (part > old.head - at)
            part = (size_t)(old.head - at);
        char *page = page_for_head(&fresh);
        if (!page)
            goto nomem;
        memcpy(page + to, (char *)*slot_of(&old, at) + at % PAGE, part);
        fresh.head += part;
        at += part;
    }
    for (uint32_t i = 0; i < old.slot_count; i++) {
        if (old.slots[i])
            mem_pages_put(MEM_CORE, old.slots[i], 1);
    }
    if (old.slots != pipe->slots_first)
        mem_pages_put(MEM_CORE, old.slots, 1);
    pipe->head = fresh.head;
    pipe->tail = 0;
    pipe->slots = fresh.slots;
    pipe->slot_count = slot_count;
    pipe->spare = fresh.spare;
    return 0;
nomem:
    for (uint32_t i = 0; i < slot_count; i++) {
        if (fresh.slots[i])
            mem_pages_put(MEM_CORE, fresh.slots[i], 1);
    }
    mem_pages_put(MEM_CORE, fresh.slots, 1);
    pipe->spare = fresh.spare;
    return -ENOMEM;
}

static long pipe_size(struct file *file, long size)
{
    struct pipe *pipe = file->private;
    uint32_t slot_count = 1;

    if (file->ops != &pipe_ops)
        return -EBADF;
    if (size > (long)SLOTS_MAX * PAGE)
        return -EPERM;
    if (size > 0) {
        while ((long)slot_count * PAGE < size)
            slot_count *= 2;
        if ((size_t)slot_count * PAGE < used(pipe))
            return -EBUSY;
        int result = pipe_resize(pipe, slot_count);
        if (result < 0)
            return result;
        file_wake(&pipe->write_wait, POLLOUT | POLLWRNORM);
    }
    return (long)pipe->slot_count * PAGE;
}

static struct file *pipe_end(struct pipe *pipe, int flags)
{
    struct file *file = file_new(&pipe_ops, flags, pipe);
    if (!file)
        return NULL;
    if (file_readable(file)) {
        pipe->readers++;
        pipe->readers_ever++;
    }
    if (file_writable(file)) {
        pipe->writers++;
        pipe->writers_ever++;
    }
    file_pipe_size = pipe_size;
    return file;
}

static long pipe_make(int *user, int flags)
{
    struct file *ends[2];
    int fds[2];

    /* O_DIRECT, a pipe of packets, is refused as Linux did before 3.4. */
    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    struct pipe *pipe = pipe_new();
    if (!pipe)
        return file_new_error();
    ends[0] = pipe_end(pipe, O_RDONLY | (flags & O_NONBLOCK));
    if (!ends[0]) {
        pipe_free(pipe);
        return file_new_error();
    }
    ends[1] = pipe_end(pipe, O_WRONLY | (flags & O_NONBLOCK));
    if (!ends[1]) {
        file_put(ends[0]);
        return file_new_error();
    }
    fds[0] = file_install(ends[0], 0, flags & O_CLOEXEC);
    if (fds[0] < 0) {
        file_put(ends[1]);
        return fds[0];
    }
    fds[1] = file_install(ends[1], 0, flags & O_CLOEXEC);
    if (fds[1] < 0) {
        file_close(fds[0]);
        return fds[1];
    }
    if (core_copy_out(user, fds, sizeof(fds)) < 0) {
        file_close(fds[0]);
        file_close(fds[1]);
        return -EFAULT;
    }
    return 0;
}

long core_pipe(long a)
{
    return pipe_make((int *)a, 0);
}

long core_pipe2(long a, long b)
{
    return pipe_make((int *)a, (int)b);
}

/* Waits until the other end was opened; 0 or -EINTR. */
static int fifo_wait(struct pipe *pipe, const uint32_t *ever,
                     struct wait_queue *queue)
{
    uint32_t before = *ever;
    while (*ever == before) {
        if (wait_on(queue, UINT64_MAX, true) == -EINTR)
            return -CORE_RESTART;
    }
    return 0;
}

struct file *pipe_open_fifo(struct pipe **slot, int flags, int *error)
{
    int access = flags & FILE_ACCESS_MASK;
    bool nonblocking = flags & O_NONBLOCK;

    *error = -ENXIO;
    if (access == O_WRONLY && nonblocking && (!*slot || !(*slot)->readers))
        return NULL;
    *error = file_new_error();
    struct pipe *pipe = *slot;
    if (!pipe) {
        pipe = pipe_new();
        if (!pipe)
            return NULL;
        pipe->node_slot = slot;
        *slot = pipe;
    }
    struct file *file = pipe_end(pipe, flags);
    if (!file) {
        if (pipe->readers == 0 && pipe->writers == 0)
            pipe_free(pipe);
        return NULL;
    }
    wait_wake(&pipe->read_wait, 0, UINT32_MAX);
    wait_wake(&pipe->write_wait, 0, UINT32_MAX);
    *error = 0;
    if (access == O_RDONLY && !nonblocking && pipe->writers == 0)
        *error = fifo_wait(pipe, &pipe->writers_ever, &pipe->read_wait);
    else if (access == O_WRONLY && pipe->readers == 0)
        *error = fifo_wait(pipe, &pipe->readers_ever, &pipe->write_wait);
    if (*error < 0) {
        file_put(file);
        return NULL;
    }
    return file;
}
