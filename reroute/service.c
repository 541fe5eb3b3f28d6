/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Services: a queue of events, a descriptor that is readable while it is not
 * empty, and a watchdog that finds out that nobody takes them any more.
 *
 * The watchdog is a thread that exists while somebody waits for the service.
 * Those who wait do so in an ordinary blocking call, which signals interrupt
 * as always; the watchdog fails what they wait for.
 */
#include "reroute/service.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* linux/futex.h */
#define FUTEX_WAIT_PRIVATE 128
#define FUTEX_WAKE_PRIVATE 129

/* The gate's stub: syscall(2) would bring every call into the program. */
long service_futex(volatile int *word, int op, int value, const void *timeout,
                   void *, int) __asm__("__halvm_sys_futex");

#define PATIENCE_MS 5000
#define TURN_MS     100 /* the watchdog looks this often */

void service_say(const char *format, ...)
{
    char line[200] = "halvm: ";
    va_list args;
    int size = (int)strlen(line);

    va_start(args, format);
    size +=
        vsnprintf(line + size, sizeof line - (size_t)size - 1, format, args);
    va_end(args);
    if (size > (int)sizeof line - 2)
        size = (int)sizeof line - 2;
    line[size++] = '\n';
    if (write(2, line, (size_t)size) < 0)
        return; /* nobody to say it to */
}

struct halvm_service *halvm_service_new(const char *name)
{
    struct halvm_service *service = calloc(1, sizeof *service);

    if (!service)
        return NULL;
    service->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (service->fd < 0) {
        free(service);
        return NULL;
    }
    pthread_mutex_init(&service->lock, NULL);
    pthread_mutex_init(&service->end_lock, NULL);
    snprintf(service->name, sizeof service->name, "%s", name);
    service->last = &service->first;
    service->patience_ms = PATIENCE_MS;
    service->references = 1;
    return service;
}

void service_ref(struct halvm_service *service)
{
    __atomic_fetch_add(&service->references, 1, __ATOMIC_RELAXED);
}

void service_unref(struct halvm_service *service)
{
    if (__atomic_sub_fetch(&service->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    pthread_mutex_destroy(&service->lock);
    pthread_mutex_destroy(&service->end_lock);
    free(service);
}

int halvm_service_fd(const struct halvm_service *service)
{
    return service->fd;
}

void halvm_service_owner(struct halvm_service *service, int tid)
{
    service->owner = tid;
}

void halvm_service_patience(struct halvm_service *service, unsigned ms)
{
    service->patience_ms = ms;
}

const char *halvm_service_ended(const struct halvm_service *service)
{
    switch (service->ended) {
    case SERVICE_ALIVE:
        return NULL;
    case SERVICE_DEAD:
        return "it took no events while others waited";
    default:
        return "it was given back";
    }
}

/* -- the queue -- */

static bool must_come(int kind)
{
    return kind == HALVM_NET_CLOSE || kind == HALVM_FILE_CLOSE;
}

static void tell(struct halvm_service *service)
{
    uint64_t one = 1;

    if (write(service->fd, &one, sizeof one) < 0)
        return; /* full: it is readable, then */
}

struct service_event *service_event_new(const struct halvm_event *event,
                                        const void *data, size_t size)
{
    struct service_event *entry = malloc(sizeof *entry + size);

    if (!entry)
        return NULL;
    entry->event = *event;
    entry->event.size = (uint32_t)size;
    entry->event.data = (unsigned char *)(entry + 1);
    if (size > 0)
        memcpy(entry + 1, data, size);
    entry->next = NULL;
    return entry;
}

int service_post_event(struct halvm_service *service,
                       struct service_event *entry)
{
    int result = 0;

    pthread_mutex_lock(&service->lock);
    if (service->ended)
        result = -ENETDOWN;
    else if (service->waiting >= SERVICE_EVENTS_MAX &&
             !must_come(entry->event.kind))
        result = -ENOBUFS;
    if (result == 0) {
        *service->last = entry;
        service->last = &entry->next;
        service->waiting++;
        service->posted++;
        if (service->waiting == 1)
            tell(service);
    }
    pthread_mutex_unlock(&service->lock);
    return result;
}

int service_post(struct halvm_service *service, const struct halvm_event *event,
                 const void *data, size_t size)
{
    struct service_event *entry = service_event_new(event, data, size);
    int result = entry ? service_post_event(service, entry) : -ENOMEM;

    if (result != 0)
        free(entry);
    return result;
}

uint64_t service_posted(struct halvm_service *service)
{
    uint64_t posted;

    pthread_mutex_lock(&service->lock);
    posted = service->posted;
    pthread_mutex_unlock(&service->lock);
    return posted;
}

struct halvm_event *halvm_service_take(struct halvm_service *service)
{
    struct service_event *entry;

    pthread_mutex_lock(&service->lock);
    entry = service->first;
    if (entry) {
        service->first = entry->next;
        if (!service->first)
            service->last = &service->first;
        service->waiting--;
        service->taken++;
    }
    if (!service->first && !service->ended) {
        uint64_t count;
        if (read(service->fd, &count, sizeof count) < 0)
            count = 0; /* it was not readable */
    }
    pthread_mutex_unlock(&service->lock);
    return entry ? &entry->event : NULL;
}

void halvm_event_free(struct halvm_event *event)
{
    free(event); /* the first member of its entry */
}

/* -- the end -- */

int service_client_add(struct halvm_service *service,
                       struct service_client *client)
{
    int result = 0;

    pthread_mutex_lock(&service->lock);
    if (service->ended) {
        result = -ENETDOWN;
    } else {
        client->next = service->clients;
        service->clients = client;
    }
    pthread_mutex_unlock(&service->lock);
    return result;
}

void service_client_remove(struct halvm_service *service,
                           struct service_client *client)
{
    struct service_client **at = &service->clients;

    pthread_mutex_lock(&service->end_lock);
    pthread_mutex_lock(&service->lock);
    while (*at && *at != client)
        at = &(*at)->next;
    if (*at)
        *at = client->next;
    pthread_mutex_unlock(&service->lock);
    pthread_mutex_unlock(&service->end_lock);
}

static struct service_client *next_client(struct halvm_service *service)
{
    struct service_client *client;

    pthread_mutex_lock(&service->lock);
    client = service->clients;
    if (client)
        service->clients = client->next;
    if (client && client->given_back) {
        client->next = service->told;
        service->told = client;
    }
    pthread_mutex_unlock(&service->lock);
    return client;
}

/* Whoever comes second finds it ended. */
static void end(struct halvm_service *service, enum service_end why)
{
    struct service_event *events;
    struct service_client *client;

    pthread_mutex_lock(&service->end_lock);
    pthread_mutex_lock(&service->lock);
    if (service->ended == SERVICE_ALIVE)
        service->ended = why;
    events = service->first;
    service->first = NULL;
    service->last = &service->first;
    service->waiting = 0;
    pthread_mutex_unlock(&service->lock);
    while ((client = next_client(service)) != NULL)
        client->ended(client);
    pthread_mutex_unlock(&service->end_lock);
    while (events) {
        struct service_event *event = events;
        events = event->next;
        free(event);
    }
}

void halvm_service_end(struct halvm_service *service)
{
    struct service_client *client;

    end(service, SERVICE_GIVEN_BACK);
    /* All have been told, and nobody else touches them after that. */
    while ((client = service->told) != NULL) {
        service->told = client->next;
        client->given_back(client);
    }
    pthread_mutex_lock(&service->lock);
    close(service->fd);
    service->fd = -1;
    pthread_mutex_unlock(&service->lock);
    service_unref(service);
}

/* -- waiting -- */

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void *watch(void *argument)
{
    struct halvm_service *service = argument;
    const struct halvm_event ping = {.kind = HALVM_EVENT_PING, .fd = -1};
    const struct timespec turn = {0, TURN_MS * 1000000l};
    uint64_t taken = service->taken;
    int64_t since = now_ms();
    bool stuck = false, over = false;

    while (!over) {
        nanosleep(&turn, NULL);
        pthread_mutex_lock(&service->lock);
        if (taken != service->taken || service->waiting == 0) {
            taken = service->taken;
            since = now_ms();
        }
        stuck = now_ms() - since > service->patience_ms;
        over = stuck || service->ended || service->blocked == 0;
        if (over)
            service->watched = false;
        bool empty = service->waiting == 0;
        pthread_mutex_unlock(&service->lock);
        if (!over && empty)
            service_post(service, &ping, NULL, 0);
    }
    if (stuck && !service->ended) {
        service_say("%s: no event taken for %u ms while others wait: given up",
                    service->name, service->patience_ms);
        end(service, SERVICE_DEAD);
    }
    service_unref(service);
    return NULL;
}

int service_wait(struct halvm_service *service)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int result = 0;

    if (service->owner && service->owner == gettid())
        return -EAGAIN;
    pthread_mutex_lock(&service->lock);
    if (service->ended) {
        result = -ENETDOWN;
    } else {
        __atomic_fetch_add(&service->blocked, 1, __ATOMIC_RELAXED);
        if (!service->watched) {
            sigset_t all, old;

            sigfillset(&all);
            pthread_sigmask(SIG_SETMASK, &all, &old);
            pthread_attr_init(&attributes);
            pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
            service_ref(service);
            service->watched =
                pthread_create(&thread, &attributes, watch, service) == 0;
            if (!service->watched) /* then patience is endless */
                __atomic_fetch_sub(&service->references, 1, __ATOMIC_RELAXED);
            pthread_attr_destroy(&attributes);
            pthread_sigmask(SIG_SETMASK, &old, NULL);
        }
    }
    pthread_mutex_unlock(&service->lock);
    return result;
}

void service_waited(struct halvm_service *service)
{
    __atomic_fetch_sub(&service->blocked, 1, __ATOMIC_RELAXED);
}

int service_sleep(volatile int *word, int value)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value)
        if (service_futex(word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0) ==
            -EINTR)
            return -EINTR;
    return 0;
}

void service_wake(volatile int *word)
{
    service_futex(word, FUTEX_WAKE_PRIVATE, 0x7fffffff, NULL, NULL, 0);
}
