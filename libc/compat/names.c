/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of glibc that musl has under another name or not at all, wanted by
 * archives built against glibc.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "compat.h"

/* 0 means "may have more than one thread", which is always safe to say. */
char __libc_single_threaded;

int fcntl64(int fd, int command, ...)
{
    va_list args;
    unsigned long argument;

    va_start(args, command);
    argument = va_arg(args, unsigned long);
    va_end(args);
    return fcntl(fd, command, argument);
}

/* Fortified open: O_CREAT and O_TMPFILE need the mode that is not there. */
int __openat_2(int fd, const char *path, int flags)
{
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE)
        __chk_fail();
    return openat(fd, path, flags);
}

int __openat64_2(int fd, const char *path, int flags)
{
    return __openat_2(fd, path, flags);
}

int __open_2(const char *path, int flags)
{
    return __openat_2(AT_FDCWD, path, flags);
}

int __open64_2(const char *path, int flags)
{
    return __openat_2(AT_FDCWD, path, flags);
}

/* The version whose names this archive offers. */
const char *gnu_get_libc_version(void)
{
    return "2.36";
}

const char *gnu_get_libc_release(void)
{
    return "stable";
}

/* makedev(3): 32 bits each of major and minor, interleaved for old ABIs. */
unsigned gnu_dev_major(unsigned long long device)
{
    return (unsigned)((device >> 31 >> 1 & 0xfffff000) | (device >> 8 & 0xfff));
}

unsigned gnu_dev_minor(unsigned long long device)
{
    return (unsigned)((device >> 12 & 0xffffff00) | (device & 0xff));
}

unsigned long long gnu_dev_makedev(unsigned major, unsigned minor)
{
    return (major & 0xfffff000ull) << 32 | (major & 0xfffull) << 8 |
           (minor & 0xffffff00ull) << 12 | (minor & 0xffull);
}

/* error(3) */
void error(int status, int number, const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "%s: ", program_invocation_name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    if (number != 0)
        fprintf(stderr, ": %s", strerror(number));
    putc('\n', stderr);
    if (status != 0)
        exit(status);
}

/* arc4random(3): never fails, so no randomness is the end. */
void arc4random_buf(void *data, size_t size)
{
    char *at = data;

    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);

        if (got < 0 && errno != EINTR)
            abort();
        if (got > 0) {
            at += got;
            size -= (size_t)got;
        }
    }
}

uint32_t arc4random(void)
{
    uint32_t value;

    arc4random_buf(&value, sizeof value);
    return value;
}

/* Below bound without bias: values under 2^32 mod bound are drawn again. */
uint32_t arc4random_uniform(uint32_t bound)
{
    uint32_t value, least;

    if (bound < 2)
        return 0;
    least = -bound % bound;
    do {
        value = arc4random();
    } while (value < least);
    return value % bound;
}

/* OpenSSL's asynchronous jobs ask for these and do without. */
int getcontext(ucontext_t *context)
{
    errno = ENOSYS;
    return -1;
}

int setcontext(const ucontext_t *context)
{
    errno = ENOSYS;
    return -1;
}

int swapcontext(ucontext_t *from, const ucontext_t *to)
{
    errno = ENOSYS;
    return -1;
}

/* Cannot report; what getcontext refused is never reached. */
void makecontext(ucontext_t *context, void (*function)(void), int count, ...)
{
    abort();
}
