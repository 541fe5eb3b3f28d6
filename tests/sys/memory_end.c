/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory runs out, in every way in which a C program can use it up: each time
 * the call says so, the program goes on, gives back what it has, and does it
 * again. A unikernel then has as much free as before. Linux, which promises
 * more than it has, is held to its word by RLIMIT_AS, as far as that reaches.
 *
 * Covers: brk mmap mprotect mremap clone socket sendmsg write
 * memory: 16M
 * cc: -pthread
 * timeout: 30
 */
#include "net.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define RW   (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

enum { ROUNDS = 3, SOCKETS = 2000, THREADS = 1000, SLACK_KB = 64 };

static bool unikernel;
static int meminfo;

static long free_kb(void)
{
    char text[2048];
    ssize_t size = pread(meminfo, text, sizeof(text) - 1, 0);

    CHECK(size > 0);
    text[size] = 0;
    return strtol(strstr(text, "MemFree:") + 8, NULL, 10);
}

/* Blocks of one size until there are no more, linked by their first word. */
static void malloc_to_null(size_t size)
{
    void **list = NULL, **block;
    long count = 0;

    errno = 0;
    while ((block = malloc(size)) != NULL) {
        *block = list;
        list = block;
        count++;
    }
    CHECK_EQ(errno, ENOMEM);
    CHECK(count > 0);
    /* What there is stays usable, and more of it fails without harm. */
    memset(list + 1, 7, size - sizeof(void *));
    CHECK(realloc(list, size + (1 << 20)) == NULL);
    CHECK(((char *)list)[size - 1] == 7);
    CHECK(calloc(1 << 20, 1 << 10) == NULL);
    CHECK_EQ(errno, ENOMEM);
    while ((block = list) != NULL) {
        list = *block;
        free(block);
    }
    /* And there is memory again. */
    void *again = malloc(size);
    CHECK(again != NULL);
    free(again);
}

static void allocations(void)
{
    static const size_t sizes[] = {16, 1000, 20000, 200000, 1 << 20};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        malloc_to_null(sizes[i]);
    /* Of no size: unique and to be freed, as libc's documents promise. */
    void *none = malloc(0), *other = malloc(0);
    CHECK(none != NULL && other != NULL && none != other);
    free(none);
    free(other);
    /* More than an address space has. */
    volatile size_t most = SIZE_MAX - 100; /* the compiler would warn */
    CHECK(malloc(most) == NULL && errno == ENOMEM);
    CHECK(calloc(most / 2, 4) == NULL && errno == ENOMEM);
}

/* Takes all that malloc and mmap can get, in ever smaller pieces. */
struct piece {
    struct piece *next;
    size_t size;
};

static struct piece *take_maps(void)
{
    struct piece *list = NULL;

    for (size_t size = 1 << 20; size >= 4096;) {
        struct piece *p = mmap(NULL, size, RW, ANON, -1, 0);
        if (p == MAP_FAILED) {
            CHECK_EQ(errno, ENOMEM);
            size /= 2;
            continue;
        }
        p->next = list;
        p->size = size;
        list = p;
    }
    return list;
}

static void give_maps(struct piece *list)
{
    while (list != NULL) {
        struct piece *next = list->next;
        CHECK_EQ(munmap(list, list->size), 0);
        list = next;
    }
}

static void maps(void)
{
    struct piece *list = take_maps();

    CHECK(list != NULL);
    CHECK(mmap(NULL, 4096, RW, ANON, -1, 0) == MAP_FAILED);
    CHECK_EQ(errno, ENOMEM);
    CHECK(mremap(list, list->size, list->size + (1 << 20), MREMAP_MAYMOVE) ==
          MAP_FAILED);
    CHECK_EQ(errno, ENOMEM);
    give_maps(list);
    /* Address space is no memory, until it is made accessible. Linux charges
     * it to RLIMIT_AS at once. */
    if (!unikernel)
        return;
    size_t size = (size_t)1 << 32;
    char *p = mmap(NULL, size, PROT_NONE, ANON, -1, 0);
    CHECK(p != MAP_FAILED);
    CHECK_ERR(mprotect(p, size, RW), ENOMEM);
    CHECK_EQ(mprotect(p, 65536, RW), 0);
    memset(p, 1, 65536);
    CHECK_EQ(munmap(p, size), 0);
}

/* setenv copies what it is given: it fails, and nothing has changed. */
static void environment(void)
{
    static char value[70000];

    memset(value, 'v', sizeof(value) - 1);
    CHECK_EQ(setenv("KEPT", "as it was", 1), 0);
    struct piece *list = take_maps();
    void **small = NULL, **block; /* what malloc has in store */
    while ((block = malloc(sizeof(value))) != NULL) {
        *block = small;
        small = block;
    }
    CHECK_ERR(setenv("KEPT", value, 1), ENOMEM);
    CHECK(strcmp(getenv("KEPT"), "as it was") == 0);
    CHECK_ERR(setenv("NEW", value, 1), ENOMEM);
    CHECK(getenv("NEW") == NULL);
    while ((block = small) != NULL) {
        small = *block;
        free(block);
    }
    give_maps(list);
}

/* -- threads -- */

static sem_t leave;

static void *body(void *argument)
{
    while (sem_wait(&leave) != 0)
        CHECK_EQ(errno, EINTR);
    return NULL;
}

static void threads(void)
{
    static pthread_t list[THREADS];
    int count = 0, error = 0;

    CHECK_EQ(sem_init(&leave, 0, 0), 0);
    while (count < THREADS &&
           (error = pthread_create(&list[count], NULL, body, NULL)) == 0)
        count++;
    CHECK(count > 0 && (error == EAGAIN || count == THREADS));
    for (int i = 0; i < count; i++)
        CHECK_EQ(sem_post(&leave), 0);
    for (int i = 0; i < count; i++)
        CHECK_EQ(pthread_join(list[i], NULL), 0);
}

/* -- what RLIMIT_AS does not reach -- */

static char data[65536];

static void files(void)
{
    char name[32];
    int count = 0, error = 0;

    for (; error == 0; count++) {
        snprintf(name, sizeof(name), "file-%d", count);
        int fd = open(name, O_WRONLY | O_CREAT, 0600);
        if (fd < 0) {
            error = errno;
            break;
        }
        for (int i = 0; i < 16 && error == 0; i++) {
            ssize_t done = write(fd, data, sizeof(data));
            if (done < 0)
                error = errno;
            else
                CHECK(done > 0); /* in part: the next one says why */
        }
        CHECK_EQ(close(fd), 0);
    }
    CHECK_EQ(error, ENOSPC);
    while (count >= 0) {
        snprintf(name, sizeof(name), "file-%d", count--);
        CHECK(unlink(name) == 0 || errno == ENOENT);
    }
}

/* Sockets whose peers do not read. */
static void sockets(void)
{
    static int list[SOCKETS][2];
    int count = 0, error = 0;

    for (; count < SOCKETS; count++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, list[count])) {
            error = errno;
            break;
        }
        while (write(list[count][0], data, sizeof(data)) > 0)
            ;
        CHECK(errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM);
    }
    CHECK(error == ENOBUFS || error == ENOMEM || error == EMFILE);
    while (count-- > 0) {
        CHECK_EQ(close(list[count][0]), 0);
        CHECK_EQ(close(list[count][1]), 0);
    }
}

static void repeat(const char *what, void (*round)(void), long slack_kb)
{
    long before = 0;

    for (int i = 0; i < ROUNDS; i++) {
        round();
        long now = free_kb();
        if (i == 0)
            before = now;
        if (unikernel && labs(now - before) > slack_kb) {
            fprintf(stderr,
                    "%s:%d: %s: %ld kB free after the first round, "
                    "%ld after %d\n",
                    __FILE__, __LINE__, what, before, now, i + 1);
            exit(1);
        }
    }
}

/* Linux makes the stack longer when it is touched, and RLIMIT_AS would forbid
 * just that: what is needed is touched before. */
static void stack_touch(void)
{
    volatile char deep[100000];

    for (size_t i = 0; i < sizeof(deep); i += 4096)
        deep[i] = 1;
}

int main(void)
{
    struct rlimit limit = {96 << 20, 96 << 20};

    unikernel = check_unikernel();
    meminfo = open("/proc/meminfo", O_RDONLY);
    CHECK(meminfo >= 0);
    check_scratch();
    stack_touch();
    if (!unikernel)
        CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    repeat("maps", maps, 0);
    repeat("threads", threads, 0);
    if (unikernel) {
        repeat("files", files, 0);
        repeat("sockets", sockets, SLACK_KB);
    }
    repeat("environment", environment, SLACK_KB);
    repeat("allocations", allocations, SLACK_KB);
    return 0;
}
