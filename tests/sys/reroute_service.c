/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * System calls that a service answers (halvm_service_reroute): answered, passed
 * on, refused; by many threads at once; a service that stalls, and one that
 * ends while others wait.
 * cc: -pthread
 */
#include <poll.h>
#include <pthread.h>
#include <sys/utsname.h>

#include <halvm/reroute.h>
#include <halvm/service.h>

#include "check.h"

static struct halvm_service *service;
static volatile bool stop, stall;
static volatile long served;

static void answer(const struct halvm_event *event)
{
    struct utsname *name = (struct utsname *)event->number[1];

    served++;
    switch (event->number[0]) {
    case SYS_uname:
        strcpy(name->nodename, "elsewhere");
        CHECK_EQ(halvm_call_answer(service, event->id, 0), 0);
        CHECK_EQ(halvm_call_answer(service, event->id, 0), -ESRCH);
        break;
    case SYS_mkdir:
        CHECK_EQ(halvm_call_answer(service, event->id, -EROFS), 0);
        break;
    case SYS_getppid:
        CHECK_EQ(halvm_call_pass(service, event->id), 0);
        break;
    }
}

static void *serve(void *unused)
{
    struct halvm_event *event;

    while (!stop) {
        poll(&(struct pollfd){halvm_service_fd(service), POLLIN, 0}, 1, 20);
        while (stall && !stop)
            check_sleep_ms(5);
        while ((event = halvm_service_take(service)) != NULL) {
            if (event->kind == HALVM_CALL)
                answer(event);
            halvm_event_free(event);
        }
    }
    return NULL;
}

static void *call_often(void *parent)
{
    struct utsname name;

    for (int i = 0; i < 200; i++) {
        CHECK_EQ(uname(&name), 0);
        CHECK(strcmp(name.nodename, "elsewhere") == 0);
        CHECK_EQ(getppid(), *(pid_t *)parent);
        CHECK_ERR(mkdir("/x", 0700), EROFS);
    }
    return NULL;
}

static void *call_once(void *result)
{
    struct utsname name;

    *(int *)result = uname(&name) < 0 ? errno : 0;
    return NULL;
}

int main(void)
{
    pthread_t server, threads[4], waiting;
    pid_t parent = getppid();
    int result = -1;

    service = halvm_service_new("calls");
    CHECK(service != NULL);
    CHECK_EQ(halvm_service_reroute(service, SYS_mmap), -EPERM);
    CHECK_EQ(halvm_service_reroute(service, SYS_clone), -EINVAL);
    CHECK_EQ(halvm_service_reroute(service, 511), -EINVAL);
    CHECK(halvm_service_reroute(service, SYS_uname) > 0);
    CHECK(halvm_service_reroute(service, SYS_mkdir) > 0);
    long id = halvm_service_reroute(service, SYS_getppid);
    CHECK(id > 0);
    CHECK_EQ(pthread_create(&server, NULL, serve, NULL), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, call_often, &parent), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    CHECK_EQ(served, 4 * 200 * 3);
    CHECK_EQ(halvm_reroute_end(id), 0);
    CHECK_EQ(getppid(), parent);
    CHECK_EQ(served, 4 * 200 * 3);
    halvm_service_owner(service, gettid());
    CHECK_ERR(mkdir("/x", 0700), EDEADLK);
    halvm_service_owner(service, 0);
    /* It ends while one waits: EIO, and then what was there before. */
    stall = true;
    check_sleep_ms(30);
    CHECK_EQ(pthread_create(&waiting, NULL, call_once, &result), 0);
    check_sleep_ms(50);
    CHECK_EQ(result, -1);
    halvm_service_patience(service, 200);
    CHECK_EQ(pthread_join(waiting, NULL), 0);
    CHECK_EQ(result, EIO);
    stop = true;
    CHECK_EQ(pthread_join(server, NULL), 0);
    struct utsname name;
    CHECK_EQ(uname(&name), 0);
    CHECK(strcmp(name.nodename, "elsewhere") != 0);
    CHECK_EQ(halvm_service_reroute(service, SYS_uname), -ENETDOWN);
    halvm_service_end(service);
    return 0;
}
