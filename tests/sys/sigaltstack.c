/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stack of their own for signal handlers.
 *
 * Covers: sigaltstack
 */
#include "check.h"
#include <signal.h>

static char memory[65536];
static volatile bool on_it, reported;
static volatile int change_error;

static bool inside(const void *p)
{
    return (const char *)p >= memory &&
           (const char *)p < memory + sizeof(memory);
}

static void on_signal(int number)
{
    char here;
    stack_t now, other = {.ss_flags = SS_DISABLE};

    on_it = inside(&here);
    CHECK_EQ(sigaltstack(NULL, &now), 0);
    reported = now.ss_flags == SS_ONSTACK;
    errno = 0;
    if (sigaltstack(&other, NULL) == -1)
        change_error = errno; /* not while it is in use */
}

int main(void)
{
    stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)}, old;
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};

    CHECK_EQ(sigaltstack(NULL, &old), 0);
    CHECK(old.ss_flags & SS_DISABLE);
    CHECK_EQ(sigaltstack(&stack, NULL), 0);
    CHECK_EQ(sigaltstack(NULL, &old), 0);
    CHECK(old.ss_sp == memory && old.ss_size == sizeof(memory));
    CHECK_EQ(old.ss_flags, 0);

    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    raise(SIGUSR1);
    CHECK(on_it && reported);
    CHECK_EQ(change_error, EPERM);
    act.sa_flags = 0;
    change_error = 0;
    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    raise(SIGUSR1);
    CHECK(!on_it && !reported);
    CHECK_EQ(change_error, 0); /* disabled until the handler's end, which
                                * puts back what was before it */
    act.sa_flags = SA_ONSTACK;
    CHECK_EQ(sigaction(SIGUSR1, &act, NULL), 0);
    raise(SIGUSR1);
    CHECK(on_it);

    stack.ss_size = 100;
    CHECK_ERR(sigaltstack(&stack, NULL), ENOMEM);
    stack.ss_size = sizeof(memory);
    stack.ss_flags = 0x40;
    CHECK_ERR(sigaltstack(&stack, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_sigaltstack, check_bad_pointer(), NULL), EFAULT);
    CHECK_ERR(syscall(SYS_sigaltstack, NULL, check_bad_pointer()), EFAULT);
    return 0;
}
