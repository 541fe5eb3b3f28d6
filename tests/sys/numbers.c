/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls by number: known, unknown, and those that a unikernel has not.
 *
 * Covers: getpid
 */
#include "check.h"
#include <sys/ptrace.h>

static volatile long number;

int main(void)
{
    number = SYS_getpid; /* not known when this is compiled */
    CHECK_EQ(syscall(number), getpid());
    number = 5000;
    CHECK_ERR(syscall(number), ENOSYS);
    number = -1;
    CHECK_ERR(syscall(number), ENOSYS);
    number = 400; /* between the two blocks of numbers */
    CHECK_ERR(syscall(number), ENOSYS);
    if (check_unikernel()) {
        static const long absent[] = {SYS_ptrace,         SYS_mount,
                                      SYS_reboot,         SYS_init_module,
                                      SYS_io_setup,       SYS_inotify_init1,
                                      SYS_io_uring_setup, SYS_bpf,
                                      SYS_shmget,         SYS_setxattr};
        for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
            number = absent[i];
            CHECK_ERR(syscall(number, 0, 0, 0, 0, 0, 0), ENOSYS);
        }
    }
    return 0;
}
