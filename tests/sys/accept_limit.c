/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * accept4 without a free descriptor (setrlimit): EMFILE, and the connection
 * waits in the backlog until there is one.
 */
#include <sys/resource.h>

#include "check.h"
#include "net.h"

int main(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    struct rlimit limit, tight;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client, peer;
    char byte;

    CHECK(listener >= 0);
    CHECK_EQ(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_EQ(listen(listener, 4), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(client, (struct sockaddr *)&at, sizeof at), 0);
    CHECK_EQ(write(client, "x", 1), 1);

    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    tight = limit;
    tight.rlim_cur = (rlim_t)client + 1;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
    CHECK_ERR(accept4(listener, NULL, NULL, 0), EMFILE);
    CHECK_ERR(accept4(listener, NULL, NULL, 0), EMFILE);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    peer = accept4(listener, NULL, NULL, 0);
    CHECK(peer >= 0);
    CHECK_EQ(read(peer, &byte, 1), 1);
    CHECK_EQ(byte, 'x');
    return 0;
}
