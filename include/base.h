/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Seam 2: what core asks of the world below it.
 *
 * A base boots, knows the machine, and offers this table; core is the library
 * operating system above it and knows nothing else of where it runs. A base
 * may live inside the image (base/hw, base/xenpv) or outside it (a tender that
 * loads the image), so the table carries a version and nothing here is a
 * macro over a base's internals.
 *
 * Two calls go up: base -> core_main(), once, on a stack of the base's with
 * upcalls held back; and base -> the upcall that core registered.
 *
 * Context. Core calls every function below with its monitor held (core.h), so
 * none of them is ever re-entered, except clock_monotonic and clock_wall,
 * which may be called from anywhere at any time.
 *
 * Errors are enum base_status and no other. A call against the rules written
 * here is a bug of core's and ends in abort(), which names file and line.
 */
#ifndef HALVM_BASE_H
#define HALVM_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch.h"

#define BASE_VERSION 1

enum base_status {
    BASE_OK = 0,
    BASE_AGAIN, /* nothing there yet, or no room yet */
    BASE_NOMEM, /* not enough memory; nothing was changed */
    BASE_NODEV, /* no such device */
    BASE_IO,    /* the device failed or lied */
};

/*
 * What an upcall or wait() reports, as a set of bits. A bit says "look there":
 * it may be set with nothing to find, and stays silent until looked at.
 */
enum base_ready {
    BASE_READY_TIMER = 1u << 0,   /* the deadline of timer_set() has passed */
    BASE_READY_CONSOLE = 1u << 1, /* console_read() has something */
    BASE_READY_NET = 1u << 2,     /* net_recv() has, or net_send() has room */
    BASE_READY_BLOCK = 1u << 3,   /* blk_reap() has something */
    BASE_READY_POWER = 1u << 4,   /* the operator asks for a shutdown */
    BASE_READY_FAULT = 1u << 5,   /* application code faulted: see fault */
    BASE_READY_XEN = 1u << 6,     /* see base_xen.h */
};

/* Why application code could not go on (BASE_READY_FAULT). */
enum base_fault_kind {
    BASE_FAULT_NONE = 0,
    BASE_FAULT_MEMORY,      /* address not mapped, or not so */
    BASE_FAULT_BUS,         /* address not canonical, segment, alignment */
    BASE_FAULT_INSTRUCTION, /* undefined or privileged instruction */
    BASE_FAULT_DIVIDE,      /* integer division */
    BASE_FAULT_FLOAT,       /* x87 or SSE exception */
    BASE_FAULT_BREAKPOINT,  /* int3 */
    BASE_FAULT_STEP,        /* debug trap: the trap flag is set */
};

#define BASE_FAULT_WRITE   1u /* the access was a write */
#define BASE_FAULT_EXECUTE 2u /* the access was an instruction fetch */
#define BASE_FAULT_PRESENT 4u /* something is mapped there, but not so */

struct base_fault {
    enum base_fault_kind kind;
    uint32_t access;  /* BASE_FAULT_WRITE, ... */
    uint64_t address; /* the address touched; the instruction's if unknown */
};

/*
 * How interrupts reach core. Registered once by upcall_set(), before which
 * none is delivered.
 *
 * When something becomes ready, the base looks at *locked:
 *   nonzero  core is at work. The base remembers the bits, writes 1 to
 *            *attention and goes back to what it interrupted. Core takes the
 *            bits with wait(0).
 *   zero     application code was interrupted. The base saves its registers
 *            and full FPU state to **interrupted, writes 1 to *locked, and
 *            calls upcall(ready, fault) on the stack that ends at stack_top.
 *            The upcall does not return: it ends in resume(), or by switching
 *            to another thread of its own.
 * The interrupted stack is not touched below its stack pointer (the System V
 * ABI gives 128 bytes there to leaf functions).
 *
 * A fault of application code comes the same way, with its cause; a fault
 * at an address between arch_copy_begin and arch_copy_end continues at
 * arch_copy_fault, and any other inside core (locked) is the end. But a debug
 * trap there is application code's that steps itself into a call: the base
 * clears the trap flag of what it interrupted, sets (*interrupted)->stepped,
 * and writes 1 to *attention.
 */
struct base_upcall {
    volatile uint8_t *locked;
    volatile uint8_t *attention;
    struct arch_context **interrupted;
    void *stack_top;
    void (*upcall)(uint32_t ready, const struct base_fault *fault);
};

/* Protection of mem_map(). Write and execute together only after
 * mem_code_writable() of the image says so; else it is a bug. */
#define BASE_PROT_NONE  0u
#define BASE_PROT_READ  1u
#define BASE_PROT_WRITE 2u
#define BASE_PROT_EXEC  4u

/*
 * The machine's memory, in pages of 4096 bytes. At every moment
 * pages_image + pages_tables + pages_promised + pages_free == pages_total.
 */
struct base_memory {
    uint64_t pages_total;    /* all RAM that the machine gave us */
    uint64_t pages_image;    /* image, boot data, initrd, the base's own */
    uint64_t pages_tables;   /* page tables and the base's bookkeeping */
    uint64_t pages_promised; /* mapped, touched or not */
    uint64_t pages_free;
    uint64_t pages_resident; /* of the promised, those touched */
};

enum base_device_kind { BASE_DEVICE_NET, BASE_DEVICE_BLOCK };

#define BASE_NET_TX_CHECKSUM 1u /* net_send completes checksums if asked */
#define BASE_NET_RX_CHECKSUM 2u /* net_recv may say "checksum is good" */
#define BASE_NET_RX_LARGE    4u /* net_recv may have frames for many rooms */
#define BASE_NET_TX_TCP4     8u /* net_send cuts TCP over IPv4, if asked */
#define BASE_NET_TX_TCP6     16u

struct base_device {
    uint8_t mac[6];        /* net */
    uint16_t mtu;          /* net: bytes of payload after Ethernet's header */
    uint32_t features;     /* net: BASE_NET_* */
    uint32_t cut_size_max; /* net: bytes of the largest frame to be cut */
    uint64_t sector_count; /* block: sectors of 512 bytes */
    bool read_only;        /* block */
    bool flushes;          /* block: BASE_BLOCK_FLUSH does something */
    bool discards;         /* block: BASE_BLOCK_DISCARD is taken */
    bool zeroes;           /* block: BASE_BLOCK_ZERO is taken */
};

#define BASE_NET_CHECKSUM_NEEDED 1u /* send: fill in, see checksum_* */
#define BASE_NET_CHECKSUM_GOOD   2u /* receive: the device has checked it */
#define BASE_NET_MORE            4u /* the frame goes on in the next entry */
#define BASE_NET_CUT             8u /* send: a large frame, see below */

/*
 * One whole Ethernet frame, without its trailing checksum, or with
 * BASE_NET_MORE a part of one. A frame's flags but for MORE, and all that
 * follows them, are its first entry's. Why: docs/decisions/0008-segments.md.
 *
 * Received frames of more than LIMIT_FRAME_SIZE bytes (BASE_NET_RX_LARGE) are
 * TCP over IPv4 or IPv6 and have LIMIT_FRAME_LARGE bytes at most: what the
 * device, or a neighbour on the same host, has joined or never cut.
 *
 * BASE_NET_CUT: TCP over IPv4 or IPv6 (where BASE_NET_TX_TCP4 or _TCP6 says
 * so), with CHECKSUM_NEEDED, of cut_size_max bytes at most in one or more
 * entries, the first with all headers. Frames with cut_size bytes of TCP's
 * data each leave, the last with what is left. The device makes their headers
 * from the large frame's, whose length fields (and IPv4's checksum, and the
 * sum of TCP's pseudo header) are of the large frame.
 */
struct base_net_frame {
    void *data;
    uint32_t size; /* bytes in data; net_recv: room on entry, bytes on exit */
    uint32_t flags;
    uint16_t checksum_start;  /* bytes from data to where summing begins */
    uint16_t checksum_offset; /* from there to the field to fill in */
    uint16_t header_size;     /* CUT: Ethernet's, IP's and TCP's, in bytes */
    uint16_t cut_size;        /* CUT: bytes */
};

/*
 * DISCARD: the content is not needed any more, and the device may give its
 * space back. What a sector reads as until it is written again is not said.
 * ZERO: the sectors read as zeros afterwards; the device may give their space
 * back. Why these are operations: docs/decisions/0007-discard.md.
 *
 * A device may take `discards` or `zeroes` back when the operation comes to
 * it: the request ends with BASE_IO, and dev_get tells from then on.
 */
enum base_block_op {
    BASE_BLOCK_READ,
    BASE_BLOCK_WRITE,
    BASE_BLOCK_FLUSH,
    BASE_BLOCK_DISCARD,
    BASE_BLOCK_ZERO,
};

struct base_block_request {
    enum base_block_op op;
    uint64_t sector; /* of 512 bytes */
    uint32_t count;  /* sectors; FLUSH: 0 */
    void *data;      /* READ, WRITE: count * 512 bytes of mapped, touched
                      * memory; else NULL */
    void *tag;       /* given back by blk_reap */
};

struct base_block_done {
    void *tag;
    enum base_status status;
};

struct base_xen;

struct base {
    uint32_t version; /* BASE_VERSION */
    const char *name; /* "hw", "xenpv", ... for uname and the crash report */

    /* -- life -- */

    /* Ends the machine; the status is 0..255 and reaches whoever started us
     * as far as the world has a way (see docs/exit-status.md). */
    void (*exit)(int status) __attribute__((noreturn));
    /* Ends the machine after a bug: prints why, registers if known, and a
     * backtrace, then as exit(134). Callable in any context. */
    void (*abort)(const char *why) __attribute__((noreturn));

    /* -- console -- */

    /* Writes all bytes; does not translate. Never blocks for long. */
    void (*console_write)(const void *data, size_t size);
    /* Reads at most size bytes that have come in; returns their count. */
    size_t (*console_read)(void *data, size_t size);

    /* -- clocks, in nanoseconds -- */

    uint64_t (*clock_monotonic)(void); /* since start; never goes back */
    uint64_t (*clock_wall)(void);      /* since 1970-01-01 UTC */

    /* -- processor -- */

    /* Blocks until something is ready or clock_monotonic() >= deadline_ns,
     * and returns the ready set (taking it: the bits are then clear).
     * Deadline 0 does not block; UINT64_MAX is never. */
    uint32_t (*wait)(uint64_t deadline_ns);
    /* Asks for BASE_READY_TIMER once clock_monotonic() >= deadline_ns; takes
     * the place of the previous wish. UINT64_MAX: none. */
    void (*timer_set)(uint64_t deadline_ns);
    /* See struct base_upcall. */
    void (*upcall_set)(const struct base_upcall *upcall);
    /* Continues the interrupted code in context, full FPU state included,
     * and writes 0 to *locked in one step with letting upcalls through.
     * Returns only if *attention was nonzero then, with nothing changed. */
    void (*resume)(struct arch_context *context);
    /* Sets the thread pointer (FS base) that application code sees. */
    void (*tp_set)(uint64_t value);

    /* -- memory --
     * Inside the arena of struct base_info; addresses and sizes are multiples
     * of 4096, sizes not 0. */

    /* Maps a range. Pages not mapped before are promised to it: they read as
     * zero when first touched and touching them never fails. Pages mapped
     * before keep their content and take the new protection.
     * BASE_NOMEM: nothing was changed. */
    enum base_status (*mem_map)(uint64_t addr, uint64_t size, uint32_t prot);
    /* Unmaps a range and frees its pages; holes in it are fine. */
    void (*mem_unmap)(uint64_t addr, uint64_t size);
    /* Moves mapped pages, content and protection, from one range to another
     * that has nothing mapped and does not overlap it. BASE_NOMEM (page
     * tables): nothing was changed. Why this is an operation and not a copy:
     * docs/decisions/0002-mem-move.md. */
    enum base_status (*mem_move)(uint64_t from, uint64_t to, uint64_t size);
    void (*mem_stats)(struct base_memory *out);
    /* Whether the page at addr has been touched (mincore). */
    bool (*mem_resident)(uint64_t addr);

    /* -- entropy -- */

    /* Fills data from the processor's or the hypervisor's random source and
     * returns how many bytes are good; 0 where there is none. */
    size_t (*entropy)(void *data, size_t size);

    /* -- devices, by kind and index from 0 -- */

    /* BASE_NODEV past the last; makes the device ready at the first call and
     * tells of it again at others. BASE_NOMEM: ask again when there is more. */
    enum base_status (*dev_get)(enum base_device_kind kind, unsigned index,
                                struct base_device *out);
    /* Sends frames in order; the data is copied or sent before returning.
     * Returns how many entries were taken, those of a frame together: fewer
     * than count means no room, and BASE_READY_NET will say when there is; or
     * that the device takes the next one's BASE_NET_CUT no more (it is
     * another after a migration), and then dev_get tells. */
    unsigned (*net_send)(unsigned index, const struct base_net_frame *frames,
                         unsigned count);
    /* Receives into frames[].data, each of LIMIT_FRAME_SIZE bytes or more;
     * returns how many entries were filled, and leaves the others as they are.
     * A frame for which too few are left waits for the next call, and is lost
     * where all of a call's are too few. */
    unsigned (*net_recv)(unsigned index, struct base_net_frame *frames,
                         unsigned count);
    /* Starts a request; BASE_AGAIN: the queue is full, reap first. */
    enum base_status (*blk_submit)(unsigned index,
                                   const struct base_block_request *request);
    /* Takes finished requests in any order; returns how many. */
    unsigned (*blk_reap)(unsigned index, struct base_block_done *done,
                         unsigned count);

    /* What there is in a guest of Xen beside all this (base_xen.h); NULL
     * elsewhere, and where memory for it is wanting. */
    const struct base_xen *(*xen)(void);
};

/* What core_main() is told. All of it stays readable for ever. */
struct base_info {
    uint64_t arena_start; /* addresses that mem_map takes */
    uint64_t arena_size;
    uint64_t image_start; /* the loaded image, bss included */
    uint64_t image_end;
    const char *command_line; /* as docs/command-line.md; never NULL */
    const void *initrd;       /* NULL if none; page-aligned, read-only */
    size_t initrd_size;
};

/*
 * What a program may come to use is known when it is linked. Core calls these
 * before it first asks for a device of the kind (or for Xen), and from nowhere
 * else, so a base in the image can see to it that an image which never gets
 * there is linked without the drivers. A base outside of it makes them empty.
 */
void base_uses_net(void);
void base_uses_block(void);
void base_uses_xen(void);

/* core/main.c. The first thread of the program runs from it. */
void core_main(const struct base *base, const struct base_info *info)
    __attribute__((noreturn));

#endif
