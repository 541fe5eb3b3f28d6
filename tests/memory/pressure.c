/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What C code, sockets and files take beside a Haskell program (Rand.hs calls
 * these): each takes all that it can get, up to a bound, and lets go again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int pressure_malloc(unsigned percent);
int pressure_sockets(int count);
int pressure_files(unsigned megabytes);

/* malloc until it says NULL, of several sizes, and touched; keeps a part of it
 * until the next call. Returns how many pieces there were, -1 if malloc did
 * not say ENOMEM. */
#define PIECES_MAX 65536
static void *pieces[PIECES_MAX];

int pressure_malloc(unsigned percent)
{
    static const size_t sizes[] = {1 << 20, 100000, 5000};
    int count = 0, keep;

    for (int i = 0; i < PIECES_MAX; i++) {
        free(pieces[i]);
        pieces[i] = NULL;
    }
    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        errno = 0;
        while (count < PIECES_MAX && (pieces[count] = malloc(sizes[s])) != NULL)
            memset(pieces[count++], 1, sizes[s]);
        if (count < PIECES_MAX && errno != ENOMEM)
            return -1;
    }
    keep = (int)((unsigned)count * percent / 100);
    for (int i = keep; i < count; i++) {
        free(pieces[i]);
        pieces[i] = NULL;
    }
    return count;
}

/* Pairs of sockets with full buffers, until count are open or there is no
 * more; all are closed again. Returns how many there were. */
int pressure_sockets(int count)
{
    static char data[65536];
    int(*pairs)[2] = calloc((size_t)count, sizeof *pairs);
    int made = 0;

    if (pairs == NULL)
        return 0;
    while (made < count && socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
                                      pairs[made]) == 0) {
        while (write(pairs[made][0], data, sizeof data) > 0)
            ;
        made++;
    }
    for (int i = 0; i < made; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    free(pairs);
    return made;
}

/* A file of so many megabytes, or what there is room for; it is removed. */
int pressure_files(unsigned megabytes)
{
    static char data[65536];
    int fd = open("/tmp/pressure", O_RDWR | O_CREAT | O_TRUNC, 0600);
    int written = 0;

    if (fd < 0)
        return 0;
    while ((unsigned)written < megabytes * 16 &&
           write(fd, data, sizeof data) == (ssize_t)sizeof data)
        written++;
    close(fd);
    unlink("/tmp/pressure");
    return written;
}
