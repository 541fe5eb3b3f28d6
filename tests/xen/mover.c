/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What tests/xen/t-migrate moves from host to host: a program that is never
 * idle, and that says for each of its parts how far it has come.
 *
 *   mover MIB
 *
 * fills and checks that much memory for ever, writes, reads and checks
 * /dev/vda for ever, answers each line that comes over TCP, port 7, by
 *
 *   LINE MONOTONIC WALL MEMORY DISK
 *
 * (both clocks in nanoseconds, rounds of memory, blocks of the disk), and
 * prints what is typed on the console. SIGTERM ends it with 0; what is not as
 * it was left ends it with 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT  7
#define BLOCK (64 * 1024)
#define MIB   (1024 * 1024)

static atomic_ulong memory_rounds, disk_blocks;

static void fail(const char *what)
{
    printf("mover: failed: ");
    fflush(stdout);
    perror(what);
    _exit(1);
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The map is new each time, so that page tables change, too. */
static void *move_memory(void *argument)
{
    size_t size = (size_t)argument, count = size / sizeof(uint64_t);

    for (uint64_t round = 1;; round++) {
        uint64_t *words = mmap(NULL, size, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (words == MAP_FAILED)
            fail("mmap");
        for (size_t i = 0; i < count; i++)
            words[i] = round * i;
        if (mprotect(words, size, PROT_READ) != 0)
            fail("mprotect");
        for (size_t i = 0; i < count; i++)
            if (words[i] != round * i)
                fail("memory has changed");
        munmap(words, size);
        memory_rounds++;
    }
    return NULL;
}

static void *move_disk(void *argument)
{
    static uint64_t written[BLOCK / 8], read[BLOCK / 8];
    int disk = open("/dev/vda", O_RDWR);
    off_t size = disk < 0 ? 0 : lseek(disk, 0, SEEK_END);

    if (size < BLOCK)
        fail("/dev/vda");
    for (uint64_t number = 0;; number++) {
        off_t at = (off_t)(number % ((uint64_t)size / BLOCK)) * BLOCK;

        for (size_t i = 0; i < BLOCK / 8; i++)
            written[i] = number * 1000003 + i;
        if (pwrite(disk, written, BLOCK, at) != BLOCK)
            fail("write");
        if (number % 16 == 0 && fsync(disk) != 0)
            fail("fsync");
        if (pread(disk, read, BLOCK, at) != BLOCK)
            fail("read");
        if (memcmp(written, read, BLOCK) != 0)
            fail("the disk has changed");
        disk_blocks++;
    }
    return argument;
}

static void *answer(void *argument)
{
    int connection = (int)(intptr_t)argument;
    FILE *in = fdopen(connection, "r"), *out = fdopen(dup(connection), "w");
    char line[80];

    if (!in || !out)
        fail("fdopen");
    while (fgets(line, sizeof(line), in)) {
        line[strcspn(line, "\n")] = 0;
        fprintf(out, "%s %" PRIu64 " %" PRIu64 " %lu %lu\n", line,
                now_ns(CLOCK_MONOTONIC), now_ns(CLOCK_REALTIME), memory_rounds,
                disk_blocks);
        fflush(out);
    }
    if (ferror(in))
        printf("mover: the connection broke: %s\n", strerror(errno));
    else
        puts("mover: the connection ended");
    fflush(stdout);
    fclose(in);
    fclose(out);
    return NULL;
}

static void start(void *(*function)(void *), void *argument)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, function, argument) != 0)
        fail("pthread_create");
    pthread_detach(thread);
}

static void *serve(void *argument)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(listener, (void *)&here, sizeof(here)) != 0 ||
        listen(listener, 8) != 0)
        fail("listen");
    puts("mover: moving");
    fflush(stdout);
    for (;;) {
        int connection = accept(listener, NULL, NULL);

        if (connection < 0)
            fail("accept");
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        start(answer, (void *)(intptr_t)connection);
    }
    return argument;
}

static void *listen_to_console(void *argument)
{
    char line[80];

    while (fgets(line, sizeof(line), stdin)) {
        printf("mover: read %s", line);
        fflush(stdout);
    }
    return argument;
}

int main(int argc, char **argv)
{
    size_t mib = argc > 1 ? (size_t)atol(argv[1]) : 8;
    sigset_t set;
    int which = 0;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    start(move_memory, (void *)(mib * MIB));
    start(move_disk, NULL);
    start(listen_to_console, NULL);
    start(serve, NULL);
    if (sigwait(&set, &which) != 0)
        fail("sigwait");
    printf("mover: signal %d\n", which);
    fflush(stdout);
    _exit(0); /* exit() would wait for the thread that reads stdin */
}
