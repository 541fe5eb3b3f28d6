/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections leave no memory behind. As leaks.c, for sockets; a few pages
 * may lie half used at the one moment and not at the other, but what is lost
 * in each round would be far more.
 *
 * Covers: socket connect accept close shutdown
 * timeout: 20
 */
#include "net.h"

enum { WARM_UP = 40, ROUNDS = 240, SLACK_KIB = 16 };

static long free_kb(void)
{
    static char text[4096];
    int fd = open("/proc/meminfo", O_RDONLY);
    ssize_t size = read(fd, text, sizeof(text) - 1);

    CHECK(size > 0);
    text[size] = 0;
    close(fd);
    const char *at = strstr(text, "MemFree:");
    CHECK(at != NULL);
    return strtol(at + 8, NULL, 10);
}

/* A connection reset by both sides: nothing waits for old segments. */
static void tcp(int family)
{
    static char data[30000];
    struct linger now = {1, 0};
    int pair[2];

    net_tcp_pair(family, pair);
    CHECK_EQ(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    CHECK(write(pair[0], data, sizeof(data)) > 0);
    CHECK(read(pair[1], data, 1000) > 0);
    CHECK_EQ(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    CHECK_EQ(setsockopt(pair[1], SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(pair[0]); /* with data on the way */
    close(pair[1]);
}

static void udp(int family)
{
    union net_address to;
    int port, server = net_bound(family, SOCK_DGRAM, &port);
    int client = socket(family, SOCK_DGRAM, 0);
    socklen_t size = net_loopback(&to, family, port);

    for (int i = 0; i < 5; i++)
        CHECK_EQ(sendto(client, "left unread", 11, 0, &to.any, size), 11);
    close(client);
    close(server);
}

static void others(void)
{
    union net_address a;
    int port, listener = net_listener(AF_INET, &port);
    int waiting = net_connect(AF_INET, port); /* never accepted */
    int refused = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = net_loopback(&a, AF_INET, 1);
    struct linger now = {1, 0};

    CHECK_ERR(connect(refused, &a.any, size), ECONNREFUSED);
    CHECK_EQ(setsockopt(waiting, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    close(waiting);
    close(listener);
    close(refused);
}

static void round_of_all(void)
{
    tcp(AF_INET);
    tcp(AF_INET6);
    udp(AF_INET);
    udp(AF_INET6);
    others();
}

int main(void)
{
    int open_before = check_open_descriptors();

    for (int i = 0; i < WARM_UP; i++)
        round_of_all();
    check_sleep_ms(300); /* what is still on its way arrives */
    long before = free_kb();
    for (int i = 0; i < ROUNDS; i++)
        round_of_all();
    check_sleep_ms(300);
    long after = free_kb();
    CHECK_EQ(check_open_descriptors(), open_before);
    if (check_unikernel() && after < before - SLACK_KIB) {
        fprintf(stderr, "%s:%d: %ld KiB free before, %ld after %d rounds\n",
                __FILE__, __LINE__, before, after, ROUNDS);
        return 1;
    }
    return 0;
}
