/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that Xen and we trade: the frames of the grant table, which are
 * Xen's, and the balloon, through which RAM of ours goes back to Xen and
 * comes again. Monitor held.
 */
#include <stdint.h>
#include <errno.h>
#include <xen/memory.h>

#include "drivers/xen/guest.h"
#include "parts.h"

#define TABLE_PAGES  (LIMIT_XEN_GRANTS / 256u) /* version 2: 16 bytes each */
#define STATUS_PAGES (LIMIT_XEN_GRANTS / 2048u + 1u)
#define BATCH        64u /* frames of one hypercall */

static unsigned table_frames, status_frames; /* that are mapped */

/* -- the grant table -- */

/* Where the frames are to be seen. In a PV guest that is a window of their own;
 * elsewhere they become guest frames where there were none: behind all RAM. */
static uint64_t hole(void)
{
    const struct hw_machine *m = &hw_machine;

    return (m->ram[m->ram_count - 1].end + HW_LARGE - 1) & ~(HW_LARGE - 1);
}

uint64_t xen_foreign_physical(unsigned slot)
{
    _Static_assert((TABLE_PAGES + STATUS_PAGES) * HW_PAGE <= HW_LARGE,
                   "the grant table is before it");
    return hole() + HW_LARGE + slot * HW_PAGE;
}

static uint8_t *window(void)
{
    return xen_pv ? (uint8_t *)XENPV_WINDOW : hw_physical(hole());
}

void *xen_grant_table_map(unsigned frames_max)
{
    table_frames = 0;
    status_frames = 0;
    if (frames_max > TABLE_PAGES)
        return NULL;
    if (!xen_pv)
        hw_boot_map(hole(), (TABLE_PAGES + STATUS_PAGES) * HW_PAGE);
    return window();
}

static long guest_frame_add(unsigned space_index, unsigned at)
{
    struct xen_add_to_physmap op = {.domid = DOMID_SELF,
                                    .space = XENMAPSPACE_grant_table,
                                    .idx = space_index,
                                    .gpfn = hole() / HW_PAGE + at};

    return xen_memory_op(XENMEM_add_to_physmap, &op);
}

long xen_grant_table_grow(unsigned frames)
{
    xen_pfn_t list[TABLE_PAGES];
    struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = frames};
    unsigned i;

    if (frames > TABLE_PAGES)
        return -ENOSPC;
    if (xen_pv) {
        set_xen_guest_handle(op.frame_list, list);
        if (xen_grant_op(GNTTABOP_setup_table, &op, 1) != 0 ||
            op.status != GNTST_okay)
            return -ENOMEM;
    }
    for (i = table_frames; i < frames; i++) {
        if (xen_pv)
            xenpv_window_map(i, list[i] * HW_PAGE);
        else if (guest_frame_add(i, i) != 0)
            return -ENOMEM;
        table_frames = i + 1;
    }
    return 0;
}

volatile uint16_t *xen_grant_status_map(unsigned frames)
{
    uint64_t list[STATUS_PAGES];
    struct gnttab_get_status_frames op = {.dom = DOMID_SELF,
                                          .nr_frames = frames};
    unsigned i;

    if (frames > STATUS_PAGES)
        return NULL;
    if (xen_pv) {
        set_xen_guest_handle(op.frame_list, list);
        if (xen_grant_op(GNTTABOP_get_status_frames, &op, 1) != 0 ||
            op.status != GNTST_okay)
            return NULL;
    }
    for (i = status_frames; i < frames; i++) {
        if (xen_pv)
            xenpv_window_map(TABLE_PAGES + i, list[i] * HW_PAGE);
        else if (guest_frame_add(i | XENMAPIDX_grant_table_status,
                                 TABLE_PAGES + i) != 0)
            return NULL;
        status_frames = i + 1;
    }
    return (volatile uint16_t *)(void *)(window() + TABLE_PAGES * HW_PAGE);
}

void xen_grant_frames_hide(void)
{
    unsigned i;

    for (i = 0; xen_pv && i < table_frames; i++)
        xenpv_window_unmap(i);
    for (i = 0; xen_pv && i < status_frames; i++)
        xenpv_window_unmap(TABLE_PAGES + i);
}

void xen_grant_frames_show(void)
{
    unsigned table = table_frames, status = status_frames;

    if (!xen_pv)
        return;
    table_frames = 0;
    status_frames = 0;
    if ((table != 0 && xen_grant_table_grow(table) != 0) ||
        (status != 0 && xen_grant_status_map(status) == NULL))
        hw_crash("Xen keeps the grant table to itself", NULL, table, 134);
}

/* -- the balloon -- */

/* A hypercall over frames; how many of them Xen did. */
static uint64_t reservation(unsigned op, xen_pfn_t *frames, uint64_t count)
{
    struct xen_memory_reservation how = {.nr_extents = count,
                                         .domid = DOMID_SELF};
    long done;

    set_xen_guest_handle(how.extent_start, frames);
    done = xen_memory_op(op, &how);
    return done > 0 ? (uint64_t)done : 0;
}

static uint64_t release_some(uint64_t pages)
{
    uint64_t physical[BATCH], count = 0, done, i;
    xen_pfn_t frames[BATCH];

    while (count < pages && (physical[count] = hw_frame_get(0)) != 0) {
        frames[count] = xen_frame_of(hw_physical(physical[count]));
        if (xen_pv)
            xenpv_direct_remove(physical[count]);
        count++;
    }
    done = reservation(XENMEM_decrease_reservation, frames, count);
    for (i = 0; i < count; i++) {
        if (i < done) {
            if (xen_pv)
                xenpv_frame_set(physical[i], XENPV_NO_FRAME);
            hw_frame_absent_set(physical[i], true);
            continue;
        }
        if (xen_pv)
            xenpv_direct_restore(physical[i]);
        hw_frame_put(physical[i], 0);
    }
    hw_accounts.total -= done;
    return done;
}

uint64_t xen_balloon_release(uint64_t pages)
{
    uint64_t released = 0, done = 1;

    if (pages > hw_memory_free())
        pages = hw_memory_free();
    while (released < pages && done != 0) {
        done =
            release_some(pages - released < BATCH ? pages - released : BATCH);
        released += done;
    }
    return released;
}

static uint64_t take_some(uint64_t pages)
{
    uint64_t physical[BATCH], count = 0, done, i;
    xen_pfn_t frames[BATCH];

    while (count < pages &&
           (physical[count] = hw_frame_absent_next(
                count > 0 ? physical[count - 1] + HW_PAGE : 0)) != 0) {
        frames[count] = xen_guest_frame(physical[count]);
        count++;
    }
    done = count > 0 ? reservation(XENMEM_populate_physmap, frames, count) : 0;
    for (i = 0; i < done; i++) {
        if (xen_pv) {
            xenpv_frame_set(physical[i], frames[i]);
            xenpv_direct_need(physical[i], physical[i] + HW_PAGE);
            xenpv_direct_restore(physical[i]);
        }
        hw_frame_absent_set(physical[i], false);
        hw_accounts.total++;
        hw_frame_put(physical[i], 0);
        if (xen_pv)
            xenpv_direct_spare();
    }
    return done;
}

uint64_t xen_balloon_take(uint64_t pages)
{
    uint64_t taken = 0, done = 1;

    while (taken < pages && done != 0) {
        done = take_some(pages - taken < BATCH ? pages - taken : BATCH);
        taken += done;
    }
    return taken;
}
