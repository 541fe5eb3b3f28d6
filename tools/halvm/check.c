/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is checked before anything starts: the file, its memory, folders,
 * disks, ports, and what the place where it is to run wants. Called by run.c
 * and config.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "halvm.h"
#include "halvm_limits.h"

static bool check_volumes(const struct run *run)
{
    struct stat status;

    for (size_t i = 0; i < run->volume_count; i++) {
        const struct volume *volume = &run->volumes[i];

        if (stat(volume->from, &status)) {
            tool_error(words_format("cannot read %s", volume->from),
                       strerror(errno), "-v names a folder or file here first");
            return false;
        }
        if (!S_ISDIR(status.st_mode) && volume->to[1] == 0) {
            tool_error(words_format("%s cannot be /", volume->from),
                       "it is a file, and / is a folder",
                       words_format("-v %s:/%s", volume->from, volume->from));
            return false;
        }
    }
    for (size_t i = 0; i < run->disk_count; i++)
        if (access(run->disks[i].path,
                   run->disks[i].read_only ? R_OK : R_OK | W_OK)) {
            tool_error(
                words_format("cannot use the disk %s", run->disks[i].path),
                strerror(errno),
                words_format("truncate -s 64M %s, or --disk %s:ro",
                             run->disks[i].path, run->disks[i].path));
            return false;
        }
    return true;
}

/* Binds and lets go; a port of 0 becomes a free one. 0 or an errno. */
static int try_port(struct port *port)
{
    struct sockaddr_in6 ip6 = {.sin6_family = AF_INET6};
    struct sockaddr_in ip4 = {.sin_family = AF_INET};
    struct sockaddr *address = (void *)&ip4;
    socklen_t size = sizeof(ip4);
    int type = port->udp ? SOCK_DGRAM : SOCK_STREAM, one = 1, error = 0, fd;

    ip4.sin_port = ip6.sin6_port = htons((uint16_t)port->host);
    if (inet_pton(AF_INET, port->address, &ip4.sin_addr) != 1) {
        inet_pton(AF_INET6, port->address, &ip6.sin6_addr);
        address = (void *)&ip6;
        size = sizeof(ip6);
    }
    fd = socket(address->sa_family, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, address, size) || (!port->udp && listen(fd, 1)))
        error = errno;
    getsockname(fd, address, &size);
    if (!error && port->host == 0)
        port->host =
            ntohs(address == (void *)&ip4 ? ip4.sin_port : ip6.sin6_port);
    close(fd);
    return error;
}

static bool check_ports(struct run *run)
{
    for (size_t i = 0; i < run->port_count; i++) {
        struct port *port = &run->ports[i];
        int error = run->dry_run ? 0 : try_port(port);

        if (error == 0)
            continue;
        tool_error(
            words_format("cannot listen on %s:%u", port->address, port->host),
            strerror(error),
            error == EADDRINUSE
                ? words_format("ss -l%snp 'sport = :%u' shows who has it, or "
                               "-p %u:%u",
                               port->udp ? "u" : "t", port->host,
                               (port->host + 10000) % 65536, port->guest)
            : error == EACCES ? words_format("-p %u:%u (ports below 1024 are "
                                             "root's)",
                                             port->host + 8000, port->guest)
                              : "ip address shows this machine's addresses");
        return false;
    }
    return true;
}

static bool check_memory(const struct run *run)
{
    struct memory_sum sum;

    memory_sum(&run->image, &sum);
    if (memory_fits(&sum, run->memory))
        return true;
    tool_error(words_format("%s cannot start in %s", run->image.path,
                            parse_size_text(run->memory)),
               words_format("it needs %llu KiB: %s",
                            (unsigned long long)(sum.least / 1024),
                            memory_sum_text(&sum)),
               words_format("halvm run -m %lluM %s",
                            (unsigned long long)(sum.advised / MIB),
                            run->image.path));
    return false;
}

/* -- the place -- */

static bool refuse(const char *what, const char *why, const char *fix)
{
    tool_error(what, why, fix);
    return false;
}

#define NETS(a, b, c, d) (1u << (a) | 1u << (b) | 1u << (c) | 1u << (d))

/* What each place has: its name, networks, and the network without --net. */
static const struct place {
    const char *name;
    unsigned nets;
    const char *net_words;
    enum run_net net;
} places[] = {
    [ON_QEMU] = {"qemu", NETS(NET_USER, NET_TAP, NET_BRIDGE, NET_NONE),
                 "user, tap:NAME, bridge:NAME or none", NET_USER},
    [ON_LINUX] = {"linux", NETS(NET_USER, NET_TAP, NET_BRIDGE, NET_NONE),
                  "this machine's", NET_USER},
    [ON_XEN] = {"xen", NETS(NET_BRIDGE, NET_BRIDGE, NET_BRIDGE, NET_NONE),
                "bridge:NAME or none", NET_BRIDGE},
    [ON_LIBVIRT] = {"libvirt", NETS(NET_USER, NET_TAP, NET_BRIDGE, NET_NONE),
                    "user, tap:NAME, bridge:NAME or none", NET_USER},
    [ON_FIRECRACKER] = {"firecracker",
                        NETS(NET_TAP, NET_TAP, NET_TAP, NET_NONE),
                        "tap:NAME or none", NET_TAP},
};

static const char *net_name(enum run_net net)
{
    static const char *const names[] = {"", "user", "tap", "bridge", "none"};

    return names[net];
}

static bool check_net(struct run *run)
{
    const struct place *place = &places[run->on];

    if (run->net == NET_DEFAULT && place->net == NET_TAP) {
        run->interface = words_copy("tap0", 4);
        run_say(run, "the network is the tap device tap0, unless --net says "
                     "another");
    }
    if (run->net == NET_DEFAULT)
        run->net = place->net;
    if (!(place->nets & 1u << run->net))
        return refuse(
            words_format("--net %s on %s", net_name(run->net), place->name),
            words_format("there it is %s", place->net_words),
            words_format("--net %s",
                         place->net == NET_TAP ? "tap:tap0" : "bridge:xenbr0"));
    if (run->port_count == 0 || run->net == NET_USER)
        return true;
    if (run->on == ON_XEN)
        return refuse(
            "-p on xen",
            "nothing forwards ports there: the guest has an address of its "
            "own on the bridge",
            "leave out -p; --ip 10.0.0.2/24 --gw 10.0.0.1 gives the address, "
            "without them DHCP does");
    return refuse("-p without the user network",
                  "only the user network forwards ports; on a tap or bridge "
                  "the guest has an address of its own",
                  "leave out --net, or -p");
}

/* Options that mean nothing where it is to run. */
static bool check_strays(const struct run *run)
{
    static const char xen[] = "it is about Xen guests",
                      core[] = "it is for the unikernel's command line";
    const struct {
        const char *name;
        bool given, good;
        const char *why;
    } strays[] = {
        {"--type", run->type, run->on == ON_XEN, xen},
        {"--memory-max", run->memory_max, run->on == ON_XEN, xen},
        {"--option", run->options.count, run->on != ON_LINUX, core},
        {"--machine", run->machine,
         run->on != ON_XEN && run->on != ON_FIRECRACKER, NULL},
        {"--cpu", run->cpu, run->on != ON_XEN && run->on != ON_FIRECRACKER,
         NULL},
        {"--accel", run->accel, run->on != ON_XEN && run->on != ON_FIRECRACKER,
         NULL},
        {"--gdb", run->gdb_port, run->on == ON_QEMU || run->on == ON_LINUX,
         NULL},
    };

    for (size_t i = 0; i < sizeof(strays) / sizeof(*strays); i++)
        if (strays[i].given && !strays[i].good)
            return refuse(
                words_format("%s on %s", strays[i].name, places[run->on].name),
                strays[i].why ? strays[i].why : "it is an option of QEMU's",
                words_format("leave out %s (also as a variable, HALVM_...)",
                             strays[i].name));
    return true;
}

static int not_a_unikernel(const struct run *run)
{
    tool_error(words_format("%s is not a unikernel", run->image.path),
               "it has no PVH note, by which a hypervisor starts it",
               "build it with halvm-cc or halvm-ghc, or run it --on linux");
    return STATUS_NOT_OURS;
}

/* What a guest looks for. */
static bool check_disks(const struct run *run)
{
    if (run->disk_count <= LIMIT_BLOCK_DEVICES)
        return true;
    tool_error(words_format("%zu disks", run->disk_count),
               words_format("a guest has at most %d", LIMIT_BLOCK_DEVICES),
               "fewer --disk");
    return false;
}

static int check_xen(struct run *run)
{
    bool pv;

    if (!run->type)
        run->type = run->image.xen_pv ? "pv" : "pvh";
    pv = strcmp(run->type, "pv") == 0;
    if (!pv && !run->image.pvh)
        return not_a_unikernel(run);
    if (pv && !run->image.xen_pv) {
        tool_error(words_format("%s is no Xen PV guest", run->image.path),
                   words_format("it has no note by which Xen starts one "
                                "(halvm inspect --boot %s)",
                                run->image.path),
                   run->image.pvh
                       ? "--type pvh"
                       : "build it with halvm-cc or halvm-ghc, or run it "
                         "--on linux");
        return STATUS_NOT_OURS;
    }
    if (run->memory_max && run->memory_max < run->memory) {
        tool_error(
            words_format("--memory-max %s", parse_size_text(run->memory_max)),
            "it is less than the domain begins with",
            words_format("--memory-max %lluM", xen_mib(run->memory)));
        return STATUS_HALVM;
    }
    run->machine = run->type;
    return check_disks(run) && check_memory(run) ? 0 : STATUS_HALVM;
}

/* What starts it by the PVH note and is not Xen. */
static int check_pvh(struct run *run)
{
    if (!run->image.pvh)
        return not_a_unikernel(run);
    if (!check_disks(run) || !check_memory(run))
        return STATUS_HALVM;
    if (!run->machine)
        run->machine = run->on == ON_QEMU ? "microvm" : "q35";
    return 0;
}

static int check_accel(struct run *run)
{
    if (!run->accel) {
        run->why_not_kvm = kvm_why_not();
        run->accel = run->why_not_kvm ? "tcg" : "kvm";
    } else if (strcmp(run->accel, "kvm") == 0 &&
               (run->why_not_kvm = kvm_why_not())) {
        tool_error("KVM does not work here", run->why_not_kvm, "--accel tcg");
        return STATUS_HALVM;
    }
    return 0;
}

int run_check(struct run *run)
{
    int status = image_read(&run->image, run->image.path);

    if (status)
        return status;
    if (run->log) {
        run->log_fd =
            open(run->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (run->log_fd < 0) {
            tool_error(words_format("cannot write %s", run->log),
                       strerror(errno),
                       "--log names a file that you may write");
            return STATUS_HALVM;
        }
    }
    if (!check_strays(run) || !check_net(run) || !check_volumes(run) ||
        !check_ports(run))
        return STATUS_HALVM;
    if (run->on == ON_LINUX)
        return 0;
    status = run->on == ON_XEN ? check_xen(run) : check_pvh(run);
    return status || run->on != ON_QEMU ? status : check_accel(run);
}
