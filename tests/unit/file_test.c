/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors, pipes, eventfd, timerfd, the console, poll, select and epoll,
 * with threads that really wait for each other. No page and no object is left
 * over at the end.
 */
#include "file_mock.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

static int fds[2];
static char buffer[1 << 17];
static volatile long thread_result;
static volatile bool thread_done;

static void finish(void)
{
    thread_done = true;
    core_exit(0);
}

static void start(void (*fn)(void *), void *arg)
{
    thread_done = false;
    CHECK(CALL(mock_thread(fn, arg, NULL)) > 0);
}

static void join(void)
{
    while (!thread_done)
        CALL(core_sched_yield());
    CALL(core_sched_yield());
}

static void test_table(void)
{
    CHECK(file_open_count() == 3);
    CHECK(CALL(core_dup(1)) == 3);
    CHECK(CALL(core_dup2(1, 700)) == 700);
    CHECK(CALL(core_dup2(1, 1024)) == -EBADF);
    CHECK(CALL(core_dup(1)) == 4);
    CHECK(CALL(core_close(3)) == 0);
    CHECK(CALL(core_close(3)) == -EBADF);
    CHECK(CALL(core_fcntl(1, F_DUPFD, 650)) == 650);
    CHECK(CALL(core_fcntl(1, F_DUPFD_CLOEXEC, 0)) == 3);
    CHECK(CALL(core_fcntl(3, F_GETFD, 0)) == FD_CLOEXEC);
    CHECK(CALL(core_fcntl(4, F_GETFD, 0)) == 0);
    CHECK(CALL(core_dup3(4, 4, 0)) == -EINVAL);
    CHECK(CALL(core_dup3(4, 5, O_CLOEXEC)) == 5);
    CHECK(CALL(core_fcntl(5, F_GETFD, 0)) == FD_CLOEXEC);
    CHECK(CALL(core_close_range(3, ~0u, 0)) == 0);
    CHECK(file_open_count() == 3);
    CHECK(file_limit_set(5, 5) == 0);
    CHECK(CALL(core_dup(1)) == 3 && CALL(core_dup(1)) == 4);
    CHECK(CALL(core_dup(1)) == -EMFILE);
    CHECK(file_limit_set(1024, LIMIT_DESCRIPTORS) == 0);
    CHECK(CALL(core_close_range(3, 4, 0)) == 0);
    CHECK(CALL(core_read(-1, P(buffer), 1)) == -EBADF);
}

static void write_much(void *size)
{
    thread_result = CALL(core_write(fds[1], P(buffer), (long)size));
    finish();
}

static void test_pipe(void)
{
    static char in[1 << 17];
    CHECK(CALL(core_pipe(P(fds))) == 0);
    CHECK(CALL(core_write(fds[1], P("ab"), 2)) == 2);
    CHECK(CALL(core_read(fds[0], P(in), 1)) == 1 && in[0] == 'a');
    CHECK(CALL(core_read(fds[0], P(in), 9)) == 1 && in[0] == 'b');
    /* A ring that starts in the middle of a page, filled to the brim: what is
     * written last must not go where the first page is still being read. */
    for (size_t i = 0; i < sizeof(buffer); i++)
        buffer[i] = (char)(i * 7 >> 3);
    start(write_much, (void *)sizeof(buffer));
    size_t done = 0;
    for (size_t step = 1; done < sizeof(buffer); step = step * 3 % 5003 + 1) {
        long got = CALL(core_read(fds[0], P(in + done), (long)step));
        CHECK(got > 0);
        done += (size_t)got;
    }
    join();
    CHECK(thread_result == sizeof(buffer));
    CHECK(memcmp(in, buffer, sizeof(buffer)) == 0);
    CHECK(CALL(core_fcntl(fds[1], F_SETFL, O_NONBLOCK)) == 0);
    CHECK(CALL(core_write(fds[1], P(buffer), 65536 - 4095)) == 65536 - 4095);
    CHECK(CALL(core_write(fds[1], P(buffer), 4096)) == -EAGAIN);
    CHECK(CALL(core_write(fds[1], P(buffer), 4097)) == 4095);
    CHECK(CALL(core_fcntl(fds[0], F_SETPIPE_SZ, 1 << 20)) == 1 << 20);
    CHECK(CALL(core_write(fds[1], P(buffer), 4096)) == 4096);
    CHECK(CALL(core_write(fds[1], P(NULL), 4096)) == -EFAULT);
    CHECK(CALL(core_close(fds[0])) == 0);
    CHECK(CALL(core_rt_sigprocmask(
              SIG_BLOCK, P(&(uint64_t){1u << (SIGPIPE - 1)}), 0, 8)) == 0);
    CHECK(CALL(core_write(fds[1], P("x"), 1)) == -EPIPE);
    CHECK(CALL(core_close(fds[1])) == 0);
}

static void read_one(void *fd)
{
    char c;
    thread_result = CALL(core_read((long)fd, P(&c), 1));
    finish();
}

static void test_end_of_pipe(void)
{
    CHECK(CALL(core_pipe(P(fds))) == 0);
    start(read_one, (void *)(long)fds[0]);
    CALL(core_sched_yield());
    CHECK(!thread_done);
    CHECK(CALL(core_close(fds[1])) == 0);
    join();
    CHECK(thread_result == 0);
    CHECK(CALL(core_close(fds[0])) == 0);
}

static void test_no_memory(void)
{
    CHECK(CALL(core_pipe(P(fds))) == 0);
    mock_no_memory = true;
    CHECK(CALL(core_write(fds[1], P("x"), 1)) == -ENOMEM);
    CHECK(CALL(core_eventfd2(0, 0)) == -ENOMEM);
    CHECK(CALL(core_epoll_create1(0)) == -ENOMEM);
    int other[2];
    CHECK(CALL(core_pipe(P(other))) < 0);
    mock_no_memory = false;
    CHECK(CALL(core_close(fds[0])) == 0 && CALL(core_close(fds[1])) == 0);
}

static void test_eventfd(void)
{
    uint64_t value = 3;
    long fd = CALL(core_eventfd2(1, EFD_SEMAPHORE | EFD_NONBLOCK));
    CHECK(CALL(core_write(fd, P(&value), 8)) == 8);
    for (int i = 0; i < 4; i++)
        CHECK(CALL(core_read(fd, P(&value), 8)) == 8 && value == 1);
    CHECK(CALL(core_read(fd, P(&value), 8)) == -EAGAIN);
    CHECK(CALL(core_read(fd, P(&value), 7)) == -EINVAL);
    value = UINT64_MAX;
    CHECK(CALL(core_write(fd, P(&value), 8)) == -EINVAL);
    value--;
    CHECK(CALL(core_write(fd, P(&value), 8)) == 8);
    value = 1;
    CHECK(CALL(core_write(fd, P(&value), 8)) == -EAGAIN);
    CHECK(CALL(core_pread64(fd, P(&value), 8, 0)) == -ESPIPE);
    CHECK(CALL(core_close(fd)) == 0);
}

static void test_timerfd(void)
{
    struct itimerspec set = {{0, 1000000}, {0, 3000000}}, now;
    uint64_t value;
    long fd = CALL(core_timerfd_create(CLOCK_MONOTONIC, 0));
    CHECK(CALL(core_timerfd_settime(fd, 0, P(&set), 0)) == 0);
    CHECK(CALL(core_read(fd, P(&value), 8)) == 8 && value == 1);
    mock_now += 5000000;
    CALL(core_sched_yield());
    CHECK(CALL(core_read(fd, P(&value), 8)) == 8 && value >= 1);
    CHECK(CALL(core_timerfd_gettime(fd, P(&now))) == 0);
    CHECK(now.it_interval.tv_nsec == 1000000 && now.it_value.tv_nsec > 0);
    set = (struct itimerspec){{0, 0}, {0, 0}};
    CHECK(CALL(core_timerfd_settime(fd, 0, P(&set), 0)) == 0);
    CHECK(CALL(core_timerfd_settime(1, 0, P(&set), 0)) == -EINVAL);
    set.it_value.tv_nsec = 1000000000;
    CHECK(CALL(core_timerfd_settime(fd, 0, P(&set), 0)) == -EINVAL);
    CHECK(CALL(core_close(fd)) == 0);
    CHECK(CALL(core_timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0)) == -EINVAL);
}

static void test_console(void)
{
    char c[16];
    struct winsize size;
    CHECK(CALL(core_ioctl(1, TIOCGWINSZ, P(&size))) == 0);
    CHECK(CALL(core_write(1, P("out\n"), 4)) == 4);
    CHECK(strcmp(mock_output, "out\n") == 0);
    CHECK(CALL(core_lseek(1, 0, 0)) == -ESPIPE);
    struct pollfd p = {0, POLLIN, 0};
    mock_type("ab");
    CHECK(CALL(core_poll(P(&p), 1, 0)) == 0);
    mock_type("\177c\r");
    CHECK(CALL(core_poll(P(&p), 1, 0)) == 1);
    CHECK(CALL(core_read(0, P(c), 2)) == 2 && memcmp(c, "ac", 2) == 0);
    CHECK(CALL(core_read(0, P(c), 9)) == 1 && c[0] == '\n');
    mock_type("end\4\4more\n");
    CHECK(CALL(core_read(0, P(c), 9)) == 3 && memcmp(c, "end", 3) == 0);
    CHECK(CALL(core_read(0, P(c), 9)) == 0);
    CHECK(CALL(core_read(0, P(c), 9)) == 5);
}

static void late_write(void *fd)
{
    CALL(core_write((long)fd, P("x"), 1));
    finish();
}

static void test_poll(void)
{
    enum { MANY = 300 };
    static struct pollfd many[MANY];
    struct pollfd two[3] = {{0}, {-1, POLLIN, 7}, {999, POLLIN, 0}};

    CHECK(CALL(core_pipe(P(fds))) == 0);
    two[0] = (struct pollfd){fds[0], POLLIN, 0};
    CHECK(CALL(core_poll(P(two), 2, 0)) == 0 && two[1].revents == 0);
    CHECK(CALL(core_poll(P(two), 3, -1)) == 1 && two[2].revents == POLLNVAL);
    uint64_t before = mock_now;
    CHECK(CALL(core_poll(P(two), 1, 5)) == 0 && mock_now - before >= 5000000);
    start(late_write, (void *)(long)fds[1]);
    CHECK(CALL(core_poll(P(two), 2, -1)) == 1 && two[0].revents == POLLIN);
    join();
    CHECK(CALL(core_read(fds[0], P(buffer), 1)) == 1);
    for (int i = 0; i < MANY; i++)
        many[i] = (struct pollfd){fds[0], POLLIN, 0};
    CHECK(CALL(core_poll(P(many), MANY, 0)) == 0);
    start(late_write, (void *)(long)fds[1]);
    CHECK(CALL(core_poll(P(many), MANY, -1)) == MANY);
    join();
    mock_no_memory = true;
    CHECK(CALL(core_poll(P(many), MANY, 0)) == -ENOMEM);
    mock_no_memory = false;
    CHECK(CALL(core_poll(P(many), 1025, 0)) == -EINVAL);
    CHECK(CALL(core_poll(P(NULL), 1, 0)) == -EFAULT);

    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(fds[0], &in);
    FD_SET(fds[1], &out);
    CHECK(CALL(core_select(fds[1] + 1, P(&in), P(&out), 0, 0)) == 2);
    FD_SET(400, &in);
    CHECK(CALL(core_select(401, P(&in), 0, 0, 0)) == -EBADF);
    CHECK(CALL(core_close(fds[0])) == 0 && CALL(core_close(fds[1])) == 0);
}

static long epoll_at;

static void waiter(void *arg)
{
    struct epoll_event event;
    thread_result = CALL(core_epoll_wait(epoll_at, P(&event), 1, -1));
    finish();
}

static void test_epoll(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77}, out[4];
    uint64_t one = 1;
    long ep = CALL(core_epoll_create1(0)), fd = CALL(core_eventfd2(0, 0));

    CHECK(CALL(core_epoll_ctl(ep, EPOLL_CTL_ADD, fd, P(&event))) == 0);
    CHECK(CALL(core_epoll_ctl(ep, EPOLL_CTL_ADD, fd, P(&event))) == -EEXIST);
    CHECK(CALL(core_epoll_wait(ep, P(out), 4, 0)) == 0);
    CHECK(CALL(core_write(fd, P(&one), 8)) == 8);
    for (int i = 0; i < 2; i++) /* level */
        CHECK(CALL(core_epoll_wait(ep, P(out), 4, -1)) == 1 &&
              out[0].data.u64 == 77 && out[0].events == EPOLLIN);
    event.events = EPOLLIN | EPOLLET;
    CHECK(CALL(core_epoll_ctl(ep, EPOLL_CTL_MOD, fd, P(&event))) == 0);
    CHECK(CALL(core_epoll_wait(ep, P(out), 4, 0)) == 1);
    CHECK(CALL(core_epoll_wait(ep, P(out), 4, 0)) == 0);
    CHECK(CALL(core_write(fd, P(&one), 8)) == 8);
    CHECK(CALL(core_epoll_wait(ep, P(out), 4, 0)) == 1);
    event.events = EPOLLIN | EPOLLONESHOT;
    CHECK(CALL(core_epoll_ctl(ep, EPOLL_CTL_MOD, fd, P(&event))) == 0);
    CHECK(CALL(core_epoll_wait(ep, P(out), 4, 0)) == 1);
    CHECK(CALL(core_write(fd, P(&one), 8)) == 8);
    CHECK(CALL(core_epoll_wait(ep, P(out), 4, 0)) == 0);
    CHECK(CALL(core_epoll_ctl(ep, EPOLL_CTL_MOD, fd, P(&event))) == 0);
    CHECK(CALL(core_epoll_wait(ep, P(out), 4, 0)) == 1);
    /* A waiting thread, and an epoll watched by another. */
    long outer = CALL(core_epoll_create1(0));
    event.events = EPOLLIN;
    CHECK(CALL(core_epoll_ctl(outer, EPOLL_CTL_ADD, ep, P(&event))) == 0);
    CHECK(CALL(core_epoll_ctl(ep, EPOLL_CTL_ADD, outer, P(&event))) == -ELOOP);
    CHECK(CALL(core_read(fd, P(&one), 8)) == 8);
    CHECK(CALL(core_epoll_ctl(ep, EPOLL_CTL_MOD, fd, P(&event))) == 0);
    epoll_at = outer;
    start(waiter, NULL);
    CALL(core_sched_yield());
    CHECK(!thread_done);
    CHECK(CALL(core_write(fd, P(&one), 8)) == 8);
    join();
    CHECK(thread_result == 1);
    /* A file that goes is forgotten. */
    CHECK(CALL(core_close(fd)) == 0);
    CHECK(CALL(core_epoll_wait(ep, P(out), 4, 0)) == 0);
    CHECK(CALL(core_epoll_ctl(ep, EPOLL_CTL_DEL, fd, 0)) == -EBADF);
    CHECK(CALL(core_epoll_wait(ep, P(out), 0, 0)) == -EINVAL);
    CHECK(CALL(core_close(ep)) == 0 && CALL(core_close(outer)) == 0);
}

static void run(void)
{
    CHECK(core_locked == 0);
    test_table();
    int pages = mock_pages;
    test_pipe();
    test_end_of_pipe();
    test_no_memory();
    test_eventfd();
    test_timerfd();
    test_console();
    test_poll();
    test_epoll();
    CHECK(file_open_count() == 3);
    CHECK(mock_pages == pages);
}

int main(void)
{
    file_mock_run(run, NULL, 0);
}
