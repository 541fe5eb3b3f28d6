/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * halvm config --for PLATFORM: prints what the platform wants to hear, with
 * the options of halvm run. Hides nothing: it is what halvm run would do.
 */
#include "halvm.h"

const struct option_row config_options[] = {
    {"for", 0, VALUE_REQUIRED, "PLATFORM",
     "qemu, linux, xl, libvirt or firecracker",
     "qemu linux xl libvirt firecracker", false},
    {"help", 'h', VALUE_NONE, NULL, "this text", NULL, false},
    {0},
};

static const struct platform {
    const char *name;
    enum run_on on;
    int (*print)(struct run *run);
} platforms[] = {
    {"qemu", ON_QEMU, qemu_run},
    {"linux", ON_LINUX, linux_run},
    {"xl", ON_XEN, xen_print},
    {"libvirt", ON_LIBVIRT, libvirt_print},
    {"firecracker", ON_FIRECRACKER, firecracker_print},
};

static const struct platform *find_platform(const char *name)
{
    for (size_t i = 0; i < sizeof(platforms) / sizeof(*platforms); i++)
        if (strcmp(platforms[i].name, name) == 0)
            return &platforms[i];
    tool_error(words_format("no platform %s", name),
               "--for takes qemu, linux, xl, libvirt or firecracker",
               "halvm config --for qemu ./program");
    return NULL;
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
    const char *name = take_platform(&argc, argv);
    const struct platform *platform;
    struct run run;
    int status;

    status = run_read(&run, argc, argv);
    if (status)
        return status < 0 ? 0 : status;
    if (!name) {
        tool_error("no platform named", "config prints what one platform wants",
                   "halvm config --for qemu ./program");
        return STATUS_HALVM;
    }
    platform = find_platform(name);
    if (!platform)
        return STATUS_HALVM;
    /* libvirt has Xen, too. */
    if (platform->on != ON_LIBVIRT || (run.on != ON_XEN && !run.type))
        run.on = platform->on;
    else
        run.on = ON_XEN;
    run.dry_run = true;
    status = run_check(&run);
    return status ? status : platform->print(&run);
}
