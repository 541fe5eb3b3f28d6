/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /dev/xen/xenbus: XenStore by its wire protocol (<xen/io/xs_wire.h>), as
 * Linux's drivers/xen/xenbus/xenbus_dev_frontend.c has it: what is written are
 * requests, what is read are answers and the events of watches.
 *
 * Each open file is a connection of its own: others' transactions and watches
 * are not there for it, and its own end with it. Below there is one connection
 * of the whole domain, and one request under way; the others wait in a queue.
 *
 * A connection has room for one request and for ROOM bytes to be read. A
 * request is taken when the one before is answered, and room for any answer is
 * kept free. An event for which there is no room is told later, as one of the
 * watched path itself: something below it has changed.
 *
 * What nobody waits for, such as the end of a transaction whose file is closed,
 * is sent by the caretaker, which has no file. After the daemon has forgotten
 * us (it was restarted, or the domain moved) it also registers the watches
 * anew, and transactions of before get EAGAIN.
 *
 * Requests that would disturb the domain's own drivers, or are not for guests,
 * get ENOSYS. All of it is one file because a request's way, from the program
 * to the daemon and back, goes through all of its parts. Monitor held.
 */
#include "core/xen/xen.h"

#include <xen/io/xs_wire.h>

#define ROOM        12288u /* bytes to be read */
#define HEAD_SIZE   sizeof(struct xsd_sockmsg)
#define ANSWER_MAX  (HEAD_SIZE + BASE_XEN_PAYLOAD_MAX)
#define NUMBER_SIZE 16 /* bytes of a token of ours */

enum state {
    FILLING, /* a request is being written */
    QUEUED,
    SENT,
};

struct connection {
    struct list all;   /* in connections */
    struct list queue; /* in queued, if QUEUED */
    struct list watches, transactions;
    struct wait_queue wait;
    enum state state;
    uint32_t got;      /* bytes of the request so far */
    uint32_t from, to; /* of room: what is to be read */
    bool missed;       /* some watch has an event to be told later */
    struct xsd_sockmsg head;
    /* What the request makes or ends; a transaction that is begun is here
     * until the request is sent. */
    struct watch *watch;
    struct transaction *begun;
    char data[BASE_XEN_PAYLOAD_MAX + 1];
    char room[ROOM];
};
#define CONNECTION_PAGES ((sizeof(struct connection) + 4095) / 4096)

struct watch {
    struct list list; /* in a connection's watches, or in ended */
    struct connection *connection;
    uint32_t number; /* what the daemon knows it by */
    bool registered;
    bool missed;
    uint16_t path_size, token_size; /* with their 0 */
    char text[LIMIT_XEN_WATCH_SIZE];
};

struct transaction {
    struct list list;
    uint32_t id;
    bool stale; /* the daemon has forgotten it */
};

static struct mem_pool watch_pool =
    MEM_POOL(struct watch, MEM_CORE, LIMIT_XEN_PROGRAM_WATCHES);
static struct mem_pool transaction_pool =
    MEM_POOL(struct transaction, MEM_CORE, LIMIT_XEN_TRANSACTIONS);

/* What comes, with a 0 behind it: pages that are got at the first open. */
static char *inbox;
#define INBOX_PAGES (BASE_XEN_PAYLOAD_MAX / LIMIT_PAGE_SIZE + 1)

static struct list connections = LIST_INIT(connections);
static struct list queued = LIST_INIT(queued);
/* What the caretaker has to end. */
static struct list ended_watches = LIST_INIT(ended_watches);
static struct list ended_transactions = LIST_INIT(ended_transactions);
static uint32_t watch_numbers;
static unsigned watches_forgotten; /* to be registered anew */

/* The request that was sent. */
static struct {
    enum { NOBODY, CONNECTION, CARETAKER } whose;
    struct connection *connection; /* NULL: it was closed meanwhile */
    struct transaction *begun;     /* of XS_TRANSACTION_START */
} under_way;

static void dispatch(void);

/* -- what is to be read -- */

/* Space for size bytes, of which reserve are kept; NULL: there is none. */
static char *room_get(struct connection *c, size_t size, size_t reserve)
{
    char *at;

    if (size + reserve > ROOM - (c->to - c->from))
        return NULL;
    if (size > ROOM - c->to) {
        memmove(c->room, c->room + c->from, c->to - c->from);
        c->to -= c->from;
        c->from = 0;
    }
    at = c->room + c->to;
    c->to += (uint32_t)size;
    file_wake(&c->wait, POLLIN | POLLRDNORM);
    return at;
}

/* The answer to c's request; there is room. It can write the next one. */
static void answer(struct connection *c, uint32_t type, const char *data,
                   uint32_t size)
{
    const struct xsd_sockmsg head = {.type = type,
                                     .req_id = c->head.req_id,
                                     .tx_id = c->head.tx_id,
                                     .len = size};
    char *to = room_get(c, HEAD_SIZE + size, 0);

    ASSERT(to != NULL);
    memcpy(to, &head, HEAD_SIZE);
    memcpy(to + HEAD_SIZE, data, size);
    c->state = FILLING;
    c->got = 0;
    c->watch = NULL;
    wait_wake(&c->wait, POLLOUT | POLLWRNORM, UINT32_MAX);
}

static void answer_error(struct connection *c, const char *name)
{
    answer(c, XS_ERROR, name, (uint32_t)strlen(name) + 1);
}

/* An event of a watch, at path. False: no room now. */
static bool tell(struct watch *watch, const char *path, size_t path_size)
{
    struct connection *c = watch->connection;
    const struct xsd_sockmsg head = {
        .type = XS_WATCH_EVENT, .len = (uint32_t)path_size + watch->token_size};
    char *to = room_get(c, HEAD_SIZE + head.len, ANSWER_MAX);

    if (to == NULL)
        return false;
    memcpy(to, &head, HEAD_SIZE);
    memcpy(to + HEAD_SIZE, path, path_size);
    memcpy(to + HEAD_SIZE + path_size, watch->text + watch->path_size,
           watch->token_size);
    return true;
}

static void miss(struct watch *watch)
{
    watch->missed = true;
    if (watch->connection)
        watch->connection->missed = true;
}

static void tell_missed(struct connection *c)
{
    c->missed = false;
    list_for_each (item, &c->watches) {
        struct watch *watch = container_of(item, struct watch, list);

        if (!watch->missed)
            continue;
        watch->missed = !tell(watch, watch->text, watch->path_size);
        c->missed = c->missed || watch->missed;
    }
}

/* -- watches and transactions -- */

static char *put_number(char *to, uint32_t number)
{
    return to + core_format(to, NUMBER_SIZE, "p%u", number) + 1;
}

/* The number behind the 'p'; 0 if it is none of ours. */
static uint32_t number_of(const char *token)
{
    uint64_t number = 0;

    if (*token++ != 'p' || *token == 0)
        return 0;
    for (; *token != 0; token++) {
        if (*token < '0' || *token > '9' || number > UINT32_MAX)
            return 0;
        number = number * 10 + (uint64_t)(*token - '0');
    }
    return number <= UINT32_MAX ? (uint32_t)number : 0;
}

static struct watch *watch_of_number(uint32_t number)
{
    list_for_each (item, &connections) {
        struct connection *c = container_of(item, struct connection, all);
        list_for_each (one, &c->watches) {
            struct watch *watch = container_of(one, struct watch, list);
            if (watch->number == number)
                return watch;
        }
    }
    return NULL;
}

static struct watch *watch_find(struct connection *c, const char *path,
                                const char *token)
{
    list_for_each (item, &c->watches) {
        struct watch *watch = container_of(item, struct watch, list);
        if (strcmp(watch->text, path) == 0 &&
            strcmp(watch->text + watch->path_size, token) == 0)
            return watch;
    }
    return NULL;
}

static void watch_free(struct watch *watch)
{
    if (!watch->registered)
        watches_forgotten--;
    list_remove(&watch->list);
    mem_pool_put(&watch_pool, watch);
}

static void watch_registered(struct watch *watch, bool is)
{
    if (watch->registered != is)
        watches_forgotten += is ? -1u : 1u;
    watch->registered = is;
}

static struct transaction *transaction_find(const struct connection *c,
                                            uint32_t id)
{
    list_for_each (item, &c->transactions) {
        struct transaction *t = container_of(item, struct transaction, list);
        if (t->id == id)
            return t;
    }
    return NULL;
}

static void transaction_free(struct transaction *t)
{
    list_remove(&t->list);
    mem_pool_put(&transaction_pool, t);
}

/* The answer to XS_TRANSACTION_START. What was begun for a connection that is
 * gone ends at once. */
static void transaction_begun(struct connection *c,
                              const struct base_xen_message *m)
{
    struct transaction *t = under_way.begun;
    const char *digit = m->data;
    uint64_t id = 0;

    under_way.begun = NULL;
    for (; *digit >= '0' && *digit <= '9' && id <= UINT32_MAX; digit++)
        id = id * 10 + (uint64_t)(*digit - '0');
    if (m->type == XS_ERROR || id == 0 || id > UINT32_MAX || *digit != 0) {
        mem_pool_put(&transaction_pool, t);
        return;
    }
    t->id = (uint32_t)id;
    list_append(c ? &c->transactions : &ended_transactions, &t->list);
}

/* -- requests of a connection -- */

/* The texts of a request: path and token, both with their 0 and no more. */
static bool watch_texts(struct connection *c, const char **token)
{
    size_t path_size;

    c->data[c->head.len] = 0;
    path_size = strlen(c->data) + 1;
    *token = c->data + path_size;
    return path_size > 1 && path_size < c->head.len &&
           path_size + strlen(*token) + 1 == c->head.len;
}

/* The daemon is told the watch's number in place of the token. */
static void watch_request_make(struct connection *c, struct watch *watch)
{
    c->watch = watch;
    memcpy(c->data, watch->text, watch->path_size);
    c->head.len =
        (uint32_t)(put_number(c->data + watch->path_size, watch->number) -
                   c->data);
}

/* The name of an error, or NULL: it can be sent. */
static const char *watch_begin(struct connection *c)
{
    struct watch *watch;
    const char *token;

    if (!watch_texts(c, &token))
        return "EINVAL";
    if (c->head.len > LIMIT_XEN_WATCH_SIZE)
        return "ENOSPC";
    watch = mem_pool_get(&watch_pool);
    if (!watch)
        return "ENOSPC";
    watch->connection = c;
    watch->number = ++watch_numbers;
    watch->path_size = (uint16_t)(token - c->data);
    watch->token_size = (uint16_t)(c->head.len - watch->path_size);
    watch->registered = true;
    memcpy(watch->text, c->data, c->head.len);
    list_append(&c->watches, &watch->list);
    watch_request_make(c, watch);
    return NULL;
}

static const char *watch_end(struct connection *c)
{
    const char *token;
    struct watch *watch;

    if (!watch_texts(c, &token))
        return "EINVAL";
    watch = watch_find(c, c->data, token);
    if (watch)
        watch_request_make(c, watch);
    return watch ? NULL : ""; /* which is well, to Linux */
}

static const char *transaction_check(struct connection *c)
{
    struct transaction *t;

    if (c->head.tx_id == 0)
        return c->head.type == XS_TRANSACTION_END ? "ENOENT" : NULL;
    t = transaction_find(c, c->head.tx_id);
    if (!t)
        return "ENOENT";
    if (!t->stale)
        return NULL;
    if (c->head.type == XS_TRANSACTION_END)
        transaction_free(t);
    return "EAGAIN";
}

/* The name of an error; "": nothing is to be done; NULL: it is to be sent. */
static const char *check(struct connection *c)
{
    switch (c->head.type) {
    case XS_WATCH:
        return watch_begin(c);
    case XS_UNWATCH:
        return watch_end(c);
    case XS_TRANSACTION_START:
        if (c->head.tx_id != 0)
            return "EBUSY";
        c->begun = mem_pool_get(&transaction_pool);
        return c->begun ? NULL : "ENOSPC";
    case XS_DIRECTORY:
    case XS_DIRECTORY_PART:
    case XS_READ:
    case XS_GET_PERMS:
    case XS_WRITE:
    case XS_MKDIR:
    case XS_RM:
    case XS_SET_PERMS:
    case XS_TRANSACTION_END:
    case XS_GET_DOMAIN_PATH:
    case XS_IS_DOMAIN_INTRODUCED:
        return transaction_check(c);
    default:
        return "ENOSYS";
    }
}

/* A whole request has been written. */
static void take_request(struct connection *c)
{
    const char *error = check(c);

    if (error) {
        if (*error == 0)
            answer(c, c->head.type, "OK", sizeof("OK"));
        else
            answer_error(c, error);
        return;
    }
    c->state = QUEUED;
    list_append(&queued, &c->queue);
    dispatch();
}

/* The daemon's answer to c's request. */
static void take_answer(struct connection *c, const struct base_xen_message *m)
{
    struct transaction *t;

    switch (c->head.type) {
    case XS_WATCH:
        if (m->type == XS_ERROR)
            watch_free(c->watch);
        break;
    case XS_UNWATCH:
        watch_free(c->watch);
        break;
    case XS_TRANSACTION_START:
        transaction_begun(c, m);
        break;
    case XS_TRANSACTION_END: /* EAGAIN ends it, too */
        t = transaction_find(c, c->head.tx_id);
        if (t)
            transaction_free(t);
        break;
    default:
        break;
    }
    answer(c, m->type, m->data, m->size);
}

/* A request that is not sent any more. */
static void request_drop(struct connection *c)
{
    if (c->head.type == XS_WATCH)
        watch_free(c->watch);
    if (c->begun)
        mem_pool_put(&transaction_pool, c->begun);
    c->begun = NULL;
}

/* -- what is sent -- */

static enum base_status send(uint32_t type, uint32_t transaction, char *data,
                             uint32_t size)
{
    const struct base_xen_message request = {
        .type = type, .transaction = transaction, .size = size, .data = data};

    return xen_base()->store_send(&request);
}

static struct watch *watch_forgotten(void)
{
    list_for_each (item, &connections) {
        struct connection *c = container_of(item, struct connection, all);
        list_for_each (one, &c->watches) {
            struct watch *watch = container_of(one, struct watch, list);
            if (!watch->registered)
                return watch;
        }
    }
    return NULL;
}

static enum base_status send_watch(uint32_t type, const struct watch *watch)
{
    char data[LIMIT_XEN_WATCH_SIZE + NUMBER_SIZE];

    memcpy(data, watch->text, watch->path_size);
    return send(
        type, 0, data,
        (uint32_t)(put_number(data + watch->path_size, watch->number) - data));
}

/* BASE_OK: something was sent; BASE_NODEV: there is nothing to do. */
static enum base_status caretaker_send(void)
{
    enum base_status status;

    if (!list_empty(&ended_transactions)) {
        struct transaction *t =
            container_of(ended_transactions.next, struct transaction, list);
        char no[] = "F";
        status = send(XS_TRANSACTION_END, t->id, no, sizeof(no));
        if (status != BASE_AGAIN)
            transaction_free(t);
        return status;
    }
    if (!list_empty(&ended_watches)) {
        struct watch *watch =
            container_of(ended_watches.next, struct watch, list);
        status = send_watch(XS_UNWATCH, watch);
        if (status != BASE_AGAIN)
            watch_free(watch);
        return status;
    }
    if (watches_forgotten > 0) {
        struct watch *watch = watch_forgotten();
        ASSERT(watch != NULL);
        status = send_watch(XS_WATCH, watch);
        if (status != BASE_AGAIN)
            watch_registered(watch, true);
        return status;
    }
    return BASE_NODEV;
}

/* Sends what is next, if nothing is under way. */
static void dispatch(void)
{
    while (under_way.whose == NOBODY) {
        enum base_status status;
        struct connection *c;

        if (!list_empty(&ended_transactions) || !list_empty(&ended_watches) ||
            watches_forgotten > 0) {
            status = caretaker_send();
            if (status == BASE_AGAIN)
                return; /* something is to be received first */
            if (status == BASE_OK)
                under_way.whose = CARETAKER;
            continue;
        }
        if (list_empty(&queued))
            return;
        c = container_of(queued.next, struct connection, queue);
        status = send(c->head.type, c->head.tx_id, c->data, c->head.len);
        if (status == BASE_AGAIN)
            return;
        list_remove(&c->queue);
        if (status == BASE_OK) {
            c->state = SENT;
            under_way.whose = CONNECTION;
            under_way.connection = c;
            under_way.begun = c->begun;
            c->begun = NULL;
            continue;
        }
        request_drop(c);
        answer_error(c, status == BASE_NODEV ? "ENOSYS" : "EIO");
    }
}

/* -- what comes -- */

static void take_event(const struct base_xen_message *m)
{
    size_t path_size = strnlen(m->data, m->size) + 1;
    struct watch *watch;
    uint32_t number;

    if (path_size >= m->size || m->data[m->size - 1] != 0)
        return;
    number = number_of(m->data + path_size);
    watch = number != 0 ? watch_of_number(number) : NULL;
    if (!watch)
        return;
    if (watch->missed || /* the order stays */
        path_size + watch->token_size > BASE_XEN_PAYLOAD_MAX ||
        !tell(watch, m->data, path_size))
        miss(watch);
}

static void take_missed(void)
{
    list_for_each (item, &connections) {
        struct connection *c = container_of(item, struct connection, all);
        list_for_each (one, &c->watches)
            miss(container_of(one, struct watch, list));
        tell_missed(c);
    }
}

static void forget(struct list *transactions)
{
    list_for_each (item, transactions)
        container_of(item, struct transaction, list)->stale = true;
}

/* The daemon knows nothing of us any more. */
static void begin_anew(void)
{
    struct connection *c =
        under_way.whose == CONNECTION ? under_way.connection : NULL;

    under_way.whose = NOBODY;
    if (c) /* it is sent again */
        c->begun = under_way.begun;
    else if (under_way.begun)
        mem_pool_put(&transaction_pool, under_way.begun);
    under_way.begun = NULL;
    list_for_each (item, &ended_transactions)
        transaction_free(container_of(item, struct transaction, list));
    list_for_each (item, &ended_watches)
        watch_free(container_of(item, struct watch, list));
    list_for_each (item, &connections) {
        struct connection *one = container_of(item, struct connection, all);

        forget(&one->transactions);
        list_for_each (entry, &one->watches)
            watch_registered(container_of(entry, struct watch, list), false);
        if (one->watch) /* its own request registers it, or ends it */
            watch_registered(one->watch, true);
        /* What waits in a transaction waits for nothing. */
        if (one->state == QUEUED && one->head.tx_id != 0) {
            list_remove(&one->queue);
            answer_error(one, transaction_check(one));
        }
    }
    if (!c)
        return;
    if (c->head.tx_id != 0) {
        answer_error(c, transaction_check(c));
        return;
    }
    c->state = QUEUED;
    list_prepend(&queued, &c->queue);
}

void xen_store_ready(void)
{
    struct base_xen_message m = {.data = inbox};
    enum base_xen_store kind;

    if (!inbox)
        return; /* only other files are open */
    while ((kind = xen_base()->store_receive(&m)) != BASE_XEN_STORE_NOTHING) {
        m.data[m.size] = 0;
        switch (kind) {
        case BASE_XEN_STORE_ANSWER:
            if (under_way.whose == CONNECTION && under_way.connection)
                take_answer(under_way.connection, &m);
            else if (under_way.begun)
                transaction_begun(NULL, &m);
            under_way.whose = NOBODY;
            break;
        case BASE_XEN_STORE_EVENT:
            take_event(&m);
            break;
        case BASE_XEN_STORE_MISSED:
            take_missed();
            break;
        case BASE_XEN_STORE_ANEW:
            begin_anew();
            break;
        case BASE_XEN_STORE_NOTHING:
            break;
        }
        dispatch();
    }
}

/* -- calls -- */

static long store_readv(struct file *file, const struct iovec *iov, int count,
                        off_t *offset)
{
    struct connection *c = file->private;
    size_t size = file_iov_total(iov, count);

    if (size == 0)
        return 0;
    while (c->from == c->to) {
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_on(&c->wait, UINT64_MAX, true) == -EINTR)
            return -CORE_RESTART;
    }
    if (size > c->to - c->from)
        size = c->to - c->from;
    if (file_copy_out(iov, count, 0, c->room + c->from, size) != 0)
        return -EFAULT;
    c->from += (uint32_t)size;
    if (c->from == c->to)
        c->from = c->to = 0;
    if (c->missed)
        tell_missed(c);
    wait_wake(&c->wait, POLLOUT | POLLWRNORM, UINT32_MAX);
    return (long)size;
}

/* Whether a request can be written: the last one was answered, and there is
 * room for this one's answer. */
static bool takes_more(const struct connection *c)
{
    return c->state == FILLING && ROOM - (c->to - c->from) >= ANSWER_MAX;
}

/* Takes the next piece of a request: bytes, or -errno. */
static long fill(struct connection *c, const struct iovec *iov, int count,
                 size_t done, size_t size)
{
    size_t want = c->got < HEAD_SIZE ? HEAD_SIZE - c->got
                                     : HEAD_SIZE + c->head.len - c->got;
    char *to = c->got < HEAD_SIZE ? (char *)&c->head + c->got
                                  : c->data + (c->got - HEAD_SIZE);

    if (size > want)
        size = want;
    if (file_copy_in(to, iov, count, done, size) != 0)
        return -EFAULT;
    c->got += (uint32_t)size;
    if (c->got == HEAD_SIZE && c->head.len > BASE_XEN_PAYLOAD_MAX) {
        c->got = 0;
        return -E2BIG;
    }
    if (c->got >= HEAD_SIZE && c->got == HEAD_SIZE + c->head.len)
        take_request(c);
    return (long)size;
}

static long store_writev(struct file *file, const struct iovec *iov, int count,
                         off_t *offset)
{
    struct connection *c = file->private;
    size_t total = file_iov_total(iov, count), done = 0;

    while (done < total) {
        long size;

        while (!takes_more(c)) {
            if (done > 0)
                return (long)done;
            if (file->flags & O_NONBLOCK)
                return -EAGAIN;
            if (wait_on(&c->wait, UINT64_MAX, true) == -EINTR)
                return -CORE_RESTART;
        }
        size = fill(c, iov, count, done, total - done);
        if (size < 0)
            return done > 0 ? (long)done : size;
        done += (size_t)size;
    }
    return (long)total;
}

static uint32_t store_poll(struct file *file, struct file_poller *poller)
{
    struct connection *c = file->private;

    file_poll_wait(poller, &c->wait);
    return (c->from != c->to ? POLLIN | POLLRDNORM : 0) |
           (takes_more(c) ? POLLOUT | POLLWRNORM : 0);
}

static void store_release(struct file *file)
{
    struct connection *c = file->private;

    if (c->state == QUEUED) {
        list_remove(&c->queue);
        request_drop(c);
    }
    if (under_way.whose == CONNECTION && under_way.connection == c)
        under_way.connection = NULL;
    list_for_each (item, &c->transactions) {
        struct transaction *t = container_of(item, struct transaction, list);

        list_remove(&t->list);
        if (t->stale)
            mem_pool_put(&transaction_pool, t);
        else
            list_append(&ended_transactions, &t->list);
    }
    list_for_each (item, &c->watches) {
        struct watch *watch = container_of(item, struct watch, list);

        watch->connection = NULL;
        if (!watch->registered) {
            watch_free(watch);
            continue;
        }
        list_remove(&watch->list);
        list_append(&ended_watches, &watch->list);
    }
    list_remove(&c->all);
    mem_pages_put(MEM_CORE, c, CONNECTION_PAGES);
    dispatch();
}

static const struct file_ops store_ops = {
    .name = "/dev/xen/xenbus",
    .readv = store_readv,
    .writev = store_writev,
    .poll = store_poll,
    .stat = node_file_stat,
    .release = store_release,
};

struct file *xen_store_open(int flags, int *error)
{
    struct connection *c;
    struct file *file;

    *error = -ENOMEM;
    if (!inbox)
        inbox = mem_pages_get(MEM_CORE, INBOX_PAGES);
    c = inbox ? mem_pages_get(MEM_CORE, CONNECTION_PAGES) : NULL;
    if (!c)
        return NULL;
    file = file_new(&store_ops, flags, c);
    if (!file) {
        *error = file_new_error();
        mem_pages_put(MEM_CORE, c, CONNECTION_PAGES);
        return NULL;
    }
    list_init(&c->watches);
    list_init(&c->transactions);
    list_init(&c->queue);
    wait_queue_init(&c->wait);
    list_append(&connections, &c->all);
    xen_store_ready(); /* nobody has listened before the first */
    return file;
}
