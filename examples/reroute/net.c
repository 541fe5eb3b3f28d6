/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A network of the program's own: every address of IPv4 answers on every port,
 * with what it is sent in capital letters; but nobody is at port 9. The client
 * below is what any library would do, and knows nothing of it.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <halvm/net.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKETS 16

/* -- the network: a thread -- */

struct end {
    uint64_t id; /* 0: free */
    int fd;      /* ours of the pair */
    int connected;
};

static struct end *end_of(struct end ends[SOCKETS], uint64_t id)
{
    for (int i = 0; i < SOCKETS; i++)
        if (ends[i].id == id)
            return &ends[i];
    return NULL;
}

static void connect_to(struct halvm_service *service, struct end *end,
                       const struct halvm_event *event)
{
    struct sockaddr_in to;

    memcpy(&to, event->data, sizeof to);
    if (to.sin_port == htons(9)) {
        halvm_net_failed(service, event->id, ECONNREFUSED);
        return;
    }
    halvm_net_connected(service, event->id);
    end->connected = 1;
}

static void obey(struct halvm_service *service, struct end ends[SOCKETS],
                 const struct halvm_event *event)
{
    struct end *end = end_of(ends, event->id);

    if (event->kind == HALVM_NET_OPEN) {
        end = end_of(ends, 0);
        if (end)
            *end = (struct end){event->id, event->fd, 0};
        else
            halvm_net_close(service, event->id); /* more than we can have */
    } else if (event->kind == HALVM_NET_CONNECT && end) {
        connect_to(service, end, event);
    } else if (event->kind == HALVM_NET_CLOSE) {
        halvm_net_close(service, event->id);
        if (end)
            end->id = 0;
    }
}

/* What came goes back. Its end of the pair does not block; a network that is
 * to carry much would keep what does not fit and poll for POLLOUT. */
static void answer(struct end *end)
{
    char text[512];
    ssize_t size = recv(end->fd, text, sizeof text, 0);

    for (ssize_t i = 0; i < size; i++)
        text[i] = (char)toupper((unsigned char)text[i]);
    if (size > 0 && send(end->fd, text, (size_t)size, MSG_NOSIGNAL) == size)
        return;
    shutdown(end->fd, SHUT_WR); /* its end, or ours */
    end->connected = 0;
}

static void *network(void *argument)
{
    struct halvm_service *service = argument;
    struct end ends[SOCKETS] = {0};
    struct halvm_event *event;

    while (!halvm_service_ended(service)) {
        struct pollfd ready[SOCKETS + 1] = {
            {halvm_service_fd(service), POLLIN, 0}};
        for (int i = 0; i < SOCKETS; i++)
            ready[i + 1] = (struct pollfd){
                ends[i].id && ends[i].connected ? ends[i].fd : -1, POLLIN, 0};
        poll(ready, SOCKETS + 1, -1);
        for (int i = 0; i < SOCKETS; i++)
            if (ready[i + 1].revents)
                answer(&ends[i]);
        while ((event = halvm_service_take(service)) != NULL) {
            obey(service, ends, event);
            halvm_event_free(event);
        }
    }
    return NULL;
}

/* -- a client -- */

static int ask(const char *address, int port, const char *question)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
    char text[100];
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    inet_pton(AF_INET, address, &to.sin_addr);
    printf("%s port %d: ", address, port);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        printf("%s\n", strerror(errno));
        close(fd);
        return -1;
    }
    ssize_t size = write(fd, question, strlen(question));
    shutdown(fd, SHUT_WR);
    for (size_t got = 0; size > 0; got += (size_t)size) {
        size = read(fd, text + got, sizeof text - 1 - got);
        text[got + (size > 0 ? (size_t)size : 0)] = '\0';
    }
    printf("%s\n", text);
    close(fd);
    return size < 0 ? -1 : 0;
}

int main(void)
{
    struct halvm_service *service = halvm_service_new("capitals");
    int domain = AF_INET;
    pthread_t thread;

    if (!service || halvm_net_install(service, &domain, 1) < 0 ||
        pthread_create(&thread, NULL, network, service) != 0)
        return 1;
    int good = ask("192.0.2.1", 7, "who is there?") == 0;
    good += ask("198.51.100.20", 80, "and here?") == 0;
    good += ask("192.0.2.1", 9, "anybody?") == -1;
    return good == 3 ? 0 : 1;
}
