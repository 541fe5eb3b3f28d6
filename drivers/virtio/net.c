/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network devices (virtio 1.0, section 5.1): the operations of base.h over a
 * receive and a transmit queue. Called by base/hw/net.c, monitor held.
 *
 * Every chain is one descriptor and every descriptor has a buffer of its own,
 * so an id of the ring is the index of a buffer. Frames are copied in and out.
 * Transmitted buffers are taken back when the next frame is sent; the device
 * interrupts for them only when somebody waits for room.
 */

#include <string.h>

#include "drivers/virtio/virtio.h"
#include "base/hw/hw.h"

#define F_CSUM       (1ull << 0) /* the device completes checksums */
#define F_GUEST_CSUM (1ull << 1) /* it may leave one unfinished for us */
#define F_MTU        (1ull << 3)
#define F_MAC        (1ull << 5)

#define CONFIG_MAC 0
#define CONFIG_MTU 10

#define QUEUE_RECEIVE  0
#define QUEUE_TRANSMIT 1

/* What goes before every frame, section 5.1.6. */
struct header {
    uint8_t flags;
    uint8_t gso_type;
    uint16_t header_size;
    uint16_t gso_size;
    uint16_t checksum_start;
    uint16_t checksum_offset;
    uint16_t buffer_count;
};
_Static_assert(sizeof(struct header) == 12, "section 5.1.6");
#define HEADER_NEEDS_CHECKSUM 1u
#define HEADER_DATA_VALID     2u

#define BUFFER_SIZE   2048u
#define ETHERNET_SIZE 14u
#define MTU_DEFAULT   1500u
#define BUFFERS_MIN   8 /* of each queue; with fewer we give up */
_Static_assert(sizeof(struct header) + LIMIT_FRAME_SIZE <= BUFFER_SIZE,
               "a frame has to fit into one buffer");

/* A queue and its buffers. */
struct lane {
    struct virtio_queue queue;
    uint8_t *buffers;
    uint64_t physical; /* of buffers */
};

static struct nic {
    bool tried;
    enum base_status status;
    struct virtio_device device;
    struct lane receive, transmit;
    struct base_device about;
} nics[LIMIT_NICS];

/* Buffers first, as many as there is memory for, then a queue of their size. */
static enum base_status lane_init(struct nic *nic, struct lane *lane,
                                  uint16_t index, uint16_t count)
{
    enum base_status status;
    size_t pages;

    for (;; count /= 2) {
        pages = count * BUFFER_SIZE / LIMIT_PAGE_SIZE;
        lane->buffers = hw_pages_get(pages);
        if (lane->buffers != NULL)
            break;
        if (count <= BUFFERS_MIN)
            return BASE_NOMEM;
    }
    lane->physical = hw_physical_of(lane->buffers);
    status = virtio_queue_init(&nic->device, &lane->queue, index, count);
    if (status != BASE_OK)
        hw_pages_put(lane->buffers, pages);
    return status;
}

/* Gives the device the buffer of the next id. */
static int receive_post(struct lane *lane)
{
    uint16_t id = virtio_ring_next_id(&lane->queue.ring);
    struct virtio_buffer buffer = {lane->physical + id * BUFFER_SIZE,
                                   BUFFER_SIZE};

    return virtio_ring_add(&lane->queue.ring, &buffer, 0, 1);
}

static void describe(struct nic *nic)
{
    struct base_device *about = &nic->about;

    about->mtu = MTU_DEFAULT;
    if (nic->device.features & F_MTU)
        about->mtu = (uint16_t)virtio_config(&nic->device, CONFIG_MTU, 2);
    if (nic->device.features & F_CSUM)
        about->features |= BASE_NET_TX_CHECKSUM;
    if (nic->device.features & F_GUEST_CSUM)
        about->features |= BASE_NET_RX_CHECKSUM;
    if (nic->device.features & F_MAC) {
        for (unsigned i = 0; i < 6; i++)
            about->mac[i] =
                (uint8_t)virtio_config(&nic->device, CONFIG_MAC + i, 1);
    } else {
        uint64_t any = arch_tsc();

        /* One of our own making: administered locally, unicast. */
        hw_base.entropy(&any, sizeof(any));
        memcpy(about->mac, &any, 6);
        about->mac[0] = (uint8_t)((about->mac[0] & ~1u) | 2u);
    }
}

static enum base_status nic_init(struct nic *nic, unsigned index)
{
    uint64_t wanted = F_CSUM | F_GUEST_CSUM | F_MAC;
    uint16_t count;
    uint64_t mtu;
    enum base_status status =
        virtio_open(VIRTIO_NET, index, BASE_READY_NET, "net", &nic->device);

    if (status != BASE_OK)
        return status;
    /* A larger MTU would need larger buffers; a smaller one we have to keep.
     * Below 68 IPv4 does not work, and the device does not mean it. */
    mtu = virtio_config(&nic->device, CONFIG_MTU, 2);
    if (mtu >= 68 && mtu <= MTU_DEFAULT)
        wanted |= F_MTU;
    status = virtio_negotiate(&nic->device, wanted);
    if (status != BASE_OK)
        return status;
    describe(nic);
    count = virtio_size_for_memory();
    status = lane_init(nic, &nic->receive, QUEUE_RECEIVE, count);
    if (status == BASE_OK)
        status = lane_init(nic, &nic->transmit, QUEUE_TRANSMIT, count);
    if (status != BASE_OK) {
        /* For good: the device may hold what it was given. */
        virtio_fail(&nic->device);
        return BASE_IO;
    }
    virtio_start(&nic->device);
    while (receive_post(&nic->receive) >= 0)
        ;
    virtio_queue_push(&nic->receive.queue);
    virtio_ring_wake_never(&nic->transmit.queue.ring);
    return BASE_OK;
}

enum base_status virtio_net_get(unsigned index, struct base_device *out)
{
    struct nic *nic;

    if (index >= LIMIT_NICS)
        return BASE_NODEV;
    nic = &nics[index];
    if (!nic->tried) {
        nic->status = nic_init(nic, index);
        nic->tried = nic->status != BASE_NOMEM;
    }
    if (nic->status == BASE_OK)
        *out = nic->about;
    return nic->status;
}

static struct nic *nic_of(unsigned index)
{
    if (index >= LIMIT_NICS || !nics[index].tried ||
        nics[index].status != BASE_OK)
        hw_base.abort("a network device is used that dev_get did not give");
    return &nics[index];
}

/* -- sending -- */

static void transmit_reap(struct lane *lane)
{
    uint16_t id;
    uint32_t written;

    while (virtio_ring_take(&lane->queue.ring, &id, &written) == 1)
        ;
}

/* Copies a frame into the buffer of the next id; false: no room. */
static bool transmit_one(struct lane *lane, const struct base_net_frame *frame)
{
    struct virtio_ring *ring = &lane->queue.ring;
    uint16_t id = virtio_ring_next_id(ring);
    uint8_t *buffer = lane->buffers + id * BUFFER_SIZE;
    struct header *header = (void *)buffer;
    struct virtio_buffer chain = {lane->physical + id * BUFFER_SIZE,
                                  (uint32_t)sizeof(*header) + frame->size};

    if (frame->size < ETHERNET_SIZE || frame->size > LIMIT_FRAME_SIZE)
        hw_base.abort("net_send: a frame of impossible size");
    if (ring->free_count == 0)
        return false;
    *header = (struct header){.flags = 0};
    if (frame->flags & BASE_NET_CHECKSUM_NEEDED) {
        header->flags = HEADER_NEEDS_CHECKSUM;
        header->checksum_start = frame->checksum_start;
        header->checksum_offset = frame->checksum_offset;
    }
    memcpy(buffer + sizeof(*header), frame->data, frame->size);
    virtio_ring_add(ring, &chain, 1, 0);
    return true;
}

unsigned virtio_net_send(unsigned index, const struct base_net_frame *frames,
                         unsigned count)
{
    struct lane *lane = &nic_of(index)->transmit;
    struct virtio_ring *ring = &lane->queue.ring;
    unsigned sent = 0;

    do {
        transmit_reap(lane);
        if (ring->broken)
            return count; /* lost, as on a cable that was cut */
        while (sent < count && transmit_one(lane, &frames[sent]))
            sent++;
        virtio_queue_push(&lane->queue);
        /* Full: wait for half of it, rather than for every single one. */
    } while (sent < count && virtio_ring_wake_after(ring, ring->size / 2));
    if (sent == count)
        virtio_ring_wake_never(ring);
    return sent;
}

/* -- receiving -- */

/* Copies what came; false: it is no frame, or there is no room for it. */
static bool receive_one(const uint8_t *buffer, uint32_t written,
                        struct base_net_frame *frame)
{
    const struct header *header = (const void *)buffer;
    uint32_t size = written - (uint32_t)sizeof(*header);

    if (written < sizeof(*header) + ETHERNET_SIZE || size > frame->size)
        return false;
    /* NEEDS_CHECKSUM on receipt: it never was on a wire (a neighbour on the
     * same host), so the data are as good as checked. */
    frame->flags = header->flags & (HEADER_NEEDS_CHECKSUM | HEADER_DATA_VALID)
                       ? BASE_NET_CHECKSUM_GOOD
                       : 0;
    memcpy(frame->data, buffer + sizeof(*header), size);
    frame->size = size;
    return true;
}

unsigned virtio_net_recv(unsigned index, struct base_net_frame *frames,
                         unsigned count)
{
    struct lane *lane = &nic_of(index)->receive;
    struct virtio_ring *ring = &lane->queue.ring;
    unsigned received = 0;
    uint16_t id;
    uint32_t written;

    do {
        while (received < count && virtio_ring_take(ring, &id, &written) == 1) {
            if (receive_one(lane->buffers + id * BUFFER_SIZE, written,
                            &frames[received]))
                received++;
            receive_post(lane); /* the id just taken is the next one */
        }
        virtio_queue_push(&lane->queue);
        /* The last look, after asking for an interrupt: what came before the
         * device saw the wish is found here, what comes later interrupts. */
        if (!virtio_ring_wake_after(ring, 1))
            return received;
    } while (received < count);
    hw_ready(BASE_READY_NET); /* there is more than the caller asked for */
    return received;
}
