/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the providers of reroute/ share: a service's queue, its references, and
 * how one waits for it. halvm/service.h is the contract.
 */
#ifndef REROUTE_SERVICE_H
#define REROUTE_SERVICE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "halvm/service.h"

/* Events that wait at most, but for those that close something. */
#define SERVICE_EVENTS_MAX 4096

struct service_event {
    struct halvm_event event;
    struct service_event *next;
};

/* Something that fails when the service ends. */
struct service_client {
    struct service_client *next;
    void (*ended)(struct service_client *client);
    /* Its user has given the service back, after that; or NULL. */
    void (*given_back)(struct service_client *client);
};

struct halvm_service {
    pthread_mutex_t lock;
    pthread_mutex_t end_lock; /* held while clients are told of the end */
    char name[32];
    int fd;
    struct service_event *first, **last;
    unsigned waiting;       /* events in the queue */
    uint64_t posted, taken; /* events, ever */
    volatile int ended;     /* enum service_end */
    volatile int owner;     /* tid, or 0 */
    volatile int blocked;   /* threads that wait for it */
    volatile unsigned patience_ms;
    unsigned references; /* its user's, and its sockets' and files' */
    bool watched;        /* there is a watchdog */
    struct service_client *clients;
    struct service_client *told; /* of the end; with given_back */
    struct service_call *calls;
};

enum service_end { SERVICE_ALIVE, SERVICE_GIVEN_BACK, SERVICE_DEAD };

void service_ref(struct halvm_service *service);
void service_unref(struct halvm_service *service);
/* Registered for as long as the service lives: 0, or -ENETDOWN (it has ended).
 * A client that is removed is not told any more, and not being told just then.
 */
int service_client_add(struct halvm_service *service,
                       struct service_client *client);
void service_client_remove(struct halvm_service *service,
                           struct service_client *client);

/* How many events were posted, ever. */
uint64_t service_posted(struct halvm_service *service);
/* Queues an event with a copy of data. 0, -ENOBUFS (the queue is full and the
 * event is not one that must come), -ENOMEM, -ENETDOWN (ended). */
int service_post(struct halvm_service *service, const struct halvm_event *event,
                 const void *data, size_t size);
/* The same in two steps, for what must not fail for want of memory: an event
 * with a copy of data, or NULL; and its queueing, which takes it if it is 0.
 * free gives back one that was not queued. */
struct service_event *service_event_new(const struct halvm_event *event,
                                        const void *data, size_t size);
int service_post_event(struct halvm_service *service,
                       struct service_event *entry);

/* Before a wait for the service: 0, -EAGAIN (this thread would wait for
 * itself), -ENETDOWN. After it: service_waited, if it was 0. */
int service_wait(struct halvm_service *service);
void service_waited(struct halvm_service *service);

/* Sleeps until *word is not value any more, or a signal: 0 or -EINTR. Between
 * service_wait and service_waited. */
int service_sleep(volatile int *word, int value);
void service_wake(volatile int *word);

/* A line to a person, past all handlers: "halvm: ...\n" on descriptor 2. */
void service_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
