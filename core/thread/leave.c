/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The slow way out of a system call: something came up while core was at
 * work. See core_leave in core/core.h.
 *
 * Called with the monitor if the call may start again, else without (an
 * upcall may just have come, which is no harm); returns without it.
 */
#include "core/thread/thread.h"

long core_leave_slow(long result)
{
    struct thread *thread = thread_current;
    bool restart = true;

    for (;;) {
        core_enter();
        thread_attend();
        /* Before others run, who could take the signal that ended the call. */
        if (signal_deliverable()) {
            restart = signal_deliver_in_core() && restart;
        } else if (thread_switch_due()) {
            thread_preempt();
        } else if (thread->signal.restore_mask) {
            signal_mask_restore(&thread->signal);
        } else {
            thread_timer_arm();
            /* musl's handler for its cancellation signal leaves that masked
             * and pending: the call must end all the same. */
            if (result == -CORE_RESTART && (!restart || signal_cancels(thread)))
                result = -EINTR;
            __asm__ volatile("" ::: "memory");
            core_locked = 0;
            if (core_attention == 0) {
                if (thread->context.stepped) {
                    thread->context.stepped = false;
                    arch_step();
                }
                return result;
            }
        }
    }
}
