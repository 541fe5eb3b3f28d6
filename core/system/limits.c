/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Resource limits and sysinfo: what there is, from the accounts.
 *
 * RLIMIT_AS is not infinite unless asked for: a program that looks at it
 * before it reserves address space (GHC's runtime does) learns how much memory
 * there is, and ends cleanly when that is used up.
 */
#include <sys/resource.h>
#include <sys/sysinfo.h>

#include "core/calls.h"
#include "core/core.h"
#include "core/file/file.h"
#include "core/mem/mem.h"
#include "core/thread/thread.h"
#include "core/time/time.h"

#define SYSTEM_PID 1
#define INFINITE   (~0ull) /* RLIM_INFINITY */

/* Limits as programs set them, to be read back; most bind nothing here. */
static struct rlimit kept_limits[RLIM_NLIMITS];
static bool kept[RLIM_NLIMITS];

/* A fifth more than is free: GHC's runtime takes two thirds of the limit for
 * its heap, and should be able to use what is there. It starts with
 * three megabytes reserved, and uses two of them. */
#define ADDRESS_SPACE_MIN (6ull << 20)

static uint64_t address_space_default(void)
{
    uint64_t size = mem_free_bytes() + mem_free_bytes() / 5;
    return size > ADDRESS_SPACE_MIN ? size : ADDRESS_SPACE_MIN;
}

static void get_limit(unsigned resource, struct rlimit *out)
{
    out->rlim_cur = out->rlim_max = INFINITE;
    if (kept[resource]) {
        *out = kept_limits[resource];
        return;
    }
    switch (resource) {
    case RLIMIT_AS:
        out->rlim_cur = address_space_default();
        break;
    case RLIMIT_STACK:
        out->rlim_cur = LIMIT_MAIN_STACK_SIZE;
        break;
    case RLIMIT_NOFILE:
        out->rlim_cur = file_limit();
        out->rlim_max = file_limit_hard();
        break;
    case RLIMIT_NPROC:
        out->rlim_cur = out->rlim_max = LIMIT_THREADS;
        break;
    case RLIMIT_CORE: /* there is no file to write one to */
        out->rlim_cur = 0;
        break;
    case RLIMIT_SIGPENDING:
        out->rlim_cur = out->rlim_max = LIMIT_SIGNALS_QUEUED;
        break;
    }
}

static int set_limit(unsigned resource, const struct rlimit *limit)
{
    if (limit->rlim_cur > limit->rlim_max)
        return -EINVAL;
    switch (resource) {
    case RLIMIT_AS:
        mem_limit_set(limit->rlim_cur); /* this one binds */
        break;
    case RLIMIT_NOFILE:
        return file_limit_set(limit->rlim_cur, limit->rlim_max);
    }
    kept_limits[resource] = *limit;
    kept[resource] = true;
    return 0;
}

long core_prlimit64(long pid, long resource, long new_limit, long old_limit)
{
    struct rlimit old, new;

    if ((int)pid != 0 && (int)pid != SYSTEM_PID)
        return -ESRCH;
    if ((uint32_t)resource >= RLIM_NLIMITS)
        return -EINVAL;
    if (new_limit != 0 &&
        core_copy_in(&new, (const void *)new_limit, sizeof new) != 0)
        return -EFAULT;
    get_limit((unsigned)resource, &old);
    if (old_limit != 0 &&
        core_copy_out((void *)old_limit, &old, sizeof old) != 0)
        return -EFAULT;
    return new_limit != 0 ? set_limit((unsigned)resource, &new) : 0;
}

long core_getrlimit(long resource, long out)
{
    return out == 0 ? -EFAULT : core_prlimit64(0, resource, 0, out);
}

long core_setrlimit(long resource, long limit)
{
    return limit == 0 ? -EFAULT : core_prlimit64(0, resource, limit, 0);
}

long core_sysinfo(long out)
{
    struct sysinfo info;

    memset(&info, 0, sizeof info);
    info.uptime = time_now_ns() / TIME_SECOND;
    info.totalram = mem_total_bytes();
    info.freeram = mem_free_bytes();
    info.procs = (unsigned short)(thread_count < 65535 ? thread_count : 65535);
    info.mem_unit = 1;
    return core_copy_out((void *)out, &info, sizeof info);
}
