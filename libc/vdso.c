/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * musl asks a Linux kernel's vDSO for the time and for the processor, without
 * a system call. A program that takes these calls over (halvm/reroute.h) wants
 * to see them: so what musl finds is one of the functions here, which look
 * whether somebody has the call. musl's own look-up is __musl_vdsosym by then
 * (see the Makefile).
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "syscall.h"

#include "gate/gate.h"

hidden void *__musl_vdsosym(const char *, const char *);

static int (*host_clock_gettime)(clockid_t, struct timespec *);
static long (*host_getcpu)(unsigned *, unsigned *, void *);

static int clock_gettime_or_call(clockid_t clock, struct timespec *now)
{
    if (gate_state[SYS_clock_gettime] != GATE_HOST)
        return __syscall(SYS_clock_gettime, clock, now);
    return host_clock_gettime(clock, now);
}

static long getcpu_or_call(unsigned *cpu, unsigned *node, void *unused)
{
    if (gate_state[SYS_getcpu] != GATE_HOST)
        return __syscall(SYS_getcpu, cpu, node, unused);
    return host_getcpu(cpu, node, unused);
}

hidden void *__vdsosym(const char *version, const char *name)
{
    void *found = __musl_vdsosym(version, name);

    if (found == NULL)
        return NULL;
    if (strcmp(name, VDSO_CGT_SYM) == 0) {
        host_clock_gettime = found;
        return clock_gettime_or_call;
    }
    if (strcmp(name, VDSO_GETCPU_SYM) == 0) {
        host_getcpu = found;
        return getcpu_or_call;
    }
    return found;
}
