/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Priorities, classes, processors.
 *
 * Covers: sched_yield sched_setparam sched_getparam sched_setscheduler
 * Covers: sched_getscheduler sched_get_priority_max sched_get_priority_min
 * Covers: sched_rr_get_interval sched_setaffinity sched_getaffinity
 * Covers: getpriority setpriority
 */
#include "check.h"
#include <sched.h>
#include <sys/resource.h>

/* The calls themselves: musl's sched_* functions of this kind only fail. */
static void test_classes(void)
{
    int priority = 77, zero = 0, one = 1;

    CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
    CHECK_EQ(syscall(SYS_sched_getparam, 0, &priority), 0);
    CHECK_EQ(priority, 0);
    CHECK_EQ(syscall(SYS_sched_setparam, 0, &zero), 0);
    CHECK_ERR(syscall(SYS_sched_setparam, 0, &one), EINVAL);
    CHECK_EQ(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &zero), 0);
    CHECK_ERR(syscall(SYS_sched_setscheduler, 0, 77, &zero), EINVAL);
    CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &zero), EINVAL);
    if (!check_root() || check_unikernel())
        CHECK_ERR(syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &one), EPERM);
    CHECK_ERR(syscall(SYS_sched_getscheduler, -1), EINVAL);
    CHECK_ERR(syscall(SYS_sched_getscheduler, 0x3fffffff), ESRCH);
    CHECK_ERR(syscall(SYS_sched_getparam, 0, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_sched_getparam, 0, check_bad_pointer()), EFAULT);
    CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
    CHECK_EQ(sched_get_priority_min(SCHED_RR), 1);
    CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
    CHECK_ERR(sched_get_priority_max(77), EINVAL);
    CHECK_ERR(sched_get_priority_min(77), EINVAL);
    struct timespec slice;
    CHECK_EQ(syscall(SYS_sched_rr_get_interval, 0, &slice), 0);
    CHECK(slice.tv_sec == 0);
    CHECK_ERR(syscall(SYS_sched_rr_get_interval, -1, &slice), EINVAL);
    CHECK_EQ(sched_yield(), 0);
}

static void test_affinity(void)
{
    cpu_set_t set, one;

    CPU_ZERO(&set);
    CHECK_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
    CHECK(CPU_COUNT(&set) >= 1);
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof(set), &set);
    CHECK(bytes >= 8 && bytes % 8 == 0); /* the call says how many it wrote */
    CHECK_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
    CPU_ZERO(&one);
    CHECK_ERR(sched_setaffinity(0, sizeof(one), &one), EINVAL);
    CHECK_ERR(syscall(SYS_sched_getaffinity, 0, 3ul, &set), EINVAL);
    CHECK_ERR(syscall(SYS_sched_getaffinity, 0x3fffffff, sizeof(set), &set),
              ESRCH);
    CHECK_ERR(
        syscall(SYS_sched_getaffinity, 0, sizeof(set), check_bad_pointer()),
        EFAULT);
    CHECK_ERR(
        syscall(SYS_sched_setaffinity, 0, sizeof(set), check_bad_pointer()),
        EFAULT);
}

static void test_nice(void)
{
    int nice_now; /* of whoever runs the tests; 0 in the unikernel */

    errno = 0;
    nice_now = getpriority(PRIO_PROCESS, 0);
    CHECK_EQ(errno, 0);
    CHECK(nice_now == 0 || !check_unikernel());
    CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 20 - nice_now);
    CHECK_EQ(setpriority(PRIO_PROCESS, 0, nice_now), 0);
    CHECK_ERR(getpriority(77, 0), EINVAL);
    CHECK_ERR(setpriority(77, 0, 0), EINVAL);
    CHECK_ERR(setpriority(PRIO_PROCESS, 0x3fffffff, 0), ESRCH);
}

int main(void)
{
    test_classes();
    test_affinity();
    test_nice();
    return 0;
}
