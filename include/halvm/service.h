/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A service: a thread of the program's that answers for others, by messages.
 * What a provider of sockets (halvm/net.h) or of files (halvm/file.h) is
 * served by, in C or in Haskell. For applications.
 *
 *     struct halvm_service *service = halvm_service_new("name");
 *     ... install a provider with it ...
 *     for (;;) {
 *         poll(&(struct pollfd){halvm_service_fd(service), POLLIN}, 1, -1);
 *         struct halvm_event *event;
 *         while ((event = halvm_service_take(service)) != NULL) {
 *             ... event->kind ...
 *             halvm_event_free(event);
 *         }
 *     }
 *
 * Calls of other threads never wait for the service to answer, but for those
 * that wait on Linux, too: a blocking connect, accept, read or write. Those
 * are told apart thus:
 *   - the thread that alone can serve (halvm_service_owner) gets -EAGAIN
 *     (connect: -EINPROGRESS) in place of waiting for itself;
 *   - while others wait, the service must go on taking events. One that takes
 *     none for its patience is held for dead: a line says so, its sockets and
 *     files fail with ENETDOWN or EIO, and new ones go to what was there
 *     before.
 *
 * Every function may be called from any thread, none from a signal handler.
 */
#ifndef HALVM_SERVICE_H
#define HALVM_SERVICE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct halvm_service;

/* The kinds of each provider are in its header. */
enum halvm_event_kind {
    HALVM_EVENT_PING = 0, /* somebody waits; to be taken and forgotten */
    /* halvm/net.h */
    HALVM_NET_OPEN = 1,
    HALVM_NET_BIND,
    HALVM_NET_LISTEN,
    HALVM_NET_CONNECT,
    HALVM_NET_OPTION,
    HALVM_NET_CLOSE,
    /* halvm/file.h */
    HALVM_FILE_OPEN = 32,
    HALVM_FILE_WRITE,
    HALVM_FILE_CLOSE,
    HALVM_FILE_CHANGE,
    /* halvm_service_reroute */
    HALVM_CALL = 64,
};

struct halvm_event {
    int32_t kind;
    int32_t fd;          /* the provider's end, or -1 */
    uint64_t id;         /* of the socket, the open file, the call */
    int64_t number[7];   /* by kind */
    uint32_t size;       /* bytes at data */
    unsigned char *data; /* by kind; valid until halvm_event_free */
};

/* NULL: no memory or descriptor. name is copied, for messages to people. */
struct halvm_service *halvm_service_new(const char *name);
/* Readable while an event waits. For poll, select and epoll only. */
int halvm_service_fd(const struct halvm_service *service);
/* The next event, or NULL. Does not block. */
struct halvm_event *halvm_service_take(struct halvm_service *service);
void halvm_event_free(struct halvm_event *event);
/* Only this thread (gettid; 0: any) can serve. To be said before sockets are
 * installed. Beside the calls above, its poll without a time gives -EDEADLK
 * where it has nothing but such sockets to wait for, and its getaddrinfo over
 * them EAI_AGAIN, at once. */
void halvm_service_owner(struct halvm_service *service, int tid);
/* How long it may take no event while others wait; 5,000 ms unless told. */
void halvm_service_patience(struct halvm_service *service, unsigned ms);
/* Why it ended: NULL if it did not. */
const char *halvm_service_ended(const struct halvm_service *service);
/*
 * Gives back what is served: who waits gets an error, so do the sockets and
 * files that are open, and what is opened from then on goes to what was there
 * before. The descriptor of halvm_service_fd and the provider's ends of sockets
 * are closed; service is freed when the last of its sockets and files is
 * closed, and not to be used after this.
 */
void halvm_service_end(struct halvm_service *service);

/*
 * Takes a system call over for a handler that is served: for every call an
 * event HALVM_CALL with number[0] the number, number[1..6] the arguments, the
 * id to answer with, and at data, a long, what this returned. The caller waits
 * in the call for the answer, so what its pointers point to stays until then;
 * but if the service is given up it gets EIO at once and goes on, so who may be
 * as late as that must not use them. Returns an id for halvm_reroute_end, or
 *   -EINVAL    no such call, or none that a handler can have
 *   -EPERM     GHC's runtime stands on it: halvm_call_runtime says why
 *   -ENOSPC    as halvm_reroute
 *   -ENETDOWN  the service has ended
 * The thread that owns the service gets -EDEADLK from the call.
 */
long halvm_service_reroute(struct halvm_service *service, long number);
/* result: >= 0 or -errno. 0, or -ESRCH: nobody waits for it (any more). */
int halvm_call_answer(struct halvm_service *service, uint64_t id, long result);
/* Answers with what the call does without the handler; in the caller's
 * thread, after this returns. */
int halvm_call_pass(struct halvm_service *service, uint64_t id);

#ifdef __cplusplus
}
#endif
#endif
