/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * poll, ppoll, select and pselect6.
 *
 * One look at every descriptor registers on its queues and asks what holds,
 * until one is found ready; from there on it only asks. Then, if nothing
 * holds, the thread sleeps and looks again. Up to FIXED descriptors and
 * queues live on the stack; more get pages.
 *
 * select is made of the same: its sets become poll's array. Monitor held.
 */
#include <sys/select.h>

#include "core/calls.h"
#include "core/file/table.h"
#include "core/mem/mem.h"
#include "core/signal/signal.h"
#include "core/time/time.h"

#define FIXED 8

struct poll_page {
    struct poll_page *next;
    struct wait_entry entries[];
};
#define PAGE_ENTRIES                                                           \
    ((LIMIT_PAGE_SIZE - sizeof(struct poll_page)) / sizeof(struct wait_entry))

/* The registrations of one call. */
struct poll_table {
    struct file_poller poller;
    struct wait_entry fixed[FIXED];
    uint32_t fixed_used;
    uint32_t page_used; /* of the first page */
    struct poll_page *pages;
    bool failed; /* no memory */
};

/* What one call asks about. */
struct poll_set {
    struct pollfd *fds;
    struct file **files; /* with a reference; NULL where there is none */
    unsigned count;
    void *pages; /* NULL: fds and files are the fixed ones */
    struct pollfd fds_fixed[FIXED];
    struct file *files_fixed[FIXED];
};

void file_poll_wait(struct file_poller *poller, struct wait_queue *queue)
{
    if (poller)
        poller->add(poller, queue);
}

uint32_t file_poll_now(struct file *file)
{
    if (!file->ops->poll)
        return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
    return file->ops->poll(file, NULL);
}

static void table_add(struct file_poller *poller, struct wait_queue *queue)
{
    struct poll_table *table = container_of(poller, struct poll_table, poller);
    struct wait_entry *entry;

    if (table->fixed_used < FIXED) {
        entry = &table->fixed[table->fixed_used++];
    } else {
        if (!table->pages || table->page_used == PAGE_ENTRIES) {
            struct poll_page *page = mem_pages_get(MEM_CORE, 1);
            if (!page) {
                table->failed = true;
                return;
            }
            page->next = table->pages;
            table->pages = page;
            table->page_used = 0;
        }
        entry = &table->pages->entries[table->page_used++];
    }
    entry->thread = thread_current;
    entry->wake = NULL;
    entry->exclusive = false;
    wait_add(queue, entry);
}

static void table_release(struct poll_table *table)
{
    for (uint32_t i = 0; i < table->fixed_used; i++)
        wait_remove(&table->fixed[i]);
    while (table->pages) {
        struct poll_page *page = table->pages;
        for (uint32_t i = 0; i < table->page_used; i++)
            wait_remove(&page->entries[i]);
        /* Pages before the newest are full. */
        table->page_used = PAGE_ENTRIES;
        table->pages = page->next;
        mem_pages_put(MEM_CORE, page, 1);
    }
}

static size_t set_pages(unsigned count)
{
    size_t size = count * (sizeof(struct pollfd) + sizeof(struct file *));
    return (size + LIMIT_PAGE_SIZE - 1) / LIMIT_PAGE_SIZE;
}

/* Room for count descriptors; fds is left to fill. 0 or -ENOMEM. */
static int set_init(struct poll_set *set, unsigned count)
{
    set->count = count;
    set->pages = NULL;
    set->fds = set->fds_fixed;
    set->files = set->files_fixed;
    if (count > FIXED) {
        set->pages = mem_pages_get(MEM_CORE, set_pages(count));
        if (!set->pages)
            return -ENOMEM;
        set->files = set->pages;
        set->fds = (struct pollfd *)(set->files + count);
    }
    return 0;
}

static void set_free(struct poll_set *set)
{
    if (set->pages)
        mem_pages_put(MEM_CORE, set->pages, set_pages(set->count));
}

static void set_files(struct poll_set *set)
{
    for (unsigned i = 0; i < set->count; i++) {
        int fd = set->fds[i].fd;
        set->files[i] = fd < 0 ? NULL : file_get(fd);
    }
}

static void set_put(struct poll_set *set)
{
    for (unsigned i = 0; i < set->count; i++) {
        if (set->files[i])
            file_unref(set->files[i]);
    }
}

/* How many have something to say. *poller is cleared at the first of them:
 * who has something to return does not sleep. */
static long set_look(struct poll_set *set, struct file_poller **poller)
{
    long ready = 0;

    for (unsigned i = 0; i < set->count; i++) {
        struct pollfd *one = &set->fds[i];
        struct file *file = set->files[i];
        uint32_t events = 0;
        if (file) {
            events = file->ops->poll
                         ? file->ops->poll(file, *poller)
                         : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
            events &= (uint16_t)one->events | POLLERR | POLLHUP;
        } else if (one->fd >= 0) {
            events = POLLNVAL;
        }
        one->revents = (short)events;
        if (events) {
            ready++;
            *poller = NULL;
        }
    }
    return ready;
}

/* Waits until something holds; how many, 0 at the deadline, -EINTR. */
static long set_wait(struct poll_set *set, uint64_t deadline_ns)
{
    struct poll_table table;
    struct file_poller *poller = NULL;
    long result;

    table.poller.add = table_add;
    table.fixed_used = 0;
    table.page_used = 0;
    table.pages = NULL;
    table.failed = false;
    if (deadline_ns != 0)
        poller = &table.poller;
    set_files(set);
    for (;;) {
        result = set_look(set, &poller);
        poller = NULL;
        if (result != 0 || deadline_ns == 0)
            break;
        result = table.failed ? -ENOMEM : thread_block(deadline_ns, true);
        if (result == -ETIMEDOUT) {
            result = set_look(set, &poller);
            break;
        }
        if (result < 0)
            break;
    }
    table_release(&table);
    set_put(set);
    return result;
}

int file_poll_block(struct file *file, uint32_t events)
{
    struct poll_table table = {.poller.add = table_add};
    int result = 0;

    if (!file->ops->poll)
        return 0;
    events |= POLLERR | POLLHUP;
    if (!(file->ops->poll(file, &table.poller) & events)) {
        do {
            result = thread_block(TIME_NEVER, true);
        } while (result == 0 && !(file->ops->poll(file, NULL) & events));
    }
    table_release(&table);
    return result;
}

static long poll_run(long user, long count, uint64_t deadline_ns)
{
    struct poll_set set;
    struct pollfd *fds = (struct pollfd *)user;

    if ((unsigned long)count > file_limit())
        return -EINVAL;
    if (set_init(&set, (unsigned)count) < 0)
        return -ENOMEM;
    size_t size = set.count * sizeof(*fds);
    long result = -EFAULT;
    if (core_copy_in(set.fds, fds, size) == 0) {
        result = set_wait(&set, deadline_ns);
        if (result >= 0 && core_copy_out(fds, set.fds, size) < 0)
            result = -EFAULT;
    }
    set_free(&set);
    return result;
}

long core_poll(long a, long b, long c)
{
    int timeout = (int)c;
    uint64_t deadline = timeout < 0 ? TIME_NEVER
                        : timeout == 0
                            ? 0
                            : time_deadline((uint64_t)timeout * 1000000u);
    return poll_run(a, (unsigned)b, deadline);
}

/* A relative timespec of the application's; NULL is never. */
static int deadline_from(long user, uint64_t *out)
{
    struct timespec ts;
    uint64_t duration;

    *out = TIME_NEVER;
    if (!user)
        return 0;
    if (core_copy_in(&ts, (const void *)user, sizeof(ts)) < 0)
        return -EFAULT;
    int result = time_from_timespec(&ts, &duration);
    if (result < 0)
        return result;
    *out = duration == 0 ? 0 : time_deadline(duration);
    return 0;
}

/* Writes back what is left, as Linux does; a failure there is no error. */
static void left_out(long user, uint64_t deadline_ns, bool microseconds)
{
    struct timespec left;

    if (!user || deadline_ns == TIME_NEVER)
        return;
    uint64_t now = time_now_ns();
    time_to_timespec(deadline_ns > now ? deadline_ns - now : 0, &left);
    if (microseconds)
        left.tv_nsec /= 1000; /* struct timeval has the same layout */
    (void)core_copy_out((void *)user, &left, sizeof(left));
}

long core_ppoll(long a, long b, long c, long d, long e)
{
    uint64_t deadline;
    int error = deadline_from(c, &deadline);

    if (error == 0 && d)
        error = signal_mask_temporarily((const void *)d, (size_t)e);
    if (error < 0)
        return error;
    long result = poll_run(a, (unsigned)b, deadline);
    left_out(c, deadline, false);
    return result;
}

/* -- select -- */

/* select's three sets, their events, and what of poll's answers counts
 * (Linux: POLLIN_SET and its like). */
static const struct {
    short events;
    short answers;
} kinds[3] = {
    {POLLIN | POLLRDNORM | POLLRDBAND,
     POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR},
    {POLLOUT | POLLWRNORM | POLLWRBAND,
     POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR},
    {POLLPRI, POLLPRI},
};

#define WORD_BITS 64

struct select_sets {
    unsigned words; /* in one set */
    uint64_t *sets[3];
    void *pages;
    uint64_t fixed[3 * 2]; /* 128 descriptors */
};

static size_t sets_pages(unsigned words)
{
    return (words * 3 * sizeof(uint64_t) + LIMIT_PAGE_SIZE - 1) /
           LIMIT_PAGE_SIZE;
}

static int sets_in(struct select_sets *sets, unsigned fd_count,
                   const long user[3])
{
    sets->words = (fd_count + WORD_BITS - 1) / WORD_BITS;
    sets->pages = NULL;
    uint64_t *at = sets->fixed;
    if (sets->words > 2) {
        at = sets->pages = mem_pages_get(MEM_CORE, sets_pages(sets->words));
        if (!at)
            return -ENOMEM;
    }
    for (int kind = 0; kind < 3; kind++, at += sets->words) {
        sets->sets[kind] = at;
        if (!user[kind])
            memset(at, 0, sets->words * sizeof(*at));
        else if (core_copy_in(at, (const void *)user[kind],
                              sets->words * sizeof(*at)) < 0)
            return -EFAULT;
    }
    return 0;
}

static void sets_free(struct select_sets *sets)
{
    if (sets->pages)
        mem_pages_put(MEM_CORE, sets->pages, sets_pages(sets->words));
}

/* The events asked for descriptor fd; 0: it is in no set. */
static short sets_events(const struct select_sets *sets, unsigned fd)
{
    short events = 0;
    for (int kind = 0; kind < 3; kind++) {
        if (sets->sets[kind][fd / WORD_BITS] >> (fd % WORD_BITS) & 1)
            events |= kinds[kind].events;
    }
    return events;
}

/* The sets as poll's array; out may be NULL to count only. */
static unsigned sets_to_poll(const struct select_sets *sets, unsigned fd_count,
                             struct pollfd *out)
{
    unsigned count = 0;

    for (unsigned word = 0; word < sets->words; word++) {
        uint64_t any =
            sets->sets[0][word] | sets->sets[1][word] | sets->sets[2][word];
        while (any) {
            unsigned fd = word * WORD_BITS + (unsigned)__builtin_ctzll(any);
            any &= any - 1;
            if (fd >= fd_count)
                break;
            if (out)
                out[count] = (struct pollfd){(int)fd, sets_events(sets, fd), 0};
            count++;
        }
    }
    return count;
}

/* Turns answers into sets; how many bits are set, or -EBADF. */
static long sets_answer(struct select_sets *sets, const struct poll_set *set)
{
    long bits = 0;

    for (unsigned i = 0; i < set->count; i++) {
        if (set->fds[i].revents & POLLNVAL)
            return -EBADF;
    }
    for (int kind = 0; kind < 3; kind++)
        memset(sets->sets[kind], 0, sets->words * sizeof(uint64_t));
    for (unsigned i = 0; i < set->count; i++) {
        const struct pollfd *one = &set->fds[i];
        for (int kind = 0; kind < 3; kind++) {
            if (!(one->events & kinds[kind].events) ||
                !(one->revents & kinds[kind].answers))
                continue;
            sets->sets[kind][(unsigned)one->fd / WORD_BITS] |=
                1ull << ((unsigned)one->fd % WORD_BITS);
            bits++;
        }
    }
    return bits;
}

static long select_sets(struct select_sets *sets, unsigned fd_count,
                        const long user[3], uint64_t deadline_ns)
{
    struct poll_set set;
    long result = set_init(&set, sets_to_poll(sets, fd_count, NULL));

    if (result < 0)
        return result;
    sets_to_poll(sets, fd_count, set.fds);
    result = set_wait(&set, deadline_ns);
    if (result >= 0)
        result = sets_answer(sets, &set);
    for (int kind = 0; kind < 3 && result >= 0; kind++) {
        if (user[kind] && core_copy_out((void *)user[kind], sets->sets[kind],
                                        sets->words * sizeof(uint64_t)) < 0)
            result = -EFAULT;
    }
    set_free(&set);
    return result;
}

static long select_run(long fd_count, long in, long out, long except,
                       uint64_t deadline_ns)
{
    const long user[3] = {in, out, except};
    struct select_sets sets;

    if ((int)fd_count < 0)
        return -EINVAL;
    /* No descriptor is above this; Linux, too, looks no further than its
     * table reaches. */
    unsigned count = (unsigned)fd_count;
    if (count > file_limit())
        count = file_limit();
    long result = sets_in(&sets, count, user);
    if (result == 0)
        result = select_sets(&sets, count, user, deadline_ns);
    sets_free(&sets);
    return result;
}

long core_select(long a, long b, long c, long d, long e)
{
    struct timeval tv;
    uint64_t deadline = TIME_NEVER;

    if (e) {
        if (core_copy_in(&tv, (const void *)e, sizeof(tv)) < 0)
            return -EFAULT;
        if (tv.tv_sec < 0 || tv.tv_usec < 0)
            return -EINVAL;
        uint64_t seconds =
            (uint64_t)tv.tv_sec + (uint64_t)tv.tv_usec / 1000000u;
        uint64_t rest = (uint64_t)tv.tv_usec % 1000000u * 1000u;
        if (seconds || rest)
            deadline = seconds > INT64_MAX / TIME_SECOND - 1
                           ? TIME_NEVER
                           : time_deadline(seconds * TIME_SECOND + rest);
        else
            deadline = 0;
    }
    long result = select_run(a, b, c, d, deadline);
    left_out(e, deadline, true);
    return result;
}

long core_pselect6(long a, long b, long c, long d, long e, long f)
{
    struct {
        const void *mask;
        size_t size;
    } mask = {NULL, 0};
    uint64_t deadline;

    if (f && core_copy_in(&mask, (const void *)f, sizeof(mask)) < 0)
        return -EFAULT;
    int error = deadline_from(e, &deadline);
    if (error == 0 && mask.mask)
        error = signal_mask_temporarily(mask.mask, mask.size);
    if (error < 0)
        return error;
    long result = select_run(a, b, c, d, deadline);
    left_out(e, deadline, false);
    return result;
}
