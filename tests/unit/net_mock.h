/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What core/net stands on, in software: pages from malloc and counted, a clock
 * that moves only when told, timers in a list, a small descriptor table, and a
 * network device whose other end is the test. Nothing blocks: wait_on() moves
 * the clock from timer to timer until its queue is woken or time is up.
 *
 * Included by one file of a test program, which links core/net/[a-z]*.c and
 * the files of third_party/lwip/lwip.mk. With -Wl,--wrap=net_alloc and
 * -Wl,--wrap=net_free buffers and sockets come from malloc, where
 * AddressSanitizer watches them; control blocks stay with the real allocator.
 */
#ifndef HALVM_UNIT_NET_MOCK_H
#define HALVM_UNIT_NET_MOCK_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "check.h"
#include "core/calls.h"
#include "core/core.h"
#include "core/file/file.h"
#include "core/mem/mem.h"
#include "core/net/net.h"
#include "core/random/random.h"
#include "core/thread/thread.h"
#include "core/time/time.h"

/* -- core -- */

volatile uint8_t core_locked = 1, core_attention;
void (*core_net_ready)(void);
void (*file_resolver_hook)(void);
struct thread *thread_current;

void core_assert_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: ASSERT(%s)\n", file, line, condition);
    abort();
}

void core_log(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
}

int core_format(char *out, size_t size, const char *format, ...)
{
    va_list args;
    int result;

    va_start(args, format);
    result = vsnprintf(out, size, format, args);
    va_end(args);
    return result;
}

int core_copy_in(void *to, const void *from, size_t size)
{
    if ((uintptr_t)from < 4096 && size)
        return -EFAULT;
    memcpy(to, from, size);
    return 0;
}

int core_copy_out(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to < 4096 && size)
        return -EFAULT;
    memcpy(to, from, size);
    return 0;
}

static const char *mock_options[16][2];

const char *core_option(const char *name)
{
    for (unsigned i = 0; i < 16 && mock_options[i][0]; i++) {
        if (strcmp(mock_options[i][0], name) == 0)
            return mock_options[i][1];
    }
    return NULL;
}

long core_leave_slow(long result)
{
    core_attention = 0;
    return result;
}

/* -- random numbers that repeat -- */

static uint64_t mock_random_state = 88172645463325252ull;

int random_bytes(void *data, size_t size)
{
    unsigned char *at = data;

    while (size--) {
        mock_random_state ^= mock_random_state << 13;
        mock_random_state ^= mock_random_state >> 7;
        mock_random_state ^= mock_random_state << 17;
        *at++ = (unsigned char)(mock_random_state >> 32);
    }
    return 0;
}

/* -- memory -- */

static uint64_t mock_memory_bytes = 64u << 20;
static size_t mock_pages;

uint64_t mem_total_bytes(void)
{
    return mock_memory_bytes;
}

bool (*mem_spare_give)(void);
void *mem_pages_get(enum mem_account account, size_t count)
{
    void *pages = aligned_alloc(4096, count * 4096);

    memset(pages, 0, count * 4096);
    mock_pages += count;
    return pages;
}

void mem_pages_put(enum mem_account account, void *pages, size_t count)
{
    mock_pages -= count;
    free(pages);
}

static size_t mock_objects;
static bool mock_alloc_fails;
void *__wrap_net_alloc(size_t size);
void __wrap_net_free(void *object);

void *__wrap_net_alloc(size_t size)
{
    if (mock_alloc_fails)
        return NULL;
    mock_objects++;
    return malloc(size);
}

void __wrap_net_free(void *object)
{
    mock_objects--;
    free(object);
}

/* -- time -- */

static uint64_t mock_now_ns = 1000000000;
static struct time_timer *mock_timers[64];

uint64_t time_now_ns(void)
{
    return mock_now_ns;
}

uint64_t time_wall_ns(void)
{
    return mock_now_ns + 1700000000ull * TIME_SECOND;
}

uint64_t time_deadline(uint64_t duration)
{
    return mock_now_ns + duration < mock_now_ns ? TIME_NEVER
                                                : mock_now_ns + duration;
}

int time_timer_reserve(int count)
{
    return 0;
}

void time_timer_cancel(struct time_timer *timer)
{
    if (timer->heap_index)
        mock_timers[timer->heap_index] = NULL;
    timer->heap_index = 0;
}

void time_timer_set(struct time_timer *timer, uint64_t deadline_ns)
{
    uint32_t i = timer->heap_index ? timer->heap_index : 1;

    while (mock_timers[i] && mock_timers[i] != timer)
        i++;
    mock_timers[i] = timer;
    timer->heap_index = i;
    timer->deadline_ns = deadline_ns;
}

static struct time_timer *mock_timer_next(void)
{
    struct time_timer *next = NULL;

    for (unsigned i = 1; i < 64; i++) {
        if (mock_timers[i] &&
            (!next || mock_timers[i]->deadline_ns < next->deadline_ns))
            next = mock_timers[i];
    }
    return next;
}

/* Moves the clock on, firing what is due; returns how many timers fired. */
static unsigned mock_run_until(uint64_t end_ns)
{
    struct time_timer *timer;
    unsigned fired = 0;

    while ((timer = mock_timer_next()) && timer->deadline_ns <= end_ns) {
        if (timer->deadline_ns > mock_now_ns)
            mock_now_ns = timer->deadline_ns;
        time_timer_cancel(timer);
        timer->fire(timer);
        fired++;
    }
    if (end_ns > mock_now_ns)
        mock_now_ns = end_ns;
    return fired;
}

static unsigned mock_run_ms(uint64_t ms)
{
    return mock_run_until(mock_now_ns + ms * 1000000);
}

/* -- waiting -- */

static unsigned mock_wakes;
/* Called while a wait goes on, in place of the other threads. */
static void (*mock_others)(void);

void wait_queue_init(struct wait_queue *queue)
{
    list_init(&queue->entries);
}

void wait_wake(struct wait_queue *queue, uint32_t events, unsigned count)
{
    mock_wakes++;
}

int wait_on(struct wait_queue *queue, uint64_t deadline_ns, bool interruptible)
{
    unsigned wakes = mock_wakes;

    if (mock_others)
        mock_others();
    while (mock_wakes == wakes) {
        struct time_timer *timer = mock_timer_next();
        uint64_t next = timer ? timer->deadline_ns : TIME_NEVER;

        if (next > deadline_ns || next == TIME_NEVER) {
            CHECK(deadline_ns != TIME_NEVER); /* would never end */
            mock_run_until(deadline_ns);
            return -ETIMEDOUT;
        }
        mock_run_until(next);
    }
    return 0;
}

static unsigned mock_sigpipes;

int signal_send_thread(struct thread *thread, int signal, const siginfo_t *info)
{
    CHECK(signal == SIGPIPE);
    mock_sigpipes++;
    return 0;
}

/* -- files -- */

static struct file *mock_files[40000];
static unsigned mock_file_count;
static char mock_resolv[1024];

struct file *file_new(const struct file_ops *ops, int flags, void *private)
{
    struct file *file = calloc(1, sizeof(*file));

    file->ops = ops;
    file->flags = flags;
    file->private = private;
    file->references = 1;
    mock_file_count++;
    return file;
}

int file_new_error(void)
{
    return -ENOMEM;
}

struct file *file_ref(struct file *file)
{
    file->references++;
    return file;
}

void file_put(struct file *file)
{
    if (--file->references > 0)
        return;
    file->ops->release(file);
    mock_file_count--;
    free(file);
}

struct file *file_get(int fd)
{
    return fd >= 0 && fd < 40000 && mock_files[fd] ? file_ref(mock_files[fd])
                                                   : NULL;
}

int file_install(struct file *file, int lowest, int flags)
{
    while (mock_files[lowest])
        lowest++;
    mock_files[lowest] = file;
    return lowest;
}

long core_close(long fd)
{
    struct file *file = mock_files[fd];

    CHECK(file);
    mock_files[fd] = NULL;
    file_put(file);
    return 0;
}

long core_getpid(void)
{
    return 1;
}

int file_close(int fd)
{
    return (int)core_close(fd);
}

void file_poll_wait(struct file_poller *poller, struct wait_queue *queue)
{
}

int file_provide(const char *path, const void *data, size_t size)
{
    CHECK(strcmp(path, "/etc/resolv.conf") == 0);
    CHECK(size < sizeof(mock_resolv));
    memcpy(mock_resolv, data, size);
    mock_resolv[size] = '\0';
    return 0;
}

int file_iov_copy_out(const struct iovec *iov, int count, size_t skip,
                      const void *from, size_t size)
{
    for (int i = 0; i < count && size; i++) {
        size_t part = iov[i].iov_len;

        if (skip >= part) {
            skip -= part;
            continue;
        }
        part = part - skip < size ? part - skip : size;
        if (core_copy_out((char *)iov[i].iov_base + skip, from, part) != 0)
            return -EFAULT;
        from = (const char *)from + part;
        size -= part;
        skip = 0;
    }
    return size ? -EFAULT : 0;
}

int file_iov_copy_in(void *to, const struct iovec *iov, int count, size_t skip,
                     size_t size)
{
    for (int i = 0; i < count && size; i++) {
        size_t part = iov[i].iov_len;

        if (skip >= part) {
            skip -= part;
            continue;
        }
        part = part - skip < size ? part - skip : size;
        if (core_copy_in(to, (char *)iov[i].iov_base + skip, part) != 0)
            return -EFAULT;
        to = (char *)to + part;
        size -= part;
        skip = 0;
    }
    return size ? -EFAULT : 0;
}

/* -- the device: what it sent is kept for the test, what it receives is what
 * the test put there -- */

#define MOCK_FRAMES       4096
#define MOCK_CUT_SIZE_MAX 34816 /* netfront's */
struct mock_frame {
    unsigned size, flags, header_size, cut_size;
    unsigned char data[];
};
static bool mock_nic;
static uint32_t mock_nic_features;
static uint32_t mock_arriving_flags; /* BASE_NET_* of what net_recv gives */
static struct mock_frame *mock_sent[MOCK_FRAMES], *mock_arriving[MOCK_FRAMES];
static unsigned mock_sent_count, mock_arriving_count;
static unsigned mock_send_room = ~0u;

void base_uses_net(void)
{
}

static enum base_status mock_dev_get(enum base_device_kind kind, unsigned index,
                                     struct base_device *out)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};

    if (!mock_nic || kind != BASE_DEVICE_NET || index > 0)
        return BASE_NODEV;
    memset(out, 0, sizeof(*out));
    memcpy(out->mac, mac, 6);
    out->mtu = 1500;
    out->features = mock_nic_features;
    out->cut_size_max = MOCK_CUT_SIZE_MAX;
    return BASE_OK;
}

static void mock_frame_put(struct mock_frame **queue, unsigned *count,
                           const void *data, unsigned size)
{
    struct mock_frame *frame = calloc(1, sizeof(*frame) + size);

    CHECK(*count < MOCK_FRAMES && size <= LIMIT_FRAME_LARGE);
    frame->size = size;
    memcpy(frame->data, data, size);
    queue[(*count)++] = frame;
}

static struct mock_frame *mock_frame_take(struct mock_frame **queue,
                                          unsigned *count)
{
    struct mock_frame *frame;

    if (*count == 0)
        return NULL;
    frame = queue[0];
    memmove(queue, queue + 1, --*count * sizeof(*queue));
    return frame;
}

static unsigned mock_net_send(unsigned index,
                              const struct base_net_frame *frames,
                              unsigned count)
{
    static unsigned char whole[LIMIT_FRAME_LARGE];
    unsigned done = 0;

    while (done < count && mock_send_room > 0) {
        const struct base_net_frame *first = &frames[done];
        unsigned size = 0;
        bool more;

        if ((first->flags & BASE_NET_CUT) &&
            !(mock_nic_features & (BASE_NET_TX_TCP4 | BASE_NET_TX_TCP6)))
            break;
        do {
            more = frames[done].flags & BASE_NET_MORE;
            CHECK(!more || done + 1 < count);
            CHECK(size + frames[done].size <= LIMIT_FRAME_LARGE);
            memcpy(whole + size, frames[done].data, frames[done].size);
            size += frames[done++].size;
        } while (more);
        CHECK(first->flags & BASE_NET_CUT ? size <= MOCK_CUT_SIZE_MAX
                                          : size <= LIMIT_FRAME_SIZE);
        mock_frame_put(mock_sent, &mock_sent_count, whole, size);
        mock_sent[mock_sent_count - 1]->flags = first->flags;
        mock_sent[mock_sent_count - 1]->header_size = first->header_size;
        mock_sent[mock_sent_count - 1]->cut_size = first->cut_size;
        mock_send_room--;
    }
    return done;
}

/* How many of the rooms a frame takes; more than count: they are too few. */
static unsigned mock_rooms(const struct base_net_frame *rooms, unsigned count,
                           unsigned size)
{
    unsigned needed = 0;

    while (size > 0 && needed < count) {
        CHECK(rooms[needed].size >= LIMIT_FRAME_SIZE);
        size -= size < rooms[needed].size ? size : rooms[needed].size;
        needed++;
    }
    return size > 0 ? count + 1 : needed;
}

static unsigned mock_net_recv(unsigned index, struct base_net_frame *frames,
                              unsigned count)
{
    unsigned done = 0;

    while (done < count) {
        struct mock_frame *frame = mock_arriving[0];
        unsigned rooms, at = 0;

        if (mock_arriving_count == 0)
            break;
        rooms = mock_rooms(frames + done, count - done, frame->size);
        if (rooms > count - done && done > 0)
            break;
        frame = mock_frame_take(mock_arriving, &mock_arriving_count);
        for (; at < frame->size && rooms <= count; done++) {
            unsigned part = frame->size - at;

            if (part > frames[done].size)
                part = frames[done].size;
            memcpy(frames[done].data, frame->data + at, part);
            frames[done].size = part;
            frames[done].flags =
                at == 0 ? frame->flags | mock_arriving_flags : 0;
            at += part;
            if (at < frame->size)
                frames[done].flags |= BASE_NET_MORE;
        }
        free(frame);
    }
    return done;
}

static const struct base mock_base = {.version = BASE_VERSION,
                                      .name = "mock",
                                      .dev_get = mock_dev_get,
                                      .net_send = mock_net_send,
                                      .net_recv = mock_net_recv};
const struct base *core_base = &mock_base;
const struct base_info *core_info;

/* -- the calls, as core/file makes them -- */

static const struct socket_ops *mock_ops(int fd)
{
    CHECK(mock_files[fd]);
    return mock_files[fd]->ops->socket;
}

static inline int s_socket(int domain, int type)
{
    return (int)core_socket(domain, type, 0);
}

static inline int s_bind(int fd, const void *address, unsigned size)
{
    return mock_ops(fd)->bind(mock_files[fd], address, size);
}

static inline int s_connect(int fd, const void *address, unsigned size)
{
    return mock_ops(fd)->connect(mock_files[fd], address, size);
}

static inline int s_listen(int fd, int backlog)
{
    return mock_ops(fd)->listen(mock_files[fd], backlog);
}

static inline int s_accept(int fd, int flags)
{
    int error = 0;
    struct file *file = mock_ops(fd)->accept(mock_files[fd], flags, &error);

    return file ? file_install(file, 0, 0) : error;
}

static inline int s_getsockname(int fd, void *address)
{
    return mock_ops(fd)->getsockname(mock_files[fd], address);
}

static inline int s_getpeername(int fd, void *address)
{
    return mock_ops(fd)->getpeername(mock_files[fd], address);
}

static inline int s_shutdown(int fd, int how)
{
    return mock_ops(fd)->shutdown(mock_files[fd], how);
}

static inline int s_set(int fd, int level, int name, int value)
{
    return mock_ops(fd)->setsockopt(mock_files[fd], level, name, &value,
                                    sizeof(value));
}

static inline int s_get(int fd, int level, int name)
{
    unsigned size = sizeof(int);
    int value = -1, result;

    result =
        mock_ops(fd)->getsockopt(mock_files[fd], level, name, &value, &size);
    return result < 0 ? result : value;
}

static inline long s_send(int fd, const void *data, size_t size, int flags)
{
    struct iovec iov = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    return mock_ops(fd)->sendmsg(mock_files[fd], &message, flags);
}

static inline long s_recv(int fd, void *data, size_t size, int flags)
{
    struct iovec iov = {data, size};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    return mock_ops(fd)->recvmsg(mock_files[fd], &message, flags);
}

static inline long s_sendto(int fd, const void *data, size_t size, int flags,
                            const void *address, unsigned address_size)
{
    struct iovec iov = {(void *)(uintptr_t)data, size};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_name = (void *)(uintptr_t)address,
                             .msg_namelen = address_size};

    return mock_ops(fd)->sendmsg(mock_files[fd], &message, flags);
}

static inline long s_recvfrom(int fd, void *data, size_t size, int flags,
                              void *address)
{
    struct iovec iov = {data, size};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_name = address,
                             .msg_namelen = sizeof(struct sockaddr_storage)};

    return mock_ops(fd)->recvmsg(mock_files[fd], &message, flags);
}

static inline uint32_t s_poll(int fd)
{
    return mock_files[fd]->ops->poll(mock_files[fd], NULL);
}

static inline void s_nonblock(int fd)
{
    mock_files[fd]->flags |= O_NONBLOCK;
}

static inline void s_close(int fd)
{
    core_close(fd);
}

#endif
