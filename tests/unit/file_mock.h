/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What core/file stands on, for its tests: the machine of core_mock.h with
 * real threads, a console in memory, and what core's other parts tell /proc.
 *
 * Included by one file of a test program, which links core/file/[a-z]*.c and
 * what core_mock.h asks for.
 */
#ifndef HALVM_UNIT_FILE_MOCK_H
#define HALVM_UNIT_FILE_MOCK_H

#include "core_mock.h"

#include <sys/resource.h>
#include <sys/utsname.h>

#include "core/calls.h"
#include "core/file/file.h"
#include "core/options.h"
#include "core/random/random.h"
#include "core/time/time.h"
#include "core/xen/xen.h"

void (*core_net_ready)(void);
void (*core_block_ready)(void);
void (*core_xen_ready)(void);

long core_copy_string(char *to, const char *user_from, size_t size)
{
    if (mock_bad(user_from, 1))
        return -EFAULT;
    size_t length = strnlen(user_from, size);
    memcpy(to, user_from, length < size ? length + 1 : size);
    return length < size ? (long)length : -ENAMETOOLONG;
}

int core_format(char *out, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(out, size, format, args);
    va_end(args);
    return length < (int)size ? length : (int)size - 1;
}

static const char *mock_tty; /* halvm.tty */

const char *core_option(const char *name)
{
    return strcmp(name, "tty") == 0 ? mock_tty : NULL;
}

const char *options_argument(const char *previous)
{
    return previous ? NULL : "argument";
}

const char *options_variable(const char *previous)
{
    return previous ? NULL : "NAME=value";
}

int random_bytes(void *data, size_t size)
{
    memset(data, 0x5a, size);
    return 0;
}

struct wait_queue time_wall_changed = WAIT_QUEUE_INIT(time_wall_changed);

void time_to_timespec(uint64_t ns, struct timespec *out)
{
    out->tv_sec = (time_t)(ns / TIME_SECOND);
    out->tv_nsec = (long)(ns % TIME_SECOND);
}

void mem_accounts_get(struct mem_accounts *out)
{
    memset(out, 0, sizeof(*out));
    out->pages_total = 1024;
}

struct wait_queue mem_shortage_wait = WAIT_QUEUE_INIT(mem_shortage_wait);
uint64_t mem_shortages;

void mem_shortage_watch(void)
{
}

void mem_shortage_ignore(void)
{
}

bool mem_region_next(uint64_t address, struct mem_region *out)
{
    *out = (struct mem_region){4096, 8192, BASE_PROT_READ, false, ""};
    return address < 4096;
}

uint64_t mem_total_bytes(void)
{
    return 1 << 22;
}

uint64_t mem_free_bytes(void)
{
    return 1 << 21;
}

void mem_audit(void)
{
}

void mem_uses_get(struct mem_uses *out)
{
    memset(out, 0, sizeof(*out));
}

int mem_fault_set(const char *text)
{
    return -EPERM;
}

int mem_fault_text(char *out, size_t size)
{
    return core_format(out, size, "off\n");
}

uint64_t mem_resident_max_bytes(void)
{
    return 1 << 20;
}

uint64_t mem_resident_bytes(void)
{
    return 1 << 20;
}

long core_uname(long a)
{
    struct utsname *name = (struct utsname *)a;
    memset(name, 0, sizeof(*name));
    strcpy(name->sysname, "Linux");
    strcpy(name->nodename, "mock");
    strcpy(name->release, "5.10.0");
    return 0;
}

long core_getrlimit(long a, long b)
{
    *(struct rlimit *)b = (struct rlimit){1, 2};
    return 0;
}

/* -- the console -- */

static char mock_input[256], mock_output[4096];
static size_t mock_input_size, mock_output_size;

static void mock_console_write(const void *data, size_t size)
{
    CHECK(mock_output_size + size < sizeof(mock_output));
    memcpy(mock_output + mock_output_size, data, size);
    mock_output_size += size;
    mock_output[mock_output_size] = '\0';
}

static size_t mock_console_read(void *data, size_t size)
{
    if (size > mock_input_size)
        size = mock_input_size;
    memcpy(data, mock_input, size);
    mock_input_size -= size;
    memmove(mock_input, mock_input + size, mock_input_size);
    return size;
}

static __attribute__((unused)) void mock_type(const char *text)
{
    memcpy(mock_input + mock_input_size, text, strlen(text));
    mock_input_size += strlen(text);
    mock_attention(BASE_READY_CONSOLE);
}

static enum base_status mock_dev_get(enum base_device_kind kind, unsigned index,
                                     struct base_device *out)
{
    return BASE_NODEV;
}

void base_uses_block(void)
{
}

/* core/xen: there is none. */
const struct base_xen *xen_base(void)
{
    return NULL;
}

struct file_node *xen_directory(int *error)
{
    return NULL;
}

static struct base file_base;
static struct base_info file_info;

/* As mock_run, with an initrd. */
static __attribute__((unused)) void
file_mock_run(void (*function)(void), const void *initrd, size_t initrd_size)
{
    file_base = mock_base;
    file_base.console_write = mock_console_write;
    file_base.console_read = mock_console_read;
    file_base.dev_get = mock_dev_get;
    file_info.initrd = initrd;
    file_info.initrd_size = initrd_size;
    core_base = &file_base;
    core_info = &file_info;
    mock_main_function = function;
    thread_init();
    file_init();
    thread_start_first((uint64_t)(uintptr_t)mock_main,
                       (uint64_t)(uintptr_t)mock_stack_top() - 8);
}

#define P(pointer) ((long)(uintptr_t)(pointer))

#endif
