/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors of providers. Each is a descriptor of the world's (one end of a
 * socket pair, an eventfd), which poll, select and epoll know, and for which
 * this table has an object: calls on it come to the object first.
 *
 * Every call whose first argument is a descriptor is taken over when the first
 * object is made, and stays so. For descriptors without an object that is a
 * look-up in a table, without a lock.
 */
#ifndef REROUTE_DESCRIPTOR_H
#define REROUTE_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "halvm/reroute.h"

struct object;

/* Not an errno: the call goes to what was there before. */
#define OBJECT_PASS (-100000l)

struct object_ops {
    /* A call on fd, which is the object's. Any but close, dup and fcntl's
     * duplications, which are done already. */
    long (*call)(struct object *object, int fd, const struct halvm_call *call);
    /* The last descriptor, or reference, is gone. */
    void (*release)(struct object *object);
};

struct object {
    const struct object_ops *ops;
    unsigned references; /* one a descriptor, and one a call that runs */
};

/* Once for all: 0 or -errno. */
int object_start(void);
/* fd, a new descriptor, is the object's from now on; the reference that the
 * caller holds goes to it. 0 or -ENOMEM. */
int object_install(int fd, struct object *object);
/* The object behind fd with a reference, if it has these ops (NULL: any). */
struct object *object_get(int fd, const struct object_ops *ops);
void object_put(struct object *object);

/* A result of libc as the kernel's. */
long object_result(long result);

#endif
