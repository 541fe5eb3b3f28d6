/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The client of XenStore over its ring (<xen/io/xs_wire.h>): see xen.h.
 * Callers hold the monitor; the event handler only leaves a note.
 *
 * One request is under way at a time. While its answer is awaited, watch
 * events come in between and are noted by setting a mark on their watch;
 * answers to requests that were given up come late and are dropped by their
 * number. What the daemon writes is checked before it is used. Bytes whose
 * meaning is lost (an index out of the ring, a length over the limit) cannot
 * be found again: then the ring is reset where the daemon offers that, and the
 * watches are registered anew; else the store is given up.
 */
#include <errno.h>
#include <string.h>

#include "drivers/xen/ring.h"
#include <xen/io/xs_wire.h>

#include "drivers/xen/guest.h"
#include "drivers/xen/text.h"
#include "halvm_limits.h"

/* Steps of receive(): more than a full ring of the shortest messages takes. A
 * daemon that writes faster than we read does not keep us for ever. */
#define RECEIVE_STEPS 256u

enum health {
    STORE_NONE = 0, /* there is no ring */
    STORE_ASLEEP,   /* nothing was sent yet */
    STORE_GOOD,
    STORE_LOST, /* the ring has to be reset */
    STORE_BROKEN,
};

struct watch {
    const char *path; /* NULL: free */
    void (*changed)(void *argument, const char *path);
    void *argument;
    uint64_t token;
    uint64_t again_ns; /* xen_store_again(); UINT64_MAX: no */
    bool pending;
};

/* A piece of a request's payload. */
struct piece {
    const void *data;
    size_t size;
};

/* What comes in. */
struct inbox {
    struct xsd_sockmsg head;
    char payload[XENSTORE_PAYLOAD_MAX + 1]; /* and a 0 */
};
#define INBOX_PAGES ((sizeof(struct inbox) + 4095) / 4096)

static struct {
    enum health health;
    struct xenstore_domain_interface *ring;
    evtchn_port_t port;
    uint32_t req_prod, rsp_cons; /* ours, whatever the ring says */
    struct inbox *inbox;
    uint32_t got; /* bytes of the message in inbox */
    uint32_t request;
    bool waiting;  /* for the answer to request */
    bool answered; /* it is in inbox */
    unsigned resets;
    struct watch watches[LIMIT_XEN_WATCHES];
    uint64_t tokens; /* handed out so far */
    unsigned pending_count;
    const struct xen_store_programs *programs; /* NULL: none asked yet */
    const char *post; /* what of a program's request is not in the ring yet */
    size_t post_size;
    bool again;          /* some watch has again_ns */
    bool event_new;      /* since the last xen_store_wait() */
    volatile bool noted; /* by the event handler */
} store;

/* Events for another reason, such as room for requests, are waited for where
 * that matters, but for a program's. */
static void on_event(void *argument)
{
    if (XEN_READ_ONCE(store.ring->rsp_prod) == store.rsp_cons &&
        store.post_size == 0)
        return;
    store.noted = true;
    hw_ready(BASE_READY_TIMER);
}

/* The daemon made no sense; says so once. */
static int nonsense(const char *why)
{
    bool again = (XEN_READ_ONCE(store.ring->server_features) &
                  XENSTORE_SERVER_FEATURE_RECONNECTION) &&
                 store.resets < LIMIT_XEN_RECONNECTS;

    store.health = again ? STORE_LOST : STORE_BROKEN;
    hw_log("xen: store: the daemon ", why,
           again ? "; starting anew" : "; it is not talked to any more", NULL);
    if (store.programs != NULL)
        store.programs->anew(); /* who then asks again learns more */
    return -EIO;
}

/* -- what comes in -- */

static void take_event(const char *payload, uint32_t size)
{
    size_t path_size = strlen(payload) + 1;
    uint64_t token;
    struct watch *watch;

    if (path_size >= size)
        return;
    if (payload[path_size] == XEN_STORE_PROGRAM_TOKEN &&
        store.programs != NULL) {
        store.programs->event(payload, size);
        return;
    }
    if (!xen_text_number(payload + path_size, &token))
        return; /* not one of ours */
    watch = &store.watches[token % LIMIT_XEN_WATCHES];
    if (watch->path == NULL || watch->token != token)
        return; /* of before xen_store_unwatch */
    store.event_new = true;
    if (watch->pending)
        return;
    watch->pending = true;
    store.pending_count++;
    hw_ready(BASE_READY_TIMER); /* to whoever calls xen_store_work */
}

static int take_message(void)
{
    struct inbox *inbox = store.inbox;

    inbox->payload[inbox->head.len] = 0;
    store.got = 0;
    if (inbox->head.type == XS_WATCH_EVENT)
        take_event(inbox->payload, inbox->head.len);
    else if ((inbox->head.req_id & XEN_STORE_PROGRAM_REQUEST) &&
             store.programs != NULL)
        store.programs->answer(&inbox->head, inbox->payload);
    else if (store.waiting && inbox->head.req_id == store.request)
        store.answered = true;
    return 0;
}

/* Takes what is in the ring, up to the awaited answer. 0 or -EIO. */
static int receive(void)
{
    const uint32_t head_size = sizeof(struct xsd_sockmsg);
    struct xenstore_domain_interface *ring = store.ring;
    struct inbox *inbox = store.inbox;

    for (unsigned i = 0; i < RECEIVE_STEPS && !store.answered; i++) {
        uint32_t available = XEN_READ_ONCE(ring->rsp_prod) - store.rsp_cons;
        uint32_t at = MASK_XENSTORE_IDX(store.rsp_cons), size;
        bool in_head = store.got < head_size;

        if (available > XENSTORE_RING_SIZE)
            return nonsense("moved its index out of the ring");
        size = in_head ? head_size - store.got
                       : head_size + inbox->head.len - store.got;
        if (available == 0)
            return 0;
        if (size > available)
            size = available;
        if (size > XENSTORE_RING_SIZE - at)
            size = XENSTORE_RING_SIZE - at;
        xen_rmb(); /* the index first, then what it is about */
        memcpy((char *)inbox + store.got, ring->rsp + at, size);
        xen_mb(); /* all is read before the room is given back */
        store.rsp_cons += size;
        XEN_WRITE_ONCE(ring->rsp_cons, store.rsp_cons);
        if (available == XENSTORE_RING_SIZE)
            xen_event_notify(store.port); /* it may wait for room */
        store.got += size;
        if (in_head && store.got == head_size &&
            inbox->head.len > XENSTORE_PAYLOAD_MAX)
            return nonsense("sends more than there can be");
        if (store.got >= head_size && store.got == head_size + inbox->head.len)
            take_message();
    }
    return 0;
}

/* -- what goes out -- */

/* Puts bytes into the ring as far as it has room; how many, or -EIO. */
static long put_some(const char *from, size_t size)
{
    struct xenstore_domain_interface *ring = store.ring;
    size_t done = 0;

    while (done < size) {
        uint32_t used = store.req_prod - XEN_READ_ONCE(ring->req_cons);
        uint32_t at = MASK_XENSTORE_IDX(store.req_prod);
        size_t piece = XENSTORE_RING_SIZE - at;

        if (used > XENSTORE_RING_SIZE)
            return nonsense("takes what was not sent");
        if (used == XENSTORE_RING_SIZE)
            break;
        if (piece > XENSTORE_RING_SIZE - used)
            piece = XENSTORE_RING_SIZE - used;
        if (piece > size - done)
            piece = size - done;
        xen_mb(); /* the room is there before it is filled */
        memcpy(ring->req + at, from + done, piece);
        xen_wmb();
        store.req_prod += (uint32_t)piece;
        XEN_WRITE_ONCE(ring->req_prod, store.req_prod);
        done += piece;
    }
    return (long)done;
}

/* Puts all of it. Whoever made the daemon wait is listened to meanwhile. */
static int put(const void *data, size_t size, uint64_t deadline)
{
    const char *from = data;

    for (;;) {
        long done = put_some(from, size);

        if (done < 0)
            return -EIO;
        from += done;
        size -= (size_t)done;
        if (size == 0)
            return 0;
        if (hw_base.clock_monotonic() >= deadline)
            return nonsense("takes no requests");
        xen_event_notify(store.port);
        if (receive() != 0)
            return -EIO;
        xen_event_wait(store.port, deadline);
    }
}

/* Puts what there is room for of a program's request. */
static void post_some(void)
{
    long done = put_some(store.post, store.post_size);

    if (done <= 0)
        return;
    store.post += done;
    store.post_size -= (size_t)done;
    xen_event_notify(store.port);
}

/* A request of ours must not come into the middle of a program's. */
static int post_finish(uint64_t deadline)
{
    size_t size = store.post_size;

    store.post_size = 0;
    return size > 0 ? put(store.post, size, deadline) : 0;
}

/* Sends a request and waits; the length of the answer, which stands in the
 * inbox with a 0 behind it, or -errno. */
static long ask(uint32_t type, xen_store_transaction t,
                const struct piece *pieces, unsigned count)
{
    uint64_t deadline = hw_base.clock_monotonic() + XEN_STORE_WAIT_NS;
    struct xsd_sockmsg head = {.type = type, .tx_id = t};
    struct xsd_sockmsg *answer = &store.inbox->head;

    for (unsigned i = 0; i < count; i++)
        head.len += (uint32_t)pieces[i].size;
    store.request = (store.request + 1) & ~XEN_STORE_PROGRAM_REQUEST;
    head.req_id = store.request;
    if (post_finish(deadline) != 0 || put(&head, sizeof(head), deadline) != 0)
        return -EIO;
    for (unsigned i = 0; i < count; i++)
        if (put(pieces[i].data, pieces[i].size, deadline) != 0)
            return -EIO;
    store.waiting = true;
    xen_event_notify(store.port);
    for (;;) {
        if (receive() != 0)
            break;
        if (store.answered || hw_base.clock_monotonic() >= deadline)
            break;
        xen_event_wait(store.port, deadline);
    }
    store.waiting = false;
    if (store.health != STORE_GOOD)
        return -EIO;
    if (!store.answered)
        return -ETIMEDOUT; /* should it come yet, its number is an old one */
    store.answered = false;
    if (answer->type == XS_ERROR)
        return -xen_text_error(store.inbox->payload);
    if (answer->type != type)
        return nonsense("answers what was not asked");
    return answer->len;
}

/* -- life -- */

static long watch_send(uint32_t type, const struct watch *watch)
{
    char token[XEN_NUMBER_SIZE];

    xen_text_of_number(watch->token, token);
    const struct piece pieces[] = {{watch->path, strlen(watch->path) + 1},
                                   {token, strlen(token) + 1}};
    return ask(type, 0, pieces, 2);
}

static void indices_take(void)
{
    store.req_prod = XEN_READ_ONCE(store.ring->req_prod);
    store.rsp_cons = XEN_READ_ONCE(store.ring->rsp_cons);
    store.got = 0;
    store.post_size = 0;
    store.waiting = store.answered = false;
}

/* The daemon has forgotten our watches, and the programs'. */
static void watches_again(void)
{
    if (store.programs != NULL)
        store.programs->anew();
    for (unsigned i = 0; i < LIMIT_XEN_WATCHES; i++)
        if (store.watches[i].path != NULL && store.health == STORE_GOOD)
            watch_send(XS_WATCH, &store.watches[i]);
}

/* Has the ring reset by the daemon (docs/misc/xenstore-ring.txt of Xen). */
static void reset(void)
{
    uint64_t deadline = hw_base.clock_monotonic() + XEN_STORE_WAIT_NS;
    struct xenstore_domain_interface *ring = store.ring;

    store.resets++;
    XEN_WRITE_ONCE(ring->connection, XENSTORE_RECONNECT);
    xen_event_notify(store.port);
    while (XEN_READ_ONCE(ring->connection) != XENSTORE_CONNECTED) {
        if (hw_base.clock_monotonic() >= deadline) {
            store.health = STORE_BROKEN;
            hw_log("xen: store: the daemon does not come back", NULL);
            return;
        }
        xen_event_wait(store.port, deadline);
    }
    store.health = STORE_GOOD;
    indices_take();
    watches_again();
}

/* Makes the store usable, or says why it is not. */
static long begin(void)
{
    if (store.health == STORE_ASLEEP) {
        store.health = STORE_BROKEN;
        if (store.inbox == NULL)
            store.inbox = hw_pages_get(INBOX_PAGES);
        if (store.inbox == NULL)
            return -ENOMEM;
        indices_take();
        if (xen_event_handle(store.port, on_event, NULL) != 0)
            return -EIO;
        store.health = STORE_GOOD;
        watches_again();
    }
    if (store.health == STORE_LOST)
        reset();
    if (store.health == STORE_NONE)
        return -ENODEV;
    return store.health == STORE_GOOD ? 0 : -EIO;
}

void xen_store_init(void *ring_page, evtchn_port_t port)
{
    store.ring = ring_page;
    store.port = port;
    store.health = ring_page != NULL ? STORE_ASLEEP : STORE_NONE;
}

void xen_store_resume(void *ring_page, evtchn_port_t port)
{
    bool awake = store.health != STORE_NONE && store.health != STORE_ASLEEP;

    store.resets = 0;
    xen_store_init(ring_page, port);
    if (awake)
        begin();
}

/* A request to its end, over a reset of the ring. */
static long talk(uint32_t type, xen_store_transaction t,
                 const struct piece *pieces, unsigned count)
{
    size_t size = 0;
    long result = begin();

    for (unsigned i = 0; i < count; i++)
        size += pieces[i].size;
    if (result == 0 && size > XENSTORE_PAYLOAD_MAX)
        return -E2BIG;
    if (result == 0)
        result = ask(type, t, pieces, count);
    if (store.health != STORE_LOST || begin() != 0)
        return result;
    /* Transactions end with the connection. */
    return t != 0 ? -EAGAIN : ask(type, t, pieces, count);
}

/* The answer to a request that takes a path, copied to out. */
static long fetch(uint32_t type, xen_store_transaction t, const char *path,
                  char *out, size_t size)
{
    const struct piece piece = {path, strlen(path) + 1};
    long length = talk(type, t, &piece, 1);

    if (length < 0)
        return length;
    if ((size_t)length >= size)
        return -E2BIG;
    memcpy(out, store.inbox->payload, (size_t)length + 1);
    return length;
}

/* -- the calls of xen.h -- */

long xen_store_read(xen_store_transaction t, const char *path, char *out,
                    size_t size)
{
    return fetch(XS_READ, t, path, out, size);
}

long xen_store_list(xen_store_transaction t, const char *path, char *out,
                    size_t size)
{
    long length = fetch(XS_DIRECTORY, t, path, out, size);

    return length > 0 && out[length - 1] != 0 ? -EIO : length;
}

long xen_store_permissions_get(xen_store_transaction t, const char *path,
                               char *out, size_t size)
{
    long length = fetch(XS_GET_PERMS, t, path, out, size);

    return length > 0 && out[length - 1] != 0 ? -EIO : length;
}

/* For answers that say no more than "OK". */
static long command(uint32_t type, xen_store_transaction t, const char *path,
                    const void *data, size_t size)
{
    const struct piece pieces[] = {{path, strlen(path) + 1}, {data, size}};
    long result = talk(type, t, pieces, 2);

    return result < 0 ? result : 0;
}

long xen_store_write(xen_store_transaction t, const char *path,
                     const char *value)
{
    return command(XS_WRITE, t, path, value, strlen(value));
}

long xen_store_mkdir(xen_store_transaction t, const char *path)
{
    return command(XS_MKDIR, t, path, "", 0);
}

long xen_store_remove(xen_store_transaction t, const char *path)
{
    return command(XS_RM, t, path, "", 0);
}

long xen_store_permissions_set(xen_store_transaction t, const char *path,
                               const char *permissions, size_t size)
{
    return command(XS_SET_PERMS, t, path, permissions, size);
}

long xen_store_begin(void)
{
    const struct piece piece = {"", 1};
    long length = talk(XS_TRANSACTION_START, 0, &piece, 1);
    uint64_t t;

    if (length < 0)
        return length;
    if (!xen_text_number(store.inbox->payload, &t) || t == 0 || t > UINT32_MAX)
        return -EIO;
    return (long)t;
}

long xen_store_end(xen_store_transaction t, bool commit)
{
    return command(XS_TRANSACTION_END, t, commit ? "T" : "F", "", 0);
}

long xen_store_read_number(const char *path, uint64_t *out)
{
    char text[XEN_NUMBER_SIZE + 2];
    long length = xen_store_read(0, path, text, sizeof(text));

    if (length < 0)
        return length == -E2BIG ? -EINVAL : length;
    return (size_t)length == strlen(text) && xen_text_number(text, out)
               ? 0
               : -EINVAL;
}

long xen_store_write_number(xen_store_transaction t, const char *path,
                            uint64_t value)
{
    char text[XEN_NUMBER_SIZE];

    xen_text_of_number(value, text);
    return xen_store_write(t, path, text);
}

/* -- for programs -- */

void xen_store_programs_set(const struct xen_store_programs *programs)
{
    store.programs = programs;
}

long xen_store_post(const void *data, size_t size)
{
    long result = begin();

    if (result != 0 || size == 0)
        return result;
    store.post = data;
    store.post_size = size;
    post_some();
    return store.health == STORE_GOOD ? 0 : -EIO;
}

/* -- watches -- */

static void watch_forget(struct watch *watch)
{
    if (watch->pending)
        store.pending_count--;
    watch->pending = false;
    watch->path = NULL;
}

long xen_store_watch(const char *path,
                     void (*changed)(void *argument, const char *path),
                     void *argument)
{
    unsigned slot = 0;
    struct watch *watch;
    long result = begin();

    while (slot < LIMIT_XEN_WATCHES && store.watches[slot].path != NULL)
        slot++;
    if (result != 0)
        return result;
    if (slot == LIMIT_XEN_WATCHES)
        return -ENOSPC;
    /* A token is used once, and its slot shows in it. */
    watch = &store.watches[slot];
    *watch = (struct watch){
        .path = path,
        .changed = changed,
        .argument = argument,
        .token = ++store.tokens * LIMIT_XEN_WATCHES + slot,
        .again_ns = UINT64_MAX,
    };
    result = watch_send(XS_WATCH, watch);
    if (store.health == STORE_LOST)
        result = begin(); /* registers this one, too */
    if (result < 0)
        watch_forget(watch);
    return result < 0 ? result : 0;
}

static struct watch *
watch_find(const char *path, void (*changed)(void *argument, const char *path),
           const void *argument)
{
    for (unsigned i = 0; i < LIMIT_XEN_WATCHES; i++) {
        struct watch *watch = &store.watches[i];

        if (watch->path != NULL && strcmp(watch->path, path) == 0 &&
            watch->changed == changed && watch->argument == argument)
            return watch;
    }
    return NULL;
}

long xen_store_unwatch(const char *path,
                       void (*changed)(void *argument, const char *path),
                       void *argument)
{
    struct watch *watch = watch_find(path, changed, argument);
    long result = 0;

    if (watch == NULL)
        return -ENOENT;
    if (store.health == STORE_GOOD)
        result = watch_send(XS_UNWATCH, watch);
    watch_forget(watch);
    return result < 0 ? result : 0;
}

void xen_store_again(const char *path,
                     void (*changed)(void *argument, const char *path),
                     void *argument, uint64_t delay_ns)
{
    struct watch *watch = watch_find(path, changed, argument);

    if (watch == NULL)
        return;
    watch->again_ns = hw_base.clock_monotonic() + delay_ns;
    store.again = true;
    hw_work_at(watch->again_ns);
}

/* Marks those whose time has come. */
static void again_mark(void)
{
    uint64_t now = hw_base.clock_monotonic(), next = UINT64_MAX;

    for (unsigned i = 0; i < LIMIT_XEN_WATCHES; i++) {
        struct watch *watch = &store.watches[i];

        if (watch->path == NULL || watch->again_ns == UINT64_MAX)
            continue;
        if (now < watch->again_ns) {
            if (watch->again_ns < next)
                next = watch->again_ns;
            continue;
        }
        watch->again_ns = UINT64_MAX;
        if (!watch->pending)
            store.pending_count++;
        watch->pending = true;
    }
    store.again = next != UINT64_MAX;
    if (store.again)
        hw_work_at(next);
}

void xen_store_wait(uint64_t deadline_ns)
{
    if (begin() != 0)
        return;
    while (receive() == 0 && !store.event_new &&
           hw_base.clock_monotonic() < deadline_ns)
        xen_event_wait(store.port, deadline_ns);
    store.event_new = false;
}

void xen_store_work(void)
{
    if (store.again)
        again_mark();
    if (!store.noted && store.pending_count == 0)
        return;
    store.noted = false;
    if (begin() != 0 || receive() != 0)
        return;
    if (store.post_size > 0)
        post_some();
    for (unsigned i = 0; i < LIMIT_XEN_WATCHES; i++) {
        struct watch *watch = &store.watches[i];

        if (!watch->pending)
            continue;
        watch->pending = false;
        store.pending_count--;
        watch->changed(watch->argument, watch->path);
    }
}
