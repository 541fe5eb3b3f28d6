/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The nth failure in a server under load: a thread that serves by epoll, and
 * clients in threads of their own, over the loopback interface (fault.h). Some
 * of them may fail, each with an error of memory's; nobody waits for ever, and
 * when the round is over another one has all of its memory.
 *
 * skip: linux fails no memory on demand
 * option: fault=off
 * memory: 16M
 * cc: -pthread
 * timeout: 60
 */
#include "fault.h"

#include <pthread.h>
#include <sys/epoll.h>

enum { CLIENTS = 4, REQUESTS = 3, SIZE = 4000, WAIT_S = 8 };

static int listener, epoll, stop_pipe[2], port;
static int errors[CLIENTS + 1]; /* of the clients, then of the server */

static void note(int who)
{
    if (errors[who] == 0)
        errors[who] = errno;
}

/* Echoes what has come; true if the connection is over. */
static bool answer(int fd)
{
    char text[SIZE];
    ssize_t size = read(fd, text, sizeof(text));

    if (size <= 0)
        return true;
    for (ssize_t at = 0; at < size;) {
        ssize_t done = send(fd, text + at, (size_t)(size - at), MSG_NOSIGNAL);
        if (done < 0)
            return true;
        at += done;
    }
    return false;
}

/* Takes the next connection and watches it; notes what fails. */
static void take(bool open[FAULT_FDS])
{
    int fd = accept(listener, NULL, NULL);

    if (fd < 0) {
        note(CLIENTS);
        return;
    }
    CHECK(fd < FAULT_FDS);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    open[fd] = epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
    if (!open[fd]) {
        note(CLIENTS);
        CHECK_EQ(close(fd), 0); /* the client sees it */
    }
}

static void *serve(void *argument)
{
    struct epoll_event events[8];
    bool open[FAULT_FDS] = {false};

    for (;;) {
        int count = epoll_wait(epoll, events, 8, WAIT_S * 1000);
        if (count < 0 && errno == ENOMEM)
            continue;
        CHECK(count > 0);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                take(open);
            } else if (fd == stop_pipe[0]) {
                /* A client's end may be lost, as on a wire. */
                for (fd = 0; fd < FAULT_FDS; fd++)
                    if (open[fd])
                        CHECK_EQ(close(fd), 0);
                return NULL;
            } else if (answer(fd)) {
                open[fd] = false;
                CHECK_EQ(close(fd), 0);
            }
        }
    }
}

/* Exactly one request and its answer; false if the connection is over. */
static bool ask(int fd, int who)
{
    char text[SIZE], got[SIZE];

    memset(text, 'a' + who, sizeof(text));
    if (send(fd, text, sizeof(text), MSG_NOSIGNAL) != (ssize_t)sizeof(text)) {
        note(who);
        return false;
    }
    for (size_t have = 0; have < sizeof(got);) {
        ssize_t size = read(fd, got + have, sizeof(got) - have);
        CHECK(size >= 0 || errno != EAGAIN); /* WAIT_S is over */
        if (size <= 0)
            return false;
        have += (size_t)size;
    }
    CHECK(memcmp(text, got, sizeof(got)) == 0);
    return true;
}

static void *client(void *argument)
{
    int who = (int)(intptr_t)argument;
    struct timeval wait = {WAIT_S, 0};
    struct linger now = {1, 0};
    union net_address to;
    socklen_t size = net_loopback(&to, AF_INET, port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0) {
        note(who);
        return NULL;
    }
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    if (connect(fd, &to.any, size) < 0)
        note(who);
    else
        for (int i = 0; i < REQUESTS && ask(fd, who); i++)
            ;
    CHECK_EQ(close(fd), 0);
    return NULL;
}

static int round_of(struct fault_held *h)
{
    struct epoll_event event = {.events = EPOLLIN};
    union net_address a;
    socklen_t size = net_loopback(&a, AF_INET, 0);
    pthread_t server, clients[CLIENTS];
    int error, count = 0;

    if (!fault_ok(h, pipe(stop_pipe)))
        return h->error;
    fault_fd(h, stop_pipe[0]);
    fault_fd(h, stop_pipe[1]);
    if (!fault_fd(h, listener = socket(AF_INET, SOCK_STREAM, 0)) ||
        !fault_ok(h, bind(listener, &a.any, size)) ||
        !fault_ok(h, listen(listener, 8)) ||
        !fault_ok(h, getsockname(listener, &a.any, &size)) ||
        !fault_fd(h, epoll = epoll_create1(0)))
        return h->error;
    port = ntohs(a.v4.sin_port);
    CHECK_EQ(fcntl(listener, F_SETFL, O_NONBLOCK), 0);
    event.data.fd = listener;
    if (!fault_ok(h, epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event)))
        return h->error;
    event.data.fd = stop_pipe[0];
    if (!fault_ok(h, epoll_ctl(epoll, EPOLL_CTL_ADD, stop_pipe[0], &event)))
        return h->error;
    error = pthread_create(&server, NULL, serve, NULL);
    if (error != 0)
        return error;
    for (; count < CLIENTS && error == 0; count += error == 0)
        error = pthread_create(&clients[count], NULL, client,
                               (void *)(intptr_t)count);
    for (int i = 0; i < count; i++)
        CHECK_EQ(pthread_join(clients[i], NULL), 0);
    /* Its page was taken when the first byte went through: retried. */
    while (write(stop_pipe[1], "x", 1) != 1)
        CHECK_EQ(errno, ENOMEM);
    CHECK_EQ(pthread_join(server, NULL), 0);
    return error;
}

static int load(void)
{
    struct fault_held h = {0};
    int error;

    memset(errors, 0, sizeof(errors));
    error = round_of(&h);
    fault_release(&h);
    for (int i = 0; i <= CLIENTS && error == 0; i++)
        error = errors[i];
    /* What a client sees of a server's failure is an end, not an error. */
    return error == ECONNRESET || error == EPIPE || error == ECONNREFUSED
               ? ENOMEM
               : error;
}

int main(void)
{
    static const struct fault_scenario list[] = {{"server", load, 96}};

    setvbuf(stdout, NULL, _IOLBF, 256);
    fault_run(list, 1);
    return 0;
}
