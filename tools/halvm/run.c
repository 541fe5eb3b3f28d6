/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * halvm run: reads what is asked, chooses where it runs, and turns the end into
 * an exit status. The options are docker's where docker has them. config.c
 * reads the same options.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "halvm.h"

#define MEMORY_DEFAULT    (64 * MIB)
#define GDB_PORT          1234
#define RUN_NAME_FILE_MAX 48 /* bytes of the file's name */

extern char **environ;

const struct option_row run_options[] = {
    {"on", 0, VALUE_REQUIRED, "WHERE",
     "linux, qemu or xen (default: qemu if it "
     "is installed)",
     "linux qemu xen", true},
    {"type", 0, VALUE_REQUIRED, "KIND", "of Xen guest: pv (default) or pvh",
     "pv pvh", false},
    {"name", 0, VALUE_REQUIRED, "NAME",
     "of the machine (default: the file's name)", NULL, false},
    {"publish", 'p', VALUE_REQUIRED, "[IP:]HOST:GUEST[/udp]",
     "forward a port of this machine (IP: 127.0.0.1)", NULL, false},
    {"volume", 'v', VALUE_REQUIRED, "DIR:/PATH[:ro]",
     "a copy of a folder or file in the guest's memory", "FILE", false},
    {"disk", 0, VALUE_REQUIRED, "FILE[:ro]",
     "a disk image as the next block device", "FILE", false},
    {"env", 'e', VALUE_REQUIRED, "NAME[=VALUE]",
     "set a variable (no value: as it is here)", NULL, false},
    {"env-file", 0, VALUE_REQUIRED, "FILE", "read variables, one a line",
     "FILE", false},
    {"memory", 'm', VALUE_REQUIRED, "SIZE",
     "memory of the machine: 64M, 1G (default 64M)", NULL, true},
    {"memory-max", 0, VALUE_REQUIRED, "SIZE",
     "Xen: how far xl mem-set may go (default: as -m)", NULL, false},
    {"cpus", 0, VALUE_REQUIRED, "N", "processors (1)", "1", true},
    {"net", 0, VALUE_REQUIRED, "KIND",
     "user (default), tap:NAME, bridge:NAME or none", "user tap: bridge: none",
     true},
    {"ip", 0, VALUE_REQUIRED, "A.B.C.D/M",
     "the guest's address (default: "
     "DHCP)",
     NULL, false},
    {"gw", 0, VALUE_REQUIRED, "A.B.C.D", "its gateway", NULL, false},
    {"dns", 0, VALUE_REQUIRED, "A.B.C.D[,...]", "its name servers", NULL,
     false},
    {"machine", 0, VALUE_REQUIRED, "TYPE", "microvm (default), q35 or pc",
     "microvm q35 pc", true},
    {"cpu", 0, VALUE_REQUIRED, "MODEL",
     "QEMU's processor model (default: host "
     "or max)",
     "host max qemu64", true},
    {"accel", 0, VALUE_REQUIRED, "KIND",
     "kvm or tcg (default: kvm if it "
     "works)",
     "kvm tcg", true},
    {"tty", 't', VALUE_OPTIONAL, "on|off|echo",
     "whether the console is a "
     "terminal to the program",
     NULL, false},
    {"gdb", 0, VALUE_OPTIONAL, "PORT", "wait for gdb on 127.0.0.1 (port 1234)",
     NULL, false},
    {"trace", 0, VALUE_NONE, NULL, "print system calls on the console", NULL,
     false},
    {"option", 0, VALUE_REQUIRED, "NAME[=VALUE]",
     "halvm.NAME on the command line, for what has no option here", NULL,
     false},
    {"timeout", 0, VALUE_REQUIRED, "TIME", "stop after 10, 10s, 5m, 1h", NULL,
     true},
    {"log", 0, VALUE_REQUIRED, "FILE", "append the console to a file, too",
     "FILE", true},
    {"dry-run", 0, VALUE_NONE, NULL, "print what would run", NULL, false},
    {"json", 0, VALUE_NONE, NULL, "the result as a last line on standard error",
     NULL, false},
    {"quiet", 'q', VALUE_NONE, NULL, "say nothing but errors", NULL, false},
    {"help", 'h', VALUE_NONE, NULL, "this text", NULL, false},
    {0},
};

void run_say(const struct run *run, const char *format, ...)
{
    va_list arguments;

    if (run->quiet)
        return;
    fputs("halvm: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    putc('\n', stderr);
}

/* -- taking options -- */

static bool malformed(const struct option_row *row, const char *value,
                      const char *example)
{
    tool_error(words_format("--%s %s", row->name, value),
               words_format("it has the form %s", row->metavar),
               words_format("--%s %s", row->name, example));
    return false;
}

/* One more element at the end of an array. */
#define GROW(array, count)                                                     \
    ((array) = words_memory((array), ((count) + 1) * sizeof(*(array))),        \
     (count)++, &(array)[(count)-1])

static bool add_variable(struct run *run, const char *text)
{
    const char *value;

    if (!parse_is_variable(text)) {
        tool_error(words_format("variable %s", text),
                   "a name has letters, digits and underscores, and no digit "
                   "at its beginning",
                   "-e NAME=VALUE");
        return false;
    }
    if (strchr(text, '='))
        words_add(&run->environment, text);
    else if ((value = getenv(text)))
        words_addf(&run->environment, "%s=%s", text, value);
    return true;
}

/* What core may be told has names in small letters, digits and dots. */
static bool add_core_option(struct run *run, const struct option_row *row,
                            const char *value)
{
    size_t length = strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789.");

    if (length == 0 || (value[length] && value[length] != '='))
        return malformed(row, value, "hostname=web-1");
    words_addf(&run->options, "halvm.%s", value);
    return true;
}

static bool read_variables(struct run *run, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    bool good = true;

    if (!file) {
        tool_error(words_format("cannot read %s", path), strerror(errno),
                   "--env-file names a file of NAME=VALUE lines");
        return false;
    }
    while (good && getline(&line, &room, file) > 0) {
        line[strcspn(line, "\r\n")] = 0;
        if (line[0] && line[0] != '#')
            good = add_variable(run, line);
    }
    free(line);
    fclose(file);
    return good;
}

static bool take_on(struct run *run, const struct option_row *row,
                    const char *value)
{
    if (strcmp(value, "qemu") == 0)
        run->on = ON_QEMU;
    else if (strcmp(value, "linux") == 0)
        run->on = ON_LINUX;
    else if (strcmp(value, "xen") == 0)
        run->on = ON_XEN;
    else if (strcmp(value, "firecracker") == 0) {
        tool_error("cannot run on firecracker",
                   "this version only writes its configuration",
                   "halvm config --for firecracker ...");
        return false;
    } else {
        return malformed(row, value, "qemu");
    }
    return true;
}

static bool take_net(struct run *run, const struct option_row *row,
                     const char *value)
{
    const char *colon = strchr(value, ':');

    run->net = NET_USER;
    if (colon && parse_is_interface(colon + 1))
        run->interface = words_copy(colon + 1, strlen(colon + 1));
    else if (colon)
        return malformed(row, value, "tap:tap0");
    if (strcmp(value, "none") == 0)
        run->net = NET_NONE;
    else if (words_begins(value, "tap:"))
        run->net = NET_TAP;
    else if (words_begins(value, "bridge:"))
        run->net = NET_BRIDGE;
    else if (strcmp(value, "user") != 0)
        return malformed(row, value, "user");
    return true;
}

static bool take_choice(const struct option_row *row, const char *value,
                        const char **to)
{
    char *choices = words_copy(row->choices, strlen(row->choices)), *word;

    while ((word = strsep(&choices, " ")))
        if (strcmp(word, value) == 0) {
            *to = words_copy(value, strlen(value));
            return true;
        }
    tool_error(words_format("--%s %s", row->name, value),
               words_format("it is one of: %s", row->choices),
               words_format("--%s %.*s", row->name,
                            (int)strcspn(row->choices, " "), row->choices));
    return false;
}

static bool take_gdb(struct run *run, const struct option_row *row,
                     const char *value)
{
    char *end;

    run->gdb_port = GDB_PORT;
    if (!value)
        return true;
    run->gdb_port = (unsigned)strtoul(value, &end, 10);
    if (*end || run->gdb_port == 0 || run->gdb_port > 65535)
        return malformed(row, value, "1234");
    return true;
}

/* A file or a pipe on standard input has an end, which a program that reads
 * bytes from a terminal would never see. */
static bool input_is_stream(void)
{
    struct stat status;

    return fstat(STDIN_FILENO, &status) == 0 &&
           (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode));
}

static bool take_tty(struct run *run, const struct option_row *row,
                     const char *value)
{
    run->tty = value ? value : "on";
    if (strcmp(run->tty, "on") && strcmp(run->tty, "off") &&
        strcmp(run->tty, "echo"))
        return malformed(row, value, "off");
    return true;
}

static bool take_cpus(const char *value)
{
    if (strcmp(value, "1") == 0)
        return true;
    tool_error(words_format("--cpus %s", value),
               "the unikernel runs on one processor in this version",
               "--cpus 1, and more machines for more work");
    return false;
}

static bool take_memory(const struct option_row *row, const char *value,
                        uint64_t *memory)
{
    if (!parse_size(value, memory) || *memory < 1024)
        return malformed(row, value, "64M");
    *memory = *memory / 1024 * 1024;
    return true;
}

static bool take_name(struct run *run, const struct option_row *row,
                      const char *value)
{
    if (!parse_is_name(value))
        return malformed(row, value, "web-1");
    run->name = words_copy(value, strlen(value));
    return true;
}

struct reading {
    struct run *run;
    bool help;
};

static bool take_valued(struct run *run, const struct option_row *row,
                        const char *value, bool *known)
{
    const char *name = row->name;

    *known = true;
    if (strcmp(name, "publish") == 0)
        return parse_port(value, GROW(run->ports, run->port_count)) ||
               malformed(row, value, "8080:80");
    if (strcmp(name, "volume") == 0)
        return parse_volume(value, GROW(run->volumes, run->volume_count)) ||
               malformed(row, value, "./site:/site:ro");
    if (strcmp(name, "disk") == 0)
        return parse_disk(value, GROW(run->disks, run->disk_count)) ||
               malformed(row, value, "data.img");
    if (strcmp(name, "env") == 0)
        return add_variable(run, value);
    if (strcmp(name, "option") == 0)
        return add_core_option(run, row, value);
    if (strcmp(name, "env-file") == 0)
        return read_variables(run, value);
    if (strcmp(name, "timeout") == 0)
        return parse_duration(value, &run->timeout_ms) ||
               malformed(row, value, "10s");
    if (strcmp(name, "memory") == 0)
        return take_memory(row, value, &run->memory) &&
               (run->memory_given = true);
    if (strcmp(name, "memory-max") == 0)
        return take_memory(row, value, &run->memory_max);
    if (strcmp(name, "name") == 0)
        return take_name(run, row, value);
    if (strcmp(name, "type") == 0)
        return take_choice(row, value, &run->type);
    if (strcmp(name, "on") == 0)
        return take_on(run, row, value);
    if (strcmp(name, "net") == 0)
        return take_net(run, row, value);
    if (strcmp(name, "cpus") == 0)
        return take_cpus(value);
    if (strcmp(name, "machine") == 0)
        return take_choice(row, value, &run->machine);
    if (strcmp(name, "accel") == 0)
        return take_choice(row, value, &run->accel);
    if (strcmp(name, "gdb") == 0)
        return take_gdb(run, row, value);
    if (strcmp(name, "tty") == 0)
        return take_tty(run, row, value);
    *known = false;
    return true;
}

static bool take_option(void *context, const struct option_row *row,
                        const char *value)
{
    struct reading *reading = context;
    struct run *run = reading->run;
    const struct {
        const char *name;
        const char **text;
        bool *flag;
    } plain[] = {
        {"ip", &run->ip, NULL},       {"gw", &run->gateway, NULL},
        {"dns", &run->dns, NULL},     {"cpu", &run->cpu, NULL},
        {"log", &run->log, NULL},     {"trace", NULL, &run->trace},
        {"json", NULL, &run->json},   {"dry-run", NULL, &run->dry_run},
        {"quiet", NULL, &run->quiet}, {"help", NULL, &reading->help},
    };
    bool known, good = take_valued(run, row, value, &known);

    for (size_t i = 0; !known && i < sizeof(plain) / sizeof(*plain); i++) {
        if (strcmp(row->name, plain[i].name) != 0)
            continue;
        if (plain[i].text)
            *plain[i].text = words_copy(value, strlen(value));
        else
            *plain[i].flag = true;
    }
    return good;
}

int run_read(struct run *run, int argc, char **argv)
{
    struct reading reading = {run, false};
    int at;

    *run = (struct run){.memory = MEMORY_DEFAULT, .log_fd = -1};
    at = options_parse(run_options, argc, argv, take_option, &reading);
    if (at < 0)
        return STATUS_HALVM;
    if (reading.help) {
        for (const struct verb *verb = verbs; verb->name; verb++)
            if (strcmp(verb->name, argv[0]) == 0)
                verb_help(verb, stdout);
        return -1;
    }
    if (at == argc) {
        tool_error("no program named", "halvm runs an ELF file",
                   words_format("halvm %s ./program", argv[0]));
        return STATUS_HALVM;
    }
    run->image.path = argv[at];
    run->arguments = argv + at + 1;
    return 0;
}

char *run_name(const struct run *run)
{
    const char *slash = strrchr(run->image.path, '/');
    const char *file = slash ? slash + 1 : run->image.path;
    char *name;

    if (run->name)
        return words_copy(run->name, strlen(run->name));
    name = words_format("%.*s", RUN_NAME_FILE_MAX, file);
    for (char *at = name; *at; at++)
        if (!parse_is_name((char[]){'a', *at, 0}))
            *at = '-';
    if (!parse_is_name(name))
        name = words_format("halvm-%s", name);
    return name;
}

/* -- the end -- */

int run_result(const struct run *run, const struct child *child,
               const struct console *console, int guest_status, const char *on)
{
    const char *reason = "exit";
    int status = guest_status;

    if (guest_status == STATUS_REFUSED) {
        reason = "refused";
        status = STATUS_HALVM;
    } else if (child->end == CHILD_TIMEOUT) {
        reason = "timeout";
        status = STATUS_TIMEOUT;
    } else if (status < 0 && child->end == CHILD_STOPPED) {
        reason = "stopped";
        status = STATUS_KILLED;
    } else if (status == STATUS_CRASHED && console) {
        reason = "crash";
    }
    if (run->json)
        fprintf(stderr,
                "{\"program\":%s,\"status\":%d,\"reason\":\"%s\",\"on\":\"%s\","
                "\"accel\":\"%s\",\"machine\":\"%s\",\"memory\":%llu,"
                "\"ms\":%llu}\n",
                parse_json_quote(run->image.path), status, reason, on,
                run->accel ? run->accel : "none",
                console ? run->machine : "process",
                (unsigned long long)run->memory,
                (unsigned long long)child->elapsed_ms);
    if (child->end == CHILD_TIMEOUT)
        run_say(run, "%s stopped by --timeout", run->image.path);
    return status;
}

/* Chooses where to run, if nobody did; false after an error message if it
 * cannot run there. */
static bool choose(struct run *run)
{
    bool chosen = run->on != ON_DEFAULT, installed;
    const char *why, *fix;

    if (run->on == ON_LINUX)
        return true;
    if (run->dry_run) {
        run->on = chosen ? run->on : ON_QEMU;
        return true;
    }
    if (run->on == ON_XEN) {
        if (xen_works(&why, &fix))
            return true;
        tool_error("cannot start a Xen domain here", why, fix);
        return false;
    }
    installed = qemu_is_installed();
    if (!installed && chosen) {
        tool_error("QEMU is not installed",
                   words_format("%s does not run", qemu_program()),
                   "apt-get install qemu-system-x86");
        return false;
    }
    if (!installed)
        run_say(run, "no QEMU here (apt-get install qemu-system-x86)");
    run->on = installed ? ON_QEMU : ON_LINUX;
    return true;
}

int run_verb(int argc, char **argv)
{
    struct run run;
    int status = run_read(&run, argc, argv);

    if (status)
        return status < 0 ? 0 : status;
    if (run.tty == NULL && !run.dry_run && input_is_stream())
        run.tty = "off";
    if (!choose(&run))
        return STATUS_HALVM;
    status = run_check(&run);
    if (status)
        return status;
    if (run.on == ON_XEN)
        return xen_run(&run);
    return run.on == ON_LINUX ? linux_run(&run) : qemu_run(&run);
}
