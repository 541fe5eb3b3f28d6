/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets of a provider (reroute/net.c) under AddressSanitizer: close() at the
 * same time as the provider's halvm_net_close, and as the service's end. The
 * handlers are called here; what they pass on goes to the host. Whoever gives
 * a lock back waits a moment, so that the other thread comes in between.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reroute/net.h"
#include "tests/unit/check.h"

#define ROUNDS 1500

typedef long handler_function(void *context, const struct halvm_call *call);

int (*net_serves_itself)(void);

static handler_function *on_socket, *on_call;
static void *owner;

long service_futex(volatile int *word, int op, int value, const void *timeout,
                   void *unused, int unused_too) __asm__("__halvm_sys_futex");

long service_futex(volatile int *word, int op, int value, const void *timeout,
                   void *unused, int unused_too)
{
    return object_result(
        syscall(SYS_futex, word, op, value, timeout, unused, unused_too));
}

long halvm_reroute(long number, handler_function *handler, void *context)
{
    CHECK(number == SYS_socket);
    on_socket = handler;
    owner = context;
    return 1;
}

long halvm_reroute_calls(const short numbers[], size_t count,
                         handler_function *handler, void *context)
{
    (void)numbers, (void)count, (void)context;
    on_call = handler;
    return 2;
}

int halvm_reroute_end(long id)
{
    return id == 1 ? 0 : -ESRCH;
}

size_t halvm_calls(enum halvm_family family, short numbers[], size_t room)
{
    (void)family, (void)numbers, (void)room;
    return 0;
}

long halvm_call_previous(const struct halvm_call *call)
{
    return object_result(syscall(call->number, call->args[0], call->args[1],
                                 call->args[2], call->args[3], call->args[4],
                                 call->args[5]));
}

int __real_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    static __thread unsigned random = 1;
    int result = __real_pthread_mutex_unlock(mutex);

    random = random * 1103515245 + 12345;
    for (unsigned i = random >> 16 & 7; i > 5; i--)
        usleep(20);
    return result;
}

static struct halvm_service *start(void)
{
    struct halvm_service *service = halvm_service_new("test");
    int domain = AF_INET;

    CHECK(service);
    CHECK(halvm_net_install(service, &domain, 1) == 0);
    return service;
}

static long open_socket(void)
{
    const struct halvm_call call = {.number = SYS_socket,
                                    .args = {AF_INET, SOCK_STREAM}};
    long fd = on_socket(owner, &call);

    CHECK(fd >= 0);
    return fd;
}

/* The id of the socket that was opened; 0: there is no event. */
static uint64_t take(struct halvm_service *service)
{
    struct halvm_event *event = halvm_service_take(service);
    uint64_t id = event ? event->id : 0;

    if (event)
        halvm_event_free(event);
    return id;
}

/* -- another thread closes -- */

static volatile long to_close = -1;
static volatile int stop;

static void *close_given(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        long fd = __atomic_load_n(&to_close, __ATOMIC_ACQUIRE);
        if (fd < 0) {
            sched_yield();
            continue;
        }
        const struct halvm_call call = {.number = SYS_close, .args = {fd}};
        CHECK(on_call(NULL, &call) == 0);
        __atomic_store_n(&to_close, -1, __ATOMIC_RELEASE);
    }
    return NULL;
}

/* Begins it; for a while that is another each time. */
static void close_there(long fd, int round)
{
    __atomic_store_n(&to_close, fd, __ATOMIC_RELEASE);
    for (volatile int i = 0; i < round % 64 * 50; i++)
        ;
}

static void wait_closed(void)
{
    while (__atomic_load_n(&to_close, __ATOMIC_ACQUIRE) >= 0)
        sched_yield();
}

int main(void)
{
    struct halvm_service *service = start();
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, close_given, NULL) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        long fd = open_socket();
        uint64_t id = take(service);
        close_there(fd, round);
        CHECK(halvm_net_close(service, id) == 0);
        wait_closed();
        CHECK(halvm_net_close(service, id) == -ESRCH);
        while (take(service) != 0)
            ;
    }
    halvm_service_end(service);
    for (int round = 0; round < ROUNDS; round++) {
        service = start();
        long fd = open_socket();
        close_there(fd, round);
        halvm_service_end(service);
        wait_closed();
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    CHECK(pthread_join(thread, NULL) == 0);
    printf("ok\n");
    return 0;
}
