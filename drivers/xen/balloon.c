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

#define TARGET_PATH  "memory/target"
#define KIB_PER_PAGE (LIMIT_PAGE_SIZE / 1024)
#define PAGES_LIMIT  (1ull << 40) /* what is beyond is no memory */

/* Kept free for what must not fail: this much, or a share of all memory. */
#define KEEP_PAGES 256u
#define KEEP_SHARE 16u

/* Between two tries while memory is short, here or at Xen's: twice as long
 * each time. */
#define AGAIN_FIRST_NS 1000000000ull
#define AGAIN_LAST_NS  32000000000ull

static bool known;
static uint64_t first_target, first_total; /* pages */
static uint64_t short_target;              /* that could not be met; 0: none */
static uint64_t again_ns;

/* The pages of a number of KiB in XenStore; false: none is there. */
static bool pages_read(const char *path, uint64_t *pages)
{
    if (xen_store_read_number(path, pages) != 0)
        return false;
    *pages /= KIB_PER_PAGE;
    return *pages > 0 && *pages < PAGES_LIMIT;
}

static void on_target(void *argument, const char *path);

/* Says so once a target, and tries again for as long as it stands. */
static void fall_short(uint64_t target, bool release)
{
    again_ns = short_target == target ? again_ns * 2 : AGAIN_FIRST_NS;
    if (again_ns > AGAIN_LAST_NS)
        again_ns = AGAIN_LAST_NS;
    xen_store_again(TARGET_PATH, on_target, NULL, again_ns);
    if (short_target == target)
        return;
    short_target = target;
    hw_log("xen: memory: not all that the operator asked for could be ",
           release ? "given back" : "had", NULL);
}

/* False: not all of it. */
static bool shrink(const struct base_memory *memory, uint64_t pages)
{
    uint64_t keep = memory->pages_total / KEEP_SHARE + KEEP_PAGES;
    uint64_t spare = memory->pages_free > keep ? memory->pages_free - keep : 0;
    uint64_t give = pages < spare ? pages : spare;

    return (give > 0 ? xen_balloon_release(give) : 0) == pages;
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
    if (wanted < memory.pages_total) {
        if (!shrink(&memory, memory.pages_total - wanted)) {
            fall_short(target, true);
            return;
        }
    } else if (wanted > memory.pages_total &&
               xen_balloon_take(wanted - memory.pages_total) <
                   wanted - memory.pages_total) {
        fall_short(target, false);
        return;
    }
    short_target = 0;
}

void xen_balloon_init(void)
{
    xen_store_watch(TARGET_PATH, on_target, NULL);
}
