/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * halvm.trace: a line a system call, on the console, in strace's manner. The
 * call's own stub says its name and how to show its arguments, so that no
 * table of all calls is linked.
 */
#include "gate.h"

#include "core/core.h"
#include "core/thread/thread.h"

#define TRACE_STRING_SIZE 64 /* bytes shown of a path */

static int trace_argument(char *out, size_t size, char kind, long value)
{
    char text[TRACE_STRING_SIZE];
    long length;

    switch (kind) {
    case 'f':
    case 'd':
        return core_format(out, size, "%d", (int)value);
    case 'u':
        return core_format(out, size, "%u", (unsigned)value);
    case 'z':
        return core_format(out, size, "%ld", value);
    case 'o':
        return core_format(out, size, "0%o", (unsigned)value);
    case 's':
        length = core_copy_string(text, (const char *)value, sizeof text);
        if (length == -EFAULT)
            break;
        text[sizeof text - 1] = '\0';
        return core_format(out, size, length < 0 ? "\"%s\"..." : "\"%s\"",
                           text);
    }
    return value == 0 ? core_format(out, size, "0")
                      : core_format(out, size, "0x%lx", value);
}

void gate_trace_enter(const struct gate_call *call, const long args[6])
{
    const char *kinds = call->text + strlen(call->text) + 1;
    char line[320];
    int at;

    at = core_format(line, sizeof line, "[%d] %s(", thread_current->tid,
                     call->text);
    for (int i = 0; kinds[i] != '\0' && i < 6; i++) {
        if (i > 0)
            at += core_format(line + at, sizeof line - at, ", ");
        at += trace_argument(line + at, sizeof line - at, kinds[i], args[i]);
    }
    core_log("halvm: trace: %s)\n", line);
}

void gate_trace_leave(const struct gate_call *call, long result)
{
    if (result < 0 && result > -4096)
        core_log("halvm: trace: [%d] %s = -%ld (errno)\n", thread_current->tid,
                 call->text, -result);
    else
        core_log("halvm: trace: [%d] %s = 0x%lx\n", thread_current->tid,
                 call->text, result);
}
