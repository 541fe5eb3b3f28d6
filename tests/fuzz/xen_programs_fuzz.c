/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * core/xen/store.c between a program that writes what it likes into several
 * connections and a base that gives back what it likes: answers and events of
 * any content, lost ones, beginnings anew. What is read is always whole
 * messages of the protocol, and when all is closed nothing is left.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/xen/store.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILES 3

static const uint8_t *input, *input_end;
static size_t pages_out;

static uint8_t next(void)
{
    return input < input_end ? *input++ : 0;
}

/* -- what it stands on -- */

void core_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, condition);
    abort();
}

void *mem_pages_get(enum mem_account account, size_t count)
{
    pages_out += count;
    return calloc(count, LIMIT_PAGE_SIZE);
}

void mem_pages_put(enum mem_account account, void *pages, size_t count)
{
    pages_out -= count;
    free(pages);
}

void *mem_pool_get(struct mem_pool *pool)
{
    if (pool->count == pool->count_max || next() == 255)
        return NULL;
    pool->count++;
    return calloc(1, pool->object_size);
}

void mem_pool_put(struct mem_pool *pool, void *object)
{
    pool->count--;
    free(object);
}

int core_copy_in(void *to, const void *user_from, size_t size)
{
    memcpy(to, user_from, size);
    return 0;
}

int core_copy_out(void *user_to, const void *from, size_t size)
{
    memcpy(user_to, from, size);
    return 0;
}

int core_format(char *out, size_t size, const char *format, ...)
{
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(out, size, format, arguments);
    va_end(arguments);
    return length;
}

int file_iov_copy_out(const struct iovec *iov, int count, size_t skip,
                      const void *from, size_t size)
{
    abort();
}

int file_iov_copy_in(void *to, const struct iovec *iov, int count, size_t skip,
                     size_t size)
{
    abort();
}

size_t file_iov_total_many(const struct iovec *iov, int count)
{
    abort();
}

int node_file_stat(struct file *file, struct stat *out)
{
    return 0;
}

struct file *file_new(const struct file_ops *ops, int flags, void *private)
{
    struct file *file = calloc(1, sizeof(*file));

    file->ops = ops;
    file->flags = flags;
    file->private = private;
    return file;
}

int file_new_error(void)
{
    return -ENOMEM;
}

void file_poll_wait(struct file_poller *poller, struct wait_queue *queue)
{
}

void wait_queue_init(struct wait_queue *queue)
{
    list_init(&queue->entries);
}

void wait_wake(struct wait_queue *queue, uint32_t events, unsigned count)
{
}

int wait_on(struct wait_queue *queue, uint64_t deadline_ns, bool interruptible)
{
    abort(); /* all files are O_NONBLOCK */
}

/* -- the base -- */

static bool waiting, anew;

static enum base_status fuzz_send(const struct base_xen_message *request)
{
    if (request->size > BASE_XEN_PAYLOAD_MAX)
        abort();
    if (waiting || anew)
        return BASE_AGAIN;
    if (next() % 16 == 15)
        return BASE_IO;
    waiting = true;
    return BASE_OK;
}

/* Fills a message: with a number that may be a watch's, or anything. */
static void content(struct base_xen_message *out)
{
    out->size = next() % 8 == 7 ? BASE_XEN_PAYLOAD_MAX : next();
    for (uint32_t i = 0; i < out->size; i++)
        out->data[i] = (char)next();
    if (next() % 2)
        out->size =
            (uint32_t)sprintf(out->data, "path%cp%u", 0, next() % 8) + 1;
    else if (next() % 2)
        out->size = (uint32_t)sprintf(out->data, "%u", next()) + 1;
}

static enum base_xen_store fuzz_receive(struct base_xen_message *out)
{
    if (anew) {
        anew = waiting = false;
        return BASE_XEN_STORE_ANEW;
    }
    switch (next() % 8) {
    case 1:
    case 2:
    case 3:
        if (!waiting)
            break;
        waiting = false;
        content(out);
        out->type = next() % 4 ? XS_READ : XS_ERROR;
        return BASE_XEN_STORE_ANSWER;
    case 4:
    case 5:
        content(out);
        return BASE_XEN_STORE_EVENT;
    case 6:
        return BASE_XEN_STORE_MISSED;
    case 7:
        if (next() % 4)
            break;
        waiting = false;
        return BASE_XEN_STORE_ANEW;
    }
    return BASE_XEN_STORE_NOTHING;
}

static const struct base_xen xen = {.store_send = fuzz_send,
                                    .store_receive = fuzz_receive};

const struct base_xen *xen_base(void)
{
    return &xen;
}

/* -- the program -- */

static struct file *files[FILES];

static void program_write(struct file *file)
{
    char bytes[sizeof(struct xsd_sockmsg) + 256];
    struct xsd_sockmsg head = {.type = next() % (XS_TYPE_COUNT + 1),
                               .req_id = next(),
                               .tx_id = next() % 4 ? 0 : next(),
                               .len = next() % 64};
    size_t size = sizeof(head) + head.len;
    struct iovec iov = {bytes, size};

    if (next() % 32 == 31)
        head.len <<= next() % 16;
    memcpy(bytes, &head, sizeof(head));
    for (size_t i = sizeof(head); i < size; i++)
        bytes[i] = (char)next();
    if (head.type == XS_WATCH || head.type == XS_UNWATCH) {
        bytes[sizeof(head)] = 'a';
        memset(bytes + sizeof(head) + 1, 0, size - sizeof(head));
        if (size > sizeof(head) + 3)
            bytes[size - 2] = (char)('a' + next() % 4);
    }
    file->ops->writev(file, &iov, 1, NULL);
}

/* Reads all; it must be whole messages. */
static void program_read(struct file *file)
{
    struct xsd_sockmsg head;
    char body[BASE_XEN_PAYLOAD_MAX];
    struct iovec iov = {&head, sizeof(head)};
    long size = file->ops->readv(file, &iov, 1, NULL);

    if (size == -EAGAIN)
        return;
    if (size != sizeof(head) || head.len > sizeof(body))
        abort();
    iov = (struct iovec){body, head.len};
    if (head.len > 0 && file->ops->readv(file, &iov, 1, NULL) != head.len)
        abort();
}

static void file_end(struct file **file)
{
    if (*file == NULL)
        return;
    (*file)->ops->release(*file);
    free(*file);
    *file = NULL;
}

static void step(void)
{
    struct file **file = &files[next() % FILES];
    int error;

    if (*file == NULL)
        *file = xen_store_open(O_RDWR | O_NONBLOCK, &error);
    switch (next() % 8) {
    case 0:
    case 1:
    case 2:
        program_write(*file);
        break;
    case 3:
    case 4:
        program_read(*file);
        break;
    case 5:
    case 6:
        xen_store_ready();
        break;
    case 7:
        if (next() % 4 == 0)
            file_end(file);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = data;
    input_end = data + size;
    while (input < input_end)
        step();
    for (unsigned i = 0; i < FILES; i++)
        file_end(&files[i]);
    anew = true; /* so that nothing is left to be sent */
    xen_store_ready();
    if (watch_pool.count != 0 || transaction_pool.count != 0 ||
        watches_forgotten != 0 || under_way.whose != NOBODY ||
        pages_out != (inbox ? INBOX_PAGES : 0))
        abort();
    return 0;
}
