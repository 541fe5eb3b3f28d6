/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a base that is a guest of Xen offers beside base.h, for programs that
 * talk to other domains: XenStore, event channels, grants. core/xen stands on
 * it; why it is a table of its own: docs/decisions/0011-xen-for-programs.md.
 *
 * Context and errors as base.h. BASE_READY_XEN says that store_receive() or
 * event_take() has something, or that generation() has changed.
 *
 * Other domains may be broken or hostile, so nothing here trusts them; but
 * what they write into a shared page is the program's to check.
 */
#ifndef HALVM_BASE_XEN_H
#define HALVM_BASE_XEN_H

#include "base.h"

/* Bytes of a message of XenStore after its header
 * (XENSTORE_PAYLOAD_MAX of <xen/io/xs_wire.h>). */
#define BASE_XEN_PAYLOAD_MAX 4096u

/* A message of XenStore: the fields of struct xsd_sockmsg, and its data. */
struct base_xen_message {
    uint32_t type;
    uint32_t transaction; /* 0: none */
    uint32_t size;        /* bytes of data */
    char *data;
};

/* What store_receive() found. */
enum base_xen_store {
    BASE_XEN_STORE_NOTHING = 0,
    BASE_XEN_STORE_ANSWER, /* to what store_send() sent last */
    BASE_XEN_STORE_EVENT,  /* of a watch of the program's */
    BASE_XEN_STORE_MISSED, /* events came for which there was no room */
    /* The daemon was restarted, or the domain was suspended: watches and
     * transactions are forgotten, and what was sent last gets no answer. */
    BASE_XEN_STORE_ANEW,
};

/* A page that another domain has granted. */
struct base_xen_grant {
    uint32_t domain;
    uint32_t reference;
};

struct base_xen {
    /* Grows when all event channels and grants of before are gone, since the
     * domain was suspended and goes on as another. */
    uint32_t (*generation)(void);

    /* -- XenStore -- */

    /* Sends a request; the data is copied. One at a time: BASE_AGAIN until
     * the answer to the last was received. Watches are told from the base's
     * own by their tokens, which begin with 'p'. BASE_NODEV: there is no
     * XenStore (the first domain); BASE_IO: it is no use any more. */
    enum base_status (*store_send)(const struct base_xen_message *request);
    /* Takes the next message; out->data has BASE_XEN_PAYLOAD_MAX bytes of
     * room. What the daemon wrote, but for out->size, is not checked. */
    enum base_xen_store (*store_receive)(struct base_xen_message *out);

    /* -- event channels --
     * BASE_NODEV: no such domain; BASE_NOMEM: no room for a port here;
     * BASE_IO: Xen refuses it. */

    /* A port of ours that the domain may bind to. */
    enum base_status (*event_alloc)(uint32_t domain, uint32_t *port);
    /* Our end of the port that the domain has allocated for us. */
    enum base_status (*event_bind)(uint32_t domain, uint32_t remote_port,
                                   uint32_t *port);
    void (*event_close)(uint32_t port);
    /* Nothing if nobody has bound the other end. */
    void (*event_notify)(uint32_t port);
    /* The next port that had an event since it was taken last; false: none. */
    bool (*event_take)(uint32_t *port);

    /* -- grants -- */

    /* Lets the domain use a page of core's (anything in mem_map's arena that
     * stays mapped until the grant ended). BASE_NOMEM: no reference left. */
    enum base_status (*grant)(uint32_t domain, const void *page, bool read_only,
                              uint32_t *reference);
    /* BASE_AGAIN: the domain has the page mapped, and nothing was changed. */
    enum base_status (*grant_end)(uint32_t reference);
    /* Maps pages of other domains, one after the other, outside of the arena:
     * all or none. BASE_NOMEM; BASE_IO: Xen refuses one of them, or it is a
     * page of our own, which a PV guest alone can map so. */
    enum base_status (*map)(const struct base_xen_grant *grants, unsigned count,
                            bool read_only, void **address);
    /* Unmaps what one map() gave. */
    void (*unmap)(void *address, unsigned count);
};

#endif
