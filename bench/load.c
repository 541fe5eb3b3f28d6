/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The load of bench/run, on the host: one connection to a guest whose
 * instructions bench/count.c counts into FILE.
 *
 *     load FILE ADDRESS PORT http REQUESTS [PATH [PAUSE]]
 *         as many requests, each after the answer to the one before, on one
 *         connection kept alive, after a tenth of them unmeasured. Prints the
 *         image's instructions a request, mean, median, least; requests a
 *         second; instructions a request of Xen and of the whole machine,
 *         mean. (If bench/count.c was not told where the image is, then the
 *         first three are the whole machine's.) PAUSE: so many microseconds
 *         between an answer and the next request, in which the guest comes to
 *         rest: how much of it is asleep when a request comes depends on the
 *         host's speed otherwise.
 *     load FILE ADDRESS PORT send|receive MIB
 *         bytes to or from bench/bulk.c in the guest. Prints the guest's
 *         instructions a KiB, and MiB/s.
 *
 * A connection is tried for 60 seconds. Exit status 1 if the guest fails to
 * answer for 10.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const volatile uint64_t *guest; /* the counts, as in bench/count.c */

static void die(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int connect_to(const char *address, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
    struct timeval limit = {.tv_sec = 10};
    struct timespec pause = {.tv_nsec = 100000000};
    int one = 1;

    inet_pton(AF_INET, address, &to.sin_addr);
    for (double end = seconds() + 60; seconds() < end;) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
            return fd;
        close(fd);
        nanosleep(&pause, NULL);
    }
    die("nobody answers");
    return -1;
}

/* One request and its whole answer: headers, and a body of 13 bytes. */
static void request(int fd, const char *text)
{
    char in[4096];
    size_t got = 0;

    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        die("write fails");
    for (;;) {
        ssize_t n = read(fd, in + got, sizeof(in) - 1 - got);
        if (n <= 0)
            die("the guest does not answer");
        got += (size_t)n;
        in[got] = 0;
        char *body = strstr(in, "\r\n\r\n");
        if (body && strlen(body + 4) >= 13)
            break;
    }
    if (strncmp(in, "HTTP/1.1 200", 12))
        die("the answer is not 200");
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void http(int fd, const char *host, int requests, const char *path,
                 int pause_us)
{
    struct timespec pause = {.tv_nsec = pause_us * 1000L};
    uint64_t *each = calloc((size_t)requests, sizeof(*each));
    char text[512];

    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path,
             host);
    for (int i = 0; i < requests / 10; i++)
        request(fd, text);
    double start = seconds();
    uint64_t first = *guest, before = first, xen = guest[1], all = guest[2];
    uint64_t n = (uint64_t)requests;
    for (int i = 0; i < requests; i++) {
        request(fd, text);
        if (pause_us > 0)
            nanosleep(&pause, NULL);
        uint64_t now = *guest;
        each[i] = now - before;
        before = now;
    }
    double took = seconds() - start;
    xen = guest[1] - xen;
    all = guest[2] - all;
    qsort(each, n, sizeof(*each), compare);
    printf("%lu %lu %lu %.0f %lu %lu\n", (before - first) / n, each[n / 2],
           each[0], requests / took, xen / n, all / n);
}

static void bulk(int fd, char way, uint64_t mib)
{
    static char block[1 << 16];
    uint64_t left = mib << 20;
    char order[9] = {way};

    memcpy(order + 1, &left, sizeof(left));
    uint64_t first = *guest, xen = guest[1], all = guest[2];
    double start = seconds();
    if (write(fd, order, sizeof(order)) != sizeof(order))
        die("write fails");
    while (left) {
        size_t n = left < sizeof(block) ? left : sizeof(block);
        ssize_t did = way == 'r' ? write(fd, block, n) : read(fd, block, n);
        if (did <= 0)
            die("the guest stops");
        left -= (size_t)did;
    }
    if (way == 'r' && read(fd, block, 1) != 1)
        die("the guest did not get all");
    printf("%lu %.1f %lu %lu\n", (*guest - first) / (mib << 10),
           (double)mib / (seconds() - start), (guest[1] - xen) / (mib << 10),
           (guest[2] - all) / (mib << 10));
}

int main(int argc, char **argv)
{
    if (argc < 6)
        die("arguments: see bench/load.c");
    int file = open(argv[1], O_RDONLY);
    guest = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    if (file < 0 || guest == MAP_FAILED)
        die("no file of counts");
    int fd = connect_to(argv[2], atoi(argv[3]));
    if (!strcmp(argv[4], "http"))
        http(fd, argv[2], atoi(argv[5]), argc > 6 ? argv[6] : "/",
             argc > 7 ? atoi(argv[7]) : 0);
    else
        bulk(fd, strcmp(argv[4], "send") ? 's' : 'r',
             strtoul(argv[5], NULL, 10));
    return 0;
}
