/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * XenBus: see bus.h. One step function looks at the backend's state and does
 * what our own state then asks for; it runs from the watch on that state, and
 * in a loop with a deadline when a device is first wanted.
 */
#include <errno.h>
#include <string.h>

#include "drivers/xen/bus.h"
#include "drivers/xen/text.h"
#include "halvm_limits.h"

#define DEVICES    (LIMIT_NICS + LIMIT_BLOCK_DEVICES)
#define TRIES      8 /* of a transaction that is disturbed */
#define LIST_PAGES 2 /* XENSTORE_PAYLOAD_MAX and a 0 */
#define LIST_SIZE  (LIST_PAGES * LIMIT_PAGE_SIZE)

static struct xen_bus_device *devices[DEVICES];
static unsigned device_count;

static void on_event(void *argument)
{
    const struct xen_bus_device *device = argument;

    hw_ready(device->driver->ready);
}

/* -- small things -- */

static bool below(char out[XEN_BUS_PATH_SIZE], const char *path,
                  const char *name)
{
    return xen_text_join(out, XEN_BUS_PATH_SIZE, path, "/", name, NULL);
}

uint64_t xen_bus_backend_number(const struct xen_bus_device *device,
                                const char *name, uint64_t otherwise)
{
    char path[XEN_BUS_PATH_SIZE];
    uint64_t value;

    if (!below(path, device->backend, name) ||
        xen_store_read_number(path, &value) != 0)
        return otherwise;
    return value;
}

void xen_bus_text(const struct xen_bus_device *device, const char *name,
                  char *out, size_t size)
{
    char path[XEN_BUS_PATH_SIZE];

    if (!below(path, device->path, name) ||
        xen_store_read(0, path, out, size) < 0)
        out[0] = 0;
}

long xen_bus_write(struct xen_bus_device *device, xen_store_transaction t,
                   const char *name, const char *value)
{
    char path[XEN_BUS_PATH_SIZE];

    return below(path, device->path, name) ? xen_store_write(t, path, value)
                                           : -E2BIG;
}

long xen_bus_write_number(struct xen_bus_device *device,
                          xen_store_transaction t, const char *name,
                          uint64_t value)
{
    char text[XEN_NUMBER_SIZE];

    xen_text_of_number(value, text);
    return xen_bus_write(device, t, name, text);
}

grant_ref_t xen_bus_grant(struct xen_bus_device *device, const void *page,
                          bool read_only)
{
    return xen_grant(device->domain, page, read_only);
}

bool xen_bus_grant_end(grant_ref_t *ref)
{
    if (*ref != XEN_GRANT_NONE && !xen_grant_end(*ref))
        return false;
    *ref = XEN_GRANT_NONE;
    return true;
}

/* -- going down -- */

static void port_close(struct xen_bus_device *device)
{
    if (device->port_open)
        xen_event_close(device->port);
    device->port_open = false;
}

/* Ends what is under way, and tells the backend that we are done with it. */
static void let_go(struct xen_bus_device *device, enum xen_link link)
{
    device->link = link;
    device->driver->lost(device);
    port_close(device);
    xen_bus_write_number(device, 0, "state", XenbusStateClosed);
    /* Whoever waits is told that the end has come. */
    hw_ready(device->driver->ready);
}

void xen_bus_break(struct xen_bus_device *device, const char *why)
{
    if (device->link == XEN_LINK_BROKEN)
        return;
    hw_log("xen: ", device->path, ": the backend ", why,
           "; it is not used any more", NULL);
    let_go(device, XEN_LINK_BROKEN);
}

/* Takes all grants back that are not in use; false: some are. */
static bool release(struct xen_bus_device *device)
{
    bool all = device->driver->release(device);

    for (unsigned i = 0; device->driver->rings[i] != NULL; i++) {
        all = xen_bus_grant_end(&device->refs[i]) && all;
        if (device->refs[i] != XEN_GRANT_NONE || device->pages[i] == NULL)
            continue;
        hw_pages_put(device->pages[i], 1);
        device->pages[i] = NULL;
    }
    return all;
}

/* -- coming up -- */

static bool rings_make(struct xen_bus_device *device)
{
    for (unsigned i = 0; device->driver->rings[i] != NULL; i++) {
        if (device->pages[i] == NULL)
            device->pages[i] = hw_pages_get(1);
        if (device->pages[i] == NULL)
            return false;
        device->refs[i] = xen_bus_grant(device, device->pages[i], false);
        if (device->refs[i] == XEN_GRANT_NONE)
            return false;
    }
    return true;
}

static long publish_in(struct xen_bus_device *device, xen_store_transaction t)
{
    long result =
        xen_bus_write_number(device, t, "event-channel", device->port);

    for (unsigned i = 0; result == 0 && device->driver->rings[i] != NULL; i++)
        result = xen_bus_write_number(device, t, device->driver->rings[i],
                                      device->refs[i]);
    if (result == 0)
        result = device->driver->publish(device, t);
    return result;
}

/* Publishes all at once: the backend never sees half of it. */
static long publish(struct xen_bus_device *device)
{
    long result = -EAGAIN;

    for (unsigned i = 0; i < TRIES && result == -EAGAIN; i++) {
        long t = xen_store_begin();

        if (t < 0)
            return t;
        result = publish_in(device, (xen_store_transaction)t);
        if (result == 0)
            result = xen_store_end((xen_store_transaction)t, true);
        else
            xen_store_end((xen_store_transaction)t, false);
    }
    if (result == 0)
        result =
            xen_bus_write_number(device, 0, "state", device->driver->offered);
    return result;
}

static void offer(struct xen_bus_device *device)
{
    long port;

    if (!rings_make(device)) {
        xen_bus_break(device, "cannot be given rings: no memory or grants");
        return;
    }
    port = xen_event_alloc(device->domain);
    if (port < 0) {
        xen_bus_break(device, "cannot be given an event channel");
        return;
    }
    device->port = (evtchn_port_t)port;
    device->port_open = true;
    if (xen_event_handle(device->port, on_event, device) != 0) {
        xen_bus_break(device, "cannot be given an event handler");
        return;
    }
    if (!device->driver->offer(device))
        return;
    if (publish(device) != 0) {
        xen_bus_break(device, "cannot be told of us by XenStore");
        return;
    }
    device->link = XEN_LINK_OFFERED;
}

static void connected(struct xen_bus_device *device)
{
    if (!device->driver->connected(device))
        return;
    device->link = XEN_LINK_UP;
    if (device->driver->offered != XenbusStateConnected)
        xen_bus_write_number(device, 0, "state", XenbusStateConnected);
    hw_ready(device->driver->ready);
}

/* The backend was lost. When it has let go of our pages we can begin anew. */
static void come_back(struct xen_bus_device *device, uint64_t state)
{
    if (state == XenbusStateClosing || !release(device))
        return;
    if (device->reconnects >= LIMIT_XEN_RECONNECTS)
        return;
    if (state != XenbusStateInitWait &&
        (state != XenbusStateClosed ||
         xen_bus_backend_number(device, "online", 0) != 1))
        return;
    device->reconnects++;
    device->link = XEN_LINK_WAITING;
    xen_bus_write_number(device, 0, "state", XenbusStateInitialising);
    if (state == XenbusStateInitWait)
        offer(device);
}

/* Does what the backend's state asks for. */
static void step(struct xen_bus_device *device)
{
    uint64_t state = XenbusStateUnknown;
    long result = xen_store_read_number(device->state, &state);
    bool gone = state == XenbusStateClosing || state == XenbusStateClosed ||
                result == -ENOENT;

    if (result != 0 && result != -ENOENT)
        return; /* XenStore's trouble says nothing of the backend */
    switch (device->link) {
    case XEN_LINK_WAITING:
        if (state == XenbusStateInitWait || state == XenbusStateInitialised)
            offer(device);
        break;
    case XEN_LINK_OFFERED:
    case XEN_LINK_UP:
        if (gone) {
            hw_log("xen: ", device->path, ": the backend went away", NULL);
            let_go(device, XEN_LINK_LOST);
            come_back(device, state);
        } else if (device->link == XEN_LINK_OFFERED &&
                   state == XenbusStateConnected) {
            connected(device);
        }
        break;
    case XEN_LINK_LOST:
        come_back(device, state);
        break;
    case XEN_LINK_BROKEN:
        if (gone)
            release(device);
        break;
    }
}

static void state_changed(void *argument, const char *path)
{
    step(argument);
}

/* -- finding -- */

/* The index-th smallest number of a listing; false: there are not so many. */
static bool number_find(const char *list, size_t size, unsigned index,
                        uint64_t *out)
{
    uint64_t least = 0, found = 0; /* what is below least is passed */

    for (unsigned i = 0; i <= index; i++) {
        bool any = false;

        for (const char *name = list; name < list + size;
             name += strlen(name) + 1) {
            uint64_t number;

            if (!xen_text_number(name, &number) || number < least ||
                number > UINT32_MAX || (any && number >= found))
                continue;
            any = true;
            found = number;
        }
        if (!any)
            return false;
        least = found + 1;
    }
    *out = found;
    return true;
}

/* Reads who the backend is. */
static bool backend_read(struct xen_bus_device *device)
{
    char path[XEN_BUS_PATH_SIZE];
    uint64_t domain;

    if (below(path, device->path, "backend-id") &&
        xen_store_read_number(path, &domain) == 0 &&
        domain < DOMID_FIRST_RESERVED && below(path, device->path, "backend") &&
        xen_store_read(0, path, device->backend, XEN_BUS_PATH_SIZE) > 0 &&
        below(device->state, device->backend, "state")) {
        device->domain = (domid_t)domain;
        return true;
    }
    hw_log("xen: ", device->path, ": XenStore names no backend", NULL);
    return false;
}

/* Sets the device's path. */
static enum base_status find(struct xen_bus_device *device, unsigned index)
{
    char text[XEN_NUMBER_SIZE];
    char *list = hw_pages_get(LIST_PAGES);
    uint64_t number;
    bool found;
    long size;

    if (list == NULL)
        return BASE_NOMEM;
    xen_text_join(device->path, XEN_BUS_PATH_SIZE, "device/",
                  device->driver->kind, NULL);
    size = xen_store_list(0, device->path, list, LIST_SIZE);
    found = size > 0 && number_find(list, (size_t)size, index, &number);
    hw_pages_put(list, LIST_PAGES);
    if (!found)
        return BASE_NODEV;
    if (!hw_device_room())
        return BASE_NOMEM;
    xen_text_of_number(number, text);
    xen_text_join(device->path, XEN_BUS_PATH_SIZE, "device/",
                  device->driver->kind, "/", text, NULL);
    return BASE_OK;
}

enum base_status xen_bus_get(struct xen_bus_device *device,
                             const struct xen_bus_driver *driver,
                             unsigned index)
{
    uint64_t deadline = hw_base.clock_monotonic() + XEN_BUS_WAIT_NS;
    enum base_status status;

    device->driver = driver;
    status = find(device, index);
    if (status != BASE_OK)
        return status;
    if (device_count == DEVICES || !backend_read(device) ||
        xen_store_watch(device->state, state_changed, device) != 0)
        return BASE_IO;
    xen_resume_devices = xen_bus_resume;
    devices[device_count++] = device;
    /* What an earlier kernel of this domain left. */
    xen_bus_write_number(device, 0, "state", XenbusStateInitialising);
    for (;;) {
        step(device);
        if (device->link == XEN_LINK_UP)
            return BASE_OK;
        if (device->link == XEN_LINK_BROKEN)
            return BASE_IO;
        if (hw_base.clock_monotonic() >= deadline)
            break;
        xen_store_wait(deadline);
    }
    xen_bus_break(device, "does not connect");
    return BASE_IO;
}

void xen_bus_resume(void)
{
    for (unsigned i = 0; i < device_count; i++) {
        struct xen_bus_device *device = devices[i];

        device->refs[0] = device->refs[1] = XEN_GRANT_NONE;
        device->port_open = false;
        device->driver->resumed(device);
        if (device->link == XEN_LINK_BROKEN)
            continue;
        device->link = XEN_LINK_WAITING;
        device->reconnects = 0;
        /* The domain may have another number, and so the backend a path. */
        xen_store_unwatch(device->state, state_changed, device);
        if (backend_read(device))
            xen_store_watch(device->state, state_changed, device);
    }
}
