/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who the process is.
 *
 * Covers: getpid getppid gettid getuid geteuid getgid getegid getpgrp getpgid
 * Covers: getsid setpgid setsid getgroups setgroups setuid setgid setreuid
 * Covers: setregid setresuid setresgid getresuid getresgid setfsuid setfsgid
 */
#include "check.h"
#include <grp.h>
#include <sys/fsuid.h>

static void test_process(void)
{
    CHECK(getpid() > 0);
    CHECK_EQ(syscall(SYS_getpid), getpid());
    CHECK_EQ(syscall(SYS_gettid), getpid()); /* the first thread */
    CHECK(getppid() >= 0);
    CHECK_EQ(syscall(SYS_getppid), getppid());
    CHECK_EQ(getpgid(0), getpgrp());
    CHECK_EQ(getpgid(getpid()), getpgrp());
    CHECK_EQ(syscall(SYS_getpgrp), getpgrp());
    CHECK(getsid(0) >= 0);
    CHECK_EQ(getsid(getpid()), getsid(0));
    CHECK_ERR(getpgid(0x3fffffff), ESRCH);
    CHECK_ERR(getsid(0x3fffffff), ESRCH);
    CHECK_ERR(setpgid(0, -1), EINVAL);
    CHECK_ERR(setpgid(0x3fffffff, 0), ESRCH);
    pid_t session = setsid(); /* refused to the leader of a group */
    CHECK(session == getpid() || (session == -1 && errno == EPERM));
}

static void test_users(void)
{
    uid_t r, e, s;
    gid_t gr, ge, gs;

    CHECK_EQ(getresuid(&r, &e, &s), 0);
    CHECK(r == getuid() && e == geteuid() && s == geteuid());
    CHECK_EQ(getresgid(&gr, &ge, &gs), 0);
    CHECK(gr == getgid() && ge == getegid() && gs == getegid());
    CHECK_ERR(syscall(SYS_getresuid, check_bad_pointer(), &e, &s), EFAULT);
    CHECK_ERR(syscall(SYS_getresgid, &gr, &ge, check_bad_pointer()), EFAULT);
    /* To what one is already, everyone may change. */
    CHECK_EQ(setuid(getuid()), 0);
    CHECK_EQ(setgid(getgid()), 0);
    CHECK_EQ(seteuid(geteuid()), 0);
    CHECK_EQ(setegid(getegid()), 0);
    CHECK_EQ(setreuid(getuid(), (uid_t)-1), 0);
    CHECK_EQ(setregid(getgid(), (gid_t)-1), 0);
    CHECK_EQ(setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1), 0);
    CHECK_EQ(setresgid((gid_t)-1, (gid_t)-1, (gid_t)-1), 0);
    CHECK_EQ(syscall(SYS_setfsuid, geteuid()), geteuid());
    CHECK_EQ(syscall(SYS_setfsgid, getegid()), getegid());
    if (!check_root() || check_unikernel()) { /* nobody else to become */
        CHECK_ERR(setuid(12345), EPERM);
        CHECK_ERR(setgid(12345), EPERM);
        CHECK_ERR(setresuid(12345, 12345, 12345), EPERM);
        CHECK_ERR(setregid(12345, 12345), EPERM);
    }
}

static void test_groups(void)
{
    gid_t groups[100];
    int count = getgroups(0, NULL);

    CHECK(count >= 0 && count <= 100);
    CHECK_EQ(getgroups(100, groups), count);
    CHECK_ERR(getgroups(-1, groups), EINVAL);
    if (count > 1)
        CHECK_ERR(getgroups(1, groups), EINVAL);
    if (count > 0)
        CHECK_ERR(syscall(SYS_getgroups, 100, check_bad_pointer()), EFAULT);
    if (check_root()) {
        CHECK_EQ(setgroups((size_t)count, groups), 0);
    } else {
        CHECK_ERR(syscall(SYS_setgroups, 1ul, groups), EPERM);
    }
}

int main(void)
{
    test_process();
    test_users();
    test_groups();
    return 0;
}
