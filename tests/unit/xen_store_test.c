/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/xen/store.c against a daemon in software: honest, slow, restarted,
 * and each of the lies it can tell. The daemon moves `pace` bytes at a time,
 * so that messages are split and wrapped in every way.
 */
#include "check.h"

#include "drivers/xen/store.c"

#include "xen_mock.h"

#define PORT 3

static struct {
    struct xenstore_domain_interface ring;
    uint32_t pace;
    bool silent;     /* answers nothing */
    bool shy;        /* reads nothing either */
    uint32_t id_add; /* answers with a wrong number */
    uint32_t type;   /* answers with this type, if not 0 */
    uint32_t length; /* claims this length, if not 0 */
    unsigned events; /* before each answer */
    bool resets;     /* offers to reset the ring */
    char in[8192], out[1 << 16];
    uint32_t in_size, out_size;
    unsigned requests;
    struct xsd_sockmsg last; /* request */
    char last_payload[4097];
    char value[4097]; /* of "v" */
    char token[32];   /* of the last watch */
    unsigned watches;
} d;

static void reply(uint32_t type, const void *data, uint32_t size)
{
    struct xsd_sockmsg head = {.type = d.type ? d.type : type,
                               .req_id = d.last.req_id + d.id_add,
                               .len = d.length ? d.length : size};

    if (type == XS_WATCH_EVENT)
        head.type = type;
    CHECK(d.out_size + sizeof(head) + size <= sizeof(d.out));
    memcpy(d.out + d.out_size, &head, sizeof(head));
    memcpy(d.out + d.out_size + sizeof(head), data, size);
    d.out_size += (uint32_t)sizeof(head) + size;
}

static void fire(const char *token)
{
    char payload[64] = "path";

    strcpy(payload + 5, token);
    reply(XS_WATCH_EVENT, payload, 5 + (uint32_t)strlen(token) + 1);
}

static void answer(void)
{
    const char *path = d.last_payload;

    d.requests++;
    for (unsigned i = 0; i < d.events; i++)
        fire(d.token);
    if (d.silent)
        return;
    switch (d.last.type) {
    case XS_READ:
        if (strcmp(path, "v") == 0)
            reply(XS_READ, d.value, (uint32_t)strlen(d.value));
        else if (strcmp(path, "odd") == 0)
            reply(XS_ERROR, "EWHAT", 6);
        else
            reply(XS_ERROR, "ENOENT", 7);
        break;
    case XS_WRITE:
        memcpy(d.value, path + strlen(path) + 1, d.last.len - strlen(path) - 1);
        d.value[d.last.len - strlen(path) - 1] = 0;
        reply(XS_WRITE, "OK", 3);
        break;
    case XS_DIRECTORY:
        reply(XS_DIRECTORY,
              "0\0"
              "10\0"
              "2",
              strcmp(path, "bad") == 0 ? 6 : 7);
        break;
    case XS_TRANSACTION_START:
        reply(XS_TRANSACTION_START, "77", 3);
        break;
    case XS_TRANSACTION_END:
        reply(XS_ERROR, "EAGAIN", 7);
        break;
    case XS_WATCH:
        d.watches++;
        strcpy(d.token, path + strlen(path) + 1);
        reply(XS_WATCH, "OK", 3);
        fire(d.token);
        break;
    default:
        reply(d.last.type, "OK", 3);
    }
}

/* Moves bytes both ways, `pace` at most; whether any moved. */
static bool daemon_move(void)
{
    struct xenstore_domain_interface *r = &d.ring;
    uint32_t moved = 0;

    while (!d.shy && moved < d.pace && r->req_cons != r->req_prod) {
        d.in[d.in_size++] = r->req[MASK_XENSTORE_IDX(r->req_cons++)];
        moved++;
        memcpy(&d.last, d.in, sizeof(d.last));
        if (d.in_size >= sizeof(d.last) &&
            d.in_size == sizeof(d.last) + d.last.len) {
            memcpy(d.last_payload, d.in + sizeof(d.last), d.last.len);
            d.last_payload[d.last.len] = 0;
            d.in_size = 0;
            answer();
        }
    }
    uint32_t count = 0;
    while (count < d.pace && count < d.out_size &&
           r->rsp_prod - r->rsp_cons < XENSTORE_RING_SIZE)
        r->rsp[MASK_XENSTORE_IDX(r->rsp_prod++)] = d.out[count++];
    memmove(d.out, d.out + count, d.out_size - count);
    d.out_size -= count;
    return moved + count > 0;
}

static void daemon_run(evtchn_port_t port)
{
    CHECK(port == PORT);
    if (d.resets && d.ring.connection == XENSTORE_RECONNECT) {
        d.ring.req_cons = d.ring.req_prod = 0;
        d.ring.rsp_cons = d.ring.rsp_prod = 0;
        d.in_size = d.out_size = 0;
        d.type = d.length = 0;
        d.ring.connection = XENSTORE_CONNECTED;
        mock_event(PORT);
        return;
    }
    if (daemon_move())
        mock_event(PORT);
}

static void start(uint32_t pace, uint32_t index)
{
    mock_end();
    memset(&d, 0, sizeof(d));
    memset(&store, 0, sizeof(store));
    d.pace = pace;
    d.ring.req_cons = d.ring.req_prod = index;
    d.ring.rsp_cons = d.ring.rsp_prod = index;
    mock_on_notify = mock_on_wait = daemon_run;
    xen_store_init(&d.ring, PORT);
    CHECK(d.requests == 0); /* nothing is sent before it is needed */
}

static char big[4097];

static void test_honest(void)
{
    static const uint32_t paces[] = {1, 3, 16, 17, 333, 1024, 5000};
    char out[4097];

    for (unsigned i = 0; i < 4000; i++)
        big[i] = (char)('a' + i % 26);
    for (unsigned p = 0; p < 7; p++) {
        start(paces[p], 0xfffffe00u); /* the indices go around, too */
        for (unsigned round = 0; round < 20; round++) {
            CHECK(xen_store_write(0, "v", big) == 0);
            CHECK(xen_store_read(0, "v", out, sizeof(out)) == 4000);
            CHECK(strcmp(out, big) == 0);
            CHECK(xen_store_read(0, "v", out, 4000) == -E2BIG);
            CHECK(xen_store_read(0, "none", out, 10) == -ENOENT);
            CHECK(xen_store_read(0, "odd", out, 10) == -EIO);
        }
        CHECK(xen_store_begin() == 77);
        CHECK(xen_store_mkdir(77, "m") == 0 && d.last.tx_id == 77);
        CHECK(d.last.type == XS_MKDIR && d.last.len == 2);
        CHECK(xen_store_remove(77, "m") == 0 && d.last.type == XS_RM);
        CHECK(xen_store_permissions_set(0, "m", "n0\0r1", 6) == 0);
        CHECK(memcmp(d.last_payload, "m\0n0\0r1", 8) == 0 && d.last.len == 8);
        CHECK(xen_store_end(77, true) == -EAGAIN);
        CHECK(d.last.len == 2 && strcmp(d.last_payload, "T") == 0);
        CHECK(xen_store_list(0, "l", out, sizeof(out)) == 7);
        CHECK(memcmp(out,
                     "0\0"
                     "10\0"
                     "2",
                     7) == 0);
        CHECK(mock_log_lines == 0);
    }
    memset(big + 4000, 'x', 96);
    CHECK(xen_store_write(0, "v", big) == -E2BIG);
}

static void test_numbers(void)
{
    static const struct {
        const char *text;
        long result;
        uint64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", -EINVAL, 0},
        {"0x1fF", 0, 0x1ff},
        {"0x", -EINVAL, 0},
        {"", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"123456789012345678901234", -EINVAL, 0},
    };
    uint8_t mac[6];
    char text[8];

    start(1024, 0);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 0;

        strcpy(d.value, cases[i].text);
        CHECK(xen_store_read_number("v", &value) == cases[i].result);
        CHECK(value == cases[i].value);
    }
    CHECK(xen_store_write_number(0, "v", UINT64_MAX) == 0);
    CHECK(strcmp(d.value, "18446744073709551615") == 0);
    CHECK(xen_text_mac("00:16:3e:fF:10:0a", mac) && mac[3] == 0xff);
    CHECK(!xen_text_mac("00:16:3e:ff:10:0", mac));
    CHECK(!xen_text_mac("00:16:3e:ff:10:0a:", mac));
    CHECK(!xen_text_mac("", mac));
    CHECK(xen_text_join(text, 8, "ab", "cde", "fg", NULL));
    CHECK(!xen_text_join(text, 8, "ab", "cde", "fgh", NULL) && text[0] == 0);
}

/* -- watches -- */

static unsigned calls;
static void changed(void *argument, const char *path)
{
    CHECK(argument == &calls && strcmp(path, "w") == 0);
    calls++;
    CHECK(xen_store_read(0, "none", big, 10) == -ENOENT); /* may ask */
}

/* A watch's function once more, when it is time. */
static void test_again(void)
{
    start(7, 0);
    CHECK(xen_store_watch("w", changed, &calls) == 0);
    xen_store_wait(mock_now + 1000);
    calls = 0;
    xen_store_work();
    CHECK(calls == 1);
    xen_store_again("v", changed, &calls, 500); /* no such watch */
    xen_store_again("w", changed, &calls, 500);
    CHECK(mock_work_ns == mock_now + 500);
    mock_now += 499;
    mock_work_ns = 0;
    xen_store_work();
    CHECK(calls == 1 && mock_work_ns == mock_now + 1);
    mock_now++;
    xen_store_work();
    CHECK(calls == 2);
    mock_now += 500;
    xen_store_work();
    CHECK(calls == 2);
}

static void test_watches(void)
{
    char out[16], old[32];

    start(7, 0);
    calls = 0;
    xen_store_work(); /* nothing yet, and nothing is sent */
    CHECK(d.requests == 0);
    CHECK(xen_store_watch("w", changed, &calls) == 0);
    CHECK(calls == 0);
    xen_store_wait(mock_now + 1000); /* the first event comes by itself */
    CHECK(mock_ready & BASE_READY_TIMER);
    xen_store_work();
    CHECK(calls == 1);
    xen_store_work();
    CHECK(calls == 1);
    /* Events that come while a request waits; many are told as one. */
    d.events = 50;
    mock_ready = 0;
    CHECK(xen_store_read(0, "none", out, sizeof(out)) == -ENOENT);
    CHECK(mock_ready & BASE_READY_TIMER);
    d.events = 0;
    xen_store_work();
    CHECK(calls == 2);
    /* Waiting ends at the deadline if there is none. */
    xen_store_wait(mock_now + 1000); /* those of before */
    uint64_t before = mock_now;
    xen_store_wait(before + 1000);
    CHECK(mock_now == before + 1000);
    /* Garbage, foreign tokens, and those of a watch that is no more. */
    strcpy(old, d.token);
    fire("junk");
    fire("");
    fire("1");
    fire("18446744073709551615");
    reply(XS_WATCH_EVENT, "no end", 6);
    reply(XS_WATCH_EVENT, "", 0);
    CHECK(xen_store_unwatch("w", changed, &calls) == 0);
    CHECK(xen_store_unwatch("w", changed, &calls) == -ENOENT);
    CHECK(xen_store_watch("w", changed, &calls) == 0);
    CHECK(strcmp(old, d.token) != 0);
    while (daemon_move())
        xen_store_wait(mock_now + 1);
    xen_store_work();
    CHECK(calls == 3);
    fire(old);
    while (daemon_move())
        mock_event(PORT);
    xen_store_work();
    CHECK(calls == 3);
    /* An event without a token does not take that of the one before. */
    fire(d.token);
    while (daemon_move())
        mock_event(PORT);
    before = mock_now;
    xen_store_wait(before + 1000);
    CHECK(mock_now == before);
    reply(XS_WATCH_EVENT, "path", 4);
    while (daemon_move())
        mock_event(PORT);
    xen_store_wait(before + 1000);
    CHECK(mock_now == before + 1000);
    /* All slots. */
    for (unsigned i = 1; i < LIMIT_XEN_WATCHES; i++)
        CHECK(xen_store_watch("w", changed, &store.watches[i]) == 0);
    CHECK(xen_store_watch("w", changed, &calls) == -ENOSPC);
    CHECK(mock_log_lines == 0);
}

/* -- a daemon that is late, or begins anew -- */

/* An event says that there is something to do only if there is. */
static void test_quiet(void)
{
    char out[16];

    start(1024, 77);
    strcpy(d.value, "x");
    CHECK(xen_store_read(0, "v", out, sizeof(out)) == 1);
    mock_ready = 0;
    mock_event(PORT);
    CHECK(mock_ready == 0);
    CHECK(xen_store_watch("w", changed, &calls) == 0);
    xen_store_wait(mock_now + 1000);
    xen_store_work();
    mock_ready = 0;
    fire(d.token); /* by itself: the daemon's bytes, then its event */
    daemon_move();
    mock_event(PORT);
    CHECK(mock_ready == BASE_READY_TIMER);
    calls = 0;
    xen_store_work();
    CHECK(calls == 1);
    mock_ready = 0;
    mock_event(PORT);
    CHECK(mock_ready == 0);
}

static void test_late(void)
{
    char out[16];

    start(1024, 0);
    d.silent = true;
    CHECK(xen_store_read(0, "v", out, sizeof(out)) == -ETIMEDOUT);
    CHECK(mock_now >= XEN_STORE_WAIT_NS);
    /* The answer comes after all: it is not taken for another's. */
    strcpy(d.value, "late");
    reply(XS_READ, d.value, 4);
    d.silent = false;
    strcpy(d.value, "good");
    CHECK(xen_store_read(0, "v", out, sizeof(out)) == 4);
    CHECK(strcmp(out, "good") == 0);
    /* Takes no bytes at all: what was sent by halves cannot be mended. */
    d.shy = true;
    big[3000] = 0;
    CHECK(xen_store_write(0, "v", big) == -EIO);
    d.shy = false;
    CHECK(xen_store_read(0, "v", out, sizeof(out)) == -EIO);
    CHECK(mock_log_lines == 1);
}

static void test_restart(void)
{
    char out[16];

    start(1024, 500);
    d.resets = true;
    d.ring.server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
    strcpy(d.value, "good");
    CHECK(xen_store_watch("w", changed, &calls) == 0);
    CHECK(d.watches == 1);
    d.length = 5000; /* nonsense, once */
    CHECK(xen_store_read(0, "v", out, sizeof(out)) == 4);
    CHECK(strcmp(out, "good") == 0);
    CHECK(d.watches == 2 && mock_log_lines == 1);
    d.length = 5000;
    CHECK(xen_store_write(77, "v", "x") == -EAGAIN); /* it is forgotten */
    CHECK(xen_store_read(0, "v", out, sizeof(out)) == 1);
    /* Not for ever. */
    for (unsigned i = 0; i < 20; i++) {
        d.length = 5000;
        xen_store_read(0, "v", out, sizeof(out));
    }
    CHECK(xen_store_read(0, "v", out, sizeof(out)) == -EIO);
    CHECK(mock_log_lines == LIMIT_XEN_RECONNECTS + 1);
    /* It says it will and never does. */
    start(1024, 0);
    d.ring.server_features = XENSTORE_SERVER_FEATURE_RECONNECTION;
    d.length = 5000;
    CHECK(xen_store_read(0, "v", out, sizeof(out)) == -EIO);
    CHECK(xen_store_read(0, "v", out, sizeof(out)) == -EIO);
    CHECK(mock_log_lines == 2);
}

static void test_resume(void)
{
    start(1024, 9);
    CHECK(xen_store_watch("w", changed, &calls) == 0);
    memset(&d.ring, 0, sizeof(d.ring)); /* a new domain */
    xen_store_resume(&d.ring, PORT);
    CHECK(d.watches == 2);
    CHECK(xen_store_mkdir(0, "m") == 0);
    /* None at all. */
    start(1024, 0);
    xen_store_init(NULL, 0);
    CHECK(xen_store_mkdir(0, "m") == -ENODEV);
    CHECK(xen_store_watch("w", changed, &calls) == -ENODEV);
    xen_store_work();
}

/* -- lies: one line, then -EIO -- */

static void check_broken(void)
{
    char out[16];

    CHECK(xen_store_read(0, "v", out, sizeof(out)) == -EIO);
    unsigned requests = d.requests;
    CHECK(xen_store_read(0, "v", out, sizeof(out)) == -EIO);
    CHECK(xen_store_write(0, "v", "x") == -EIO);
    CHECK(d.requests == requests && mock_log_lines == 1);
    xen_store_work();
    CHECK(mock_log_lines == 1);
}

static void test_lies(void)
{
    char out[16];

    start(1024, 0);
    d.length = XENSTORE_PAYLOAD_MAX + 1;
    check_broken();
    start(1024, 0);
    d.length = UINT32_MAX;
    check_broken();
    start(1024, 0);
    d.type = XS_TYPE_COUNT;
    check_broken();
    start(1024, 0);
    d.ring.rsp_prod += XENSTORE_RING_SIZE + 1;
    check_broken();
    start(1024, 0);
    d.ring.req_cons += 1;
    check_broken();
    /* The index that we write is ours alone. */
    start(1024, 0);
    CHECK(xen_store_mkdir(0, "m") == 0);
    uint32_t cons = d.ring.rsp_cons;
    d.ring.rsp_cons = d.ring.rsp_prod + 4000;
    CHECK(store.rsp_cons == cons);
    d.ring.rsp_cons = cons;
    CHECK(xen_store_mkdir(0, "m") == 0);
    /* Another's number: waited out, and no harm. */
    start(1024, 0);
    strcpy(d.value, "good");
    d.id_add = 1000;
    CHECK(xen_store_read(0, "v", out, sizeof(out)) == -ETIMEDOUT);
    d.id_add = 0;
    CHECK(xen_store_read(0, "v", out, sizeof(out)) == 4);
    /* A list without its end. */
    CHECK(xen_store_list(0, "bad", out, sizeof(out)) == -EIO);
    CHECK(mock_log_lines == 0);
}

int main(void)
{
    test_honest();
    test_numbers();
    test_watches();
    test_again();
    test_quiet();
    test_late();
    test_restart();
    test_resume();
    test_lies();
    mock_end();
    return 0;
}
