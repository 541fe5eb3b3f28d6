/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What include/syscalls.def says of the calls, for programs that take them
 * over (include/halvm/reroute.h). The trace does not use it, so only programs
 * that ask link these tables. Runs in application code.
 */
#include "gate.h"

#include <stdbool.h>
#include <stddef.h>

/* Of every call, one after the other: name, zero, arguments, zero. */
static const char texts[] =
#define SYSCALL(number, name, nargs, args, state, entry, note)                 \
#name "\0" args "\0"
#include "syscalls.def"
#undef SYSCALL
    ;

static const uint16_t numbers_in_order[] = {
#define SYSCALL(number, name, nargs, args, state, entry, note) number,
#include "syscalls.def"
#undef SYSCALL
};
#define COUNT (sizeof numbers_in_order / sizeof numbers_in_order[0])

static const char *skip(const char *text)
{
    while (*text++ != '\0')
        ;
    return text;
}

const char *halvm_call_name(long number)
{
    const char *text = texts;

    for (size_t i = 0; i < COUNT; i++, text = skip(skip(text)))
        if (numbers_in_order[i] == number)
            return text;
    return NULL;
}

const char *halvm_call_arguments(long number)
{
    const char *name = halvm_call_name(number);

    return name == NULL ? NULL : skip(name);
}

#define SYSCALL(n, name, nargs, args, state, entry, note) CALL_##name = n,
enum {
#include "syscalls.def"
};
#undef SYSCALL
#define SYSCALL(n, name, nargs, args, state, entry, note)

const char *halvm_call_runtime(long number)
{
    switch (number) {
#define SYSCALL_RUNTIME(name, what)                                            \
    case CALL_##name:                                                          \
        return what;
#include "syscalls.def"
#undef SYSCALL_RUNTIME
    }
    return NULL;
}

static bool is_fixed(long number)
{
    switch (number) {
#define SYSCALL_FIXED(name) case CALL_##name:
#include "syscalls.def"
#undef SYSCALL_FIXED
        return true;
    }
    return false;
}

/* socket to getsockopt, and what came later. */
static bool is_socket(long number)
{
    return (number >= CALL_socket && number <= CALL_getsockopt) ||
           number == CALL_accept4 || number == CALL_recvmmsg ||
           number == CALL_sendmmsg;
}

static bool belongs(long number, const char *arguments,
                    enum halvm_family family)
{
    switch (family) {
    case HALVM_CALLS_PATH:
        for (const char *at = arguments; *at != '\0'; at++)
            if (*at == 's')
                return true;
        return false;
    case HALVM_CALLS_DESCRIPTOR:
        return arguments[0] == 'f';
    case HALVM_CALLS_SOCKET:
        return is_socket(number);
    case HALVM_CALLS_ALL:
        return true;
    }
    return false;
}

size_t halvm_calls(enum halvm_family family, short numbers[], size_t room)
{
    const char *text = texts;
    size_t count = 0;

    for (size_t i = 0; i < COUNT; i++, text = skip(skip(text))) {
        long number = numbers_in_order[i];

        if (is_fixed(number) || !belongs(number, skip(text), family))
            continue;
        if (count < room)
            numbers[count] = (short)number;
        count++;
    }
    return count;
}

/* Whether a handler can have it at all; reroute.c. */
bool gate_is_reroutable(long number)
{
    return halvm_call_name(number) != NULL && !is_fixed(number);
}
