/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The texts of /proc, in Linux's formats (Documentation/filesystems/proc.rst)
 * as far as programs read them. Called by proc.c, twice for each opening.
 * Monitor held.
 */
#include <sys/resource.h>
#include <sys/utsname.h>

#include "core/calls.h"
#include "core/file/proc.h"
#include "core/file/table.h"
#include "core/mem/fault.h"
#include "core/mem/mem.h"
#include "core/options.h"
#include "core/random/random.h"
#include "core/thread/thread.h"
#include "core/time/time.h"
#include "halvm/version.h"

#define TICK_NS (TIME_SECOND / 100) /* USER_HZ */

static void put_text(struct proc_text *text, const char *string)
{
    proc_put(text, string, strlen(string));
}

/* -- the process -- */

void proc_write_maps(struct proc_text *text, int number)
{
    struct mem_region region;

    for (uint64_t at = 0; mem_region_next(at, &region); at = region.end) {
        unsigned prot = region.base_prot;
        PROC_PRINT(text, "%08lx-%08lx %c%c%cp 00000000 00:00 0 %s%s\n",
                   (unsigned long)region.start, (unsigned long)region.end,
                   prot & BASE_PROT_READ ? 'r' : '-',
                   prot & BASE_PROT_WRITE ? 'w' : '-',
                   prot & BASE_PROT_EXEC ? 'x' : '-',
                   region.name && *region.name ? "                         "
                                               : "",
                   region.name ? region.name : "");
    }
}

static uint64_t virtual_size(void)
{
    struct mem_region region;
    uint64_t size = 0;

    for (uint64_t at = 0; mem_region_next(at, &region); at = region.end)
        size += region.end - region.start;
    return size;
}

static const char *thread_name(int number)
{
    const struct thread *thread = thread_find(number);

    if (thread && thread->name[0])
        return thread->name;
    /* The first thread is called as the program, cut to 15 as Linux does. */
    static char name[16];
    const char *program = core_option("name");
    const char *slash;
    if (!program || !*program)
        program = "halvm";
    while ((slash = strchr(program, '/')) && slash[1])
        program = slash + 1;
    core_format(name, sizeof(name), "%s", program);
    return name;
}

static char thread_state(int number)
{
    const struct thread *thread = thread_find(number);
    return thread && thread->state == THREAD_BLOCKED ? 'S' : 'R';
}

void proc_write_comm(struct proc_text *text, int number)
{
    PROC_PRINT(text, "%s\n", thread_name(number));
}

void proc_write_status(struct proc_text *text, int number)
{
    const struct thread *thread = thread_find(number);
    char state = thread_state(number);

    PROC_PRINT(text, "Name:\t%s\nState:\t%c (%s)\n", thread_name(number), state,
               state == 'R' ? "running" : "sleeping");
    PROC_PRINT(text, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t0\nTracerPid:\t0\n",
               THREAD_PID, number);
    PROC_PRINT(text, "Uid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t%u\n",
               file_slot_count);
    PROC_PRINT(text, "VmSize:\t%8lu kB\nVmHWM:\t%8lu kB\nVmRSS:\t%8lu kB\n",
               (unsigned long)(virtual_size() / 1024),
               (unsigned long)(mem_resident_max_bytes() / 1024),
               (unsigned long)(mem_resident_bytes() / 1024));
    PROC_PRINT(text, "Threads:\t%u\n", thread_count);
    if (thread)
        PROC_PRINT(text, "SigPnd:\t%016lx\nSigBlk:\t%016lx\n",
                   (unsigned long)thread->signal.pending,
                   (unsigned long)thread->signal.mask);
    put_text(text, "Cpus_allowed:\t1\nCpus_allowed_list:\t0\n");
}

void proc_write_stat(struct proc_text *text, int number)
{
    const struct thread *thread = thread_find(number);
    uint64_t cpu = number == THREAD_PID || !thread ? thread_cpu_total_ns()
                                                   : thread_cpu_ns(thread);

    /* proc(5) numbers the fields; the groups below are 1-13, 14-20, 21-52. */
    PROC_PRINT(text, "%d (%s) %c 0 %d %d 0 -1 4194304 0 0 0 0 ", number,
               thread_name(number), thread_state(number), THREAD_PID,
               THREAD_PID);
    PROC_PRINT(text, "%lu 0 0 0 20 0 %u ", (unsigned long)(cpu / TICK_NS),
               thread_count);
    PROC_PRINT(text, "0 0 %lu %lu 18446744073709551615 %lu %lu 0 0 0 ",
               (unsigned long)virtual_size(),
               (unsigned long)(mem_resident_bytes() / LIMIT_PAGE_SIZE),
               (unsigned long)core_info->image_start,
               (unsigned long)core_info->image_end);
    put_text(text, "0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
}

void proc_write_statm(struct proc_text *text, int number)
{
    unsigned long image =
        (unsigned long)(core_info->image_end - core_info->image_start) /
        LIMIT_PAGE_SIZE;
    unsigned long size = (unsigned long)(virtual_size() / LIMIT_PAGE_SIZE);
    unsigned long resident =
        (unsigned long)(mem_resident_bytes() / LIMIT_PAGE_SIZE);

    PROC_PRINT(text, "%lu %lu 0 %lu 0 %lu 0\n", size, resident, image, size);
}

void proc_write_command_line(struct proc_text *text, int number)
{
    const char *name = core_option("name");
    const char *word = NULL;

    if (!name)
        name = "halvm";
    proc_put(text, name, strlen(name) + 1);
    while ((word = options_argument(word)))
        proc_put(text, word, strlen(word) + 1);
}

void proc_write_environment(struct proc_text *text, int number)
{
    const char *word = NULL;
    while ((word = options_variable(word)))
        proc_put(text, word, strlen(word) + 1);
}

void proc_write_mounts(struct proc_text *text, int number)
{
    put_text(text, "halvm / tmpfs rw 0 0\nproc /proc proc ro 0 0\n");
}

void proc_write_limits(struct proc_text *text, int number)
{
    static const struct {
        int resource;
        const char *name, *unit;
    } limits[] = {
        {RLIMIT_CPU, "Max cpu time", "seconds"},
        {RLIMIT_FSIZE, "Max file size", "bytes"},
        {RLIMIT_DATA, "Max data size", "bytes"},
        {RLIMIT_STACK, "Max stack size", "bytes"},
        {RLIMIT_CORE, "Max core file size", "bytes"},
        {RLIMIT_RSS, "Max resident set", "bytes"},
        {RLIMIT_NPROC, "Max processes", "processes"},
        {RLIMIT_NOFILE, "Max open files", "files"},
        {RLIMIT_MEMLOCK, "Max locked memory", "bytes"},
        {RLIMIT_AS, "Max address space", "bytes"},
        {RLIMIT_SIGPENDING, "Max pending signals", "signals"},
    };

    PROC_PRINT(text, "%-26s%-21s%-21s%-10s\n", "Limit", "Soft Limit",
               "Hard Limit", "Units");
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        struct rlimit limit;
        char soft[24] = "unlimited", hard[24] = "unlimited";
        if (core_getrlimit(limits[i].resource, (long)&limit) < 0)
            continue;
        if (limit.rlim_cur != RLIM_INFINITY)
            core_format(soft, sizeof(soft), "%lu",
                        (unsigned long)limit.rlim_cur);
        if (limit.rlim_max != RLIM_INFINITY)
            core_format(hard, sizeof(hard), "%lu",
                        (unsigned long)limit.rlim_max);
        PROC_PRINT(text, "%-26s%-21s%-21s%-10s\n", limits[i].name, soft, hard,
                   limits[i].unit);
    }
}

/* -- the machine -- */

static void memory_line(struct proc_text *text, const char *name,
                        uint64_t pages)
{
    PROC_PRINT(text, "%-16s%8lu kB\n", name,
               (unsigned long)(pages * (LIMIT_PAGE_SIZE / 1024)));
}

void proc_write_memory(struct proc_text *text, int number)
{
    struct mem_accounts accounts;

    mem_accounts_get(&accounts);
    const uint64_t *pages = accounts.pages;
    uint64_t core = pages[MEM_IMAGE] + pages[MEM_CORE] + pages[MEM_NET];
    memory_line(text, "MemTotal:", accounts.pages_total);
    memory_line(text, "MemFree:", pages[MEM_FREE]);
    memory_line(text, "MemAvailable:", pages[MEM_FREE]);
    memory_line(text, "Buffers:", 0);
    memory_line(text, "Cached:", pages[MEM_CACHE]);
    memory_line(text, "SwapCached:", 0);
    memory_line(text, "AnonPages:", pages[MEM_APP_ANON]);
    memory_line(text, "Mapped:", pages[MEM_APP_FILE]);
    memory_line(text, "Shmem:", pages[MEM_CACHE]);
    memory_line(text, "SUnreclaim:", core);
    memory_line(text, "SwapTotal:", 0);
    memory_line(text, "SwapFree:", 0);
    memory_line(text, "CommitLimit:", accounts.pages_total);
    memory_line(text, "Committed_AS:", accounts.pages_total - pages[MEM_FREE]);
    memory_line(text, "Hugepagesize:", 512);
}

/* As Linux's, of which only the sums make sense here: every page is private,
 * and all of a copy of a file is the program's own. */
void proc_write_rollup(struct proc_text *text, int number)
{
    static const char *const zero[] = {
        "Shared_Clean:", "Shared_Dirty:", "Private_Clean:"};
    uint64_t resident = mem_resident_bytes() / LIMIT_PAGE_SIZE;
    struct mem_region first, last;

    (void)mem_region_next(0, &first);
    for (uint64_t at = 0; mem_region_next(at, &last); at = last.end)
        ;
    PROC_PRINT(text, "%08lx-%08lx ---p 00000000 00:00 0 %25s[rollup]\n",
               (unsigned long)first.start, (unsigned long)last.end, "");
    memory_line(text, "Rss:", resident);
    memory_line(text, "Pss:", resident);
    for (size_t i = 0; i < sizeof(zero) / sizeof(zero[0]); i++)
        memory_line(text, zero[i], 0);
    memory_line(text, "Private_Dirty:", resident);
    memory_line(text, "Swap:", 0);
    memory_line(text, "Locked:", resident);
}

/* The features of CPUID leaf 1 that programs look for, by bit. */
static void put_flags(struct proc_text *text)
{
    static const struct {
        uint8_t word, bit; /* 2: ecx, 3: edx */
        const char *name;
    } flags[] = {
        {3, 0, "fpu"},         {3, 4, "tsc"},     {3, 8, "cx8"},
        {3, 15, "cmov"},       {3, 23, "mmx"},    {3, 24, "fxsr"},
        {3, 25, "sse"},        {3, 26, "sse2"},   {2, 0, "pni"},
        {2, 1, "pclmulqdq"},   {2, 9, "ssse3"},   {2, 12, "fma"},
        {2, 13, "cx16"},       {2, 19, "sse4_1"}, {2, 20, "sse4_2"},
        {2, 22, "movbe"},      {2, 23, "popcnt"}, {2, 25, "aes"},
        {2, 26, "xsave"},      {2, 28, "avx"},    {2, 30, "rdrand"},
        {2, 31, "hypervisor"},
    };
    uint32_t leaf[4];

    arch_cpuid(1, 0, leaf);
    put_text(text, "flags\t\t:");
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if (leaf[flags[i].word] >> flags[i].bit & 1)
            PROC_PRINT(text, " %s", flags[i].name);
    }
    put_text(text, " lm nx\n\n");
}

void proc_write_processors(struct proc_text *text, int number)
{
    uint32_t leaf[4];
    char vendor[13] = "", model[49] = "";

    arch_cpuid(0, 0, leaf);
    memcpy(vendor, &leaf[1], 4);
    memcpy(vendor + 4, &leaf[3], 4);
    memcpy(vendor + 8, &leaf[2], 4);
    arch_cpuid(0x80000000u, 0, leaf);
    for (uint32_t i = 0; leaf[0] >= 0x80000004u && i < 3; i++) {
        uint32_t part[4];
        arch_cpuid(0x80000002u + i, 0, part);
        memcpy(model + 16 * i, part, 16);
    }
    arch_cpuid(1, 0, leaf);
    PROC_PRINT(text, "processor\t: 0\nvendor_id\t: %s\n", vendor);
    PROC_PRINT(text, "cpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\n",
               leaf[0] >> 8 & 15, (leaf[0] >> 4 & 15) | (leaf[0] >> 12 & 0xf0),
               model);
    PROC_PRINT(text,
               "stepping\t: %u\nphysical id\t: 0\nsiblings\t: 1\n"
               "core id\t\t: 0\ncpu cores\t: 1\n",
               leaf[0] & 15);
    put_flags(text);
}

void proc_write_system_stat(struct proc_text *text, int number)
{
    unsigned long busy = (unsigned long)(thread_cpu_total_ns() / TICK_NS);
    unsigned long idle = (unsigned long)(thread_idle_ns() / TICK_NS);
    unsigned long booted =
        (unsigned long)((time_wall_ns() - time_now_ns()) / TIME_SECOND);

    PROC_PRINT(text, "cpu  %lu 0 0 %lu 0 0 0 0 0 0\n", busy, idle);
    PROC_PRINT(text, "cpu0 %lu 0 0 %lu 0 0 0 0 0 0\n", busy, idle);
    PROC_PRINT(text, "intr 0\nctxt 0\nbtime %lu\nprocesses 1\n", booted);
    put_text(text, "procs_running 1\nprocs_blocked 0\n");
}

/* Nanoseconds as seconds with two decimals. */
static void put_seconds(struct proc_text *text, uint64_t ns, const char *after)
{
    PROC_PRINT(text, "%lu.%02lu%s", (unsigned long)(ns / TIME_SECOND),
               (unsigned long)(ns % TIME_SECOND / (TIME_SECOND / 100)), after);
}

void proc_write_uptime(struct proc_text *text, int number)
{
    put_seconds(text, time_now_ns(), " ");
    put_seconds(text, thread_idle_ns(), "\n");
}

void proc_write_load(struct proc_text *text, int number)
{
    unsigned running = 0;

    list_for_each (item, &thread_list) {
        if (container_of(item, struct thread, all)->state == THREAD_RUNNABLE)
            running++;
    }
    /* There is no average: nobody counts between two looks. */
    PROC_PRINT(text, "0.00 0.00 0.00 %u/%u %d\n", running, thread_count,
               THREAD_PID);
}

void proc_write_version(struct proc_text *text, int number)
{
    struct utsname name;

    if (core_uname((long)&name) == 0)
        PROC_PRINT(text, "%s version %s (HaLVM " HALVM_VERSION ")\n",
                   name.sysname, name.release);
}

static const char *const account_names[MEM_ACCOUNTS] = {
    [MEM_IMAGE] = "image",        [MEM_CORE] = "core",
    [MEM_APP_ANON] = "anonymous", [MEM_APP_FILE] = "file",
    [MEM_NET] = "network",        [MEM_CACHE] = "cache",
    [MEM_FREE] = "free",
};

void proc_write_halvm(struct proc_text *text, int number)
{
    struct mem_accounts accounts;

    mem_accounts_get(&accounts);
    PROC_PRINT(text, "version %s\nbase %s\n", HALVM_VERSION, core_base->name);
    PROC_PRINT(text, "image_size %lu\n",
               (unsigned long)(core_info->image_end - core_info->image_start));
    for (int i = 0; i < MEM_ACCOUNTS; i++)
        PROC_PRINT(text, "memory_%s %lu\n", account_names[i],
                   (unsigned long)(accounts.pages[i] * LIMIT_PAGE_SIZE));
    PROC_PRINT(text, "memory_total %lu\nmemory_resident %lu\n",
               (unsigned long)(accounts.pages_total * LIMIT_PAGE_SIZE),
               (unsigned long)(accounts.pages_resident * LIMIT_PAGE_SIZE));
    PROC_PRINT(text, "threads %u\ndescriptors %u\n", thread_count,
               file_open_count());
}

static void account_line(struct proc_text *text, const char *name,
                         uint64_t pages)
{
    PROC_PRINT(text, "%s: %lu kB\n", name,
               (unsigned long)(pages * (LIMIT_PAGE_SIZE / 1024)));
}

/* image to free sum to total, the four lines anonymous_* to anonymous. Of the
 * application's pages, untouched ones are promised and not yet in use: free
 * frames stand behind them that are not counted as free. */
void proc_write_accounts(struct proc_text *text, int number)
{
    struct mem_accounts accounts;
    struct mem_uses uses;

    mem_audit();
    mem_accounts_get(&accounts);
    mem_uses_get(&uses);
    const uint64_t *pages = accounts.pages;
    account_line(text, "total", accounts.pages_total);
    for (int i = 0; i < MEM_ACCOUNTS; i++)
        account_line(text, account_names[i], pages[i]);
    account_line(text, "untouched",
                 pages[MEM_APP_ANON] + pages[MEM_APP_FILE] -
                     accounts.pages_resident);
    account_line(text, "anonymous_stacks", uses.stacks);
    account_line(text, "anonymous_break", uses.brk);
    account_line(text, "anonymous_maps", uses.maps);
    account_line(text, "anonymous_discardable", uses.discard);
}

/* Below "low" free memory is short; "told" are the times that whoever polls
 * this file heard of it (core/mem/mem.h). */
void proc_write_shortage(struct proc_text *text, int number)
{
    uint64_t total = mem_total_bytes() / LIMIT_PAGE_SIZE;

    account_line(text, "free", mem_free_bytes() / LIMIT_PAGE_SIZE);
    account_line(text, "low", total / MEM_LOW_SHARE);
    account_line(text, "step", total / MEM_STEP_SHARE);
    PROC_PRINT(text, "told: %lu\n", (unsigned long)mem_shortages);
    text->seen = mem_shortages;
}

void proc_write_fault(struct proc_text *text, int number)
{
    char line[32];

    proc_put(text, line, (size_t)mem_fault_text(line, sizeof(line)));
}

/* -- /proc/sys -- */

void proc_write_system_name(struct proc_text *text, int number)
{
    struct utsname name;
    if (core_uname((long)&name) == 0)
        PROC_PRINT(text, "%s\n", name.sysname);
}

void proc_write_release(struct proc_text *text, int number)
{
    struct utsname name;
    if (core_uname((long)&name) == 0)
        PROC_PRINT(text, "%s\n", name.release);
}

void proc_write_host_name(struct proc_text *text, int number)
{
    struct utsname name;
    if (core_uname((long)&name) == 0)
        PROC_PRINT(text, "%s\n", name.nodename);
}

/* A random number in the form of RFC 4122, version 4. */
static void put_uuid(struct proc_text *text, uint8_t bytes[16])
{
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    for (int i = 0; i < 16; i++)
        PROC_PRINT(text, "%s%02x",
                   i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", bytes[i]);
    put_text(text, "\n");
}

void proc_write_boot_id(struct proc_text *text, int number)
{
    static uint8_t id[16];
    static bool made;

    made = made || random_bytes(id, sizeof(id)) == 0;
    put_uuid(text, id);
}

void proc_write_uuid(struct proc_text *text, int number)
{
    uint8_t id[16] = {0};

    (void)random_bytes(id, sizeof(id));
    put_uuid(text, id);
}

void proc_write_pid_max(struct proc_text *text, int number)
{
    PROC_PRINT(text, "%u\n", LIMIT_THREADS);
}

/* Strict accounting (core/mem/mem.h), which is Linux's mode 2. */
void proc_write_overcommit(struct proc_text *text, int number)
{
    put_text(text, "2\n");
}

void proc_write_map_max(struct proc_text *text, int number)
{
    PROC_PRINT(text, "%u\n", LIMIT_VMAS);
}

void proc_write_backlog(struct proc_text *text, int number)
{
    PROC_PRINT(text, "%u\n", LIMIT_BACKLOG);
}
