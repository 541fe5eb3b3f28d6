/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * XenStore for programs: store_send and store_receive of base_xen.h, beside the
 * base's own use of the same ring (store.c).
 *
 * One request is under way. Its bytes stay here until the ring has taken them,
 * and its answer until it is received; events of watches queue up, and when
 * there is no room for one, that is remembered instead. So there is nothing
 * that grows, whatever the daemon sends.
 *
 * Monitor held. The functions that store.c calls may run in the middle of a
 * request of the base's own.
 */
#include <errno.h>
#include <string.h>

#include "drivers/xen/guest.h"

#include <xen/io/xs_wire.h>

#define EVENTS_SIZE 8192u

struct message {
    struct xsd_sockmsg head;
    char data[XENSTORE_PAYLOAD_MAX];
};

struct room {
    struct message request, answer;
    /* A length (uint32_t) and as many bytes, one after the other. */
    char events[EVENTS_SIZE];
};
#define ROOM_PAGES ((sizeof(struct room) + 4095) / 4096)

_Static_assert(XENSTORE_PAYLOAD_MAX == BASE_XEN_PAYLOAD_MAX, "Xen's ABI");

static struct {
    struct room *room;
    uint32_t number; /* of the last request */
    bool waiting;    /* for the answer to it */
    bool answered;
    uint32_t events_from, events_to; /* in room->events */
    bool missed, anew;
} programs;

static void take_answer(const struct xsd_sockmsg *head, const char *payload)
{
    struct message *answer = &programs.room->answer;

    if (!programs.waiting || programs.answered ||
        head->req_id != (programs.number | XEN_STORE_PROGRAM_REQUEST))
        return; /* of one that was given up */
    answer->head = *head;
    memcpy(answer->data, payload, head->len);
    programs.answered = true;
    hw_ready(BASE_READY_XEN);
}

static void queue_event(const char *payload, uint32_t size)
{
    char *to;

    hw_ready(BASE_READY_XEN);
    if (EVENTS_SIZE - programs.events_to < sizeof(size) + size) {
        programs.missed = true;
        return;
    }
    to = programs.room->events + programs.events_to;
    memcpy(to, &size, sizeof(size));
    memcpy(to + sizeof(size), payload, size);
    programs.events_to += (uint32_t)sizeof(size) + size;
}

static void begin_anew(void)
{
    programs.waiting = programs.answered = programs.missed = false;
    programs.events_from = programs.events_to = 0;
    programs.anew = true;
    hw_ready(BASE_READY_XEN);
}

bool xen_programs_store_init(void)
{
    static const struct xen_store_programs calls = {
        .answer = take_answer, .event = queue_event, .anew = begin_anew};

    programs.room = hw_pages_get(ROOM_PAGES);
    if (programs.room == NULL)
        return false;
    xen_store_programs_set(&calls);
    return true;
}

enum base_status xen_programs_store_send(const struct base_xen_message *request)
{
    struct message *out = &programs.room->request;
    long result;

    if (request->size > BASE_XEN_PAYLOAD_MAX)
        hw_base.abort("xen: a message that is too long");
    result = xen_store_post(NULL, 0);
    if (result != 0)
        return result == -ENODEV ? BASE_NODEV : BASE_IO;
    if (programs.waiting || programs.anew)
        return BASE_AGAIN; /* something is to be received first */
    programs.number = (programs.number + 1) & ~XEN_STORE_PROGRAM_REQUEST;
    out->head = (struct xsd_sockmsg){.type = request->type,
                                     .req_id = programs.number |
                                               XEN_STORE_PROGRAM_REQUEST,
                                     .tx_id = request->transaction,
                                     .len = request->size};
    memcpy(out->data, request->data, request->size);
    programs.waiting = true;
    /* If it fails, all has begun anew, and that is received. */
    xen_store_post(out, sizeof(out->head) + request->size);
    return programs.waiting ? BASE_OK : BASE_AGAIN;
}

enum base_xen_store xen_programs_store_receive(struct base_xen_message *out)
{
    struct message *answer = &programs.room->answer;

    memset(out, 0, offsetof(struct base_xen_message, data));
    if (programs.anew) {
        programs.anew = false;
        return BASE_XEN_STORE_ANEW;
    }
    if (programs.events_from < programs.events_to) {
        const char *from = programs.room->events + programs.events_from;

        memcpy(&out->size, from, sizeof(out->size));
        memcpy(out->data, from + sizeof(out->size), out->size);
        out->type = XS_WATCH_EVENT;
        programs.events_from += (uint32_t)sizeof(out->size) + out->size;
        if (programs.events_from == programs.events_to)
            programs.events_from = programs.events_to = 0;
        return BASE_XEN_STORE_EVENT;
    }
    if (programs.missed) {
        programs.missed = false;
        return BASE_XEN_STORE_MISSED;
    }
    if (!programs.answered)
        return BASE_XEN_STORE_NOTHING;
    programs.waiting = programs.answered = false;
    out->type = answer->head.type;
    out->transaction = answer->head.tx_id;
    out->size = answer->head.len;
    memcpy(out->data, answer->data, answer->head.len);
    return BASE_XEN_STORE_ANSWER;
}
