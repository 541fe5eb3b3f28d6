/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /dev/xen/xenbus: reading, writing and listing, permissions, transactions that
 * are disturbed, watches, what a connection that is closed leaves behind, and
 * requests that make no sense. In a domain of Xen with a XenStore; below the
 * domain's own "data".
 *
 * Covers: read write poll
 */
#include "xen.h"

static struct {
    struct store_head head;
    char data[STORE_PAYLOAD_MAX + 1];
} got, event; /* the last event that came before an answer */
static bool event_came;

#define BASE "data/halvm-test"

static void receive(int fd)
{
    size_t size = 0;

    while (size < sizeof(got.head))
        size +=
            (size_t)read(fd, (char *)&got.head + size, sizeof(got.head) - size);
    CHECK(got.head.size <= STORE_PAYLOAD_MAX);
    for (size = 0; size < got.head.size;) {
        ssize_t part = read(fd, got.data + size, got.head.size - size);
        CHECK(part > 0);
        size += (size_t)part;
    }
    got.data[got.head.size] = 0;
}

static void send_request(int fd, uint32_t type, uint32_t transaction,
                         const void *data, size_t size)
{
    static uint32_t number;
    struct {
        struct store_head head;
        char data[STORE_PAYLOAD_MAX + 1];
    } out = {{type, ++number, transaction, (uint32_t)size}, {0}};

    memcpy(out.data, data, size);
    CHECK_EQ(write(fd, &out, sizeof(out.head) + size), sizeof(out.head) + size);
}

/* Sends and takes the answer; 0 or -1 and an error's name in
 * got.data. */
static int ask(int fd, uint32_t type, uint32_t transaction, const void *data,
               size_t size)
{
    send_request(fd, type, transaction, data, size);
    receive(fd);
    while (got.head.type == STORE_WATCH_EVENT) {
        event = got;
        event_came = true;
        receive(fd);
    }
    CHECK_EQ(got.head.transaction, transaction);
    CHECK(got.head.type == type || got.head.type == STORE_ERROR);
    return got.head.type == STORE_ERROR ? -1 : 0;
}

static int ask_path(int fd, uint32_t type, uint32_t transaction,
                    const char *path)
{
    return ask(fd, type, transaction, path, strlen(path) + 1);
}

#define FAILS(call, name)                                                      \
    do {                                                                       \
        CHECK_EQ((call), -1);                                                  \
        CHECK(strcmp(got.data, name) == 0);                                    \
    } while (0)

static int put(int fd, uint32_t transaction, const char *path,
               const char *value)
{
    char data[256];

    memcpy(data, path, strlen(path) + 1);
    memcpy(data + strlen(path) + 1, value, strlen(value));
    return ask(fd, STORE_WRITE, transaction, data,
               strlen(path) + 1 + strlen(value));
}

static int two(int fd, uint32_t type, const char *path, const char *token)
{
    char data[STORE_PAYLOAD_MAX];
    size_t first = strlen(path) + 1, second = strlen(token) + 1;

    memcpy(data, path, first);
    memcpy(data + first, token, second);
    return ask(fd, type, 0, data, first + second);
}

static uint32_t begin(int fd)
{
    CHECK_EQ(ask(fd, STORE_TRANSACTION_START, 0, "", 1), 0);
    return (uint32_t)strtoul(got.data, NULL, 10);
}

static void plain(int fd)
{
    CHECK_EQ(put(fd, 0, BASE "/a", "first"), 0);
    CHECK_EQ(ask_path(fd, STORE_READ, 0, BASE "/a"), 0);
    CHECK_EQ(strcmp(got.data, "first"), 0);
    CHECK_EQ(ask_path(fd, STORE_MKDIR, 0, BASE "/b"), 0);
    CHECK_EQ(ask_path(fd, STORE_DIRECTORY, 0, BASE), 0);
    CHECK_EQ(got.head.size, 4);
    CHECK(memcmp(got.data, "a\0b", 4) == 0 || memcmp(got.data, "b\0a", 4) == 0);
    CHECK_EQ(ask_path(fd, STORE_GET_PERMS, 0, BASE "/a"), 0);
    CHECK_EQ(got.data[0], 'n');
    CHECK_EQ(two(fd, STORE_SET_PERMS, BASE "/a", got.data), 0);
    CHECK_EQ(ask_path(fd, STORE_RM, 0, BASE "/a"), 0);
    FAILS(ask_path(fd, STORE_READ, 0, BASE "/a"), "ENOENT");
}

static void transactions(int fd, int other)
{
    uint32_t t = begin(fd), u;

    CHECK_EQ(put(fd, t, BASE "/t", "in"), 0);
    FAILS(ask_path(other, STORE_READ, 0, BASE "/t"), "ENOENT"); /* not yet */
    FAILS(ask_path(other, STORE_READ, t, BASE "/t"), "ENOENT"); /* not theirs */
    CHECK_EQ(ask(fd, STORE_TRANSACTION_END, t, "T", 2), 0);
    CHECK_EQ(ask_path(other, STORE_READ, 0, BASE "/t"), 0);
    FAILS(ask(fd, STORE_TRANSACTION_END, t, "T", 2), "ENOENT");
    /* two at the same time, of the same */
    t = begin(fd);
    u = begin(other);
    CHECK_EQ(ask_path(fd, STORE_READ, t, BASE "/t"), 0);
    CHECK_EQ(ask_path(other, STORE_READ, u, BASE "/t"), 0);
    CHECK_EQ(put(fd, t, BASE "/t", "one"), 0);
    CHECK_EQ(put(other, u, BASE "/t", "two"), 0);
    CHECK_EQ(ask(fd, STORE_TRANSACTION_END, t, "T", 2), 0);
    FAILS(ask(other, STORE_TRANSACTION_END, u, "T", 2), "EAGAIN");
    t = begin(fd);
    CHECK_EQ(put(fd, t, BASE "/t", "given up"), 0);
    CHECK_EQ(ask(fd, STORE_TRANSACTION_END, t, "F", 2), 0);
    CHECK_EQ(ask_path(fd, STORE_READ, 0, BASE "/t"), 0);
    CHECK_EQ(strcmp(got.data, "one"), 0);
}

static void event_is(int fd, const char *path, const char *token)
{
    if (event_came) {
        got = event;
    } else {
        CHECK(xen_readable(fd, 5000));
        receive(fd);
    }
    event_came = false;
    CHECK_EQ(got.head.type, STORE_WATCH_EVENT);
    CHECK_EQ(strcmp(got.data, path), 0);
    CHECK_EQ(strcmp(got.data + strlen(path) + 1, token), 0);
}

static void watches(int fd, int other)
{
    CHECK_EQ(two(fd, STORE_WATCH, BASE "/w", "my token"), 0);
    event_is(fd, BASE "/w", "my token"); /* the first is for nothing */
    CHECK_EQ(put(other, 0, BASE "/w/x", "1"), 0);
    event_is(fd, BASE "/w/x", "my token");
    /* more than there is room for: the last is not lost */
    for (int i = 0; i < 500; i++)
        CHECK_EQ(put(other, 0, BASE "/w/many", "1"), 0);
    CHECK_EQ(put(other, 0, BASE "/w/last", "1"), 0);
    do
        receive(fd);
    while (strcmp(got.data, BASE "/w/last") != 0 &&
           strcmp(got.data, BASE "/w"));
    CHECK_EQ(two(fd, STORE_UNWATCH, BASE "/w", "my token"), 0);
    CHECK_EQ(two(fd, STORE_UNWATCH, BASE "/w", "my token"), 0); /* nothing */
    CHECK_EQ(put(other, 0, BASE "/w/x", "2"), 0);
    while (xen_readable(fd, 100)) /* that were under way */
        receive(fd);
}

static void refused(int fd)
{
    char text[STORE_PAYLOAD_MAX];
    struct store_head head = {STORE_READ, 1, 0, STORE_PAYLOAD_MAX + 1};

    memset(text, 'x', sizeof(text));
    CHECK_ERR(write(fd, &head, sizeof(head)), E2BIG);
    FAILS(ask(fd, STORE_WATCH, 0, "no token", 9), "EINVAL");
    FAILS(ask(fd, STORE_WATCH, 0, "", 0), "EINVAL");
    FAILS(ask(fd, STORE_READ, 12345, BASE, sizeof(BASE)), "ENOENT");
    if (!check_unikernel())
        return;
    /* what Linux has no room for, or leaves to the daemon */
    FAILS(ask(fd, STORE_WATCH, 0, text, sizeof(text)), "EINVAL");
    CHECK_EQ(ask(fd, STORE_READ, 0, text, sizeof(text)), -1);
    FAILS(ask(fd, STORE_RESET_WATCHES, 0, "", 1), "ENOSYS");
    FAILS(ask(fd, STORE_CONTROL, 0, "help", 5), "ENOSYS");
    FAILS(ask(fd, 4711, 0, "", 1), "ENOSYS");
    FAILS(ask(fd, STORE_WATCH, 0, "no end\0x", 8), "EINVAL");
    FAILS(ask(fd, STORE_TRANSACTION_END, 0, "T", 2), "ENOENT");
    CHECK_EQ(ask_path(fd, STORE_READ, 0, "/local/domain/0/name"), -1);
}

/* A piece at a time, and two at once. */
static void pieces(int fd)
{
    const char path[] = BASE "/t";
    struct {
        struct store_head head;
        char data[sizeof(path)];
    } out = {{STORE_READ, 9, 0, sizeof(path)}, BASE "/t"};
    char both[2 * sizeof(out)];

    for (size_t i = 0; i < sizeof(out.head) + sizeof(path); i++)
        CHECK_EQ(write(fd, (char *)&out + i, 1), 1);
    receive(fd);
    CHECK_EQ(got.head.request, 9);
    CHECK_EQ(strcmp(got.data, "one"), 0);
    if (!check_unikernel())
        return; /* Linux takes one, and forgets the other */
    memcpy(both, &out, sizeof(out.head) + sizeof(path));
    out.head.request = 10;
    memcpy(both + sizeof(out.head) + sizeof(path), &out,
           sizeof(out.head) + sizeof(path));
    for (size_t done = 0; done < 2 * (sizeof(out.head) + sizeof(path));)
        done += (size_t)write(fd, both + done,
                              2 * (sizeof(out.head) + sizeof(path)) - done);
    receive(fd);
    CHECK_EQ(got.head.request, 9);
    receive(fd);
    CHECK_EQ(got.head.request, 10);
}

/* What a closed file had is given back: more rounds than there can be. */
static void rounds(void)
{
    for (int i = 0; i < 100; i++) {
        int fd = xen_open("xenbus", 0);

        for (int n = 0; n < 4; n++)
            begin(fd);
        for (int n = 0; n < 4; n++) {
            char token[16];

            sprintf(token, "%d", n);
            CHECK_EQ(two(fd, STORE_WATCH, BASE "/w", token), 0);
        }
        send_request(fd, i % 2 ? STORE_TRANSACTION_START : STORE_READ, 0, "",
                     1);
        CHECK_EQ(close(fd), 0);
    }
}

int main(void)
{
    int fd = xen_open("xenbus", 0), other = xen_open("xenbus", 0), last;
    char byte;

    if (ask_path(fd, STORE_READ, 0, "domid") != 0 &&
        strcmp(got.data, "ENOSYS") == 0)
        check_skip("the first domain has no XenStore here");
    printf("domain %s\n", got.data);
    ask_path(fd, STORE_RM, 0, BASE);
    plain(fd);
    transactions(fd, other);
    watches(fd, other);
    refused(fd);
    pieces(fd);
    rounds();
    last = xen_open("xenbus", O_NONBLOCK);
    CHECK_ERR(read(last, &byte, 1), EAGAIN);
    CHECK_EQ(ask_path(fd, STORE_RM, 0, BASE), 0);
    puts("xen_store: all is well");
    return 0;
}
