/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * POSIX message queues: mq_open and its relatives (mq_overview(7)).
 *
 * A queue lives while it has a name or an open file. Its messages are a list
 * in the order they will be received: by priority, then by age. A small
 * message is an object of a pool, a larger one has pages.
 *
 * Monitor held.
 */
#include <mqueue.h>
#include <signal.h>

#include "core/calls.h"
#include "core/file/table.h"
#include "core/mem/mem.h"
#include "core/signal/signal.h"
#include "core/thread/thread.h"
#include "core/time/time.h"

/* Linux's fs.mqueue defaults, and the most it allows root. */
#define MESSAGES_DEFAULT 10
#define SIZE_DEFAULT     8192
#define MESSAGES_MAX     65536
#define SIZE_MAX_MESSAGE 16777216
#define PRIORITIES       32768
#define SI_MESGQ_        (-3) /* asm-generic/siginfo.h */

struct message {
    struct list node;
    uint32_t priority;
    uint32_t size;
    char data[];
};
struct small_message {
    struct message message;
    char room[200];
};

struct mqueue {
    struct list all; /* named queues; by itself once unlinked */
    char name[LIMIT_NAME_SIZE + 1];
    uint32_t references; /* a name, and open files */
    long message_max, size_max;
    uint32_t count;
    uint32_t receivers; /* threads that wait for a message */
    struct list messages;
    struct wait_queue read_wait, write_wait;
    bool notify;       /* once, when a message comes to an empty queue */
    int notify_signal; /* 0: SIGEV_NONE */
    union sigval notify_value;
    struct file *notify_file; /* who asked: no reference */
    mode_t mode;
};

static struct mem_pool queue_pool =
    MEM_POOL(struct mqueue, MEM_CORE, LIMIT_MQUEUES);
static struct mem_pool small_pool =
    MEM_POOL(struct small_message, MEM_CORE, UINT32_MAX);
static struct list queues = LIST_INIT(queues);

static const struct file_ops mqueue_ops;

/* -- messages -- */

static size_t message_pages(size_t size)
{
    return (sizeof(struct message) + size + LIMIT_PAGE_SIZE - 1) /
           LIMIT_PAGE_SIZE;
}

static bool is_small(size_t size)
{
    return size <= sizeof(struct small_message) - sizeof(struct message);
}

static struct message *message_new(size_t size)
{
    struct message *message =
        is_small(size) ? mem_pool_get(&small_pool)
                       : mem_pages_get(MEM_CORE, message_pages(size));
    if (message)
        message->size = (uint32_t)size;
    return message;
}

static void message_free(struct message *message)
{
    if (is_small(message->size))
        mem_pool_put(&small_pool, message);
    else
        mem_pages_put(MEM_CORE, message, message_pages(message->size));
}

static void message_add(struct mqueue *queue, struct message *message)
{
    struct list *at = &queue->messages;

    list_for_each (node, &queue->messages) {
        if (container_of(node, struct message, node)->priority <
            message->priority) {
            at = node;
            break;
        }
    }
    list_insert_before(at, &message->node);
    queue->count++;
}

/* -- queues -- */

static void queue_put(struct mqueue *queue)
{
    ASSERT(queue->references > 0);
    if (--queue->references > 0)
        return;
    list_for_each (node, &queue->messages) {
        message_free(container_of(node, struct message, node));
    }
    mem_pool_put(&queue_pool, queue);
}

static struct mqueue *queue_find(const char *name)
{
    list_for_each (node, &queues) {
        struct mqueue *queue = container_of(node, struct mqueue, all);
        if (strcmp(queue->name, name) == 0)
            return queue;
    }
    return NULL;
}

/* libc has taken the leading slash off. */
static int name_in(char name[LIMIT_NAME_SIZE + 1], long user)
{
    long size = core_copy_string(name, (const char *)user, LIMIT_NAME_SIZE + 1);
    if (size < 0)
        return (int)size;
    if (size == 0)
        return -ENOENT;
    return strchr(name, '/') ? -EACCES : 0;
}

static uint32_t queue_poll(struct file *file, struct file_poller *poller)
{
    struct mqueue *queue = file->private;
    uint32_t events = 0;

    file_poll_wait(poller, &queue->read_wait);
    file_poll_wait(poller, &queue->write_wait);
    if (queue->count > 0)
        events |= POLLIN | POLLRDNORM;
    if (queue->count < queue->message_max)
        events |= POLLOUT | POLLWRNORM;
    return events;
}

static int queue_stat(struct file *file, struct stat *out)
{
    const struct mqueue *queue = file->private;
    out->st_mode = S_IFREG | queue->mode;
    out->st_size = 80; /* as Linux says of its status text */
    return 0;
}

static void queue_release(struct file *file)
{
    struct mqueue *queue = file->private;
    if (queue->notify_file == file)
        queue->notify = false;
    queue_put(queue);
}

static const struct file_ops mqueue_ops = {
    .name = "mqueue",
    .poll = queue_poll,
    .stat = queue_stat,
    .release = queue_release,
};

static struct mqueue *queue_new(const char *name, mode_t mode,
                                const struct mq_attr *attributes)
{
    struct mqueue *queue = mem_pool_get(&queue_pool);

    if (!queue)
        return NULL;
    strcpy(queue->name, name);
    queue->references = 1;
    queue->message_max = attributes->mq_maxmsg;
    queue->size_max = attributes->mq_msgsize;
    queue->mode = mode & 0777;
    list_init(&queue->messages);
    wait_queue_init(&queue->read_wait);
    wait_queue_init(&queue->write_wait);
    list_append(&queues, &queue->all);
    return queue;
}

static int attributes_in(struct mq_attr *out, long user)
{
    out->mq_maxmsg = MESSAGES_DEFAULT;
    out->mq_msgsize = SIZE_DEFAULT;
    if (!user)
        return 0;
    if (core_copy_in(out, (const void *)user, sizeof(*out)) < 0)
        return -EFAULT;
    if (out->mq_maxmsg <= 0 || out->mq_maxmsg > MESSAGES_MAX ||
        out->mq_msgsize <= 0 || out->mq_msgsize > SIZE_MAX_MESSAGE)
        return -EINVAL;
    return 0;
}

long core_mq_open(long a, long b, long c, long d)
{
    char name[LIMIT_NAME_SIZE + 1];
    struct mq_attr attributes;
    int flags = (int)b;

    int error = name_in(name, a);
    if (error < 0)
        return error;
    struct mqueue *queue = queue_find(name);
    if (queue && (flags & O_CREAT) && (flags & O_EXCL))
        return -EEXIST;
    if (!queue && !(flags & O_CREAT))
        return -ENOENT;
    if ((flags & FILE_ACCESS_MASK) == FILE_ACCESS_MASK)
        return -EINVAL;
    bool made = !queue;
    if (made) {
        error = attributes_in(&attributes, d);
        if (error < 0)
            return error;
        queue = queue_new(name, (mode_t)c, &attributes);
        if (!queue)
            return -ENOSPC;
    }
    struct file *file =
        file_new(&mqueue_ops, flags & (FILE_ACCESS_MASK | O_NONBLOCK), queue);
    if (!file) {
        if (made) {
            list_remove(&queue->all);
            queue_put(queue);
        }
        return file_new_error();
    }
    queue->references++;
    /* Linux makes every such descriptor FD_CLOEXEC. */
    return file_install(file, 0, O_CLOEXEC);
}

long core_mq_unlink(long a)
{
    char name[LIMIT_NAME_SIZE + 1];

    int error = name_in(name, a);
    if (error < 0)
        return error;
    struct mqueue *queue = queue_find(name);
    if (!queue)
        return -ENOENT;
    list_remove(&queue->all);
    queue_put(queue);
    return 0;
}

/* The queue's open file with a reference, NULL is EBADF. */
static struct file *queue_get(long fd)
{
    struct file *file = file_get((int)fd);
    if (file && file->ops != &mqueue_ops) {
        file_put(file);
        return NULL;
    }
    return file;
}

/* An absolute time of CLOCK_REALTIME, or none. */
static int deadline_in(long user, uint64_t *out)
{
    struct timespec ts;
    uint64_t at, wall;

    *out = TIME_NEVER;
    if (!user)
        return 0;
    if (core_copy_in(&ts, (const void *)user, sizeof(ts)) < 0)
        return -EFAULT;
    if (time_from_timespec(&ts, &at) < 0)
        return -EINVAL;
    wall = time_wall_ns();
    *out = time_deadline(at > wall ? at - wall : 0);
    return 0;
}

/* After -EINTR the call starts again only if it has no deadline, which would
 * else be told anew; it is absolute, so it may always. */
static long wait_result(int woken)
{
    return woken == -EINTR ? -CORE_RESTART : woken;
}

/* A message came to an empty queue and nobody waits for it. */
static void notify(struct mqueue *queue)
{
    siginfo_t info;

    queue->notify = false;
    if (!queue->notify_signal)
        return;
    memset(&info, 0, sizeof(info));
    info.si_signo = queue->notify_signal;
    info.si_code = SI_MESGQ_;
    info.si_pid = THREAD_PID;
    info.si_value = queue->notify_value;
    signal_send(queue->notify_signal, &info);
}

static long queue_send(struct file *file, struct message *message,
                       uint64_t deadline)
{
    struct mqueue *queue = file->private;

    while (queue->count >= queue->message_max) {
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        int woken = wait_on(&queue->write_wait, deadline, true);
        if (woken < 0)
            return wait_result(woken);
    }
    bool first = queue->count == 0;
    message_add(queue, message);
    if (first && queue->receivers == 0 && queue->notify)
        notify(queue);
    file_wake(&queue->read_wait, POLLIN | POLLRDNORM);
    return 0;
}

long core_mq_timedsend(long a, long b, long c, long d, long e)
{
    size_t size = (size_t)c;
    uint64_t deadline;

    int error = deadline_in(e, &deadline);
    if (error < 0)
        return error;
    if ((unsigned)d >= PRIORITIES)
        return -EINVAL;
    struct file *file = queue_get(a);
    if (!file)
        return -EBADF;
    const struct mqueue *queue = file->private;
    struct message *message = NULL;
    long result = -EBADF;
    if (!file_writable(file))
        goto out;
    result = -EMSGSIZE;
    if (size > (size_t)queue->size_max)
        goto out;
    result = -ENOMEM;
    message = message_new(size);
    if (!message)
        goto out;
    message->priority = (uint32_t)d;
    result = core_copy_in(message->data, (const void *)b, size);
    if (result == 0)
        result = queue_send(file, message, deadline);
    if (result < 0)
        message_free(message);
out:
    file_put(file);
    return result;
}

static long queue_receive(struct file *file, long user, long user_priority,
                          uint64_t deadline)
{
    struct mqueue *queue = file->private;

    while (queue->count == 0) {
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        queue->receivers++;
        int woken = wait_on(&queue->read_wait, deadline, true);
        queue->receivers--;
        if (woken < 0)
            return wait_result(woken);
    }
    struct message *message =
        container_of(queue->messages.next, struct message, node);
    list_remove(&message->node);
    queue->count--;
    file_wake(&queue->write_wait, POLLOUT | POLLWRNORM);
    long result = (long)message->size;
    if (core_copy_out((void *)user, message->data, message->size) < 0 ||
        (user_priority &&
         core_copy_out((void *)user_priority, &message->priority,
                       sizeof(message->priority)) < 0))
        result = -EFAULT;
    message_free(message);
    return result;
}

long core_mq_timedreceive(long a, long b, long c, long d, long e)
{
    uint64_t deadline;

    int error = deadline_in(e, &deadline);
    if (error < 0)
        return error;
    struct file *file = queue_get(a);
    if (!file)
        return -EBADF;
    const struct mqueue *queue = file->private;
    long result = -EBADF;
    if (file_readable(file))
        result = (size_t)c < (size_t)queue->size_max
                     ? -EMSGSIZE
                     : queue_receive(file, b, d, deadline);
    file_put(file);
    return result;
}

long core_mq_notify(long a, long b)
{
    struct sigevent event;
    bool remove = b == 0;

    if (!remove) {
        if (core_copy_in(&event, (const void *)b, sizeof(event)) < 0)
            return -EFAULT;
        if (event.sigev_notify != SIGEV_NONE &&
            event.sigev_notify != SIGEV_SIGNAL)
            return -EINVAL;
        if (event.sigev_notify == SIGEV_SIGNAL &&
            (event.sigev_signo < 1 || event.sigev_signo > SIGNAL_COUNT))
            return -EINVAL;
    }
    struct file *file = queue_get(a);
    if (!file)
        return -EBADF;
    struct mqueue *queue = file->private;
    long result = 0;
    if (remove) {
        queue->notify = false;
    } else if (queue->notify) {
        result = -EBUSY;
    } else {
        queue->notify = true;
        queue->notify_file = file;
        queue->notify_signal =
            event.sigev_notify == SIGEV_SIGNAL ? event.sigev_signo : 0;
        queue->notify_value = event.sigev_value;
    }
    file_put(file);
    return result;
}

long core_mq_getsetattr(long a, long b, long c)
{
    struct mq_attr new, old;

    if (b) {
        if (core_copy_in(&new, (const void *)b, sizeof(new)) < 0)
            return -EFAULT;
        if (new.mq_flags & ~(long)O_NONBLOCK)
            return -EINVAL;
    }
    struct file *file = queue_get(a);
    if (!file)
        return -EBADF;
    const struct mqueue *queue = file->private;
    memset(&old, 0, sizeof(old));
    old.mq_flags = file->flags & O_NONBLOCK;
    old.mq_maxmsg = queue->message_max;
    old.mq_msgsize = queue->size_max;
    old.mq_curmsgs = queue->count;
    if (b)
        file->flags = (file->flags & ~O_NONBLOCK) | (int)new.mq_flags;
    file_put(file);
    return c ? core_copy_out((void *)c, &old, sizeof(old)) : 0;
}
