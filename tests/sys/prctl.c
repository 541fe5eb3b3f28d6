/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attributes of the process and its threads.
 *
 * Covers: prctl arch_prctl
 * cc: -pthread
 */
#include "check.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA           0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

enum { ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003 };

static void *threaded(void *argument)
{
    char name[16];

    CHECK_EQ(prctl(PR_SET_NAME, "other"), 0);
    CHECK_EQ(prctl(PR_GET_NAME, name), 0);
    CHECK(!strcmp(name, "other"));
    return argument;
}

int main(void)
{
    char name[16];
    pthread_t thread;

    CHECK_EQ(prctl(PR_SET_NAME, "a name of more than sixteen"), 0);
    CHECK_EQ(prctl(PR_GET_NAME, name), 0);
    CHECK(!strcmp(name, "a name of more ")); /* 15 characters */
    CHECK_EQ(pthread_create(&thread, NULL, threaded, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(prctl(PR_GET_NAME, name), 0);
    CHECK(!strcmp(name, "a name of more "));
    CHECK_ERR(prctl(PR_SET_NAME, check_bad_pointer()), EFAULT);
    CHECK_ERR(prctl(PR_GET_NAME, check_bad_pointer()), EFAULT);

    CHECK_EQ(prctl(PR_SET_DUMPABLE, 0), 0);
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
    CHECK_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    CHECK_ERR(prctl(PR_SET_DUMPABLE, 7), EINVAL);
    CHECK_EQ(prctl(PR_SET_PDEATHSIG, 0), 0);
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
    CHECK_ERR(prctl(123456, 0, 0, 0, 0), EINVAL);

    void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, 4096, "name") == -1)
        CHECK_EQ(errno, EINVAL); /* a kernel without that option */
    CHECK_EQ(munmap(p, 4096), 0);

    unsigned long fs = 0, self;
    CHECK_EQ(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs), 0);
    __asm__("mov %%fs:0, %0" : "=r"(self));
    CHECK_EQ(fs, self); /* the thread pointer points to itself */
    CHECK_EQ(syscall(SYS_arch_prctl, ARCH_SET_FS, fs), 0);
    CHECK_ERR(syscall(SYS_arch_prctl, 0x7777, 0), EINVAL);
    CHECK_ERR(syscall(SYS_arch_prctl, ARCH_GET_FS, check_bad_pointer()),
              EFAULT);
    return 0;
}
