/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory/target: how much memory the operator wants the domain to have. Here
 * is the policy; the bases move the pages. Monitor held.
 *
 * The target counts what the domain has for the toolstack, which is not quite
 * what the base calls its memory, so changes are reckoned from a first pair of
 * figures. In a PV guest that is the target at the start. A PVH or HVM guest
 * that is started below its maximum has the maximum in its memory map and less
 * behind it, and has to give the rest back before it touches it: there the
 * maximum stands against what the base counts.
 */
#include "drivers/xen/xen.h"
#include "halvm_limits.h"

#define KIB_PER_PAGE (LIMIT_PAGE_SIZE / 1024)
#define PAGES_LIMIT  (1ull << 40) /* what is beyond is no memory */

/* Kept free for what must not fail: this much, or a share of all memory. */
#define KEEP_PAGES 256u
#define KEEP_SHARE 16u

static bool known;
static uint64_t first_target, first_total; /* pages */

/* The pages of a number of KiB in XenStore; false: none is there. */
static bool pages_read(const char *path, uint64_t *pages)
{
    if (xen_store_read_number(path, pages) != 0)
        return false;
    *pages /= KIB_PER_PAGE;
    return *pages > 0 && *pages < PAGES_LIMIT;
}

static void say_short(bool release)
{
    hw_log("xen: memory: not all that the operator asked for could be ",
           release ? "given back" : "had", NULL);
}

static void shrink(const struct base_memory *memory, uint64_t pages)
{
    uint64_t keep = memory->pages_total / KEEP_SHARE + KEEP_PAGES;
    uint64_t spare = memory->pages_free > keep ? memory->pages_free - keep : 0;
    uint64_t give = pages < spare ? pages : spare;

    if ((give > 0 ? xen_balloon_release(give) : 0) < pages)
        say_short(true);
}

static void on_target(void *argument, const char *path)
{
    struct base_memory memory;
    uint64_t target, wanted;

    if (!pages_read(path, &target))
        return;
    hw_base.mem_stats(&memory);
    if (!known) {
        known = true;
        first_total = memory.pages_total;
        if (xen_pv || !pages_read("memory/static-max", &first_target))
            first_target = target;
    }
    /* Below nothing there is nothing. */
    wanted = first_total + target > first_target
                 ? first_total + target - first_target
                 : 0;
    if (wanted < memory.pages_total)
        shrink(&memory, memory.pages_total - wanted);
    else if (wanted > memory.pages_total &&
             xen_balloon_take(wanted - memory.pages_total) <
                 wanted - memory.pages_total)
        say_short(false);
}

void xen_balloon_init(void)
{
    xen_store_watch("memory/target", on_target, NULL);
}
