/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rerouting: a program takes over system calls, its own and those of every
 * library in it. For applications; docs/rerouting.md teaches it.
 *
 *     static long handler(void *context, const struct halvm_call *call)
 *     {
 *         ++*(long *)context;
 *         return halvm_call_previous(call);
 *     }
 *     ...
 *     long id = halvm_reroute(SYS_write, handler, &count);
 *     ...
 *     halvm_reroute_end(id);
 *
 * The same on every base, as a Linux process too. There a call is taken over
 * if libc makes it, not if the program has a syscall instruction of its own;
 * a clock that libc reads from the kernel's vDSO without a call is asked for
 * by a call while a handler has that.
 *
 * What a handler may do. It runs in the thread that made the call, in place of
 * the call, with that thread's signal mask and stack (which may be small).
 * Calls that it makes, itself or through libc, of any number, go to what was
 * there before it was registered: handlers registered earlier, and at the end
 * the system. So it cannot loop. It must return, not jump out; a thread that is
 * cancelled while in a handler ends after it. It returns what the kernel would:
 * a result >= 0, or -errno.
 *
 * Cost: nothing for a call that nobody has taken over, and at most 40
 * instructions beside the handler for one that somebody has.
 */
#ifndef HALVM_REROUTE_H
#define HALVM_REROUTE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A system call that is being made. */
struct halvm_call {
    long number;      /* SYS_* of <sys/syscall.h> */
    long args[6];     /* as the kernel's; those that it does not have: junk */
    const void *stub; /* for halvm_call_previous */
};

/* context: as it was registered. */
#define HALVM_HANDLER(name)                                                    \
    long name(void *context, const struct halvm_call *call)

/*
 * Takes a call over. From then on every thread's calls of that number come to
 * handler, but for those made by handlers that are older. Returns an id > 0 for
 * halvm_reroute_end, or
 *   -EINVAL  no such call, or one that no handler can have: rt_sigreturn,
 *            clone, vfork, exit
 *   -ENOSPC  32 have this call already, or 2048 calls are taken over
 * From any thread, a handler included; not from a signal handler.
 */
long halvm_reroute(long number,
                   long (*handler)(void *, const struct halvm_call *),
                   void *context);

/* The same for count calls at once, which are one registration: calls that
 * the handler makes of any of them pass it by. */
long halvm_reroute_calls(const short numbers[], size_t count,
                         long (*handler)(void *, const struct halvm_call *),
                         void *context);

/*
 * Gives them back; what was there before is in their place again. Waits until
 * no thread is in the handler any more, after which context may be freed: a
 * thread that is blocked in it for ever is waited for for ever. Returns 0, or
 *   -ESRCH    there is no such registration (any more)
 *   -EDEADLK  called from a handler, which would wait for itself
 */
int halvm_reroute_end(long id);

/* The same without waiting: threads may still be in the handler, so it and
 * context must stay. From a handler, too. 0 or -ESRCH. */
int halvm_reroute_leave(long id);

/* From a handler, with the call it was given or a copy that it changed: makes
 * the call as it would have been made without the handler. */
long halvm_call_previous(const struct halvm_call *call);

/*
 * What a call's pointers point to, which may be nothing: these give -EFAULT
 * then, as the kernel does, where following the pointer would end the program.
 * 0 or -EFAULT. As a Linux process in a sandbox without process_vm_readv they
 * are plain copies.
 */
int halvm_copy_in(void *to, const void *user, size_t size);
int halvm_copy_out(void *user, const void *from, size_t size);
/* A string with its zero, within room bytes: its length, -EFAULT, or
 * -ENAMETOOLONG. */
long halvm_copy_string(char *to, const char *user, size_t room);

/*
 * The numbers of a family of calls, for halvm_reroute_calls. Returns how many
 * there are and stores at most room of them.
 */
enum halvm_family {
    HALVM_CALLS_PATH,       /* those that have a path */
    HALVM_CALLS_DESCRIPTOR, /* those whose first argument is a descriptor */
    HALVM_CALLS_SOCKET,     /* socket, connect, sendmsg, ... */
    HALVM_CALLS_ALL         /* all that a handler can have */
};
size_t halvm_calls(enum halvm_family family, short numbers[], size_t room);

/* The call's name, or NULL if there is no such call. */
const char *halvm_call_name(long number);
/* One letter an argument: f descriptor, d signed, u unsigned, z size or
 * offset, x flags, o file mode, p pointer, s path. NULL likewise. */
const char *halvm_call_arguments(long number);
/* Why GHC's runtime needs the call, so that no handler written in Haskell can
 * have it ("memory", ...), or NULL. */
const char *halvm_call_runtime(long number);

#ifdef __cplusplus
}
#endif
#endif
