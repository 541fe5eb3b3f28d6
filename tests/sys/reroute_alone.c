/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one thread of a program serves a network, and uses it: whatever would
 * wait for itself is told so at once, and waits that others can end are waits.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <halvm/net.h>

#include "check.h"

static struct halvm_service *service;

/* Serves what has been asked for; how many sockets were opened. */
static int serve(int *far)
{
    struct halvm_event *event;
    int opened = 0;

    while ((event = halvm_service_take(service)) != NULL) {
        if (event->kind == HALVM_NET_OPEN) {
            *far = event->fd;
            opened++;
        } else if (event->kind == HALVM_NET_CONNECT) {
            CHECK_EQ(halvm_net_connected(service, event->id), 0);
        } else if (event->kind == HALVM_NET_CLOSE) {
            CHECK_EQ(halvm_net_close(service, event->id), 0);
        }
        halvm_event_free(event);
    }
    return opened;
}

static void stream(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), far = -1, pipes[2];
    struct pollfd in[2] = {{fd, POLLIN, 0}, {-1, POLLIN, 0}};
    struct pollfd out = {fd, POLLOUT, 0};
    sigset_t none;
    char byte;

    sigemptyset(&none);
    CHECK_ERR(connect(fd, (struct sockaddr *)&to, sizeof to), EINPROGRESS);
    CHECK_ERR(poll(&out, 1, -1), EDEADLK); /* until it is connected */
    CHECK_EQ(poll(&out, 1, 10), 0);        /* this comes to an end */
    CHECK_EQ(serve(&far), 1);
    CHECK_EQ(poll(&out, 1, -1), 1);
    CHECK_EQ(out.revents, POLLOUT);
    CHECK_ERR(read(fd, &byte, 1), EAGAIN);
    CHECK_ERR(poll(in, 2, -1), EDEADLK);
    CHECK_ERR(ppoll(in, 1, NULL, &none), EDEADLK);
    CHECK_EQ(write(far, "x", 1), 1);
    CHECK_EQ(poll(in, 2, -1), 1);
    CHECK_EQ(ppoll(in, 1, NULL, NULL), 1);
    CHECK_EQ(read(fd, &byte, 1), 1);
    /* Others can write to a pipe. */
    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(write(pipes[1], "x", 1), 1);
    in[1].fd = pipes[0];
    CHECK_EQ(poll(in, 2, -1), 1);
    CHECK_ERR(poll(check_bad_pointer(), 1, -1), EFAULT);
    close(pipes[0]);
    close(pipes[1]);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(serve(&far), 0);
}

/* It does not even ask. */
static void names(void)
{
    struct addrinfo *list;
    char host[64];
    struct sockaddr_in address = {.sin_family = AF_INET};
    int far;

    CHECK_EQ(getaddrinfo("name.test", "80", NULL, &list), EAI_AGAIN);
    CHECK_EQ(serve(&far), 0);
    CHECK_EQ(getaddrinfo("192.0.2.1", "80", NULL, &list), 0);
    freeaddrinfo(list);
    address.sin_addr.s_addr = htonl(0xc0000201);
    CHECK_EQ(getnameinfo((struct sockaddr *)&address, sizeof address, host,
                         sizeof host, NULL, 0, 0),
             0);
    CHECK(strcmp(host, "192.0.2.1") == 0);
    CHECK_EQ(serve(&far), 0);
}

int main(void)
{
    int domain = AF_INET;

    service = halvm_service_new("alone");
    CHECK(service != NULL);
    halvm_service_owner(service, gettid());
    CHECK_EQ(halvm_net_install(service, &domain, 1), 0);
    stream();
    names();
    halvm_service_end(service);
    return 0;
}
