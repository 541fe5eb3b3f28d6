/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What sockets refuse, and how.
 *
 * Covers: socket bind listen accept accept4 connect getsockname getpeername
 */
#include "net.h"

static void test_socket(void)
{
    CHECK_ERR(socket(77, SOCK_STREAM, 0), EAFNOSUPPORT);
    CHECK_ERR(socket(AF_INET, 77, 0), EINVAL);
    CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    CHECK_ERR(socket(AF_INET, SOCK_STREAM | 0x40000000, 0), EINVAL);
    int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    CHECK(fd >= 0);
    struct stat st;
    CHECK_EQ(fstat(fd, &st), 0);
    CHECK(S_ISSOCK(st.st_mode));
    CHECK_ERR(lseek(fd, 0, SEEK_CUR), ESPIPE);
    close(fd);
}

static void test_bind(void)
{
    union net_address a;
    int port, taken = net_listener(AF_INET, &port);
    socklen_t size = net_loopback(&a, AF_INET, port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK_ERR(bind(fd, &a.any, size), EADDRINUSE);
    CHECK_ERR(bind(fd, &a.any, 3), EINVAL);
    CHECK_ERR(bind(fd, check_bad_pointer(), size), EFAULT);
    CHECK_ERR(bind(-1, &a.any, size), EBADF);
    CHECK_ERR(bind(0, &a.any, size), ENOTSOCK);
    a.v4.sin_port = 0;
    a.v4.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1 is nobody's */
    CHECK_ERR(bind(fd, &a.any, size), EADDRNOTAVAIL);
    a.v4.sin_family = AF_INET6;
    CHECK(bind(fd, &a.any, size) == -1);
    size = net_loopback(&a, AF_INET, 0);
    CHECK_EQ(bind(fd, &a.any, size), 0);
    CHECK_ERR(bind(fd, &a.any, size), EINVAL); /* once only */
    close(fd);
    close(taken);
}

static void test_unconnected(void)
{
    union net_address a;
    socklen_t size = sizeof(a);
    char c;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK_EQ(getsockname(fd, &a.any, &size), 0);
    CHECK(a.v4.sin_port == 0 && size == sizeof(a.v4));
    CHECK_ERR(getpeername(fd, &a.any, &size), ENOTCONN);
    CHECK_ERR(recv(fd, &c, 1, 0), ENOTCONN);
    CHECK_ERR(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK_ERR(accept(fd, NULL, NULL), EINVAL);
    CHECK_ERR(getsockname(fd, check_bad_pointer(), &size), EFAULT);
    CHECK_ERR(getsockname(fd, &a.any, check_bad_pointer()), EFAULT);
    int revents = net_poll(fd, POLLIN | POLLOUT, 0);
    CHECK(revents & POLLHUP);
    /* An unbound socket that listens gets a port. */
    CHECK_EQ(listen(fd, 1), 0);
    size = sizeof(a);
    CHECK_EQ(getsockname(fd, &a.any, &size), 0);
    CHECK(a.v4.sin_port != 0);
    CHECK_ERR(recv(fd, &c, 1, 0), ENOTCONN);
    size = net_loopback(&a, AF_INET, 1);
    CHECK_ERR(connect(fd, &a.any, size), EISCONN);
    close(fd);
}

static void test_wrong_kind(void)
{
    union net_address a;
    socklen_t size = sizeof(a);
    int p[2], udp = socket(AF_INET, SOCK_DGRAM, 0);

    CHECK_ERR(listen(udp, 1), EOPNOTSUPP);
    CHECK_ERR(accept(udp, NULL, NULL), EOPNOTSUPP);
    CHECK_EQ(pipe(p), 0);
    CHECK_ERR(listen(p[0], 1), ENOTSOCK);
    CHECK_ERR(accept(p[0], NULL, NULL), ENOTSOCK);
    CHECK_ERR(connect(p[0], &a.any, sizeof(a.v4)), ENOTSOCK);
    CHECK_ERR(getsockname(p[0], &a.any, &size), ENOTSOCK);
    CHECK_ERR(getpeername(p[0], &a.any, &size), ENOTSOCK);
    CHECK_ERR(listen(-1, 1), EBADF);
    CHECK_ERR(accept(-1, NULL, NULL), EBADF);
    CHECK_ERR(connect(-1, &a.any, sizeof(a.v4)), EBADF);
    CHECK_ERR(getpeername(-1, &a.any, &size), EBADF);
    close(p[0]);
    close(p[1]);
    close(udp);
}

static void test_connect(void)
{
    union net_address a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = net_loopback(&a, AF_INET, 9);

    CHECK_ERR(connect(fd, &a.any, 3), EINVAL);
    CHECK_ERR(connect(fd, check_bad_pointer(), size), EFAULT);
    a.any.sa_family = 77;
    CHECK_ERR(connect(fd, &a.any, size), EAFNOSUPPORT);
    close(fd);
}

int main(void)
{
    int p[2];

    CHECK_EQ(pipe(p), 0); /* descriptor 0 is no socket, whatever it was */
    CHECK_EQ(dup2(p[0], 0), 0);
    test_socket();
    test_bind();
    test_unconnected();
    test_wrong_kind();
    test_connect();
    return 0;
}
