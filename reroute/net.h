/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets of a provider: what net*.c share. halvm/net.h is the contract. */
#ifndef REROUTE_NET_H
#define REROUTE_NET_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "halvm/net.h"
#include "reroute/descriptor.h"
#include "reroute/service.h"

#define NET_OPTIONS_MAX 32 /* kept of one socket */
#define NET_OPTION_SIZE 64 /* bytes of one */
#define NET_BACKLOG_MAX 1024
#define NET_DOMAINS_MAX 8
#define NET_SOCKETS_MAX 65536

enum net_phase {
    NET_NEW,
    NET_CONNECTING,
    NET_CONNECTED,
    NET_LISTENING,
    NET_ENDED, /* the service is gone */
};

struct net_address {
    unsigned size; /* 0: none */
    unsigned char data[HALVM_NET_ADDRESS_SIZE];
};

struct net_option {
    int level, name;
    unsigned size;
    unsigned char value[NET_OPTION_SIZE];
};

/* What is installed with halvm_net_install. */
struct net_service {
    struct service_client client;
    struct halvm_service *service;
    struct net_service *next; /* of all, under net_lock */
    int domains[NET_DOMAINS_MAX];
    int domain_count;
    long registration;
    unsigned references; /* the installation's, and one a socket */
    unsigned char *addresses;
    size_t addresses_size;
    unsigned count;
    uint16_t next_port;
    struct net_socket *sockets;
};

/* All but what is said otherwise is under net_lock. */
struct net_socket {
    struct object object;
    struct net_service *owner;
    struct net_socket *next; /* of owner->sockets */
    uint64_t id;
    int domain, type, protocol;
    int provider_fd;    /* -1: the provider has let it go */
    bool application;   /* it still has a descriptor */
    volatile int phase; /* enum net_phase; who waits sleeps on it */
    volatile int error; /* SO_ERROR, an errno */
    bool broken;        /* error comes before what is left to read */
    bool shut_read, shut_write;
    size_t filled; /* bytes that keep it from being writable */
    int own_fd;    /* the application's end once more, while it connects */
    struct service_event *closing; /* HALVM_NET_CLOSE, until it is posted */
    struct net_address local, remote;
    bool bound, reuse_address, reuse_port;
    unsigned backlog, queue_count; /* listening */
    struct net_waiting *queue, **queue_last;
    unsigned option_count;
    struct net_option *options; /* NET_OPTIONS_MAX, or NULL */
};

/* A connection that waits for accept. */
struct net_waiting {
    struct net_waiting *next;
    struct net_socket *socket;
    int fd; /* the application's */
};

extern pthread_mutex_t net_lock;
extern struct net_service *net_installed; /* all of them */
extern const struct object_ops net_ops;

static inline bool net_is_stream(const struct net_socket *s)
{
    return s->type == SOCK_STREAM;
}

/* -- net.c -- */

struct net_socket *net_find(struct halvm_service *service, uint64_t id);
/* A socket and its pair: the application's end through *fd, with the flags
 * SOCK_CLOEXEC and SOCK_NONBLOCK. Without the lock. 0 or -errno. */
int net_create(struct net_service *owner, int domain, int type, int protocol,
               int flags, struct net_socket **out, int *fd);
/* Undoes net_create for a socket that nobody has seen. */
void net_discard(struct net_socket *s, int fd);
int net_post(struct net_socket *s, int kind, int64_t first, int64_t second,
             const void *data, size_t size);
/* Makes fd not writable; and, if it was to connect, writable again. */
void net_fill(struct net_socket *s, int fd, bool connects);
void net_drain(struct net_socket *s);
/* Whether a call on fd is to wait; or the thread would wait for itself. */
bool net_may_wait(struct net_socket *s, int fd, int flags);
/* The error that waits, as -errno, taken; 0: none. */
int net_take_error(struct net_socket *s);

/* -- net_name.c: bind, connect, listen, accept, names -- */

/* An address of the application's for a socket, copied. 0 or -errno. */
int net_check_address(const struct net_socket *s, const void *address,
                      size_t size, struct net_address *out);
long net_bind(struct net_socket *s, const void *address, size_t size);
long net_connect(struct net_socket *s, int fd, const void *address,
                 size_t size);
long net_listen(struct net_socket *s, int fd, int backlog);
long net_accept(struct net_socket *s, int fd, void *address, socklen_t *size,
                int flags);
long net_get_name(const struct net_socket *s, bool peer, void *address,
                  socklen_t *size);
/* Gives a socket that has none a local address. With the lock. */
int net_bind_any(struct net_socket *s);
/* As getsockname gives it to the application. 0, -EFAULT, -EINVAL. */
int net_give_address(const struct net_address *from, void *address,
                     socklen_t *size);

/* -- net_message.c: what reads and writes -- */

/* OBJECT_PASS if it is another call. */
long net_transfer(struct net_socket *s, int fd, const struct halvm_call *call);

/* -- net_control.c -- */

/* Fills msg_control as the socket's options say; sets msg_controllen, which was
 * the room, and MSG_CTRUNC. 0 or -EFAULT. */
int net_fill_control(struct net_socket *s, struct msghdr *header,
                     const struct halvm_net_packet *packet);

/* -- net_wait.c -- */

/* From now on a thread that owns a service is kept from waiting for itself in
 * poll and in the C library's resolver. */
void net_wait_start(void);
/* libc/res_msend.c asks. */
extern int (*net_serves_itself)(void) __asm__("__halvm_serves_itself");

/* -- net_option.c -- */

/* Whether the application has set an option to another number than 0. */
bool net_option_is_on(struct net_socket *s, int level, int name);

long net_option_set(struct net_socket *s, const struct halvm_call *call);
long net_option_get(struct net_socket *s, const struct halvm_call *call);

#endif
