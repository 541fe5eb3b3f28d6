/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guest of tests/net/run: what comes to port 7 goes back, over TCP and
 * UDP, and a connection to port 9 is told how the network stands: a line for
 * each address, name server and name looked up.
 */
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int bound(int type, int port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                   .sin6_port = htons((uint16_t)port)};
    int fd = socket(AF_INET6, type, 0), one = 1;

    if (fd < 0)
        die("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        die("bind");
    if (type == SOCK_STREAM && listen(fd, 64) != 0)
        die("listen");
    return fd;
}

static void *echo_stream(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char buffer[16384];
    ssize_t got;

    while ((got = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
        for (ssize_t at = 0, sent; at < got; at += sent) {
            sent = send(fd, buffer + at, (size_t)(got - at), 0);
            if (sent < 0)
                goto end;
        }
    }
end:
    close(fd);
    return NULL;
}

static void *echo_datagrams(void *argument)
{
    int fd = bound(SOCK_DGRAM, 7);
    static char buffer[65536];

    for (;;) {
        struct sockaddr_in6 from;
        socklen_t size = sizeof(from);
        ssize_t got = recvfrom(fd, buffer, sizeof(buffer), 0,
                               (struct sockaddr *)&from, &size);
        if (got >= 0)
            sendto(fd, buffer, (size_t)got, 0, (struct sockaddr *)&from, size);
    }
    return NULL;
}

static void tell_address(FILE *to, const char *name,
                         const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN];

    if (address && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)address)->sin_addr,
                  text, sizeof(text));
    else if (address && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr,
                  text, sizeof(text));
    else
        return;
    fprintf(to, "%s %s\n", name, text);
}

static void tell_name(FILE *to, const char *name)
{
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};

    if (getaddrinfo(name, NULL, &hints, &found) != 0) {
        fprintf(to, "%s unknown\n", name);
        return;
    }
    for (struct addrinfo *one = found; one; one = one->ai_next)
        tell_address(to, name, one->ai_addr);
    freeaddrinfo(found);
}

static void *tell(void *argument)
{
    int listener = bound(SOCK_STREAM, 9);

    for (;;) {
        struct ifaddrs *all;
        char line[256];
        FILE *to = fdopen(accept(listener, NULL, NULL), "w"), *servers;

        if (!to)
            die("accept");
        if (getifaddrs(&all) == 0) {
            for (struct ifaddrs *one = all; one; one = one->ifa_next)
                tell_address(to, one->ifa_name, one->ifa_addr);
            freeifaddrs(all);
        }
        servers = fopen("/etc/resolv.conf", "r");
        while (servers && fgets(line, sizeof(line), servers))
            fputs(line, to);
        if (servers)
            fclose(servers);
        tell_name(to, "localhost");
        fclose(to);
    }
    return NULL;
}

int main(void)
{
    int listener = bound(SOCK_STREAM, 7);
    pthread_t thread;

    signal(SIGPIPE, SIG_IGN);
    if (pthread_create(&thread, NULL, echo_datagrams, NULL) != 0 ||
        pthread_create(&thread, NULL, tell, NULL) != 0)
        die("pthread_create");
    printf("peer: listening\n");
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            die("accept");
        if (pthread_create(&thread, NULL, echo_stream, (void *)(intptr_t)fd))
            close(fd);
        else
            pthread_detach(thread);
    }
}
