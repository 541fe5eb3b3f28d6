/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets of a provider (halvm/net.h) that come to their end: close() while the
 * provider lets the socket go, or the service ends; a service that ends while
 * calls wait; what the provider says is broken; more connections than fit.
 * cc: -pthread
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <halvm/net.h>

#include "net.h"

#define ROUNDS 3000

static struct halvm_service *service;
static volatile int pipes;

static void start(void)
{
    int domain = AF_INET;

    service = halvm_service_new("test");
    CHECK(service != NULL);
    CHECK_EQ(halvm_net_install(service, &domain, 1), 0);
}

/* The next event of a kind; what else comes is forgotten. */
static struct halvm_event next(int kind)
{
    for (;;) {
        struct halvm_event *event = halvm_service_take(service);
        struct halvm_event copy = {.kind = -1};
        if (event) {
            copy = *event;
            halvm_event_free(event);
        }
        if (copy.kind == kind)
            return copy;
        if (!event)
            check_sleep_ms(1);
    }
}

/* A stream that is connected, and its event. */
static int connected(struct halvm_event *opened)
{
    struct sockaddr_in to = net_provided(7);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    CHECK(fd >= 0);
    *opened = next(HALVM_NET_OPEN);
    CHECK_ERR(connect(fd, NET_ADDRESS(to)), EINPROGRESS);
    CHECK_EQ(halvm_net_connected(service, opened->id), 0);
    CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
    return fd;
}

/* -- close() against the provider's, and the service's end -- */

static volatile int turn, done;

static void *close_later(void *argument)
{
    int *fds = argument;

    for (int round = 1; round <= ROUNDS; round++) {
        while (turn < round)
            sched_yield();
        CHECK_EQ(close(fds[round % 2]), 0);
        done = round;
    }
    return NULL;
}

static void both_close(void)
{
    int fds[2];
    pthread_t thread;

    start();
    turn = done = 0;
    CHECK_EQ(pthread_create(&thread, NULL, close_later, fds), 0);
    for (int round = 1; round <= ROUNDS; round++) {
        fds[round % 2] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(fds[round % 2] >= 0);
        uint64_t id = next(HALVM_NET_OPEN).id;
        turn = round;
        for (int i = round % 16; i > 0; i--)
            sched_yield();
        CHECK_EQ(halvm_net_close(service, id), 0);
        while (done < round)
            sched_yield();
        CHECK_EQ(halvm_net_close(service, id), -ESRCH);
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
    halvm_service_end(service);
}

static void close_and_end(void)
{
    int fds[2];
    pthread_t thread;

    turn = done = 0;
    CHECK_EQ(pthread_create(&thread, NULL, close_later, fds), 0);
    for (int round = 1; round <= ROUNDS; round++) {
        start();
        fds[round % 2] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(fds[round % 2] >= 0);
        turn = round;
        for (int i = round % 16; i > 0; i--)
            sched_yield();
        halvm_service_end(service);
        while (done < round)
            sched_yield();
    }
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

/* -- the end of a service whose sockets are in use -- */

struct caller {
    int fd, error;
    bool writes;
};

static void *call_blocking(void *argument)
{
    static char much[4096];
    struct caller *caller = argument;
    ssize_t result;

    /* A write that has begun is no error. */
    for (size_t size = sizeof much; caller->writes && size > 0; size /= 64)
        while (send(caller->fd, much, size, MSG_DONTWAIT) > 0)
            ;
    result =
        caller->writes ? write(caller->fd, much, 1) : read(caller->fd, much, 1);
    caller->error = result < 0 ? errno : 0;
    return NULL;
}

static void on_pipe(int signal)
{
    pipes++;
}

/* Those who wait get ENETDOWN, and no signal; the provider's ends stay open
 * for it until it lets them go. */
static void end_in_use(bool given_up)
{
    struct halvm_event opened[3];
    struct caller callers[2];
    pthread_t threads[2];
    int fds[3];
    char byte;

    start();
    for (int i = 0; i < 3; i++)
        fds[i] = connected(&opened[i]);
    callers[0] = (struct caller){.fd = fds[0]};
    callers[1] = (struct caller){.fd = fds[1], .writes = true};
    /* What the provider has not read makes no ECONNRESET of it. */
    CHECK_EQ(write(fds[0], "unread", 6), 6);
    for (int i = 0; i < 2; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, call_blocking, &callers[i]),
                 0);
    check_sleep_ms(30);
    if (given_up)
        halvm_service_patience(service, 100);
    else
        halvm_service_end(service);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
        CHECK_EQ(callers[i].error, ENETDOWN);
    }
    CHECK_EQ(pipes, 0);
    if (given_up) {
        CHECK(halvm_service_ended(service) != NULL);
        CHECK_EQ(close(fds[2]), 0);
        for (int i = 0; i < 3; i++)
            CHECK(fcntl(opened[i].fd, F_GETFD) >= 0);
        CHECK_EQ(recv(opened[2].fd, &byte, 1, MSG_DONTWAIT), 0);
        CHECK_EQ(halvm_net_close(service, opened[0].id), 0);
        CHECK_EQ(halvm_net_close(service, opened[2].id), 0);
        CHECK_EQ(halvm_net_close(service, opened[2].id), -ESRCH);
        CHECK_ERR(fcntl(opened[0].fd, F_GETFD), EBADF);
        CHECK(fcntl(opened[1].fd, F_GETFD) >= 0);
        CHECK_EQ(halvm_net_install(service, &(int){AF_INET}, 1), -ENETDOWN);
        halvm_service_end(service);
    } else {
        CHECK_EQ(close(fds[2]), 0);
    }
    CHECK_ERR(fcntl(opened[1].fd, F_GETFD), EBADF);
    CHECK_EQ(close(fds[0]), 0);
    CHECK_EQ(close(fds[1]), 0);
}

/* One who has closed his side for writing is told, unless he asked not to be.
 */
static void broken_pipe(void)
{
    struct halvm_event opened;
    int fd;

    start();
    fd = connected(&opened);
    CHECK_EQ(shutdown(fd, SHUT_WR), 0);
    CHECK_ERR(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_EQ(pipes, 0);
    CHECK_ERR(write(fd, "x", 1), EPIPE);
    CHECK_EQ(pipes, 1);
    CHECK_EQ(close(fd), 0);
    halvm_service_end(service);
}

/* -- what is broken -- */

static void broken(void)
{
    struct sockaddr_in to = net_provided(80);
    struct halvm_event opened;
    char byte;
    int fd;

    start();
    /* A socket that is nothing yet. */
    fd = socket(AF_INET, SOCK_STREAM, 0);
    opened = next(HALVM_NET_OPEN);
    CHECK_EQ(halvm_net_broken(service, opened.id, ENOBUFS), 0);
    CHECK_ERR(connect(fd, NET_ADDRESS(to)), ENOBUFS);
    CHECK_ERR(connect(fd, NET_ADDRESS(to)), EINVAL);
    CHECK_EQ(close(fd), 0);
    /* One that listens. */
    fd = socket(AF_INET, SOCK_STREAM, 0);
    opened = next(HALVM_NET_OPEN);
    CHECK_EQ(bind(fd, NET_ADDRESS(to)), 0);
    CHECK_EQ(listen(fd, 5), 0);
    CHECK_EQ(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 0), 0);
    CHECK_EQ(halvm_net_broken(service, opened.id, EADDRINUSE), 0);
    CHECK_EQ(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 2000), 1);
    CHECK_ERR(accept(fd, NULL, NULL), EADDRINUSE);
    CHECK_EQ(close(fd), 0);
    /* Datagrams. */
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    opened = next(HALVM_NET_OPEN);
    CHECK_EQ(halvm_net_broken(service, opened.id, ENETUNREACH), 0);
    CHECK_ERR(recv(fd, &byte, 1, 0), ENETUNREACH);
    CHECK_ERR(recv(fd, &byte, 1, 0), ENETDOWN);
    CHECK_EQ(close(fd), 0);
    halvm_service_end(service);
}

/* -- the backlog -- */

/* Every connection that is taken is found by accept, however many fit. */
static void crowd(void)
{
    struct sockaddr_in here = net_provided(80);
    int listener, taken = 0, result, fd;
    uint64_t id, other;

    start();
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    id = next(HALVM_NET_OPEN).id;
    CHECK_EQ(bind(listener, NET_ADDRESS(here)), 0);
    CHECK_EQ(listen(listener, 400), 0);
    while ((result = halvm_net_incoming(service, id, &here, sizeof here, &here,
                                        sizeof here, &other)) >= 0)
        taken++;
    CHECK(result == -ECONNREFUSED || result == -EMFILE);
    CHECK(taken > 100);
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        taken--;
        CHECK_EQ(close(fd), 0);
    }
    CHECK_EQ(errno, EAGAIN);
    CHECK_EQ(taken, 0);
    /* Those whom nobody accepts go with it. */
    CHECK(halvm_net_incoming(service, id, &here, sizeof here, &here,
                             sizeof here, &other) >= 0);
    CHECK_EQ(close(listener), 0);
    while (next(HALVM_NET_CLOSE).id != other)
        ;
    CHECK_EQ(halvm_net_close(service, other), 0);
    halvm_service_end(service);
}

int main(void)
{
    int before;

    signal(SIGPIPE, on_pipe);
    start();
    halvm_service_end(service);
    before = check_open_descriptors();
    both_close();
    close_and_end();
    end_in_use(false);
    end_in_use(true);
    broken_pipe();
    broken();
    crowd();
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
