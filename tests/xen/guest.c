/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What most tests of Xen guests run, a plain program: does what its first
 * argument says, with lines "guest: ..." that dom0 waits for.
 *
 *   exit N     ends with that status
 *   wait       until SIGTERM, which is what xl shutdown becomes; ends with 0
 *   echo       prints the line that is typed
 *   disk       copies the first half of /dev/vda to the second
 *   discard    gives the second half of /dev/vda back, but for its last 64 KiB,
 *              and writes zeros to the 64 KiB before it
 *   load MIB   fills and checks that much memory for ever, with a line a round
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK (64 * 1024)
#define MIB   (1024 * 1024)

/* linux/fs.h, linux/falloc.h */
#define DISCARD   _IO(0x12, 119)
#define ZEROOUT   _IO(0x12, 127)
#define HOLE_KEEP 3

static void fail(const char *what)
{
    printf("guest: failed: ");
    fflush(stdout);
    perror(what);
    exit(1);
}

static int wait_for_end(void)
{
    sigset_t set;
    int which = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    puts("guest: waiting");
    fflush(stdout);
    if (sigwait(&set, &which) != 0)
        fail("sigwait");
    printf("guest: signal %d\n", which);
    return 0;
}

static int echo(void)
{
    char line[200];

    puts("guest: listening");
    fflush(stdout);
    if (!fgets(line, sizeof(line), stdin))
        fail("no line");
    printf("guest: read %s", line);
    return 0;
}

static int disk(void)
{
    static char chunk[CHUNK];
    int disk = open("/dev/vda", O_RDWR);
    off_t size, at;

    if (disk < 0)
        fail("/dev/vda");
    size = lseek(disk, 0, SEEK_END);
    for (at = 0; at < size / 2; at += CHUNK) {
        if (pread(disk, chunk, CHUNK, at) != CHUNK)
            fail("read");
        if (pwrite(disk, chunk, CHUNK, size / 2 + at) != CHUNK)
            fail("write");
    }
    if (fsync(disk) != 0)
        fail("fsync");
    printf("guest: disk of %lld bytes\n", (long long)size);
    return 0;
}

static int discard(void)
{
    int disk = open("/dev/vda", O_RDWR);
    off_t size;

    if (disk < 0)
        fail("/dev/vda");
    size = lseek(disk, 0, SEEK_END);
    uint64_t half[2] = {(uint64_t)size / 2, (uint64_t)size / 2 - CHUNK};
    uint64_t before[2] = {(uint64_t)size / 2 - CHUNK, CHUNK};
    if (ioctl(disk, DISCARD, half) != 0)
        fail("BLKDISCARD");
    if (ioctl(disk, ZEROOUT, before) != 0)
        fail("BLKZEROOUT");
    /* Xen's protocol promises no zeros. */
    if (fallocate(disk, HOLE_KEEP, 0, CHUNK) == 0 || errno != EOPNOTSUPP)
        fail("fallocate");
    if (fsync(disk) != 0)
        fail("fsync");
    puts("guest: discarded");
    return 0;
}

/* MemTotal of /proc/meminfo, in KiB. */
static long memory_total(void)
{
    char line[200];
    long kib = -1;
    FILE *file = fopen("/proc/meminfo", "r");

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "MemTotal: %ld", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

static void load(size_t size) __attribute__((noreturn));
static void load(size_t size)
{
    for (uint64_t round = 1;; round++) {
        size_t count = size / sizeof(uint64_t);
        uint64_t *words = mmap(NULL, size, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (words == MAP_FAILED)
            fail("mmap");
        for (size_t i = 0; i < count; i++)
            words[i] = round * i;
        for (size_t i = 0; i < count; i++)
            if (words[i] != round * i)
                fail("memory has changed");
        munmap(words, size);
        printf("guest: round %llu, %ld KiB in all\n", (unsigned long long)round,
               memory_total());
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    long number = argc > 2 ? atol(argv[2]) : 0;

    printf("guest: begins to %s\n", what);
    fflush(stdout);
    if (!strcmp(what, "exit"))
        return (int)number;
    if (!strcmp(what, "wait"))
        return wait_for_end();
    if (!strcmp(what, "echo"))
        return echo();
    if (!strcmp(what, "disk"))
        return disk();
    if (!strcmp(what, "discard"))
        return discard();
    if (!strcmp(what, "load"))
        load((size_t)number * MIB);
    fprintf(stderr, "usage: guest exit N|wait|echo|disk|discard|load MIB\n");
    return 2;
}
