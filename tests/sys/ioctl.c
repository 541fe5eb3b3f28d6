/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests to descriptors, and what is a terminal.
 *
 * Covers: ioctl
 */
#include "check.h"
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>

static void test_descriptors(void)
{
    int p[2], n = 1;
    char c;

    CHECK_EQ(pipe(p), 0);
    CHECK_EQ(ioctl(p[0], FIONBIO, &n), 0);
    CHECK(fcntl(p[0], F_GETFL) & O_NONBLOCK);
    CHECK_ERR(read(p[0], &c, 1), EAGAIN);
    n = 0;
    CHECK_EQ(ioctl(p[0], FIONBIO, &n), 0);
    CHECK(!(fcntl(p[0], F_GETFL) & O_NONBLOCK));
    CHECK_EQ(ioctl(p[0], FIOCLEX), 0);
    CHECK_EQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
    CHECK_EQ(ioctl(p[0], FIONCLEX), 0);
    CHECK_EQ(fcntl(p[0], F_GETFD), 0);
    CHECK_EQ(write(p[1], "abc", 3), 3);
    CHECK_EQ(ioctl(p[0], FIONREAD, &n), 0);
    CHECK_EQ(n, 3);
    CHECK_ERR(ioctl(-1, FIONREAD, &n), EBADF);
    CHECK_ERR(ioctl(p[0], FIONREAD, check_bad_pointer()), EFAULT);
    CHECK_ERR(ioctl(p[0], 0x12345678, &n), ENOTTY);
    CHECK_EQ(isatty(p[0]), 0);
    CHECK_EQ(errno, ENOTTY);
    struct winsize size;
    CHECK_ERR(ioctl(p[0], TIOCGWINSZ, &size), ENOTTY);
    struct termios mode;
    CHECK_ERR(tcgetattr(p[0], &mode), ENOTTY);
    close(p[0]);
    close(p[1]);
}

static void test_file(void)
{
    int n = 0;

    check_file("file", "0123456789");
    int fd = open("file", O_RDONLY);
    CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
    CHECK_EQ(ioctl(fd, FIONREAD, &n), 0);
    CHECK_EQ(n, 6);
    CHECK_EQ(isatty(fd), 0);
    close(fd);
}

/* If there is a terminal at all, it answers like one. */
static void test_console(void)
{
    struct winsize size;
    struct termios mode;

    if (!isatty(1))
        return;
    CHECK_EQ(ioctl(1, TIOCGWINSZ, &size), 0);
    CHECK_EQ(tcgetattr(1, &mode), 0);
    CHECK_EQ(tcsetattr(1, TCSANOW, &mode), 0);
}

static void test_interfaces(void)
{
    struct ifreq request;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK(fd >= 0);
    memset(&request, 0, sizeof(request));
    strcpy(request.ifr_name, "lo");
    CHECK_EQ(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    CHECK(request.ifr_flags & IFF_LOOPBACK);
    CHECK_EQ(ioctl(fd, SIOCGIFINDEX, &request), 0);
    CHECK(request.ifr_ifindex > 0);
    unsigned index = (unsigned)request.ifr_ifindex;
    if (ioctl(fd, SIOCGIFADDR, &request) == 0) {
        struct sockaddr_in *in = (struct sockaddr_in *)&request.ifr_addr;
        CHECK_EQ(ntohl(in->sin_addr.s_addr), INADDR_LOOPBACK);
    }
    CHECK_EQ(if_nametoindex("lo"), index);
    char name[IF_NAMESIZE];
    CHECK(if_indextoname(index, name) && !strcmp(name, "lo"));
    strcpy(request.ifr_name, "none9");
    CHECK_ERR(ioctl(fd, SIOCGIFFLAGS, &request), ENODEV);
    close(fd);
}

int main(void)
{
    check_scratch();
    test_descriptors();
    test_file();
    test_console();
    test_interfaces();
    return 0;
}
