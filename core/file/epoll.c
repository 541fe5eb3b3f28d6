/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * epoll: a set of descriptors that remembers which may be ready.
 *
 * An item stands in three lists: its epoll's items, its file's epoll_items
 * (by which it is found, and forgotten when the file goes), and, while it may
 * be ready, its epoll's ready list. It has wait entries in the file's queues
 * for as long as it lives; a wake-up puts it on the ready list, and
 * epoll_wait asks the file what really holds. A level-triggered item that
 * did hold goes back on the list; an edge-triggered one waits for the next
 * wake-up; a one-shot one loses its events until it is modified.
 *
 * Monitor held.
 */
#include <sys/epoll.h>

#include "core/calls.h"
#include "core/file/table.h"
#include "core/mem/mem.h"
#include "core/signal/signal.h"
#include "core/time/time.h"

struct epoll {
    struct file *file; /* no reference: it is ours */
    struct list items;
    struct list ready;
    struct wait_queue wait; /* threads in epoll_wait */
    struct wait_queue poll; /* those who poll this epoll */
};

struct epoll_item {
    struct file_poller poller; /* while it is added */
    struct epoll *epoll;
    struct file *file; /* no reference: it forgets us when it goes */
    int fd;
    uint32_t events;
    uint64_t data;
    struct list items, files, ready;
    unsigned wait_count;
    struct wait_entry wait[FILE_POLL_QUEUES];
};

/* Flags among the events; the rest are events. */
#define FLAGS (EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | (uint32_t)EPOLLEXCLUSIVE)
#define EXCLUSIVE_MAY                                                          \
    (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET |        \
     (uint32_t)EPOLLEXCLUSIVE)

static struct mem_pool epoll_pool =
    MEM_POOL(struct epoll, MEM_CORE, LIMIT_DESCRIPTORS);
static struct mem_pool item_pool =
    MEM_POOL(struct epoll_item, MEM_CORE, 4 * LIMIT_DESCRIPTORS);

static const struct file_ops epoll_ops;

static void announce(struct epoll *epoll)
{
    file_wake(&epoll->wait, POLLIN | POLLRDNORM);
    file_wake(&epoll->poll, POLLIN | POLLRDNORM);
}

static void item_ready(struct epoll_item *item)
{
    if (list_empty(&item->ready))
        list_append(&item->epoll->ready, &item->ready);
    announce(item->epoll);
}

/* A queue of the item's file has news. */
static void item_wake(struct wait_entry *entry, uint32_t events)
{
    /* The entries of an item are an array: entry->thread, which nobody else
     * uses where wake is set, holds its item. */
    struct epoll_item *item = (void *)entry->thread;

    if (events && !(events & item->events))
        return;
    if (!(item->events & ~FLAGS))
        return; /* a one-shot that has shot */
    item_ready(item);
}

static void item_add_queue(struct file_poller *poller, struct wait_queue *queue)
{
    struct epoll_item *item = container_of(poller, struct epoll_item, poller);

    ASSERT(item->wait_count < FILE_POLL_QUEUES);
    struct wait_entry *entry = &item->wait[item->wait_count++];
    entry->thread = (void *)item;
    entry->wake = item_wake;
    entry->exclusive = item->events & (uint32_t)EPOLLEXCLUSIVE;
    wait_add(queue, entry);
}

static uint32_t item_holds(struct epoll_item *item, struct file_poller *poller)
{
    return item->file->ops->poll(item->file, poller) & item->events & ~FLAGS;
}

static void item_free(struct epoll_item *item)
{
    for (unsigned i = 0; i < item->wait_count; i++)
        wait_remove(&item->wait[i]);
    list_remove(&item->items);
    list_remove(&item->files);
    list_remove(&item->ready);
    mem_pool_put(&item_pool, item);
}

/* The last descriptor of a watched file was closed (file_epoll_forget). */
static void epoll_forget(struct file *file)
{
    list_for_each (node, &file->epoll_items) {
        item_free(container_of(node, struct epoll_item, files));
    }
}

static void epoll_release(struct file *file)
{
    struct epoll *epoll = file->private;

    list_for_each (node, &epoll->items) {
        item_free(container_of(node, struct epoll_item, items));
    }
    mem_pool_put(&epoll_pool, epoll);
}

/* Whether any item holds. Those that do not leave the ready list: it says
 * "may be". Nesting is bounded by epoll_ctl. */
static bool epoll_any(struct epoll *epoll)
{
    list_for_each (node, &epoll->ready) {
        struct epoll_item *item = container_of(node, struct epoll_item, ready);
        if (item_holds(item, NULL))
            return true;
        list_remove(&item->ready);
    }
    return false;
}

static uint32_t epoll_poll(struct file *file, struct file_poller *poller)
{
    struct epoll *epoll = file->private;
    file_poll_wait(poller, &epoll->poll);
    return epoll_any(epoll) ? POLLIN | POLLRDNORM : 0;
}

static const struct file_ops epoll_ops = {
    .name = "[eventpoll]",
    .poll = epoll_poll,
    .release = epoll_release,
};

long core_epoll_create1(long a)
{
    if ((int)a & ~EPOLL_CLOEXEC)
        return -EINVAL;
    struct epoll *epoll = mem_pool_get(&epoll_pool);
    if (!epoll)
        return -ENOMEM;
    list_init(&epoll->items);
    list_init(&epoll->ready);
    wait_queue_init(&epoll->wait);
    wait_queue_init(&epoll->poll);
    epoll->file = file_new(&epoll_ops, O_RDWR, epoll);
    if (!epoll->file) {
        mem_pool_put(&epoll_pool, epoll);
        return file_new_error();
    }
    file_epoll_forget = epoll_forget;
    return file_install(epoll->file, 0, (int)a & EPOLL_CLOEXEC);
}

long core_epoll_create(long a)
{
    return (int)a <= 0 ? -EINVAL : core_epoll_create1(0);
}

/* -- epoll_ctl -- */

/* How deep epolls are nested under file, itself included; more than the limit
 * is said as the limit + 1. sought being among them is a loop. */
static int nesting_below(struct file *file, struct file *sought, int level)
{
    int deepest = 0;

    if (file == sought || level > LIMIT_EPOLL_NESTING)
        return LIMIT_EPOLL_NESTING + 1;
    struct epoll *epoll = file->private;
    list_for_each (node, &epoll->items) {
        struct epoll_item *item = container_of(node, struct epoll_item, items);
        if (item->file->ops != &epoll_ops)
            continue;
        int depth = nesting_below(item->file, sought, level + 1);
        if (depth > deepest)
            deepest = depth;
        if (deepest > LIMIT_EPOLL_NESTING)
            break;
    }
    return deepest + 1;
}

/* How many levels of epolls watch this one, itself included. */
static int nesting_above(const struct file *file, int level)
{
    int highest = 0;

    if (level > LIMIT_EPOLL_NESTING + 1)
        return 0; /* too many already */
    list_for_each (node, &file->epoll_items) {
        struct epoll_item *item = container_of(node, struct epoll_item, files);
        int height = nesting_above(item->epoll->file, level + 1);
        if (height > highest)
            highest = height;
    }
    return highest + 1;
}

static struct epoll_item *item_find(struct epoll *epoll, struct file *file,
                                    int fd)
{
    list_for_each (node, &file->epoll_items) {
        struct epoll_item *item = container_of(node, struct epoll_item, files);
        if (item->epoll == epoll && item->fd == fd)
            return item;
    }
    return NULL;
}

static int item_new(struct epoll *epoll, struct file *file, int fd,
                    const struct epoll_event *event)
{
    if (file->ops == &epoll_ops &&
        nesting_below(file, epoll->file, 1) + nesting_above(epoll->file, 1) >
            LIMIT_EPOLL_NESTING + 1)
        return -ELOOP;
    struct epoll_item *item = mem_pool_get(&item_pool);
    if (!item)
        return -ENOMEM;
    item->poller.add = item_add_queue;
    item->epoll = epoll;
    item->file = file;
    item->fd = fd;
    item->events = event->events;
    item->data = event->data.u64;
    list_append(&epoll->items, &item->items);
    list_append(&file->epoll_items, &item->files);
    list_init(&item->ready);
    if (item_holds(item, &item->poller))
        item_ready(item);
    return 0;
}

static int item_change(struct epoll *epoll, struct file *file, int fd, int op,
                       const struct epoll_event *event)
{
    struct epoll_item *item = item_find(epoll, file, fd);

    if (op == EPOLL_CTL_ADD)
        return item ? -EEXIST : item_new(epoll, file, fd, event);
    if (!item)
        return -ENOENT;
    if (op == EPOLL_CTL_DEL) {
        item_free(item);
        return 0;
    }
    if (item->events & (uint32_t)EPOLLEXCLUSIVE)
        return -EINVAL;
    item->events = event->events;
    item->data = event->data.u64;
    if (item_holds(item, NULL))
        item_ready(item);
    return 0;
}

static int exclusive_check(int op, const struct file *file, uint32_t events)
{
    if (!(events & (uint32_t)EPOLLEXCLUSIVE))
        return 0;
    if (op == EPOLL_CTL_MOD || file->ops == &epoll_ops ||
        (events & ~EXCLUSIVE_MAY))
        return -EINVAL;
    return 0;
}

long core_epoll_ctl(long a, long b, long c, long d)
{
    struct epoll_event event = {.events = 0};
    int op = (int)b;
    long result;

    if (op != EPOLL_CTL_DEL &&
        core_copy_in(&event, (const void *)d, sizeof(event)) < 0)
        return -EFAULT;
    /* Nothing below blocks, so no references are needed. */
    struct file *watcher = file_slot(a), *file = file_slot(c);
    if (!watcher || !file || ((watcher->flags | file->flags) & O_PATH))
        return -EBADF;
    if (!file->ops->poll)
        return -EPERM;
    if (watcher == file || watcher->ops != &epoll_ops)
        return -EINVAL;
    if (op != EPOLL_CTL_ADD && op != EPOLL_CTL_MOD && op != EPOLL_CTL_DEL)
        return -EINVAL;
    if (op != EPOLL_CTL_DEL) {
        result = exclusive_check(op, file, event.events);
        if (result < 0)
            return result;
    }
    event.events |= EPOLLERR | EPOLLHUP;
    return item_change(watcher->private, file, (int)c, op, &event);
}

/* -- epoll_wait -- */

/* Copies what holds to the application; how many, or -EFAULT. Takes the whole
 * list first, so that what goes back on it is looked at once. */
static long deliver(struct epoll *epoll, struct epoll_event *user, int room)
{
    struct list taken;
    long count = 0;

    if (list_empty(&epoll->ready))
        return 0;
    list_prepend(&epoll->ready, &taken);
    list_remove(&epoll->ready);
    while (!list_empty(&taken)) {
        struct epoll_item *item =
            container_of(taken.next, struct epoll_item, ready);
        if (count == room)
            break;
        list_remove(&item->ready);
        struct epoll_event event = {.events = item_holds(item, NULL),
                                    .data.u64 = item->data};
        if (!event.events)
            continue;
        if (core_copy_out(&user[count], &event, sizeof(event)) < 0) {
            list_prepend(&taken, &item->ready);
            count = count ? count : -EFAULT;
            break;
        }
        count++;
        if (item->events & EPOLLONESHOT)
            item->events &= FLAGS;
        else if (!(item->events & EPOLLET))
            list_append(&epoll->ready, &item->ready);
    }
    /* What was not looked at comes before what goes round again. */
    while (!list_empty(&taken)) {
        struct list *last = taken.prev;
        list_remove(last);
        list_prepend(&epoll->ready, last);
    }
    return count;
}

static long epoll_run(long fd, long user, long room, uint64_t deadline_ns)
{
    long result;

    if ((int)room <= 0 ||
        (unsigned long)(int)room > INT32_MAX / sizeof(struct epoll_event))
        return -EINVAL;
    struct file *file = file_get((int)fd);
    if (!file)
        return -EBADF;
    if (file->ops != &epoll_ops) {
        file_unref(file);
        return -EINVAL;
    }
    struct epoll *epoll = file->private;
    for (;;) {
        result = deliver(epoll, (struct epoll_event *)user, (int)room);
        if (result != 0 || deadline_ns == 0)
            break;
        struct wait_entry entry = {.thread = thread_current, .exclusive = true};
        wait_add(&epoll->wait, &entry);
        int woken = thread_block(deadline_ns, true);
        wait_remove(&entry);
        if (woken == 0)
            continue;
        result = deliver(epoll, (struct epoll_event *)user, (int)room);
        if (result == 0 && woken == -EINTR)
            result = -EINTR;
        break;
    }
    /* The wake-up went to one thread: what is left is for the next. */
    if (!list_empty(&epoll->ready))
        file_wake(&epoll->wait, POLLIN | POLLRDNORM);
    file_unref(file);
    return result;
}

static uint64_t deadline_ms(long ms)
{
    if ((int)ms < 0)
        return TIME_NEVER;
    return (int)ms == 0 ? 0 : time_deadline((uint64_t)(int)ms * 1000000u);
}

long core_epoll_wait(long a, long b, long c, long d)
{
    return epoll_run(a, b, c, deadline_ms(d));
}

long core_epoll_pwait(long a, long b, long c, long d, long e, long f)
{
    int error = e ? signal_mask_temporarily((const void *)e, (size_t)f) : 0;
    return error < 0 ? error : epoll_run(a, b, c, deadline_ms(d));
}

long core_epoll_pwait2(long a, long b, long c, long d, long e, long f)
{
    struct timespec ts;
    uint64_t deadline = TIME_NEVER, duration;
    int error;

    if (d) {
        if (core_copy_in(&ts, (const void *)d, sizeof(ts)) < 0)
            return -EFAULT;
        error = time_from_timespec(&ts, &duration);
        if (error < 0)
            return error;
        deadline = duration ? time_deadline(duration) : 0;
    }
    error = e ? signal_mask_temporarily((const void *)e, (size_t)f) : 0;
    return error < 0 ? error : epoll_run(a, b, c, deadline);
}
