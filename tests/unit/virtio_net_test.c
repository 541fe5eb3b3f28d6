/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/virtio/net.c against a device in software, for frames in several
 * buffers: joined segments that arrive, in rooms that suffice or do not,
 * segments to be cut that leave, what is agreed on, and a device that breaks
 * the rules. tests/base/virtio_net.c and tests/net have the rest, against QEMU.
 *
 * Links drivers/virtio/ring.c, drivers/net/frame.c.
 */
#include "check.h"

#include "drivers/virtio/net.c"

#define MOCK_RING_SIZE 64
#include "tests/fuzz/virtio_mock.h"

#define ROOMS_RECEIVE virtio_net_recv
#include "net_rooms.h"

#define HEADER_SIZE ((uint32_t)sizeof(struct header))

static struct base_device device;
static uint16_t seen; /* of the receive queue's available ring */

static void start(uint64_t features)
{
    mock_end();
    memset(nics, 0, sizeof(nics));
    mock_features = features;
    mock_config = 0;
    CHECK(virtio_net_get(0, &device) == BASE_OK);
    seen = 0;
}

/* The device gives `size` bytes of the frame; says: how many buffers it says
 * that there are, 0 for as many as there are. */
static void device_gives(uint32_t size, uint8_t gso, uint8_t flags,
                         unsigned says, int lacks)
{
    struct virtio_ring *ring = &nics[0].receive.queue.ring;
    unsigned count = (size + HEADER_SIZE + BUFFER_SIZE - 1) / BUFFER_SIZE;
    uint32_t done = 0, skip = HEADER_SIZE;

    for (unsigned i = 0; i + (unsigned)lacks < count; i++) {
        CHECK(seen != ring->avail[1]);
        uint16_t id = ring->avail[2 + seen++ % MOCK_RING_SIZE];
        uint8_t *to = (uint8_t *)ring->descriptors[id].physical;
        uint32_t part =
            size - done < BUFFER_SIZE - skip ? size - done : BUFFER_SIZE - skip;
        struct header header = {.flags = flags,
                                .gso_type = gso,
                                .gso_size = 1448,
                                .buffer_count =
                                    (uint16_t)(says ? says : count)};

        CHECK(ring->descriptors[id].size == BUFFER_SIZE);
        if (i == 0)
            memcpy(to, &header, sizeof(header));
        memcpy(to + skip, large + done, part);
        mock_finish(0, (uint8_t)id, part + skip);
        done += part;
        skip = 0;
    }
}

static void check_idle(void)
{
    const struct virtio_ring *ring = &nics[0].receive.queue.ring;

    CHECK(ring->free_count == 0 && !ring->broken && mock_log_lines == 0);
    CHECK(ring->avail[1] == (uint16_t)(seen + MOCK_RING_SIZE));
}

static void test_agreed(void)
{
    const uint64_t joins = F_GUEST_CSUM | F_GUEST_TSO4 | F_MRG_RXBUF;

    start(~0ull);
    CHECK(device.features ==
          (BASE_NET_TX_CHECKSUM | BASE_NET_RX_CHECKSUM | BASE_NET_RX_LARGE |
           BASE_NET_TX_TCP4 | BASE_NET_TX_TCP6));
    CHECK(device.cut_size_max == 32 * BUFFER_SIZE - HEADER_SIZE);
    start(joins);
    CHECK(device.features == (BASE_NET_RX_CHECKSUM | BASE_NET_RX_LARGE));
    /* Each is a condition. */
    start(joins & ~F_GUEST_CSUM);
    CHECK(device.features == 0 && nics[0].device.features == 0);
    start(joins & ~F_MRG_RXBUF);
    CHECK(device.features == BASE_NET_RX_CHECKSUM);
    start(joins & ~F_GUEST_TSO4);
    CHECK(device.features == BASE_NET_RX_CHECKSUM);
    start(F_HOST_TSO4 | F_HOST_TSO6);
    CHECK(device.features == 0);
    CHECK(!may_join(&nics[0], 32));
}

static void test_receive(void)
{
    start(~0ull);
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t size = 14 + i * 32761 % (LIMIT_FRAME_LARGE - 13);

        fill_large(i);
        device_gives(size,
                     (i % 2 ? HEADER_GSO_TCP4 : HEADER_GSO_TCP6) |
                         (i % 3 ? 0 : HEADER_GSO_ECN),
                     HEADER_NEEDS_CHECKSUM, 0, 0);
        unsigned used = listen_in(ROOMS);
        CHECK(used == (size + LIMIT_FRAME_SIZE - 1) / LIMIT_FRAME_SIZE);
        CHECK(check_rooms(0, size, BASE_NET_CHECKSUM_GOOD) == used);
        check_idle();
    }
    /* Without the feature the field says nothing. */
    start(F_GUEST_CSUM);
    device_gives(100, 0, 0, 7, 0);
    CHECK(listen_in(ROOMS) == 1 && check_rooms(0, 100, 0) == 1);
    check_idle();
}

static void test_rooms(void)
{
    start(~0ull);
    fill_large(1);
    device_gives(60, 0, 0, 0, 0);
    device_gives(4000, HEADER_GSO_TCP4, 0, 0, 0);
    device_gives(61, 0, 0, 0, 0);
    CHECK(listen_in(3) == 1 && check_rooms(0, 60, 0) == 1 && nics[0].held);
    CHECK(listen_in(3) == 3 && check_rooms(0, 4000, 0) == 3 && !nics[0].held);
    CHECK(listen_in(3) == 1 && check_rooms(0, 61, 0) == 1);
    check_idle();
    /* It waits, while there is nothing else. */
    device_gives(60, 0, 0, 0, 0);
    device_gives(4000, HEADER_GSO_TCP4, 0, 0, 0);
    CHECK(listen_in(3) == 1 && nics[0].held);
    CHECK(listen_in(4) == 3 && check_rooms(0, 4000, 0) == 3);
    check_idle();
    /* It never fits. */
    device_gives(5000, HEADER_GSO_TCP4, 0, 0, 0);
    device_gives(61, 0, 0, 0, 0);
    CHECK(listen_in(3) == 1 && check_rooms(0, 61, 0) == 1);
    check_idle();
}

static void test_two_rooms(void)
{
    start(~0ull);
    fill_large(1);
    device_gives(60, 0, 0, 0, 0);
    device_gives(30000, HEADER_GSO_TCP4, 0, 0, 0);
    CHECK(listen_in_two() == 2 && check_rooms(0, 60, 0) == 1);
    CHECK(check_rooms(1, 30000, 0) == 1);
    device_gives(61, 0, 0, 0, 0);
    device_gives(LIMIT_FRAME_LARGE, HEADER_GSO_TCP4, 0, 0, 0);
    CHECK(listen_in_two() == 1 && check_rooms(0, 61, 0) == 1);
    CHECK(listen_in_two() == 2 && check_rooms(0, LIMIT_FRAME_LARGE, 0) == 2);
    device_gives(62, 0, 0, 0, 0);
    device_gives(63, 0, 0, 0, 0);
    CHECK(listen_in_two() == 2 && check_rooms(0, 62, 0) == 1);
    CHECK(check_rooms(1, 63, 0) == 1);
    check_idle();
}

static void check_dropped(void)
{
    CHECK(listen_in(ROOMS) == 0);
    device_gives(62, 0, 0, 0, 0);
    CHECK(listen_in(ROOMS) == 1 && check_rooms(0, 62, 0) == 1);
    check_idle();
}

static void test_rules(void)
{
    start(~0ull);
    fill_large(2);
    /* Too large; too large for what it says that it is. */
    device_gives(LIMIT_FRAME_LARGE, HEADER_GSO_TCP4, 0, 0, 0);
    CHECK(listen_in(ROOMS) == 43);
    device_gives(LIMIT_FRAME_LARGE + 1, HEADER_GSO_TCP4, 0, 0, 0);
    check_dropped();
    device_gives(40 * BUFFER_SIZE, HEADER_GSO_TCP4, 0, 0, 0);
    check_dropped();
    device_gives(LIMIT_FRAME_SIZE + 1, 0, 0, 0, 0);
    check_dropped();
    device_gives(3000, 3 /* UDP */, 0, 0, 0);
    check_dropped();
    /* No frame at all. */
    device_gives(13, 0, 0, 0, 0);
    check_dropped();
    /* A chain that is cut off; one that has no buffer, and all of them. */
    device_gives(9000, HEADER_GSO_TCP4, 0, 0, 2);
    check_dropped();
    device_gives(100, 0, 0, 2, 0);
    check_dropped();
    nics[0].device.features |= F_MRG_RXBUF;
    device_gives(100, 0, 0, 65535, 0);
    check_dropped();
    uint16_t id = nics[0].receive.queue.ring.avail[2 + seen % MOCK_RING_SIZE];
    device_gives(100, 0, 0, 0, 0);
    nics[0].receive.buffers[id * BUFFER_SIZE + 10] = 0;
    check_dropped();
    /* Less than a header. */
    id = nics[0].receive.queue.ring.avail[2 + seen++ % MOCK_RING_SIZE];
    mock_finish(0, (uint8_t)id, 11);
    check_dropped();
    /* A buffer twice in one frame. */
    id = nics[0].receive.queue.ring.avail[2 + seen % MOCK_RING_SIZE];
    device_gives(3000, HEADER_GSO_TCP4, 0, 3, 0);
    mock_finish(0, (uint8_t)id, 100);
    CHECK(listen_in(ROOMS) == 0 && mock_log_lines == 1);
    CHECK(nics[0].receive.queue.ring.broken);
    CHECK(listen_in(ROOMS) == 0 && mock_log_lines == 1);
}

/* -- sending -- */

static unsigned send_large(uint32_t size, uint32_t part, uint8_t type)
{
    static struct base_net_frame entries[80];
    unsigned count = 0;

    large[12] = type == 6 ? 0x86 : 0x08;
    large[13] = type == 6 ? 0xdd : 0x00;
    for (uint32_t done = 0; done < size; done += part)
        entries[count++] = (struct base_net_frame){
            .data = large + done,
            .size = size - done < part ? size - done : part,
            .flags = done + part < size ? BASE_NET_MORE : 0,
        };
    entries[0].flags |= BASE_NET_CUT | BASE_NET_CHECKSUM_NEEDED;
    entries[0].checksum_start = 34;
    entries[0].checksum_offset = 16;
    entries[0].header_size = 66;
    entries[0].cut_size = 1448;
    unsigned sent = virtio_net_send(0, entries, count);
    CHECK(sent == 0 || sent == count);
    return sent;
}

static uint16_t taken; /* of the transmit queue's available ring */

static void device_takes(uint32_t size, uint8_t type, bool finish)
{
    struct virtio_ring *ring = &nics[0].transmit.queue.ring;
    uint16_t id, at;
    struct header header;
    uint32_t done = 0;

    CHECK(taken != ring->avail[1]);
    id = at = ring->avail[2 + taken++ % MOCK_RING_SIZE];
    memcpy(&header, (void *)ring->descriptors[id].physical, sizeof(header));
    CHECK(header.flags == HEADER_NEEDS_CHECKSUM && header.buffer_count == 0);
    CHECK(header.gso_type == (type == 6 ? HEADER_GSO_TCP6 : HEADER_GSO_TCP4));
    CHECK(header.header_size == 66 && header.gso_size == 1448);
    CHECK(header.checksum_start == 34 && header.checksum_offset == 16);
    for (;; at = ring->descriptors[at].next) {
        const struct virtio_ring_descriptor *one = &ring->descriptors[at];
        uint32_t skip = at == id ? HEADER_SIZE : 0;

        CHECK(one->physical - (uint64_t)nics[0].transmit.buffers ==
              at * BUFFER_SIZE);
        CHECK(one->size > skip && one->size <= BUFFER_SIZE);
        CHECK((one->flags & 2) == 0);
        CHECK(memcmp((uint8_t *)one->physical + skip, large + done,
                     one->size - skip) == 0);
        done += one->size - skip;
        if ((one->flags & 1) == 0)
            break;
    }
    CHECK(done == size);
    if (finish)
        mock_finish(1, (uint8_t)id, 0);
}

static void test_send(void)
{
    start(~0ull);
    taken = 0;
    for (unsigned i = 0; i < 3000; i++) {
        uint32_t size = 67 + i * 1361 % (device.cut_size_max - 66);
        uint8_t type = i % 2 ? 6 : 4;

        fill_large(i);
        CHECK(send_large(size, 900 + i % 1000, type) > 0);
        device_takes(size, type, true);
    }
    CHECK(send_large(1000, 1000, 4) == 1);
    CHECK(nics[0].transmit.queue.ring.free_count == MOCK_RING_SIZE - 1);
    device_takes(1000, 4, true);
    /* Two of the largest, and no part of a third. */
    fill_large(1);
    CHECK(send_large(device.cut_size_max, 1500, 4) > 0);
    CHECK(send_large(device.cut_size_max, 1500, 4) > 0);
    CHECK(send_large(67, 67, 4) == 0);
    device_takes(device.cut_size_max, 4, false);
    device_takes(device.cut_size_max, 4, true);
    CHECK(send_large(device.cut_size_max, 1500, 4) > 0);
    CHECK(send_large(67, 67, 4) == 0);
    CHECK(mock_log_lines == 0);
}

int main(void)
{
    test_agreed();
    test_receive();
    test_rooms();
    test_two_rooms();
    test_rules();
    test_send();
    mock_end();
    return 0;
}
