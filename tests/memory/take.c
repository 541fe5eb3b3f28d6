/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What takes memory in Shortage.hs while Haskell allocates nothing: C code and
 * files, a megabyte at a time.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define MIB    (1l << 20)
#define TRIES  200
#define TRY_US 50000

long take_free(void);
int take_malloc(void);
int take_file(void);
int take_many(int file, int count);
int take_too_much(int count);
int take_identity(void);
void take_descriptors(void);
void take_pause(void);
int *take_slot(int number);
void take_finalizer(int *slot);
int take_finalized(void);

/* Megabytes that there are without a collection: what RLIMIT_AS leaves, or the
 * machine. */
long take_free(void)
{
    struct rlimit limit;
    struct sysinfo info;
    long pages = 0;
    FILE *statm;

    if (access("/proc/halvm", F_OK) == 0)
        return sysinfo(&info) == 0 ? (long)info.freeram / MIB : -1;
    getrlimit(RLIMIT_AS, &limit);
    statm = fopen("/proc/self/statm", "r");
    if (statm == NULL || fscanf(statm, "%ld", &pages) != 1)
        return -1;
    fclose(statm);
    return ((long)limit.rlim_cur - pages * 4096) / MIB;
}

/* Each: 1, or 0 if there is none. */
int take_malloc(void)
{
    void *piece = malloc(MIB);

    if (piece == NULL)
        return 0;
    memset(piece, 1, MIB);
    return 1;
}

int take_file(void)
{
    static char data[MIB];
    static int fd = -1;

    if (fd < 0)
        fd = open("/tmp/taken", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    return write(fd, data, MIB) == MIB;
}

/* How many of count there were. Nobody waits for the collection that a file
 * needs, which is under way: so who has no room for it tries again. */
int take_many(int file, int count)
{
    int taken = 0, tries = file ? TRIES : 0;

    while (taken < count) {
        if (file ? take_file() : take_malloc())
            taken++;
        else if (tries-- > 0)
            usleep(TRY_US);
        else
            break;
    }
    return taken;
}

/* malloc until it says NULL, and count times more, each of which has to say so,
 * too; then all is let go. How many there were before that, or -1. */
int take_too_much(int count)
{
    static void *pieces[1024];
    int taken = 0, more = 0;

    while (taken < 1024 && (pieces[taken] = malloc(MIB)) != NULL)
        taken++;
    for (int i = 0; i < count; i++) {
        void *piece = malloc(MIB);

        more += piece != NULL;
        free(piece);
    }
    for (int i = 0; i < taken; i++)
        free(pieces[i]);
    return more > 0 ? -1 : taken;
}

/* libc sends all threads a signal for it. */
int take_identity(void)
{
    return setuid(getuid());
}

void take_descriptors(void)
{
    const struct rlimit few = {64, 64};

    setrlimit(RLIMIT_NOFILE, &few);
    while (open("/", O_RDONLY) >= 0)
        continue;
}

void take_pause(void)
{
    usleep(2000);
}

/* A C finalizer that counts: how many have run once, or -1: one ran again. */
static int slots[1000];

int *take_slot(int number)
{
    return &slots[number];
}

void take_finalizer(int *slot)
{
    if (slot >= slots && slot < slots + 1000)
        ++*slot;
    else
        abort();
}

int take_finalized(void)
{
    int once = 0;

    for (int i = 0; i < 1000; i++) {
        if (slots[i] > 1)
            return -1;
        once += slots[i];
    }
    return once;
}
