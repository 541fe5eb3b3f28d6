/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a front end stands on besides xen_mock.h: a XenStore that is a table,
 * and a table of grants that knows what is handed out. Included once.
 */
#ifndef HALVM_UNIT_XEN_FRONT_MOCK_H
#define HALVM_UNIT_XEN_FRONT_MOCK_H

#include <errno.h>
#include <stdio.h>

#include "xen_mock.h"

#include <xen/io/xenbus.h>

#define MOCK_KEYS   128
#define MOCK_GRANTS 4096

static struct {
    char path[96], value[96];
} mock_keys[MOCK_KEYS];
static struct {
    char path[96];
    void (*changed)(void *argument, const char *path);
    void *argument;
    bool pending;
} mock_watches[LIMIT_XEN_WATCHES];
static unsigned mock_disturb; /* transactions that have to be done again */
/* The backend sees what we write. */
static void (*mock_on_write)(const char *path, const char *value);

static struct {
    const void *page;
    domid_t domain;
    bool read_only, mapped;
} mock_grants[MOCK_GRANTS];
static unsigned mock_grant_count, mock_grants_max;

/* -- the table -- */

static char *mock_get(const char *path)
{
    for (unsigned i = 0; i < MOCK_KEYS; i++)
        if (strcmp(mock_keys[i].path, path) == 0)
            return mock_keys[i].value;
    return NULL;
}

static void mock_fire(const char *path)
{
    for (unsigned i = 0; i < LIMIT_XEN_WATCHES; i++)
        if (mock_watches[i].changed != NULL &&
            strcmp(mock_watches[i].path, path) == 0)
            mock_watches[i].pending = true;
}

static void mock_set(const char *path, const char *value)
{
    unsigned i = 0;

    while (mock_keys[i].path[0] != 0 && strcmp(mock_keys[i].path, path) != 0)
        if (++i == MOCK_KEYS)
            abort();
    snprintf(mock_keys[i].path, sizeof(mock_keys[i].path), "%s", path);
    snprintf(mock_keys[i].value, sizeof(mock_keys[i].value), "%s", value);
    mock_fire(path);
}

static inline void mock_unset(const char *path)
{
    for (unsigned i = 0; i < MOCK_KEYS; i++)
        if (strcmp(mock_keys[i].path, path) == 0)
            strcpy(mock_keys[i].path, "(removed)");
    mock_fire(path);
}

static inline uint64_t mock_number(const char *path)
{
    const char *value = mock_get(path);

    return value != NULL ? strtoull(value, NULL, 0) : UINT64_MAX;
}

long xen_store_read(xen_store_transaction t, const char *path, char *out,
                    size_t size)
{
    const char *value = mock_get(path);

    if (value == NULL)
        return -ENOENT;
    if (strlen(value) >= size)
        return -E2BIG;
    strcpy(out, value);
    return (long)strlen(value);
}

long xen_store_read_number(const char *path, uint64_t *out)
{
    char text[96], *end;
    long length = xen_store_read(0, path, text, sizeof(text));

    if (length < 0)
        return length;
    *out = strtoull(text, &end, 0);
    return length > 0 && *end == 0 ? 0 : -EINVAL;
}

long xen_store_write(xen_store_transaction t, const char *path,
                     const char *value)
{
    mock_set(path, value);
    if (mock_on_write != NULL)
        mock_on_write(path, value);
    return 0;
}

/* The names right below path. */
long xen_store_list(xen_store_transaction t, const char *path, char *out,
                    size_t size)
{
    size_t length = strlen(path), used = 0;

    for (unsigned i = 0; i < MOCK_KEYS; i++) {
        const char *name = mock_keys[i].path + length + 1;
        size_t name_size;

        if (strncmp(mock_keys[i].path, path, length) != 0 ||
            mock_keys[i].path[length] != '/' ||
            strcmp(name + strcspn(name, "/"), "/backend") != 0)
            continue;
        name_size = strcspn(name, "/");
        memcpy(out + used, name, name_size);
        out[used + name_size] = 0;
        used += name_size + 1;
    }
    return used > 0 ? (long)used : -ENOENT;
}

long xen_store_begin(void)
{
    return 5;
}

long xen_store_end(xen_store_transaction t, bool commit)
{
    if (mock_disturb > 0) {
        mock_disturb--;
        return -EAGAIN;
    }
    return 0;
}

long xen_store_watch(const char *path,
                     void (*changed)(void *argument, const char *path),
                     void *argument)
{
    for (unsigned i = 0; i < LIMIT_XEN_WATCHES; i++)
        if (mock_watches[i].changed == NULL) {
            snprintf(mock_watches[i].path, sizeof(mock_watches[i].path), "%s",
                     path);
            mock_watches[i].changed = changed;
            mock_watches[i].argument = argument;
            mock_watches[i].pending = true;
            return 0;
        }
    return -ENOSPC;
}

long xen_store_unwatch(const char *path,
                       void (*changed)(void *argument, const char *path),
                       void *argument)
{
    for (unsigned i = 0; i < LIMIT_XEN_WATCHES; i++)
        if (mock_watches[i].changed == changed &&
            mock_watches[i].argument == argument &&
            strcmp(mock_watches[i].path, path) == 0) {
            memset(&mock_watches[i], 0, sizeof(mock_watches[i]));
            return 0;
        }
    return -ENOENT;
}

void xen_store_work(void)
{
    for (unsigned i = 0; i < LIMIT_XEN_WATCHES; i++)
        if (mock_watches[i].pending) {
            mock_watches[i].pending = false;
            mock_watches[i].changed(mock_watches[i].argument,
                                    mock_watches[i].path);
        }
}

/* Nothing comes by itself: time passes. */
void xen_store_wait(uint64_t deadline_ns)
{
    bool any = false;

    for (unsigned i = 0; i < LIMIT_XEN_WATCHES; i++) {
        any = any || mock_watches[i].pending;
        mock_watches[i].pending = false;
    }
    if (!any)
        mock_now = deadline_ns;
}

void (*xen_resume_devices)(void);

/* -- grants -- */

grant_ref_t xen_grant(domid_t domain, const void *page, bool read_only)
{
    if (mock_grants_max != 0 && mock_grant_count >= mock_grants_max)
        return XEN_GRANT_NONE;
    for (grant_ref_t ref = 8; ref < MOCK_GRANTS; ref++)
        if (mock_grants[ref].page == NULL) {
            mock_grants[ref].page = page;
            mock_grants[ref].domain = domain;
            mock_grants[ref].read_only = read_only;
            mock_grant_count++;
            return ref;
        }
    return XEN_GRANT_NONE;
}

bool xen_grant_end(grant_ref_t ref)
{
    if (ref >= MOCK_GRANTS || mock_grants[ref].page == NULL)
        abort();
    if (mock_grants[ref].mapped)
        return false;
    memset(&mock_grants[ref], 0, sizeof(mock_grants[ref]));
    mock_grant_count--;
    return true;
}

/* The page behind a reference that the backend was given; it must have been,
 * and for writing if it writes. */
static inline void *mock_page(grant_ref_t ref, bool write)
{
    if (ref >= MOCK_GRANTS || mock_grants[ref].page == NULL ||
        (write && mock_grants[ref].read_only)) {
        fprintf(stderr, "the backend was given a bad reference %u\n", ref);
        abort();
    }
    return (void *)(uintptr_t)mock_grants[ref].page;
}

static inline void mock_front_end(void)
{
    mock_end();
    memset(mock_keys, 0, sizeof(mock_keys));
    memset(mock_watches, 0, sizeof(mock_watches));
    memset(mock_grants, 0, sizeof(mock_grants));
    mock_grant_count = mock_grants_max = mock_disturb = 0;
}

#endif
