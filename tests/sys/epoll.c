/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * epoll: level and edge triggered, one shot, what may be watched.
 *
 * Covers: epoll_create epoll_create1 epoll_ctl epoll_wait
 * cc: -pthread
 */
#include "check.h"
#include <pthread.h>
#include <sys/epoll.h>

static int ep, p[2];

static int ctl(int op, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events,
                                .data.u64 = 0x123400000000u + (unsigned)fd};
    return epoll_ctl(ep, op, fd, &event);
}

/* Waits and returns the events of fd, 0 if it is not among the ready. */
static uint32_t wait_for(int fd, int ms)
{
    struct epoll_event events[8];
    int count = epoll_wait(ep, events, 8, ms);

    CHECK(count >= 0);
    for (int i = 0; i < count; i++)
        if (events[i].data.u64 == 0x123400000000u + (unsigned)fd)
            return events[i].events;
    return 0;
}

static void drain(void)
{
    char buffer[100];

    CHECK(read(p[0], buffer, sizeof(buffer)) > 0);
}

static void test_create(void)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);

    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    fd = (int)syscall(SYS_epoll_create, 1);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    close(fd);
    CHECK_ERR(syscall(SYS_epoll_create, 0), EINVAL);
    CHECK_ERR(syscall(SYS_epoll_create1, 0x40), EINVAL);
}

static void test_level(void)
{
    CHECK_EQ(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN), 0);
    CHECK_EQ(wait_for(p[0], 0), 0);
    CHECK_EQ(write(p[1], "abc", 3), 3);
    CHECK_EQ(wait_for(p[0], -1), EPOLLIN);
    CHECK_EQ(wait_for(p[0], -1), EPOLLIN); /* again: still readable */
    char c;
    CHECK_EQ(read(p[0], &c, 1), 1);
    CHECK_EQ(wait_for(p[0], -1), EPOLLIN);
    drain();
    CHECK_EQ(wait_for(p[0], 0), 0);
    CHECK_EQ(ctl(EPOLL_CTL_MOD, p[0], 0), 0); /* watched for nothing */
    CHECK_EQ(write(p[1], "x", 1), 1);
    CHECK_EQ(wait_for(p[0], 0), 0);
    CHECK_EQ(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN), 0); /* ready at once */
    CHECK_EQ(wait_for(p[0], 0), EPOLLIN);
    drain();
    CHECK_EQ(ctl(EPOLL_CTL_DEL, p[0], 0), 0);
}

static void test_edge(void)
{
    CHECK_EQ(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLET), 0);
    CHECK_EQ(write(p[1], "a", 1), 1);
    CHECK_EQ(wait_for(p[0], -1), EPOLLIN);
    CHECK_EQ(wait_for(p[0], 0), 0); /* told once */
    CHECK_EQ(write(p[1], "b", 1), 1);
    CHECK_EQ(wait_for(p[0], -1), EPOLLIN); /* something new came */
    CHECK_EQ(wait_for(p[0], 0), 0);
    drain();
    CHECK_EQ(wait_for(p[0], 0), 0);
    CHECK_EQ(ctl(EPOLL_CTL_DEL, p[0], 0), 0);
    /* Added while ready: told once. */
    CHECK_EQ(write(p[1], "c", 1), 1);
    CHECK_EQ(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLET), 0);
    CHECK_EQ(wait_for(p[0], 0), EPOLLIN);
    CHECK_EQ(wait_for(p[0], 0), 0);
    drain();
    CHECK_EQ(ctl(EPOLL_CTL_DEL, p[0], 0), 0);
}

static void test_one_shot(void)
{
    CHECK_EQ(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLONESHOT), 0);
    CHECK_EQ(write(p[1], "a", 1), 1);
    CHECK_EQ(wait_for(p[0], -1), EPOLLIN);
    CHECK_EQ(wait_for(p[0], 0), 0);
    CHECK_EQ(write(p[1], "b", 1), 1);
    CHECK_EQ(wait_for(p[0], 0), 0); /* disarmed */
    CHECK_ERR(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN), EEXIST);
    CHECK_EQ(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT), 0);
    CHECK_EQ(wait_for(p[0], 0), EPOLLIN);
    drain();
    CHECK_EQ(ctl(EPOLL_CTL_DEL, p[0], 0), 0);
}

static void test_errors(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    int file;

    check_file("file", "x");
    file = open("file", O_RDONLY);
    CHECK_ERR(ctl(EPOLL_CTL_ADD, file, EPOLLIN), EPERM); /* always ready */
    CHECK_ERR(ctl(EPOLL_CTL_ADD, ep, EPOLLIN), EINVAL);
    CHECK_ERR(ctl(EPOLL_CTL_ADD, -1, EPOLLIN), EBADF);
    CHECK_ERR(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN), ENOENT);
    CHECK_ERR(ctl(EPOLL_CTL_DEL, p[0], 0), ENOENT);
    CHECK_ERR(ctl(99, p[0], 0), EINVAL);
    CHECK_ERR(epoll_ctl(-1, EPOLL_CTL_ADD, p[0], &event), EBADF);
    CHECK_ERR(epoll_ctl(file, EPOLL_CTL_ADD, p[0], &event), EINVAL);
    CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], check_bad_pointer()), EFAULT);
    CHECK_ERR(epoll_wait(ep, &event, 0, 0), EINVAL);
    CHECK_ERR(epoll_wait(file, &event, 1, 0), EINVAL);
    CHECK_ERR(epoll_wait(-1, &event, 1, 0), EBADF);
    close(file);
}

static void test_closing(void)
{
    int q[2], copy;

    CHECK_EQ(pipe(q), 0);
    CHECK_EQ(ctl(EPOLL_CTL_ADD, q[0], EPOLLIN), 0);
    close(q[1]);
    CHECK_EQ(wait_for(q[0], -1), EPOLLHUP); /* wanted or not */
    copy = dup(q[0]);
    close(q[0]);
    /* Another descriptor of it is open: the watch goes on. */
    CHECK_EQ(wait_for(q[0], -1), EPOLLHUP);
    close(copy);
    CHECK_EQ(wait_for(q[0], 0), 0); /* the last one takes it away */
}

static void test_nested(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = 7}, out;
    int outer = epoll_create1(0);

    CHECK_EQ(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &event), 0);
    CHECK_ERR(ctl(EPOLL_CTL_ADD, outer, EPOLLIN), ELOOP);
    CHECK_EQ(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN), 0);
    CHECK_EQ(epoll_wait(outer, &out, 1, 0), 0);
    CHECK_EQ(write(p[1], "x", 1), 1);
    CHECK_EQ(epoll_wait(outer, &out, 1, -1), 1);
    CHECK(out.data.fd == 7 && out.events == EPOLLIN);
    drain();
    CHECK_EQ(epoll_wait(outer, &out, 1, 0), 0);
    CHECK_EQ(ctl(EPOLL_CTL_DEL, p[0], 0), 0);
    close(outer);
}

static void *write_later(void *argument)
{
    check_sleep_ms(20);
    CHECK_EQ(write(p[1], "z", 1), 1);
    return argument;
}

static void test_blocking(void)
{
    pthread_t thread;
    long long start = check_now_ns();

    CHECK_EQ(wait_for(p[0], 25), 0);
    CHECK(check_now_ns() - start >= 25000000);
    CHECK_EQ(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN), 0);
    CHECK_EQ(pthread_create(&thread, NULL, write_later, NULL), 0);
    CHECK_EQ(wait_for(p[0], -1), EPOLLIN);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    drain();
    CHECK_EQ(ctl(EPOLL_CTL_DEL, p[0], 0), 0);
}

int main(void)
{
    check_scratch();
    int before = check_open_descriptors();
    ep = epoll_create1(0);
    CHECK(ep >= 0);
    CHECK_EQ(pipe(p), 0);
    test_create();
    test_level();
    test_edge();
    test_one_shot();
    test_errors();
    test_closing();
    test_nested();
    test_blocking();
    close(ep);
    close(p[0]);
    close(p[1]);
    CHECK_EQ(check_open_descriptors(), before);
    return 0;
}
