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
    uint64_t least = image_memory_min(&run->image);

    if (run->memory >= least)
        return true;
    tool_error(
        words_format("%s cannot start in %s", run->image.path,
                     parse_size_text(run->memory)),
        words_format("the image ends at %s, and the first 640 KiB are "
                     "the machine's (halvm inspect --memory %s)",
                     parse_size_text((least + 1023) / 1024 * 1024),
                     run->image.path),
        words_format(
            "halvm run -m %lluM %s",
            (unsigned long long)(image_memory_advised(&run->image) / MIB),
            run->image.path));
    return false;
}

/* For QEMU: the file, the accelerator, the memory. */
static int check_qemu(struct run *run)
{
    if (!run->image.pvh) {
        tool_error(words_format("%s is not a unikernel", run->image.path),
                   "it has no PVH note, by which a hypervisor starts it",
                   "build it with halvm-cc or halvm-ghc, or run it --on linux");
        return STATUS_NOT_OURS;
    }
    if (!check_memory(run))
        return STATUS_HALVM;
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
    if (run->port_count && run->net != NET_USER) {
        tool_error("-p without the user network",
                   "only the user network forwards ports; on a tap the guest "
                   "has an address of its own",
                   "leave out --net, or -p");
        return STATUS_HALVM;
    }
    if (!check_volumes(run) || !check_ports(run))
        return STATUS_HALVM;
    return run->on == ON_LINUX ? 0 : check_qemu(run);
}
