/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/virtio/ring.c against a device in software: honest traffic over
 * several turns of the 16-bit indices, notification suppression both ways,
 * and each of the lies that a device can tell.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "check.h"
#include "drivers/virtio/ring.h"
#include "base/hw/hw.h"

#define SIZE 8

static unsigned log_lines;
static struct virtio_ring ring;
static _Alignas(16) unsigned char memory[4096];

void hw_log(const char *first, ...)
{
    log_lines++;
}

/* -- the device -- */

static uint16_t device_seen; /* of the available ring */

static void start(bool event_index)
{
    CHECK(virtio_ring_bytes(SIZE) <= sizeof(memory));
    memset(memory, 0, sizeof(memory));
    virtio_ring_init(&ring, memory, SIZE, event_index, "test");
    device_seen = 0;
    log_lines = 0;
}

static volatile struct virtio_ring_used *used_element(uint16_t index)
{
    volatile struct virtio_ring_used *elements =
        (void *)(memory + virtio_ring_used_offset(SIZE) + 4);

    return &elements[index % SIZE];
}

static bool device_next(uint16_t *head)
{
    if (device_seen == ring.avail[1])
        return false;
    *head = ring.avail[2 + device_seen++ % SIZE];
    return true;
}

static void device_finish(uint32_t head, uint32_t size)
{
    uint16_t index = ring.used[1];

    used_element(index)->id = head;
    used_element(index)->size = size;
    ring.used[1] = (uint16_t)(index + 1);
}

/* Writes where the device says "notify me when you pass this". */
static void device_event(uint16_t event)
{
    ring.used[2 + 4 * SIZE] = event;
}

/* -- the tests -- */

static const struct virtio_buffer three[3] = {
    {0x1000, 16}, {0x2000, 512}, {0x3000, 1}};

static void test_layout(void)
{
    CHECK(virtio_ring_avail_offset(256) == 4096);
    CHECK(virtio_ring_used_offset(256) % 4 == 0);
    CHECK(virtio_ring_used_offset(256) >= 4096 + 2 * (256 + 3));
    CHECK(virtio_ring_bytes(256) >= virtio_ring_used_offset(256) + 6 + 8 * 256);
}

static void test_honest(bool event_index)
{
    start(event_index);
    /* 70,000 chains of three: the indices go around, all ids come back. */
    for (unsigned i = 0; i < 70000; i++) {
        uint16_t head, id;
        uint32_t written;
        int added = virtio_ring_add(&ring, three, 1, 2);
        int other = virtio_ring_add(&ring, three, 1, 0);

        CHECK(added >= 0 && other >= 0 && added != other);
        CHECK(virtio_ring_add(&ring, three, 3, 2) == -EAGAIN);
        virtio_ring_publish(&ring);
        CHECK(!virtio_ring_publish(&ring)); /* nothing new */
        CHECK(device_next(&head) && head == added);
        CHECK(ring.descriptors[head].flags == 1);
        CHECK(ring.descriptors[ring.descriptors[head].next].flags == 3);
        CHECK(device_next(&head) && head == other);
        CHECK(ring.descriptors[head].flags == 0);
        CHECK(virtio_ring_take(&ring, &id, &written) == 0);
        device_finish((uint32_t)other, 0); /* out of order */
        device_finish((uint32_t)added, 513);
        CHECK(virtio_ring_take(&ring, &id, &written) == 1);
        CHECK(id == other && written == 0);
        CHECK(virtio_ring_take(&ring, &id, &written) == 1);
        CHECK(id == added && written == 513);
        CHECK(virtio_ring_take(&ring, &id, &written) == 0);
        CHECK(ring.free_count == SIZE);
    }
    CHECK(log_lines == 0);
}

static void add_one(void)
{
    CHECK(virtio_ring_add(&ring, three, 0, 1) >= 0);
}

static void take_all(void)
{
    uint16_t head, id;
    uint32_t written;

    while (device_next(&head))
        device_finish(head, 0);
    while (virtio_ring_take(&ring, &id, &written) == 1)
        ;
}

/* The device is notified exactly when its event index is passed. */
static void test_notify_event(void)
{
    start(true);
    for (unsigned i = 0; i < 140000; i++) {
        uint16_t next = ring.avail_index;

        device_event(next); /* at the very next one */
        add_one();
        CHECK(virtio_ring_publish(&ring));
        device_event(next); /* not again for those after it */
        add_one();
        CHECK(!virtio_ring_publish(&ring));
        device_event((uint16_t)(next + 3)); /* in a batch: passed inside it */
        add_one();
        CHECK(!virtio_ring_publish(&ring));
        add_one();
        add_one();
        CHECK(virtio_ring_publish(&ring));
        take_all();
    }
}

static void test_notify_flag(void)
{
    start(false);
    add_one();
    CHECK(virtio_ring_publish(&ring));
    ring.used[0] = 1;
    add_one();
    CHECK(!virtio_ring_publish(&ring));
    CHECK(!virtio_ring_publish(&ring));
}

static void test_wake(void)
{
    uint16_t head, id;
    uint32_t written;

    start(true);
    add_one();
    add_one();
    add_one();
    virtio_ring_publish(&ring);
    CHECK(!virtio_ring_wake_after(&ring, 1));
    CHECK(ring.avail[2 + SIZE] == 0); /* used_event: at the first */
    CHECK(!virtio_ring_wake_after(&ring, 2));
    CHECK(ring.avail[2 + SIZE] == 1);
    CHECK(device_next(&head));
    device_finish(head, 0);
    /* Finished before we asked: no interrupt comes, so look again. */
    CHECK(virtio_ring_wake_after(&ring, 1));
    CHECK(!virtio_ring_wake_after(&ring, 2));
    CHECK(virtio_ring_take(&ring, &id, &written) == 1);
    CHECK(!virtio_ring_wake_after(&ring, 1));
    CHECK(ring.avail[2 + SIZE] == 1);
    virtio_ring_wake_never(&ring);
    CHECK((uint16_t)(ring.avail[2 + SIZE] - 1) == 0x8000);

    start(false);
    add_one();
    virtio_ring_publish(&ring);
    virtio_ring_wake_never(&ring);
    CHECK(ring.avail[0] == 1);
    CHECK(!virtio_ring_wake_after(&ring, 1));
    CHECK(ring.avail[0] == 0);
}

/* After a lie: one line, then silence and -EIO for everything. */
static void check_broken(void)
{
    uint16_t id;
    uint32_t written;

    CHECK(virtio_ring_take(&ring, &id, &written) == -EIO);
    CHECK(virtio_ring_take(&ring, &id, &written) == -EIO);
    CHECK(virtio_ring_add(&ring, three, 1, 2) == -EIO);
    CHECK(!virtio_ring_publish(&ring));
    CHECK(!virtio_ring_wake_after(&ring, 1));
    CHECK(log_lines == 1);
}

static void test_lies(void)
{
    uint16_t head, id;
    uint32_t written;

    /* The index jumps. */
    start(true);
    CHECK(virtio_ring_add(&ring, three, 1, 2) >= 0);
    virtio_ring_publish(&ring);
    ring.used[1] = 4;
    check_broken();
    /* Something is finished though nothing was given. */
    start(true);
    device_finish(0, 0);
    check_broken();
    /* An id past the table. */
    start(true);
    add_one();
    virtio_ring_publish(&ring);
    device_finish(SIZE, 0);
    check_broken();
    /* An id with high bits that a 16-bit look would miss. */
    start(true);
    CHECK(device_seen == 0);
    add_one();
    virtio_ring_publish(&ring);
    CHECK(device_next(&head));
    device_finish(0x10000u + head, 0);
    check_broken();
    /* The middle of a chain. */
    start(true);
    CHECK(virtio_ring_add(&ring, three, 1, 2) >= 0);
    virtio_ring_publish(&ring);
    CHECK(device_next(&head));
    device_finish(ring.descriptors[head].next, 0);
    check_broken();
    /* More written than there was room: 513 bytes here. */
    start(true);
    CHECK(virtio_ring_add(&ring, three, 1, 2) >= 0);
    virtio_ring_publish(&ring);
    CHECK(device_next(&head));
    device_finish(head, 514);
    check_broken();
    /* The same chain twice. */
    start(true);
    add_one();
    add_one();
    virtio_ring_publish(&ring);
    CHECK(device_next(&head));
    device_finish(head, 0);
    device_finish(head, 0);
    CHECK(virtio_ring_take(&ring, &id, &written) == 1);
    check_broken();
    /* A chain that it rewrote: ours stands elsewhere and is not touched. */
    start(true);
    CHECK(virtio_ring_add(&ring, three, 1, 2) >= 0);
    virtio_ring_publish(&ring);
    CHECK(device_next(&head));
    ring.descriptors[head].next = 60000;
    ring.descriptors[head].size = 0;
    device_finish(head, 0);
    CHECK(virtio_ring_take(&ring, &id, &written) == 1);
    CHECK(ring.free_count == SIZE && log_lines == 0);
}

int main(void)
{
    test_layout();
    test_honest(true);
    test_honest(false);
    test_notify_event();
    test_notify_flag();
    test_wake();
    test_lies();
    return 0;
}
