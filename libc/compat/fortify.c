/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The names that gcc's _FORTIFY_SOURCE puts in place of libc's functions in
 * archives built against glibc (libgmp.a, libz.a, ...). Each knows the size of
 * the object it writes to, and ends the program rather than write past it.
 *
 * Signatures: glibc 2.36, its debug folder; LSB core specification.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>
#include <wchar.h>

#include "compat.h"

void __chk_fail(void)
{
    static const char words[] =
        "*** buffer overflow detected ***: terminated\n";

    (void)!write(2, words, sizeof words - 1);
    abort();
}

static void check(size_t need, size_t room)
{
    if (need > room)
        __chk_fail();
}

/* -- memory and strings -- */

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
    check(n, room);
    return memcpy(to, from, n);
}

void *__memmove_chk(void *to, const void *from, size_t n, size_t room)
{
    check(n, room);
    return memmove(to, from, n);
}

void *__mempcpy_chk(void *to, const void *from, size_t n, size_t room)
{
    check(n, room);
    return (char *)memcpy(to, from, n) + n;
}

void *__memset_chk(void *to, int c, size_t n, size_t room)
{
    check(n, room);
    return memset(to, c, n);
}

void __explicit_bzero_chk(void *to, size_t n, size_t room)
{
    check(n, room);
    explicit_bzero(to, n);
}

char *__strcpy_chk(char *to, const char *from, size_t room)
{
    check(strlen(from) + 1, room);
    return strcpy(to, from);
}

char *__stpcpy_chk(char *to, const char *from, size_t room)
{
    check(strlen(from) + 1, room);
    return stpcpy(to, from);
}

char *__strncpy_chk(char *to, const char *from, size_t n, size_t room)
{
    check(n, room);
    return strncpy(to, from, n);
}

char *__stpncpy_chk(char *to, const char *from, size_t n, size_t room)
{
    check(n, room);
    return stpncpy(to, from, n);
}

char *__strcat_chk(char *to, const char *from, size_t room)
{
    check(strlen(to) + strlen(from) + 1, room);
    return strcat(to, from);
}

char *__strncat_chk(char *to, const char *from, size_t n, size_t room)
{
    check(strlen(to) + strnlen(from, n) + 1, room);
    return strncat(to, from, n);
}

/* -- printf; the flag asks for checks of %n that musl does not have -- */

int __vsprintf_chk(char *to, int flag, size_t room, const char *format,
                   va_list args)
{
    int length;

    if (room > INT_MAX)
        return vsprintf(to, format, args);
    length = vsnprintf(to, room, format, args);
    if (length >= 0)
        check((size_t)length + 1, room);
    return length;
}

int __sprintf_chk(char *to, int flag, size_t room, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = __vsprintf_chk(to, flag, room, format, args);
    va_end(args);
    return length;
}

int __vsnprintf_chk(char *to, size_t n, int flag, size_t room,
                    const char *format, va_list args)
{
    check(n, room);
    return vsnprintf(to, n, format, args);
}

int __snprintf_chk(char *to, size_t n, int flag, size_t room,
                   const char *format, ...)
{
    va_list args;
    int length;

    check(n, room);
    va_start(args, format);
    length = vsnprintf(to, n, format, args);
    va_end(args);
    return length;
}

int __vfprintf_chk(FILE *file, int flag, const char *format, va_list args)
{
    return vfprintf(file, format, args);
}

int __vprintf_chk(int flag, const char *format, va_list args)
{
    return vprintf(format, args);
}

int __vdprintf_chk(int fd, int flag, const char *format, va_list args)
{
    return vdprintf(fd, format, args);
}

int __vasprintf_chk(char **out, int flag, const char *format, va_list args)
{
    return vasprintf(out, format, args);
}

#define PRINTF_CHK(name, first, passed)                                        \
    int __##name##_chk(first, int flag, const char *format, ...)               \
    {                                                                          \
        va_list args;                                                          \
        int length;                                                            \
                                                                               \
        va_start(args, format);                                                \
        length = v##name(passed, format, args);                                \
        va_end(args);                                                          \
        return length;                                                         \
    }
PRINTF_CHK(fprintf, FILE *file, file)
PRINTF_CHK(dprintf, int fd, fd)
PRINTF_CHK(asprintf, char **out, out)

int __printf_chk(int flag, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vprintf(format, args);
    va_end(args);
    return length;
}

int __vswprintf_chk(wchar_t *to, size_t n, int flag, size_t room,
                    const wchar_t *format, va_list args)
{
    check(n, room);
    return vswprintf(to, n, format, args);
}

int __swprintf_chk(wchar_t *to, size_t n, int flag, size_t room,
                   const wchar_t *format, ...)
{
    va_list args;
    int length;

    check(n, room);
    va_start(args, format);
    length = vswprintf(to, n, format, args);
    va_end(args);
    return length;
}

void __vsyslog_chk(int priority, int flag, const char *format, va_list args)
{
    vsyslog(priority, format, args);
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsyslog(priority, format, args);
    va_end(args);
}

/* -- reading -- */

char *__fgets_chk(char *to, size_t room, int n, FILE *file)
{
    check(n > 0 ? (size_t)n : 0, room);
    return fgets(to, n, file);
}

size_t __fread_chk(void *to, size_t room, size_t size, size_t n, FILE *file)
{
    check(size != 0 && n > SIZE_MAX / size ? SIZE_MAX : size * n, room);
    return fread(to, size, n, file);
}

ssize_t __read_chk(int fd, void *to, size_t n, size_t room)
{
    check(n, room);
    return read(fd, to, n);
}

ssize_t __pread_chk(int fd, void *to, size_t n, off_t offset, size_t room)
{
    check(n, room);
    return pread(fd, to, n, offset);
}

ssize_t __pread64_chk(int fd, void *to, size_t n, off_t offset, size_t room)
{
    return __pread_chk(fd, to, n, offset, room);
}

ssize_t __recv_chk(int fd, void *to, size_t n, size_t room, int flags)
{
    check(n, room);
    return recv(fd, to, n, flags);
}

ssize_t __recvfrom_chk(int fd, void *to, size_t n, size_t room, int flags,
                       struct sockaddr *address, socklen_t *size)
{
    check(n, room);
    return recvfrom(fd, to, n, flags, address, size);
}

ssize_t __readlink_chk(const char *path, char *to, size_t n, size_t room)
{
    check(n, room);
    return readlink(path, to, n);
}

ssize_t __readlinkat_chk(int fd, const char *path, char *to, size_t n,
                         size_t room)
{
    check(n, room);
    return readlinkat(fd, path, to, n);
}

char *__realpath_chk(const char *path, char *to, size_t room)
{
    check(PATH_MAX, room);
    return realpath(path, to);
}

char *__getcwd_chk(char *to, size_t n, size_t room)
{
    check(n, room);
    return getcwd(to, n);
}

int __gethostname_chk(char *to, size_t n, size_t room)
{
    check(n, room);
    return gethostname(to, n);
}

int __getgroups_chk(int n, gid_t *to, size_t room)
{
    check(n > 0 ? (size_t)n * sizeof *to : 0, room);
    return getgroups(n, to);
}

size_t __confstr_chk(int name, char *to, size_t n, size_t room)
{
    check(n, room);
    return confstr(name, to, n);
}

int __ttyname_r_chk(int fd, char *to, size_t n, size_t room)
{
    check(n, room);
    return ttyname_r(fd, to, n);
}

/* -- poll and select -- */

int __poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t room)
{
    check(n > SIZE_MAX / sizeof *fds ? SIZE_MAX : n * sizeof *fds, room);
    return poll(fds, n, timeout);
}

int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
                const sigset_t *mask, size_t room)
{
    check(n > SIZE_MAX / sizeof *fds ? SIZE_MAX : n * sizeof *fds, room);
    return ppoll(fds, n, timeout, mask);
}

long __fdelt_chk(long fd)
{
    if (fd < 0 || fd >= FD_SETSIZE)
        __chk_fail();
    return fd / (8 * (long)sizeof(long));
}

/* -- wide strings -- */

wchar_t *__wmemcpy_chk(wchar_t *to, const wchar_t *from, size_t n, size_t room)
{
    check(n, room);
    return wmemcpy(to, from, n);
}

wchar_t *__wmemset_chk(wchar_t *to, wchar_t c, size_t n, size_t room)
{
    check(n, room);
    return wmemset(to, c, n);
}

wchar_t *__wcscpy_chk(wchar_t *to, const wchar_t *from, size_t room)
{
    check(wcslen(from) + 1, room);
    return wcscpy(to, from);
}

size_t __mbstowcs_chk(wchar_t *to, const char *from, size_t n, size_t room)
{
    check(n, room);
    return mbstowcs(to, from, n);
}

size_t __wcstombs_chk(char *to, const wchar_t *from, size_t n, size_t room)
{
    check(n, room);
    return wcstombs(to, from, n);
}

size_t __mbsrtowcs_chk(wchar_t *to, const char **from, size_t n,
                       mbstate_t *state, size_t room)
{
    check(n, room);
    return mbsrtowcs(to, from, n, state);
}

size_t __wcsrtombs_chk(char *to, const wchar_t **from, size_t n,
                       mbstate_t *state, size_t room)
{
    check(n, room);
    return wcsrtombs(to, from, n, state);
}

size_t __wcrtomb_chk(char *to, wchar_t c, mbstate_t *state, size_t room)
{
    check(MB_CUR_MAX, room);
    return wcrtomb(to, c, state);
}

/* glibc refuses to jump to a frame that is gone; musl has no such check. */
void __longjmp_chk(jmp_buf env, int value)
{
    longjmp(env, value);
}
