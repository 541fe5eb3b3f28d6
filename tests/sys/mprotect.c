/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rights of pages, and the signal that tells of a breach.
 *
 * Covers: mprotect mmap rt_sigaction
 */
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#define RW (PROT_READ | PROT_WRITE)

static sigjmp_buf back;
static volatile int last_signal, last_code;
static void *volatile last_address;

static void on_fault(int number, siginfo_t *info, void *context)
{
    last_signal = number;
    last_code = info->si_code;
    last_address = info->si_addr;
    siglongjmp(back, 1);
}

static bool faults_reading(volatile char *p)
{
    last_signal = 0;
    if (sigsetjmp(back, 1) == 0)
        (void)*p;
    return last_signal != 0;
}

static bool faults_writing(volatile char *p)
{
    last_signal = 0;
    if (sigsetjmp(back, 1) == 0)
        *p = 'w';
    return last_signal != 0;
}

static void test_rights(void)
{
    char *p = mmap(NULL, 3 * 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    p[4096] = 'k';
    CHECK_EQ(mprotect(p + 4096, 4096, PROT_READ), 0);
    CHECK(!faults_reading(p + 4096));
    CHECK(faults_writing(p + 4097));
    CHECK_EQ(last_signal, SIGSEGV);
    CHECK_EQ(last_code, SEGV_ACCERR);
    CHECK(last_address == p + 4097);
    CHECK(!faults_writing(p + 4095) && !faults_writing(p + 8192));
    CHECK_EQ(mprotect(p, 3 * 4096, PROT_NONE), 0);
    CHECK(faults_reading(p + 4096));
    CHECK_EQ(mprotect(p, 3 * 4096, RW), 0);
    CHECK_EQ(p[4096], 'k'); /* content outlives all that */
    CHECK(!faults_writing(p));
    CHECK_EQ(munmap(p, 3 * 4096), 0);
    CHECK(faults_reading(p + 1));
    CHECK_EQ(last_code, SEGV_MAPERR);
    CHECK(last_address == p + 1);
}

static void test_null_and_text(void)
{
    CHECK(faults_reading((volatile char *)check_bad_pointer()));
    CHECK(last_address == check_bad_pointer());
    /* The program's own code and constants are read-only. */
    CHECK(faults_writing((volatile char *)(uintptr_t)test_null_and_text));
    CHECK_EQ(last_code, SEGV_ACCERR);
    static const char constant[] = "constant";
    CHECK(faults_writing((volatile char *)(uintptr_t)constant));
}

static void test_no_execute(void)
{
    unsigned char *p = mmap(NULL, 4096, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void (*volatile code)(void);

    p[0] = 0xc3; /* ret */
    memcpy((void *)&code, &p, sizeof(p));
    last_signal = 0;
    if (sigsetjmp(back, 1) == 0)
        code();
    CHECK_EQ(last_signal, SIGSEGV);
    CHECK_EQ(mprotect(p, 4096, PROT_READ | PROT_EXEC), 0);
    last_signal = 0;
    if (sigsetjmp(back, 1) == 0)
        code();
    CHECK_EQ(last_signal, 0);
    CHECK_EQ(munmap(p, 4096), 0);
}

static void test_errors(void)
{
    char *p = mmap(NULL, 8192, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK_ERR(syscall(SYS_mprotect, p + 1, 4096ul, PROT_READ), EINVAL);
    CHECK_EQ(munmap(p + 4096, 4096), 0);
    CHECK_ERR(mprotect(p + 4096, 4096, PROT_READ), ENOMEM);
    CHECK_ERR(mprotect(p, 8192, PROT_READ), ENOMEM);
    CHECK_EQ(mprotect(p, 0, PROT_READ), 0);
    CHECK_EQ(munmap(p, 8192), 0);
    check_file("file", "x");
    int fd = open("file", O_RDONLY);
    p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    CHECK_ERR(mprotect(p, 4096, RW), EACCES);
    close(fd);
    CHECK_EQ(munmap(p, 4096), 0);
}

int main(void)
{
    struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};

    check_scratch();
    CHECK_EQ(sigaction(SIGSEGV, &act, NULL), 0);
    CHECK_EQ(sigaction(SIGBUS, &act, NULL), 0);
    test_rights();
    test_null_and_text();
    test_no_execute();
    test_errors();
    return 0;
}
