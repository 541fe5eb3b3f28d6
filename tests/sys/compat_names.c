/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names that archives built against glibc want, and musl lacks: fcntl64, the
 * fortified opens, device numbers, arc4random, error, contexts, the unwinder's
 * table, destructors at a thread's end.
 * status: 7
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "../../libc/compat/compat.h"

static int destroyed;

static void destroy(void *object)
{
    destroyed = destroyed * 10 + *(int *)object;
}

static void *with_destructors(void *unused)
{
    static int one = 1, two = 2;

    CHECK_EQ(__cxa_thread_atexit_impl(destroy, &one, NULL), 0);
    CHECK_EQ(__cxa_thread_atexit_impl(destroy, &two, NULL), 0);
    return NULL;
}

static void test_opens(void)
{
    int fd = __open_2("/dev/null", O_RDWR);

    CHECK(fd >= 0);
    CHECK_EQ(fcntl64(fd, F_GETFD), 0);
    CHECK_EQ(fcntl64(fd, F_SETFD, FD_CLOEXEC), 0);
    CHECK_EQ(fcntl64(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    CHECK_EQ(__open64_2("/dev/null", O_RDONLY), fd);
    close(fd);
    CHECK_EQ(__openat_2(AT_FDCWD, "/dev/null", O_RDONLY), fd);
    close(fd);
    CHECK_EQ(__openat64_2(AT_FDCWD, "/dev/null", O_RDONLY), fd);
    close(fd);
}

static void test_random(void)
{
    unsigned char bytes[600] = {0};
    unsigned seen = 0, above = 0;

    arc4random_buf(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        seen += bytes[i] != 0;
    CHECK(seen > 500); /* 1 in 256 is zero by chance */
    CHECK(arc4random() != arc4random() || arc4random() != arc4random());
    for (int i = 0; i < 200; i++)
        above += arc4random_uniform(10) > 9;
    CHECK_EQ(above, 0);
    CHECK_EQ(arc4random_uniform(1), 0);
}

/* libgcc's own declaration is in no header. */
struct dl_find_object {
    unsigned long long flags;
    void *map_start, *map_end, *link_map, *eh_frame;
    unsigned long long reserved[7];
};

int main(void)
{
    struct dl_find_object found;
    ucontext_t context;
    pthread_t thread;

    test_opens();
    test_random();
    CHECK_EQ(gnu_dev_major(gnu_dev_makedev(0x12345, 0x6789a)), 0x12345);
    CHECK_EQ(gnu_dev_minor(gnu_dev_makedev(0x12345, 0x6789a)), 0x6789a);
    CHECK(strcmp(gnu_get_libc_version(), "2.36") == 0);
    CHECK(gnu_get_libc_release() != NULL);
    CHECK_EQ(__libc_single_threaded, 0);
    CHECK_ERR(getcontext(&context), ENOSYS);
    CHECK_ERR(setcontext(&context), ENOSYS);
    CHECK_ERR(swapcontext(&context, &context), ENOSYS);
    CHECK_EQ(_dl_find_object((void *)(uintptr_t)main, &found), 0);
    CHECK((char *)found.map_start < (char *)(uintptr_t)main &&
          (char *)found.map_end > (char *)(uintptr_t)main);
    CHECK(found.eh_frame != NULL);
    CHECK_EQ(_dl_find_object(&found, &found), -1);
    CHECK_EQ(pthread_create(&thread, NULL, with_destructors, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(destroyed, 21); /* the last made goes first */
    CHECK(freopen("/dev/null", "w", stderr) != NULL);
    error(0, EINVAL, "said %d", 1); /* does not end the program */
    error(7, 0, "and this does, with status 7");
    return 1;
}
