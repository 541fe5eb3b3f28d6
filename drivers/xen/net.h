/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of the network front end share: net.c connects and receives,
 * net_send.c sends. Both tell what holds.
 */
#ifndef HALVM_XEN_NET_H
#define HALVM_XEN_NET_H

#include "drivers/xen/ring.h"
#include <xen/io/netif.h>

#include "drivers/net/frame.h"
#include "drivers/xen/bus.h"
#include "drivers/xen/text.h"
#include "halvm_limits.h"

#define TX_SLOTS __CONST_RING_SIZE(netif_tx, LIMIT_PAGE_SIZE)
#define RX_SLOTS __CONST_RING_SIZE(netif_rx, LIMIT_PAGE_SIZE)
_Static_assert(TX_SLOTS == 256 && RX_SLOTS == 256, "Xen's ABI");

#define TX_BUFFER_SIZE 2048u /* two in a page */
#define TX_PAGES_MAX   (TX_SLOTS / 2)
#define BUFFERS_MIN    16u /* each way */
#define JOIN_PAGES_MIN                                                         \
    32u /* to receive joined segments; in less they stall                      \
         */
/* Of a frame to be cut: XEN_NETIF_NR_SLOTS_MIN, less the extra one. */
#define CUT_SLOTS_MAX   17u
#define CUT_BUFFERS_MIN (2 * CUT_SLOTS_MAX)
#define PIECES_MAX      20u /* slots of a received frame; Linux needs 17 */
#define MEMORY_SHARE    64  /* rx pages: free memory / this at most */
#define ETHERNET_SIZE   14u
#define ANNOUNCE_SIZE   60u /* the least that Ethernet has */
#define MTU_DEFAULT     1500u
#define MTU_MIN         68u /* IPv4's */
#define RX_ROUNDS       8u
#define EVENT_NEVER     0x40000000u
_Static_assert(LIMIT_FRAME_SIZE <= TX_BUFFER_SIZE, "a frame fits a buffer");

/* The frame that is being gathered from the ring. */
struct xen_nic_arrived {
    struct net_piece pieces[PIECES_MAX];
    uint16_t numbers[PIECES_MAX]; /* the pages they are in */
    unsigned count;
    uint32_t size; /* of all pieces */
    uint32_t flags;
    bool follows;       /* more data comes, once there is no */
    bool extra_follows; /* extra information */
    bool joined;        /* it is segments of TCP */
    bool bad;           /* to be dropped, when whole */
};

/* Pages of a NIC's own: where its buffers are and whose they are. */
struct xen_nic_tx {
    uint8_t *pages[TX_PAGES_MAX];
    grant_ref_t refs[TX_PAGES_MAX];
    uint16_t free[TX_SLOTS]; /* a stack of buffers */
    bool busy[TX_SLOTS];     /* by buffer: the backend has it */
    /* Of the other way, which has no room in its own page. */
    struct xen_nic_arrived arrived;
};
struct xen_nic_rx {
    uint8_t *pages[RX_SLOTS];
    grant_ref_t refs[RX_SLOTS];
    uint16_t free[RX_SLOTS];  /* a stack of pages */
    uint16_t owner[RX_SLOTS]; /* by slot: the page posted there */
};
_Static_assert(sizeof(struct xen_nic_tx) <= LIMIT_PAGE_SIZE, "one page");
_Static_assert(sizeof(struct xen_nic_rx) <= LIMIT_PAGE_SIZE, "one page");

_Static_assert(PIECES_MAX < JOIN_PAGES_MIN, "a whole frame finds pages");

struct xen_nic {
    bool tried;
    enum base_status status;
    struct xen_bus_device bus; /* pages[0] transmit, pages[1] receive */
    struct base_device about;
    netif_tx_front_ring_t tx;
    netif_rx_front_ring_t rx;
    struct xen_nic_tx *tx_book;
    struct xen_nic_rx *rx_book;
    unsigned tx_count, rx_count; /* buffers there are */
    unsigned tx_free, rx_free;
    unsigned tx_extras;        /* slots without a buffer, under way */
    bool sum_ipv4, sum_ipv6;   /* the backend completes these checksums */
    bool cuts_ipv4, cuts_ipv6; /* it cuts TCP */
    bool rx_held;              /* arrived is whole, and waits for rooms */
    bool moved; /* the network is to be told that we are elsewhere */
};

/* The NIC that dev_get gave by this index; aborts if it did not. */
struct xen_nic *xen_nic_of(unsigned index);
/* Sends, when just connected, a frame that tells the network where we are; the
 * caller notifies. */
void xen_nic_announce(struct xen_nic *nic);

#endif
