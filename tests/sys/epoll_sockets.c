/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small server on epoll: edge triggered, many connections, all answered.
 *
 * Covers: epoll_create1 epoll_ctl epoll_wait accept4
 * cc: -pthread
 */
#include "net.h"
#include <pthread.h>
#include <sys/epoll.h>

enum { CLIENTS = 40, ROUNDS = 10 };

static int port;

static void *client(void *argument)
{
    int fd = net_connect(AF_INET, port);
    char out[32], in[32];

    for (int i = 0; i < ROUNDS; i++) {
        int size = snprintf(out, sizeof(out), "%d:%d", (int)(long)argument, i);
        CHECK_EQ(write(fd, out, (size_t)size), size);
        net_read_all(fd, in, (size_t)size);
        CHECK(!memcmp(in, out, (size_t)size));
    }
    close(fd);
    return NULL;
}

static int serve(int ep, int fd)
{
    char buffer[256];
    ssize_t n;

    while ((n = read(fd, buffer, sizeof(buffer))) > 0)
        CHECK_EQ(write(fd, buffer, (size_t)n), n);
    if (n < 0) {
        CHECK_EQ(errno, EAGAIN);
        return 0;
    }
    close(fd); /* takes it out of the epoll set */
    return 1;
}

int main(void)
{
    int ep = epoll_create1(0), listener = net_listener(AF_INET, &port);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    struct epoll_event ready[8];
    pthread_t threads[CLIENTS];
    int finished = 0;

    CHECK_EQ(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
    CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, listener, &event), 0);
    for (long i = 0; i < CLIENTS; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, client, (void *)i), 0);
    while (finished < CLIENTS) {
        int count = epoll_wait(ep, ready, 8, 5000);
        CHECK(count > 0);
        for (int i = 0; i < count; i++) {
            int fd = ready[i].data.fd;
            if (fd != listener) {
                finished += serve(ep, fd);
                continue;
            }
            while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                event = (struct epoll_event){.events = EPOLLIN | EPOLLOUT |
                                                       EPOLLRDHUP | EPOLLET,
                                             .data.fd = fd};
                CHECK_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event), 0);
            }
            CHECK_EQ(errno, EAGAIN);
        }
    }
    for (int i = 0; i < CLIENTS; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(epoll_wait(ep, ready, 8, 0), 0);
    close(listener);
    close(ep);
    return 0;
}
