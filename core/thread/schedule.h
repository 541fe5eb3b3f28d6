/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of core/thread share. Monitor held. */
#ifndef HALVM_THREAD_SCHEDULE_H
#define HALVM_THREAD_SCHEDULE_H

#include "core/thread/thread.h"

/* Registers the upcall; first is running. */
void schedule_init(struct thread *first);
/* Queues a thread that has never run. */
void schedule_add(struct thread *thread);
/* Continues in fn, on the core stack. */
void schedule_leave_stack(void (*fn)(void)) __attribute__((noreturn));
/* The current thread is dead and the core stack in use: goes on with another
 * and gives the dead one's page back. */
void schedule_end(void) __attribute__((noreturn));

/* The page of a thread that nothing uses any more. core/thread/thread.c. */
void thread_free(struct thread *thread);

/* What exit(2) said: the program's status if this is the last thread. */
void thread_exit_status(int status);

/* Clean FPU registers, as a new program has them, with these control words. */
void context_fpu_init(struct arch_context *context, uint16_t x87_control,
                      uint32_t mxcsr);

#endif
