/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an application's pointers point to: copies that end with -EFAULT where
 * nothing is, as the kernel's own do. halvm/reroute.h is the contract.
 *
 * The system is asked to copy within this process (process_vm_readv): it is
 * the one way that is the same on a host and in a unikernel, and needs no
 * handler of SIGSEGV. A host whose sandbox forbids that call gets plain copies,
 * and a bad pointer then ends the program.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "halvm/reroute.h"

#define PAGE 4096

static volatile bool forbidden;

/* 0, -EFAULT, or -ENOSYS: to be copied without the system's help. */
static int result_of(ssize_t done, size_t size)
{
    if (done < 0 && (errno == ENOSYS || errno == EPERM || errno == EACCES))
        forbidden = true;
    if (done < 0 && errno != EFAULT)
        return -ENOSYS;
    return done == (ssize_t)size ? 0 : -EFAULT;
}

typedef ssize_t transfer(pid_t, const struct iovec *, unsigned long,
                         const struct iovec *, unsigned long, unsigned long);

/* Between ours and user, as the call goes; to and from: the same two, for a
 * copy without it. */
static int copy(transfer *call, void *ours, void *user, size_t size, void *to,
                const void *from)
{
    struct iovec local = {ours, size}, remote = {user, size};
    int result = -ENOSYS, saved = errno;

    if (size == 0)
        return 0;
    if ((uintptr_t)user < PAGE)
        return -EFAULT;
    if (!forbidden)
        result = result_of(call(getpid(), &local, 1, &remote, 1, 0), size);
    if (result == -ENOSYS) {
        memcpy(to, from, size);
        result = 0;
    }
    errno = saved;
    return result;
}

int halvm_copy_in(void *to, const void *user, size_t size)
{
    return copy(process_vm_readv, to, (void *)(uintptr_t)user, size, to, user);
}

int halvm_copy_out(void *user, const void *from, size_t size)
{
    return copy(process_vm_writev, (void *)(uintptr_t)from, user, size, user,
                from);
}

/* Never past the end of a page that the string does not reach. */
long halvm_copy_string(char *to, const char *user, size_t room)
{
    size_t done = 0;

    while (done < room) {
        size_t part = 256 - ((uintptr_t)user + done) % 256; /* divides a page */
        const char *end;

        if (part > room - done)
            part = room - done;
        if (halvm_copy_in(to + done, user + done, part) < 0)
            return -EFAULT;
        end = memchr(to + done, '\0', part);
        if (end)
            return end - to;
        done += part;
    }
    return -ENAMETOOLONG;
}
