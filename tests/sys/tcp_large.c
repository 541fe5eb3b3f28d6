/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Much data through TCP, both ways at once, in pieces of odd sizes.
 *
 * Covers: read write sendto recvfrom shutdown sendfile
 * cc: -pthread
 * timeout: 20
 */
#include "net.h"
#include <pthread.h>
#include <sys/sendfile.h>

enum { SIZE = 2000003 };

static unsigned char byte_at(int stream, size_t i)
{
    return (unsigned char)((i * 31 + i / 997) ^ (unsigned)stream);
}

struct end {
    int fd, sends, receives; /* which stream goes which way */
};

static void *sender(void *argument)
{
    struct end *end = argument;
    unsigned char buffer[7001];
    size_t at = 0;

    while (at < SIZE) {
        size_t want = 1 + (at * 7 % sizeof(buffer));
        if (want > SIZE - at)
            want = SIZE - at;
        for (size_t i = 0; i < want; i++)
            buffer[i] = byte_at(end->sends, at + i);
        for (size_t done = 0; done < want;) {
            ssize_t n = send(end->fd, buffer + done, want - done, MSG_NOSIGNAL);
            CHECK(n > 0);
            done += (size_t)n;
        }
        at += want;
    }
    CHECK_EQ(shutdown(end->fd, SHUT_WR), 0);
    return NULL;
}

static void *receiver(void *argument)
{
    struct end *end = argument;
    unsigned char buffer[5003];
    size_t at = 0;
    ssize_t n;

    while ((n = recv(end->fd, buffer, 1 + at * 13 % sizeof(buffer), 0)) > 0)
        for (ssize_t i = 0; i < n; i++, at++)
            CHECK(buffer[i] == byte_at(end->receives, at));
    CHECK_EQ(n, 0);
    CHECK_EQ(at, SIZE);
    return NULL;
}

static void both_ways(int pair[2])
{
    struct end ends[2] = {{pair[0], 1, 2}, {pair[1], 2, 1}};
    pthread_t threads[4];

    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_create(&threads[i], NULL, sender, &ends[i]), 0);
        CHECK_EQ(pthread_create(&threads[i + 2], NULL, receiver, &ends[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    close(pair[0]);
    close(pair[1]);
}

/* A file straight into a socket. */
static void test_sendfile(void)
{
    static unsigned char data[300000];
    int pair[2], fd = open("file", O_RDWR | O_CREAT, 0600);
    off_t offset = 0;
    struct end end;
    pthread_t thread;

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = byte_at(9, i);
    CHECK_EQ(write(fd, data, sizeof(data)), sizeof(data));
    net_tcp_pair(AF_INET, pair);
    end = (struct end){.fd = pair[0], .sends = 1};
    CHECK_EQ(pthread_create(&thread, NULL, sender, &end), 0);
    static unsigned char sink[SIZE];
    net_read_all(pair[1], sink, SIZE);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
    size_t received = 0;
    while (received < sizeof(data)) {
        ssize_t n =
            sendfile(pair[1], fd, &offset, sizeof(data) - (size_t)offset);
        CHECK(n >= 0 || errno == EAGAIN);
        n = recv(pair[0], sink + received, sizeof(data) - received,
                 MSG_DONTWAIT);
        CHECK(n > 0 || errno == EAGAIN);
        received += n > 0 ? (size_t)n : 0;
        if (n < 0)
            net_poll(pair[0], POLLIN, 20);
    }
    CHECK(!memcmp(sink, data, sizeof(data)));
    close(pair[0]);
    close(pair[1]);
    close(fd);
}

int main(void)
{
    int pair[2];

    check_scratch();
    net_tcp_pair(AF_INET, pair);
    both_ways(pair);
    net_tcp_pair(AF_INET6, pair);
    both_ways(pair);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    both_ways(pair);
    test_sendfile();
    return 0;
}
