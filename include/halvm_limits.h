/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every table size and bound of core and the bases, in one place.
 * (Not called limits.h: that name is the C standard's.)
 */
#ifndef HALVM_LIMITS_H
#define HALVM_LIMITS_H

#define LIMIT_PAGE_SIZE 4096u

/* -- command line (core/main.c) -- */
#define LIMIT_COMMAND_LINE_SIZE 4096 /* bytes, terminator included */
#define LIMIT_ARGUMENTS         128  /* of argv */
#define LIMIT_ENVIRONMENT       128  /* variables */

/* -- rerouting (gate/reroute.c) -- */
#define LIMIT_REROUTES     2048 /* calls taken over: numbers * registrations */
#define LIMIT_REROUTES_ONE 32   /* registrations of one call */

/* -- memory (core/mem) -- */
#define LIMIT_VMAS            65536 /* mappings; Linux: vm.max_map_count 65530 */
#define LIMIT_MAIN_STACK_SIZE (8u << 20)   /* bytes, and at most memory / 8 */
#define LIMIT_BRK_SIZE        (1ull << 32) /* bytes of address space */

/* -- threads (core/thread) -- */
#define LIMIT_THREADS         32768
#define LIMIT_CORE_STACK_SIZE 16384     /* bytes: idle and upcalls run there */
#define LIMIT_SLICE_NS        10000000u /* one thread's turn */
#define LIMIT_FUTEX_BUCKETS   64
#define LIMIT_ROBUST_LIST     2048 /* entries walked at a thread's end */

/* -- time (core/time) -- */
#define LIMIT_POSIX_TIMERS 4096

/* -- signals (core/signal) -- */
#define LIMIT_SIGNALS_QUEUED 4096 /* siginfo records, whole system */

/* -- files (core/file) -- */
#define LIMIT_DESCRIPTORS      65536 /* hard RLIMIT_NOFILE; the soft one is 1024 */
#define LIMIT_DESCRIPTORS_SOFT 1024
#define LIMIT_PATH_SIZE        4096 /* PATH_MAX */
#define LIMIT_NAME_SIZE        255  /* NAME_MAX */
#define LIMIT_SYMLINKS         40   /* followed in one look-up (Linux: 40) */
#define LIMIT_IOV              1024 /* UIO_MAXIOV */
#define LIMIT_PIPE_SIZE        65536 /* bytes; one writer's atomic unit is 4096 */
#define LIMIT_EPOLL_NESTING    4
#define LIMIT_MQUEUES          256
#define LIMIT_SEMAPHORE_SETS   512 /* a page of pointers */
#define LIMIT_SEMAPHORES       32000

/* -- network (core/net) -- */
#define LIMIT_NICS       8
#define LIMIT_SOCKETS    16384
#define LIMIT_BACKLOG    4096
#define LIMIT_FRAME_SIZE 1526 /* bytes: 1500, Ethernet, VLAN, a margin */
#define LIMIT_FRAME_LARGE                                                      \
    65535                  /* bytes: of one that the device joined or cuts */
#define LIMIT_NET_SHARE 4  /* the network may hold memory / this */
#define LIMIT_NET_SPARE 64 /* of its pages, kept mapped while it is busy */

/* -- Xen (drivers/xen) -- */
#define LIMIT_XEN_EVENTS      64   /* event channels with a handler */
#define LIMIT_XEN_EVENT_PAGES 4    /* each of 1,024 ports; one is the rule */
#define LIMIT_XEN_EVENT_BURST 1024 /* events handled in one upcall */

/* Of programs (core/xen): handles of /dev/xen */
#define LIMIT_XEN_PORTS        1024 /* event channels */
#define LIMIT_XEN_SHARES       1024 /* requests for pages to be shared */
#define LIMIT_XEN_MAPPINGS     1024 /* requests for pages of others */
#define LIMIT_XEN_GRANT_BATCH  512  /* pages of one request */
#define LIMIT_XEN_MAPPED_PAGES 4096 /* pages of others mapped at once */
#define LIMIT_XEN_TRANSACTIONS 64   /* of XenStore */
#define LIMIT_XEN_PROGRAM_WATCHES                                              \
    256 /* of XenStore, and the bytes of one's path and token */
#define LIMIT_XEN_WATCH_SIZE 448

/* -- devices -- */
#define LIMIT_BLOCK_DEVICES  16
#define LIMIT_VIRTQUEUE_SIZE 256
#define LIMIT_XEN_GRANTS     16384 /* references; Xen's own limit may be less */
#define LIMIT_XEN_WATCHES    40    /* of XenStore: one a device, and three */
#define LIMIT_XEN_RECONNECTS 8     /* of one backend, or of XenStore */

#endif
