/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names and addresses, as far as they need no network.
 *
 * Covers: socket connect getsockname
 */
#include "net.h"
#include <netdb.h>

int main(void)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *list;
    char host[64], service[16];

    CHECK_EQ(getaddrinfo("127.0.0.1", "80", &hints, &list), 0);
    CHECK_EQ(list->ai_family, AF_INET);
    CHECK_EQ(getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof(host),
                         service, sizeof(service),
                         NI_NUMERICHOST | NI_NUMERICSERV),
             0);
    CHECK(!strcmp(host, "127.0.0.1") && !strcmp(service, "80"));
    freeaddrinfo(list);
    CHECK_EQ(getaddrinfo("::1", "443", &hints, &list), 0);
    CHECK_EQ(list->ai_family, AF_INET6);
    freeaddrinfo(list);
    hints.ai_flags = AI_PASSIVE;
    CHECK_EQ(getaddrinfo(NULL, "8080", &hints, &list), 0);
    CHECK(list != NULL);
    freeaddrinfo(list);
    /* The unikernel has the file; a bare Linux root may not. */
    if (access("/etc/hosts", F_OK) != 0 && !check_unikernel())
        return 0;
    hints.ai_flags = 0;
    hints.ai_family = AF_INET;
    CHECK_EQ(getaddrinfo("localhost", "8080", &hints, &list), 0);
    CHECK_EQ(((struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr,
             htonl(INADDR_LOOPBACK));
    freeaddrinfo(list);
    return 0;
}
