/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls that a service answers (halvm_service_reroute): the caller
 * sleeps in the call until it is answered. What stands on its stack is in the
 * service's list until then.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "halvm/reroute.h"
#include "reroute/service.h"

enum call_phase { CALL_WAITING, CALL_ANSWERED, CALL_PASSED, CALL_FAILED };

struct service_call {
    struct service_call *next;
    uint64_t id;
    long result;
    volatile int phase; /* enum call_phase */
};

/* A registration. Stays, with its reference to the service, as nobody knows
 * when the last thread has left its handler: a call that was passed on may
 * block for ever. */
struct rerouted {
    struct service_client client;
    struct halvm_service *service;
    volatile long registration;
};

static uint64_t last_id;

static void forget(struct halvm_service *service, struct service_call *mine)
{
    pthread_mutex_lock(&service->lock);
    for (struct service_call **at = &service->calls; *at; at = &(*at)->next)
        if (*at == mine) {
            *at = mine->next;
            break;
        }
    pthread_mutex_unlock(&service->lock);
}

static int settle(struct halvm_service *service, uint64_t id, int phase,
                  long result)
{
    int found = -ESRCH;

    /* The caller's stack holds the call: woken with the lock held, so that it
     * is still there. */
    pthread_mutex_lock(&service->lock);
    for (struct service_call *call = service->calls; call; call = call->next)
        if (call->id == id && call->phase == CALL_WAITING) {
            call->result = result;
            __atomic_store_n(&call->phase, phase, __ATOMIC_RELEASE);
            service_wake(&call->phase);
            found = 0;
        }
    pthread_mutex_unlock(&service->lock);
    return found;
}

int halvm_call_answer(struct halvm_service *service, uint64_t id, long result)
{
    return settle(service, id, CALL_ANSWERED, result);
}

int halvm_call_pass(struct halvm_service *service, uint64_t id)
{
    return settle(service, id, CALL_PASSED, 0);
}

static HALVM_HANDLER(on_call)
{
    struct rerouted *rerouted = context;
    struct halvm_service *service = rerouted->service;
    struct service_call mine = {0};
    struct halvm_event event = {.kind = HALVM_CALL, .fd = -1};
    long result = service_wait(service), registration;

    if (result == -EAGAIN)
        return -EDEADLK;
    if (result < 0)
        return halvm_call_previous(call); /* it is gone: as without it */
    pthread_mutex_lock(&service->lock);
    mine.id = ++last_id;
    mine.next = service->calls;
    service->calls = &mine;
    pthread_mutex_unlock(&service->lock);
    event.id = mine.id;
    event.number[0] = call->number;
    for (int i = 0; i < 6; i++)
        event.number[i + 1] = call->args[i];
    while ((registration = rerouted->registration) == 0)
        sched_yield(); /* halvm_reroute has not returned yet */
    result = service_post(service, &event, &registration, sizeof registration);
    /* A signal does not end the wait: the handler works on our memory. */
    while (result == 0 && service_sleep(&mine.phase, CALL_WAITING) < 0)
        ;
    service_waited(service);
    forget(service, &mine);
    if (result < 0)
        return result == -ENETDOWN ? halvm_call_previous(call) : result;
    switch (mine.phase) {
    case CALL_ANSWERED:
        return mine.result;
    case CALL_PASSED:
        return halvm_call_previous(call);
    default:
        return -EIO;
    }
}

/* Whoever waits gets EIO; later calls go to what was there before. */
static void ended(struct service_client *client)
{
    struct rerouted *rerouted = (struct rerouted *)client;
    struct halvm_service *service = rerouted->service;

    pthread_mutex_lock(&service->lock);
    for (struct service_call *call = service->calls; call; call = call->next)
        if (call->phase == CALL_WAITING) {
            __atomic_store_n(&call->phase, CALL_FAILED, __ATOMIC_RELEASE);
            service_wake(&call->phase);
        }
    pthread_mutex_unlock(&service->lock);
    halvm_reroute_leave(rerouted->registration);
}

long halvm_service_reroute(struct halvm_service *service, long number)
{
    struct rerouted *rerouted;

    if (halvm_call_name(number) && halvm_call_runtime(number))
        return -EPERM;
    rerouted = calloc(1, sizeof *rerouted);
    if (!rerouted)
        return -ENOSPC;
    rerouted->client.ended = ended;
    rerouted->service = service;
    rerouted->registration = halvm_reroute(number, on_call, rerouted);
    if (rerouted->registration < 0) {
        long result = rerouted->registration;
        free(rerouted);
        return result;
    }
    service_ref(service);
    if (service_client_add(service, &rerouted->client) < 0) {
        halvm_reroute_leave(rerouted->registration);
        return -ENETDOWN;
    }
    return rerouted->registration;
}
