/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that a provider answers get pointers to nothing: EFAULT, as from the
 * kernel, and not the end of the program. Sockets and files; and what a handler
 * of one's own copies with halvm_copy_in and its like.
 */
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/uio.h>

#include <halvm/file.h>
#include <halvm/net.h>
#include <halvm/reroute.h>

#include "check.h"

static struct halvm_service *service;
static char *end;       /* behind the last byte of a page; nothing there */
static char *read_only; /* a page that cannot be written */

/* Calls past libc, which follows some pointers itself. */
#define CALL(name, ...) syscall(SYS_##name, __VA_ARGS__)

static void copies(void)
{
    char text[8];

    CHECK_EQ(halvm_copy_in(text, "abc", 4), 0);
    CHECK_EQ(halvm_copy_out(text, "xyz", 4), 0);
    CHECK(strcmp(text, "xyz") == 0);
    errno = 77;
    CHECK_EQ(halvm_copy_in(text, check_bad_pointer(), 1), -EFAULT);
    CHECK_EQ(halvm_copy_in(text, end, 1), -EFAULT);
    CHECK_EQ(halvm_copy_in(text, end - 2, 4), -EFAULT);
    CHECK_EQ(halvm_copy_in(text, NULL, 1), -EFAULT);
    CHECK_EQ(halvm_copy_in(text, NULL, 0), 0);
    CHECK_EQ(halvm_copy_out(end, text, 1), -EFAULT);
    CHECK_EQ(halvm_copy_out(read_only, text, 1), -EFAULT);
    CHECK_EQ(halvm_copy_in(text, read_only, 1), 0);
    memcpy(end - 3, "ab", 3);
    CHECK_EQ(halvm_copy_string(text, end - 3, sizeof text), 2);
    CHECK(strcmp(text, "ab") == 0);
    CHECK_EQ(halvm_copy_string(text, end - 3, 2), -ENAMETOOLONG);
    end[-1] = 'c';
    CHECK_EQ(halvm_copy_string(text, end - 3, sizeof text), -EFAULT);
    CHECK_EQ(errno, 77);
}

/* The provider's end of the socket that was made last. */
static int provider_end(void)
{
    struct halvm_event *event;
    int fd = -1;

    while ((event = halvm_service_take(service)) != NULL) {
        if (event->kind == HALVM_NET_OPEN)
            fd = event->fd;
        halvm_event_free(event);
    }
    return fd;
}

static void names(int fd, void *bad)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    int number = 1;

    CHECK_ERR(bind(fd, bad, 16), EFAULT);
    CHECK_ERR(connect(fd, bad, 16), EFAULT);
    CHECK_ERR(getsockname(fd, bad, &size), EFAULT);
    CHECK_ERR(getsockname(fd, (void *)&address, bad), EFAULT);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, bad, 4), EFAULT);
    CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, bad, 4), EFAULT);
    size = 4;
    CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, bad, &size), EFAULT);
    CHECK_ERR(getsockopt(fd, SOL_SOCKET, SO_TYPE, &number, bad), EFAULT);
}

static void messages(int fd, int far, void *bad)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(7)};
    char text[8] = "text";
    struct iovec iov = {text, sizeof text}, none = {bad, 4};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    struct halvm_net_packet packet = {.address_size = sizeof to};

    memcpy(packet.address, &to, sizeof to);
    CHECK_ERR(CALL(sendto, fd, text, 4, 0, bad, 16), EFAULT);
    CHECK_ERR(CALL(sendto, fd, bad, 4, 0, &to, sizeof to), EFAULT);
    CHECK_ERR(CALL(sendmsg, fd, bad, 0), EFAULT);
    CHECK_ERR(CALL(sendmmsg, fd, bad, 1, 0), EFAULT);
    CHECK_ERR(CALL(recvmsg, fd, bad, MSG_DONTWAIT), EFAULT);
    CHECK_ERR(CALL(recvmmsg, fd, bad, 1, MSG_DONTWAIT, NULL), EFAULT);
    CHECK_ERR(CALL(recvfrom, fd, text, 4, MSG_DONTWAIT, &to, bad), EFAULT);
    CHECK_ERR(CALL(readv, fd, bad, 1), EFAULT);
    CHECK_EQ(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    CHECK_ERR(CALL(writev, fd, bad, 1), EFAULT);
    message.msg_name = bad;
    message.msg_namelen = sizeof to;
    CHECK_ERR(sendmsg(fd, &message, 0), EFAULT);
    message.msg_iov = bad;
    message.msg_name = &to;
    CHECK_ERR(sendmsg(fd, &message, 0), EFAULT);
    message.msg_iov = &none;
    CHECK_ERR(sendmsg(fd, &message, 0), EFAULT);
    /* What came is lost where it cannot be put, as with Linux. */
    for (int i = 0; i < 2; i++)
        CHECK_EQ(send(far, &packet, sizeof packet, 0), sizeof packet);
    message.msg_iov = &iov;
    message.msg_name = bad;
    CHECK_ERR(recvmsg(fd, &message, MSG_DONTWAIT), EFAULT);
    CHECK_EQ(CALL(recvfrom, fd, text, 4, MSG_DONTWAIT, NULL, NULL), 0);
    CHECK_ERR(recv(fd, text, 4, MSG_DONTWAIT), EAGAIN);
    int on = 1;
    CHECK_EQ(setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof on), 0);
    packet.hop_limit = 5;
    CHECK_EQ(send(far, &packet, sizeof packet, 0), sizeof packet);
    message.msg_name = NULL;
    message.msg_control = bad;
    message.msg_controllen = 64;
    CHECK_ERR(CALL(recvmsg, fd, &message, MSG_DONTWAIT), EFAULT);
    CHECK_EQ(send(far, &packet, sizeof packet, 0), sizeof packet);
    CHECK_ERR(ioctl(fd, FIONREAD, bad), EFAULT);
    CHECK_EQ(recv(fd, text, 4, MSG_DONTWAIT), 0);
}

static void accepting(void *bad)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(9)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), far;
    struct halvm_event *event;
    uint64_t listener = 0, id;

    CHECK_EQ(listen(fd, 4), 0);
    while ((event = halvm_service_take(service)) != NULL) {
        listener = event->id;
        halvm_event_free(event);
    }
    far = halvm_net_incoming(service, listener, &from, sizeof from, &from,
                             sizeof from, &id);
    CHECK(far >= 0);
    CHECK_ERR(accept(fd, bad, bad), EFAULT);
    CHECK_EQ(halvm_net_close(service, id), 0);
    CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    CHECK_ERR(accept(fd, NULL, NULL), EAGAIN); /* it is lost */
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(halvm_net_close(service, listener), 0);
}

static void sockets(void *bad)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0), far = provider_end();
    struct halvm_event *event;

    CHECK(fd >= 0 && far >= 0);
    names(fd, bad);
    messages(fd, far, bad);
    CHECK_EQ(close(fd), 0);
    while ((event = halvm_service_take(service)) != NULL) {
        if (event->kind == HALVM_NET_CLOSE)
            CHECK_EQ(halvm_net_close(service, event->id), 0);
        halvm_event_free(event);
    }
    accepting(bad);
}

static void paths(void *bad)
{
    struct stat found;

    CHECK_ERR(open(bad, O_RDONLY), EFAULT);
    CHECK_ERR(access(bad, R_OK), EFAULT);
    CHECK_ERR(CALL(newfstatat, AT_FDCWD, bad, &found, 0), EFAULT);
    CHECK_ERR(rename("/tree/file", bad), EFAULT);
    CHECK_ERR(rename(bad, "/tree/other"), EFAULT);
    CHECK_ERR(CALL(stat, "/tree/file", bad), EFAULT);
    CHECK_ERR(CALL(newfstatat, AT_FDCWD, "/tree/file", bad, 0), EFAULT);
    CHECK_ERR(CALL(statx, AT_FDCWD, "/tree/file", 0, 0x7ff, bad), EFAULT);
    CHECK_ERR(CALL(statfs, "/tree/file", bad), EFAULT);
}

static void files(void *bad)
{
    char text[16];
    struct iovec one = {bad, 4}, two[2] = {{text, 4}, {bad, 4}};
    int fd = open("/tree/file", O_RDWR), folder = open("/tree", O_RDONLY);

    CHECK(fd >= 0 && folder >= 0);
    CHECK_ERR(CALL(read, fd, bad, 4), EFAULT);
    CHECK_ERR(CALL(write, fd, bad, 4), EFAULT);
    CHECK_ERR(CALL(pread64, fd, bad, 4, 0), EFAULT);
    CHECK_ERR(readv(fd, bad, 1), EFAULT);
    CHECK_ERR(readv(fd, &one, 1), EFAULT);
    CHECK_ERR(writev(fd, &one, 1), EFAULT);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    CHECK_EQ(readv(fd, two, 2), 4); /* as far as it goes */
    CHECK(memcmp(text, "cont", 4) == 0);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
    CHECK_ERR(CALL(fstat, fd, bad), EFAULT);
    CHECK_ERR(CALL(newfstatat, fd, bad, text, AT_EMPTY_PATH), EFAULT);
    CHECK_ERR(CALL(statx, fd, "", AT_EMPTY_PATH, 0x7ff, bad), EFAULT);
    CHECK_ERR(CALL(getdents64, folder, bad, 1000), EFAULT);
    char names[1000];
    CHECK(CALL(getdents64, folder, names, sizeof names) > 0);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(close(folder), 0);
}

/* A call larger than what a provider is given at once. */
static void large(void)
{
    static char out[3000000], in[3000000];
    int fd = open("/tree/large", O_RDWR | O_CREAT, 0644);

    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (char)(i * 7 + i / 251);
    CHECK_EQ(write(fd, out, sizeof out), sizeof out);
    CHECK_EQ(pread(fd, in, sizeof in, 0), sizeof in);
    CHECK(memcmp(in, out, sizeof in) == 0);
    CHECK_EQ(pread(fd, in, sizeof in, 1000000), 2000000);
    CHECK(memcmp(in, out + 1000000, 2000000) == 0);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(unlink("/tree/large"), 0);
}

static void pages(void)
{
    end = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
               -1, 0);
    CHECK(end != MAP_FAILED);
    end += 4096;
    CHECK_EQ(mprotect(end, 4096, PROT_NONE), 0);
    read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(read_only != MAP_FAILED);
}

int main(void)
{
    int domain = AF_INET;
    struct halvm_tree *tree = halvm_tree_new(NULL, HALVM_TREE_WRITABLE);
    long mounted;

    pages();
    copies();
    service = halvm_service_new("test");
    CHECK(service != NULL);
    CHECK_EQ(halvm_net_install(service, &domain, 1), 0);
    CHECK_EQ(halvm_tree_put(tree, "file", "content", 7, 0644), 0);
    mounted = halvm_tree_mount(tree, "/tree");
    CHECK(mounted > 0);
    void *const bad[] = {check_bad_pointer(), end};
    for (int i = 0; i < 2; i++) {
        sockets(bad[i]);
        paths(bad[i]);
        files(bad[i]);
    }
    large();
    CHECK_EQ(halvm_file_unmount(mounted), 0);
    halvm_service_end(service);
    return 0;
}
