/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who we are: one program (process 1, no parent, its own group and session),
 * one user and one group, root.
 *
 * Setting an id to what it is succeeds; to anything else is EPERM, since there
 * is nobody else to become. -1 means "leave as it is" where Linux says so.
 */
#include "core/calls.h"
#include "core/core.h"

#define SYSTEM_PID 1
#define KEEP       0xffffffffu /* (uid_t)-1 */

long core_getpid(void)
{
    return SYSTEM_PID;
}

long core_getppid(void)
{
    return 0;
}

long core_getpgrp(void)
{
    return SYSTEM_PID;
}

long core_getpgid(long pid)
{
    return (int)pid == 0 || (int)pid == SYSTEM_PID ? SYSTEM_PID : -ESRCH;
}

long core_getsid(long pid)
{
    return core_getpgid(pid);
}

/* The first process leads its session, as init does. */
long core_setsid(void)
{
    return -EPERM;
}

long core_setpgid(long pid, long group)
{
    if ((int)group < 0)
        return -EINVAL;
    if ((int)pid != 0 && (int)pid != SYSTEM_PID)
        return -ESRCH;
    return (int)group == 0 || (int)group == SYSTEM_PID ? 0 : -EPERM;
}

long core_getuid(void)
{
    return 0;
}

long core_geteuid(void)
{
    return 0;
}

long core_getgid(void)
{
    return 0;
}

long core_getegid(void)
{
    return 0;
}

static long set_id(long id)
{
    return (uint32_t)id == 0 ? 0 : -EPERM;
}

static bool kept(long id)
{
    return (uint32_t)id == 0 || (uint32_t)id == KEEP;
}

long core_setuid(long uid)
{
    return set_id(uid);
}

long core_setgid(long gid)
{
    return set_id(gid);
}

long core_setreuid(long real, long effective)
{
    return kept(real) && kept(effective) ? 0 : -EPERM;
}

long core_setregid(long real, long effective)
{
    return core_setreuid(real, effective);
}

long core_setresuid(long real, long effective, long saved)
{
    return kept(real) && kept(effective) && kept(saved) ? 0 : -EPERM;
}

long core_setresgid(long real, long effective, long saved)
{
    return core_setresuid(real, effective, saved);
}

/* Always says what it was before: setfsuid(2). */
long core_setfsuid(long uid)
{
    return 0;
}

long core_setfsgid(long gid)
{
    return 0;
}

long core_getresuid(long real, long effective, long saved)
{
    static const uint32_t root;

    if (core_copy_out((void *)real, &root, sizeof root) != 0 ||
        core_copy_out((void *)effective, &root, sizeof root) != 0 ||
        core_copy_out((void *)saved, &root, sizeof root) != 0)
        return -EFAULT;
    return 0;
}

long core_getresgid(long real, long effective, long saved)
{
    return core_getresuid(real, effective, saved);
}

long core_getgroups(long size, long list)
{
    return (int)size < 0 ? -EINVAL : 0;
}

long core_setgroups(long size, long list)
{
    uint32_t group;

    if ((uint64_t)size > 65536) /* NGROUPS_MAX */
        return -EINVAL;
    for (long i = 0; i < size; i++) {
        if (core_copy_in(&group, (const uint32_t *)list + i, sizeof group))
            return -EFAULT;
        if (group != 0)
            return -EPERM;
    }
    return 0;
}
