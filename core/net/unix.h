/* SPDX-License-Identifier: BSD-3-Clause */
/* AF_UNIX sockets: shared by unix.c (names, connections) and unix_io.c. */
#ifndef HALVM_NET_UNIX_H
#define HALVM_NET_UNIX_H

#include <sys/un.h>

#include "core/net/socket.h"

#define UNIX_NAME_MAX sizeof(((struct sockaddr_un *)0)->sun_path)
/* Descriptors in one message; Linux takes 253. */
#define UNIX_FILES_MAX 16

enum unix_state { UNIX_NEW, UNIX_LISTENING, UNIX_CONNECTED };

struct unix_message {
    struct list node;
    size_t size, offset; /* bytes, and how many of them were read */
    uint8_t file_count, name_size;
    struct file *files[UNIX_FILES_MAX];
    char name[UNIX_NAME_MAX]; /* of the sender */
    char data[];
};

struct unix_socket {
    struct net_socket socket;
    enum unix_state state;
    bool had_peer;
    /* Streams: the other end, while it is there. Datagrams: where to. */
    struct unix_socket *peer;
    struct list pointing; /* datagrams: sockets whose peer this is */
    struct list point;    /* in the peer's pointing */
    struct list messages;
    size_t bytes;      /* in messages */
    struct list queue; /* listening: ends that wait for accept */
    struct list node;  /* in a listener's queue */
    struct unix_socket *listener;
    unsigned queue_count, backlog;
    struct list bound; /* in the table of names */
    size_t name_size;  /* 0: not bound */
    char name[UNIX_NAME_MAX];
};

static inline struct unix_socket *unix_of(const struct file *file)
{
    return file->private;
}

static inline bool unix_is_stream(const struct unix_socket *s)
{
    return s->socket.type == SOCK_STREAM;
}

static inline bool unix_is_datagram(const struct unix_socket *s)
{
    return s->socket.type == SOCK_DGRAM;
}

/* The socket bound to an address of the application's, in core's buffer. */
int unix_find(const void *address, unsigned size, struct unix_socket **out);
void unix_wake(struct unix_socket *s, uint32_t events);

/* -- unix_io.c -- */
void unix_discard(struct unix_socket *s);
long unix_readv(struct file *file, const struct iovec *iov, int count,
                off_t *offset);
long unix_writev(struct file *file, const struct iovec *iov, int count,
                 off_t *offset);
long unix_sendmsg(struct file *file, struct msghdr *message, int flags);
long unix_recvmsg(struct file *file, struct msghdr *message, int flags);
uint32_t unix_poll(struct file *file, struct file_poller *poller);
long unix_ioctl(struct file *file, unsigned long request, long argument);

#endif
