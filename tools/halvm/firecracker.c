/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The JSON that `firecracker --no-api --config-file` reads. Firecracker starts
 * a program by the PVH note from its version 1.12 on. Called by config.c.
 */
#include "halvm.h"

/* Its CMDLINE_MAX_SIZE of 2048, less what it adds for its devices. */
#define LINE_SIZE_MAX 1792

/* One more member of an object or array. */
static const char *separator(bool *begun)
{
    const char *text = *begun ? ",\n" : "\n";

    *begun = true;
    return text;
}

static void put_drives(const struct run *run)
{
    bool begun = false;

    printf("  \"drives\": [");
    for (size_t i = 0; i < run->disk_count; i++)
        printf("%s    {\"drive_id\": \"disk%zu\", \"path_on_host\": %s, "
               "\"is_root_device\": false, \"is_read_only\": %s}",
               separator(&begun), i,
               parse_json_quote(path_absolute(run->disks[i].path)),
               run->disks[i].read_only ? "true" : "false");
    printf("%s],\n", begun ? "\n  " : "");
}

static bool check(const struct run *run, const char *line)
{
    if (strlen(line) > LINE_SIZE_MAX) {
        tool_error(
            words_format("the command line is %zu bytes long", strlen(line)),
            words_format("Firecracker takes 2048 with its own words, so at "
                         "most %d here",
                         LINE_SIZE_MAX),
            "put them into a file: -v FILE:/path:ro");
        return false;
    }
    for (size_t i = 0; i < run->disk_count; i++)
        if (words_ends(run->disks[i].path, ".qcow2")) {
            tool_error(words_format("the disk %s", run->disks[i].path),
                       "Firecracker reads raw disks only",
                       words_format("qemu-img convert %s disk.img",
                                    run->disks[i].path));
            return false;
        }
    return true;
}

int firecracker_print(struct run *run)
{
    const char *initrd = run->volume_count ? "initrd.tar" : NULL;
    char *line = command_line_make(run);

    if (!line || !check(run, line))
        return STATUS_HALVM;
    if (initrd)
        fputs(initrd_shell(run, initrd), stderr);
    printf("{\n  \"boot-source\": {\n    \"kernel_image_path\": %s,\n",
           parse_json_quote(path_absolute(run->image.path)));
    if (initrd)
        printf("    \"initrd_path\": %s,\n",
               parse_json_quote(path_absolute(initrd)));
    printf("    \"boot_args\": %s\n  },\n", parse_json_quote(line));
    put_drives(run);
    if (run->net == NET_TAP)
        printf("  \"network-interfaces\": [\n    {\"iface_id\": \"net0\", "
               "\"host_dev_name\": %s}\n  ],\n",
               parse_json_quote(run->interface));
    printf("  \"machine-config\": {\"vcpu_count\": 1, \"mem_size_mib\": "
           "%llu}\n}\n",
           xen_mib(run->memory));
    return 0;
}
