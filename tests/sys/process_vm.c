/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copies within the process itself, between two lists of buffers, which end
 * with an error where nothing is.
 *
 * Covers: process_vm_readv process_vm_writev
 */
#include <limits.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include "check.h"

/* A page that can be read and written, and one behind it that cannot be. */
static char *edge(void)
{
    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(pages != MAP_FAILED);
    CHECK_EQ(mprotect(pages + 4096, 4096, PROT_NONE), 0);
    return pages + 4096;
}

static void lists(void)
{
    char a[4] = "abc", b[8] = "defghij", to[16] = "", rest[4] = "";
    struct iovec from[3] = {{a, 3}, {NULL, 0}, {b, 7}};
    struct iovec into[2] = {{to, 5}, {rest, 4}};

    CHECK_EQ(process_vm_readv(getpid(), into, 2, from, 3, 0), 9);
    CHECK(memcmp(to, "abcde", 6) == 0);
    CHECK(memcmp(rest, "fghi", 4) == 0);
    CHECK_EQ(process_vm_writev(getpid(), into, 1, from, 1, 0), 3);
    CHECK(strcmp(a, "abc") == 0);
    to[0] = 'x';
    CHECK_EQ(process_vm_writev(getpid(), into, 1, from, 3, 0), 5);
    CHECK(strcmp(a, "xbc") == 0);
    CHECK(memcmp(b, "defghij", 7) == 0);
    CHECK_EQ(process_vm_readv(getpid(), into, 0, from, 3, 0), 0);
    CHECK_EQ(process_vm_readv(getpid(), into, 2, from, 0, 0), 0);
}

static void errors(void)
{
    static struct iovec many[IOV_MAX + 1];
    char byte = 'x', *end = edge();
    struct iovec one = {&byte, 1}, bad = {check_bad_pointer(), 1};
    struct iovec two[2] = {{end - 1, 1}, {end, 1}};
    char got[2] = "";
    struct iovec into = {got, 2}, negative = {&byte, (size_t)-1};
    pid_t pid = getpid();

    CHECK_ERR(process_vm_readv(pid, &one, 1, &bad, 1, 0), EFAULT);
    CHECK_ERR(process_vm_readv(pid, &bad, 1, &one, 1, 0), EFAULT);
    CHECK_ERR(process_vm_writev(pid, &one, 1, &bad, 1, 0), EFAULT);
    CHECK_ERR(process_vm_writev(pid, &bad, 1, &one, 1, 0), EFAULT);
    CHECK_ERR(process_vm_readv(pid, check_bad_pointer(), 1, &one, 1, 0),
              EFAULT);
    CHECK_ERR(process_vm_readv(pid, &one, 1, check_bad_pointer(), 1, 0),
              EFAULT);
    /* What came before the bad one is done. */
    end[-1] = 'y';
    CHECK_EQ(process_vm_readv(pid, &into, 1, two, 2, 0), 1);
    CHECK_EQ(got[0], 'y');
    got[0] = 'z';
    CHECK_EQ(process_vm_writev(pid, &into, 1, two, 2, 0), 1);
    CHECK_EQ(end[-1], 'z');
    /* What cannot be written is not. */
    CHECK_EQ(mprotect(end - 4096, 4096, PROT_READ), 0);
    CHECK_ERR(process_vm_writev(pid, &into, 1, two, 1, 0), EFAULT);
    CHECK_EQ(process_vm_readv(pid, &into, 1, two, 1, 0), 1);
    CHECK_EQ(munmap(end - 4096, 8192), 0);

    CHECK_ERR(process_vm_readv(pid, &one, 1, &one, 1, 1), EINVAL);
    CHECK_ERR(process_vm_readv(pid, many, IOV_MAX + 1, &one, 1, 0), EINVAL);
    CHECK_ERR(process_vm_readv(pid, &one, 1, many, IOV_MAX + 1, 0), EINVAL);
    CHECK_ERR(process_vm_readv(pid, &negative, 1, &one, 1, 0), EINVAL);
    CHECK_ERR(process_vm_readv(INT_MAX, &one, 1, &one, 1, 0), ESRCH);
}

int main(void)
{
    lists();
    errors();
    return 0;
}
