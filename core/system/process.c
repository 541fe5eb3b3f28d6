/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls about the process as a whole: prctl, arch_prctl, waiting for children
 * that there are not, getcpu, membarrier.
 */
#include <sys/membarrier.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "core/calls.h"
#include "core/core.h"
#include "core/thread/thread.h"

/* linux/prctl.h, newer than musl's */
#define PR_SET_VMA           0x53564d41
#define PR_SET_VMA_ANON_NAME 0

/* asm/prctl.h */
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003

long core_arch_prctl(long code, long address)
{
    switch (code) {
    case ARCH_SET_FS:
        /* A base outside the lower half would fault on load. */
        if ((uint64_t)address >= 1ull << 47)
            return -EPERM;
        thread_current->tp = (uint64_t)address;
        core_base->tp_set((uint64_t)address);
        return 0;
    case ARCH_GET_FS:
        return core_copy_out((void *)address, &thread_current->tp,
                             sizeof thread_current->tp);
    }
    return -EINVAL;
}

static long set_thread_name(long name)
{
    char copy[sizeof thread_current->name];
    long length = core_copy_string(copy, (const char *)name, sizeof copy);

    if (length == -EFAULT)
        return -EFAULT;
    copy[sizeof copy - 1] = '\0'; /* a longer one is cut: prctl(2) */
    memcpy(thread_current->name, copy, sizeof copy);
    return 0;
}

long core_prctl(long option, long a, long b, long c, long d)
{
    static bool dumpable = true, no_new_privileges;
    static int death_signal;

    switch ((int)option) {
    case PR_SET_NAME:
        return set_thread_name(a);
    case PR_GET_NAME:
        return core_copy_out((void *)a, thread_current->name,
                             sizeof thread_current->name);
    case PR_SET_DUMPABLE:
        if (a != 0 && a != 1)
            return -EINVAL;
        dumpable = a != 0;
        return 0;
    case PR_GET_DUMPABLE:
        return dumpable;
    case PR_SET_PDEATHSIG: /* there is no parent to die */
        if ((uint64_t)a > 64)
            return -EINVAL;
        death_signal = (int)a;
        return 0;
    case PR_GET_PDEATHSIG:
        return core_copy_out((void *)a, &death_signal, sizeof death_signal);
    case PR_SET_NO_NEW_PRIVS:
        if (a != 1 || b != 0 || c != 0 || d != 0)
            return -EINVAL;
        no_new_privileges = true;
        return 0;
    case PR_GET_NO_NEW_PRIVS:
        return a == 0 && b == 0 && c == 0 && d == 0 ? no_new_privileges
                                                    : -EINVAL;
    case PR_SET_VMA: /* names for /proc/self/maps, which shows none */
        return a == PR_SET_VMA_ANON_NAME ? 0 : -EINVAL;
    }
    return -EINVAL;
}

long core_wait4(long pid, long status, long options, long usage)
{
    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | 0xe0000000l))
        return -EINVAL;
    return (int)pid == INT32_MIN ? -ESRCH : -ECHILD;
}

long core_waitid(long type, long id, long info, long options, long usage)
{
    if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED |
                    0xe0000000l) ||
        !(options & (WEXITED | WSTOPPED | WCONTINUED)))
        return -EINVAL;
    if (type == P_ALL || ((type == P_PID || type == P_PGID) && (int)id > 0))
        return -ECHILD;
    return -EINVAL;
}

/* One processor, in one node. */
long core_getcpu(long cpu, long node, long unused)
{
    static const uint32_t zero;

    if ((cpu != 0 && core_copy_out((void *)cpu, &zero, sizeof zero) != 0) ||
        (node != 0 && core_copy_out((void *)node, &zero, sizeof zero) != 0))
        return -EFAULT;
    return 0;
}

/* On one processor every switch of threads orders memory already; only the
 * protocol of registering is left. */
long core_membarrier(long command, long flags, long cpu)
{
    static long registered;
    const long with_registration = MEMBARRIER_CMD_GLOBAL_EXPEDITED |
                                   MEMBARRIER_CMD_PRIVATE_EXPEDITED |
                                   MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE;

    if (flags != 0)
        return -EINVAL;
    switch (command) {
    case MEMBARRIER_CMD_QUERY:
        return with_registration | with_registration << 1 |
               MEMBARRIER_CMD_GLOBAL;
    case MEMBARRIER_CMD_GLOBAL:
    case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
        return 0;
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
    case MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE:
        return registered & command << 1 ? 0 : -EPERM;
    case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
    case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE:
        registered |= command;
        return 0;
    }
    return -EINVAL;
}
