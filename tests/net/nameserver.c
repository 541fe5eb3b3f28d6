/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A name server for tests: answers A and AAAA questions by UDP on port 53 of
 * every address.
 *
 *   nameserver ADDRESS4 ADDRESS6
 *
 * both.test has both addresses, four.test and six.test one, alias.test is
 * another name for both.test. silent.test gets no answer. There are no others.
 * RFC 1035; one question a message, as resolvers send them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28 };
enum { HEADER = 12, NO_SUCH_NAME = 3 };

static uint8_t address4[4], address6[16];

static const struct name {
    const char *text;
    bool four, six, alias, silent;
} names[] = {
    {"both.test", true, true, false, false},
    {"four.test", true, false, false, false},
    {"six.test", false, true, false, false},
    {"alias.test", true, true, true, false},
    {"silent.test", false, false, false, true},
};

/* The question's name as text; its end in the message, 0 if it has none. */
static size_t read_name(const uint8_t *message, size_t size, char text[256])
{
    size_t at = HEADER, out = 0;

    while (at < size && message[at] != 0) {
        size_t part = message[at++];
        if (part > 63 || at + part > size || out + part + 1 > 255)
            return 0;
        if (out > 0)
            text[out++] = '.';
        memcpy(text + out, message + at, part);
        out += part;
        at += part;
    }
    text[out] = '\0';
    return at + 5 <= size ? at + 1 : 0;
}

/* A record of the name at offset; where the next one goes. */
static size_t put_record(uint8_t *message, size_t at, unsigned name, int type,
                         const void *data, size_t size)
{
    const uint8_t head[] = {0xc0 | (uint8_t)(name >> 8),
                            (uint8_t)name,
                            0,
                            (uint8_t)type,
                            0,
                            1, /* IN */
                            0,
                            0,
                            0,
                            60, /* seconds */
                            0,
                            (uint8_t)size};

    memcpy(message + at, head, sizeof head);
    memcpy(message + at + sizeof head, data, size);
    message[7]++; /* answers */
    return at + sizeof head + size;
}

/* Makes the answer of a question, in its place: bytes, 0: none. */
static size_t answer(uint8_t message[512], size_t size)
{
    static const uint8_t target[] = "\4both\4test"; /* and its zero */
    const struct name *name = NULL;
    unsigned owner = HEADER;
    char text[256];
    size_t at = size < HEADER ? 0 : read_name(message, size, text);

    if (at == 0 || (message[2] & 0x80))
        return 0;
    int type = message[at] << 8 | message[at + 1];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(names[i].text, text) == 0)
            name = &names[i];
    if (name && name->silent)
        return 0;
    at += 4;
    message[2] |= 0x84; /* an answer, of an authority */
    message[3] = 0x80 | (name ? 0 : NO_SUCH_NAME);
    memset(message + 6, 0, 6);
    if (name && name->alias) {
        unsigned place = (unsigned)at + 12;
        at = put_record(message, at, owner, TYPE_CNAME, target, sizeof target);
        owner = place;
    }
    if (name && name->four && type == TYPE_A)
        at = put_record(message, at, owner, TYPE_A, address4, 4);
    if (name && name->six && type == TYPE_AAAA)
        at = put_record(message, at, owner, TYPE_AAAA, address6, 16);
    return at;
}

int main(int argc, char **argv)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(53)};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), off = 0, on = 1;

    if (argc != 3 || inet_pton(AF_INET, argv[1], address4) != 1 ||
        inet_pton(AF_INET6, argv[2], address6) != 1) {
        fprintf(stderr, "usage: nameserver ADDRESS4 ADDRESS6\n");
        return 2;
    }
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&any, sizeof any) < 0) {
        perror("nameserver: bind");
        return 1;
    }
    for (;;) {
        struct sockaddr_in6 from;
        socklen_t from_size = sizeof from;
        uint8_t message[512];
        ssize_t size =
            recvfrom(fd, message, 256, 0, (struct sockaddr *)&from, &from_size);
        size_t reply = size > 0 ? answer(message, (size_t)size) : 0;
        if (reply > 0)
            sendto(fd, message, reply, 0, (struct sockaddr *)&from, from_size);
    }
}
