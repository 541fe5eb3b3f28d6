/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cancellation points: what musl's __syscall_cp does, for folded calls.
 *
 * On a host kernel it is musl's own way, a signal handler that looks whether
 * the interrupted instruction lies before the syscall instruction. In core
 * there is no such instruction. There the thread says that it is in a
 * cancellation point, and core then lets a pending SIGCANCEL end a blocking
 * call with -EINTR even while it is masked (musl's handler leaves it masked
 * and pending when it comes too early). So a cancellation that comes
 *   before the call      is seen by the test here,
 *   before it blocks     ends the call at once,
 *   while it is blocked  likewise;
 * and musl's __cancel ends the thread, or says -ECANCELED where musl asked for
 * that (PTHREAD_CANCEL_MASKED, in pthread_cond_wait).
 * A program that never cancels does not link pthread_cancel and pays one test.
 *
 * A call that the program has taken over (halvm/reroute.h) on a host kernel is
 * in neither world: it is looked whether the thread is cancelled before it and
 * after it, and a cancellation that comes while the handler runs waits for it.
 */
#include "pthread_impl.h"
#include "syscall.h"

#include "gate/gate.h"

void __halvm_cancel_point(long on); /* gate/stubs.S */

/* Both in pthread_cancel.o, which is linked only by programs that cancel. */
extern __typeof(pthread_cancel) pthread_cancel __attribute__((__weak__));
hidden long __cancel(void) __attribute__((__weak__));

hidden long __halvm_cp(long a, long b, long c, long d, long e, long f,
                       __halvm_stub *stub, long number)
{
    long result;

    /* A handler's own calls do not end its thread: it must return. */
    if (gate_in_handler && gate_in_handler())
        return stub(a, b, c, d, e, f);
    if (gate_state[number] == GATE_HOST)
        return (__syscall_cp)(number, a, b, c, d, e, f);
    if (!pthread_cancel)
        return stub(a, b, c, d, e, f);

    pthread_t self = __pthread_self();
    /* close frees its descriptor whatever happens: see pthread_cancel.c. */
    if (self->canceldisable &&
        (self->canceldisable == PTHREAD_CANCEL_DISABLE || number == SYS_close))
        return stub(a, b, c, d, e, f);
    if (self->cancel)
        return __cancel();
    if (gate_state[number] & GATE_HOST) { /* and a handler */
        result = stub(a, b, c, d, e, f);
    } else {
        __halvm_cancel_point(1);
        result = stub(a, b, c, d, e, f);
        __halvm_cancel_point(0);
    }
    if (result == -EINTR && number != SYS_close && self->cancel &&
        self->canceldisable != PTHREAD_CANCEL_DISABLE)
        result = __cancel();
    return result;
}
