/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The gate's slow path, once stubs.S has found that the call does not go to a
 * host kernel: it is traced, memory is counted after it, or there is nothing in
 * core to call.
 */
#include "gate.h"

#include "core/core.h"
#include "core/mem/mem.h"

_Static_assert(GATE_RESTART == CORE_RESTART, "known to lock.S");

void (*gate_reroute_entry)(void);
int (*gate_in_handler)(void);

long gate_slow_call(const struct gate_call *call, const long args[6])
{
    long result;

    if (gate_state[call->number] & GATE_TRACE)
        gate_trace_enter(call, args);
    result = call->target(args[0], args[1], args[2], args[3], args[4], args[5]);
    if (gate_state[call->number] & GATE_TRACE)
        gate_trace_leave(call, result);
    if (gate_state[call->number] & GATE_AUDIT) {
        core_enter();
        mem_audit();
        (void)core_leave(0);
    }
    return result;
}

void gate_set(int what)
{
    for (int i = 0; i < GATE_CALLS; i++)
        gate_state[i] |= (uint8_t)what;
}

long gate_none_call(const struct gate_call *call, const void *caller)
{
    return core_unimplemented(call->number, call->text, caller);
}
