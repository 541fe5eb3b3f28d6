/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first process of the Linux guest when a program needs the network: loads
 * the modules of virtio's network card, which Debian's kernel does not have
 * built in, gives eth0 its address and becomes the program.
 *
 *     init PROGRAM [ARGUMENT ...]     from the kernel's command line
 *
 * The modules are /1.ko, /2.ko and so on, in the order in which they must come.
 * What needs no network is /init itself (bench/run).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void modules_load(void)
{
    for (int i = 1;; i++) {
        char name[16];
        snprintf(name, sizeof(name), "/%d.ko", i);
        int fd = open(name, O_RDONLY);
        if (fd < 0)
            return;
        if (syscall(SYS_finit_module, fd, "", 0))
            perror(name);
        close(fd);
    }
}

static void address_set(const char *name, const char *address)
{
    struct ifreq request = {0};
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct timespec pause = {.tv_nsec = 10000000};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    inet_pton(AF_INET, address, &in.sin_addr);
    strcpy(request.ifr_name, name);
    memcpy(&request.ifr_addr, &in, sizeof(in));
    for (int i = 0; ioctl(fd, SIOCSIFADDR, &request) && i < 500; i++)
        nanosleep(&pause, NULL); /* the card is not there yet */
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(fd, SIOCSIFFLAGS, &request))
        perror(name);
    close(fd);
}

int main(int argc, char **argv)
{
    modules_load();
    address_set("eth0", "10.0.0.2"); /* class A: the netmask does no harm */
    execv(argv[1], argv + 1);
    perror(argv[1]);
    return 1;
}
