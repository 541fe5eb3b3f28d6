/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * halvm config --for PLATFORM: prints what the platform wants to hear, with
 * the options of halvm run. Hides nothing: it is what halvm run would do.
 */
#include "halvm.h"

const struct option_row config_options[] = {
    {"for", 0, VALUE_REQUIRED, "PLATFORM", "qemu or linux", "qemu linux",
     false},
    {"help", 'h', VALUE_NONE, NULL, "this text", NULL, false},
    {0},
};

static int no_platform(const char *platform)
{
    static const char *const later[] = {"xl", "libvirt", "firecracker",
                                        "systemd", "ec2"};

    for (size_t i = 0; i < sizeof(later) / sizeof(*later); i++)
        if (strcmp(platform, later[i]) == 0) {
            tool_error(words_format("no configuration for %s yet", platform),
                       "this version writes QEMU's and Linux's",
                       "halvm config --for qemu ./program");
            return STATUS_HALVM;
        }
    tool_error(words_format("no platform %s", platform),
               "--for takes qemu or linux",
               "halvm config --for qemu ./program");
    return STATUS_HALVM;
}

/* Takes --for out of argv, since the rest is run's. */
static const char *take_platform(int *argc, char **argv)
{
    const char *platform = NULL;
    int to = 1;

    for (int i = 1; i < *argc; i++) {
        if (!platform && strcmp(argv[i], "--for") == 0 && i + 1 < *argc)
            platform = argv[++i];
        else if (!platform && words_begins(argv[i], "--for="))
            platform = argv[i] + strlen("--for=");
        else
            argv[to++] = argv[i];
    }
    argv[to] = NULL;
    *argc = to;
    return platform;
}

int config_verb(int argc, char **argv)
{
    const char *platform = take_platform(&argc, argv);
    struct run run;
    int status;

    status = run_read(&run, argc, argv);
    if (status)
        return status < 0 ? 0 : status;
    if (!platform) {
        tool_error("no platform named", "config prints what one platform wants",
                   "halvm config --for qemu ./program");
        return STATUS_HALVM;
    }
    if (strcmp(platform, "qemu") == 0)
        run.on = ON_QEMU;
    else if (strcmp(platform, "linux") == 0)
        run.on = ON_LINUX;
    else
        return no_platform(platform);
    run.dry_run = true;
    status = run_check(&run);
    if (status)
        return status;
    return run.on == ON_LINUX ? linux_run(&run) : qemu_run(&run);
}
