/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a guest of Xen has beside the rest (base_xen.h), and others have not:
 * events of a channel of the domain to itself, told once each until they are
 * taken; grants that end, and do not while they are mapped; pages of a PV guest
 * mapped a second time; refusals. And XenStore, which the first domain that
 * runs these images has none of, says so.
 */
#include <string.h>

#include "base_xen.h"
#include "check.h"

#define SELF        0x7ff0u /* DOMID_SELF */
#define PAGES       3
#define READ_WRITE  (BASE_PROT_READ | BASE_PROT_WRITE)
#define EVENT_NS    1000000000ull
#define QUIET_NS    20000000ull
#define ROUNDS      100
#define NO_SUCH     999u
#define REFUSED_REF 16000u

static const struct base_xen *xen;

/* The next port with an event; 0: none comes. */
static uint32_t event(uint64_t wait_ns)
{
    uint64_t end = base->clock_monotonic() + wait_ns;
    uint32_t port;

    for (;;) {
        if (xen->event_take(&port))
            return port;
        if (base->clock_monotonic() >= end)
            return 0;
        base->wait(end);
    }
}

static void events(void)
{
    uint32_t first, second, none;

    CHECK(xen->event_alloc(SELF, &first) == BASE_OK);
    CHECK(xen->event_bind(SELF, first, &second) == BASE_OK);
    CHECK(first != second);
    while (event(QUIET_NS) != 0) /* that binding makes */
        ;
    xen->event_notify(first);
    xen->event_notify(first);
    CHECK(event(EVENT_NS) == second);
    CHECK(event(QUIET_NS) == 0);
    xen->event_notify(second);
    CHECK(event(EVENT_NS) == first);
    CHECK(xen->event_bind(SELF, 3000000, &none) != BASE_OK);
    CHECK(xen->event_bind(NO_SUCH, 1, &none) != BASE_OK);
    xen->event_notify(first); /* nobody is told of a port that is closed */
    xen->event_close(second);
    CHECK(event(QUIET_NS) == 0);
    xen->event_notify(first);
    xen->event_close(first);
}

static void granted(char *pages, bool can_map)
{
    struct base_xen_grant grants[PAGES];
    void *seen = NULL;

    for (unsigned i = 0; i < PAGES; i++) {
        grants[i].domain = 0;
        CHECK(xen->grant(0, pages + i * 4096, false, &grants[i].reference) ==
              BASE_OK);
    }
    if (can_map) {
        CHECK(xen->map(grants, PAGES, false, &seen) == BASE_OK);
        CHECK((uint64_t)seen % 4096 == 0);
        CHECK((uint64_t)seen >= info->arena_start + info->arena_size ||
              (uint64_t)seen < info->arena_start);
        strcpy(pages + 2 * 4096, "there");
        CHECK(strcmp((char *)seen + 2 * 4096, "there") == 0);
        strcpy(seen, "and back");
        CHECK(strcmp(pages, "and back") == 0);
        CHECK(xen->grant_end(grants[0].reference) == BASE_AGAIN);
        xen->unmap(seen, PAGES);
    } else {
        CHECK(xen->map(grants, PAGES, false, &seen) == BASE_IO);
    }
    for (unsigned i = 0; i < PAGES; i++)
        CHECK(xen->grant_end(grants[i].reference) == BASE_OK);
    CHECK(xen->map(grants, PAGES, false, &seen) == BASE_IO);
    CHECK(strcmp(pages, can_map ? "and back" : "") == 0);
}

static void grants(bool can_map)
{
    uint64_t at = fresh(PAGES * 4096), free;
    struct base_xen_grant none = {NO_SUCH, REFUSED_REF};
    char *pages = (char *)at;
    uint32_t reference;
    void *seen;

    CHECK(base->mem_map(at, PAGES * 4096, READ_WRITE) == BASE_OK);
    granted(pages, can_map); /* makes tables, which stay */
    free = stats().pages_free;
    for (unsigned i = 0; i < ROUNDS; i++) {
        memset(pages, 0, PAGES * 4096);
        granted(pages, can_map);
    }
    CHECK(xen->map(&none, 1, true, &seen) == BASE_IO);
    CHECK(xen->grant(UINT32_MAX, pages, true, &reference) != BASE_OK);
    CHECK(stats().pages_free == free);
    base->mem_unmap(at, PAGES * 4096);
}

static void store(void)
{
    char data[BASE_XEN_PAYLOAD_MAX] = "domid";
    struct base_xen_message message = {.type = 2, .size = 6, .data = data};

    CHECK(xen->store_send(&message) == BASE_NODEV);
    CHECK(xen->store_receive(&message) == BASE_XEN_STORE_NOTHING);
}

void test_main(void)
{
    uint32_t generation;

    CHECK(base->xen() == NULL); /* nobody has said that it is used */
    base_uses_xen();
    xen = base->xen();
    if (xen == NULL) {
        CHECK(strcmp(base->name, "xenpv") != 0);
        say("no guest of Xen\n");
        pass();
    }
    CHECK(base->xen() == xen);
    generation = xen->generation();
    stats();
    events();
    grants(strcmp(base->name, "xenpv") == 0);
    store();
    stats();
    CHECK(xen->generation() == generation);
    pass();
}
