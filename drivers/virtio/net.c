/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Network devices (virtio 1.0, section 5.1): the operations of base.h over a
 * receive and a transmit queue. Called by base/hw/net.c, monitor held.
 *
 * Every descriptor has a buffer of its own, so an id of the ring is the index
 * of a buffer. Frames are copied in and out. A frame that the device has joined
 * from segments of TCP fills several buffers, each a chain of its own; one that
 * it shall cut is one chain of several.
 * Transmitted buffers are taken back when the next frame is sent; the device
 * interrupts for them only when somebody waits for room.
 */

#include <string.h>

#include "drivers/virtio/virtio.h"
#include "base/hw/hw.h"
#include "drivers/net/frame.h"

#define F_CSUM       (1ull << 0) /* the device completes checksums */
#define F_GUEST_CSUM (1ull << 1) /* it may leave one unfinished for us */
#define F_MTU        (1ull << 3)
#define F_MAC        (1ull << 5)
#define F_GUEST_TSO4 (1ull << 7) /* it may join TCP's segments */
#define F_GUEST_TSO6 (1ull << 8)
#define F_HOST_TSO4  (1ull << 11) /* it cuts TCP into segments */
#define F_HOST_TSO6  (1ull << 12)
#define F_MRG_RXBUF  (1ull << 15) /* a frame may fill several buffers */
#define F_LARGE      (F_GUEST_TSO4 | F_GUEST_TSO6 | F_MRG_RXBUF)

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
#define HEADER_GSO_TCP4       1u
#define HEADER_GSO_TCP6       4u
#define HEADER_GSO_ECN        0x80u

#define BUFFER_SIZE   2048u
#define ETHERNET_SIZE 14u
#define MTU_DEFAULT   1500u
#define BUFFERS_MIN   8 /* of each queue; with fewer we give up */
/* To receive joined segments: PIECES_MAX, or such a frame would never come. */
#define JOIN_BUFFERS_MIN 64
_Static_assert(sizeof(struct header) + LIMIT_FRAME_SIZE <= BUFFER_SIZE,
               "a frame has to fit into one buffer");

/* Buffers of the largest frame that is handed up. */
#define PIECES_MAX                                                             \
    ((LIMIT_FRAME_LARGE + sizeof(struct header) + BUFFER_SIZE - 1) /           \
     BUFFER_SIZE)
_Static_assert(PIECES_MAX <= JOIN_BUFFERS_MIN, "the largest frame arrives");
_Static_assert(PIECES_MAX * sizeof(struct net_piece) <= LIMIT_PAGE_SIZE, "");

/* A queue and its buffers. */
struct lane {
    struct virtio_queue queue;
    uint8_t *buffers;
    uint64_t physical; /* of buffers */
};

/* A frame that was taken from the ring, and not handed up yet. */
struct arrived {
    struct net_piece *pieces; /* a page of them if several may come, or one */
    struct net_piece one;
    unsigned count, count_max;
    uint32_t size; /* of all pieces; 0: none, or one to drop */
    uint32_t flags;
};

static struct nic {
    bool tried;
    enum base_status status;
    struct virtio_device device;
    struct lane receive, transmit;
    struct arrived arrived;
    bool held; /* arrived waits for rooms */
    struct base_device about;
} nics[LIMIT_NICS];

/* Buffers first, as many as there is memory for, then a queue of their size. */
static enum base_status lane_init(struct nic *nic, struct lane *lane,
                                  uint16_t index, uint16_t count,
                                  uint16_t count_min)
{
    enum base_status status;
    size_t pages;

    for (;; count /= 2) {
        pages = count * BUFFER_SIZE / LIMIT_PAGE_SIZE;
        lane->buffers = hw_pages_get(pages);
        if (lane->buffers != NULL)
            break;
        if (count <= count_min)
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
    if (nic->device.features & (F_GUEST_TSO4 | F_GUEST_TSO6))
        about->features |= BASE_NET_RX_LARGE;
    if (nic->device.features & F_HOST_TSO4)
        about->features |= BASE_NET_TX_TCP4;
    if (nic->device.features & F_HOST_TSO6)
        about->features |= BASE_NET_TX_TCP6;
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

/* Whether the device may join segments: frames into several buffers, of which
 * the ring has some for more than one; else they would never arrive. */
static bool may_join(struct nic *nic, uint16_t count)
{
    const uint64_t needed = F_GUEST_CSUM | F_MRG_RXBUF;

    return (virtio_features(&nic->device) & needed) == needed &&
           count >= JOIN_BUFFERS_MIN &&
           virtio_queue_size(&nic->device, QUEUE_RECEIVE) >= count;
}

static enum base_status nic_init(struct nic *nic, unsigned index)
{
    uint64_t wanted = F_CSUM | F_GUEST_CSUM | F_MAC;
    const uint64_t cuts = F_HOST_TSO4 | F_HOST_TSO6;
    uint16_t count = virtio_size_for_memory();
    uint64_t mtu;
    bool joins;
    enum base_status status =
        virtio_open(VIRTIO_NET, index, BASE_READY_NET, "net", &nic->device);

    if (status != BASE_OK)
        return status;
    /* A larger MTU would need larger buffers; a smaller one we have to keep.
     * Below 68 IPv4 does not work, and the device does not mean it. */
    mtu = virtio_config(&nic->device, CONFIG_MTU, 2);
    if (mtu >= 68 && mtu <= MTU_DEFAULT)
        wanted |= F_MTU;
    if (virtio_features(&nic->device) & F_CSUM)
        wanted |= cuts; /* for which checksums are a condition */
    if (may_join(nic, count))
        wanted |= F_LARGE;
    status = virtio_negotiate(&nic->device, wanted);
    if (status != BASE_OK)
        return status;
    describe(nic);
    joins = (nic->about.features & BASE_NET_RX_LARGE) != 0;
    nic->arrived.pieces = joins ? hw_pages_get(1) : &nic->arrived.one;
    nic->arrived.count_max = joins ? PIECES_MAX : 1;
    status = BASE_NOMEM;
    if (nic->arrived.pieces != NULL)
        status = lane_init(nic, &nic->receive, QUEUE_RECEIVE, count,
                           joins ? JOIN_BUFFERS_MIN : BUFFERS_MIN);
    if (status == BASE_OK)
        status =
            lane_init(nic, &nic->transmit, QUEUE_TRANSMIT, count, BUFFERS_MIN);
    if (status != BASE_OK) {
        /* For good: the device may hold what it was given. */
        virtio_fail(&nic->device);
        return BASE_IO;
    }
    /* Half of the ring, so that one is made while another is under way. */
    nic->about.cut_size_max = nic->transmit.queue.ring.size / 2u * BUFFER_SIZE -
                              sizeof(struct header);
    if (nic->about.cut_size_max > LIMIT_FRAME_LARGE)
        nic->about.cut_size_max = LIMIT_FRAME_LARGE;
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
static bool transmit_plain(struct lane *lane,
                           const struct base_net_frame *frame)
{
    struct virtio_ring *ring = &lane->queue.ring;
    uint16_t id = virtio_ring_next_id(ring);
    uint8_t *buffer = lane->buffers + id * BUFFER_SIZE;
    struct header *header = (void *)buffer;
    struct virtio_buffer chain = {lane->physical + id * BUFFER_SIZE,
                                  (uint32_t)sizeof(*header) + frame->size};

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

/* Copies the first frame of these entries, one to be cut, into the buffers of
 * the next ids; returns how many entries it has, 0: no room. */
static unsigned transmit_large(struct nic *nic,
                               const struct base_net_frame *frames,
                               unsigned count)
{
    struct lane *lane = &nic->transmit;
    struct virtio_ring *ring = &lane->queue.ring;
    struct virtio_buffer chain[PIECES_MAX];
    uint16_t id = virtio_ring_next_id(ring);
    uint32_t left, at = 0, offset = sizeof(struct header);
    unsigned used, entry = 0, pieces;

    used = net_frame_measure(frames, count, nic->about.cut_size_max, &left);
    pieces = (left + offset + BUFFER_SIZE - 1) / BUFFER_SIZE;
    if (ring->free_count < pieces)
        return 0;
    *(struct header *)(void *)(lane->buffers + id * BUFFER_SIZE) =
        (struct header){
            .flags = HEADER_NEEDS_CHECKSUM,
            .gso_type =
                net_frame_is_ip6(frames) ? HEADER_GSO_TCP6 : HEADER_GSO_TCP4,
            .header_size = frames->header_size,
            .gso_size = frames->cut_size,
            .checksum_start = frames->checksum_start,
            .checksum_offset = frames->checksum_offset,
        };
    for (unsigned i = 0; i < pieces; i++) {
        uint32_t part =
            left < BUFFER_SIZE - offset ? left : BUFFER_SIZE - offset;

        net_frame_take(frames, &entry, &at,
                       lane->buffers + id * BUFFER_SIZE + offset, part);
        chain[i] = (struct virtio_buffer){lane->physical + id * BUFFER_SIZE,
                                          offset + part};
        left -= part;
        offset = 0;
        id = virtio_ring_id_after(ring, id);
    }
    virtio_ring_add(ring, chain, pieces, 0);
    return used;
}

unsigned virtio_net_send(unsigned index, const struct base_net_frame *frames,
                         unsigned count)
{
    struct nic *nic = nic_of(index);
    struct lane *lane = &nic->transmit;
    struct virtio_ring *ring = &lane->queue.ring;
    unsigned sent = 0, used;

    do {
        transmit_reap(lane);
        if (ring->broken)
            return count; /* lost, as on a cable that was cut */
        for (; sent < count; sent += used) {
            used = net_frame_is_plain(&frames[sent])
                       ? transmit_plain(lane, &frames[sent])
                       : transmit_large(nic, &frames[sent], count - sent);
            if (used == 0)
                break;
        }
        virtio_queue_push(&lane->queue);
        /* Full: wait for half of it, rather than for every single one. */
    } while (sent < count && virtio_ring_wake_after(ring, ring->size / 2));
    if (sent == count)
        virtio_ring_wake_never(ring);
    return sent;
}

/* -- receiving -- */

/* Takes a buffer that the device has filled; false: there is none. */
static inline bool receive_take(struct nic *nic, uint32_t *written)
{
    struct arrived *arrived = &nic->arrived;
    struct lane *lane = &nic->receive;
    uint16_t id;

    if (virtio_ring_take(&lane->queue.ring, &id, written) != 1)
        return false;
    if (arrived->count == arrived->count_max) {
        arrived->size = 2 * LIMIT_FRAME_LARGE; /* to be dropped */
        return true;
    }
    arrived->pieces[arrived->count++] =
        (struct net_piece){lane->buffers + id * BUFFER_SIZE, *written};
    arrived->size += *written;
    return true;
}

/* Gathers the next frame; false: there is none. With nothing in it: it was
 * none, or too large. */
static inline bool receive_gather(struct nic *nic)
{
    struct arrived *arrived = &nic->arrived;
    struct net_piece *first = &arrived->pieces[0];
    struct header header;
    uint32_t written, more = 0;
    uint8_t joined;

    arrived->count = 0;
    arrived->size = 0;
    if (!receive_take(nic, &written))
        return false;
    if (written < sizeof(header))
        goto drop;
    /* One copy, which the device cannot change. */
    memcpy(&header, first->data, sizeof(header));
    if (nic->device.features & F_MRG_RXBUF)
        more = header.buffer_count - 1u;
    /* All buffers of a frame are there at once (section 5.1.6.4.1). One that
     * has none loses all that is there. */
    for (; more > 0; more--)
        if (!receive_take(nic, &written))
            goto drop;
    first->data += sizeof(header);
    first->size -= (uint32_t)sizeof(header);
    arrived->size -= (uint32_t)sizeof(header);
    /* NEEDS_CHECKSUM on receipt: it never was on a wire (a neighbour on the
     * same host), so the data are as good as checked. */
    arrived->flags = header.flags & (HEADER_NEEDS_CHECKSUM | HEADER_DATA_VALID)
                         ? BASE_NET_CHECKSUM_GOOD
                         : 0;
    joined = header.gso_type & (uint8_t)~HEADER_GSO_ECN;
    if (first->size >= ETHERNET_SIZE &&
        net_frame_is_good(arrived->size, joined == HEADER_GSO_TCP4 ||
                                             joined == HEADER_GSO_TCP6))
        return true;
drop:
    arrived->size = 0;
    return true;
}

/* Hands the gathered frame up; returns how many rooms it takes. */
static inline unsigned
receive_hand_up(struct nic *nic, struct base_net_frame *frames, unsigned count)
{
    struct arrived *arrived = &nic->arrived;

    if (arrived->size == 0)
        return 0;
    return net_frame_hand_up(frames, count, arrived->pieces, arrived->count,
                             arrived->size, arrived->flags);
}

unsigned virtio_net_recv(unsigned index, struct base_net_frame *frames,
                         unsigned count)
{
    struct nic *nic = nic_of(index);
    struct lane *lane = &nic->receive;
    struct virtio_ring *ring = &lane->queue.ring;
    unsigned received = 0, used;

    do {
        while (received < count && (nic->held || receive_gather(nic))) {
            used = receive_hand_up(nic, frames + received, count - received);
            /* While it waits, its buffers are free to the ring. */
            nic->held = used == 0 && nic->arrived.size > 0 && received > 0;
            if (nic->held)
                break;
            received += used;
            while (receive_post(lane) >= 0)
                ;
        }
        virtio_queue_push(&lane->queue);
        if (nic->held)
            break;
        /* The last look, after asking for an interrupt: what came before the
         * device saw the wish is found here, what comes later interrupts. */
        if (!virtio_ring_wake_after(ring, 1))
            return received;
    } while (received < count);
    hw_ready(BASE_READY_NET); /* there is more than the caller asked for */
    return received;
}
