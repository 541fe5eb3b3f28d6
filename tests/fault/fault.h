/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the fault tests share: a scenario is run again and again in one machine,
 * and in the nth round the nth taking of memory fails, until a round meets no
 * failure (halvm.fault in docs/command-line.md). After every round the accounts
 * are counted and as many pages are free as before the first.
 */
#ifndef TESTS_FAULT_FAULT_H
#define TESTS_FAULT_FAULT_H

#include "../sys/net.h"

#include <sys/mman.h>

enum { FAULT_ROUNDS_MAX = 5000, FAULT_FDS = 64, FAULT_MAPS = 32 };

/*
 * A scenario returns 0, or the error of the first call that failed because
 * memory did. Either way it has given back all that it took, with calls that
 * must not fail though the failure may still be ahead of it.
 */
struct fault_scenario {
    const char *name;
    int (*run)(void);
    long slack_kb; /* of malloc, and of half used pages of the network */
};

static int fault_switch, fault_accounts; /* /proc/halvm/fault, .../memory */

static inline void fault_open(void)
{
    fault_switch = open("/proc/halvm/fault", O_RDWR);
    fault_accounts = open("/proc/halvm/memory", O_RDONLY);
    if (fault_switch < 0 || fault_accounts < 0 ||
        pwrite(fault_switch, "off", 3, 0) != 3)
        check_skip("needs a machine started with halvm.fault");
}

/* A line of /proc/halvm/memory, in kB. Reading it counts all memory. */
static inline long fault_kb(const char *name)
{
    char text[1024], wanted[64];
    ssize_t size = pread(fault_accounts, text, sizeof(text) - 1, 0);

    CHECK(size > 0);
    text[size] = 0;
    snprintf(wanted, sizeof(wanted), "\n%s: ", name);
    const char *at = strstr(text, wanted);
    CHECK(at != NULL);
    return strtol(at + strlen(wanted), NULL, 10);
}

static inline void fault_set(const char *kind, unsigned n)
{
    char text[32];
    int size = snprintf(text, sizeof(text), n ? "%s:%u" : "%s", kind, n);

    CHECK_EQ(pwrite(fault_switch, text, (size_t)size, 0), size);
}

/* Nothing fails from here on; whether something did. */
static inline bool fault_met(void)
{
    char text[32] = "";

    CHECK(pread(fault_switch, text, sizeof(text) - 1, 0) > 0);
    fault_set("off", 0);
    return strstr(text, ":0\n") != NULL;
}

/* What Linux says where memory runs out: everywhere ENOMEM, but of a thread or
 * timer, a socket's buffers, and a file system in memory that is full. */
static inline bool fault_errno(int error)
{
    return error == ENOMEM || error == EAGAIN || error == ENOBUFS ||
           error == ENOSPC;
}

static inline void fault_wrong(const struct fault_scenario *s, const char *kind,
                               unsigned n, const char *what, long value)
{
    fprintf(stderr, "fault.h:1: %s with %s:%u: %s %ld\n", s->name, kind, n,
            what, value);
    exit(1);
}

/* One kind of failure, n = 1, 2, ...; returns how many there were. */
static inline unsigned fault_loop(const struct fault_scenario *s,
                                  const char *kind, long before)
{
    for (unsigned n = 1; n < FAULT_ROUNDS_MAX; n++) {
        fault_set(kind, n);
        int error = s->run();
        bool met = fault_met();
        long left = fault_kb("free");
        if (labs(left - before) > s->slack_kb)
            fault_wrong(s, kind, n, "kB of free memory changed by",
                        left - before);
        if (error != 0 && !met)
            fault_wrong(s, kind, n, "nothing was to fail, yet errno", error);
        if (error != 0 && !fault_errno(error))
            fault_wrong(s, kind, n, "not an error of memory: errno", error);
        if (!met)
            return n - 1;
    }
    fault_wrong(s, kind, FAULT_ROUNDS_MAX, "still failing after", 0);
    return 0;
}

static inline void fault_run(const struct fault_scenario *list, size_t count)
{
    static const char *const kinds[] = {"map", "page", "object"};
    unsigned all = 0;

    fault_open();
    for (size_t i = 0; i < count; i++) {
        for (int warm = 0; warm < 3; warm++) {
            int error = list[i].run();
            if (error != 0)
                fault_wrong(&list[i], "off", 0, "errno", error);
        }
        long before = fault_kb("free");
        for (size_t k = 0; k < 3; k++) {
            unsigned faults = fault_loop(&list[i], kinds[k], before);
            printf("%s: %u failures of %s\n", list[i].name, faults, kinds[k]);
            all += faults;
        }
    }
    CHECK(all > count); /* the switch does something */
}

/* -- what a round holds -- */

struct fault_held {
    int fds[FAULT_FDS];
    unsigned fd_count;
    struct {
        void *start;
        size_t size;
    } maps[FAULT_MAPS];
    unsigned map_count;
    int error; /* the first */
};

/* Notes a descriptor or an error; false: the round is over. */
static inline bool fault_fd(struct fault_held *held, int fd)
{
    if (fd < 0) {
        held->error = errno;
        return false;
    }
    CHECK(held->fd_count < FAULT_FDS);
    held->fds[held->fd_count++] = fd;
    return true;
}

static inline bool fault_map(struct fault_held *held, void *start, size_t size)
{
    if (start == MAP_FAILED || start == NULL) {
        held->error = errno;
        return false;
    }
    CHECK(held->map_count < FAULT_MAPS);
    held->maps[held->map_count].start = start;
    held->maps[held->map_count++].size = size;
    return true;
}

/* Notes the error of a call that returned -1. */
static inline bool fault_ok(struct fault_held *held, long result)
{
    if (result == -1)
        held->error = errno;
    return result != -1;
}

static inline int fault_release(struct fault_held *held)
{
    for (unsigned i = 0; i < held->fd_count; i++)
        CHECK_EQ(close(held->fds[i]), 0);
    for (unsigned i = 0; i < held->map_count; i++)
        CHECK_EQ(munmap(held->maps[i].start, held->maps[i].size), 0);
    return held->error;
}

#endif
