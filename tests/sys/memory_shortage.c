/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /proc/halvm/shortage tells by poll that memory gets short: once on the way
 * down, again for each step more, and anew after it was given back; and who
 * waits for that runs before the call returns that took the memory.
 *
 * Linux has no such file: its control groups' memory.events is alike.
 *
 * Covers: poll epoll_wait mmap munmap
 */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mman.h>

static int fd;

static long field(const char *name)
{
    static char text[256];
    ssize_t size = pread(fd, text, sizeof(text) - 1, 0);

    CHECK(size > 0);
    text[size] = 0;
    const char *at = strstr(text, name);
    CHECK(at != NULL);
    return strtol(at + strlen(name), NULL, 10);
}

static short events(int wanted)
{
    struct pollfd one = {fd, (short)wanted, 0};

    poll(&one, 1, 0);
    return one.revents;
}

static void *take(long kb)
{
    void *at = mmap(NULL, (size_t)kb * 1024, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(at != MAP_FAILED);
    return at;
}

static void give(void *at, long kb)
{
    CHECK_EQ(munmap(at, (size_t)kb * 1024), 0);
}

static volatile int woken;

static void *wait_for_news(void *unused)
{
    struct pollfd one = {fd, POLLPRI, 0};

    CHECK_EQ(poll(&one, 1, -1), 1);
    CHECK_EQ(one.revents, POLLPRI | POLLERR);
    woken++;
    return unused;
}

/* So many kilobytes until a little less than low is free. */
static long until_low(void)
{
    return (field("free: ") - field("low: ") + 64) & -4;
}

static void steps(void)
{
    long told = field("told: "), step = field("step: "), kb = until_low();

    CHECK_EQ(events(POLLPRI), 0);
    CHECK_EQ(events(POLLIN | POLLPRI), POLLIN);
    void *most = take(kb);
    CHECK_EQ(events(POLLPRI), POLLPRI | POLLERR);
    CHECK_EQ(events(0), POLLERR);
    CHECK_EQ(field("told: "), told + 1); /* which reads it */
    CHECK_EQ(events(POLLPRI), 0);

    /* What takes the place of as much is no news. */
    CHECK(mmap(most, (size_t)step * 4096, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == most);
    CHECK_EQ(events(POLLPRI), 0);

    void *little = take(step / 2 & -4);
    CHECK_EQ(events(POLLPRI), 0);
    give(little, step / 2 & -4);
    little = take(step / 2 & -4);
    CHECK_EQ(events(POLLPRI), 0);
    void *more = take(step);
    CHECK_EQ(events(POLLPRI), POLLPRI | POLLERR);
    CHECK_EQ(field("told: "), told + 2);

    give(more, step);
    give(little, step / 2 & -4);
    give(most, kb);
    CHECK_EQ(events(POLLPRI), 0);
    most = take(kb);
    CHECK_EQ(field("told: "), told + 3);
    give(most, kb);
}

static void waiter(void)
{
    pthread_t thread;
    long kb;

    CHECK_EQ(pthread_create(&thread, NULL, wait_for_news, NULL), 0);
    check_sleep_ms(20);
    CHECK_EQ(woken, 0);
    kb = until_low();
    void *most = take(kb);
    CHECK_EQ(woken, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    give(most, kb);
}

static void by_epoll(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLPRI};
    long kb = until_low();

    CHECK(epoll >= 0);
    CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
    void *most = take(kb);
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 1);
    CHECK_EQ(event.events, EPOLLPRI | EPOLLERR);
    give(most, kb);
    CHECK_EQ(close(epoll), 0);
}

int main(void)
{
    if (!check_unikernel())
        check_skip("Linux has no /proc/halvm/shortage");
    fd = open("/proc/halvm/shortage", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    for (int i = 0; i < 3; i++)
        steps();
    waiter();
    by_epoll();
    CHECK_EQ(close(fd), 0);
    return 0;
}
