/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of descriptors that have an object: see descriptor.h.
 *
 * Slots are looked at without the lock first: one that is empty stays so for
 * a caller who has no right to the descriptor anyway. A descriptor leaves the
 * table before the world closes it, so that its number is not given out again
 * while it still has an object.
 */
#include "reroute/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reroute/service.h"

#define CHUNK  1024
#define CHUNKS 1024 /* descriptors up to 1,048,575: Linux's fs.nr_open */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct object **volatile chunks[CHUNKS];
static long registration;

long object_result(long result)
{
    return result < 0 ? -errno : result;
}

static struct object *volatile *slot(long fd)
{
    struct object **chunk;

    if (fd < 0 || fd >= (long)CHUNK * CHUNKS)
        return NULL;
    chunk = __atomic_load_n(&chunks[fd / CHUNK], __ATOMIC_ACQUIRE);
    return chunk ? &chunk[fd % CHUNK] : NULL;
}

/* With the lock held. NULL: no memory. */
static struct object *volatile *slot_make(int fd)
{
    if (fd < 0 || fd >= CHUNK * CHUNKS)
        return NULL;
    if (!chunks[fd / CHUNK]) {
        struct object **chunk = calloc(CHUNK, sizeof(struct object *));
        __atomic_store_n(&chunks[fd / CHUNK], chunk, __ATOMIC_RELEASE);
    }
    return slot(fd);
}

struct object *object_get(int fd, const struct object_ops *ops)
{
    struct object *volatile *at = slot(fd);
    struct object *object;

    if (!at || !*at)
        return NULL;
    pthread_mutex_lock(&lock);
    object = *at;
    if (object && ops && object->ops != ops)
        object = NULL;
    if (object)
        __atomic_fetch_add(&object->references, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&lock);
    return object;
}

void object_put(struct object *object)
{
    if (__atomic_sub_fetch(&object->references, 1, __ATOMIC_ACQ_REL) == 0)
        object->ops->release(object);
}

int object_install(int fd, struct object *object)
{
    struct object *volatile *at;

    pthread_mutex_lock(&lock);
    at = slot_make(fd);
    if (at)
        *at = object;
    pthread_mutex_unlock(&lock);
    return at ? 0 : -ENOMEM;
}

/* Takes fd's object out; the caller has its reference then. */
static struct object *take(int fd)
{
    struct object *volatile *at = slot(fd);
    struct object *object = NULL;

    if (!at || !*at)
        return NULL;
    pthread_mutex_lock(&lock);
    object = *at;
    *at = NULL;
    pthread_mutex_unlock(&lock);
    return object;
}

static long close_one(int fd, const struct halvm_call *call)
{
    struct object *object = take(fd);
    long result = halvm_call_previous(call);

    if (object)
        object_put(object);
    return result;
}

static long close_range_of(const struct halvm_call *call)
{
    unsigned from = (unsigned)call->args[0], to = (unsigned)call->args[1];

    if (call->args[2] == 0)
        for (unsigned fd = from; fd <= to && fd < CHUNK * CHUNKS; fd++) {
            struct object *object = NULL;
            if (!chunks[fd / CHUNK])
                fd |= CHUNK - 1; /* on to the next chunk */
            else
                object = take((int)fd);
            if (object)
                object_put(object);
        }
    return halvm_call_previous(call);
}

/* dup and its like: the new descriptor is the object's, too. */
static long duplicate(struct object *object, const struct halvm_call *call)
{
    struct object *old = NULL;
    long fd;

    /* dup2 closes what it replaces. */
    if ((call->number == SYS_dup2 || call->number == SYS_dup3) &&
        call->args[0] != call->args[1])
        old = take((int)call->args[1]);
    fd = halvm_call_previous(call);
    if (object && fd >= 0 && fd != call->args[0]) {
        __atomic_fetch_add(&object->references, 1, __ATOMIC_RELAXED);
        if (object_install((int)fd, object) < 0) {
            close((int)fd);
            __atomic_fetch_sub(&object->references, 1, __ATOMIC_RELAXED);
            fd = -EMFILE;
        }
    }
    if (old && fd < 0) /* nothing was replaced */
        object_install((int)call->args[1], old);
    else if (old)
        object_put(old);
    return fd;
}

static bool duplicates(const struct halvm_call *call)
{
    return call->number == SYS_dup || call->number == SYS_dup2 ||
           call->number == SYS_dup3 ||
           (call->number == SYS_fcntl &&
            ((int)call->args[1] == F_DUPFD ||
             (int)call->args[1] == F_DUPFD_CLOEXEC));
}

static HALVM_HANDLER(on_call)
{
    int fd = (int)call->args[0];
    struct object *object;
    long result = OBJECT_PASS;

    (void)context;
    if (call->number == SYS_close)
        return close_one(fd, call);
    if (call->number == SYS_close_range)
        return close_range_of(call);
    object = object_get(fd, NULL);
    if (duplicates(call))
        result = duplicate(object, call);
    else if (object)
        result = object->ops->call(object, fd, call);
    if (object)
        object_put(object);
    return result == OBJECT_PASS ? halvm_call_previous(call) : result;
}

int object_start(void)
{
    short numbers[256];
    size_t count;

    pthread_mutex_lock(&lock);
    if (registration <= 0) {
        count = halvm_calls(HALVM_CALLS_DESCRIPTOR, numbers, 255);
        numbers[count++] = SYS_close_range;
        registration = halvm_reroute_calls(numbers, count, on_call, NULL);
    }
    pthread_mutex_unlock(&lock);
    return registration > 0 ? 0 : (int)registration;
}
