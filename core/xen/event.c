/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /dev/xen/evtchn: event channels, as Linux's drivers/xen/evtchn.c and
 * <xen/evtchn.h> have them.
 *
 * A port belongs to the open file that made it. read gives the ports, four
 * bytes each, that have had an event; from then on a port is silent until its
 * number is written, so one event or many are told once. poll says when there
 * are any. When the domain was suspended and goes on as another all ports are
 * dead: poll says so (POLLERR), and calls fail with EIO.
 *
 * Not there: virtual interrupts, static ports, IOCTL_EVTCHN_RESTRICT_DOMID.
 *
 * Monitor held.
 */
#include "core/xen/xen.h"

#define BIND_INTERDOMAIN  XEN_IOCTL('E', 1, 8)
#define BIND_UNBOUND_PORT XEN_IOCTL('E', 2, 4)
#define UNBIND            XEN_IOCTL('E', 3, 4)
#define NOTIFY            XEN_IOCTL('E', 4, 4)
#define RESET             XEN_IOCTL('E', 5, 0)

#define READ_MAX 64 /* ports at a time, on the stack */

struct event_file {
    struct list all;   /* in files */
    struct list ports; /* its ports */
    struct list fired; /* those to be read, in order */
    struct wait_queue wait;
    uint32_t generation;
};

struct port {
    struct list hash, ports;
    struct list fired; /* empty: not to be read */
    struct event_file *file;
    uint32_t number;
    bool silent; /* it was queued, and not written since */
    bool again;  /* an event came meanwhile */
};

static struct mem_pool file_pool =
    MEM_POOL(struct event_file, MEM_CORE, LIMIT_DESCRIPTORS);
static struct mem_pool port_pool =
    MEM_POOL(struct port, MEM_CORE, LIMIT_XEN_PORTS);

static struct list files = LIST_INIT(files);
#define BUCKETS 64
static struct list buckets[BUCKETS];

static bool is_dead(const struct event_file *events)
{
    return events->generation != xen_base()->generation();
}

/* The port of this file's; without one, of that whose ports live: after a
 * suspend Xen gives the dead ones' numbers out again. */
static struct port *port_find(uint32_t number, const struct event_file *events)
{
    struct list *bucket = &buckets[number % BUCKETS];

    if (bucket->next == NULL)
        return NULL;
    list_for_each (item, bucket) {
        struct port *port = container_of(item, struct port, hash);
        if (port->number == number &&
            (events ? port->file == events : !is_dead(port->file)))
            return port;
    }
    return NULL;
}

static void port_forget(struct port *port)
{
    list_remove(&port->hash);
    list_remove(&port->ports);
    list_remove(&port->fired);
    mem_pool_put(&port_pool, port);
}

static void port_close(struct port *port)
{
    if (!is_dead(port->file))
        xen_base()->event_close(port->number);
    port_forget(port);
}

void xen_event_ready(void)
{
    uint32_t number;

    while (xen_base()->event_take(&number)) {
        struct port *port = port_find(number, NULL);

        if (!port)
            continue;
        port->again = port->silent;
        if (port->silent)
            continue;
        port->silent = true;
        list_append(&port->file->fired, &port->fired);
        file_wake(&port->file->wait, POLLIN | POLLRDNORM);
    }
    list_for_each (item, &files) {
        struct event_file *events = container_of(item, struct event_file, all);
        if (is_dead(events))
            wait_wake(&events->wait, POLLERR | POLLIN, UINT32_MAX);
    }
}

/* -- calls -- */

static int errno_of(enum base_status status)
{
    switch (status) {
    case BASE_NODEV:
        return -ESRCH;
    case BASE_NOMEM:
        return -ENOSPC;
    default:
        return -EINVAL;
    }
}

static long port_bind(struct event_file *events, const uint32_t words[2],
                      bool unbound)
{
    struct port *port = mem_pool_get(&port_pool);
    enum base_status status;
    struct list *bucket;

    if (!port)
        return -ENOMEM;
    status = unbound
                 ? xen_base()->event_alloc(words[0], &port->number)
                 : xen_base()->event_bind(words[0], words[1], &port->number);
    if (status != BASE_OK) {
        mem_pool_put(&port_pool, port);
        return errno_of(status);
    }
    port->file = events;
    list_init(&port->fired);
    list_append(&events->ports, &port->ports);
    bucket = &buckets[port->number % BUCKETS];
    if (bucket->next == NULL)
        list_init(bucket);
    list_append(bucket, &port->hash);
    return port->number;
}

static long event_ioctl(struct file *file, unsigned long request, long argument)
{
    struct event_file *events = file->private;
    unsigned long size = request >> 16;
    uint32_t words[2] = {0, 0};
    struct port *port;

    switch (request) {
    case RESET:
        list_for_each (item, &events->fired)
            list_remove(item);
        return 0;
    case BIND_INTERDOMAIN:
    case BIND_UNBOUND_PORT:
    case UNBIND:
    case NOTIFY:
        break;
    default:
        return -ENOSYS; /* as Linux's */
    }
    if (core_copy_in(words, (const void *)argument, size) != 0)
        return -EFAULT;
    if (request == UNBIND || request == NOTIFY) {
        port = port_find(words[0], events);
        if (!port)
            return -ENOTCONN;
        if (request == UNBIND) {
            port_close(port);
            return 0;
        }
        if (is_dead(events))
            return -EIO;
        xen_base()->event_notify(port->number);
        return 0;
    }
    if (is_dead(events))
        return -EIO;
    return port_bind(events, words, request == BIND_UNBOUND_PORT);
}

static long event_readv(struct file *file, const struct iovec *iov, int count,
                        off_t *offset)
{
    struct event_file *events = file->private;
    size_t room = file_iov_total(iov, count) / sizeof(uint32_t), got = 0;
    uint32_t numbers[READ_MAX];

    if (room == 0)
        return 0;
    while (list_empty(&events->fired)) {
        if (is_dead(events))
            return -EIO;
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_on(&events->wait, UINT64_MAX, true) == -EINTR)
            return -CORE_RESTART;
    }
    list_for_each (item, &events->fired) {
        if (got == room || got == READ_MAX)
            break;
        numbers[got++] = container_of(item, struct port, fired)->number;
    }
    if (file_copy_out(iov, count, 0, numbers, got * sizeof(uint32_t)) != 0)
        return -EFAULT;
    for (size_t i = 0; i < got; i++)
        list_remove(events->fired.next);
    return (long)(got * sizeof(uint32_t));
}

/* Ports that are to be told again. Others' numbers are passed over, as on
 * Linux. */
static long event_writev(struct file *file, const struct iovec *iov, int count,
                         off_t *offset)
{
    struct event_file *events = file->private;
    size_t total = file_iov_total(iov, count) / sizeof(uint32_t);

    for (size_t i = 0; i < total; i++) {
        struct port *port;
        uint32_t number;

        if (file_copy_in(&number, iov, count, i * sizeof(number),
                         sizeof(number)) != 0)
            return i > 0 ? (long)(i * sizeof(number)) : -EFAULT;
        port = port_find(number, events);
        if (!port || !port->silent || !list_empty(&port->fired))
            continue;
        port->silent = port->again;
        port->again = false;
        if (port->silent) {
            list_append(&events->fired, &port->fired);
            file_wake(&events->wait, POLLIN | POLLRDNORM);
        }
    }
    return (long)(total * sizeof(uint32_t));
}

static uint32_t event_poll(struct file *file, struct file_poller *poller)
{
    struct event_file *events = file->private;
    uint32_t bits = POLLOUT | POLLWRNORM;

    file_poll_wait(poller, &events->wait);
    if (!list_empty(&events->fired))
        bits |= POLLIN | POLLRDNORM;
    if (is_dead(events))
        bits |= POLLERR;
    return bits;
}

static void event_release(struct file *file)
{
    struct event_file *events = file->private;

    list_for_each (item, &events->ports)
        port_close(container_of(item, struct port, ports));
    list_remove(&events->all);
    mem_pool_put(&file_pool, events);
}

static const struct file_ops event_ops = {
    .name = "/dev/xen/evtchn",
    .readv = event_readv,
    .writev = event_writev,
    .poll = event_poll,
    .ioctl = event_ioctl,
    .stat = node_file_stat,
    .release = event_release,
};

struct file *xen_event_open(int flags, int *error)
{
    struct event_file *events = mem_pool_get(&file_pool);
    struct file *file = NULL;

    *error = -ENOMEM;
    if (!events)
        return NULL;
    list_init(&events->ports);
    list_init(&events->fired);
    wait_queue_init(&events->wait);
    events->generation = xen_base()->generation();
    file = file_new(&event_ops, flags, events);
    if (!file) {
        *error = file_new_error();
        mem_pool_put(&file_pool, events);
        return NULL;
    }
    list_append(&files, &events->all);
    return file;
}
