/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uname, sethostname, setdomainname.
 */
#include "core/system/system.h"

#include <sys/utsname.h>

#include "core/calls.h"
#include "core/core.h"
#include "halvm/version.h"

#define NAME_SIZE 65 /* of each field of struct utsname, with its zero */
_Static_assert(sizeof(struct utsname) == 6 * NAME_SIZE, "Linux's layout");

static char hostname[NAME_SIZE];
static char domainname[NAME_SIZE] = "(none)";

const char *system_hostname(void)
{
    const char *option;

    if (hostname[0] == '\0') {
        option = core_option("hostname");
        core_format(hostname, sizeof hostname, "%s",
                    option != NULL && *option != '\0' ? option : "halvm");
    }
    return hostname;
}

long core_uname(long out)
{
    struct utsname names;

    memset(&names, 0, sizeof names);
    strcpy(names.sysname, SYSTEM_NAME);
    strcpy(names.nodename, system_hostname());
    strcpy(names.release, SYSTEM_RELEASE);
    core_format(names.version, sizeof names.version, "HaLVM %s on %s",
                HALVM_VERSION, core_base->name);
    strcpy(names.machine, "x86_64");
    strcpy(names.domainname, domainname);
    return core_copy_out((void *)out, &names, sizeof names);
}

static long set_name(char name[NAME_SIZE], long from, long size)
{
    char copy[NAME_SIZE];

    if (size < 0 || size >= NAME_SIZE)
        return -EINVAL;
    if (core_copy_in(copy, (const void *)from, (size_t)size) != 0)
        return -EFAULT;
    copy[size] = '\0';
    memcpy(name, copy, (size_t)size + 1);
    return 0;
}

long core_sethostname(long name, long size)
{
    return set_name(hostname, name, size);
}

long core_setdomainname(long name, long size)
{
    return set_name(domainname, name, size);
}
