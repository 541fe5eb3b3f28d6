/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/xen/grant.c against Xen and another domain in software, in both
 * versions of the table: entries as the ABI has them, growth up to either
 * limit, and ends that the other domain holds up.
 */
#include "check.h"

#include "xen_mock.h"

#include <xen/memory.h>

#define FRAMES_MAX 200

static struct {
    bool allowed[3];  /* versions */
    bool no_versions; /* an old Xen */
    const char *option;
    uint64_t ram_page_max;
    unsigned version, frames_max, frames;
} xen;

static _Alignas(4096) uint8_t area[FRAMES_MAX * 4096];
static uint16_t status[FRAMES_MAX * 256];
static uint8_t page[4] __attribute__((aligned(4096)));
static unsigned mapped_status;

const char *hw_option(const char *name)
{
    CHECK(strcmp(name, "xen.grants") == 0);
    return xen.option;
}

long xen_hypercall(unsigned number, uint64_t a, uint64_t b, uint64_t c,
                   uint64_t d, uint64_t e)
{
    if (number == __HYPERVISOR_memory_op) {
        CHECK(a == XENMEM_maximum_ram_page);
        return (long)xen.ram_page_max;
    }
    CHECK(number == __HYPERVISOR_grant_table_op && c == 1);
    if (a == GNTTABOP_set_version) {
        struct gnttab_set_version *wish = (void *)b;

        if (xen.no_versions || !xen.allowed[wish->version])
            return -38;
        xen.version = wish->version;
        return 0;
    }
    if (a == GNTTABOP_get_version) {
        ((struct gnttab_get_version *)b)->version = xen.version;
        return xen.no_versions ? -38 : 0;
    }
    CHECK(a == GNTTABOP_query_size);
    ((struct gnttab_query_size *)b)->max_nr_frames = xen.frames_max;
    ((struct gnttab_query_size *)b)->status = GNTST_okay;
    return 0;
}

void *xen_grant_table_map(unsigned frames_max)
{
    CHECK(frames_max <= FRAMES_MAX);
    return area;
}

long xen_grant_table_grow(unsigned frames)
{
    if (frames > xen.frames_max)
        return -12;
    CHECK(frames == xen.frames + 1);
    xen.frames = frames;
    return 0;
}

volatile uint16_t *xen_grant_status_map(unsigned frames)
{
    mapped_status = frames;
    return status;
}

static void start(unsigned version, unsigned frames_max)
{
    mock_end();
    memset(&xen, 0, sizeof(xen));
    memset(area, 0x5a, sizeof(area)); /* as an earlier kernel left it */
    memset(status, 0, sizeof(status));
    xen.allowed[version] = true;
    xen.version = version;
    xen.frames_max = frames_max;
    xen_grant_resume();
    CHECK(xen_grants_used() == 0);
}

static struct grant_entry_header *header(grant_ref_t ref)
{
    return xen.version == 2 ? &((union grant_entry_v2 *)area)[ref].hdr
                            : (void *)&((struct grant_entry_v1 *)area)[ref];
}

static uint64_t frame(grant_ref_t ref)
{
    return xen.version == 2
               ? ((union grant_entry_v2 *)area)[ref].full_page.frame
               : ((struct grant_entry_v1 *)area)[ref].frame;
}

/* The other domain maps it, or no longer does. */
static void use(grant_ref_t ref, uint16_t flags)
{
    if (xen.version == 2)
        status[ref] = flags;
    else
        header(ref)->flags =
            (uint16_t)((header(ref)->flags & ~(GTF_reading | GTF_writing)) |
                       flags);
}

static void test_one(unsigned version)
{
    start(version, 4);
    grant_ref_t ref = xen_grant(7, page, false), other;

    CHECK(ref >= GNTTAB_NR_RESERVED_ENTRIES);
    CHECK(xen.version == version);
    CHECK(header(ref)->flags == GTF_permit_access && header(ref)->domid == 7);
    CHECK(frame(ref) == xen_frame_of(page));
    other = xen_grant(8, page, true);
    CHECK(other != ref && header(other)->domid == 8);
    CHECK(header(other)->flags == (GTF_permit_access | GTF_readonly));
    CHECK(xen_grants_used() == 2);
    /* In use: nothing changes. */
    use(ref, GTF_reading);
    CHECK(!xen_grant_end(ref));
    use(ref, GTF_writing);
    CHECK(!xen_grant_end(ref));
    CHECK(header(ref)->flags & GTF_permit_access);
    CHECK(xen_grants_used() == 2);
    use(ref, 0);
    CHECK(xen_grant_end(ref));
    CHECK(header(ref)->flags == GTF_invalid);
    CHECK(xen_grants_used() == 1);
    CHECK(xen_grant(9, page, false) == ref); /* the last is the next */
    CHECK(xen_grant_end(ref) && xen_grant_end(other));
    CHECK(xen_grants_used() == 0);
    /* A frame beyond 16 TiB is for version 2 only. */
    mock_frame_high = 1ull << 36;
    ref = xen_grant(7, page, false);
    CHECK((ref != XEN_GRANT_NONE) == (version == 2));
    if (version == 2)
        CHECK(frame(ref) == xen_frame_of(page) && xen_grant_end(ref));
    for (unsigned i = 0; i < 8; i++)
        CHECK(header(i)->flags != GTF_invalid); /* the toolstack's */
}

/* All that there are, each once; back, and all again. */
static void test_all(unsigned version, unsigned frames_max)
{
    static grant_ref_t refs[LIMIT_XEN_GRANTS];
    static bool seen[LIMIT_XEN_GRANTS];
    unsigned most = frames_max * (version == 1 ? 512 : 256);

    start(version, frames_max);
    if (most > LIMIT_XEN_GRANTS)
        most = LIMIT_XEN_GRANTS;
    most -= GNTTAB_NR_RESERVED_ENTRIES;
    for (unsigned round = 0; round < 2; round++) {
        memset(seen, 0, sizeof(seen));
        for (unsigned i = 0; i < most; i++) {
            refs[i] = xen_grant(1, page, false);
            CHECK(refs[i] != XEN_GRANT_NONE && refs[i] < LIMIT_XEN_GRANTS);
            CHECK(!seen[refs[i]]);
            seen[refs[i]] = true;
        }
        CHECK(xen_grant(1, page, false) == XEN_GRANT_NONE);
        CHECK(xen_grants_used() == most);
        if (version == 2)
            CHECK(mapped_status == (xen.frames * 256 + 2047) / 2048);
        for (unsigned i = 0; i < most; i++)
            CHECK(xen_grant_end(refs[(i * 7919) % most]));
        CHECK(xen_grants_used() == 0);
    }
    CHECK(mock_log_lines == 0);
}

static void test_versions(void)
{
    /* Both allowed: the first. */
    start(1, 1);
    xen.allowed[2] = true;
    xen.version = 2;
    CHECK(xen_grant(1, page, false) != XEN_GRANT_NONE && xen.version == 1);
    /* Asked for, or needed: the second, if it is allowed. */
    for (unsigned i = 0; i < 8; i++) {
        start(1, 1);
        xen.allowed[2] = (i & 1) != 0;
        xen.option = (i & 2) != 0 ? "2" : "1";
        xen.ram_page_max = (i & 4) != 0 ? 1ull << 32 : UINT32_MAX;
        CHECK(xen_grant(1, page, false) != XEN_GRANT_NONE);
        CHECK(xen.version == (i == 3 || i == 5 || i == 7 ? 2 : 1));
        xen_grant_resume();
    }
    xen_pv = false; /* frames have the guest's own numbers */
    start(1, 1);
    xen.allowed[2] = true;
    xen.ram_page_max = 1ull << 32;
    CHECK(xen_grant(1, page, false) != XEN_GRANT_NONE && xen.version == 1);
    xen_pv = true;
    /* A Xen that knows no versions has the first. */
    start(1, 1);
    xen.no_versions = true;
    grant_ref_t ref = xen_grant(1, page, false);
    CHECK(ref != XEN_GRANT_NONE && header(ref)->domid == 1);
    /* None: no grants, said once. */
    start(1, 1);
    xen.allowed[1] = false;
    xen.version = 0;
    CHECK(xen_grant(1, page, false) == XEN_GRANT_NONE);
    CHECK(xen_grant(1, page, false) == XEN_GRANT_NONE);
    CHECK(mock_log_lines == 1);
}

int main(void)
{
    test_one(1);
    test_one(2);
    test_all(1, 1);
    test_all(1, 33);
    test_all(2, 3);
    test_all(2, 100);
    test_versions();
    return 0;
}
