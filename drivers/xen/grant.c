/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Grant tables, versions 1 and 2: see xen.h. Callers hold the monitor.
 *
 * Version 1 is preferred (its entry says all there is, and half as large).
 * Version 2 is used where frames have numbers that do not fit the first's 32
 * bits: in PV guests of a host with more than 16 TiB; where Xen allows no
 * other; and with halvm.xen.grants=2. The table begins with
 * one frame and grows by one when it is full. A free entry has flags of 0,
 * which Xen takes for no grant whatever else it holds, so the list of free
 * entries runs through their frame fields.
 */
#include <string.h>

#include "drivers/xen/ring.h"
#include "drivers/xen/xen.h"
#include "halvm_limits.h"

#include <xen/memory.h>

#define IN_USE (GTF_reading | GTF_writing) /* by the other domain */

/* Entries of a frame. */
#define PER_FRAME_1      (LIMIT_PAGE_SIZE / sizeof(struct grant_entry_v1))
#define PER_FRAME_2      (LIMIT_PAGE_SIZE / sizeof(union grant_entry_v2))
#define STATUS_PER_FRAME (LIMIT_PAGE_SIZE / sizeof(uint16_t))

_Static_assert(sizeof(struct grant_entry_v1) == 8, "Xen's ABI");
_Static_assert(sizeof(union grant_entry_v2) == 16, "Xen's ABI");

static struct {
    unsigned version; /* 0: not asked yet */
    bool unusable;
    void *entries;
    volatile uint16_t *status; /* version 2 */
    uint32_t frames, frames_max;
    uint32_t per_frame;
    grant_ref_t free; /* first of the list; 0: none */
    unsigned used;
} table;

static struct grant_entry_v1 *entry_1(grant_ref_t reference)
{
    return (struct grant_entry_v1 *)table.entries + reference;
}

static union grant_entry_v2 *entry_2(grant_ref_t reference)
{
    return (union grant_entry_v2 *)table.entries + reference;
}

/* Flags and domain are at the same place in both versions. */
static struct grant_entry_header *header_of(grant_ref_t reference)
{
    return table.version == 1 ? (void *)entry_1(reference)
                              : &entry_2(reference)->hdr;
}

static void frame_set(grant_ref_t reference, uint64_t frame)
{
    if (table.version == 1)
        XEN_WRITE_ONCE(entry_1(reference)->frame, (uint32_t)frame);
    else
        XEN_WRITE_ONCE(entry_2(reference)->full_page.frame, frame);
}

static void free_push(grant_ref_t reference)
{
    frame_set(reference, table.free);
    table.free = reference;
}

static grant_ref_t free_pop(void)
{
    grant_ref_t reference = table.free;

    table.free = table.version == 1
                     ? entry_1(reference)->frame
                     : (grant_ref_t)entry_2(reference)->full_page.frame;
    return reference;
}

static bool second_preferred(void)
{
    const char *option = hw_option("xen.grants");

    return (option != NULL && strcmp(option, "2") == 0) ||
           (xen_pv &&
            xen_memory_op(XENMEM_maximum_ram_page, NULL) > UINT32_MAX);
}

/* 0 if neither version is to be had. */
static unsigned version_choose(void)
{
    unsigned first = second_preferred() ? 2 : 1;
    struct gnttab_set_version wish = {.version = first};
    struct gnttab_get_version now = {.dom = DOMID_SELF};

    if (xen_grant_op(GNTTABOP_set_version, &wish, 1) == 0)
        return first;
    wish.version = 3 - first;
    if (xen_grant_op(GNTTABOP_set_version, &wish, 1) == 0)
        return 3 - first;
    /* Neither can be chosen: what is in force will do. A Xen that knows of no
     * versions has the first. */
    if (xen_grant_op(GNTTABOP_get_version, &now, 1) != 0)
        return 1;
    return now.version == 1 || now.version == 2 ? now.version : 0;
}

/* Makes one more frame of entries. */
static bool table_grow(void)
{
    grant_ref_t first = table.frames * table.per_frame;
    grant_ref_t end = first + table.per_frame;

    if (table.frames == table.frames_max ||
        xen_grant_table_grow(table.frames + 1) != 0)
        return false;
    if (table.version == 2) {
        unsigned frames =
            (unsigned)((end + STATUS_PER_FRAME - 1) / STATUS_PER_FRAME);

        table.status = xen_grant_status_map(frames);
        if (table.status == NULL)
            return false;
    }
    table.frames++;
    if (first == 0)
        first = GNTTAB_NR_RESERVED_ENTRIES; /* the toolstack's */
    while (end-- > first) {
        header_of(end)->flags = GTF_invalid;
        free_push(end);
    }
    return true;
}

static bool table_init(void)
{
    struct gnttab_query_size size = {.dom = DOMID_SELF};

    table.unusable = true;
    table.version = version_choose();
    if (table.version == 0) {
        hw_log("xen: grants: no version of them is allowed", NULL);
        return false;
    }
    table.per_frame =
        (uint32_t)(table.version == 1 ? PER_FRAME_1 : PER_FRAME_2);
    table.frames_max = LIMIT_XEN_GRANTS / table.per_frame;
    if (xen_grant_op(GNTTABOP_query_size, &size, 1) == 0 &&
        size.status == GNTST_okay && size.max_nr_frames < table.frames_max)
        table.frames_max = size.max_nr_frames;
    table.entries = xen_grant_table_map(table.frames_max);
    if (table.entries == NULL || !table_grow()) {
        hw_log("xen: grants: the table cannot be mapped", NULL);
        return false;
    }
    table.unusable = false;
    return true;
}

grant_ref_t xen_grant(domid_t domain, const void *page, bool read_only)
{
    uint64_t frame = xen_frame_of(page);
    uint16_t flags = GTF_permit_access;
    struct grant_entry_header *header;
    grant_ref_t reference;

    if (table.unusable || (table.version == 0 && !table_init()))
        return XEN_GRANT_NONE;
    if (table.version == 1 && frame > UINT32_MAX)
        return XEN_GRANT_NONE; /* beyond 16 TiB */
    if (table.free == 0 && !table_grow())
        return XEN_GRANT_NONE;
    if (read_only)
        flags |= GTF_readonly;
    reference = free_pop();
    header = header_of(reference);
    header->domid = domain;
    frame_set(reference, frame);
    xen_wmb(); /* the entry is whole before it is valid */
    XEN_WRITE_ONCE(header->flags, flags);
    table.used++;
    return reference;
}

/* Version 1: Xen marks use in the flags, so both change in one step. */
static bool end_1(uint16_t *flags)
{
    uint16_t seen = XEN_READ_ONCE(*flags);

    do {
        if (seen & IN_USE)
            return false;
    } while (!__atomic_compare_exchange_n(flags, &seen, GTF_invalid, false,
                                          __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    return true;
}

/* Version 2: Xen marks use elsewhere, and looks at the flags first. Once they
 * are seen to be 0 nobody can begin; who had begun before shows after the
 * barrier. */
static bool end_2(uint16_t *flags, grant_ref_t reference)
{
    uint16_t before = __atomic_exchange_n(flags, GTF_invalid, __ATOMIC_SEQ_CST);

    xen_mb();
    if (table.status[reference] & IN_USE) {
        XEN_WRITE_ONCE(*flags, before);
        return false;
    }
    xen_mb(); /* what they did is done before the page has another use */
    return true;
}

bool xen_grant_end(grant_ref_t reference)
{
    struct grant_entry_header *header;
    bool ended;

    if (reference < GNTTAB_NR_RESERVED_ENTRIES ||
        reference >= table.frames * table.per_frame ||
        header_of(reference)->flags == GTF_invalid)
        hw_base.abort("xen_grant_end: a reference that is not handed out");
    header = header_of(reference);
    ended = table.version == 1 ? end_1(&header->flags)
                               : end_2(&header->flags, reference);
    if (ended) {
        free_push(reference);
        table.used--;
    }
    return ended;
}

unsigned xen_grants_used(void)
{
    return table.used;
}

void xen_grant_resume(void)
{
    memset(&table, 0, sizeof(table));
}
