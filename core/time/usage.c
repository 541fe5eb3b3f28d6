/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Processor time and memory that the program has used: times, getrusage.
 *
 * All of it counts as user time: core is the program's library here.
 */
#include <sys/resource.h>
#include <sys/times.h>

#include "core/calls.h"
#include "core/mem/mem.h"
#include "core/thread/thread.h"
#include "core/time/time.h"

/* The kernel's structure ends here; musl keeps room for more. */
#define USAGE_SIZE       (offsetof(struct rusage, ru_nivcsw) + sizeof(long))
#define TICKS_PER_SECOND 100u /* sysconf(_SC_CLK_TCK) */

long core_times(long a)
{
    struct tms out;
    uint64_t tick = TIME_SECOND / TICKS_PER_SECOND;
    memset(&out, 0, sizeof(out));
    out.tms_utime = (clock_t)(thread_cpu_total_ns() / tick);
    if ((void *)a != NULL && core_copy_out((void *)a, &out, sizeof(out)) < 0)
        return -EFAULT;
    return (long)(time_now_ns() / tick);
}

long core_getrusage(long a, long b)
{
    struct rusage out;
    uint64_t cpu = 0;
    memset(&out, 0, sizeof(out));
    switch ((int)a) {
    case RUSAGE_SELF:
        cpu = thread_cpu_total_ns();
        break;
    case RUSAGE_THREAD:
        cpu = thread_cpu_ns(thread_current);
        break;
    case RUSAGE_CHILDREN: /* there are none */
        return core_copy_out((void *)b, &out, USAGE_SIZE);
    default:
        return -EINVAL;
    }
    out.ru_utime.tv_sec = (time_t)(cpu / TIME_SECOND);
    out.ru_utime.tv_usec = (long)(cpu % TIME_SECOND / 1000);
    out.ru_maxrss = (long)(mem_resident_max_bytes() / 1024);
    return core_copy_out((void *)b, &out, USAGE_SIZE);
}
