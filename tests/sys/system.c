/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the system says of itself.
 *
 * Covers: uname sysinfo sethostname setdomainname getcpu
 */
#include "check.h"
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static void test_uname(void)
{
    struct utsname name;

    CHECK_EQ(uname(&name), 0);
    CHECK(!strcmp(name.sysname, "Linux")); /* what programs expect */
    CHECK(!strcmp(name.machine, "x86_64"));
    CHECK(name.nodename[0] && name.release[0] && name.version[0]);
    int major = 0;
    CHECK_EQ(sscanf(name.release, "%d.", &major), 1);
    CHECK(major >= 4);
    CHECK_ERR(syscall(SYS_uname, check_bad_pointer()), EFAULT);
}

static void test_names(void)
{
    char host[65], long_name[66];

    memset(long_name, 'n', 65);
    CHECK_EQ(gethostname(host, sizeof(host)), 0);
    if (!check_root()) {
        CHECK_ERR(sethostname("x", 1), EPERM);
        CHECK_ERR(setdomainname("x", 1), EPERM);
        return;
    }
    CHECK_ERR(sethostname(long_name, 65), EINVAL);
    CHECK_ERR(sethostname(check_bad_pointer(), 5), EFAULT);
    CHECK_ERR(setdomainname(long_name, 65), EINVAL);
    if (!check_unikernel())
        return; /* it is the machine's, not ours */
    struct utsname name;
    CHECK_EQ(sethostname("new-name-x", 8), 0);
    CHECK_EQ(uname(&name), 0);
    CHECK(!strcmp(name.nodename, "new-name"));
    CHECK_EQ(sethostname(host, strlen(host)), 0);
    CHECK_EQ(setdomainname("domain", 6), 0);
    CHECK_EQ(uname(&name), 0);
    CHECK(!strcmp(name.domainname, "domain"));
}

static void test_sysinfo(void)
{
    struct sysinfo info;

    CHECK_EQ(sysinfo(&info), 0);
    CHECK(info.mem_unit >= 1);
    CHECK(info.totalram > 0 && info.freeram <= info.totalram);
    CHECK(info.uptime < 1000000000 && info.procs >= 1);
    CHECK_ERR(syscall(SYS_sysinfo, check_bad_pointer()), EFAULT);
    CHECK(sysconf(_SC_PHYS_PAGES) > 0);
    CHECK_EQ(sysconf(_SC_PAGESIZE), 4096);
    CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
}

static void test_getcpu(void)
{
    unsigned cpu = 99999, node = 99999;

    CHECK_EQ(syscall(SYS_getcpu, &cpu, &node, NULL), 0);
    CHECK(cpu < 99999 && node < 99999);
    CHECK_EQ(syscall(SYS_getcpu, NULL, NULL, NULL), 0);
    CHECK_ERR(syscall(SYS_getcpu, check_bad_pointer(), NULL, NULL), EFAULT);
}

int main(void)
{
    test_uname();
    test_names();
    test_sysinfo();
    test_getcpu();
    return 0;
}
