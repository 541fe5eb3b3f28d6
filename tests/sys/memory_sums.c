/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All who tell how much memory there is tell the same: sysinfo, /proc/meminfo,
 * /proc/self/status, statm and smaps_rollup, getrusage, and on a unikernel the
 * accounts and RLIMIT_AS. At several fill levels.
 *
 * Covers: sysinfo getrusage prlimit64
 */
#include "check.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>

#define MIB (1l << 20)

enum { MEMINFO, STATUS, STATM, ROLLUP, ACCOUNTS, TEXTS };

static const char *const names[TEXTS] = {
    "/proc/meminfo", "/proc/self/status", "/proc/self/statm",
    "/proc/self/smaps_rollup", "/proc/halvm/memory"};
static int fds[TEXTS];
static char texts[TEXTS][8192];
static bool unikernel;

/* What Linux counts a processor at a time, or others change meanwhile. */
static long slack_own_kb, slack_machine_kb;

static void read_all(void)
{
    for (int i = 0; i < TEXTS; i++) {
        if (fds[i] < 0)
            continue;
        /* From the beginning again: the text of now, and no memory for it. */
        ssize_t size = pread(fds[i], texts[i], sizeof(texts[i]) - 1, 0);
        CHECK(size > 0);
        texts[i][size] = 0;
    }
}

/* The number after "NAME:" at the beginning of a line. */
static long field(int text, const char *name)
{
    size_t length = strlen(name);
    const char *at = texts[text];

    while (strncmp(at, name, length) != 0 || at[length] != ':') {
        at = strchr(at, '\n');
        CHECK(at != NULL);
        at++;
    }
    return strtol(at + length + 1, NULL, 10);
}

static void near(long a, long b, long slack_kb)
{
    CHECK_EQ(labs(a - b) <= slack_kb ? b : a, b);
}

static void check_accounts(void)
{
    static const char *const accounts[] = {"image", "core", "anonymous", "file",
                                           "cache", "free", "network"};
    static const char *const uses[] = {"anonymous_stacks", "anonymous_break",
                                       "anonymous_maps",
                                       "anonymous_discardable"};
    long sum = 0, anonymous = 0;
    struct rlimit limit;

    for (size_t i = 0; i < sizeof(accounts) / sizeof(accounts[0]); i++)
        sum += field(ACCOUNTS, accounts[i]);
    CHECK_EQ(sum, field(ACCOUNTS, "total"));
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
        anonymous += field(ACCOUNTS, uses[i]);
    CHECK_EQ(anonymous, field(ACCOUNTS, "anonymous"));
    CHECK_EQ(field(ACCOUNTS, "total"), field(MEMINFO, "MemTotal"));
    CHECK_EQ(field(ACCOUNTS, "free"), field(MEMINFO, "MemFree"));
    CHECK_EQ(field(ACCOUNTS, "cache"), field(MEMINFO, "Cached"));
    CHECK_EQ(field(ACCOUNTS, "anonymous"), field(MEMINFO, "AnonPages"));
    CHECK_EQ(field(ACCOUNTS, "file"), field(MEMINFO, "Mapped"));
    CHECK_EQ(field(ACCOUNTS, "anonymous") + field(ACCOUNTS, "file") -
                 field(ACCOUNTS, "untouched"),
             field(STATUS, "VmRSS"));
    CHECK_EQ(getrlimit(RLIMIT_AS, &limit), 0);
    long free_bytes = field(ACCOUNTS, "free") * 1024;
    long expected = free_bytes + free_bytes / 5;
    CHECK_EQ(limit.rlim_cur, expected > 6 * MIB ? expected : 6 * MIB);
}

/* Everything at one moment; returns what is resident, in kB. */
static long check_moment(void)
{
    struct sysinfo info;
    struct rusage usage;
    long pages;

    read_all();
    CHECK_EQ(sysinfo(&info), 0);
    CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
    long unit = info.mem_unit;
    CHECK_EQ((long)info.totalram * unit / 1024, field(MEMINFO, "MemTotal"));
    near((long)info.freeram * unit / 1024, field(MEMINFO, "MemFree"),
         slack_machine_kb);
    CHECK(field(MEMINFO, "MemFree") <= field(MEMINFO, "MemTotal"));
    long resident = field(STATUS, "VmRSS");
    near(field(ROLLUP, "Rss"), resident, slack_own_kb);
    CHECK_EQ(sscanf(texts[STATM], "%*d %ld", &pages), 1);
    near(pages * (getpagesize() / 1024), resident, slack_own_kb);
    near(usage.ru_maxrss, field(STATUS, "VmHWM"), slack_own_kb);
    CHECK(usage.ru_maxrss >= resident - slack_own_kb);
    CHECK(field(STATUS, "VmSize") >= resident);
    if (unikernel)
        check_accounts();
    return resident;
}

static char *map(long size)
{
    char *p = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    return p;
}

int main(void)
{
    struct rusage usage;

    unikernel = check_unikernel();
    slack_own_kb = unikernel ? 0 : 1024;
    slack_machine_kb = unikernel ? 0 : 1024 * 1024;
    for (int i = 0; i < TEXTS; i++) {
        fds[i] = open(names[i], O_RDONLY);
        CHECK(fds[i] >= 0 || (i == ACCOUNTS && !unikernel));
    }
    long start = check_moment();
    for (long size = 2 * MIB; size <= 8 * MIB; size *= 2) {
        char *p = map(size);
        near(check_moment(), start, slack_own_kb); /* not yet touched */
        memset(p, 1, (size_t)size / 2);
        /* Who comes walking may be given 2 MiB at once. */
        long half = check_moment();
        CHECK(half >= start + size / 2048 - slack_own_kb &&
              half <= start + size / 2048 + 2048 + slack_own_kb);
        memset(p, 1, (size_t)size);
        long all = check_moment();
        near(all, start + size / 1024, slack_own_kb + 64);
        CHECK_EQ(madvise(p, (size_t)size / 2, MADV_DONTNEED), 0);
        near(check_moment(), all - size / 2048, slack_own_kb);
        CHECK_EQ(munmap(p, (size_t)size), 0);
        near(check_moment(), start, slack_own_kb + 64);
        CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
        CHECK(usage.ru_maxrss >= all - slack_own_kb); /* and it is kept */
    }
    return 0;
}
