/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libvirt's XML of a domain, for `virsh define`: of Xen (--on xen, or --type),
 * else of KVM by QEMU. Called by config.c.
 */
#include <sys/stat.h>

#include "halvm.h"

#define XEN_BRIDGE "xenbr0" /* what xl takes without a name, too */

/* An element with a text; false if XML cannot have that text. */
static bool put(const char *indent, const char *name, const char *text)
{
    char *quoted = parse_xml_quote(text);

    if (!quoted) {
        tool_error(words_format("<%s> %s", name, parse_json_quote(text)),
                   "XML cannot have control characters",
                   "put them into a file: -v FILE:/path:ro");
        return false;
    }
    printf("%s<%s>%s</%s>\n", indent, name, quoted, name);
    free(quoted);
    return true;
}

static bool put_os(const struct run *run, const char *line)
{
    const char *initrd = run->volume_count ? "initrd.tar" : NULL;
    bool pv = run->type && strcmp(run->type, "pv") == 0;

    puts("  <os>");
    printf("    <type arch='x86_64' machine='%s'>%s</type>\n",
           pv          ? "xenpv"
           : run->type ? "xenpvh"
                       : run->machine,
           pv          ? "xen"
           : run->type ? "xenpvh"
                       : "hvm");
    if (!put("    ", "kernel", path_absolute(run->image.path)) ||
        (initrd && !put("    ", "initrd", path_absolute(initrd))) ||
        !put("    ", "cmdline", line))
        return false;
    puts("  </os>");
    return true;
}

static void put_cpu(const struct run *run)
{
    bool kvm = !run->accel || strcmp(run->accel, "kvm") == 0;
    const char *model = run->cpu ? run->cpu : kvm ? "host" : "max";

    puts("  <features>\n    <acpi/>\n  </features>"); /* the power button */
    if (strcmp(model, "host") == 0)
        puts("  <cpu mode='host-passthrough'/>");
    else if (strcmp(model, "max") == 0)
        puts("  <cpu mode='maximum'/>");
    else
        printf("  <cpu mode='custom'>\n    <model>%s</model>\n  </cpu>\n",
               parse_xml_quote(model));
}

static bool put_disks(const struct run *run)
{
    for (size_t i = 0; i < run->disk_count; i++) {
        const struct disk *disk = &run->disks[i];
        bool qcow2 = words_ends(disk->path, ".qcow2"), block;
        char *path = parse_xml_quote(path_absolute(disk->path));
        struct stat status;

        if (!path)
            return put("", "source", disk->path);
        block = stat(disk->path, &status) == 0 && S_ISBLK(status.st_mode);
        printf("    <disk type='%s' device='disk'>\n",
               block ? "block" : "file");
        if (!run->type || qcow2) /* else xl chooses */
            printf("      <driver name='qemu' type='%s'/>\n",
                   qcow2 ? "qcow2" : "raw");
        printf("      <source %s='%s'/>\n", block ? "dev" : "file", path);
        printf("      <target dev='%s%c' bus='%s'/>\n",
               run->type ? "xvd" : "vd", (char)('a' + i),
               run->type ? "xen" : "virtio");
        if (disk->read_only)
            puts("      <readonly/>");
        puts("    </disk>");
    }
    return true;
}

static void put_ports(const struct run *run)
{
    for (size_t i = 0; i < run->port_count; i++) {
        const struct port *port = &run->ports[i];

        printf("      <portForward proto='%s' address='%s'>\n"
               "        <range start='%u' to='%u'/>\n      </portForward>\n",
               port->udp ? "udp" : "tcp", port->address, port->host,
               port->guest);
    }
}

static void put_net(const struct run *run)
{
    static const char *const types[] = {
        [NET_USER] = "user", [NET_TAP] = "ethernet", [NET_BRIDGE] = "bridge"};

    if (run->net == NET_NONE)
        return;
    printf("    <interface type='%s'>\n", types[run->net]);
    if (run->net == NET_BRIDGE)
        printf("      <source bridge='%s'/>\n",
               run->interface ? run->interface : XEN_BRIDGE);
    if (run->net == NET_TAP)
        printf("      <target dev='%s' managed='no'/>\n", run->interface);
    if (!run->type)
        puts("      <model type='virtio'/>");
    if (run->net == NET_USER && run->port_count)
        puts("      <backend type='passt'/>"); /* the other forwards none */
    put_ports(run);
    puts("    </interface>");
}

static void put_console(const struct run *run)
{
    if (run->type) {
        puts("    <console type='pty'>\n"
             "      <target type='xen' port='0'/>\n    </console>");
        return;
    }
    puts("    <controller type='usb' model='none'/>\n"
         "    <serial type='pty'>\n      <target port='0'/>\n    </serial>\n"
         "    <console type='pty'>\n"
         "      <target type='serial' port='0'/>\n    </console>\n"
         "    <memballoon model='none'/>\n"
         "    <rng model='virtio'>\n"
         "      <backend model='random'>/dev/urandom</backend>\n    </rng>");
}

static bool check(const struct run *run)
{
    if (run->type)
        return true;
    if (strcmp(run->machine, "microvm") == 0) {
        tool_error("--machine microvm on libvirt",
                   "libvirt puts devices on PCI, which microvm has not",
                   "--machine q35");
        return false;
    }
    for (size_t i = 0; i < run->port_count; i++)
        if (run->ports[i].host == 0) {
            tool_error(words_format("-p %u on libvirt", run->ports[i].guest),
                       "libvirt chooses no free port",
                       words_format("-p 8080:%u", run->ports[i].guest));
            return false;
        }
    return true;
}

int libvirt_print(struct run *run)
{
    const char *kind = run->type                                      ? "xen"
                       : run->accel && strcmp(run->accel, "tcg") == 0 ? "qemu"
                                                                      : "kvm";
    uint64_t memory = run->type ? xen_mib(run->memory) * MIB : run->memory;
    uint64_t most = run->memory_max ? xen_mib(run->memory_max) * MIB : memory;
    char *line = run->type ? xen_command_line(run) : command_line_make(run);

    if (!line || !check(run))
        return STATUS_HALVM;
    if (run->volume_count)
        fputs(initrd_shell(run, "initrd.tar"), stderr);
    printf("<domain type='%s'>\n", kind);
    put("  ", "name", run_name(run));
    printf("  <memory unit='KiB'>%llu</memory>\n"
           "  <currentMemory unit='KiB'>%llu</currentMemory>\n"
           "  <vcpu>1</vcpu>\n",
           (unsigned long long)most / 1024, (unsigned long long)memory / 1024);
    if (!put_os(run, line))
        return STATUS_HALVM;
    if (!run->type)
        put_cpu(run);
    else if (strcmp(run->type, "pv") == 0)
        puts("  <clock offset='utc'>\n    <timer name='tsc' mode='native'/>\n"
             "  </clock>");
    puts("  <on_poweroff>destroy</on_poweroff>\n"
         "  <on_reboot>restart</on_reboot>\n"
         "  <on_crash>destroy</on_crash>\n  <devices>");
    if (!put_disks(run))
        return STATUS_HALVM;
    put_net(run);
    put_console(run);
    puts("  </devices>\n</domain>");
    return 0;
}
