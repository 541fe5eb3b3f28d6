/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QEMU's command line for a run, and the run itself. Called by run.c for
 * --on qemu and by config.c, which only prints it.
 *
 * Every device is named here (-nodefaults): a serial console, virtio 1.0
 * network, block and entropy devices, on MMIO for microvm and on PCI else.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "halvm.h"

extern char **environ;

const char *qemu_program(void)
{
    const char *given = getenv("HALVM_QEMU");

    return given && given[0] ? given : "qemu-system-x86_64";
}

bool qemu_is_installed(void)
{
    const char *program = qemu_program(), *path = getenv("PATH");
    char *folders, *folder;
    bool found = false;

    if (strchr(program, '/'))
        return access(program, X_OK) == 0;
    folders = words_format("%s", path ? path : "/usr/bin:/bin");
    while (!found && (folder = strsep(&folders, ":")))
        found = access(words_format("%s/%s", folder, program), X_OK) == 0;
    return found;
}

char *qemu_version(void)
{
    FILE *pipe = popen(words_format("%s --version 2>/dev/null",
                                    parse_shell_quote(qemu_program())),
                       "r");
    char line[256], version[64];
    char *found = NULL;

    if (!pipe)
        return NULL;
    if (fgets(line, sizeof(line), pipe) &&
        sscanf(line, "QEMU emulator version %63[0-9.]", version) == 1)
        found = words_copy(version, strlen(version));
    while (fgets(line, sizeof(line), pipe))
        ;
    pclose(pipe);
    return found;
}

static bool is_microvm(const struct run *run)
{
    return strcmp(run->machine, "microvm") == 0;
}

/* virtio-net-device, or virtio-net-pci and no legacy interface. */
static char *device(const struct run *run, const char *kind)
{
    if (is_microvm(run))
        return words_format("virtio-%s-device", kind);
    return words_format("virtio-%s-pci,disable-legacy=on", kind);
}

static void add_machine(const struct run *run, struct words *command)
{
    bool kvm = strcmp(run->accel, "kvm") == 0;

    if (run->name) {
        words_add(command, "-name");
        words_add(command, run->name);
    }
    words_add(command, "-M");
    words_add(command, run->machine);
    words_add(command, "-accel");
    words_add(command, run->accel);
    words_add(command, "-cpu");
    words_add(command, run->cpu ? run->cpu : kvm ? "host" : "max");
    words_add(command, "-smp");
    words_add(command, "1");
    words_add(command, "-m");
    words_addf(command, "%lluk", (unsigned long long)(run->memory / 1024));
    words_add(command, "-nodefaults");
    words_add(command, "-no-user-config");
    words_add(command, "-display");
    words_add(command, "none");
    words_add(command, "-no-reboot");
    if (is_microvm(run)) {
        words_add(command, "-global");
        words_add(command, "virtio-mmio.force-legacy=false");
    }
    words_add(command, "-serial");
    words_add(command, "stdio");
    words_add(command, "-device");
    words_add(command, device(run, "rng"));
}

static void add_net(const struct run *run, struct words *command)
{
    char *net, *longer;

    if (run->net == NET_NONE)
        return;
    words_add(command, "-netdev");
    if (run->net == NET_TAP) {
        words_addf(command, "tap,id=net0,ifname=%s,script=no,downscript=no",
                   run->interface);
    } else if (run->net == NET_BRIDGE) {
        words_addf(command, "bridge,id=net0,br=%s", run->interface);
    } else {
        net = words_format("user,id=net0");
        for (size_t i = 0; i < run->port_count; i++) {
            const struct port *port = &run->ports[i];
            bool ip6 = strchr(port->address, ':');

            longer = words_format("%s,hostfwd=%s:%s%s%s:%u-:%u", net,
                                  port->udp ? "udp" : "tcp", ip6 ? "[" : "",
                                  port->address, ip6 ? "]" : "", port->host,
                                  port->guest);
            free(net);
            net = longer;
        }
        words_add(command, net);
    }
    words_add(command, "-device");
    words_addf(command, "%s,netdev=net0", device(run, "net"));
}

/* A comma in a value of -drive is written twice. */
static char *comma_quote(const char *text)
{
    char *quoted = words_memory(NULL, 2 * strlen(text) + 1), *to = quoted;

    for (; *text; text++) {
        if (*text == ',')
            *to++ = ',';
        *to++ = *text;
    }
    *to = 0;
    return quoted;
}

static void add_disks(const struct run *run, struct words *command)
{
    for (size_t i = 0; i < run->disk_count; i++) {
        const char *path = run->disks[i].path;
        const char *format = words_ends(path, ".qcow2") ? "qcow2" : "raw";

        words_add(command, "-drive");
        /* Without discard=unmap what the program gives back stays used. */
        words_addf(command, "if=none,id=disk%zu,format=%s%s,file=%s", i, format,
                   run->disks[i].read_only ? ",readonly=on" : ",discard=unmap",
                   comma_quote(path));
        words_add(command, "-device");
        words_addf(command, "%s,drive=disk%zu", device(run, "blk"), i);
    }
}

bool qemu_command(struct run *run, const char *initrd, int control,
                  struct words *command)
{
    char *line = command_line_make(run);

    if (!line)
        return false;
    words_add(command, qemu_program());
    add_machine(run, command);
    add_net(run, command);
    add_disks(run, command);
    if (run->gdb_port) {
        words_add(command, "-gdb");
        words_addf(command, "tcp:127.0.0.1:%u", run->gdb_port);
        words_add(command, "-S");
    }
    if (control >= 0) {
        words_add(command, "-chardev");
        words_addf(command, "socket,id=control,fd=%d", control);
        words_add(command, "-mon");
        words_add(command, "chardev=control,mode=control");
    }
    words_add(command, "-kernel");
    words_add(command, run->image.path);
    if (initrd) {
        words_add(command, "-initrd");
        words_add(command, initrd);
    }
    words_add(command, "-append");
    words_add(command, line);
    return true;
}

/* The one line that says what runs where. */
static void say_what(const struct run *run)
{
    char *text = words_format(
        "qemu %s (%s%s%s), %s%s, %s", run->machine, run->accel,
        run->why_not_kvm ? ": " : "", run->why_not_kvm ? run->why_not_kvm : "",
        parse_size_text(run->memory), run->memory_given ? "" : " by default",
        run->net == NET_NONE   ? "no network"
        : run->net == NET_USER ? "user network"
                               : run->interface);

    for (size_t i = 0; i < run->port_count; i++)
        text = words_format("%s, %s:%u%s -> %u", text, run->ports[i].address,
                            run->ports[i].host, run->ports[i].udp ? "/udp" : "",
                            run->ports[i].guest);
    run_say(run, "%s; ^C stops", text);
    if (run->gdb_port)
        run_say(run, "waiting for: gdb %s -ex 'target remote :%u'",
                run->image.path, run->gdb_port);
}

static int print_only(struct run *run)
{
    struct words command = {0};
    const char *initrd = run->volume_count ? "initrd.tar" : NULL;

    if (!qemu_command(run, initrd, -1, &command))
        return STATUS_HALVM;
    if (initrd)
        fputs(initrd_shell(run, initrd), stdout);
    for (size_t i = 0; i < command.count; i++)
        printf("%s%s", i ? " " : "", parse_shell_quote(command.items[i]));
    putchar('\n');
    return 0;
}

static int report(const struct run *run, struct child *child,
                  struct console *console)
{
    int status = console_end(console);

    if (console->address_count)
        symbols_say(run->image.path, console->addresses,
                    console->address_count);
    if (status < 0 && child->end == CHILD_EXITED) {
        if (WIFEXITED(child->wait_status) &&
            WEXITSTATUS(child->wait_status) == 1) {
            tool_error("QEMU refused to start", "its own words are above",
                       "halvm run --dry-run ... shows its command line");
            status = STATUS_REFUSED;
        } else {
            tool_error(words_format("%s went away without an exit status",
                                    run->image.path),
                       "the machine was reset or switched off: a crash before "
                       "or in the core",
                       "halvm run --gdb ..., then in gdb: continue");
            status = STATUS_CRASHED;
        }
    }
    return run_result(run, child, console, status, "qemu");
}

int qemu_run(struct run *run)
{
    int control[2] = {-1, -1}, initrd = -1, status;
    struct words command = {0};
    struct console console;
    struct child child;

    if (run->dry_run)
        return print_only(run);
    if (run->volume_count && (initrd = initrd_make(run)) < 0)
        return STATUS_HALVM;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, control)) {
        tool_error("no socket for QEMU's control", strerror(errno),
                   "ulimit -n 1024");
        return STATUS_HALVM;
    }
    fcntl(control[0], F_SETFD, FD_CLOEXEC);
    if (!qemu_command(
            run, initrd < 0 ? NULL : words_format("/proc/self/fd/%d", initrd),
            control[1], &command))
        return STATUS_HALVM;
    console_start(&console, 1, run->log_fd);
    say_what(run);
    child = (struct child){.vector = command.items,
                           .environment = environ,
                           .console = &console,
                           .control = control[0],
                           .timeout_ms = run->timeout_ms,
                           .quiet = run->quiet};
    status = child_run(&child) ? report(run, &child, &console) : STATUS_HALVM;
    close(control[0]);
    close(control[1]);
    return status;
}
