/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A peer for bulk TCP: takes connections on port 9000, one after the other. A
 * connection begins with a letter and eight bytes, a count: `r` and it
 * receives as many bytes and answers with one, `s` and it sends as many.
 * bench/load.c is the other side.
 */
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char block[1 << 16];

static void serve(int fd)
{
    char order[9];
    uint64_t left;

    if (recv(fd, order, sizeof(order), MSG_WAITALL) != sizeof(order))
        return;
    memcpy(&left, order + 1, sizeof(left));
    while (left) {
        size_t n = left < sizeof(block) ? left : sizeof(block);
        ssize_t did = order[0] == 'r' ? recv(fd, block, n, 0)
                                      : send(fd, block, n, MSG_NOSIGNAL);
        if (did <= 0)
            return;
        left -= (size_t)did;
    }
    if (order[0] == 'r')
        send(fd, block, 1, MSG_NOSIGNAL);
    recv(fd, block, sizeof(block), 0); /* until the other side closes */
}

int main(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(9000)};
    int listening = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(listening, (struct sockaddr *)&here, sizeof(here)) ||
        listen(listening, 8)) {
        perror("bulk");
        return 1;
    }
    for (;;) {
        int fd = accept(listening, NULL, NULL);
        if (fd >= 0) {
            serve(fd);
            close(fd);
        }
    }
}
