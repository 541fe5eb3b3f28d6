/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names that archives built against glibc want: fortified functions. Each
 * works where the object is large enough, and ends the program (SIGABRT) where
 * it is not.
 */
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>
#include <wchar.h>

#include "check.h"
#include "../../libc/compat/compat.h"

static sigjmp_buf back;

static void aborted(int signal)
{
    siglongjmp(back, signal);
}

/* That the expression ends in abort(). */
#define DIES(expression)                                                       \
    do {                                                                       \
        if (sigsetjmp(back, 1) == 0) {                                         \
            (void)(expression);                                                \
            CHECK(!"went on: " #expression);                                   \
        }                                                                      \
    } while (0)

static void test_memory(void)
{
    char b[16];

    CHECK(__memcpy_chk(b, "abc", 4, 16) == b && strcmp(b, "abc") == 0);
    CHECK(__memmove_chk(b + 1, b, 4, 15) == b + 1);
    CHECK(strcmp(b, "aabc") == 0);
    CHECK(__mempcpy_chk(b, "xy", 3, 16) == b + 3);
    CHECK(__memset_chk(b, 'z', 16, 16) == b && b[15] == 'z');
    __explicit_bzero_chk(b, 16, 16);
    CHECK(b[0] == 0 && b[15] == 0);
    DIES(__memcpy_chk(b, "abc", 4, 3));
    DIES(__memmove_chk(b, "abc", 4, 3));
    DIES(__mempcpy_chk(b, "abc", 4, 3));
    DIES(__memset_chk(b, 0, 17, 16));
    DIES((__explicit_bzero_chk(b, 17, 16), 0));
}

static void test_strings(void)
{
    char b[16];

    CHECK(__strcpy_chk(b, "hello", 16) == b && strcmp(b, "hello") == 0);
    CHECK(__stpcpy_chk(b, "hey", 16) == b + 3);
    CHECK(__strcat_chk(b, "you", 16) == b && strcmp(b, "heyyou") == 0);
    CHECK(__strncat_chk(b, "there", 2, 16) == b);
    CHECK(strcmp(b, "heyyouth") == 0);
    CHECK(__strncpy_chk(b, "ab", 8, 16) == b && b[7] == 0);
    CHECK(__stpncpy_chk(b, "abc", 8, 16) == b + 3);
    DIES(__strcpy_chk(b, "hello", 5));
    DIES(__stpcpy_chk(b, "hello", 5));
    DIES(__strncpy_chk(b, "a", 17, 16));
    DIES(__stpncpy_chk(b, "a", 17, 16));
    strcpy(b, "0123456789");
    DIES(__strcat_chk(b, "012345", 16));
    DIES(__strncat_chk(b, "012345", 6, 16));
}

static int list(int (*function)(char *, int, size_t, const char *, va_list),
                char *to, size_t room, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = function(to, 0, room, format, args);
    va_end(args);
    return length;
}

static int vfprintf_list(FILE *file, const char *format, ...)
{
    va_list args, again;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = __vfprintf_chk(file, 0, format, args);
    va_end(args);
    length += __vdprintf_chk(fileno(file), 0, format, again);
    va_end(again);
    return length;
}

static int vasprintf_list(char **out, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = __vasprintf_chk(out, 0, format, args);
    va_end(args);
    return length;
}

static int vsn_list(char *to, size_t n, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = __vsnprintf_chk(to, n, 0, n, format, args);
    va_end(args);
    return length;
}

static int vprintf_list(const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = __vprintf_chk(0, format, args);
    va_end(args);
    return length;
}

static void test_printf(void)
{
    FILE *null = fopen("/dev/null", "w");
    wchar_t w[16];
    char b[16], *made;

    CHECK(null != NULL);
    CHECK_EQ(__sprintf_chk(b, 0, 16, "%d-%s", 7, "x"), 3);
    CHECK(strcmp(b, "7-x") == 0);
    CHECK_EQ(__sprintf_chk(b, 0, SIZE_MAX, "%d", 42), 2);
    CHECK_EQ(__snprintf_chk(b, 4, 0, 16, "%d", 123456), 6);
    CHECK(strcmp(b, "123") == 0);
    CHECK_EQ(list(__vsprintf_chk, b, 16, "%c", 'q'), 1);
    CHECK_EQ(vsn_list(b, 16, "%x", 255), 2);
    CHECK_EQ(__fprintf_chk(null, 0, "%s", "abc"), 3);
    CHECK_EQ(__dprintf_chk(fileno(null), 0, "%s", "abcd"), 4);
    CHECK_EQ(vfprintf_list(null, "%d", 12345), 10);
    CHECK_EQ(__printf_chk(0, "%s", ""), 0);
    CHECK_EQ(vprintf_list("%s", ""), 0);
    CHECK_EQ(__asprintf_chk(&made, 0, "%05d", 42), 5);
    CHECK(strcmp(made, "00042") == 0);
    free(made);
    CHECK_EQ(vasprintf_list(&made, "%s", "made"), 4);
    free(made);
    CHECK_EQ(__swprintf_chk(w, 16, 0, 16, L"%d", 99), 2);
    CHECK(wcscmp(w, L"99") == 0);
    __syslog_chk(LOG_DEBUG, 0, "%s", "nobody listens");
    DIES(__sprintf_chk(b, 0, 3, "%d", 1000));
    DIES(__snprintf_chk(b, 17, 0, 16, "x"));
    DIES(__swprintf_chk(w, 17, 0, 16, L"x"));
    fclose(null);
}

static void test_reading(void)
{
    char b[PATH_MAX], path[] = "/tmp/compat-fortify-XXXXXX";
    int fd = mkstemp(path), pair[2];
    gid_t groups[64];
    FILE *file;

    CHECK(fd >= 0);
    CHECK_EQ(write(fd, "line\nrest", 9), 9);
    CHECK_EQ(__pread_chk(fd, b, 4, 0, sizeof b), 4);
    CHECK_EQ(__pread64_chk(fd, b, 4, 5, sizeof b), 4);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(__read_chk(fd, b, 9, sizeof b), 9);
    DIES(__read_chk(fd, b, 9, 8));
    DIES(__pread_chk(fd, b, 9, 0, 8));
    file = fopen(path, "r");
    CHECK(file != NULL);
    CHECK(__fgets_chk(b, sizeof b, 64, file) == b);
    CHECK(strcmp(b, "line\n") == 0);
    CHECK_EQ(__fread_chk(b, sizeof b, 2, 2, file), 2);
    DIES(__fgets_chk(b, 3, 4, file));
    DIES(__fread_chk(b, 7, 2, 4, file));
    fclose(file);
    close(fd);
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(symlink("target", path), 0);
    CHECK_EQ(__readlink_chk(path, b, 64, sizeof b), 6);
    CHECK_EQ(__readlinkat_chk(AT_FDCWD, path, b, 64, sizeof b), 6);
    DIES(__readlink_chk(path, b, 9, 8));
    DIES(__readlinkat_chk(AT_FDCWD, path, b, 9, 8));
    CHECK_EQ(unlink(path), 0);
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    CHECK_EQ(write(pair[0], "abcd", 4), 4);
    CHECK_EQ(__recv_chk(pair[1], b, 2, sizeof b, 0), 2);
    CHECK_EQ(__recvfrom_chk(pair[1], b, 2, sizeof b, 0, NULL, NULL), 2);
    DIES(__recv_chk(pair[1], b, 9, 8, 0));
    DIES(__recvfrom_chk(pair[1], b, 9, 8, 0, NULL, NULL));
    close(pair[0]);
    close(pair[1]);
    CHECK(__realpath_chk("/", b, sizeof b) == b && strcmp(b, "/") == 0);
    DIES(__realpath_chk("/", b, 16));
    CHECK(__getcwd_chk(b, sizeof b, sizeof b) == b);
    DIES(__getcwd_chk(b, 9, 8));
    CHECK_EQ(__gethostname_chk(b, sizeof b, sizeof b), 0);
    DIES(__gethostname_chk(b, 9, 8));
    CHECK(__getgroups_chk(64, groups, sizeof groups) >= 0);
    DIES(__getgroups_chk(64, groups, 8));
    CHECK(__confstr_chk(_CS_PATH, b, sizeof b, sizeof b) > 0);
    DIES(__confstr_chk(_CS_PATH, b, 9, 8));
    CHECK(__ttyname_r_chk(-1, b, sizeof b, sizeof b) != 0);
    DIES(__ttyname_r_chk(0, b, 9, 8));
}

static void test_waiting(void)
{
    struct pollfd fds[2] = {{.fd = -1}, {.fd = -1}};
    struct timespec zero = {0, 0};

    CHECK_EQ(__poll_chk(fds, 2, 0, sizeof fds), 0);
    CHECK_EQ(__ppoll_chk(fds, 2, &zero, NULL, sizeof fds), 0);
    CHECK_EQ(__fdelt_chk(130), 2);
    DIES(__poll_chk(fds, 2, 0, sizeof fds[0]));
    DIES(__ppoll_chk(fds, 2, &zero, NULL, sizeof fds[0]));
    DIES(__fdelt_chk(1024));
    DIES(__fdelt_chk(-1));
}

static void test_wide(void)
{
    const char *from = "abc";
    const wchar_t *wide = L"xyz";
    mbstate_t state = {0};
    wchar_t w[8];
    char b[8];

    CHECK(__wmemcpy_chk(w, L"abc", 4, 8) == w && wcscmp(w, L"abc") == 0);
    CHECK(__wmemset_chk(w, L'q', 8, 8) == w && w[7] == L'q');
    CHECK(__wcscpy_chk(w, L"hey", 8) == w);
    CHECK_EQ(__mbstowcs_chk(w, "abc", 8, 8), 3);
    CHECK_EQ(__wcstombs_chk(b, L"abc", 8, 8), 3);
    CHECK_EQ(__mbsrtowcs_chk(w, &from, 8, &state, 8), 3);
    CHECK_EQ(__wcsrtombs_chk(b, &wide, 8, &state, 8), 3);
    CHECK_EQ(__wcrtomb_chk(b, L'a', &state, sizeof b), 1);
    DIES(__wmemcpy_chk(w, L"abc", 4, 3));
    DIES(__wmemset_chk(w, 0, 9, 8));
    DIES(__wcscpy_chk(w, L"hey", 3));
    DIES(__mbstowcs_chk(w, "abc", 9, 8));
    DIES(__wcstombs_chk(b, L"abc", 9, 8));
    DIES(__mbsrtowcs_chk(w, &from, 9, &state, 8));
    DIES(__wcsrtombs_chk(b, &wide, 9, &state, 8));
    DIES(__wcrtomb_chk(b, L'a', &state, 0));
}

int main(void)
{
    static volatile int jumps;
    jmp_buf env;

    CHECK(freopen("/dev/null", "w", stderr) != NULL); /* "*** buffer ..." */
    CHECK(signal(SIGABRT, aborted) != SIG_ERR);
    test_memory();
    test_strings();
    test_printf();
    test_reading();
    test_waiting();
    test_wide();
    if (setjmp(env) == 0) {
        jumps++;
        __longjmp_chk(env, 1);
    }
    CHECK_EQ(jumps, 1);
    return 0;
}
