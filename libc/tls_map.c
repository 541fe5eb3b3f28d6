/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first thread's variables (thread_local), when there are more of them than
 * musl has room for: it maps memory before main, and does not look whether it
 * got any. This is what it calls for that (the Makefile renames its reference);
 * a program that cannot start says so.
 */
#include <sys/uio.h>

#include "syscall.h"

long __halvm_tls_map(long, long, long, long, long, long);

#define STATUS_NOT_STARTED 125 /* docs/exit-status.md */

long __halvm_tls_map(long address, long size, long prot, long flags, long fd,
                     long offset)
{
    static const char words[] =
        "halvm: error: not enough memory to start\n"
        "  why: no room for the program's thread-local variables\n"
        "  fix: give the machine more memory (halvm run -m)\n";
    long at = __syscall(SYS_mmap, address, size, prot, flags, fd, offset);

    if (at < 0 && at > -4096) {
        struct iovec iov = {(void *)words, sizeof(words) - 1};

        /* As stdio does: another call would be linked for this alone. */
        __syscall(SYS_writev, 2, &iov, 1);
        __syscall(SYS_exit_group, STATUS_NOT_STARTED);
    }
    return at;
}
