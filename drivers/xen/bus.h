/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * XenBus: how a front end finds its backend and agrees with it, over XenStore
 * (<xen/io/xenbus.h> and the diagrams in <xen/io/blkif.h>). Shared by the
 * front ends of this folder; monitor held.
 *
 * A device goes through the links below by steps that watch events cause, so
 * that nothing waits but the first xen_bus_get(). The driver makes its rings
 * in offer() and drops them in release(); in between the backend may use them.
 */
#ifndef HALVM_XEN_BUS_H
#define HALVM_XEN_BUS_H

#include <xen/io/xenbus.h>

#include "drivers/xen/xen.h"

#define XEN_BUS_PATH_SIZE 96 /* bytes; longer ones are refused */
#define XEN_BUS_WAIT_NS   10000000000ull

enum xen_link {
    XEN_LINK_WAITING = 0, /* for the backend to be ready for us */
    XEN_LINK_OFFERED,     /* our rings are published */
    XEN_LINK_UP,
    XEN_LINK_LOST,   /* the backend went away; it may come back */
    XEN_LINK_BROKEN, /* it lied, or cannot be used: for good */
};

struct xen_bus_device;

struct xen_bus_driver {
    const char *kind;     /* "vif": devices are below "device/vif" */
    const char *rings[3]; /* names of the rings' references, NULL at the end */
    uint32_t ready;       /* enum base_ready that an event means */
    /* What our state says with the rings: a disk says Initialised, then
     * Connected; netback connects when it sees Connected. */
    enum xenbus_state offered;
    /* The backend is ready: looks at what it offers and lays out the rings in
     * xen_bus_device.pages. False: it cannot be used, and the reason was said
     * by xen_bus_break(). */
    bool (*offer)(struct xen_bus_device *device);
    /* Writes features, in a transaction that may have to be done again. */
    long (*publish)(struct xen_bus_device *device, xen_store_transaction t);
    /* It is connected: reads what it says now. False: as offer. */
    bool (*connected)(struct xen_bus_device *device);
    /* It is lost or broken: ends what is under way. */
    void (*lost)(struct xen_bus_device *device);
    /* Takes the driver's grants back; false: some are in use still. */
    bool (*release)(struct xen_bus_device *device);
    /* After a suspend: no grant is valid any more, none is to be ended. */
    void (*resumed)(struct xen_bus_device *device);
};

struct xen_bus_device {
    const struct xen_bus_driver *driver;
    enum xen_link link;
    domid_t domain; /* the backend's */
    evtchn_port_t port;
    bool port_open;
    unsigned reconnects;
    void *pages[2];                  /* the rings; NULL until offered */
    grant_ref_t refs[2];             /* XEN_GRANT_NONE: not granted */
    char path[XEN_BUS_PATH_SIZE];    /* "device/vif/0" */
    char backend[XEN_BUS_PATH_SIZE]; /* "/local/domain/0/backend/vif/3/0" */
    char state[XEN_BUS_PATH_SIZE];   /* backend + "/state": watched */
};

/* Finds the index-th device of the driver's kind, in the order of their
 * numbers, and connects it. BASE_NODEV: there are not so many; BASE_IO: it
 * does not come up, and why was said. device is zeroed and stays in place. */
enum base_status xen_bus_get(struct xen_bus_device *device,
                             const struct xen_bus_driver *driver,
                             unsigned index);

/* The backend lies or cannot be used: one line, and it is not used any more.
 * Calls lost(). Nothing at the second time. */
void xen_bus_break(struct xen_bus_device *device, const char *why);

/* A number below the backend's path; otherwise if there is none. */
uint64_t xen_bus_backend_number(const struct xen_bus_device *device,
                                const char *name, uint64_t otherwise);
/* A text below our own path, or an empty one. */
void xen_bus_text(const struct xen_bus_device *device, const char *name,
                  char *out, size_t size);
/* Writes below our own path. */
long xen_bus_write(struct xen_bus_device *device, xen_store_transaction t,
                   const char *name, const char *value);
long xen_bus_write_number(struct xen_bus_device *device,
                          xen_store_transaction t, const char *name,
                          uint64_t value);

/* Grants a page to the backend; XEN_GRANT_NONE if there is no room. */
grant_ref_t xen_bus_grant(struct xen_bus_device *device, const void *page,
                          bool read_only);
/* After a suspend: connects all devices anew. Reached through
 * xen_resume_devices, so that an image without devices is without this. */
void xen_bus_resume(void);

/* Takes it back and sets *ref to XEN_GRANT_NONE; false: not yet. Nothing to do
 * is a success. */
bool xen_bus_grant_end(grant_ref_t *ref);

#endif
