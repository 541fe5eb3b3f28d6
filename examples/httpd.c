/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small HTTP/1.1 server: one thread, poll(), keep-alive, pipelining.
 *
 *     httpd [FOLDER]          PORT in the environment, 8080 if unset
 *     httpd -p PORT [FOLDER]
 *
 * Without a folder every path answers a page of 13 bytes, which is what the
 * benchmarks ask for. With one, its files are served: GET and HEAD,
 * index.html for a folder, 404 for what is not there, and no way out of it.
 * SIGTERM and SIGINT end it with status 0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 1024,
    REQUEST_SIZE_MAX = 8192, /* bytes of a request line with its headers */
    CHUNK_SIZE = 16384       /* bytes of a file sent at a time */
};

struct connection {
    size_t in_size;  /* bytes in in[] */
    size_t out_size; /* bytes in out[], out_sent of them are gone */
    size_t out_sent;
    off_t file_left; /* bytes of file still to be put into out[] */
    int file;        /* -1: none */
    bool closing;    /* close once everything is sent */
    bool old;        /* HTTP/1.0: must be told that the connection stays */
    char in[REQUEST_SIZE_MAX];
    char out[CHUNK_SIZE];
};

static struct pollfd polled[CONNECTIONS_MAX + 1]; /* [0] listens */
static struct connection *connections[CONNECTIONS_MAX + 1];
static int polled_count = 1;
static int folder = -1; /* descriptor of the folder served, -1: none */
static volatile sig_atomic_t stopping;

static void on_stop(int number)
{
    stopping = 1;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* -- connections: polled[i] and connections[i] belong together -- */

static void connection_open(int fd)
{
    struct connection *connection = NULL;
    int one = 1;

    if (polled_count <= CONNECTIONS_MAX)
        connection = malloc(sizeof(*connection));
    if (!connection) {
        close(fd); /* the peer sees a reset and may come again */
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    connection->in_size = connection->out_size = connection->out_sent = 0;
    connection->file_left = 0;
    connection->file = -1;
    connection->closing = false;
    polled[polled_count] = (struct pollfd){.fd = fd, .events = POLLIN};
    connections[polled_count++] = connection;
}

static void connection_close(int i)
{
    if (connections[i]->file >= 0)
        close(connections[i]->file);
    close(polled[i].fd);
    free(connections[i]);
    polled_count--;
    polled[i] = polled[polled_count];
    connections[i] = connections[polled_count];
}

/* -- answers -- */

static const char *content_type(const char *path)
{
    static const char types[][2][32] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".ico", "image/x-icon"},
    };
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
        if (!strcmp(dot, types[i][0]))
            return types[i][1];
    return "application/octet-stream";
}

static const char *connection_header(const struct connection *c)
{
    if (c->closing)
        return "Connection: close\r\n";
    return c->old ? "Connection: keep-alive\r\n" : "";
}

static void answer_text(struct connection *c, const char *status,
                        const char *text, bool head)
{
    c->out_size += (size_t)snprintf(
        c->out + c->out_size, sizeof(c->out) - c->out_size,
        "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: %zu\r\n%s\r\n%s",
        status, strlen(text), connection_header(c), head ? "" : text);
}

/* The benchmark's page, ready made: the usual case formats nothing. */
static void answer_fixed(struct connection *c)
{
    static const char page[] = "HTTP/1.1 200 OK\r\n"
                               "Content-Type: text/plain\r\n"
                               "Content-Length: 13\r\n\r\n"
                               "Hello, world\n";

    memcpy(c->out + c->out_size, page, sizeof(page) - 1);
    c->out_size += sizeof(page) - 1;
}

/* Decodes %XX in place and refuses what could leave the folder: a component
 * "..", a NUL, a leading slash. Returns the relative path or NULL. */
static char *safe_path(char *url)
{
    char *out = url, *in = url;

    for (; *in && *in != '?' && *in != '#'; in++) {
        unsigned value;
        if (*in == '%') {
            if (sscanf(in + 1, "%2x", &value) != 1 || !in[1] || !in[2] ||
                value == 0)
                return NULL;
            *out++ = (char)value;
            in += 2;
        } else {
            *out++ = *in;
        }
    }
    *out = 0;
    while (*url == '/')
        url++;
    for (char *part = url; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (part[0] == '.' && part[1] == '.' && (!part[2] || part[2] == '/'))
            return NULL;
    }
    return *url ? url : strcpy(url, ".");
}

static void answer_file(struct connection *c, char *url, bool head)
{
    char path[REQUEST_SIZE_MAX + 16];
    char *name = safe_path(url);
    struct stat st;
    int fd = -1;

    if (!name) {
        answer_text(c, "400 Bad Request", "bad request\n", head);
        return;
    }
    snprintf(path, sizeof(path), "%s", name);
    if (fstatat(folder, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
        strcat(path, "/index.html");
    fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        if (fd >= 0)
            close(fd);
        answer_text(c, "404 Not Found", "not found\n", head);
        return;
    }
    c->out_size += (size_t)snprintf(
        c->out + c->out_size, sizeof(c->out) - c->out_size,
        "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %lld\r\n%s\r\n",
        content_type(path), (long long)st.st_size, connection_header(c));
    if (head || st.st_size == 0) {
        close(fd);
    } else {
        c->file = fd;
        c->file_left = st.st_size;
    }
}

/* -- requests -- */

/* The value of a header of the request, or NULL. */
static const char *header(const char *headers, const char *name)
{
    size_t size = strlen(name);

    for (const char *line = headers; line; line = strstr(line, "\r\n")) {
        line += line[0] == '\r' ? 2 : 0;
        if (!strncasecmp(line, name, size) && line[size] == ':')
            return line + size + 1 + strspn(line + size + 1, " \t");
        if (line[0] == '\r' || line[0] == 0)
            break;
    }
    return NULL;
}

/* request is one whole request, its final blank line replaced by NUL. */
static void answer(struct connection *c, char *request)
{
    char *url = strchr(request, ' ');
    char *version = url ? strchr(url + 1, ' ') : NULL;
    char *headers = strstr(request, "\r\n");
    bool head = !strncmp(request, "HEAD ", 5);
    const char *wish = headers ? header(headers, "Connection") : NULL;

    c->old = version && !strncmp(version + 1, "HTTP/1.0", 8);
    if (wish ? !strncasecmp(wish, "close", 5) : c->old)
        c->closing = true;
    if (!version || strncmp(version + 1, "HTTP/1.", 7)) {
        c->closing = true;
        answer_text(c, "400 Bad Request", "bad request\n", head);
    } else if (!head && strncmp(request, "GET ", 4)) {
        c->closing = true; /* a body may follow, which nobody here reads */
        answer_text(c, "405 Method Not Allowed", "GET or HEAD, please\n", head);
    } else if (folder >= 0) {
        *version = 0;
        answer_file(c, url + 1, head);
    } else if (head || c->closing || c->old) {
        answer_text(c, "200 OK", "Hello, world\n", head);
    } else {
        answer_fixed(c);
    }
}

/* Answers the whole requests in in[] while out[] has room for an answer. */
static void requests_take(struct connection *c)
{
    char *at = c->in;
    size_t left = c->in_size;

    while (!c->closing && c->file < 0 && c->out_size < CHUNK_SIZE / 2) {
        char *end = memmem(at, left, "\r\n\r\n", 4);
        if (!end)
            break;
        end[2] = 0; /* the last header keeps its line end */
        answer(c, at);
        left -= (size_t)(end + 4 - at);
        at = end + 4;
    }
    if (left == REQUEST_SIZE_MAX) {
        c->closing = true;
        answer_text(c, "431 Request Header Fields Too Large", "too large\n",
                    false);
        left = 0;
    }
    if (left && at != c->in)
        memmove(c->in, at, left);
    c->in_size = left;
}

/* -- the event loop -- */

/* Sends what there is; false: the connection is finished. */
static bool output(struct connection *c, int fd)
{
    for (;;) {
        if (c->out_sent == c->out_size) {
            c->out_sent = c->out_size = 0;
            if (c->file >= 0) {
                ssize_t got = read(c->file, c->out, sizeof(c->out));
                if (got <= 0 || got > c->file_left)
                    return false; /* it changed under us: break off */
                c->out_size = (size_t)got;
                c->file_left -= got;
                if (c->file_left == 0) {
                    close(c->file);
                    c->file = -1;
                }
            } else if (c->closing) {
                return false;
            } else {
                requests_take(c);
            }
            if (c->out_size == 0)
                return true;
        }
        ssize_t sent = send(fd, c->out + c->out_sent, c->out_size - c->out_sent,
                            MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR;
        c->out_sent += (size_t)sent;
    }
}

/* Something happened on connection i; false: close it. */
static bool serve(int i)
{
    struct connection *c = connections[i];
    int fd = polled[i].fd;

    if (polled[i].revents & (POLLIN | POLLHUP | POLLERR)) {
        ssize_t got =
            recv(fd, c->in + c->in_size, sizeof(c->in) - c->in_size, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        c->in_size += got > 0 ? (size_t)got : 0;
    }
    if (!output(c, fd))
        return false;
    /* A peer that does not read is not read from either. */
    polled[i].events = c->out_size ? POLLOUT : POLLIN;
    return true;
}

static int listen_on(int port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                   .sin6_port = htons((uint16_t)port)};
    struct sockaddr_in address4 = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port)};
    int one = 1, zero = 0;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0) { /* one socket for both families */
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
            listen(fd, 511) == 0)
            return fd;
        close(fd);
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        die("httpd: socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&address4, sizeof(address4)))
        die("httpd: bind");
    if (listen(fd, 511))
        die("httpd: listen");
    return fd;
}

static void run(void)
{
    while (!stopping) {
        int ready = poll(polled, (nfds_t)polled_count, -1);
        if (ready < 0 && errno != EINTR)
            die("httpd: poll");
        for (int i = polled_count - 1; ready > 0 && i > 0; i--) {
            if (polled[i].revents == 0)
                continue;
            ready--;
            if (!serve(i))
                connection_close(i);
        }
        if (ready > 0 && polled[0].revents) {
            int fd;
            while ((fd = accept4(polled[0].fd, NULL, NULL,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
                connection_open(fd);
        }
    }
}

int main(int argc, char **argv)
{
    const char *port_text = getenv("PORT");
    struct sigaction stop = {.sa_handler = on_stop};
    int option;

    while ((option = getopt(argc, argv, "p:")) != -1) {
        if (option != 'p') {
            fprintf(stderr, "usage: httpd [-p PORT] [FOLDER]\n");
            return 2;
        }
        port_text = optarg;
    }
    int port = port_text ? atoi(port_text) : 8080;
    if (port <= 0 || port > 65535) {
        fprintf(stderr, "httpd: %s is not a port\n", port_text);
        return 2;
    }
    if (optind < argc) {
        folder = open(argv[optind], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder < 0)
            die(argv[optind]);
    }
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGINT, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    polled[0] = (struct pollfd){.fd = listen_on(port), .events = POLLIN};
    printf("httpd: listening on port %d\n", port);
    fflush(stdout);
    run();
    while (polled_count > 1)
        connection_close(polled_count - 1);
    return 0;
}
