/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's side of tests/net/run, against peer.c:
 *
 *   client get ADDRESS PORT           prints what a connection is told
 *   client stream ADDRESS PORT BYTES  sends BYTES while it receives them back
 *   client datagrams ADDRESS PORT N   N datagrams of 0 to 8000 bytes, each
 *                                     sent again up to five times if lost
 *
 * Status 0 if every byte came back as it was.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SILENCE_MS = 10000 }; /* then a stream has stalled */

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "client: %s: %s\n", what, why);
    exit(1);
}

static int connected(const char *address, const char *port, int type)
{
    struct addrinfo *to,
        hints = {.ai_socktype = type, .ai_flags = AI_NUMERICHOST};
    int fd;

    if (getaddrinfo(address, port, &hints, &to) != 0)
        die(address, "no address");
    fd = socket(to->ai_family, type | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen) != 0)
        die("connect", strerror(errno));
    freeaddrinfo(to);
    return fd;
}

/* Byte at of every stream: no period that a window or a page could have. */
static uint8_t pattern(uint64_t at)
{
    return (uint8_t)((at * 0x9E3779B97F4A7C15u) >> 56 ^ at >> 16);
}

static int get(int fd)
{
    char buffer[4096];
    ssize_t got;

    while ((got = recv(fd, buffer, sizeof(buffer), 0)) > 0)
        fwrite(buffer, 1, (size_t)got, stdout);
    return got != 0;
}

static void stream_send(int fd, uint64_t *sent, uint64_t count)
{
    uint8_t buffer[65536];
    uint64_t size = count - *sent;
    ssize_t done;

    if (size > sizeof(buffer))
        size = sizeof(buffer);
    for (uint64_t i = 0; i < size; i++)
        buffer[i] = pattern(*sent + i);
    done = send(fd, buffer, size, MSG_NOSIGNAL);
    if (done < 0 && errno != EAGAIN)
        die("send", strerror(errno));
    *sent += done > 0 ? (uint64_t)done : 0;
    if (*sent == count)
        shutdown(fd, SHUT_WR);
}

static int stream(int fd, uint64_t count)
{
    uint64_t sent = 0, received = 0;
    uint8_t buffer[65536];

    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (;;) {
        struct pollfd event = {.fd = fd, .events = POLLIN};
        ssize_t got;

        if (sent < count)
            event.events |= POLLOUT;
        if (poll(&event, 1, SILENCE_MS) == 0)
            die("stream", "it has stalled");
        if (event.revents & POLLOUT)
            stream_send(fd, &sent, count);
        if (!(event.revents & ~POLLOUT))
            continue;
        got = recv(fd, buffer, sizeof(buffer), 0);
        if (got < 0)
            die("recv", strerror(errno));
        if (got == 0)
            break;
        for (ssize_t i = 0; i < got; i++)
            if (buffer[i] != pattern(received + (uint64_t)i))
                die("stream", "a byte differs");
        received += (uint64_t)got;
    }
    if (received != count)
        die("stream", "it ends too soon");
    return 0;
}

/* Whether the datagram number i came back as it went. */
static int datagram(int fd, uint64_t i)
{
    uint8_t out[8000], in[8192];
    size_t size = (size_t)(i * 797 % sizeof(out));
    struct pollfd event = {.fd = fd, .events = POLLIN};
    ssize_t got;

    for (size_t at = 0; at < size; at++)
        out[at] = pattern(i << 32 | at);
    for (int tries = 0; tries < 5; tries++) {
        if (send(fd, out, size, 0) < 0)
            die("send", strerror(errno));
        while (poll(&event, 1, 500) > 0) {
            got = recv(fd, in, sizeof(in), 0);
            if (got < 0)
                die("recv", strerror(errno));
            if ((size_t)got == size && memcmp(in, out, size) == 0)
                return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t count = argc > 4 ? strtoull(argv[4], NULL, 0) : 0;

    if (argc >= 4 && strcmp(argv[1], "get") == 0)
        return get(connected(argv[2], argv[3], SOCK_STREAM));
    if (argc == 5 && strcmp(argv[1], "stream") == 0)
        return stream(connected(argv[2], argv[3], SOCK_STREAM), count);
    if (argc == 5 && strcmp(argv[1], "datagrams") == 0) {
        int fd = connected(argv[2], argv[3], SOCK_DGRAM);
        for (uint64_t i = 0; i < count; i++)
            if (!datagram(fd, i))
                die("datagrams", "one is lost five times");
        return 0;
    }
    fprintf(stderr, "usage: client get|stream|datagrams ADDRESS PORT [N]\n");
    return 2;
}
