/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/xen/store.c with a hostile daemon: the input is what the daemon
 * writes into the ring, indices and all, between and within our requests.
 * Every request ends, the programs' do not wait, what is handed out lies in the
 * room that was given, and the store is given up with one line a reset at most.
 *
 * Links drivers/xen/text.c.
 */
#include <stdio.h>

#include "drivers/xen/store.c"
#include "drivers/xen/store_programs.c"

#include "xen_mock.h"

#define PORT 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Alignas(4096) struct xenstore_domain_interface ring;
static const uint8_t *input, *input_end;

static uint8_t next(void)
{
    return input < input_end ? *input++ : 0;
}

/* A message that is well made but for what the input says. */
static void message(void)
{
    struct xsd_sockmsg head = {
        .type = next() % (XS_TYPE_COUNT + 1),
        .req_id = next() % 2 ? programs.number | XEN_STORE_PROGRAM_REQUEST
                             : store.request + next() % 3 - 1,
        .len = next()};
    uint8_t bytes[sizeof(head) + 256];

    if (next() == 0)
        head.len <<= 8 * (next() % 4);
    memcpy(bytes, &head, sizeof(head));
    for (unsigned i = 0; i < 256; i++)
        bytes[sizeof(head) + i] = next();
    for (uint32_t i = 0; i < sizeof(head) + (uint8_t)head.len; i++)
        ring.rsp[MASK_XENSTORE_IDX(ring.rsp_prod++)] = (char)bytes[i];
}

static void daemon_step(evtchn_port_t port)
{
    if (input == input_end)
        return;
    switch (next() % 8) {
    case 0:
    case 1:
    case 2:
        message();
        break;
    case 3: /* takes what we sent */
    case 4:
        ring.req_cons = ring.req_prod;
        break;
    case 5:
        ring.rsp[next() << 2 | next() % 4] = (char)next();
        ring.rsp_prod += next() % 4;
        break;
    case 6:
        *((uint8_t *)&ring.req_cons + next() % 28) = next();
        break;
    case 7:
        ring.connection = XENSTORE_CONNECTED;
        break;
    }
    mock_event(PORT);
}

static void changed(void *argument, const char *path)
{
}

static void program_send(void)
{
    char data[BASE_XEN_PAYLOAD_MAX] = "a";
    const struct base_xen_message request = {
        .type = next(), .size = next() * 16u, .data = data};

    xen_programs_store_send(&request);
}

static void program_receive(void)
{
    char *data = malloc(BASE_XEN_PAYLOAD_MAX);
    struct base_xen_message got = {.data = data};

    if (xen_programs_store_receive(&got) != BASE_XEN_STORE_NOTHING &&
        got.size > BASE_XEN_PAYLOAD_MAX)
        abort();
    free(data);
}

static void ask_something(void)
{
    size_t room = next();
    char *out = malloc(room + 1);
    uint64_t number;
    long result = 0;

    switch (next() % 10) {
    case 8:
        program_send();
        break;
    case 9:
        program_receive();
        break;
    case 0:
        result = xen_store_read(0, "a", out, room + 1);
        break;
    case 1:
        result = xen_store_list(0, "a", out, room + 1);
        break;
    case 2:
        xen_store_read_number("a", &number);
        break;
    case 3:
        memset(out, 'x', room);
        out[room] = 0;
        xen_store_write(room, "a", out);
        break;
    case 4:
        xen_store_watch("w", changed, NULL);
        break;
    case 5:
        xen_store_unwatch("w", changed, NULL);
        break;
    case 6:
        xen_store_end((xen_store_transaction)xen_store_begin(), true);
        break;
    case 7:
        xen_store_work();
        break;
    }
    if (result > (long)room)
        abort();
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = data;
    input_end = data + size;
    mock_end();
    memset(&store, 0, sizeof(store));
    memset(&ring, 0, sizeof(ring));
    mock_on_notify = mock_on_wait = daemon_step;
    ring.server_features = next();
    ring.req_prod = ring.req_cons = ring.rsp_prod = ring.rsp_cons =
        next() * 0x01010101u;
    xen_store_init(&ring, PORT);
    memset(&programs, 0, sizeof(programs));
    if (!xen_programs_store_init())
        abort();
    while (input < input_end)
        ask_something();
    if (mock_log_lines > 2 * LIMIT_XEN_RECONNECTS + 1)
        abort();
    return 0;
}
