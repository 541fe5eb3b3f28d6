/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * halvm, the command: its verbs, and what they share. One file a subject:
 *
 *   main.c          the table of verbs
 *   options.c       one table an option list: parsing, --help, completion
 *   parse.c         sizes, ports, volumes, variables (pure functions)
 *   image.c         what is in an ELF file
 *   memory.c        how much memory it needs
 *   command_line.c  the guest's command line, quoted
 *   run.c           halvm run: what is asked, the result
 *   check.c         what is checked before anything starts
 *   qemu.c          QEMU's command line
 *   xen.c           Xen: xl's configuration, and a run by xl
 *   libvirt.c       libvirt's XML
 *   firecracker.c   Firecracker's JSON
 *   kvm.c           whether KVM works here
 *   initrd.c        folders into a tar archive in memory
 *   linux.c         running the file as a Linux process
 *   child.c         owning a child: console, signals, timeout
 *   console.c       the console's bytes: exit record, backtraces
 *   symbols.c       addresses into names
 *   inspect.c, doctor.c, config.c, completion.c: the other verbs
 */
#ifndef HALVM_H
#define HALVM_H

#include <stdint.h>

#include "../words.h"

/* Exit statuses of our own: docker's. */
#define STATUS_TIMEOUT  124 /* --timeout */
#define STATUS_HALVM    125 /* halvm itself failed */
#define STATUS_NOT_OURS 126 /* the file is no unikernel, or cannot run here */
#define STATUS_NO_FILE  127 /* the file is not there */
#define STATUS_CRASHED  134 /* the machine went away without a status */
#define STATUS_KILLED   137 /* killed after the grace time */

/* For run_result: QEMU or xl did not start it. */
#define STATUS_REFUSED (-2)

#define MIB (1024ull * 1024)

/* -- options.c -- */

enum option_value { VALUE_NONE, VALUE_REQUIRED, VALUE_OPTIONAL };

struct option_row {
    const char *name; /* long name */
    char letter;      /* short one, or 0 */
    enum option_value value;
    const char *metavar; /* what --help calls the value */
    const char *help;    /* one line */
    const char *choices; /* for completion: words, "FILE", "DIR" or NULL */
    bool twin;           /* an environment variable HALVM_NAME sets it, too */
};

/* Takes one option with its value (NULL if it has none); false after an error
 * message. */
typedef bool option_take(void *context, const struct option_row *row,
                         const char *value);

/* Reads options up to the first word that is none; returns the index of that
 * word, or -1 after an error message. */
int options_parse(const struct option_row *table, int argc, char **argv,
                  option_take *take, void *context);
void options_help(const struct option_row *table, FILE *to);

struct verb {
    const char *name;
    const char *usage; /* what follows the name */
    const char *summary;
    const struct option_row *options;
    int (*run)(int argc, char **argv); /* argv[0] is the verb */
    const char *more;                  /* last lines of --help, or NULL */
};
extern const struct verb verbs[];
void verb_help(const struct verb *verb, FILE *to);

/* -- parse.c: true, or false if the text is malformed -- */

struct port {
    char address[64]; /* of the host */
    unsigned host;    /* 0: any free one */
    unsigned guest;
    bool udp;
};
struct volume {
    char *from, *to; /* a folder or file here, an absolute path there */
    bool read_only;
};
struct disk {
    char *path;
    bool read_only;
};

/* 64M, 64m, 64Mi, 64MiB, 64 (MiB), 1G, 2048K: bytes. */
bool parse_size(const char *text, uint64_t *size);
/* [ip:]host:guest[/udp], [ip:]:guest, guest; IPv6 in brackets. */
bool parse_port(const char *text, struct port *port);
bool parse_volume(const char *text, struct volume *volume);
bool parse_disk(const char *text, struct disk *disk);
/* A name that may stand before the = of a variable. */
bool parse_is_variable(const char *text);
/* A network interface as Linux names one: at most 15 bytes. */
bool parse_is_interface(const char *text);
/* A machine's name, which no tool takes for a number, an option or a path. */
bool parse_is_name(const char *text);
/* Seconds, with an optional s, m or h: in milliseconds. */
bool parse_duration(const char *text, uint64_t *ms);
/* text as a shell word. */
char *parse_shell_quote(const char *text);
/* text as a JSON string, quotes included. */
char *parse_json_quote(const char *text);
/* text as a string of xl's configuration, quotes included. */
char *parse_xl_quote(const char *text);
/* text between XML's tags or quotes; NULL: it has bytes that XML cannot. */
char *parse_xml_quote(const char *text);
/* 67108864 as "64 MiB", 1703936 as "1664 KiB". */
char *parse_size_text(uint64_t size);

/* -- image.c -- */

struct image {
    const char *path;
    uint64_t file_size;
    uint64_t text, data, bss; /* bytes in loaded segments */
    uint64_t start, end;      /* addresses */
    uint64_t entry, pvh_entry, xen_virt_base;
    uint64_t stack_max; /* bytes that its first stack needs at most; 0: any */
    bool is_elf, is_static, is_executable;
    bool pvh, multiboot2, xen_pv;
    bool linux_runs;
    bool haskell, threaded, network, lwip, codegen;
    bool symbols;
};
/* Reads path; 0, or an exit status after an error message. */
int image_read(struct image *image, const char *path);
/* path from the root folder on; there need be no such file. */
char *path_absolute(const char *path);

/* -- memory.c -- */

/* What a machine needs before the program asks for memory, in bytes. */
struct memory_sum {
    uint64_t hole, image, core, stack, network, heap, threads;
    uint64_t image_end; /* an address: the machine reaches to it at least */
    uint64_t stack_max; /* what the image declares, or the most there is */
    uint64_t least;     /* the smallest size that works, in steps of 64 KiB */
    uint64_t advised;   /* a size to work with, in whole MiB */
};
void memory_sum(const struct image *image, struct memory_sum *sum);
/* Whether a machine of that size comes to the program's main. A larger one may
 * not: its stack is larger, too. */
bool memory_fits(const struct memory_sum *sum, uint64_t memory);
/* The parts in KiB, for a message: "image 220, core 72, ..."; and where the
 * image ends, if that asks for more than the sum does. */
char *memory_sum_text(const struct memory_sum *sum);

/* -- symbols.c -- */

/* Says on standard error which functions the addresses are in. */
void symbols_say(const char *path, const uint64_t *addresses, size_t count);

/* -- run.c, what is asked of it -- */

/* The last two are only written about: halvm config. */
enum run_on {
    ON_DEFAULT,
    ON_QEMU,
    ON_LINUX,
    ON_XEN,
    ON_LIBVIRT,
    ON_FIRECRACKER
};
enum run_net { NET_DEFAULT, NET_USER, NET_TAP, NET_BRIDGE, NET_NONE };

struct run {
    enum run_on on;
    struct port *ports;
    size_t port_count;
    struct volume *volumes;
    size_t volume_count;
    struct disk *disks;
    size_t disk_count;
    struct words environment, options; /* options: halvm.NAME... */
    uint64_t memory, memory_max;       /* of the second: 0 is the same */
    bool memory_given;
    enum run_net net;
    char *interface; /* the tap or bridge; NULL: xl's own choice */
    const char *name, *ip, *gateway, *dns;
    const char *machine, *cpu, *accel, *tty, *log;
    const char *type;  /* of Xen guest: pv or pvh */
    unsigned gdb_port; /* 0: no gdb */
    int log_fd;        /* console copy; -1: none */
    bool trace, dry_run, json, quiet;
    uint64_t timeout_ms; /* 0: none */
    struct image image;
    char **arguments; /* of the program, NULL at the end */
    const char *why_not_kvm;
};

extern const struct option_row run_options[];
/* Reads "[options] ELF [args]"; 0, or an exit status after an error message.
 * *done is set if there is nothing left to do (--help). */
int run_read(struct run *run, int argc, char **argv);
/* A name for the machine: what --name says, or the file's. */
char *run_name(const struct run *run);
/* One line on standard error, unless -q. */
void run_say(const struct run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* -- check.c -- */

/* Checks that the file is there and can be run; 0 or an exit status. */
int run_check(struct run *run);

/* -- command_line.c -- */

/* The guest's command line (docs/command-line.md), or NULL after an error
 * message. */
char *command_line_make(const struct run *run);

/* -- kvm.c -- */

/* NULL if KVM works, or why it does not. */
const char *kvm_why_not(void);

/* -- qemu.c -- */

/* The vector; initrd names the archive (NULL: none), control is a connected
 * socket for QMP (-1: none). False after an error message. */
bool qemu_command(struct run *run, const char *initrd, int control,
                  struct words *command);
const char *qemu_program(void);
bool qemu_is_installed(void);
/* "7.2.22", or NULL if it does not run. */
char *qemu_version(void);
int qemu_run(struct run *run);

/* -- xen.c -- */

/* Whether this is a dom0 in which xl works; if not, why, and what helps. */
bool xen_works(const char **why, const char **fix);
/* "4.17.3", or NULL. */
char *xen_version(void);
/* Memory in MiB as xl wants it, rounded up. */
unsigned long long xen_mib(uint64_t size);
/* The guest's command line, or NULL after an error message: PV guests have
 * less room. */
char *xen_command_line(const struct run *run);
int xen_run(struct run *run);
/* Prints the configuration for a domain that stays (halvm config). */
int xen_print(struct run *run);

/* -- libvirt.c, firecracker.c: the same for theirs -- */

int libvirt_print(struct run *run);
int firecracker_print(struct run *run);

/* -- initrd.c -- */

/* A ustar archive of all volumes in a memory file; its descriptor, or -1
 * after an error message. */
int initrd_make(const struct run *run);
/* The same, into a new file; false after an error message. */
bool initrd_write(const struct run *run, const char *path);
/* The shell commands that make the same archive. */
char *initrd_shell(const struct run *run, const char *path);

/* -- linux.c -- */

int linux_run(struct run *run);

/* -- console.c -- */

#define CONSOLE_HELD_MAX      64
#define CONSOLE_ADDRESSES_MAX 64

struct console {
    int out, log;                /* descriptors; -1: none */
    char held[CONSOLE_HELD_MAX]; /* may become the exit record */
    size_t held_length;
    int status;     /* of a complete record that is held, or -1 */
    char line[128]; /* beginning of the current line */
    size_t line_length;
    uint64_t addresses[CONSOLE_ADDRESSES_MAX];
    size_t address_count;
};
void console_start(struct console *console, int out, int log);
void console_take(struct console *console, const char *data, size_t size);
/* Gives out what was held, if it is no record; returns the status or -1. */
int console_end(struct console *console);

/* -- child.c -- */

enum child_end { CHILD_EXITED, CHILD_TIMEOUT, CHILD_STOPPED };

struct child {
    char **vector, **environment;
    bool (*before)(void *context); /* in the new process, before exec */
    void *context;
    struct console *console; /* NULL: the child has our own descriptors */
    bool terminal;           /* its console is a terminal, not two pipes */
    int control;             /* QMP socket, or -1: a stop is SIGTERM */
    char **stop, **destroy;  /* commands in place of both, and of SIGKILL */
    uint64_t timeout_ms;     /* 0: none */
    bool quiet;
    /* results */
    enum child_end end;
    int wait_status;
    uint64_t elapsed_ms;
};
/* Starts the child and looks after it until it has ended; false after an
 * error message if it could not be started. */
bool child_run(struct child *child);

/* The result as the last line (--json), and the exit status. */
int run_result(const struct run *run, const struct child *child,
               const struct console *console, int guest_status, const char *on);

/* -- the verbs -- */

int run_verb(int argc, char **argv);
int inspect_verb(int argc, char **argv);
int doctor_verb(int argc, char **argv);
int config_verb(int argc, char **argv);
int completion_verb(int argc, char **argv);
extern const struct option_row inspect_options[], doctor_options[],
    config_options[], completion_options[];

#endif
